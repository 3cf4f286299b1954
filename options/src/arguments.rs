//! What can be wrong with flags, environment and profile. The texts are the Go sample's where it
//! has one.

use std::io;

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArgumentError {
    /// Only one of the flags for the client certificate and its key was given.
    #[error("either both or neither of -client-key and -client-cert are required")]
    IncompleteClientCert,
    /// Flags gave two kinds of credentials.
    #[error("either -client-cert and -client-key or -api-key are required, not both")]
    ClientCertAndApiKey,
    /// The environment or the profile has only one of client certificate and key.
    #[error(
        "the TEMPORAL_TLS_CLIENT_* variables or the profile give a client certificate without its key, or the key alone: give both or neither"
    )]
    IncompleteProfile,
    /// The API key cannot be sent.
    #[error("the API key has characters that cannot be sent: is there a line break in it?")]
    ApiKey,
    /// The client certificate or its key cannot be used.
    #[error("failed loading client cert and key: {file}")]
    ClientIdentity {
        /// Path of the file at fault.
        file: String,
        /// What is wrong with it.
        source: PemError,
    },
    /// The file of the server's CA cannot be read.
    #[error("failed reading server CA: {file}")]
    ReadServerCa {
        /// Path of the file.
        file: String,
        /// Why not.
        source: PemError,
    },
    /// The file of the server's CA has no certificate that can be used.
    #[error("server CA PEM file invalid: {file}")]
    ServerCa {
        /// Path of the file.
        file: String,
        /// What is wrong with it.
        source: PemError,
    },
    /// The name to verify the server by is neither a DNS name nor an IP address.
    #[error("invalid server name {0:?}: expected a host name without a port")]
    ServerName(String),
    /// The address is not one.
    #[error("invalid target host {0:?}: expected host:port, such as localhost:7233")]
    TargetHost(String),
    /// `http://` was written before an address that is to be reached by TLS.
    #[error("http:// does not go with TLS flags or an API key: write {0} alone")]
    PlaintextTarget(String),
    /// `https://` was written before an address while TLS is switched off.
    #[error(
        "https:// does not go with TEMPORAL_TLS=false or a profile that disables TLS: write {0} alone or allow TLS"
    )]
    TlsTarget(String),
    /// The profile cannot be read.
    #[error("failed reading temporal.toml or the TEMPORAL_* variables: {0}")]
    Profile(String),
}

/// What is wrong with a file of certificates or keys.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// It is not in PEM form.
    #[error("bad PEM")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// It holds no certificate.
    #[error("no CERTIFICATE section")]
    NoCertificate,
    /// It holds certificates, none of which can be parsed.
    #[error("no certificate in it can be parsed")]
    Certificate,
    /// It holds no private key.
    #[error("no PRIVATE KEY section")]
    NoKey,
    /// Its private key is encrypted.
    #[error("the private key is encrypted: decrypt it with `openssl pkey` first")]
    EncryptedKey,
    /// The private key is another certificate's.
    #[error("the private key does not match the certificate")]
    KeyMismatch,
    /// Certificate or key cannot be used for TLS.
    #[error("not usable for TLS: {0}")]
    Unusable(rustls::Error),
    /// The SDK's configuration knows a kind of source that this crate does not.
    #[error("unknown source {0}")]
    Source(String),
}

impl From<rustls::Error> for PemError {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::InconsistentKeys(_) => Self::KeyMismatch,
            other => Self::Unusable(other),
        }
    }
}
