//! What a failed connection failed of, and what to do about it.

use crate::Address;
use rustls::{AlertDescription, CertificateError};
use std::{
    error::Error,
    fmt,
    io::{self, ErrorKind},
    time::Duration,
};

/// Why a server could not be reached. `Display` is the cause in a few words.
#[derive(Debug)]
pub(crate) enum Diagnosis {
    /// Within this time no answer, or only passing troubles, which the client retries.
    Silence(Duration),
    /// The host name has no address.
    Lookup(String),
    /// The network said no.
    Network(ErrorKind),
    /// TLS failed.
    Tls(rustls::Error),
    /// Something else, in its own words.
    Other(String),
}

impl Diagnosis {
    /// Searches an error of the transport for what lies at its bottom.
    pub(crate) fn of(error: &(dyn Error + 'static)) -> Self {
        let mut next = Some(error);
        let mut last = error;
        while let Some(error) = next {
            if let Some(io) = error.downcast_ref::<io::Error>() {
                let inner = io.get_ref().and_then(|inner| inner.downcast_ref());
                if let Some(tls) = inner {
                    return Self::Tls(rustls::Error::clone(tls));
                }
                let known = matches!(io.kind(), ErrorKind::TimedOut | ErrorKind::UnexpectedEof);
                if known || io.raw_os_error().is_some() {
                    return Self::Network(io.kind());
                }
            }
            last = error;
            next = error.source();
        }
        // What stands above says no more than that the transport failed.
        Self::Other(last.to_string())
    }

    /// What a person can do about it.
    pub(crate) fn advice(&self, address: &Address, tls: bool) -> String {
        match self {
            Self::Network(ErrorKind::ConnectionRefused) if address.is_loopback() => {
                format!("start one with: {}", start_command(address.port))
            }
            Self::Tls(error) => tls_advice(error).to_owned(),
            // After the handshake HTTP/2 passes on the words of a TLS error, not the error.
            Self::Other(words) if words.contains("received fatal alert") => {
                CHECK_CLIENT_CERT.to_owned()
            }
            Self::Lookup(_) | Self::Network(ErrorKind::ConnectionRefused) => {
                CHECK_ADDRESS.to_owned()
            }
            _ if tls => format!("{CHECK_ADDRESS}, and whether the server wants a client certificate"),
            _ => "check --target-host (or TEMPORAL_ADDRESS); if the server expects TLS, give --server-root-ca-cert, --client-cert and --client-key, or --api-key".to_owned(),
        }
    }
}

const CHECK_ADDRESS: &str = "check --target-host (or TEMPORAL_ADDRESS)";
const CHECK_CLIENT_CERT: &str = "the server refuses the client certificate, or its absence: check --client-cert and --client-key";

fn start_command(port: u16) -> String {
    match port {
        7233 => "temporal server start-dev --http-port 7243".to_owned(),
        // The HTTP port is left out: it could be the one asked for.
        port => format!("temporal server start-dev --port {port}"),
    }
}

fn tls_advice(error: &rustls::Error) -> &'static str {
    use rustls::Error as Tls;
    match error {
        Tls::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "give a name that the certificate is for with --server-name",
        Tls::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => "the server needs a new certificate",
        Tls::InvalidCertificate(_) => {
            "give the CA that signed the server's certificate with --server-root-ca-cert"
        }
        Tls::AlertReceived(AlertDescription::NoApplicationProtocol) => {
            "the server does not speak HTTP/2 there: check --target-host"
        }
        Tls::AlertReceived(_) => CHECK_CLIENT_CERT,
        Tls::InvalidMessage(_) => {
            "the server does not speak TLS there: check --target-host, or leave out TLS flags and API key"
        }
        _ => "check --target-host and the TLS flags",
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silence(limit) => write!(f, "no usable answer within {} s", limit.as_secs_f32()),
            Self::Lookup(words) | Self::Other(words) => f.write_str(words),
            Self::Network(kind) => kind.fmt(f),
            Self::Tls(error) => error.fmt(f),
        }
    }
}
