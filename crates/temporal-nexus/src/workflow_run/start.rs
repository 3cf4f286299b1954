//! The start request of a workflow that backs an operation.
//!
//! The client's own `start_workflow` makes up a request id and cannot attach a second operation to a running workflow, hence a request
//! of our own. What goes into it is what Temporal's Go SDK puts there.

use nexus_rpc::{HandlerError, OperationToken, RetryBehavior, StartError, StartOperationContext};
use temporalio_client::{
    NamespacedClient, RpcOptions, WorkflowStartOptions,
    tonic::{
        Code, IntoRequest, Request, Status,
        metadata::{AsciiMetadataKey, BinaryMetadataKey, BinaryMetadataValue},
    },
};
use temporalio_common::{
    MemoValues,
    data_converters::{
        GenericPayloadConverter, PayloadConversionError, PayloadConverter, SerializationContext,
        SerializationContextData, TemporalSerializable, WorkflowSerializationContext,
    },
    payload_visitor::encode_payloads,
    protos::temporal::api::{
        common::v1::{Callback, Link, Memo, Payloads, WorkflowType, callback},
        enums::v1::{WorkflowIdConflictPolicy, WorkflowIdReusePolicy},
        sdk::v1::UserMetadata,
        taskqueue::v1::TaskQueue,
        workflow::v1::OnConflictOptions,
        workflowservice::v1::StartWorkflowExecutionRequest,
    },
    search_attributes::SearchAttributes,
};

use super::WorkflowRun;
use crate::{
    TemporalContext,
    convert::{classified, links_to_proto, workflow_started_link},
};

/// Header of the callback by which a server can process a completion that overtakes the answer to the start request.
const TOKEN_HEADER: &str = "nexus-operation-token";
/// Its older name, for servers before 1.27.
const ID_HEADER: &str = "nexus-operation-id";

/// Starts the workflow, or attaches to the running one, and returns the link to it.
pub(super) async fn start<I>(
    ctx: &StartOperationContext,
    temporal: &TemporalContext,
    workflow_type: &str,
    run: WorkflowRun<I>,
    token: &OperationToken,
) -> Result<Link, StartError>
where
    I: TemporalSerializable + Send + Sync + 'static,
{
    let WorkflowRun { input, mut options } = run;
    if options.workflow_id.is_empty() {
        return Err("the workflow run of an operation needs a workflow id".into());
    }
    let links = links_to_proto(ctx.links())?;
    let workflow_id = options.workflow_id.clone();
    let rpc_options = options.rpc_options.clone();
    let memo = options.memo.take();

    let mut request = request(temporal, workflow_type, options);
    encode_values(temporal, &mut request, &input, memo)
        .await
        .map_err(|error| {
            HandlerError::internal("cannot serialize the input of the operation's workflow")
                .with_source(error)
        })?;
    attach(ctx, &mut request, links, token);

    let mut request = request.into_request();
    apply(rpc_options, &mut request)?;
    let response = temporal
        .client()
        .connection()
        .workflow_service()
        .start_workflow_execution(request)
        .await
        .map_err(|status| start_error(status, &workflow_id))?
        .into_inner();
    Ok(response.link.unwrap_or_else(|| {
        workflow_started_link(temporal.namespace(), &workflow_id, &response.run_id)
    }))
}

/// What the options say of the RPC itself.
fn apply<T>(options: RpcOptions, request: &mut Request<T>) -> Result<(), StartError> {
    if let Some(timeout) = options.timeout {
        request.set_timeout(timeout);
    }
    let metadata = request.metadata_mut();
    for (key, value) in options.metadata.ascii() {
        metadata.insert(key.parse::<AsciiMetadataKey>()?, value.parse()?);
    }
    for (key, value) in options.metadata.binary() {
        let value = BinaryMetadataValue::from_bytes(&value);
        metadata.insert_bin(key.parse::<BinaryMetadataKey>()?, value);
    }
    Ok(())
}

/// The request as the options have it.
fn request(
    temporal: &TemporalContext,
    workflow_type: &str,
    options: WorkflowStartOptions,
) -> StartWorkflowExecutionRequest {
    let client = temporal.client();
    let task_queue = match options.task_queue {
        own if own.is_empty() => temporal.task_queue().to_owned(),
        other => other,
    };
    StartWorkflowExecutionRequest {
        namespace: client.namespace(),
        identity: client.identity(),
        workflow_id: options.workflow_id,
        workflow_type: Some(WorkflowType {
            name: workflow_type.to_owned(),
        }),
        task_queue: Some(TaskQueue {
            name: task_queue,
            ..TaskQueue::default()
        }),
        workflow_id_reuse_policy: WorkflowIdReusePolicy::from(options.id_reuse_policy).into(),
        workflow_id_conflict_policy: WorkflowIdConflictPolicy::from(options.id_conflict_policy)
            .into(),
        workflow_execution_timeout: options.execution_timeout.and_then(|it| it.try_into().ok()),
        workflow_run_timeout: options.run_timeout.and_then(|it| it.try_into().ok()),
        workflow_task_timeout: options.task_timeout.and_then(|it| it.try_into().ok()),
        retry_policy: options.retry_policy.map(Into::into),
        cron_schedule: options.cron_schedule.unwrap_or_default(),
        search_attributes: options.search_attributes.map(SearchAttributes::into_proto),
        header: options.header,
        user_metadata: user_metadata(options.static_summary, options.static_details),
        priority: Some(options.priority.into()),
        versioning_override: options.versioning_override.map(Into::into),
        links: options.links,
        completion_callbacks: options.completion_callbacks,
        ..StartWorkflowExecutionRequest::default()
    }
}

/// Ties the workflow to the operation.
fn attach(
    ctx: &StartOperationContext,
    request: &mut StartWorkflowExecutionRequest,
    links: Vec<Link>,
    token: &OperationToken,
) {
    // A request that is sent again must find what the first one started. Old servers send no id.
    request.request_id = match ctx.request_id() {
        "" => uuid::Uuid::new_v4().to_string(),
        id => id.to_owned(),
    };
    // Without a URL there is nobody to call: a callback to nowhere would be retried for ever.
    if let Some(callback) = ctx.callback() {
        let header = callback
            .headers
            .iter()
            .chain([(TOKEN_HEADER, token.as_str()), (ID_HEADER, token.as_str())])
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        request.completion_callbacks.push(Callback {
            variant: Some(callback::Variant::Nexus(callback::Nexus {
                url: callback.url.clone(),
                header,
            })),
            links: links.clone(),
        });
        ctx.accept_callback();
    }
    // On the request as well: older servers ignore those of the callback.
    request.links.extend(links);
    // If the workflow is running and the policy is to use it, the operation joins those that wait for it.
    request.on_conflict_options = Some(OnConflictOptions {
        attach_request_id: true,
        attach_completion_callbacks: true,
        attach_links: true,
    });
}

/// Writes what goes through the data converter: input and memo.
async fn encode_values<I: TemporalSerializable + Sync + 'static>(
    temporal: &TemporalContext,
    request: &mut StartWorkflowExecutionRequest,
    input: &I,
    memo: Option<MemoValues>,
) -> Result<(), PayloadConversionError> {
    let converter = &temporal.client().options().data_converter;
    let data = SerializationContextData::Workflow(WorkflowSerializationContext::new());
    {
        let payloads = converter.payload_converter();
        let context = SerializationContext::new(&data, payloads);
        request.input = Some(Payloads {
            payloads: payloads.to_payloads(&context, input)?,
        });
        if let Some(memo) = memo {
            let fields = memo
                .iter()
                .map(|(key, value)| Ok((key.to_owned(), payloads.to_payload(&context, value)?)))
                .collect::<Result<_, PayloadConversionError>>()?;
            request.memo = Some(Memo { fields });
        }
    }
    if let Some(input) = &mut request.input {
        encode_payloads(input, converter.codec(), &data).await?;
    }
    if let Some(memo) = &mut request.memo {
        encode_payloads(memo, converter.codec(), &data).await?;
    }
    Ok(())
}

/// For people who look at the workflow: not run through the codec, as in the client.
fn user_metadata(summary: Option<String>, details: Option<String>) -> Option<UserMetadata> {
    if summary.is_none() && details.is_none() {
        return None;
    }
    let converter = PayloadConverter::default();
    let data = SerializationContextData::Workflow(WorkflowSerializationContext::new());
    let context = SerializationContext::new(&data, &converter);
    let write = |text: Option<String>| converter.to_payload(&context, &text?).ok();
    Some(UserMetadata {
        summary: write(summary),
        details: write(details),
    })
}

/// "Already started" must be an error: the callback of this operation is not attached to that workflow.
fn start_error(status: Status, workflow_id: &str) -> HandlerError {
    if status.code() == Code::AlreadyExists {
        return HandlerError::internal(format!(
            "workflow {workflow_id:?} of this operation is already started"
        ))
        .with_retry_behavior(RetryBehavior::NonRetryable)
        .with_source(status);
    }
    classified(status)
}

/// Whether the start was refused because a workflow had this id before, and its policy is not to start another.
pub(super) fn has_ended(error: &HandlerError) -> bool {
    let status =
        std::error::Error::source(error).and_then(|source| source.downcast_ref::<Status>());
    status.is_some_and(|status| status.code() == Code::AlreadyExists)
}
