use http::request::Parts;
use nexus_rpc::OperationContext;

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
}

impl HttpContext for OperationContext {
    fn http_request(&self) -> Option<&Parts> {
        self.extension()
    }
}
