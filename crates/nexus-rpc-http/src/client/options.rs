use std::time::Duration;

use nexus_rpc::{Headers, Link, context::Callback};

/// What goes with a start request. Everything is optional.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct StartOptions {
    pub(super) request_id: Option<String>,
    pub(super) operation_id: Option<String>,
    pub(super) callback: Option<Callback>,
    pub(super) links: Vec<Link>,
    pub(super) headers: Headers,
    pub(super) operation_timeout: Option<Duration>,
    pub(super) request_timeout: Option<Duration>,
}

impl StartOptions {
    /// No options.
    pub fn new() -> Self {
        Self::default()
    }

    /// Recognises the request when it is sent again, by this client or by a later one. Default: a random UUID for each call of `start`.
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.request_id = Some(id.into());
        self
    }

    /// The id of the operation to start (draft dialect). Default: the handler makes one.
    pub fn operation_id(mut self, id: impl Into<String>) -> Self {
        self.operation_id = Some(id.into());
        self
    }

    /// Where to deliver the result if the operation goes on. The headers come back with the delivery (current dialect).
    pub fn callback(mut self, callback: Callback) -> Self {
        self.callback = Some(callback);
        self
    }

    /// Adds a link to where the request comes from (current dialect; the draft has none and sends none).
    pub fn link(mut self, link: Link) -> Self {
        self.links.push(link);
        self
    }

    /// Adds a header for the handler.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// How long you will wait for the whole operation. The handler is told (`Operation-Timeout`).
    pub fn operation_timeout(mut self, timeout: Duration) -> Self {
        self.operation_timeout = Some(timeout);
        self
    }

    /// How long to wait for the answer to this request. Default: that of the client.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = Some(timeout);
        self
    }
}
