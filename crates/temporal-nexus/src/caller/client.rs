use std::{fmt, marker::PhantomData, rc::Rc};

use futures_util::future::{FutureExt, LocalBoxFuture};
use nexus_rpc::{FromContent, OperationDefinition, OperationToken, ToContent, name};
use temporalio_common::{
    data_converters::PayloadConverter,
    protos::temporal::api::{common::v1::Payload, failure::v1::Failure},
};
use temporalio_workflow::{
    NexusOperationOptions as SdkOptions, StartedNexusOperation, SyncWorkflowContext,
    WorkflowCancellationToken, WorkflowContext,
};

use super::{NexusFuture, NexusOperationError, NexusOperationOptions, error::Call};
use crate::convert::{PayloadSerializer, content_to_payload, payload_to_content};

/// Makes [`NexusClient`]s: a method of the contexts of workflows.
pub trait NexusWorkflowContext {
    /// A client of the service `S` at `endpoint`, which must be the name of a Nexus endpoint of the server.
    ///
    /// With [`AnyService`](nexus_rpc::AnyService) for `S` it calls operations that are known at run time only.
    fn nexus_client<S>(&self, endpoint: impl Into<String>) -> NexusClient<S>;
}

impl<W: 'static> NexusWorkflowContext for WorkflowContext<W> {
    fn nexus_client<S>(&self, endpoint: impl Into<String>) -> NexusClient<S> {
        NexusClient::new(Rc::new(self.clone()), endpoint.into())
    }
}

impl<W: 'static> NexusWorkflowContext for SyncWorkflowContext<W> {
    fn nexus_client<S>(&self, endpoint: impl Into<String>) -> NexusClient<S> {
        NexusClient::new(Rc::new(self.clone()), endpoint.into())
    }
}

/// What a client needs of a workflow's context.
trait Caller {
    fn start(
        &self,
        options: SdkOptions,
    ) -> LocalBoxFuture<'static, Result<StartedNexusOperation, Failure>>;
    fn cancellation_token(&self) -> WorkflowCancellationToken;
    fn payload_converter(&self) -> &PayloadConverter;
}

macro_rules! caller {
    ($context:ident) => {
        impl<W: 'static> Caller for $context<W> {
            fn start(
                &self,
                options: SdkOptions,
            ) -> LocalBoxFuture<'static, Result<StartedNexusOperation, Failure>> {
                let ctx = self.clone();
                // Polled once so that the command is issued here and now, in the order of the workflow's code.
                let mut call =
                    async move { ctx.start_nexus_operation(options).await }.boxed_local();
                match (&mut call).now_or_never() {
                    Some(started) => std::future::ready(started).boxed_local(),
                    None => call,
                }
            }

            fn cancellation_token(&self) -> WorkflowCancellationToken {
                $context::cancellation_token(self)
            }

            fn payload_converter(&self) -> &PayloadConverter {
                $context::payload_converter(self)
            }
        }
    };
}

caller!(WorkflowContext);
caller!(SyncWorkflowContext);

/// Calls the operations of the service `S` from a workflow. Cheap to clone.
///
/// ```
/// use std::time::Duration;
/// use nexus_rpc::{NexusService, Operation};
/// use temporal_nexus::{NexusOperationOptions, NexusWorkflowContext};
/// use temporalio_macros::{workflow, workflow_methods};
/// use temporalio_sdk::{WorkflowContext, WorkflowResult};
///
/// #[derive(NexusService)]
/// pub struct GreetingService {
///     /// Greets by name.
///     pub greet: Operation<String, String>,
/// }
///
/// #[workflow]
/// #[derive(Default)]
/// struct Caller;
///
/// #[workflow_methods]
/// impl Caller {
///     #[run]
///     async fn run(ctx: &mut WorkflowContext<Self>, name: String) -> WorkflowResult<String> {
///         let client = ctx.nexus_client::<GreetingService>("greetings");
///         let options = NexusOperationOptions::builder().schedule_to_close_timeout(Duration::from_secs(60)).build();
///         Ok(client.execute(GreetingService::greet, name, options).await?)
///     }
/// }
/// ```
pub struct NexusClient<S> {
    caller: Rc<dyn Caller>,
    endpoint: String,
    service: PhantomData<fn(S)>,
}

impl<S> NexusClient<S> {
    fn new(caller: Rc<dyn Caller>, endpoint: String) -> Self {
        Self {
            caller,
            endpoint,
            service: PhantomData,
        }
    }

    /// Name of the endpoint.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Starts an operation, and returns a handle once it has started, or ended if it is synchronous.
    ///
    /// # Errors
    ///
    /// The operation could not be started, or not in time; the input cannot be serialized.
    pub fn start<Op>(
        &self,
        operation: Op,
        input: Op::Input,
        options: NexusOperationOptions,
    ) -> NexusFuture<Result<NexusOperationHandle<Op::Output>, NexusOperationError>>
    where
        Op: OperationDefinition<Service = S>,
        Op::Input: ToContent,
        Op::Output: FromContent,
    {
        // The future cancels by a token of its own, which the workflow's or the user's cancels, too.
        let workflow = self.caller.cancellation_token();
        let cancellation = options
            .cancellation_token
            .as_ref()
            .unwrap_or(&workflow)
            .child_token();
        let names = [operation.service(), operation.name()];
        if let Err(error) = names.into_iter().try_for_each(name::validate) {
            let error = NexusOperationError::Name(error);
            return NexusFuture::new(std::future::ready(Err(error)), cancellation);
        }
        let call = Call {
            endpoint: self.endpoint.clone(),
            service: operation.service().to_owned(),
            operation: operation.name().to_owned(),
            converter: self.caller.payload_converter().clone(),
        };
        let input = match write(input, &call.converter) {
            Ok(input) => input,
            Err(error) => return NexusFuture::new(std::future::ready(Err(error)), cancellation),
        };
        let mut sdk_options = SdkOptions::builder()
            .endpoint(&call.endpoint)
            .service(&call.service)
            .operation(&call.operation)
            .input(input)
            .nexus_header(options.headers.into_iter().collect())
            .cancellation_type(options.cancellation_type)
            .cancellation_token(cancellation.clone())
            .build();
        sdk_options.schedule_to_close_timeout = options.schedule_to_close_timeout;
        sdk_options.schedule_to_start_timeout = options.schedule_to_start_timeout;
        sdk_options.start_to_close_timeout = options.start_to_close_timeout;
        let started = self.caller.start(sdk_options);
        let token = cancellation.clone();
        NexusFuture::new(
            async move {
                match started.await {
                    Ok(started) => Ok(NexusOperationHandle {
                        call,
                        started,
                        cancellation: token,
                        workflow,
                        output: PhantomData,
                    }),
                    Err(failure) => Err(call.not_started(failure, workflow.is_cancelled())),
                }
            },
            cancellation,
        )
    }

    /// Starts an operation and waits for its result.
    ///
    /// # Errors
    ///
    /// The operation ended without a result: see [`NexusOperationError`]. In a workflow, `?` ends the workflow with the same failure.
    pub fn execute<Op>(
        &self,
        operation: Op,
        input: Op::Input,
        options: NexusOperationOptions,
    ) -> NexusFuture<Result<Op::Output, NexusOperationError>>
    where
        Op: OperationDefinition<Service = S>,
        Op::Input: ToContent,
        Op::Output: FromContent,
    {
        let started = self.start(operation, input, options);
        let cancellation = started.cancellation().clone();
        NexusFuture::new(async move { started.await?.result().await }, cancellation)
    }
}

impl<S> Clone for NexusClient<S> {
    fn clone(&self) -> Self {
        Self::new(self.caller.clone(), self.endpoint.clone())
    }
}

impl<S> fmt::Debug for NexusClient<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NexusClient")
            .field("endpoint", &self.endpoint)
            .field("service", &std::any::type_name::<S>())
            .finish()
    }
}

fn write<I: ToContent>(
    input: I,
    converter: &PayloadConverter,
) -> Result<Payload, NexusOperationError> {
    input
        .to_content(&PayloadSerializer::new(converter.clone()))
        .map(content_to_payload)
        .map_err(|error| NexusOperationError::Serialization(Box::new(error)))
}

/// An operation that has started. Dropping it does not cancel the operation.
pub struct NexusOperationHandle<O> {
    call: Call,
    started: StartedNexusOperation,
    cancellation: WorkflowCancellationToken,
    workflow: WorkflowCancellationToken,
    output: PhantomData<fn() -> O>,
}

impl<O: FromContent> NexusOperationHandle<O> {
    /// The operation's token. `None` if it was synchronous, and so has ended.
    #[must_use]
    pub fn operation_token(&self) -> Option<OperationToken> {
        // What a server has taken is a token.
        OperationToken::new(self.started.operation_token.as_deref()?).ok()
    }

    /// Waits for the result.
    ///
    /// # Errors
    ///
    /// The operation ended without one, or the result cannot be deserialized.
    pub async fn result(&self) -> Result<O, NexusOperationError> {
        let status = self.started.result().await.status;
        let payload = self.call.ended(status, self.workflow.is_cancelled())?;
        let serializer = PayloadSerializer::new(self.call.converter.clone());
        O::from_content(payload_to_content(payload), &serializer)
            .map_err(|error| NexusOperationError::Serialization(Box::new(error)))
    }

    /// Cancels the operation, in the way of the options' cancellation type. [`result`](Self::result) says what came of it.
    pub fn cancel(&self) {
        self.cancellation.cancel();
    }
}

impl<O> fmt::Debug for NexusOperationHandle<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NexusOperationHandle")
            .field("call", &self.call)
            .field("operation_token", &self.started.operation_token)
            .finish_non_exhaustive()
    }
}
