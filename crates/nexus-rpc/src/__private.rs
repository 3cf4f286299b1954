//! For the code that the derive generates. Not public API: it changes without notice.

pub use std::sync::Arc;

use crate::{
    FromContent, HandlerError, Operation, OperationHandler, Service, ServiceDefinition, StartError,
    StartOperationContext, StartOperationResult, ToContent, registry::ServiceBuilder,
};

pub const fn operation<I, O, S>(service: &'static str, name: &'static str) -> Operation<I, O, S> {
    Operation::of_service(service, name)
}

/// A builder for a contract whose names were validated at compile time.
#[derive(Debug)]
pub struct ContractBuilder(ServiceBuilder);

impl ContractBuilder {
    #[must_use]
    pub fn new<S: ServiceDefinition>() -> Self {
        Self(Service::builder(S::NAME))
    }

    /// Asks more of the types than a handler needs: whoever calls the operation sends `I` and receives `O`, from another crate that
    /// cannot add what is missing.
    #[must_use]
    pub fn operation<I, O, S, H>(self, operation: Operation<I, O, S>, handler: H) -> Self
    where
        I: ToContent + FromContent,
        O: ToContent + FromContent,
        H: OperationHandler<I, O>,
    {
        Self(self.0.operation(operation, handler))
    }

    #[must_use]
    pub fn build(self) -> Service {
        match self.0.build() {
            Ok(service) => service,
            Err(error) => unreachable!("the derive lets no such contract compile: {error}"),
        }
    }
}

/// What an optional operation answers unless its handler is given.
#[derive(Debug)]
pub struct NotImplemented;

impl<I, O> OperationHandler<I, O> for NotImplemented
where
    I: Send + 'static,
    O: Send + 'static,
{
    async fn start(
        &self,
        ctx: StartOperationContext,
        _: I,
    ) -> Result<StartOperationResult<O>, StartError> {
        Err(HandlerError::not_implemented(format!(
            "operation {:?} of service {:?} is not implemented",
            ctx.operation(),
            ctx.service()
        ))
        .into())
    }
}
