//! Operations backed by a workflow run: the operation starts the workflow, ends with it, and is canceled by canceling it.

use std::{any::type_name, fmt, marker::PhantomData, time::Duration};

use nexus_rpc::{
    CancelOperationContext, HandlerError, OperationContext, OperationHandler, OperationInfo,
    OperationResult, OperationToken, StartError, StartOperationContext, StartOperationResult,
};
use temporalio_client::{
    WorkflowIdConflictPolicy, WorkflowIdReusePolicy, WorkflowStartOptions, tonic::IntoRequest,
};
use temporalio_common::{
    HasWorkflowDefinition, WorkflowDefinition,
    protos::temporal::api::{
        common::v1::WorkflowExecution, workflowservice::v1::RequestCancelWorkflowExecutionRequest,
    },
};

use crate::{
    NotOnTemporal, TemporalContext, TemporalOperationContext, WorkflowRunToken, convert::classified,
};

mod observe;
mod start;

/// The workflow run that backs an operation: its input and its options.
///
/// The id should come from what the operation is about (an order, a customer), so that a person finds the workflow and a second request
/// for the same thing meets the first. It must not be empty.
#[derive(Debug, Clone)]
pub struct WorkflowRun<I> {
    /// What the workflow is started with.
    pub input: I,
    /// How it is started. An empty task queue stands for the worker's own; links and completion callbacks are added to those that the
    /// request brings.
    ///
    /// Without effect: eager start, retry options of the RPC (the caller's server sends the whole request again), and the client's
    /// interceptors.
    pub options: WorkflowStartOptions,
}

impl<I> WorkflowRun<I> {
    /// A run with the id `workflow_id` on the worker's own task queue.
    pub fn new(workflow_id: impl Into<String>, input: I) -> Self {
        Self {
            input,
            options: WorkflowStartOptions::new("", workflow_id).build(),
        }
    }

    /// A run with the SDK's options, for what has no method here: timeouts, retry policy, memo, search attributes and so on.
    ///
    /// ```
    /// use std::time::Duration;
    /// use temporal_nexus::WorkflowRun;
    /// use temporalio_client::WorkflowStartOptions;
    ///
    /// let options = WorkflowStartOptions::new("orders", "order-17").run_timeout(Duration::from_secs(60)).build();
    /// let run = WorkflowRun::with_options(options, 17);
    /// ```
    pub fn with_options(options: WorkflowStartOptions, input: I) -> Self {
        Self { input, options }
    }

    /// What happens if a workflow with this id is running. Unless set, the request fails.
    ///
    /// [`WorkflowIdConflictPolicy::UseExisting`] attaches the operation to the running workflow: its caller gets that result, too.
    #[must_use]
    pub fn id_conflict_policy(mut self, policy: WorkflowIdConflictPolicy) -> Self {
        self.options.id_conflict_policy = policy;
        self
    }

    /// What happens if a workflow with this id has ended. Unless set, a new one starts.
    #[must_use]
    pub fn id_reuse_policy(mut self, policy: WorkflowIdReusePolicy) -> Self {
        self.options.id_reuse_policy = policy;
        self
    }
}

/// An operation that runs the workflow `workflow`. `f` makes the run of the operation's input.
///
/// The operation returns what the workflow returns, fails as it fails, and ends as canceled when the workflow does. A request that is
/// sent again finds the workflow that it started. Exactly as in the other SDKs, so that callers in any language see the same.
///
/// ```
/// use nexus_rpc::OperationHandler;
/// use temporal_nexus::{WorkflowRun, workflow_run_operation};
/// use temporalio_macros::{workflow, workflow_methods};
/// use temporalio_sdk::{WorkflowContext, WorkflowResult};
///
/// #[workflow]
/// #[derive(Default)]
/// struct Greeting;
///
/// #[workflow_methods]
/// impl Greeting {
///     #[run]
///     async fn run(_ctx: &mut WorkflowContext<Self>, name: String) -> WorkflowResult<String> {
///         Ok(format!("Hello {name}"))
///     }
/// }
///
/// fn greet() -> impl OperationHandler<String, String> {
///     workflow_run_operation(Greeting::run, |_ctx, name: String| {
///         Ok(WorkflowRun::new(format!("greeting-{name}"), name))
///     })
/// }
/// ```
pub fn workflow_run_operation<I, W, F>(workflow: W, f: F) -> WorkflowRunOperation<I, W, F>
where
    W: WorkflowDefinition,
    F: Fn(&StartOperationContext, I) -> Result<WorkflowRun<W::Input>, StartError>,
{
    WorkflowRunOperation {
        workflow,
        f,
        operation_ids: None,
        input: PhantomData,
    }
}

/// An operation that runs a workflow, made by [`workflow_run_operation`].
pub struct WorkflowRunOperation<I, W, F> {
    workflow: W,
    f: F,
    /// What stands before an operation id that a caller chose.
    operation_ids: Option<String>,
    input: PhantomData<fn(I)>,
}

impl<I, W, F> WorkflowRunOperation<I, W, F> {
    /// Lets callers of the draft HTTP dialect choose the operation's id, which is then its token. The workflow's id is `prefix` and that id,
    /// whatever id the run has, and one id is one workflow: a start with an id that was used attaches to the running workflow, or is answered
    /// with how it ended. That goes before the policies of the run.
    ///
    /// Without this, a start with such an id is refused (`NOT_IMPLEMENTED`). With it, whoever may call the operation can ask for and cancel
    /// the workflows of the namespace whose ids begin with `prefix`: let no others begin so.
    #[must_use]
    pub fn accept_operation_ids(mut self, prefix: impl Into<String>) -> Self {
        self.operation_ids = Some(prefix.into());
        self
    }

    /// The token of the workflow behind `token`, which may be an id that the caller chose.
    fn workflow_token(&self, token: &OperationToken) -> Result<OperationToken, HandlerError> {
        match &self.operation_ids {
            Some(prefix) if WorkflowRunToken::decode(token).is_err() => {
                operation_token(String::new(), format!("{prefix}{token}"))
            }
            _ => Ok(token.clone()),
        }
    }
}

impl<I, W, F> fmt::Debug for WorkflowRunOperation<I, W, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WorkflowRunOperation({})", type_name::<W>())
    }
}

impl<I, W, F> OperationHandler<I, W::Output> for WorkflowRunOperation<I, W, F>
where
    I: Send + 'static,
    W: HasWorkflowDefinition + Send + Sync + 'static,
    W::Input: Send + Sync,
    W::Output: Send,
    F: Fn(&StartOperationContext, I) -> Result<WorkflowRun<W::Input>, StartError>
        + Send
        + Sync
        + 'static,
{
    async fn start(
        &self,
        ctx: StartOperationContext,
        input: I,
    ) -> Result<StartOperationResult<W::Output>, StartError> {
        let mut run = (self.f)(&ctx, input)?;
        let (Some(id), Some(prefix)) = (ctx.requested_operation_id(), &self.operation_ids) else {
            let token = start_workflow_run(&ctx, &self.workflow, run).await?;
            return Ok(StartOperationResult::Async(token));
        };
        run.options.workflow_id = format!("{prefix}{id}");
        // One id is one operation, also when it is asked for again.
        run.options.id_conflict_policy = WorkflowIdConflictPolicy::UseExisting;
        run.options.id_reuse_policy = WorkflowIdReusePolicy::RejectDuplicate;
        let token = OperationToken::new(id)
            .map_err(|error| HandlerError::bad_request(error.to_string()))?;
        match start_as(&ctx, &self.workflow, run, &token).await {
            Ok(()) => Ok(StartOperationResult::Async(token)),
            Err(StartError::Handler(error)) if start::has_ended(&error) => {
                let token = self.workflow_token(&token)?;
                match observe::result::<W>(&ctx, &token, Duration::ZERO).await? {
                    OperationResult::Succeeded(output) => Ok(StartOperationResult::Sync(output)),
                    _ => Err(error.into()),
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn cancel(
        &self,
        ctx: CancelOperationContext,
        token: OperationToken,
    ) -> Result<(), HandlerError> {
        cancel_workflow_run(&ctx, &self.workflow_token(&token)?).await
    }

    async fn info(
        &self,
        ctx: OperationContext,
        token: OperationToken,
    ) -> Result<OperationInfo, HandlerError> {
        let state = observe::state::<W>(&ctx, &self.workflow_token(&token)?).await?;
        Ok(OperationInfo::new(token, state))
    }

    async fn result(
        &self,
        ctx: OperationContext,
        token: OperationToken,
        wait: Duration,
    ) -> Result<OperationResult<W::Output>, StartError> {
        observe::result::<W>(&ctx, &self.workflow_token(&token)?, wait).await
    }
}

/// Starts a workflow that backs the operation of the request `ctx`, and returns the operation's token.
///
/// For operations that decide for themselves whether to run a workflow; [`workflow_run_operation`] is made of this and of
/// [`cancel_workflow_run`]. When the workflow ends, its result goes to the callback of the request, if it has one.
///
/// # Errors
///
/// The workflow cannot be started: it is running already, or the server refuses it. Or the caller chose an id for the operation, which the
/// token of a workflow run cannot be (`NOT_IMPLEMENTED`).
pub async fn start_workflow_run<W>(
    ctx: &StartOperationContext,
    workflow: &W,
    run: WorkflowRun<W::Input>,
) -> Result<OperationToken, StartError>
where
    W: WorkflowDefinition,
    W::Input: Send + Sync,
{
    if ctx.requested_operation_id().is_some() {
        return Err(HandlerError::not_implemented(
            "this operation chooses its own id: start it without one",
        )
        .into());
    }
    let namespace = ctx.temporal().map_err(no_client)?.namespace().to_owned();
    let token = operation_token(namespace, run.options.workflow_id.clone())?;
    start_as(ctx, workflow, run, &token).await?;
    Ok(token)
}

async fn start_as<W>(
    ctx: &StartOperationContext,
    workflow: &W,
    run: WorkflowRun<W::Input>,
    token: &OperationToken,
) -> Result<(), StartError>
where
    W: WorkflowDefinition,
    W::Input: Send + Sync,
{
    let temporal = ctx.temporal().map_err(no_client)?;
    let link = start::start(ctx, temporal, workflow.name(), run, token).await?;
    for link in crate::convert::links_to_nexus([link]) {
        ctx.add_link(link);
    }
    Ok(())
}

fn operation_token(namespace: String, workflow_id: String) -> Result<OperationToken, HandlerError> {
    let token = WorkflowRunToken {
        namespace,
        workflow_id,
    };
    OperationToken::new(token.encode()).map_err(|error| {
        HandlerError::bad_request("workflow id is too long for an operation token")
            .with_source(error)
    })
}

/// Asks the workflow behind the operation `token` to cancel. Asking again succeeds.
///
/// # Errors
///
/// The token is not that of a workflow in the worker's namespace (`BAD_REQUEST`), there is no such workflow (`NOT_FOUND`), or the server
/// cannot be asked.
pub async fn cancel_workflow_run(
    ctx: &CancelOperationContext,
    token: &OperationToken,
) -> Result<(), HandlerError> {
    let (temporal, token) = own_token(ctx, token)?;
    request_cancel(temporal, token.workflow_id)
        .await
        .map_err(classified)
}

async fn request_cancel(
    temporal: &TemporalContext,
    workflow_id: String,
) -> Result<(), temporalio_client::tonic::Status> {
    let request = RequestCancelWorkflowExecutionRequest {
        namespace: temporal.namespace().to_owned(),
        workflow_execution: Some(WorkflowExecution {
            workflow_id,
            // The current run, whichever that is.
            run_id: String::new(),
        }),
        identity: temporal.client().connection().identity().to_owned(),
        request_id: uuid::Uuid::new_v4().to_string(),
        ..RequestCancelWorkflowExecutionRequest::default()
    };
    temporal
        .client()
        .connection()
        .workflow_service()
        .request_cancel_workflow_execution(request.into_request())
        .await?;
    Ok(())
}

/// Reads a token of this worker. Some SDKs leave the namespace out; another one is no token of this worker.
fn own_token<'a>(
    ctx: &'a OperationContext,
    token: &OperationToken,
) -> Result<(&'a TemporalContext, WorkflowRunToken), HandlerError> {
    let temporal = ctx.temporal().map_err(no_client)?;
    let token = WorkflowRunToken::decode(token)?;
    if !token.namespace.is_empty() && token.namespace != temporal.namespace() {
        return Err(HandlerError::bad_request(
            "invalid operation token: it belongs to another namespace",
        ));
    }
    Ok((temporal, token))
}

fn no_client(error: NotOnTemporal) -> HandlerError {
    HandlerError::unclassified(error)
}
