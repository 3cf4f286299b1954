//! One look at a workflow: is there something that will not mend itself?

use std::time::{Duration, SystemTime};

use temporalio_client::{
    Client, NamespacedClient,
    tonic::{IntoRequest, Status},
};
use temporalio_common::protos::temporal::api::{
    common::v1::WorkflowExecution,
    enums::v1::{PendingWorkflowTaskState, TaskQueueType},
    failure::v1::Failure,
    history::v1::history_event::Attributes,
    nexus::v1::endpoint_target,
    operatorservice::v1::ListNexusEndpointsRequest,
    taskqueue::v1::TaskQueue,
    workflow::v1::{PendingNexusOperationInfo, PendingWorkflowTaskInfo},
    workflowservice::v1::{
        DescribeTaskQueueRequest, DescribeWorkflowExecutionRequest,
        DescribeWorkflowExecutionResponse, GetWorkflowExecutionHistoryReverseRequest,
    },
};

use super::Obstacle;

/// A task waits this long for a worker before anybody asks whether there is one.
const PATIENCE: Duration = Duration::from_secs(3);
/// A worker that polled this long ago has gone: polls end, and start again, every minute.
const POLL_LIFETIME: Duration = Duration::from_secs(70);
/// The server lists a worker until then. One that takes no task for this long is not there, whatever the list says.
const LONG_WAIT: Duration = Duration::from_secs(12);

pub(super) async fn look(
    client: &Client,
    workflow_id: &str,
    run_id: Option<&str>,
) -> Result<Option<Obstacle>, Status> {
    let workflow = Workflow {
        client,
        execution: WorkflowExecution {
            workflow_id: workflow_id.to_owned(),
            run_id: run_id.unwrap_or_default().to_owned(),
        },
    };
    let description = workflow.describe().await?;
    if let Some(task) = &description.pending_workflow_task
        && let Some(obstacle) = workflow.look_at_task(&description, task).await?
    {
        return Ok(Some(obstacle));
    }
    for operation in &description.pending_nexus_operations {
        if let Some(obstacle) = workflow.look_at_operation(operation).await? {
            return Ok(Some(obstacle));
        }
    }
    Ok(None)
}

struct Workflow<'a> {
    client: &'a Client,
    execution: WorkflowExecution,
}

impl Workflow<'_> {
    async fn describe(&self) -> Result<DescribeWorkflowExecutionResponse, Status> {
        let request = DescribeWorkflowExecutionRequest {
            namespace: self.client.namespace(),
            execution: Some(self.execution.clone()),
        };
        let mut service = self.client.connection().workflow_service();
        let response = service
            .describe_workflow_execution(request.into_request())
            .await?;
        Ok(response.into_inner())
    }

    async fn look_at_task(
        &self,
        description: &DescribeWorkflowExecutionResponse,
        task: &PendingWorkflowTaskInfo,
    ) -> Result<Option<Obstacle>, Status> {
        if task.attempt > 1 {
            return self.why_the_task_failed().await;
        }
        if task.state() != PendingWorkflowTaskState::Scheduled {
            return Ok(None);
        }
        let waits = age(task.scheduled_time.and_then(|at| at.try_into().ok()));
        let task_queue = description
            .execution_config
            .as_ref()
            .and_then(|config| config.task_queue.as_ref())
            .map(|queue| queue.name.clone())
            .unwrap_or_default();
        let namespace = self.client.namespace();
        if waits > LONG_WAIT
            || waits > PATIENCE
                && !self
                    .has_pollers(&namespace, &task_queue, TaskQueueType::Workflow)
                    .await?
        {
            return Ok(Some(Obstacle::NoWorker {
                task_queue,
                namespace,
            }));
        }
        Ok(None)
    }

    /// The history has the first failure of a task only; later ones are the same or are found in the worker's log.
    async fn why_the_task_failed(&self) -> Result<Option<Obstacle>, Status> {
        let request = GetWorkflowExecutionHistoryReverseRequest {
            namespace: self.client.namespace(),
            execution: Some(self.execution.clone()),
            maximum_page_size: 10,
            ..GetWorkflowExecutionHistoryReverseRequest::default()
        };
        let mut service = self.client.connection().workflow_service();
        let response = service
            .get_workflow_execution_history_reverse(request.into_request())
            .await?;
        let events = response.into_inner().history.unwrap_or_default().events;
        // A task that was completed since has got over it.
        let failed = events
            .into_iter()
            .filter_map(|event| event.attributes)
            .take_while(|event| {
                !matches!(event, Attributes::WorkflowTaskCompletedEventAttributes(_))
            })
            .find_map(|event| match event {
                Attributes::WorkflowTaskFailedEventAttributes(failed) => Some(failed),
                _ => None,
            });
        Ok(failed.map(|failed| {
            let message = failed
                .failure
                .map(|failure| failure.message)
                .unwrap_or_default();
            let endpoint = missing_endpoint(&message);
            Obstacle::WorkflowTask { message, endpoint }
        }))
    }

    async fn look_at_operation(
        &self,
        operation: &PendingNexusOperationInfo,
    ) -> Result<Option<Obstacle>, Status> {
        // One that has started is the business of its handler.
        if !operation.operation_token.is_empty()
            || age(operation.scheduled_time.and_then(|at| at.try_into().ok())) < PATIENCE
        {
            return Ok(None);
        }
        // Whether the target may be looked at depends on the caller's rights; the obstacle is told all the same.
        let target = self.target(&operation.endpoint).await.unwrap_or_default();
        let handled = match &target {
            Some((namespace, task_queue)) => self
                .has_pollers(namespace, task_queue, TaskQueueType::Nexus)
                .await
                .unwrap_or(true),
            None => true,
        };
        let failure = operation.last_attempt_failure.as_ref();
        let message = match failure {
            _ if !handled => "no worker takes Nexus tasks from the task queue of its endpoint",
            // An answer, if not the one hoped for: the server will ask again.
            Some(failure) if !is_timeout(failure) => return Ok(None),
            Some(failure) => innermost(failure),
            None => return Ok(None),
        };
        Ok(Some(Obstacle::Operation {
            endpoint: operation.endpoint.clone(),
            service: operation.service.clone(),
            operation: operation.operation.clone(),
            message: message.to_owned(),
            target,
        }))
    }

    async fn target(&self, endpoint: &str) -> Result<Option<(String, String)>, Status> {
        let request = ListNexusEndpointsRequest {
            name: endpoint.to_owned(),
            ..ListNexusEndpointsRequest::default()
        };
        let mut service = self.client.connection().operator_service();
        let response = service.list_nexus_endpoints(request.into_request()).await?;
        let target = response
            .into_inner()
            .endpoints
            .pop()
            .and_then(|endpoint| endpoint.spec?.target?.variant);
        Ok(match target {
            Some(endpoint_target::Variant::Worker(worker)) => {
                Some((worker.namespace, worker.task_queue))
            }
            _ => None,
        })
    }

    async fn has_pollers(
        &self,
        namespace: &str,
        task_queue: &str,
        kind: TaskQueueType,
    ) -> Result<bool, Status> {
        let request = DescribeTaskQueueRequest {
            namespace: namespace.to_owned(),
            task_queue: Some(TaskQueue {
                name: task_queue.to_owned(),
                ..TaskQueue::default()
            }),
            task_queue_type: kind.into(),
            ..DescribeTaskQueueRequest::default()
        };
        let mut service = self.client.connection().workflow_service();
        let response = service.describe_task_queue(request.into_request()).await?;
        Ok(response.into_inner().pollers.into_iter().any(|poller| {
            let seen = poller
                .last_access_time
                .and_then(|at| SystemTime::try_from(at).ok());
            seen.and_then(|at| at.elapsed().ok())
                .is_some_and(|ago| ago < POLL_LIFETIME)
        }))
    }
}

/// How long ago that was. The server's clock may be ahead.
fn age(at: Option<SystemTime>) -> Duration {
    at.and_then(|at| at.elapsed().ok()).unwrap_or_default()
}

/// The end of the chain says what happened; what is around it says where.
fn innermost(failure: &Failure) -> &str {
    let mut failure = failure;
    while let Some(cause) = &failure.cause {
        failure = cause;
    }
    &failure.message
}

/// Whether the server waited in vain for an answer.
fn is_timeout(failure: &Failure) -> bool {
    let message = innermost(failure);
    message.contains("timed out") || message.contains("timeout")
}

/// The name in the server's `endpoint "x" not found`, in whatever quotes.
fn missing_endpoint(message: &str) -> Option<String> {
    let lower = message.to_ascii_lowercase();
    if !lower.contains("endpoint") || !lower.contains("not found") {
        return None;
    }
    let name = message.split(['"', '\'', '`']).nth(1)?;
    Some(name.to_owned())
}
