//! Encrypted connections: the whole sample behind a proxy that ends TLS, and who is refused.

use tokio_rustls::rustls::ServerConfig;

use crate::fixture::{Authority, CALLER_NAMESPACE, Folder, HANDLER_NAMESPACE, Proxy, Sample, at};

const RESULTS: [&str; 2] = ["Nexus Echo 👋", "¡Hola! Nexus 👋"];

/// The sample behind TLS: its programs reach the server only through the proxy.
struct Encrypted {
    proxy: Proxy,
    _sample: Sample,
}

impl Encrypted {
    async fn start(config: ServerConfig, api_key: Option<&'static str>) -> Self {
        let sample = Sample::start().await;
        let proxy = Proxy::of(&sample.server).tls(config);
        let proxy = match api_key {
            Some(key) => proxy.api_key(key),
            None => proxy,
        };
        Self {
            proxy: proxy.start().await,
            _sample: sample,
        }
    }

    /// Runs the whole sample with these flags; returns what its programs wrote to standard error.
    async fn works_with(&self, flags: &str) -> [String; 3] {
        let program = |name, namespace| at(&self.proxy.address(), name, namespace).args(flags);
        let handler = program("handler-worker", HANDLER_NAMESPACE).worker().await;
        let caller = program("caller-worker", CALLER_NAMESPACE).worker().await;
        let starter = program("caller-starter", CALLER_NAMESPACE).run().await;
        assert_eq!(starter.results(), RESULTS);
        let (handler, caller) = (handler.stop().await, caller.stop().await);
        [handler, caller, starter].map(|finished| finished.stderr)
    }

    /// Makes sure that the starter cannot connect with these flags, and is told why and what to do.
    async fn refuses(&self, flags: &str, cause: &str, advice: &str) {
        let starter = at(&self.proxy.address(), "caller-starter", CALLER_NAMESPACE);
        let finished = starter.args(flags).run().await;
        assert_eq!(finished.stdout, "", "{finished:#?}");
        let [told, mended_by] = finished.refusal();
        assert!(told.contains(cause), "{told}");
        assert!(mended_by.contains(advice), "{mended_by}");
    }
}

const UNTRUSTED: [&str; 2] = ["invalid peer certificate: ", "with --server-root-ca-cert"];

#[tokio::test]
async fn a_server_with_a_ca_of_its_own() {
    let folder = Folder::new();
    let authority = Authority::new();
    let ca = folder.write("ca.pem", &authority.pem());
    let stranger = folder.write("stranger.pem", &Authority::new().pem());
    let encrypted = Encrypted::start(authority.issue("localhost").server(None), None).await;

    let stderr = encrypted
        .works_with(&format!("-server-root-ca-cert {ca}"))
        .await;
    assert_eq!(stderr[2], "");
    let [cause, advice] = UNTRUSTED;
    let wrong = format!("-server-root-ca-cert {stranger}");
    encrypted.refuses(&wrong, cause, advice).await;
    encrypted
        .refuses("-server-name localhost", cause, advice)
        .await;

    let advice = "if the server expects TLS, give --server-root-ca-cert";
    encrypted
        .refuses("", "cannot reach a Temporal server", advice)
        .await;
}

#[tokio::test]
async fn a_server_with_another_name() {
    let folder = Folder::new();
    let authority = Authority::new();
    let ca = folder.write("ca.pem", &authority.pem());
    let encrypted = Encrypted::start(authority.issue("temporal.example").server(None), None).await;

    let ca = format!("-server-root-ca-cert {ca}");
    encrypted
        .works_with(&format!("{ca} -server-name temporal.example"))
        .await;
    let cause = "certificate not valid for name";
    for wrong in ["", "-server-name other.example"] {
        let flags = format!("{ca} {wrong}");
        encrypted.refuses(&flags, cause, "with --server-name").await;
    }
}

#[tokio::test]
async fn a_server_that_asks_for_client_certificates() {
    let folder = Folder::new();
    let (authority, clients) = (Authority::new(), Authority::new());
    let ca = folder.write("ca.pem", &authority.pem());
    let pair = |name: &str, authority: &Authority| {
        let identity = authority.issue("client");
        let certificate = folder.write(&format!("{name}.pem"), &identity.certificate);
        let key = folder.write(&format!("{name}.key"), &identity.key);
        format!("-server-root-ca-cert {ca} -client-cert {certificate} -client-key {key}")
    };
    let (client, stranger) = (
        pair("client", &clients),
        pair("stranger", &Authority::new()),
    );
    let server = authority.issue("localhost").server(Some(&clients));
    let encrypted = Encrypted::start(server, None).await;

    encrypted.works_with(&client).await;
    // Whether the cause is the server's alert, or that it hung up, is a matter of microseconds.
    let cause = "cannot reach a Temporal server";
    for wrong in [stranger, format!("-server-root-ca-cert {ca}")] {
        encrypted.refuses(&wrong, cause, "client certificate").await;
    }
}

#[tokio::test]
async fn a_server_that_is_not_verified() {
    let server = Authority::new().issue("nobody.example").server(None);
    let encrypted = Encrypted::start(server, None).await;
    for stderr in encrypted.works_with("-insecure-skip-verify").await {
        let warning = format!(
            "WARN The certificate of {} is not verified: anyone on the way can read and change what is sent",
            encrypted.proxy.address()
        );
        assert!(stderr.contains(&warning), "{stderr}");
    }
    let [cause, advice] = UNTRUSTED;
    let verifying = "-insecure-skip-verify=false -server-name nobody.example";
    encrypted.refuses(verifying, cause, advice).await;
}

#[tokio::test]
async fn a_server_that_asks_for_an_api_key() {
    let folder = Folder::new();
    let authority = Authority::new();
    let ca = folder.write("ca.pem", &authority.pem());
    let server = authority.issue("localhost").server(None);
    let encrypted = Encrypted::start(server, Some("right")).await;

    // The proxy refuses each call without key and namespace, so that what works has both on every call.
    encrypted
        .works_with(&format!("-server-root-ca-cert {ca} -api-key right"))
        .await;
    let namespaces = encrypted.proxy.namespaces();
    assert_eq!(
        namespaces.iter().collect::<Vec<_>>(),
        [CALLER_NAMESPACE, HANDLER_NAMESPACE]
    );

    let cause = "does not accept the credentials: Request unauthorized.";
    for wrong in ["-api-key wrong", ""] {
        let flags = format!("-server-root-ca-cert {ca} {wrong}");
        encrypted.refuses(&flags, cause, "check --api-key").await;
    }
    // A key brings TLS with it, but not the CA.
    let [cause, advice] = UNTRUSTED;
    encrypted.refuses("-api-key right", cause, advice).await;
}
