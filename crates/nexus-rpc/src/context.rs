//! What a handler knows of the request it answers.
//!
//! A transport fills in a [`RequestInfo`] and hands the context to the handler. Contexts are cheap to clone and can be sent to other
//! tasks. What only one transport has (a Temporal client, an HTTP peer) travels as an [extension](OperationContext::extension).

use std::{
    any::{Any, TypeId},
    fmt,
    ops::Deref,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use crate::{Headers, Link, duration};

/// Header with the time that the caller grants the whole operation, not just this request (specification: `Operation-Timeout`).
const OPERATION_TIMEOUT: &str = "operation-timeout";

/// Why the transport gave up a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CancelReason {
    /// The deadline of the request has passed: nobody waits for the answer.
    TimedOut,
    /// The caller went away before the deadline, so nobody waits for the answer. Only transports that keep a connection to the caller
    /// know of it.
    CallerGone,
    /// The server or worker is shutting down and its grace period is over.
    Shutdown,
}

/// The part of a request that all its contexts share.
#[derive(Default)]
pub struct RequestInfo {
    /// Name of the service.
    pub service: String,
    /// Name of the operation.
    pub operation: String,
    /// Headers of the request.
    pub headers: Headers,
    /// When the caller stops waiting for the answer to this request.
    pub deadline: Option<Instant>,
    /// What only this transport has.
    pub extensions: Extensions,
}

impl fmt::Debug for RequestInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers may hold credentials.
        f.debug_struct("RequestInfo")
            .field("service", &self.service)
            .field("operation", &self.operation)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// Values of a transport, at most one of each type.
// A handful: looking through them takes less than hashing one type.
#[derive(Clone, Default)]
pub struct Extensions(Vec<(TypeId, Arc<dyn Any + Send + Sync>)>);

impl Extensions {
    /// Adds `value`, in place of one of the same type.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        self.insert_shared(Arc::new(value));
    }

    /// Adds `value`, which others hold as well, in place of one of the same type.
    pub fn insert_shared<T: Send + Sync + 'static>(&mut self, value: Arc<T>) {
        let of = TypeId::of::<T>();
        match self.0.iter_mut().find(|(other, _)| *other == of) {
            Some(slot) => slot.1 = value,
            None => self.0.push((of, value)),
        }
    }

    /// The value of the type `T`.
    #[must_use]
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        let of = TypeId::of::<T>();
        let (_, value) = self.0.iter().find(|(other, _)| *other == of)?;
        value.downcast_ref()
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extensions({})", self.0.len())
    }
}

/// What a handler knows of any request.
#[derive(Clone)]
pub struct OperationContext(Arc<Shared>);

struct Shared {
    request: RequestInfo,
    headers: OnceLock<Headers>,
    read_headers: fn(&Extensions) -> Headers,
    outbound_links: Mutex<Vec<Link>>,
    callback_accepted: AtomicBool,
    // Made for the first that waits: few handlers do.
    cancellation: OnceLock<CancellationToken>,
    reason: OnceLock<CancelReason>,
}

impl OperationContext {
    /// The context of a request.
    #[must_use]
    pub fn new(mut request: RequestInfo) -> Self {
        let headers = std::mem::take(&mut request.headers);
        Self::with(request, headers.into(), |_| Headers::new())
    }

    /// The context of a request whose headers are read from what the transport has of it when a handler asks for them, which few do.
    #[must_use]
    pub fn with_headers(request: RequestInfo, read: fn(&Extensions) -> Headers) -> Self {
        Self::with(request, OnceLock::new(), read)
    }

    fn with(
        request: RequestInfo,
        headers: OnceLock<Headers>,
        read_headers: fn(&Extensions) -> Headers,
    ) -> Self {
        Self(Arc::new(Shared {
            request,
            headers,
            read_headers,
            outbound_links: Mutex::default(),
            callback_accepted: AtomicBool::new(false),
            cancellation: OnceLock::new(),
            reason: OnceLock::new(),
        }))
    }

    /// Name of the service.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.0.request.service
    }

    /// Name of the operation.
    #[must_use]
    pub fn operation(&self) -> &str {
        &self.0.request.operation
    }

    /// Headers of the request.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        self.0
            .headers
            .get_or_init(|| (self.0.read_headers)(&self.0.request.extensions))
    }

    /// When the caller stops waiting for the answer to this request, if it said so. Temporal grants 10 seconds.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.0.request.deadline
    }

    /// How long the caller waits for the whole operation, if it said so: the header `operation-timeout` of the request.
    ///
    /// A value that is not a duration counts as none.
    #[must_use]
    pub fn operation_timeout(&self) -> Option<Duration> {
        duration::parse(self.headers().get(OPERATION_TIMEOUT)?).ok()
    }

    /// Waits until the transport gives up the request. Use it to stop work that nobody will hear of.
    pub async fn cancelled(&self) -> CancelReason {
        self.cancellation().cancelled().await;
        self.cancel_reason().unwrap_or(CancelReason::TimedOut)
    }

    /// Why the transport gave up the request, if it did.
    #[must_use]
    pub fn cancel_reason(&self) -> Option<CancelReason> {
        self.0.reason.get().copied()
    }

    /// Attaches a link to the answer: a resource that the operation started or touched.
    pub fn add_link(&self, link: Link) {
        self.0
            .outbound_links
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(link);
    }

    /// The value of the type `T` that the transport, or who set it up, attached to the request.
    #[must_use]
    pub fn extension<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.0.request.extensions.get()
    }

    /// Gives up the request. For transports: the first reason stays.
    pub fn cancel(&self, reason: CancelReason) {
        // The reason first: whoever wakes up must find it.
        let _ = self.0.reason.set(reason);
        self.cancellation().cancel();
    }

    fn cancellation(&self) -> &CancellationToken {
        self.0.cancellation.get_or_init(CancellationToken::new)
    }

    /// Whether there is a callback, and the handler said that it will call it. For transports.
    #[must_use]
    pub fn callback_accepted(&self) -> bool {
        self.0.callback_accepted.load(Ordering::Relaxed)
    }

    /// Takes the links that the handler added. For transports.
    #[must_use]
    pub fn take_links(&self) -> Vec<Link> {
        std::mem::take(
            &mut self
                .0
                .outbound_links
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

impl fmt::Debug for OperationContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.request.fmt(f)
    }
}

/// Where an asynchronous operation delivers its result.
#[derive(Clone, PartialEq, Eq)]
pub struct Callback {
    /// The URL to call.
    pub url: String,
    /// Headers to send with the call.
    pub headers: Headers,
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The headers hold the token that authorises the delivery; the query of the URL may, too.
        f.debug_struct("Callback").finish_non_exhaustive()
    }
}

/// What a start request has beyond the rest.
#[derive(Debug, Clone, Default)]
pub struct StartDetails {
    /// Made by the caller, the same when the request is retried: handlers use it to start a thing once.
    pub request_id: String,
    /// Where to deliver the result if the operation is asynchronous. `None`: the caller does not want to be called.
    pub callback: Option<Callback>,
    /// Links of the caller: where the request came from.
    pub links: Vec<Link>,
    /// The id that the caller chose for the operation. Only callers of the draft HTTP dialect can.
    pub operation_id: Option<String>,
}

/// What a handler knows of a request to start an operation.
#[derive(Debug, Clone)]
pub struct StartOperationContext {
    base: OperationContext,
    details: Arc<StartDetails>,
}

impl StartOperationContext {
    /// The context of a start request.
    #[must_use]
    pub fn new(base: OperationContext, details: StartDetails) -> Self {
        Self {
            base,
            details: Arc::new(details),
        }
    }

    /// Made by the caller, the same when the request is retried: handlers use it to start a thing once.
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.details.request_id
    }

    /// Where to deliver the result if the operation is asynchronous. `None`: the caller does not want to be called.
    #[must_use]
    pub fn callback(&self) -> Option<&Callback> {
        self.details.callback.as_ref()
    }

    /// Links of the caller: where the request came from.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.details.links
    }

    /// The id that the caller chose for the operation. Only callers of the draft HTTP dialect can.
    ///
    /// An asynchronous operation returns it as its token, or refuses it before it starts anything. It is made of unreserved characters, and
    /// unique only as far as callers are careful: qualify it by service, operation and tenant where you use it as a key.
    #[must_use]
    pub fn requested_operation_id(&self) -> Option<&str> {
        self.details.operation_id.as_deref()
    }

    /// Promises that the [callback](Self::callback) will be called, which callers of the draft HTTP dialect are told.
    ///
    /// Without it they ask for the result. Everybody else counts on the callback, promised or not.
    pub fn accept_callback(&self) {
        if self.callback().is_some() {
            self.base.0.callback_accepted.store(true, Ordering::Relaxed);
        }
    }
}

impl Deref for StartOperationContext {
    type Target = OperationContext;

    fn deref(&self) -> &OperationContext {
        &self.base
    }
}

/// What a handler knows of a request to cancel an operation.
#[derive(Debug, Clone)]
pub struct CancelOperationContext {
    base: OperationContext,
}

impl CancelOperationContext {
    /// The context of a cancel request.
    #[must_use]
    pub fn new(base: OperationContext) -> Self {
        Self { base }
    }
}

impl Deref for CancelOperationContext {
    type Target = OperationContext;

    fn deref(&self) -> &OperationContext {
        &self.base
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(headers: Headers) -> OperationContext {
        OperationContext::new(RequestInfo {
            headers,
            ..RequestInfo::default()
        })
    }

    #[tokio::test]
    async fn the_first_reason_to_cancel_stays() {
        let context = context(Headers::new());
        assert_eq!(context.cancel_reason(), None);
        let waiting = tokio::spawn({
            let context = context.clone();
            async move { context.cancelled().await }
        });
        context.cancel(CancelReason::Shutdown);
        context.cancel(CancelReason::TimedOut);
        assert_eq!(waiting.await.unwrap(), CancelReason::Shutdown);
    }

    #[test]
    fn operation_timeout_is_read_in_both_forms() {
        let timeout =
            |value| context(Headers::from_iter([("Operation-Timeout", value)])).operation_timeout();
        assert_eq!(timeout("1500ms"), Some(Duration::from_millis(1500)));
        assert_eq!(timeout("1m0.5s"), Some(Duration::from_millis(60_500)));
        assert_eq!(timeout("soon"), None);
        assert_eq!(context(Headers::new()).operation_timeout(), None);
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let base = context(Headers::from_iter([("authorization", "Bearer secret")]));
        let start = StartOperationContext::new(
            base,
            StartDetails {
                callback: Some(Callback {
                    url: "http://localhost/?token=secret".into(),
                    headers: Headers::from_iter([("token", "secret")]),
                }),
                ..StartDetails::default()
            },
        );
        assert!(!format!("{start:?}").contains("secret"));
    }
}
