use std::{fmt, sync::Arc, time::Duration};

use http::Uri;
use nexus_rpc::{Serializer, ServiceRegistry, content::JsonSerializer, context::Extensions};
use tokio::sync::Semaphore;

use super::{Dialects, Limits, NexusHttpService, Server};
use crate::{
    Dialect, Operations,
    path::{InvalidSegment, validate_unreserved},
};

/// Builds a [`NexusHttpService`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct NexusHttpServiceBuilder {
    registry: ServiceRegistry,
    serializer: Arc<dyn Serializer>,
    dialects: Dialects,
    prefix: String,
    limits: Limits,
    waits: usize,
    allow_callback: Box<dyn Fn(&Uri) -> bool + Send + Sync>,
    operations: Option<Operations>,
    extensions: Extensions,
}

/// A time that is longer is as good as no limit, and would lead beyond what clocks can tell.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl NexusHttpServiceBuilder {
    pub(super) fn new(registry: ServiceRegistry) -> Self {
        Self {
            registry,
            serializer: Arc::new(JsonSerializer),
            dialects: Dialects {
                draft: true,
                current: true,
            },
            prefix: String::new(),
            limits: Limits {
                body: 2 * 1024 * 1024,
                headers: 64 * 1024,
                links: 100,
                wait: Duration::from_secs(60),
                request: Duration::from_secs(60),
            },
            waits: 10_000,
            allow_callback: Box::new(|_| true),
            operations: None,
            extensions: Extensions::default(),
        }
    }

    /// Speaks `dialect` alone. Default: both.
    pub fn only(mut self, dialect: Dialect) -> Self {
        self.dialects = Dialects {
            draft: dialect == Dialect::Draft,
            current: dialect == Dialect::Current,
        };
        self
    }

    /// Path that stands before those of the protocol, as it is on the wire (escaped). Default: none.
    ///
    /// For hyper, which does not route; the router of axum takes the prefix of `nest_service` away itself.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        let prefix = prefix.into();
        self.prefix = match prefix.trim_matches('/') {
            "" => String::new(),
            inner => format!("/{inner}"),
        };
        self
    }

    /// Writes and reads values of operations. Default: [`JsonSerializer`].
    pub fn serializer(mut self, serializer: Arc<dyn Serializer>) -> Self {
        self.serializer = serializer;
        self
    }

    /// Largest body of a request, in bytes. Default: 2 MiB, as Temporal's server.
    pub fn max_body_size(mut self, bytes: usize) -> Self {
        self.limits.body = bytes;
        self
    }

    /// Largest sum of the names and values of a request's headers, in bytes. Default: 64 KiB.
    pub fn max_header_size(mut self, bytes: usize) -> Self {
        self.limits.headers = bytes;
        self
    }

    /// Most links on a request. Default: 100.
    pub fn max_links(mut self, links: usize) -> Self {
        self.limits.links = links;
        self
    }

    /// Longest wait for a result (draft dialect), whatever the caller's `wait_deadline`. Default: 60 s.
    pub fn max_wait(mut self, wait: Duration) -> Self {
        self.limits.wait = wait.min(LONGEST);
        self
    }

    /// Most requests that wait for a result at the same time (draft dialect). Default: 10 000; one more is told to come back.
    pub fn max_concurrent_waits(mut self, waits: usize) -> Self {
        self.waits = waits.min(Semaphore::MAX_PERMITS);
        self
    }

    /// Longest time for a request, whatever its `Request-Timeout`; waiting for a result comes on top. Default: 60 s.
    pub fn max_request_timeout(mut self, timeout: Duration) -> Self {
        self.limits.request = timeout.min(LONGEST);
        self
    }

    /// Says which callback URLs may be called. Default: all.
    ///
    /// A callback makes the server send a request to an address that the caller chose; where callers are not trusted, refuse addresses
    /// inside your network. A start with a refused URL is `BAD_REQUEST`; in the draft it is answered with `callbackUrlSupported: false`.
    pub fn allow_callback(mut self, allow: impl Fn(&Uri) -> bool + Send + Sync + 'static) -> Self {
        self.allow_callback = Box::new(allow);
        self
    }

    /// Keeps the operations that outlive their request, those of [`async_operation`](crate::async_operation). Default: there are none.
    ///
    /// Operations that were left unfinished go on once the service is built.
    pub fn operations(mut self, operations: &Operations) -> Self {
        self.operations = Some(operations.clone());
        self
    }

    /// Gives `value` to every handler, which finds it by its type with
    /// [`extension`](nexus_rpc::OperationContext::extension), as it would what another transport has. One of each type.
    ///
    /// A `temporal_nexus::TemporalContext` lets operations that are backed by workflows answer here.
    ///
    /// ```
    /// # use nexus_rpc::{Operation, Service, ServiceRegistry, sync_operation};
    /// use nexus_rpc_http::NexusHttpService;
    ///
    /// struct Region(&'static str);
    ///
    /// let region = sync_operation(async |ctx, (): ()| {
    ///     Ok(ctx.extension::<Region>().ok_or("no region")?.0.to_owned())
    /// });
    /// # let service = Service::builder("place").operation(Operation::new("place", "region"), region).build()?;
    /// # let mut registry = ServiceRegistry::new();
    /// # registry.register(service)?;
    /// let nexus = NexusHttpService::builder(registry).extension(Region("eu-central")).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn extension<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.extensions.insert(value);
        self
    }

    /// The service, if the names of its services and operations can be in a URL of its dialects.
    pub fn build(self) -> Result<NexusHttpService, BuildError> {
        for service in self.registry.services() {
            self.check(service.name(), NameOf::Service)?;
            for operation in service.operations() {
                self.check(operation, NameOf::Operation)?;
            }
        }
        let mut extensions = self.extensions;
        if let Some(operations) = self.operations {
            let access = operations.serve(&self.registry, &self.serializer, &extensions);
            extensions.insert_shared(access);
        }
        Ok(NexusHttpService(Arc::new(Server {
            registry: self.registry,
            serializer: self.serializer,
            dialects: self.dialects,
            prefix: self.prefix,
            limits: self.limits,
            waits: Semaphore::new(self.waits),
            allow_callback: self.allow_callback,
            extensions,
        })))
    }

    fn check(&self, name: &str, of: NameOf) -> Result<(), BuildError> {
        let source = match validate_unreserved(name) {
            Ok(()) => return Ok(()),
            Err(source) => source,
        };
        // In the current dialect such a name can be called; a dot segment does not survive the way in either.
        if self.dialects.current && source != InvalidSegment::DotSegment {
            if self.dialects.draft {
                tracing::warn!(
                    name,
                    "{of} name cannot be called in the draft dialect: {source}"
                );
            }
            return Ok(());
        }
        Err(BuildError {
            of,
            name: name.to_owned(),
            source,
        })
    }
}

impl fmt::Debug for NexusHttpServiceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NexusHttpServiceBuilder")
            .field("registry", &self.registry)
            .field("dialects", &self.dialects)
            .field("prefix", &self.prefix)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// A service that cannot be served over HTTP: a name that no URL of its dialects can carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{of} name {name:?} cannot be in a URL")]
pub struct BuildError {
    of: NameOf,
    name: String,
    source: InvalidSegment,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NameOf {
    Service,
    Operation,
}

impl fmt::Display for NameOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Service => "service",
            Self::Operation => "operation",
        })
    }
}
