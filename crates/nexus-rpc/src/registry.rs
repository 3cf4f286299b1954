//! Routing: from the names in a request to the handler of the operation, for any transport.
//!
//! A [`Service`] binds the operations of one contract to handlers; a [`ServiceRegistry`] holds the services of a worker or server and
//! dispatches requests to them. What goes wrong on the way has its answer here: unknown names are `NOT_FOUND`, an input that cannot be
//! read is `BAD_REQUEST`, a panic is `INTERNAL` and reaches nobody.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    future::Future,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use futures_util::future::{BoxFuture, FutureExt};

use crate::{
    CancelOperationContext, Content, FromContent, HandlerError, LazyValue, OperationContext,
    OperationDefinition, OperationHandler, OperationInfo, OperationResult, OperationToken,
    Serializer, StartError, StartOperationContext, StartOperationResult, ToContent,
    name::{self, InvalidName},
};

mod erased;

use erased::{Erased, ErasedHandler};

/// A service with a handler for each of its operations: what a transport serves.
///
/// Made by the function `serve` of a contract, or operation by operation with [`Service::builder`].
#[derive(Clone)]
pub struct Service {
    name: String,
    operations: BTreeMap<String, Arc<dyn ErasedHandler>>,
}

impl Service {
    /// Builds a service without a contract.
    ///
    /// ```
    /// use nexus_rpc::{Operation, Service, sync_operation};
    ///
    /// const DOUBLE: Operation<i64, i64> = Operation::new("math", "double");
    ///
    /// let service = Service::builder("math")
    ///     .operation(DOUBLE, sync_operation(async |_ctx, input: i64| Ok(input * 2)))
    ///     .build()?;
    /// # Ok::<(), nexus_rpc::registry::RegistrationError>(())
    /// ```
    pub fn builder(name: impl Into<String>) -> ServiceBuilder {
        ServiceBuilder {
            service: Self {
                name: name.into(),
                operations: BTreeMap::new(),
            },
            error: None,
        }
    }

    /// The name of the service on the wire.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of its operations on the wire, in alphabetical order.
    pub fn operations(&self) -> impl Iterator<Item = &str> {
        self.operations.keys().map(String::as_str)
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operations: Vec<_> = self.operations().collect();
        f.debug_struct("Service")
            .field("name", &self.name)
            .field("operations", &operations)
            .finish()
    }
}

/// Builds a [`Service`]. The first thing that is wrong is what [`build`](Self::build) returns.
#[derive(Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct ServiceBuilder {
    service: Service,
    error: Option<RegistrationError>,
}

impl ServiceBuilder {
    /// Binds `operation` to `handler`.
    pub fn operation<Op, H>(mut self, operation: Op, handler: H) -> Self
    where
        Op: OperationDefinition,
        Op::Input: FromContent,
        Op::Output: ToContent,
        H: OperationHandler<Op::Input, Op::Output>,
    {
        if let Err(error) = self.add(&operation, handler) {
            self.error.get_or_insert(error);
        }
        self
    }

    fn add<Op, H>(&mut self, operation: &Op, handler: H) -> Result<(), RegistrationError>
    where
        Op: OperationDefinition,
        Op::Input: FromContent,
        Op::Output: ToContent,
        H: OperationHandler<Op::Input, Op::Output>,
    {
        let service = &self.service.name;
        if operation.service() != service {
            return Err(RegistrationError::OtherService {
                service: service.clone(),
                operation: operation.name().to_owned(),
                other: operation.service().to_owned(),
            });
        }
        name::validate(operation.name()).map_err(|source| RegistrationError::OperationName {
            service: service.clone(),
            source,
        })?;
        match self.service.operations.entry(operation.name().to_owned()) {
            Entry::Vacant(entry) => {
                entry.insert(Arc::new(Erased::new(handler)));
                Ok(())
            }
            Entry::Occupied(entry) => Err(RegistrationError::DuplicateOperation {
                service: service.clone(),
                operation: entry.key().clone(),
            }),
        }
    }

    /// The service, if its name and its operations are in order.
    pub fn build(self) -> Result<Service, RegistrationError> {
        name::validate(&self.service.name)
            .map_err(|source| RegistrationError::ServiceName { source })?;
        match self.error {
            Some(error) => Err(error),
            None if self.service.operations.is_empty() => Err(RegistrationError::NoOperations {
                service: self.service.name,
            }),
            None => Ok(self.service),
        }
    }
}

/// A service that cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrationError {
    /// The name of the service is not valid.
    #[error("invalid service name")]
    ServiceName {
        /// Why.
        source: InvalidName,
    },
    /// The name of an operation is not valid.
    #[error("invalid operation name in service {service:?}")]
    OperationName {
        /// The service.
        service: String,
        /// Why.
        source: InvalidName,
    },
    /// Two services have the same name.
    #[error("service {service:?} is registered twice")]
    DuplicateService {
        /// The name.
        service: String,
    },
    /// Two operations of a service have the same name.
    #[error("operation {operation:?} of service {service:?} is registered twice")]
    DuplicateOperation {
        /// The service.
        service: String,
        /// The name that they share.
        operation: String,
    },
    /// An operation belongs to another service.
    #[error("operation {operation:?} belongs to service {other:?}, not to {service:?}")]
    OtherService {
        /// The service that is being built.
        service: String,
        /// The operation.
        operation: String,
        /// The service that the operation names.
        other: String,
    },
    /// A service has no operations.
    #[error("service {service:?} has no operations")]
    NoOperations {
        /// The name.
        service: String,
    },
}

/// The services of a worker or server, by name.
#[derive(Debug, Clone, Default)]
pub struct ServiceRegistry {
    services: BTreeMap<String, Service>,
}

impl ServiceRegistry {
    /// No services.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a service.
    pub fn register(&mut self, service: Service) -> Result<(), RegistrationError> {
        match self.services.entry(service.name.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(service);
                Ok(())
            }
            Entry::Occupied(entry) => Err(RegistrationError::DuplicateService {
                service: entry.key().clone(),
            }),
        }
    }

    /// Whether there are no services.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// The services, in the order of their names.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.values()
    }

    /// Starts the operation that the context names. The result is written with the serializer of `input`.
    pub fn start(
        &self,
        ctx: StartOperationContext,
        input: LazyValue,
    ) -> impl Future<Output = Result<StartOperationResult<Content>, StartError>> + Send {
        let handler = self.find(&ctx);
        contain_panic(handler.map(|handler| handler.start(ctx, input)))
    }

    /// Asks the operation `token` to end.
    pub fn cancel(
        &self,
        ctx: CancelOperationContext,
        token: OperationToken,
    ) -> impl Future<Output = Result<(), HandlerError>> + Send {
        let handler = self.find(&ctx);
        contain_panic(handler.map(|handler| handler.cancel(ctx, token)))
    }

    /// Describes the operation `token`.
    pub fn info(
        &self,
        ctx: OperationContext,
        token: OperationToken,
    ) -> impl Future<Output = Result<OperationInfo, HandlerError>> + Send {
        let handler = self.find(&ctx);
        contain_panic(handler.map(|handler| handler.info(ctx, token)))
    }

    /// Gets the result of the operation `token`, written with `serializer`, and waits up to `wait` for it to end.
    pub fn result(
        &self,
        ctx: OperationContext,
        token: OperationToken,
        wait: Duration,
        serializer: Arc<dyn Serializer>,
    ) -> impl Future<Output = Result<OperationResult<Content>, StartError>> + Send {
        let handler = self.find(&ctx);
        contain_panic(handler.map(|handler| handler.result(ctx, token, wait, serializer)))
    }

    fn find(&self, ctx: &OperationContext) -> Result<&dyn ErasedHandler, HandlerError> {
        let service = self.services.get(ctx.service()).ok_or_else(|| {
            HandlerError::not_found(format!("service {:?} not found", ctx.service()))
        })?;
        let handler = service.operations.get(ctx.operation()).ok_or_else(|| {
            HandlerError::not_found(format!(
                "operation {:?} not found in service {:?}",
                ctx.operation(),
                ctx.service()
            ))
        })?;
        Ok(&**handler)
    }
}

/// A panic of a handler. Its text is for the log.
#[derive(Debug, thiserror::Error)]
#[error("handler panicked: {message}")]
pub struct HandlerPanic {
    message: String,
}

impl HandlerPanic {
    fn new(payload: &(dyn std::any::Any + Send)) -> Self {
        let message = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        Self {
            message: message.to_owned(),
        }
    }
}

/// Runs the future of a handler so that its panic becomes an error.
async fn contain_panic<T, E: From<HandlerError>>(
    future: Result<BoxFuture<'_, Result<T, E>>, HandlerError>,
) -> Result<T, E> {
    AssertUnwindSafe(future?)
        .catch_unwind()
        .await
        // The process's panic hook has printed the place and, if asked to, the stack.
        .unwrap_or_else(|panic| Err(HandlerError::unclassified(HandlerPanic::new(&*panic)).into()))
}

#[cfg(test)]
mod tests;
