//! Looking at the workflow behind an operation. Temporal's own callers never ask: they are called back. Callers over HTTP may.

use std::time::Duration;

use nexus_rpc::{
    Failure, HandlerError, OperationContext, OperationError, OperationResult, OperationState,
    OperationToken, StartError,
};
use temporalio_client::{
    Client, WorkflowDescribeOptions, WorkflowExecutionStatus, WorkflowGetResultOptions,
    WorkflowHandle,
    errors::{WorkflowGetResultError, WorkflowInteractionError},
};
use temporalio_common::{HasWorkflowDefinition, WorkflowDefinition, error::IncomingError};

use super::own_token;
use crate::convert::classified;

/// The workflow's state as that of the operation. A workflow that continued as new goes on.
pub(super) async fn state<W: HasWorkflowDefinition>(
    ctx: &OperationContext,
    token: &OperationToken,
) -> Result<OperationState, HandlerError> {
    let status = handle::<W>(ctx, token)?
        .describe(WorkflowDescribeOptions::default())
        .await
        .map_err(interaction_error)?
        .status();
    Ok(match status {
        WorkflowExecutionStatus::Completed => OperationState::Succeeded,
        WorkflowExecutionStatus::Canceled => OperationState::Canceled,
        WorkflowExecutionStatus::Failed
        | WorkflowExecutionStatus::Terminated
        | WorkflowExecutionStatus::TimedOut => OperationState::Failed,
        _ => OperationState::Running,
    })
}

/// The workflow's result, if it has one within `wait`.
pub(super) async fn result<W: HasWorkflowDefinition>(
    ctx: &OperationContext,
    token: &OperationToken,
    wait: Duration,
) -> Result<OperationResult<<W as WorkflowDefinition>::Output>, StartError> {
    // Even one that has ended takes a moment to be read.
    if wait.is_zero() && state::<W>(ctx, token).await? == OperationState::Running {
        return Ok(OperationResult::Running);
    }
    let handle = handle::<W>(ctx, token)?;
    let result = handle.get_result(WorkflowGetResultOptions::default());
    let result = if wait.is_zero() {
        result.await
    } else {
        match tokio::time::timeout(wait, result).await {
            Ok(result) => result,
            Err(_) => return Ok(OperationResult::Running),
        }
    };
    result.map(OperationResult::Succeeded).map_err(outcome)
}

fn handle<W: HasWorkflowDefinition>(
    ctx: &OperationContext,
    token: &OperationToken,
) -> Result<WorkflowHandle<Client, W>, HandlerError> {
    let (temporal, token) = own_token(ctx, token)?;
    Ok(temporal.client().get_workflow_handle(token.workflow_id))
}

fn interaction_error(error: WorkflowInteractionError) -> HandlerError {
    match error {
        WorkflowInteractionError::NotFound(status) => unknown(status.into()),
        error => classified(error),
    }
}

fn unknown(source: Box<dyn std::error::Error + Send + Sync>) -> HandlerError {
    HandlerError::not_found("operation not found").with_source(source)
}

/// How a workflow ended is what its operation ended with; that it could not be asked is an error of the request.
fn outcome(error: WorkflowGetResultError) -> StartError {
    match error {
        WorkflowGetResultError::Failed(cause) => OperationError::failed("workflow failed")
            .with_cause(shown(&cause))
            .into(),
        WorkflowGetResultError::Cancelled { .. } => {
            OperationError::canceled("workflow canceled").into()
        }
        WorkflowGetResultError::Terminated { .. } => {
            OperationError::failed("workflow terminated").into()
        }
        WorkflowGetResultError::TimedOut => OperationError::failed("workflow timed out").into(),
        WorkflowGetResultError::NotFound(status) => unknown(status.into()).into(),
        error => classified(error).into(),
    }
}

/// The messages of a failure and of its causes: the history that the caller would see on Temporal has them, too.
fn shown(error: &IncomingError) -> Failure {
    Failure {
        cause: error.cause().map(|cause| Box::new(shown(cause))),
        ..Failure::new(&error.failure().message)
    }
}
