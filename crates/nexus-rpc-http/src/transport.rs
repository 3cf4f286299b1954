//! How requests are sent: over hyper's client, or over any tower service.

use std::{fmt, future::poll_fn, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use nexus_rpc::content::BoxError;
use tower_service::Service;

mod address;

pub use address::AddressPolicy;
pub(crate) use address::ForbiddenAddress;
use address::GuardedResolver;

/// Longest time for a connection to be made; beyond it lies the timeout of the request.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// Sends requests for clients and completion senders. Cheap to clone; clones share their connections.
///
/// [`HttpTransport::new`] is hyper's client: HTTP/1.1, connections kept alive, no redirects, no proxies, and every URL as it was given,
/// which callbacks need. For https the crate feature `tls-ring` or `tls-aws-lc` must be on.
///
/// [`HttpTransport::from_service`] takes any tower service, for other needs or for tests without a network:
///
/// ```
/// # use nexus_rpc::{Operation, Service, ServiceRegistry, sync_operation};
/// use nexus_rpc_http::{HttpTransport, NexusHttpClient, NexusHttpService};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// const DOUBLE: Operation<i64, i64> = Operation::new("math", "double");
///
/// let service = Service::builder("math").operation(DOUBLE, sync_operation(async |_ctx, n: i64| Ok(n * 2))).build()?;
/// let mut registry = ServiceRegistry::new();
/// registry.register(service)?;
///
/// let server = NexusHttpService::builder(registry).build()?;
/// let client = NexusHttpClient::builder("http://in-process")
///     .transport(HttpTransport::from_service(server))
///     .build()?;
/// assert_eq!(client.execute(DOUBLE, 21, Default::default()).await?, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct HttpTransport {
    exchange: Arc<dyn Exchange>,
    https: bool,
}

/// A request that got no response.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The request could not be sent, or no response came.
    #[error("request could not be sent")]
    Send(#[source] BoxError),
    /// The response broke off.
    #[error("response broke off")]
    Receive(#[source] BoxError),
    /// The body of the response is longer than is allowed.
    #[error("response has more than {limit} bytes")]
    TooLarge {
        /// The most that is allowed.
        limit: usize,
    },
    /// The certificates that the platform trusts could not be loaded.
    #[error("cannot set up TLS")]
    Tls(#[source] BoxError),
    /// TLS is not compiled in.
    #[error("https needs the crate feature `tls-ring` or `tls-aws-lc`")]
    NoTls,
}

impl TransportError {
    /// Whether the same request may do better at another time.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Send(_) | Self::Receive(_))
    }
}

impl HttpTransport {
    /// hyper's client, with the certificates that the platform trusts where TLS is compiled in.
    pub fn new() -> Result<Self, TransportError> {
        #[cfg(any(feature = "tls-ring", feature = "tls-aws-lc"))]
        {
            tls::platform(AddressPolicy::any())
        }
        #[cfg(not(any(feature = "tls-ring", feature = "tls-aws-lc")))]
        {
            Ok(Self::from_connector(connector(AddressPolicy::any()), false))
        }
    }

    /// [`HttpTransport::new`] that connects to those addresses alone that `policy` allows, whatever names resolve to.
    ///
    /// An address in place of a name in the URL is not resolved: check it with [`AddressPolicy::allows_host`].
    pub fn guarded(policy: AddressPolicy) -> Result<Self, TransportError> {
        #[cfg(any(feature = "tls-ring", feature = "tls-aws-lc"))]
        {
            tls::platform(policy)
        }
        #[cfg(not(any(feature = "tls-ring", feature = "tls-aws-lc")))]
        {
            Ok(Self::from_connector(connector(policy), false))
        }
    }

    /// hyper's client with your own certificates and settings of TLS.
    #[cfg(any(feature = "tls-ring", feature = "tls-aws-lc"))]
    #[must_use]
    pub fn with_tls_config(config: rustls::ClientConfig) -> Self {
        tls::with_config(config)
    }

    /// Any tower service. It should not follow redirects, and must send a URL as it is.
    pub fn from_service<S, B>(service: S) -> Self
    where
        S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        Self {
            exchange: Arc::new(OfService(service)),
            https: true,
        }
    }

    fn from_connector<C>(connector: C, https: bool) -> Self
    where
        C: hyper_util::client::legacy::connect::Connect + Clone + Send + Sync + 'static,
    {
        let client: Client<C, Full<Bytes>> = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(connector);
        Self {
            https,
            ..Self::from_service(client)
        }
    }

    /// Whether URLs with this scheme can be called.
    pub(crate) fn check_scheme(&self, scheme: &str) -> Result<(), TransportError> {
        if scheme == "https" && !self.https {
            return Err(TransportError::NoTls);
        }
        Ok(())
    }

    /// Sends a request and receives the whole response, up to `limit` bytes of body.
    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
        limit: usize,
    ) -> Result<Response<Bytes>, TransportError> {
        self.exchange.send(request, limit).await
    }
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransport")
            .field("https", &self.https)
            .finish_non_exhaustive()
    }
}

fn connector(policy: AddressPolicy) -> HttpConnector<GuardedResolver> {
    let mut connector = HttpConnector::new_with_resolver(GuardedResolver::new(policy));
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector
}

trait Exchange: Send + Sync {
    fn send(
        &self,
        request: Request<Full<Bytes>>,
        limit: usize,
    ) -> BoxFuture<'static, Result<Response<Bytes>, TransportError>>;
}

struct OfService<S>(S);

impl<S, B> Exchange for OfService<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    fn send(
        &self,
        request: Request<Full<Bytes>>,
        limit: usize,
    ) -> BoxFuture<'static, Result<Response<Bytes>, TransportError>> {
        let mut service = self.0.clone();
        Box::pin(async move {
            let send_error = |error: S::Error| TransportError::Send(error.into());
            poll_fn(|cx| service.poll_ready(cx))
                .await
                .map_err(send_error)?;
            let response = service.call(request).await.map_err(send_error)?;
            let (parts, body) = response.into_parts();
            match Limited::new(body, limit).collect().await {
                Ok(body) => Ok(Response::from_parts(parts, body.to_bytes())),
                Err(error) if error.is::<LengthLimitError>() => {
                    Err(TransportError::TooLarge { limit })
                }
                Err(error) => Err(TransportError::Receive(error)),
            }
        })
    }
}

#[cfg(any(feature = "tls-ring", feature = "tls-aws-lc"))]
mod tls {
    use std::sync::Arc;

    use hyper_rustls::HttpsConnectorBuilder;
    use rustls::{ClientConfig, crypto::CryptoProvider};

    use super::{AddressPolicy, HttpTransport, TransportError, connector};

    pub(super) fn platform(policy: AddressPolicy) -> Result<HttpTransport, TransportError> {
        let mut http = connector(policy);
        http.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_platform_verifier(provider())
            .map_err(|error| TransportError::Tls(error.into()))?
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        Ok(HttpTransport::from_connector(connector, true))
    }

    pub(super) fn with_config(config: ClientConfig) -> HttpTransport {
        let mut http = connector(AddressPolicy::any());
        http.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        HttpTransport::from_connector(connector, true)
    }

    /// Named here, since a process that has both cannot choose one by itself.
    fn provider() -> Arc<CryptoProvider> {
        #[cfg(feature = "tls-ring")]
        let provider = rustls::crypto::ring::default_provider();
        #[cfg(all(feature = "tls-aws-lc", not(feature = "tls-ring")))]
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        Arc::new(provider)
    }
}
