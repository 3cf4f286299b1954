//! https, with one of the features for it.

use std::{net::SocketAddr, sync::Arc};

use nexus_rpc::context::Callback;
use nexus_rpc_http::{
    ClientError, Dialect, HttpTransport, NexusHttpClient, NexusHttpService, RetryPolicy,
    StartOptions, TransportError,
    callback::{Completion, CompletionSender},
};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::support::services::{self, ECHO, Jobs};

/// Accepts connections for axum.
struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let Ok((stream, address)) = self.tcp.accept().await else {
                continue;
            };
            // A client that does not trust us ends the handshake.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// Serves over TLS on a port of its own, and returns the certificate to trust.
async fn serve(app: axum::Router) -> (SocketAddr, CertificateDer<'static>) {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = key.cert.der().clone();
    let private = PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], private)
        .unwrap();
    let listener = TlsListener {
        tcp: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        acceptor: TlsAcceptor::from(Arc::new(config)),
    };
    let address = listener.tcp.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, certificate)
}

fn trusting(certificate: CertificateDer<'static>) -> HttpTransport {
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    HttpTransport::with_tls_config(config)
}

#[tokio::test]
async fn clients_and_senders_speak_tls_and_check_whom_they_speak_to() {
    let service = NexusHttpService::builder(services::registry(&Jobs::default()))
        .build()
        .unwrap();
    let (address, certificate) = serve(axum::Router::new().fallback_service(service)).await;
    let url = format!("https://localhost:{}", address.port());
    let transport = trusting(certificate);

    let client = NexusHttpClient::builder(&url)
        .transport(transport.clone())
        .build()
        .unwrap();
    let output = client.execute(ECHO, json!(7), StartOptions::new()).await;
    assert_eq!(output.unwrap(), 7);

    // No receiver, but an answer: the sender got through.
    let callback = Callback {
        url: format!("{url}/none/none"),
        headers: nexus_rpc::Headers::new(),
    };
    let completion = Completion::succeeded(nexus_rpc::Content::empty());
    let sent = CompletionSender::over(transport)
        .send(Dialect::Current, &callback, &completion)
        .await;
    assert!(sent.unwrap_err().to_string().contains("refused"));

    // The platform does not trust a certificate that was made a moment ago.
    let wary = NexusHttpClient::builder(&url)
        .retry(RetryPolicy::none())
        .build()
        .unwrap();
    let error = wary
        .execute(ECHO, json!(7), StartOptions::new())
        .await
        .unwrap_err();
    assert!(
        matches!(error, ClientError::Transport(TransportError::Send(_))),
        "{error:?}"
    );
}
