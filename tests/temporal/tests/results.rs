//! What a caller gets of operations that succeed.

use std::sync::Arc;

use nexus_rpc::{NexusService, Operation, OperationHandler, sync_operation};
use serde::{Deserialize, Serialize};
use temporal_nexus::{
    NexusOperationOptions, NexusWorkflowContext, WorkflowRun, testing::unique,
    workflow_run_operation,
};
use temporalio_common::protos::temporal::api::{
    common::v1::Payload, enums::v1::EventType, history::v1::history_event::Attributes,
};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{WorkflowContext, WorkflowResult};

use crate::fixture::{History, SERVICE, Setup, everywhere};

everywhere! {
    a_contract_is_called_by_its_types,
    a_synchronous_operation_returns_every_kind_of_value,
    a_workflow_run_returns_every_kind_of_value,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Person {
    name: String,
    titles: Vec<Option<String>>,
}

#[derive(NexusService)]
#[nexus(name = "greetings")]
struct Greetings {
    echo: Operation<Person, Person>,
    #[nexus(name = "say-hello")]
    say_hello: Operation<Person, String>,
}

struct Greeter;

impl GreetingsHandler for Greeter {
    fn echo(self: Arc<Self>) -> impl OperationHandler<Person, Person> {
        sync_operation(async |_ctx, person| Ok(person))
    }

    fn say_hello(self: Arc<Self>) -> impl OperationHandler<Person, String> {
        workflow_run_operation(SayHello::run, |_ctx, person: Person| {
            Ok(WorkflowRun::new(unique("say-hello"), person))
        })
    }
}

#[workflow]
#[derive(Default)]
struct SayHello;

#[workflow_methods]
impl SayHello {
    #[run]
    async fn run(_ctx: &mut WorkflowContext<Self>, person: Person) -> WorkflowResult<String> {
        Ok(format!("Hello {}", person.name))
    }
}

async fn a_contract_is_called_by_its_types(setup: Setup) {
    let fixture = setup
        .service(Greetings::serve(Greeter))
        .workflow::<SayHello>()
        .start()
        .await;
    let endpoint = fixture.endpoint.name.clone();
    let ada = Person {
        name: "Ada".into(),
        titles: vec![Some("Countess".into()), None],
    };
    let person = ada.clone();
    let run = fixture.run(move |ctx| {
        let (endpoint, person) = (endpoint.clone(), person.clone());
        async move {
            let client = ctx.nexus_client::<Greetings>(endpoint);
            let echo = client
                .start(Greetings::echo, person, NexusOperationOptions::default())
                .await?;
            let person = echo.result().await?;
            let hello = client
                .start(
                    Greetings::say_hello,
                    person.clone(),
                    NexusOperationOptions::default(),
                )
                .await?;
            let tokens = (echo.operation_token(), hello.operation_token());
            Ok((person, hello.result().await?, tokens))
        }
    });
    let run = run.await;
    let (echo, hello, tokens) = run.result.unwrap();
    assert_eq!(echo, ada);
    assert_eq!(hello, "Hello Ada");
    let started = run.history.event(EventType::NexusOperationStarted);
    let Some(Attributes::NexusOperationStartedEventAttributes(started)) = &started.attributes
    else {
        panic!("{started:?}");
    };
    assert_eq!(tokens.0, None, "a synchronous operation has ended");
    assert_eq!(tokens.1.unwrap().as_str(), started.operation_token);
    fixture.stop().await;
}

const UNIT: Operation<(), ()> = Operation::new(SERVICE, "unit");
const BYTES: Operation<Vec<u8>, Vec<u8>> = Operation::new(SERVICE, "bytes");
const OPTION: Operation<Option<u32>, Option<u32>> = Operation::new(SERVICE, "option");
const NESTED: Operation<Person, Person> = Operation::new(SERVICE, "nested");

fn echo<T: Send + 'static>() -> impl OperationHandler<T, T> {
    sync_operation(async |_ctx, value| Ok(value))
}

async fn a_synchronous_operation_returns_every_kind_of_value(setup: Setup) {
    let fixture = setup
        .operation(UNIT, echo())
        .operation(BYTES, echo())
        .operation(OPTION, echo())
        .operation(NESTED, echo())
        .start()
        .await;
    let call = fixture.call(UNIT, ()).await;
    call.outcome.unwrap();
    assert_eq!(encodings(&call.history), ["binary/null", "binary/null"]);

    let call = fixture.call(BYTES, vec![0, 159, 146, 150]).await;
    assert_eq!(call.outcome.unwrap(), [0, 159, 146, 150]);
    assert_eq!(encodings(&call.history), ["binary/plain", "binary/plain"]);
    let call = fixture.call(BYTES, vec![]).await;
    assert_eq!(call.outcome.unwrap(), b"");

    let call = fixture.call(OPTION, None).await;
    assert_eq!(call.outcome.unwrap(), None);
    let call = fixture.call(OPTION, Some(7)).await;
    assert_eq!(call.outcome.unwrap(), Some(7));
    assert_eq!(encodings(&call.history), ["json/plain", "json/plain"]);

    let person = Person {
        name: "👋".into(),
        titles: vec![None, Some(String::new())],
    };
    let call = fixture.call(NESTED, person.clone()).await;
    assert_eq!(call.outcome.unwrap(), person);
    fixture.stop().await;
}

/// How the input and the output of the operation are written.
fn encodings(history: &History) -> [String; 2] {
    let scheduled = history.event(EventType::NexusOperationScheduled);
    let completed = history.event(EventType::NexusOperationCompleted);
    let encoding = |payload: Option<&Payload>| {
        let encoding = payload.expect("a payload").metadata["encoding"].clone();
        String::from_utf8(encoding).expect("text")
    };
    let input = match &scheduled.attributes {
        Some(Attributes::NexusOperationScheduledEventAttributes(it)) => it.input.as_ref(),
        _ => None,
    };
    let output = match &completed.attributes {
        Some(Attributes::NexusOperationCompletedEventAttributes(it)) => it.result.as_ref(),
        _ => None,
    };
    [encoding(input), encoding(output)]
}

macro_rules! echo_workflow {
    ($name:ident, $type:ty) => {
        #[workflow]
        #[derive(Default)]
        struct $name;

        #[workflow_methods]
        impl $name {
            #[run]
            async fn run(_ctx: &mut WorkflowContext<Self>, value: $type) -> WorkflowResult<$type> {
                Ok(value)
            }
        }
    };
}

echo_workflow!(EchoUnit, ());
echo_workflow!(EchoBytes, Vec<u8>);
echo_workflow!(EchoOption, Option<u32>);
echo_workflow!(EchoPerson, Person);

async fn a_workflow_run_returns_every_kind_of_value(setup: Setup) {
    let fixture = setup
        .workflow::<EchoUnit>()
        .workflow::<EchoBytes>()
        .workflow::<EchoOption>()
        .workflow::<EchoPerson>()
        .operation(
            UNIT,
            workflow_run_operation(EchoUnit::run, |ctx, ()| {
                Ok(WorkflowRun::new(ctx.request_id(), ()))
            }),
        )
        .operation(
            BYTES,
            workflow_run_operation(EchoBytes::run, |ctx, value| {
                Ok(WorkflowRun::new(ctx.request_id(), value))
            }),
        )
        .operation(
            OPTION,
            workflow_run_operation(EchoOption::run, |ctx, value| {
                Ok(WorkflowRun::new(ctx.request_id(), value))
            }),
        )
        .operation(
            NESTED,
            workflow_run_operation(EchoPerson::run, |ctx, value| {
                Ok(WorkflowRun::new(ctx.request_id(), value))
            }),
        )
        .start()
        .await;
    fixture.call(UNIT, ()).await.outcome.unwrap();
    let bytes = fixture.call(BYTES, vec![0, 159, 146, 150]).await;
    assert_eq!(bytes.outcome.unwrap(), [0, 159, 146, 150]);
    let bytes = fixture.call(BYTES, vec![]).await;
    assert_eq!(bytes.outcome.unwrap(), b"");
    assert_eq!(fixture.call(OPTION, None).await.outcome.unwrap(), None);
    assert_eq!(
        fixture.call(OPTION, Some(7)).await.outcome.unwrap(),
        Some(7)
    );
    let person = Person {
        name: "👋".into(),
        titles: vec![None, Some(String::new())],
    };
    let nested = fixture.call(NESTED, person.clone()).await;
    assert_eq!(nested.outcome.unwrap(), person);
    fixture.stop().await;
}
