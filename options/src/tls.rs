//! Certificates and keys, read and checked before any connection is tried.

use crate::{ArgumentError, PemError, verifier::AcceptAnyCertificate};
use rustls::{
    RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem, pem::PemObject as _},
    sign::CertifiedKey,
};
use std::{fs, sync::Arc};
use temporalio_client::{ClientTlsOptions, TlsOptions, danger::ServerCertVerifier};
use temporalio_common::envconfig::{ClientConfigTLS, DataSource};

/// Makes the SDK's options of a profile's: all files are read and parsed, and a key must belong to
/// its certificate.
pub(crate) fn options(config: ClientConfigTLS) -> Result<TlsOptions, ArgumentError> {
    let identity = match (config.client_cert, config.client_key) {
        (Some(cert), Some(key)) => Some(client_identity(&cert, &key)?),
        (None, None) => None,
        _ => return Err(ArgumentError::IncompleteProfile),
    };
    let ca = config.server_ca_cert.as_ref().map(server_ca).transpose()?;
    if let Some(name) = &config.server_name
        && ServerName::try_from(name.as_str()).is_err()
    {
        return Err(ArgumentError::ServerName(name.clone()));
    }
    let verifier = config
        .disable_host_verification
        .then(|| Arc::new(AcceptAnyCertificate::default()) as Arc<dyn ServerCertVerifier>);
    Ok(TlsOptions::builder()
        .maybe_client_tls_options(identity)
        // The SDK refuses to have both, and the verifier would not look at the CA anyway.
        .maybe_server_root_ca_cert(ca.filter(|_| verifier.is_none()))
        .maybe_server_cert_verifier(verifier)
        .maybe_domain(config.server_name)
        .build())
}

fn client_identity(cert: &DataSource, key: &DataSource) -> Result<ClientTlsOptions, ArgumentError> {
    let failed = |file: &DataSource| {
        let file = label(file);
        move |source| ArgumentError::ClientIdentity { file, source }
    };
    let client_cert = read(cert).map_err(failed(cert))?;
    let client_private_key = read(key).map_err(failed(key))?;
    let chain = certificates(&client_cert).map_err(failed(cert))?;
    let parsed_key = private_key(&client_private_key).map_err(failed(key))?;
    CertifiedKey::from_der(chain, parsed_key, &ring::default_provider())
        .map_err(PemError::from)
        .map_err(failed(key))?;
    Ok(ClientTlsOptions::builder()
        .client_cert(client_cert)
        .client_private_key(client_private_key)
        .build())
}

fn server_ca(source: &DataSource) -> Result<Vec<u8>, ArgumentError> {
    let file = label(source);
    let pem = read(source).map_err(|source| ArgumentError::ReadServerCa {
        file: file.clone(),
        source,
    })?;
    match certificates(&pem) {
        Ok(certificates) => {
            let (usable, _) = RootCertStore::empty().add_parsable_certificates(certificates);
            if usable > 0 {
                return Ok(pem);
            }
            Err(PemError::Certificate)
        }
        Err(source) => Err(source),
    }
    .map_err(|source| ArgumentError::ServerCa { file, source })
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>()?;
    if certificates.is_empty() {
        return Err(PemError::NoCertificate);
    }
    Ok(certificates)
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, PemError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        pem::Error::NoItemsFound if is_encrypted(pem) => PemError::EncryptedKey,
        pem::Error::NoItemsFound => PemError::NoKey,
        other => other.into(),
    })
}

fn is_encrypted(pem: &[u8]) -> bool {
    String::from_utf8_lossy(pem).contains("BEGIN ENCRYPTED PRIVATE KEY")
}

fn read(source: &DataSource) -> Result<Vec<u8>, PemError> {
    match source {
        DataSource::Path(path) => Ok(fs::read(path)?),
        DataSource::Data(data) => Ok(data.clone()),
        other => Err(PemError::Source(format!("{other:?}"))),
    }
}

/// What to call a source in an error.
fn label(source: &DataSource) -> String {
    match source {
        DataSource::Path(path) => path.clone(),
        _ => "the data given".to_owned(),
    }
}
