//! Codecs and failure converters: what is on the wire is not what either side sees.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures::future::{BoxFuture, FutureExt};
use nexus_rpc::{HandlerError, HandlerErrorType, Operation, OperationError, sync_operation};
use prost::Message;
use serde::{Deserialize, Serialize};
use temporal_nexus::{WorkflowRun, workflow_run_operation};
use temporalio_common::{
    data_converters::{
        DataConverter, DefaultFailureConverter, PayloadCodec, PayloadConversionError,
        PayloadConverter, SerializationContextData,
    },
    error::IncomingError,
    protos::temporal::api::{common::v1::Payload, failure::v1::failure::FailureInfo},
};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{ApplicationFailure, WorkflowContext, WorkflowResult};

use crate::fixture::{History, SERVICE, Setup, on_both_servers};

on_both_servers! {
    input_and_output_are_encoded_on_the_wire_and_decoded_at_both_ends,
    details_of_failures_are_encoded_on_the_wire_and_decoded_by_the_caller,
    encoded_failure_attributes_are_decoded_by_the_caller,
    a_codec_that_cannot_decode_is_internal_and_the_request_is_sent_again,
    a_codec_that_cannot_encode_is_internal_and_the_request_is_sent_again,
    details_that_cannot_be_encoded_are_internal_and_the_request_is_sent_again,
    a_handler_error_that_cannot_be_encoded_keeps_its_type,
}

const ENCODING: &str = "binary/veiled";
/// In every value of these tests.
const SECRET: &str = "hunter2";

/// Turns the bits of a payload over.
#[derive(Clone, Default)]
struct Veil {
    cannot_encode: Arc<AtomicBool>,
    cannot_decode: Arc<AtomicBool>,
}

fn veiled(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().map(|byte| !byte).collect()
}

fn outcome(
    broken: &AtomicBool,
    payloads: impl FnOnce() -> Vec<Payload>,
) -> BoxFuture<'static, Result<Vec<Payload>, PayloadConversionError>> {
    let outcome = if broken.load(Ordering::Relaxed) {
        let error = format!("no key for {SECRET}");
        Err(PayloadConversionError::EncodingError(error.into()))
    } else {
        Ok(payloads())
    };
    std::future::ready(outcome).boxed()
}

impl PayloadCodec for Veil {
    fn encode(
        &self,
        _: &SerializationContextData,
        payloads: Vec<Payload>,
    ) -> BoxFuture<'static, Result<Vec<Payload>, PayloadConversionError>> {
        outcome(&self.cannot_encode, || {
            let encode = |payload: Payload| Payload {
                metadata: [("encoding".to_owned(), ENCODING.as_bytes().to_vec())].into(),
                data: veiled(payload.encode_to_vec()),
                ..Default::default()
            };
            payloads.into_iter().map(encode).collect()
        })
    }

    fn decode(
        &self,
        _: &SerializationContextData,
        payloads: Vec<Payload>,
    ) -> BoxFuture<'static, Result<Vec<Payload>, PayloadConversionError>> {
        outcome(&self.cannot_decode, || {
            let decode = |payload: Payload| {
                assert_eq!(payload.metadata["encoding"], ENCODING.as_bytes());
                Payload::decode(&*veiled(payload.data)).expect("a payload")
            };
            payloads.into_iter().map(decode).collect()
        })
    }
}

fn converter(codec: Veil) -> DataConverter {
    DataConverter::new(
        PayloadConverter::default(),
        DefaultFailureConverter::default(),
        codec,
    )
}

const ECHO: Operation<String, String> = Operation::new(SERVICE, "echo");
const RUN: Operation<Request, String> = Operation::new(SERVICE, "run");
const FAIL: Operation<bool, ()> = Operation::new(SERVICE, "fail");

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Request {
    text: String,
    fails: bool,
}

#[workflow]
#[derive(Default)]
struct Repeat;

#[workflow_methods]
impl Repeat {
    #[run]
    async fn run(_ctx: &mut WorkflowContext<Self>, request: Request) -> WorkflowResult<String> {
        if request.fails {
            let failure = ApplicationFailure::builder("refused")
                .details(request)
                .build();
            return Err(failure.into());
        }
        Ok(request.text)
    }
}

const ID: &str = "repeat";

fn operations(setup: Setup) -> Setup {
    let echo = sync_operation(async |_ctx, input: String| {
        assert!(input.contains(SECRET));
        Ok(input)
    });
    let run = workflow_run_operation(Repeat::run, |_ctx, request| {
        Ok(WorkflowRun::new(ID, request))
    });
    let fail = sync_operation(async |_ctx, operation: bool| {
        if operation {
            let error = OperationError::failed("refused by hunter2").with_details(request(true));
            return Err(error.into());
        }
        Err(HandlerError::not_found("not found by hunter2").into())
    });
    setup
        .workflow::<Repeat>()
        .operation(ECHO, echo)
        .operation(RUN, run)
        .operation(FAIL, fail)
}

fn request(fails: bool) -> Request {
    Request {
        text: format!("{SECRET}!"),
        fails,
    }
}

#[track_caller]
fn is_veiled(history: &History) {
    assert!(history.says(ENCODING), "{history:?}");
    assert!(!history.says(SECRET), "{history:?}");
}

async fn input_and_output_are_encoded_on_the_wire_and_decoded_at_both_ends(setup: Setup) {
    let setup = operations(setup).data_converter(converter(Veil::default()));
    let fixture = setup.start().await;
    let call = fixture.call(ECHO, SECRET.to_owned()).await;
    is_veiled(&call.history);
    assert_eq!(call.outcome.unwrap(), SECRET);

    let call = fixture.call(RUN, request(false)).await;
    is_veiled(&call.history);
    assert_eq!(call.outcome.unwrap(), "hunter2!");
    is_veiled(&History::of(&fixture.handler_workflow(ID)).await);
    fixture.stop().await;
}

async fn details_of_failures_are_encoded_on_the_wire_and_decoded_by_the_caller(setup: Setup) {
    let setup = operations(setup).data_converter(converter(Veil::default()));
    let fixture = setup.start().await;
    let call = fixture.call(RUN, request(true)).await;
    is_veiled(&call.history);
    let details = call.error().details::<Request>().unwrap();
    assert_eq!(details, Some(request(true)));

    let call = fixture.call(FAIL, true).await;
    let details = call.error().details::<Request>().unwrap();
    assert_eq!(details, Some(request(true)));
    assert!(!call.history.says("hunter2!"), "{:?}", call.history);
    fixture.stop().await;
}

async fn encoded_failure_attributes_are_decoded_by_the_caller(setup: Setup) {
    let converter = DataConverter::new(
        PayloadConverter::default(),
        DefaultFailureConverter::new(true),
        Veil::default(),
    );
    let setup = operations(setup).data_converter(converter);
    let fixture = setup.start().await;
    let call = fixture.call(FAIL, true).await;
    is_veiled(&call.history);
    let error = call.error();
    let Some(IncomingError::Application(cause)) = error.failure().unwrap().cause() else {
        panic!("{error:?}");
    };
    assert_eq!(cause.to_string(), "refused by hunter2");
    assert_eq!(error.details::<Request>().unwrap(), Some(request(true)));

    let call = fixture.call(FAIL, false).await;
    is_veiled(&call.history);
    let answer = call.error().handler_error().expect("a handler error");
    assert_eq!(answer.error_type(), &HandlerErrorType::NotFound);
    assert_eq!(answer.message(), "not found by hunter2");
    fixture.stop().await;
}

async fn details_that_cannot_be_encoded_are_internal_and_the_request_is_sent_again(setup: Setup) {
    let codec = Veil::default();
    codec.cannot_encode.store(true, Ordering::Relaxed);
    let fixture = operations(setup)
        .data_converter(converter(Veil::default()))
        .handler_data_converter(converter(codec.clone()))
        .start()
        .await;
    let caller = fixture.begin_call(FAIL, true, Default::default).await;
    let failure = caller.last_attempt_failure().await;
    assert!(
        format!("{failure:?}").contains("payload codec failed"),
        "{failure:?}"
    );
    codec.cannot_encode.store(false, Ordering::Relaxed);
    let error = caller.finish().await.result.unwrap().unwrap_err();
    assert_eq!(error.details::<Request>().unwrap(), Some(request(true)));
    fixture.stop().await;
}

async fn a_handler_error_that_cannot_be_encoded_keeps_its_type(setup: Setup) {
    let codec = Veil::default();
    codec.cannot_encode.store(true, Ordering::Relaxed);
    let handler = DataConverter::new(
        PayloadConverter::default(),
        DefaultFailureConverter::new(true),
        codec,
    );
    let fixture = operations(setup)
        .data_converter(converter(Veil::default()))
        .handler_data_converter(handler)
        .start()
        .await;
    let call = fixture.call(FAIL, false).await;
    let answer = call.error().handler_error().expect("a handler error");
    assert_eq!(answer.error_type(), &HandlerErrorType::NotFound);
    assert_eq!(answer.message(), "failure could not be encoded");
    assert!(!call.history.says(SECRET), "{:?}", call.history);
    fixture.stop().await;
}

/// The handler's codec is broken for a while.
async fn a_broken_codec_is_internal(setup: Setup, which: impl Fn(&Veil) -> &AtomicBool) {
    let codec = Veil::default();
    which(&codec).store(true, Ordering::Relaxed);
    let fixture = operations(setup)
        .data_converter(converter(Veil::default()))
        .handler_data_converter(converter(codec.clone()))
        .start()
        .await;
    let caller = fixture
        .begin_call(ECHO, SECRET.to_owned(), Default::default)
        .await;
    let failure = caller.last_attempt_failure().await;
    let Some(FailureInfo::NexusHandlerFailureInfo(info)) = &failure.failure_info else {
        panic!("{failure:?}");
    };
    assert_eq!(info.r#type, "INTERNAL");
    let text = format!("{failure:?}");
    assert!(text.contains("payload codec failed"), "{text}");
    assert!(!text.contains(SECRET), "{text}");
    which(&codec).store(false, Ordering::Relaxed);
    let run = caller.finish().await;
    assert_eq!(run.result.unwrap().unwrap(), SECRET);
    fixture.stop().await;
}

async fn a_codec_that_cannot_decode_is_internal_and_the_request_is_sent_again(setup: Setup) {
    a_broken_codec_is_internal(setup, |codec| &codec.cannot_decode).await;
}

async fn a_codec_that_cannot_encode_is_internal_and_the_request_is_sent_again(setup: Setup) {
    a_broken_codec_is_internal(setup, |codec| &codec.cannot_encode).await;
}
