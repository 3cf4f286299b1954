use super::*;
use crate::{
    PemError,
    chain::chain,
    test_support::{Certificates, Folder, settings},
};
use std::{error::Error as _, ffi::OsStr};

const PROFILES: &str = r#"
[profile.default]
address = "from-default-profile:1"
namespace = "from-default-profile"

[profile.other]
address = "from-other-profile:2"

[profile.key]
api_key = "from-profile"
grpc_meta = { tenant = "a" }

[profile.plain]
tls = { disabled = true }

[profile.tls]
tls = { server_name = "from.profile", disable_host_verification = true }
"#;

fn shown(settings: &Settings) -> (String, &str) {
    (settings.address.to_string(), &settings.namespace)
}

fn tls(settings: &Settings) -> &TlsOptions {
    settings.connection.tls_options.as_ref().expect("TLS is on")
}

fn header<'a>(settings: &'a Settings, name: &str) -> Option<&'a str> {
    let headers = settings.connection.headers.as_ref()?;
    headers.get(name).map(String::as_str)
}

fn failure(args: &[&str], variables: &[(&str, &str)]) -> String {
    chain(&settings(args, variables).unwrap_err())
}

/// A folder with a certificate authority `ca`, a client's `cert` and `key`, and the profiles.
fn files() -> Folder {
    let folder = Folder::new();
    let Certificates { ca, cert, key } = Certificates::new();
    folder.write("ca", ca);
    folder.write("cert", cert);
    folder.write("key", key);
    folder.write("profiles", PROFILES);
    folder
}

#[test]
fn nothing_given_means_the_defaults() {
    let settings = settings(&[], &[]).unwrap();
    assert_eq!(shown(&settings), ("localhost:7233".to_owned(), "default"));
    assert_eq!(
        settings.connection.target.as_str(),
        "http://localhost:7233/"
    );
    assert!(settings.connection.tls_options.is_none());
    assert!(settings.connection.api_key.is_none());
    assert_eq!(header(&settings, "temporal-namespace"), None);
}

#[test]
fn flags_win_over_variables_and_those_over_the_profile() {
    let folder = files();
    let file = ("TEMPORAL_CONFIG_FILE", &*folder.path("profiles"));
    let variables = [
        file,
        ("TEMPORAL_ADDRESS", "from-variable:3"),
        ("TEMPORAL_NAMESPACE", "from-variable"),
    ];
    let flags = ["-target-host=from-flag:4", "-namespace=from-flag"];
    let address = |name: &str, port| format!("{name}:{port}");

    let profile = settings(&[], &[file]).unwrap();
    let from_profile = (address("from-default-profile", 1), "from-default-profile");
    assert_eq!(shown(&profile), from_profile);

    let variable = settings(&[], &variables).unwrap();
    assert_eq!(
        shown(&variable),
        (address("from-variable", 3), "from-variable")
    );

    let flag = settings(&flags, &variables).unwrap();
    assert_eq!(shown(&flag), (address("from-flag", 4), "from-flag"));

    let mixed = settings(&flags[..1], &[file]).unwrap();
    assert_eq!(
        shown(&mixed),
        (address("from-flag", 4), "from-default-profile")
    );
}

#[test]
fn a_profile_can_be_chosen() {
    let folder = files();
    let file = ("TEMPORAL_CONFIG_FILE", &*folder.path("profiles"));
    let other = settings(&[], &[file, ("TEMPORAL_PROFILE", "other")]).unwrap();
    assert_eq!(
        shown(&other),
        ("from-other-profile:2".to_owned(), "default")
    );
    assert_eq!(
        failure(&[], &[file, ("TEMPORAL_PROFILE", "nowhere")]),
        "failed reading temporal.toml or the TEMPORAL_* variables: Profile 'nowhere' not found"
    );
}

#[test]
fn a_broken_profile_is_told_without_its_content() {
    let folder = Folder::new();
    let file = folder.write("profiles", "[profile.default]\napi_key = my secret\n");
    let failed = failure(&[], &[("TEMPORAL_CONFIG_FILE", &file)]);
    assert!(failed.contains("TOML parse error at line 2"), "{failed}");
    assert!(!failed.contains("secret"), "{failed}");
    assert_eq!(failed.lines().count(), 1, "{failed}");
}

#[test]
fn empty_values_are_not_given() {
    let variables = [
        "ADDRESS",
        "NAMESPACE",
        "API_KEY",
        "TLS",
        "TLS_SERVER_NAME",
        "PROFILE",
    ]
    .map(|name| (OsString::from(format!("TEMPORAL_{name}")), OsString::new()));
    let environment = environment(variables.into_iter());
    assert!(environment.is_empty(), "{environment:?}");

    let folder = Folder::new();
    let empty = "[profile.default]\naddress = ''\nnamespace = ''\napi_key = ''";
    let file = ("TEMPORAL_CONFIG_FILE", &*folder.write("profiles", empty));
    let settings = settings(&["-target-host=", "-namespace", ""], &[file]).unwrap();
    assert_eq!(shown(&settings), ("localhost:7233".to_owned(), "default"));
    assert!(settings.connection.tls_options.is_none());
}

#[test]
fn only_temporals_variables_are_read() {
    let variables = [
        ("PATH", "/bin"),
        ("TEMPORAL_NAMESPACE", "n"),
        ("TEMPORAL_GRPC_META_A", ""),
    ];
    let variables = variables.map(|(name, value)| (name.into(), value.into()));
    let environment = environment(variables.into_iter());
    let mut names: Vec<_> = environment.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["TEMPORAL_GRPC_META_A", "TEMPORAL_NAMESPACE"]);
}

#[cfg(unix)]
#[test]
fn variables_that_are_not_unicode_do_no_harm() {
    use std::os::unix::ffi::OsStrExt as _;
    let odd = OsStr::from_bytes(b"\xff");
    let variables = [(odd, OsStr::new("x")), (OsStr::new("LANG"), odd)];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert!(environment(variables.into_iter()).is_empty());
}

#[test]
fn each_tls_flag_turns_tls_on() {
    let folder = files();
    let (ca, cert, key) = (folder.path("ca"), folder.path("cert"), folder.path("key"));
    let given = settings(&["-server-root-ca-cert", &ca], &[]).unwrap();
    assert!(tls(&given).server_root_ca_cert.is_some());
    assert_eq!(given.connection.target.as_str(), "https://localhost:7233/");

    let given = settings(&["-client-cert", &cert, "-client-key", &key], &[]).unwrap();
    assert!(tls(&given).client_tls_options.is_some());

    let given = settings(&["-server-name", "a.example"], &[]).unwrap();
    assert_eq!(tls(&given).domain.as_deref(), Some("a.example"));

    let given = settings(&["-insecure-skip-verify"], &[]).unwrap();
    assert!(tls(&given).server_cert_verifier.is_some());

    let given = settings(&["-insecure-skip-verify=false"], &[]).unwrap();
    assert!(given.connection.tls_options.is_none());
}

#[test]
fn tls_flags_win_where_tls_is_switched_off() {
    for off in [("TEMPORAL_TLS", "false"), ("TEMPORAL_PROFILE", "plain")] {
        let folder = files();
        let variables = [off, ("TEMPORAL_CONFIG_FILE", &*folder.path("profiles"))];
        let plain = settings(&[], &variables).unwrap();
        assert!(plain.connection.tls_options.is_none());
        let plain = settings(&["-api-key=k"], &variables).unwrap();
        assert!(plain.connection.tls_options.is_none());
        let given = settings(&["-server-name=a.example"], &variables).unwrap();
        assert_eq!(tls(&given).domain.as_deref(), Some("a.example"));
    }
}

#[test]
fn tls_flags_are_laid_over_the_profiles() {
    let folder = files();
    let variables = [
        ("TEMPORAL_CONFIG_FILE", &*folder.path("profiles")),
        ("TEMPORAL_PROFILE", "tls"),
    ];
    let profile = settings(&[], &variables).unwrap();
    assert_eq!(tls(&profile).domain.as_deref(), Some("from.profile"));
    assert!(tls(&profile).server_cert_verifier.is_some());

    let flags = ["-server-name=from.flag", "-insecure-skip-verify=false"];
    let flag = settings(&flags, &variables).unwrap();
    assert_eq!(tls(&flag).domain.as_deref(), Some("from.flag"));
    assert!(tls(&flag).server_cert_verifier.is_none());
}

#[test]
fn an_unverified_server_needs_no_ca() {
    let folder = files();
    let ca = folder.path("ca");
    let given = settings(&["-insecure-skip-verify", "-server-root-ca-cert", &ca], &[]).unwrap();
    assert!(tls(&given).server_cert_verifier.is_some());
    assert!(tls(&given).server_root_ca_cert.is_none());
}

#[test]
fn an_api_key_brings_tls_and_the_namespace() {
    let folder = files();
    let ca = folder.path("ca");
    let args = ["-api-key=k", "-namespace=n", "-server-root-ca-cert", &ca];
    let given = settings(&args, &[]).unwrap();
    assert_eq!(given.connection.api_key.as_deref(), Some("k"));
    assert_eq!(header(&given, "temporal-namespace"), Some("n"));
    assert!(tls(&given).server_root_ca_cert.is_some());

    let given = settings(&args[..2], &[]).unwrap();
    assert_eq!(given.connection.target.scheme(), "https");
    assert!(tls(&given).server_root_ca_cert.is_none());
}

#[test]
fn metadata_of_the_profile_stays() {
    let folder = files();
    let variables = [
        ("TEMPORAL_CONFIG_FILE", &*folder.path("profiles")),
        ("TEMPORAL_PROFILE", "key"),
        ("TEMPORAL_GRPC_META_COLOUR", "red"),
        ("TEMPORAL_GRPC_META_TEMPORAL_NAMESPACE", "another"),
    ];
    let given = settings(&["-namespace=n"], &variables).unwrap();
    assert_eq!(header(&given, "tenant"), Some("a"));
    assert_eq!(header(&given, "colour"), Some("red"));
    assert_eq!(header(&given, "temporal-namespace"), Some("n"));
}

#[test]
fn credentials_of_flags_replace_those_of_the_environment() {
    let folder = files();
    let (cert, key) = (folder.path("cert"), folder.path("key"));
    let api_key = ("TEMPORAL_API_KEY", "from-variable");
    let client_cert = [
        ("TEMPORAL_TLS_CLIENT_CERT_PATH", cert.as_str()),
        ("TEMPORAL_TLS_CLIENT_KEY_PATH", key.as_str()),
    ];

    let flags = ["-client-cert", &cert, "-client-key", &key];
    let given = settings(&flags, &[api_key]).unwrap();
    assert_eq!(given.connection.api_key, None);
    assert_eq!(header(&given, "temporal-namespace"), None);
    assert!(tls(&given).client_tls_options.is_some());

    let given = settings(&["-api-key=from-flag"], &client_cert).unwrap();
    assert_eq!(given.connection.api_key.as_deref(), Some("from-flag"));
    assert!(tls(&given).client_tls_options.is_none());

    let given = settings(&["-api-key=from-flag"], &[api_key]).unwrap();
    assert_eq!(given.connection.api_key.as_deref(), Some("from-flag"));

    let given = settings(&[], &client_cert).unwrap();
    assert!(tls(&given).client_tls_options.is_some());
}

#[test]
fn certificates_may_be_inline() {
    let Certificates { ca, cert, key } = Certificates::new();
    let variables = [
        ("TEMPORAL_TLS_CLIENT_CERT_DATA", &*cert),
        ("TEMPORAL_TLS_CLIENT_KEY_DATA", &*key),
        ("TEMPORAL_TLS_SERVER_CA_CERT_DATA", &*ca),
    ];
    let given = settings(&[], &variables).unwrap();
    let identity = tls(&given).client_tls_options.as_ref().unwrap();
    assert_eq!(identity.client_cert, cert.as_bytes());
    assert_eq!(identity.client_private_key, key.as_bytes());
    assert_eq!(
        tls(&given).server_root_ca_cert.as_deref(),
        Some(ca.as_bytes())
    );
}

#[test]
fn the_scheme_of_the_target_counts() {
    let target = |args: &[&str], variables: &[(&str, &str)]| {
        let settings = settings(args, variables).unwrap();
        settings.connection.target.to_string()
    };
    assert_eq!(
        target(&["-target-host=http://a.example:1"], &[]),
        "http://a.example:1/"
    );
    assert_eq!(
        target(&["-target-host=https://a.example:1"], &[]),
        "https://a.example:1/"
    );
    assert_eq!(
        target(&["-target-host=https://a.example:1", "-api-key=k"], &[]),
        "https://a.example:1/"
    );
    assert_eq!(
        failure(&["-target-host=http://a.example:1", "-api-key=k"], &[]),
        "http:// does not go with TLS flags or an API key: write a.example:1 alone"
    );
    let refused = failure(
        &["-target-host=https://a.example:1"],
        &[("TEMPORAL_TLS", "false")],
    );
    assert!(refused.starts_with("https:// does not go with TEMPORAL_TLS=false"));
    assert_eq!(
        failure(&["-target-host=a.example:http"], &[]),
        "invalid target host \"a.example:http\": expected host:port, such as localhost:7233"
    );
}

#[test]
fn nothing_is_compressed_on_loopback() {
    let compression = |host| {
        let settings = settings(&["-target-host", host], &[]).unwrap();
        settings.connection.grpc_compression
    };
    for host in [
        "localhost:7233",
        "127.0.0.1:7233",
        "127.1.2.3:1",
        "[::1]:7233",
    ] {
        assert_eq!(compression(host), GrpcCompression::None, "{host}");
    }
    for host in ["a.example:7233", "10.0.0.1:7233", "[2001:db8::1]:7233"] {
        assert_eq!(compression(host), GrpcCompression::default(), "{host}");
    }
}

#[test]
fn flags_are_checked_before_any_file_is_read() {
    let missing = ["-server-root-ca-cert=/none", "-client-cert=/none"];
    let variables = [("TEMPORAL_PROFILE", "nowhere")];
    assert!(failure(&missing, &variables).starts_with("either both or neither"));
    let both = ["-client-cert=/none", "-client-key=/none", "-api-key=k"];
    assert!(failure(&both, &variables).ends_with("are required, not both"));
    assert!(failure(&missing[..1], &variables).contains("Profile 'nowhere' not found"));
}

#[test]
fn client_cert_and_key_are_loaded_before_the_ca() {
    let folder = files();
    let missing = folder.path("missing");
    let args = ["-server-root-ca-cert", &missing, "-client-key", &missing];
    let failed = failure(&[&args[..], &["-client-cert", &missing]].concat(), &[]);
    assert_eq!(
        failed,
        format!(
            "failed loading client cert and key: {missing}: No such file or directory (os error 2)"
        )
    );
    let failed = failure(&args[..2], &[]);
    let expected = format!("failed reading server CA: {missing}: No such file or directory");
    assert!(failed.starts_with(&expected), "{failed}");
}

#[test]
fn client_cert_and_key_must_be_what_they_should_be() {
    let folder = files();
    folder.write("empty", "");
    folder.write("other-key", Certificates::new().key);
    folder.write("torn", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    folder.write(
        "no-base64",
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    );
    folder.write(
        "no-cert",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    folder.write(
        "no-key",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    );
    folder.write(
        "encrypted",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    for (cert, key, at_fault, words) in [
        ("empty", "key", "empty", "no CERTIFICATE section"),
        ("key", "key", "key", "no CERTIFICATE section"),
        ("torn", "key", "torn", "bad PEM: "),
        ("no-base64", "key", "no-base64", "bad PEM: "),
        ("no-cert", "key", "key", "not usable for TLS: "),
        ("cert", "empty", "empty", "no PRIVATE KEY section"),
        ("cert", "cert", "cert", "no PRIVATE KEY section"),
        (
            "cert",
            "encrypted",
            "encrypted",
            "the private key is encrypted: ",
        ),
        ("cert", "no-key", "no-key", "not usable for TLS: "),
        (
            "cert",
            "other-key",
            "other-key",
            "the private key does not match the certificate",
        ),
    ] {
        let (cert, key) = (folder.path(cert), folder.path(key));
        let failed = failure(&["-client-cert", &cert, "-client-key", &key], &[]);
        let file = folder.path(at_fault);
        let expected = format!("failed loading client cert and key: {file}: {words}");
        assert!(failed.starts_with(&expected), "{failed}\n{expected}");
        assert_eq!(failed.lines().count(), 1, "{failed}");
    }
}

#[test]
fn one_file_may_hold_certificate_and_key() {
    let folder = Folder::new();
    let Certificates { ca, cert, key } = Certificates::new();
    let file = folder.write("all", [key, cert, ca].concat());
    let given = settings(&["-client-cert", &file, "-client-key", &file], &[]).unwrap();
    assert!(tls(&given).client_tls_options.is_some());
}

#[test]
fn the_ca_must_be_a_certificate() {
    let folder = files();
    let good = Certificates::new().ca;
    let bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (content, words) in [
        ("", "no CERTIFICATE section"),
        (bad, "no certificate in it can be parsed"),
        ("-----BEGIN CERTIFICATE-----\n", "bad PEM: "),
    ] {
        let file = folder.write("bad", content);
        let failed = failure(&["-server-root-ca-cert", &file], &[]);
        let expected = format!("server CA PEM file invalid: {file}: {words}");
        assert!(failed.starts_with(&expected), "{failed}");
    }
    let mixed = folder.write("mixed", [bad, &good].concat());
    settings(&["-server-root-ca-cert", &mixed], &[]).unwrap();
}

#[test]
fn half_a_client_certificate_in_the_environment_is_refused() {
    let folder = files();
    let cert = folder.path("cert");
    let failed = failure(&[], &[("TEMPORAL_TLS_CLIENT_CERT_PATH", &cert)]);
    assert!(failed.ends_with("give both or neither"), "{failed}");
}

#[test]
fn a_server_name_is_a_host_name() {
    assert_eq!(
        failure(&["-server-name=a.example:7233"], &[]),
        "invalid server name \"a.example:7233\": expected a host name without a port"
    );
}

#[test]
fn errors_keep_their_source() {
    let error = settings(&["-server-root-ca-cert=/none"], &[]).unwrap_err();
    let source = error.source().unwrap();
    assert!(matches!(source.downcast_ref(), Some(PemError::Read(_))));
}

#[test]
fn the_api_key_is_not_printed() {
    let settings = settings(&["-api-key=secret"], &[]).unwrap();
    assert!(!format!("{settings:?}").contains("secret"));
}

#[test]
fn an_api_key_that_cannot_be_sent_is_refused() {
    for key in ["line\nbreak", "at the end\n"] {
        let failed = failure(&["-api-key", key], &[]);
        assert!(failed.starts_with("the API key has characters"), "{failed}");
        assert_eq!(failure(&[], &[("TEMPORAL_API_KEY", key)]), failed);
    }
}
