use std::{fmt, sync::Arc, time::Duration};

use nexus_rpc::OperationContext;

use super::{DeliveryPolicy, Operations, Runtime};
use crate::{
    AddressPolicy, HttpTransport,
    callback::CompletionSender,
    operations::{OperationStore, StoreError},
};

/// Builds [`Operations`].
#[must_use = "a builder does nothing until `open` is called"]
pub struct OperationsBuilder {
    store: Arc<dyn OperationStore>,
    settings: Settings,
    transport: Option<HttpTransport>,
}

pub(super) struct Settings {
    pub(super) max_running: usize,
    pub(super) max_open: usize,
    pub(super) max_attempts: u32,
    pub(super) retention: Duration,
    pub(super) addresses: AddressPolicy,
    pub(super) delivery: DeliveryPolicy,
    pub(super) tenant: Box<dyn Fn(&OperationContext) -> String + Send + Sync>,
    pub(super) keep_header: Box<dyn Fn(&str) -> bool + Send + Sync>,
}

impl OperationsBuilder {
    pub(super) fn new(store: Arc<dyn OperationStore>) -> Self {
        Self {
            store,
            transport: None,
            settings: Settings {
                max_running: 1000,
                max_open: 10_000_000,
                max_attempts: 10,
                retention: Duration::from_secs(24 * 60 * 60),
                addresses: AddressPolicy::default(),
                delivery: DeliveryPolicy::default(),
                tenant: Box::new(|_| String::new()),
                keep_header: Box::new(|name| {
                    !matches!(name, "authorization" | "cookie" | "proxy-authorization")
                }),
            },
        }
    }

    /// Most operations whose work runs at the same time; the others wait in the store. Default: 1000.
    ///
    /// Work has as much time as it takes. Where it may hang, give it a limit of your own, or it keeps its place.
    pub fn max_running(mut self, operations: usize) -> Self {
        self.settings.max_running = operations.max(1);
        self
    }

    /// Most operations that wait or run; one more start is `RESOURCE_EXHAUSTED`. Default: 10 million.
    pub fn max_open(mut self, operations: usize) -> Self {
        self.settings.max_open = operations;
        self
    }

    /// How often the work of an operation is begun before the operation fails: work that ends its process would do so for ever. Default: 10.
    ///
    /// Work that a [shutdown](Operations::shutdown) stopped does not count.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.settings.max_attempts = attempts.max(1);
        self
    }

    /// How long an operation that has ended can be asked about. Default: 24 hours.
    pub fn retention(mut self, time: Duration) -> Self {
        self.settings.retention = time;
        self
    }

    /// Which addresses callbacks may lead to. Default: [`AddressPolicy::cautious`].
    ///
    /// A start whose callback URL has a forbidden address is `BAD_REQUEST`; in the draft it is answered with
    /// `callbackUrlSupported: false`. A name that resolves to forbidden addresses is not called.
    pub fn callback_addresses(mut self, policy: AddressPolicy) -> Self {
        self.settings.addresses = policy;
        self
    }

    /// How results are delivered to callbacks.
    pub fn delivery(mut self, policy: DeliveryPolicy) -> Self {
        self.settings.delivery = policy;
        self
    }

    /// Sends callbacks over `transport`, which has to see to it which addresses names resolve to. Default: [`HttpTransport::guarded`].
    pub fn transport(mut self, transport: HttpTransport) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Tells tenants apart: operations of one cannot be met by another, whatever token or request id it gives. Default: all are the same.
    ///
    /// For servers with several callers that do not trust each other, who choose ids in the draft dialect.
    pub fn tenant(
        mut self,
        tenant: impl Fn(&OperationContext) -> String + Send + Sync + 'static,
    ) -> Self {
        self.settings.tenant = Box::new(tenant);
        self
    }

    /// Which headers of the start request are kept for the work, by their name in lower case. Default: all but credentials (`authorization`,
    /// `proxy-authorization`, `cookie`), which should not be on a disk.
    pub fn keep_header(mut self, keep: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.settings.keep_header = Box::new(keep);
        self
    }

    #[cfg(test)]
    pub(super) fn into_settings(self) -> Settings {
        self.settings
    }

    /// Takes up what a process before this one left, and runs.
    pub async fn open(self) -> Result<Operations, StoreError> {
        let transport = match self.transport {
            Some(transport) => transport,
            None => HttpTransport::guarded(self.settings.addresses.clone())
                .map_err(|error| StoreError::Unavailable(error.into()))?,
        };
        let sender = CompletionSender::over(transport).timeout(self.settings.delivery.timeout);
        Operations::start(Runtime::new(self.store, self.settings, sender)).await
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("max_running", &self.max_running)
            .field("max_open", &self.max_open)
            .field("max_attempts", &self.max_attempts)
            .field("retention", &self.retention)
            .field("delivery", &self.delivery)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for OperationsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperationsBuilder")
            .field("store", &self.store)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
