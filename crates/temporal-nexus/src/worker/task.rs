//! One Nexus task: from the request that core hands out to the completion that it takes.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use futures_util::future::FutureExt;
use nexus_rpc::{
    CancelOperationContext, Content, HandlerError, LazyValue, Link, OperationContext,
    OperationError, OperationToken, StartError, StartOperationContext, StartOperationResult,
    content::BoxError,
    context::{Callback, CancelReason, Extensions, RequestInfo, StartDetails},
};
use temporalio_common::protos::{
    coresdk::nexus::{NexusTaskCompletion, nexus_task_completion::Status},
    temporal::api::{
        common::v1::Payload,
        nexus::v1::{
            CancelOperationRequest, CancelOperationResponse, Link as ProtoLink, Response,
            StartOperationRequest, StartOperationResponse, request, response,
            start_operation_response,
        },
        workflowservice::v1::PollNexusTaskQueueResponse,
    },
};
use tokio::task::JoinHandle;
use tracing::Instrument;

use super::poll::NexusTasks;
use crate::{
    context::TemporalContext,
    convert::{
        FailureEncoder, bare_handler_error, bare_legacy_handler_error, classify,
        content_to_payload, nexus_data, payload_to_content,
    },
};

/// How long a handler may go on after it was told that its task is canceled.
const TIDY_UP: Duration = Duration::from_secs(1);

pub(super) struct Task {
    token: Vec<u8>,
    context: OperationContext,
    request: Option<request::Variant>,
    /// Whether the server takes failures of Temporal (since 1.31), or Nexus's own form only.
    failures: bool,
}

impl Task {
    pub(super) fn new(
        tasks: &NexusTasks,
        poll: PollNexusTaskQueueResponse,
        deadline: Option<SystemTime>,
        endpoint: String,
    ) -> Self {
        let request = poll.request.unwrap_or_default();
        let (service, operation) = match &request.variant {
            Some(request::Variant::StartOperation(start)) => {
                (start.service.clone(), start.operation.clone())
            }
            Some(request::Variant::CancelOperation(cancel)) => {
                (cancel.service.clone(), cancel.operation.clone())
            }
            None => Default::default(),
        };
        let mut extensions = Extensions::default();
        extensions.insert(TemporalContext {
            worker: tasks.worker.clone(),
            endpoint,
        });
        let context = OperationContext::new(RequestInfo {
            service,
            operation,
            headers: request.header.into_iter().collect(),
            deadline: deadline.and_then(instant),
            extensions,
        });
        Self {
            token: poll.task_token,
            context,
            request: request.variant,
            failures: request
                .capabilities
                .is_some_and(|capabilities| capabilities.temporal_failure_responses),
        }
    }

    pub(super) fn token(&self) -> &[u8] {
        &self.token
    }

    pub(super) fn context(&self) -> &OperationContext {
        &self.context
    }

    /// Runs the handler and answers. Always answers: a task without completion would hold a slot, and the shutdown, for ever.
    pub(super) async fn run(self, tasks: &Arc<NexusTasks>) {
        let context = self.context;
        let failures = self.failures;
        let span = tracing::info_span!(
            "nexus_operation",
            service = context.service(),
            operation = context.operation()
        );
        let handling = {
            let tasks = tasks.clone();
            let context = context.clone();
            let request = self.request;
            async move { handle(&tasks, context, request, failures).await }.instrument(span.clone())
        };
        // A task of its own: it may block its thread, or be given up.
        let mut handler = AbortOnDrop(tokio::spawn(handling));
        let outcome = tokio::select! {
            outcome = &mut handler.0 => Some(outcome),
            _ = context.cancelled() => tokio::time::timeout(TIDY_UP, &mut handler.0).await.ok(),
        };
        drop(handler);
        let encoder = Encoder { tasks, failures };
        let status = match (outcome, context.cancel_reason()) {
            // Nobody waits for the answer any more.
            (_, Some(CancelReason::TimedOut)) => {
                span.in_scope(|| {
                    tracing::warn!("operation handler missed the deadline of its request");
                });
                Status::AckCancel(true)
            }
            (Some(Ok(status)), _) => status,
            (Some(Err(error)), _) => encoder.answer(HandlerError::unclassified(error)).await,
            (None, _) => {
                let error = HandlerError::unavailable("worker is shutting down");
                encoder.answer(error).await
            }
        };
        let completion = NexusTaskCompletion {
            task_token: self.token,
            status: Some(status),
        };
        if let Err(error) = tasks.core.complete_nexus_task(completion).await {
            span.in_scope(|| {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "core did not take the completion of a Nexus task"
                );
            });
        }
    }
}

/// A deadline on the wall clock as one on the monotonic clock.
fn instant(deadline: SystemTime) -> Option<Instant> {
    let left = deadline
        .duration_since(SystemTime::now())
        .unwrap_or_default();
    Instant::now().checked_add(left)
}

struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn handle(
    tasks: &NexusTasks,
    context: OperationContext,
    request: Option<request::Variant>,
    failures: bool,
) -> Status {
    let encoder = Encoder { tasks, failures };
    match request {
        Some(request::Variant::StartOperation(request)) => {
            let outcome = start(tasks, &context, request).await;
            encoder.started(outcome, context.take_links()).await
        }
        Some(request::Variant::CancelOperation(request)) => {
            match cancel(tasks, context, request).await {
                Ok(()) => completed(response::Variant::CancelOperation(
                    CancelOperationResponse {},
                )),
                Err(error) => encoder.handler_error(error).await,
            }
        }
        None => {
            encoder
                .handler_error(HandlerError::not_implemented("unknown request type"))
                .await
        }
    }
}

async fn start(
    tasks: &NexusTasks,
    context: &OperationContext,
    request: StartOperationRequest,
) -> Result<StartOperationResult<Content>, StartError> {
    let callback = (!request.callback.is_empty()).then(|| Callback {
        url: request.callback,
        headers: request.callback_header.into_iter().collect(),
    });
    let details = StartDetails {
        request_id: request.request_id,
        callback,
        links: request
            .links
            .into_iter()
            .map(|link| Link::new(link.url, link.r#type))
            .collect(),
        operation_id: None,
    };
    let input = match request.payload {
        Some(payload) => payload_to_content(decode(tasks, payload).await?),
        None => Content::empty(),
    };
    let input = LazyValue::new(input, tasks.serializer.clone());
    let context = StartOperationContext::new(context.clone(), details);
    tasks.registry.start(context, input).await
}

/// The handler's fault, not the caller's: a key server that is down, for one.
fn codec_failed(source: BoxError) -> HandlerError {
    HandlerError::internal("payload codec failed").with_source(source)
}

async fn decode(tasks: &NexusTasks, payload: Payload) -> Result<Payload, HandlerError> {
    tasks
        .converter
        .codec()
        .decode(&nexus_data(), vec![payload])
        .await
        .map_err(|error| codec_failed(error.into()))?
        .pop()
        .ok_or_else(|| codec_failed("codec returned no payload".into()))
}

async fn encode(tasks: &NexusTasks, output: Content) -> Result<Payload, HandlerError> {
    tasks
        .converter
        .codec()
        .encode(&nexus_data(), vec![content_to_payload(output)])
        .await
        .map_err(|error| codec_failed(error.into()))?
        .pop()
        .ok_or_else(|| codec_failed("codec returned no payload".into()))
}

async fn cancel(
    tasks: &NexusTasks,
    context: OperationContext,
    request: CancelOperationRequest,
) -> Result<(), HandlerError> {
    // Servers before 1.27 send the token under its older name.
    #[allow(deprecated)]
    let token = if request.operation_token.is_empty() {
        request.operation_id
    } else {
        request.operation_token
    };
    let token = OperationToken::new(token)
        .map_err(|error| HandlerError::bad_request("invalid operation token").with_source(error))?;
    tasks
        .registry
        .cancel(CancelOperationContext::new(context), token)
        .await
}

fn completed(variant: response::Variant) -> Status {
    Status::Completed(Response {
        variant: Some(variant),
    })
}

/// Makes completions that core takes: it drops one whose failure is of the wrong kind.
struct Encoder<'a> {
    tasks: &'a NexusTasks,
    failures: bool,
}

impl Encoder<'_> {
    async fn started(
        &self,
        outcome: Result<StartOperationResult<Content>, StartError>,
        links: Vec<Link>,
    ) -> Status {
        let links = links
            .into_iter()
            .map(|link| ProtoLink {
                url: link.url,
                r#type: link.link_type,
            })
            .collect();
        let variant = match outcome {
            Ok(StartOperationResult::Sync(output)) => match encode(self.tasks, output).await {
                Ok(payload) => {
                    start_operation_response::Variant::SyncSuccess(start_operation_response::Sync {
                        payload: Some(payload),
                        links,
                    })
                }
                Err(error) => return self.handler_error(error).await,
            },
            Ok(StartOperationResult::Async(token)) => {
                // Servers before 1.27 read the token under its older name.
                #[allow(deprecated)]
                start_operation_response::Variant::AsyncSuccess(start_operation_response::Async {
                    operation_id: token.as_str().to_owned(),
                    operation_token: token.into_string(),
                    links,
                })
            }
            Ok(_) => {
                let error = HandlerError::internal("operation handler gave an unknown answer");
                return self.handler_error(error).await;
            }
            Err(StartError::Operation(error)) => match self.operation_error(error).await {
                Ok(variant) => variant,
                Err(error) => return self.handler_error(error).await,
            },
            Err(StartError::Handler(error)) => return self.handler_error(error).await,
        };
        completed(response::Variant::StartOperation(StartOperationResponse {
            variant: Some(variant),
        }))
    }

    async fn operation_error(
        &self,
        mut error: OperationError,
    ) -> Result<start_operation_response::Variant, HandlerError> {
        tracing::info!(
            error = &error as &dyn std::error::Error,
            "operation ended without a result"
        );
        let details = error
            .take_details(&*self.tasks.serializer)
            .map_err(|error| {
                HandlerError::internal("cannot serialize the details of an operation error")
                    .with_source(error)
            })?
            .map(content_to_payload);
        let encoder = self.failure_encoder();
        // The details may matter as much as a result: without them the answer would be another.
        if self.failures {
            let failure = encoder.operation_error(&error, details).await;
            failure.map(start_operation_response::Variant::Failure)
        } else {
            let failure = encoder.legacy_operation_error(&error, details).await;
            #[allow(deprecated)]
            failure.map(start_operation_response::Variant::OperationError)
        }
        .map_err(|error| codec_failed(error.into()))
    }

    async fn handler_error(&self, error: HandlerError) -> Status {
        let error = classify(error);
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "operation handler failed"
        );
        let encoder = self.failure_encoder();
        if self.failures {
            Status::Failure(encoder.handler_error(&error).await)
        } else {
            #[allow(deprecated)]
            Status::Error(encoder.legacy_handler_error(&error).await)
        }
    }

    /// The answer when the handler gave none. The user's converter and codec have their say here, too: whatever they do, there is one.
    async fn answer(&self, error: HandlerError) -> Status {
        let bare = HandlerError::new(error.error_type().clone(), "");
        let encoding = AssertUnwindSafe(self.handler_error(error)).catch_unwind();
        match tokio::time::timeout(TIDY_UP, encoding).await {
            Ok(Ok(status)) => status,
            Ok(Err(_)) | Err(_) => {
                tracing::error!(
                    "failure converter or payload codec panicked, or took too long: answering without them"
                );
                if self.failures {
                    Status::Failure(bare_handler_error(&bare))
                } else {
                    #[allow(deprecated)]
                    Status::Error(bare_legacy_handler_error(&bare))
                }
            }
        }
    }

    fn failure_encoder(&self) -> FailureEncoder<'_> {
        FailureEncoder {
            converter: &self.tasks.converter,
        }
    }
}
