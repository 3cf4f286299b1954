//! The server: [`NexusHttpService`] answers requests for the services of a registry.

use std::{
    convert::Infallible,
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use nexus_rpc::{Serializer, ServiceRegistry, content::BoxError, context::Extensions};
use tokio::sync::Semaphore;
use tower_service::Service;

use crate::Dialect;

mod body;
mod builder;
mod context;
mod exchange;
mod refusal;
mod respond;
mod result;
mod route;
mod start;

pub(crate) use body::read as read_body;
pub use builder::{BuildError, NexusHttpServiceBuilder};
pub use context::HttpContext;
pub(crate) use refusal::Refusal;
pub(crate) use respond::empty as empty_response;

/// Body of a response: whole, in memory.
pub type ResponseBody = Full<Bytes>;

/// Answers Nexus requests over HTTP, in both dialects unless told otherwise.
///
/// A tower service for any body: mount it in an axum router with `nest_service` or `fallback_service`, or hand it to hyper. It is cheap to
/// clone; put layers of tower around it for authentication, and read what they found with [`HttpContext::http_extension`].
///
/// ```
/// # use nexus_rpc::{Operation, Service, ServiceRegistry, sync_operation};
/// use nexus_rpc_http::NexusHttpService;
///
/// # let service = Service::builder("math")
/// #     .operation(Operation::new("math", "double"), sync_operation(async |_ctx, n: i64| Ok(n * 2)))
/// #     .build()?;
/// let mut registry = ServiceRegistry::new();
/// registry.register(service)?;
/// let nexus = NexusHttpService::builder(registry).max_body_size(64 * 1024).build()?;
/// let app: axum::Router = axum::Router::new().nest_service("/nexus", nexus);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct NexusHttpService(Arc<Server>);

/// What all requests share.
struct Server {
    registry: ServiceRegistry,
    serializer: Arc<dyn Serializer>,
    dialects: Dialects,
    prefix: String,
    limits: Limits,
    waits: Semaphore,
    allow_callback: Box<dyn Fn(&http::Uri) -> bool + Send + Sync>,
    extensions: Extensions,
}

/// Which dialects are spoken.
#[derive(Debug, Clone, Copy)]
struct Dialects {
    draft: bool,
    current: bool,
}

#[derive(Debug, Clone)]
struct Limits {
    body: usize,
    headers: usize,
    links: usize,
    wait: std::time::Duration,
    request: std::time::Duration,
}

impl NexusHttpService {
    /// Builds a service that answers for `registry`.
    pub fn builder(registry: ServiceRegistry) -> NexusHttpServiceBuilder {
        NexusHttpServiceBuilder::new(registry)
    }

    /// Answers one request.
    pub fn answer<B>(
        &self,
        request: Request<B>,
    ) -> impl Future<Output = Response<ResponseBody>> + Send + use<B>
    where
        B: Body + Send,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let (parts, body) = request.into_parts();
        self.0.clone().answer(Arc::new(parts), body)
    }
}

impl Dialects {
    fn main(self) -> Dialect {
        if self.current {
            Dialect::Current
        } else {
            Dialect::Draft
        }
    }
}

impl<B> Service<Request<B>> for NexusHttpService
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.answer(request).map(Ok).boxed()
    }
}

impl fmt::Debug for NexusHttpService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NexusHttpService")
            .field("registry", &self.0.registry)
            .field("dialects", &self.0.dialects)
            .field("prefix", &self.0.prefix)
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_future_of_a_request_is_small() {
        let service = NexusHttpService::builder(ServiceRegistry::new())
            .build()
            .unwrap();
        let answer = service.answer(Request::new(ResponseBody::default()));
        assert!(size_of_val(&answer) <= 1024, "{}", size_of_val(&answer));
    }
}
