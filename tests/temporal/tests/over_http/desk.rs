//! An operation whose requests the test answers.

use std::time::Duration;

use nexus_rpc::{
    CancelOperationContext, Content, HandlerError, Link, Operation, OperationHandler,
    OperationToken, StartError, StartOperationContext, StartOperationResult,
};
use nexus_rpc_http::{
    Dialect,
    callback::{Completion, CompletionSender, DeliveryError},
};
use temporal_nexus::NexusOperationError;
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::fixture::{Fixture, Running, SERVICE, Setup, within};

pub(crate) const JOB: Operation<String, String> = Operation::new(SERVICE, "job");

/// Longer than any operation here takes.
const LONG: Duration = Duration::from_secs(50);

/// A workflow that calls the operation.
pub(crate) type Caller = Running<Result<String, NexusOperationError>>;

type Answer = Result<StartOperationResult<String>, StartError>;

/// Where the requests arrive.
pub(crate) struct Desk {
    starts: mpsc::Receiver<Start>,
    cancels: mpsc::Receiver<(CancelOperationContext, OperationToken)>,
}

/// A request to start an operation, which waits for its answer.
pub(crate) struct Start {
    pub(crate) ctx: StartOperationContext,
    pub(crate) input: String,
    answer: oneshot::Sender<Answer>,
}

struct Job {
    starts: mpsc::Sender<Start>,
    cancels: mpsc::Sender<(CancelOperationContext, OperationToken)>,
}

impl Desk {
    pub(crate) async fn open(setup: Setup) -> (Fixture, Self) {
        let (start, starts) = mpsc::channel(1);
        let (cancel, cancels) = mpsc::channel(1);
        let job = Job {
            starts: start,
            cancels: cancel,
        };
        let fixture = setup.operation(JOB, job).start().await;
        (fixture, Self { starts, cancels })
    }

    pub(crate) async fn start(&mut self) -> Start {
        let start = timeout(LONG, self.starts.recv()).await;
        start.expect("a start request").expect("the fixture lives")
    }

    /// A workflow whose operation has started under this token, and the context of its start request.
    pub(crate) async fn started(
        &mut self,
        fixture: &Fixture,
        token: &str,
    ) -> (Caller, StartOperationContext) {
        let caller = call(fixture).await;
        let start = self.start().await;
        let ctx = start.ctx.clone();
        start.started(token);
        caller.reaches(EventType::NexusOperationStarted).await;
        (caller, ctx)
    }

    pub(crate) async fn cancel(&mut self) -> (CancelOperationContext, OperationToken) {
        let cancel = timeout(LONG, self.cancels.recv()).await;
        cancel
            .expect("a cancel request")
            .expect("the fixture lives")
    }

    /// Whether a request waits that nobody expects.
    pub(crate) fn is_idle(&self) -> bool {
        self.starts.is_empty() && self.cancels.is_empty()
    }
}

impl Start {
    pub(crate) fn answer(self, answer: Answer) {
        // The caller may have gone, and the handler with it.
        let _ = self.answer.send(answer);
    }

    pub(crate) fn started(self, operation_token: &str) {
        self.answer(Ok(StartOperationResult::Async(token(operation_token))));
    }
}

impl OperationHandler<String, String> for Job {
    async fn start(&self, ctx: StartOperationContext, input: String) -> Answer {
        let (answer, answered) = oneshot::channel();
        let start = Start { ctx, input, answer };
        self.starts.send(start).await?;
        answered.await?
    }

    async fn cancel(
        &self,
        ctx: CancelOperationContext,
        token: OperationToken,
    ) -> Result<(), HandlerError> {
        let told = self.cancels.send((ctx, token)).await;
        told.map_err(HandlerError::unclassified)
    }
}

/// A workflow that calls the operation.
pub(crate) async fn call(fixture: &Fixture) -> Caller {
    fixture.begin_call(JOB, "input".into(), within(LONG)).await
}

pub(crate) fn token(text: &str) -> OperationToken {
    OperationToken::new(text).expect("a token")
}

/// A link of the kind that servers keep.
pub(crate) fn link(workflow: &str) -> Link {
    let url = format!(
        "temporal:///namespaces/shop/workflows/{workflow}/run/history\
         ?eventID=1&eventType=WorkflowExecutionStarted&referenceType=EventReference"
    );
    Link::new(url, "temporal.api.common.v1.Link.WorkflowEvent")
}

pub(crate) fn done() -> Completion {
    Completion::succeeded(Content::json(r#""done""#))
}

/// Delivers to the caller of a request.
pub(crate) async fn deliver(
    ctx: &StartOperationContext,
    completion: &Completion,
) -> Result<(), DeliveryError> {
    let callback = ctx.callback().expect("a callback");
    let sender = CompletionSender::new().expect("a sender");
    sender.send(Dialect::Current, callback, completion).await
}
