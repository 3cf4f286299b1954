//! The services that the tests call.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use nexus_rpc::{
    CancelOperationContext, Content, Failure, HandlerError, HandlerErrorType, Headers, Link,
    Operation, OperationContext, OperationError, OperationHandler, OperationInfo, OperationResult,
    OperationState, OperationToken, RetryBehavior, Service, ServiceRegistry, StartError,
    StartOperationContext, StartOperationResult, UntypedOperation, context::CancelReason,
    sync_operation,
};
use nexus_rpc_http::HttpContext;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

pub(crate) const ECHO: Operation<Value, Value> = Operation::new("svc", "echo");
pub(crate) const BYTES: Operation<Vec<u8>, Vec<u8>> = Operation::new("svc", "bytes");
pub(crate) const UNIT: Operation<(), ()> = Operation::new("svc", "unit");
pub(crate) const FAIL: Operation<String, ()> = Operation::new("svc", "fail");
pub(crate) const JOB: Operation<Value, Value> = Operation::new("svc", "job");
pub(crate) const INSPECT: Operation<Content, Value> = Operation::new("svc", "inspect");

pub(crate) fn registry(jobs: &Jobs) -> ServiceRegistry {
    let service = Service::builder("svc")
        .operation(ECHO, sync_operation(async |_ctx, value: Value| Ok(value)))
        .operation(
            BYTES,
            sync_operation(async |_ctx, value: Vec<u8>| Ok(value)),
        )
        .operation(
            UntypedOperation::new("svc", "raw"),
            sync_operation(async |_ctx, content: Content| Ok(content)),
        )
        .operation(UNIT, sync_operation(async |_ctx, (): ()| Ok(())))
        .operation(
            FAIL,
            sync_operation(async |_ctx, how: String| fail(&how).await),
        )
        .operation(
            INSPECT,
            sync_operation(async |ctx, content: Content| Ok(inspect(&ctx, &content))),
        )
        .operation(JOB, jobs.clone())
        .operation(
            UntypedOperation::new("svc", "ECHO"),
            sync_operation(async |_ctx, _: Content| Ok(Content::new("text/plain", "upper"))),
        )
        .build()
        .unwrap();
    let mut registry = ServiceRegistry::new();
    registry.register(service).unwrap();
    registry
}

/// A service that only the current dialect can name.
pub(crate) fn odd() -> Service {
    Service::builder("a/b %?#;é")
        .operation(
            UntypedOperation::new("a/b %?#;é", "x/y"),
            sync_operation(async |_ctx, content: Content| Ok(content)),
        )
        .build()
        .unwrap()
}

/// `svc/wait`, whose handler says that it was begun (`None`), and then why it was given up. And `svc/echo`.
pub(crate) fn waiting() -> (ServiceRegistry, mpsc::Receiver<Option<CancelReason>>) {
    const WAIT: Operation<(), ()> = Operation::new("svc", "wait");
    let (tell, told) = mpsc::channel(2);
    let wait = sync_operation(move |ctx: StartOperationContext, (): ()| {
        let tell = tell.clone();
        async move {
            tell.send(None).await?;
            // The handler itself ends with the request.
            tokio::spawn(async move { tell.send(Some(ctx.cancelled().await)).await });
            std::future::pending::<Result<(), StartError>>().await
        }
    });
    let service = Service::builder("svc")
        .operation(WAIT, wait)
        .operation(ECHO, sync_operation(async |_ctx, value: Value| Ok(value)));
    let mut registry = ServiceRegistry::new();
    registry.register(service.build().unwrap()).unwrap();
    (registry, told)
}

/// Fails as it is told to.
async fn fail(how: &str) -> Result<(), StartError> {
    let (how, detail) = how.split_once(' ').unwrap_or((how, ""));
    Err(match how {
        "failed" => OperationError::failed("no luck")
            .with_details(json!({"code": 7}))
            .with_cause(Failure::new("the dice"))
            .into(),
        "canceled" => OperationError::canceled("stopped").into(),
        "panic" => panic!("secret"),
        "hang" => std::future::pending().await,
        "retryable" => HandlerError::bad_request("x")
            .with_retry_behavior(RetryBehavior::Retryable)
            .into(),
        "final" => HandlerError::internal("x")
            .with_retry_behavior(RetryBehavior::NonRetryable)
            .into(),
        "cause" => HandlerError::conflict("x")
            .with_cause(Failure::new("the other one"))
            .into(),
        "type" => HandlerError::new(HandlerErrorType::from(detail), "told to").into(),
        _ => "secret".into(),
    })
}

/// What a handler sees of a request.
fn inspect(ctx: &StartOperationContext, content: &Content) -> Value {
    fn map(headers: &Headers) -> Value {
        headers
            .iter()
            .map(|(key, value)| (key.to_owned(), Value::from(value)))
            .collect()
    }
    ctx.add_link(Link::new("http://handler/?a=1,2", "my.Type"));
    json!({
        "headers": map(ctx.headers()),
        "content": map(&content.headers),
        "body": String::from_utf8_lossy(&content.data),
        "request_id": ctx.request_id(),
        "operation_id": ctx.requested_operation_id(),
        "callback": ctx.callback().map(|callback| json!({"url": callback.url, "headers": map(&callback.headers)})),
        "links": ctx.links().iter().map(|link| json!([link.url, link.link_type])).collect::<Vec<_>>(),
        "operation_timeout": ctx.operation_timeout().map(|timeout| timeout.as_millis()),
        "time_left": ctx.deadline().map(|at| at.saturating_duration_since(std::time::Instant::now()).as_millis()),
        "principal": ctx.http_extension::<Principal>().map(|principal| &principal.0),
    })
}

/// Who a layer found the caller to be.
#[derive(Clone)]
pub(crate) struct Principal(pub(crate) String);

/// Operations that go on until a test ends them.
#[derive(Clone, Default)]
pub(crate) struct Jobs(Arc<Mutex<HashMap<String, watch::Sender<Job>>>>);

#[derive(Clone, Debug)]
pub(crate) enum Job {
    Running,
    Done(Content),
    Failed,
    Canceled,
}

impl Jobs {
    pub(crate) fn add(&self, id: &str, job: Job) {
        self.0
            .lock()
            .unwrap()
            .insert(id.to_owned(), watch::Sender::new(job));
    }

    pub(crate) fn end(&self, id: &str, job: Job) {
        self.0.lock().unwrap()[id].send_replace(job);
    }

    pub(crate) fn contains(&self, id: &str) -> bool {
        self.0.lock().unwrap().contains_key(id)
    }

    /// How many requests wait for this one.
    pub(crate) fn waiting(&self, id: &str) -> usize {
        self.0.lock().unwrap()[id].receiver_count()
    }

    fn find(&self, id: &str) -> Result<watch::Receiver<Job>, HandlerError> {
        let jobs = self.0.lock().unwrap();
        let job = jobs
            .get(id)
            .ok_or_else(|| HandlerError::not_found(format!("no job {id}")))?;
        Ok(job.subscribe())
    }
}

impl OperationHandler<Value, Value> for Jobs {
    /// Input: `{"token": …, "accept": bool}`; without a token it is the caller's id or a made up one.
    async fn start(
        &self,
        ctx: StartOperationContext,
        input: Value,
    ) -> Result<StartOperationResult<Value>, StartError> {
        let token = match (input["token"].as_str(), ctx.requested_operation_id()) {
            (Some(token), _) => token.to_owned(),
            (None, Some(id)) => id.to_owned(),
            (None, None) => uuid::Uuid::new_v4().simple().to_string(),
        };
        if input["accept"] == true {
            ctx.accept_callback();
        }
        ctx.add_link(Link::new("http://handler/job", "my.Job"));
        self.add(&token, Job::Running);
        Ok(StartOperationResult::Async(OperationToken::new(token)?))
    }

    async fn cancel(
        &self,
        _: CancelOperationContext,
        token: OperationToken,
    ) -> Result<(), HandlerError> {
        let jobs = self.0.lock().unwrap();
        let job = jobs
            .get(token.as_str())
            .ok_or_else(|| HandlerError::not_found("no such job"))?;
        if matches!(*job.borrow(), Job::Running) {
            job.send_replace(Job::Canceled);
        }
        Ok(())
    }

    async fn info(
        &self,
        _: OperationContext,
        token: OperationToken,
    ) -> Result<OperationInfo, HandlerError> {
        let state = match *self.find(token.as_str())?.borrow() {
            Job::Running => OperationState::Running,
            Job::Done(_) => OperationState::Succeeded,
            Job::Failed => OperationState::Failed,
            Job::Canceled => OperationState::Canceled,
        };
        Ok(OperationInfo::new(token, state))
    }

    async fn result(
        &self,
        _: OperationContext,
        token: OperationToken,
        wait: Duration,
    ) -> Result<OperationResult<Value>, StartError> {
        let mut job = self.find(token.as_str())?;
        let ended = job.wait_for(|job| !matches!(job, Job::Running));
        let job = match tokio::time::timeout(wait, ended).await {
            Ok(job) => job?.clone(),
            Err(_) => Job::Running,
        };
        match job {
            Job::Running => Ok(OperationResult::Running),
            Job::Done(content) if content.is_empty() => Ok(OperationResult::Succeeded(Value::Null)),
            Job::Done(content) => Ok(OperationResult::Succeeded(serde_json::from_slice(
                &content.data,
            )?)),
            Job::Failed => Err(OperationError::failed("job failed").into()),
            Job::Canceled => Err(OperationError::canceled("job canceled").into()),
        }
    }
}
