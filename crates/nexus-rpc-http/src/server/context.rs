use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use http::request::Parts;
use nexus_rpc::OperationContext;

/// The id that a caller of the draft dialect chose for the operation that it starts.
///
/// A handler that starts something long returns it as the operation's token. It is made of unreserved characters, and unique only as far
/// as callers are careful: qualify it by service, operation and tenant where you use it as a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestedOperationId(pub String);

/// Set by the handler; read when the answer is written.
#[derive(Debug, Clone, Default)]
pub(super) struct CallbackSupport(Arc<AtomicBool>);

impl CallbackSupport {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a handler can ask of its context when the request came over HTTP.
///
/// ```
/// use nexus_rpc::sync_operation;
/// use nexus_rpc_http::HttpContext;
///
/// /// Put into the request's extensions by a layer that authenticates.
/// #[derive(Clone)]
/// struct Principal(String);
///
/// let who_am_i = sync_operation(async |ctx, (): ()| {
///     let principal = ctx.http_extension::<Principal>().ok_or("not behind the authentication layer")?;
///     Ok(principal.0.clone())
/// });
/// ```
pub trait HttpContext {
    /// Method, URI, headers and extensions of the request; `None` when it came over another transport.
    fn http_request(&self) -> Option<&Parts>;

    /// The value of the type `T` that a layer put into the extensions of the request, such as who the caller is.
    fn http_extension<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.http_request()?.extensions.get()
    }

    /// The id that the caller chose for the operation that it starts (draft dialect).
    fn requested_operation_id(&self) -> Option<&str>;

    /// Promises that the callback of the request will be called, which the draft tells the caller (`callbackUrlSupported`).
    ///
    /// Without it a caller of the draft polls for the result. The current dialect always counts on a callback.
    fn accept_callback(&self);
}

impl HttpContext for OperationContext {
    fn http_request(&self) -> Option<&Parts> {
        self.extension()
    }

    fn requested_operation_id(&self) -> Option<&str> {
        self.extension::<RequestedOperationId>()
            .map(|id| id.0.as_str())
    }

    fn accept_callback(&self) {
        if let Some(support) = self.extension::<CallbackSupport>() {
            support.0.store(true, Ordering::Relaxed);
        }
    }
}
