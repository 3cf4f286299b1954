use super::*;
use crate::{
    logging::{DEFAULT_FILTER, tests::logged},
    test_support::{Certificates, Folder, settings},
};
use rustls::{
    ServerConfig, ServerConnection,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Instant,
};
use temporalio_client::callback_based::{
    CallbackBasedGrpcService, GrpcRequest, GrpcSuccessResponse,
};
use tokio::net::TcpSocket;

async fn failure(args: &[&str]) -> String {
    let settings = settings(args, &[]).unwrap();
    let Err(error) = settings.connect().await else {
        panic!("{args:?} should not connect");
    };
    error.to_string()
}

/// Answers each connection on a free port with `answer`, as long as the test runs.
fn serve(answer: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap());
        }
    });
    address.to_string()
}

/// Does the server's part of TLS handshakes, and says nothing more.
fn serve_tls(certificates: &Certificates, client_ca: Option<&Certificates>) -> String {
    let cert = CertificateDer::from_pem_slice(certificates.cert.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(certificates.key.as_bytes()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = match client_ca {
        None => config.with_no_client_auth(),
        Some(client_ca) => {
            let mut roots = rustls::RootCertStore::empty();
            let ca = CertificateDer::from_pem_slice(client_ca.ca.as_bytes()).unwrap();
            roots.add(ca).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            config.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let mut config = config.with_single_cert(vec![cert], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let config = Arc::new(config);
    serve(move |mut stream| {
        let mut tls = ServerConnection::new(config.clone()).unwrap();
        while tls.is_handshaking() && tls.complete_io(&mut stream).is_ok() {}
        // Closing a socket before all is read would reset it, and the client might not see why it
        // was refused.
        let _ = stream.shutdown(Shutdown::Write);
        let _ = io::copy(&mut stream, &mut io::sink());
    })
}

#[tokio::test]
async fn a_closed_port_says_how_to_start_a_server() {
    // Bound but not listening: refuses connections, and nobody else can take the port meanwhile.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    assert_eq!(
        failure(&["-target-host", &format!("127.0.0.1:{port}")]).await,
        format!(
            "cannot reach a Temporal server at 127.0.0.1:{port}: connection refused\n\
             start one with: temporal server start-dev --port {port}"
        )
    );
}

#[tokio::test]
async fn an_unknown_host_is_named() {
    let failed = failure(&["-target-host", "no-such-host.invalid:7233"]).await;
    let expected = "cannot reach a Temporal server at no-such-host.invalid:7233: ";
    assert!(failed.starts_with(expected), "{failed}");
    assert!(
        failed.ends_with("\ncheck --target-host (or TEMPORAL_ADDRESS)"),
        "{failed}"
    );
}

#[tokio::test]
async fn silence_has_an_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let limit = Duration::from_millis(300);
    for args in [&[][..], &["-insecure-skip-verify"]] {
        let args = [args, &["-target-host", &address]].concat();
        let settings = settings(&args, &[]).unwrap();
        let start = Instant::now();
        let failed = settings.connect_within(limit).await.err().unwrap();
        assert!(start.elapsed() < Duration::from_secs(5));
        assert!(
            failed
                .to_string()
                .contains("no usable answer within 0.3 s\n"),
            "{failed}"
        );
    }
}

#[tokio::test]
async fn a_server_without_tls_is_told_apart() {
    let address = serve(|mut stream| {
        let _ = stream.read(&mut [0; 512]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let failed = failure(&["-insecure-skip-verify", "-target-host", &address]).await;
    assert!(
        failed.contains("the server does not speak TLS there"),
        "{failed}"
    );
}

#[tokio::test]
async fn a_server_that_wants_tls_is_told_apart() {
    let address = serve_tls(&Certificates::new(), None);
    let failed = failure(&["-target-host", &address]).await;
    assert!(
        failed.contains("if the server expects TLS, give"),
        "{failed}"
    );
    assert_eq!(failed.lines().count(), 2, "{failed}");
}

#[tokio::test]
async fn a_server_must_be_signed_for_and_have_the_right_name() {
    let folder = Folder::new();
    let certificates = Certificates::new();
    let ca = folder.write("ca", &certificates.ca);
    let other_ca = folder.write("other-ca", Certificates::new().ca);
    let address = serve_tls(&certificates, None).replace("127.0.0.1", "localhost");
    let with = |args: &[&'static str], ca: &str| {
        let args = [
            args,
            &["-target-host", &address, "-server-root-ca-cert", ca],
        ]
        .concat();
        settings(&args, &[]).unwrap().connect()
    };
    let told = |outcome: Result<Client, ConnectError>| outcome.err().unwrap().to_string();

    let untrusted = told(with(&[], &other_ca).await);
    assert!(
        untrusted.contains("invalid peer certificate"),
        "{untrusted}"
    );
    assert!(untrusted.contains("--server-root-ca-cert"), "{untrusted}");

    let misnamed = told(with(&["-server-name=other.example"], &ca).await);
    assert!(misnamed.contains("other.example"), "{misnamed}");
    assert!(misnamed.contains("with --server-name"), "{misnamed}");

    // What is verified, or need not be, fails only later, when the test's server hangs up.
    let trusted = told(with(&[], &ca).await);
    assert!(trusted.contains("unexpected end of file"), "{trusted}");
    let unverified = told(with(&["-insecure-skip-verify"], &other_ca).await);
    assert!(
        unverified.contains("unexpected end of file"),
        "{unverified}"
    );
}

#[tokio::test]
async fn a_server_may_want_a_client_certificate() {
    let folder = Folder::new();
    let (server, client, stranger) = (
        Certificates::new(),
        Certificates::new(),
        Certificates::new(),
    );
    let address = serve_tls(&server, Some(&client)).replace("127.0.0.1", "localhost");
    let ca = folder.write("ca", &server.ca);
    let target = ["-target-host", &address, "-server-root-ca-cert", &ca];
    let presenting = async |certificates: &Certificates| {
        let file = folder.write("client", [&*certificates.cert, &certificates.key].concat());
        let client = ["-client-cert", &file, "-client-key", &file];
        failure(&[&target[..], &client].concat()).await
    };

    let none = failure(&target).await;
    assert!(
        none.contains("check --client-cert and --client-key"),
        "{none}"
    );
    let wrong = presenting(&stranger).await;
    assert!(
        wrong.contains("check --client-cert and --client-key"),
        "{wrong}"
    );
    let right = presenting(&client).await;
    assert!(
        right.contains("unexpected end of file") && !right.contains("alert"),
        "{right}"
    );
}

#[test]
fn risks_are_told() {
    let warnings = |args: &[&str], variables: &[(&str, &str)]| {
        let settings = settings(args, variables).unwrap();
        logged(DEFAULT_FILTER, || settings.warn())
    };
    let unverified = warnings(&["-insecure-skip-verify"], &[]);
    assert_eq!(unverified.len(), 1);
    assert!(unverified[0].contains("WARN The certificate of localhost:7233 is not verified"));

    let plaintext = [("TEMPORAL_TLS", "false")];
    let unencrypted = warnings(&["-api-key=k", "-target-host=a.example"], &plaintext);
    assert_eq!(unencrypted.len(), 1);
    assert!(unencrypted[0].contains("WARN TLS is off: the API key travels unencrypted"));

    assert!(warnings(&["-api-key=k"], &plaintext).is_empty());
    assert!(warnings(&["-api-key=k", "-server-name=a.example"], &[]).is_empty());
    assert!(warnings(&[], &[]).is_empty());
}

type Calls = Arc<Mutex<Vec<GrpcRequest>>>;

/// Settings for a server that answers by `answer`, which gets the name of the call, and the calls
/// it got.
fn scripted(
    args: &[&str],
    answer: impl Fn(&str) -> Result<(), Status> + Send + Sync + 'static,
) -> (Settings, Calls) {
    let calls = Calls::default();
    let seen = calls.clone();
    let callback = move |request: GrpcRequest| {
        let answer = answer(&request.rpc).map(|()| GrpcSuccessResponse {
            headers: Default::default(),
            proto: Vec::new(),
        });
        seen.lock().unwrap().push(request);
        Box::pin(async { answer }) as _
    };
    let mut settings = settings(args, &[]).unwrap();
    settings.connection.service_override = Some(CallbackBasedGrpcService {
        callback: Arc::new(callback),
    });
    (settings, calls)
}

fn refuse(call: &'static str, code: Code) -> impl Fn(&str) -> Result<(), Status> {
    move |name| {
        if name == call {
            return Err(Status::new(code, "said the server"));
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_bad_api_key_is_told() {
    for call in ["GetSystemInfo", "DescribeNamespace"] {
        let (settings, _) = scripted(&["-api-key=k"], refuse(call, Code::Unauthenticated));
        assert_eq!(
            settings.connect().await.err().unwrap().to_string(),
            "the Temporal server at localhost:7233 does not accept the credentials: said the server\n\
             check --api-key (or TEMPORAL_API_KEY), or --client-cert and --client-key"
        );
    }
}

#[tokio::test]
async fn a_missing_namespace_comes_with_the_command_that_creates_it() {
    let args = ["-namespace=mine", "-target-host=localhost:7300"];
    let (settings, _) = scripted(&args, refuse("DescribeNamespace", Code::NotFound));
    assert_eq!(
        settings.connect().await.err().unwrap().to_string(),
        "namespace mine does not exist at localhost:7300\n\
         create it with: temporal operator namespace create --namespace mine --address localhost:7300"
    );
}

#[tokio::test]
async fn who_may_not_look_at_a_namespace_may_still_work_in_it() {
    for code in [Code::PermissionDenied, Code::Unimplemented] {
        let (settings, calls) = scripted(&["-namespace=n"], refuse("DescribeNamespace", code));
        let client = settings.connect().await.unwrap();
        assert_eq!(client.options().namespace, "n");
        assert_eq!(
            calls.lock().unwrap().last().unwrap().rpc,
            "DescribeNamespace"
        );
    }
}

#[tokio::test]
async fn other_answers_are_passed_on() {
    let refused = refuse("GetSystemInfo", Code::FailedPrecondition);
    let (settings, _) = scripted(&[], refused);
    assert_eq!(
        settings.connect().await.err().unwrap().to_string(),
        "the Temporal server at localhost:7233 answered: said the server"
    );
}

#[tokio::test]
async fn every_call_carries_the_api_key_and_the_namespace() {
    let (settings, calls) = scripted(&["-api-key=k", "-namespace=n"], |_| Ok(()));
    settings.connect().await.unwrap();
    let calls = calls.lock().unwrap();
    let names: Vec<_> = calls.iter().map(|call| call.rpc.as_str()).collect();
    assert_eq!(names, ["GetSystemInfo", "DescribeNamespace"]);
    for call in calls.iter() {
        assert_eq!(call.headers["authorization"], "Bearer k");
        assert_eq!(call.headers["temporal-namespace"], "n");
    }
}

#[tokio::test]
async fn metadata_that_cannot_be_sent_is_told() {
    let variables = [("TEMPORAL_GRPC_META_A", "line\nbreak")];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let settings = settings(&["-target-host", &address.to_string()], &variables).unwrap();
    let failed = crate::chain::chain(&settings.connect().await.err().unwrap());
    assert!(
        failed.starts_with("the connection settings cannot be used: "),
        "{failed}"
    );
    assert_eq!(failed.lines().count(), 1, "{failed}");
}
