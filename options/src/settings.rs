//! From flags, environment and profile to the SDK's connection options.

use crate::{Address, ArgumentError, Flags, Result, tls};
use std::{collections::HashMap, env, ffi::OsString, fmt, time::Duration};
use temporalio_client::{
    ConnectionOptions, GrpcCompression, TlsOptions, tonic::metadata::AsciiMetadataValue,
};
use temporalio_common::envconfig::{
    ClientConfigProfile, DataSource, LoadClientConfigProfileOptions, load_client_config_profile,
};

const DEFAULT_ADDRESS: &str = "localhost:7233";
const DEFAULT_NAMESPACE: &str = "default";

/// Time for an answer from DNS, and for a TCP connection, within the longer time that
/// [`Settings::connect`] gives the whole.
pub(crate) const NETWORK_TIMEOUT: Duration = Duration::from_secs(5);

/// Complete and checked connection settings.
pub(crate) struct Settings {
    pub(crate) address: Address,
    pub(crate) namespace: String,
    pub(crate) connection: ConnectionOptions,
}

impl Settings {
    /// Completes `flags` with the environment, the profile and the defaults. [The crate's
    /// page](crate#precedence) tells how they rank.
    ///
    /// # Errors
    ///
    /// The first of: flags that cannot be combined, a profile that cannot be read, files of
    /// certificates or keys that cannot be used, an address that is none.
    pub(crate) fn load(flags: Flags) -> Result<Self, ArgumentError> {
        Self::load_with(flags, &environment(env::vars_os()))
    }

    pub(crate) fn load_with(
        flags: Flags,
        environment: &HashMap<String, String>,
    ) -> Result<Self, ArgumentError> {
        let flags = flags.checked()?;
        let profile = LoadClientConfigProfileOptions::default();
        let profile = load_client_config_profile(profile, Some(environment))
            .map_err(|error| ArgumentError::Profile(without_excerpts(&error.to_string())))?;
        Self::new(overlay(flags, profile))
    }

    fn new(profile: ClientConfigProfile) -> Result<Self, ArgumentError> {
        let filled = |value: Option<String>| value.filter(|value| !value.is_empty());
        let namespace = filled(profile.namespace).unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
        let api_key = filled(profile.api_key);
        // The SDK would leave out such a key without a word, and the server would only see that
        // there is none.
        if let Some(key) = &api_key
            && key.parse::<AsciiMetadataValue>().is_err()
        {
            return Err(ArgumentError::ApiKey);
        }

        let tls_switch = profile.tls.as_ref().map(|tls| tls.disabled != Some(true));
        let tls = match (tls_switch, api_key.is_some()) {
            (Some(false), _) | (None, false) => None,
            _ => Some(tls::options(profile.tls.unwrap_or_default())?),
        };

        let address = filled(profile.address).unwrap_or_else(|| DEFAULT_ADDRESS.to_owned());
        let address = Address::parse(&address).ok_or(ArgumentError::TargetHost(address))?;
        let tls = match (address.tls, tls) {
            (Some(false), Some(_)) => {
                return Err(ArgumentError::PlaintextTarget(address.to_string()));
            }
            (Some(true), None) if tls_switch == Some(false) => {
                return Err(ArgumentError::TlsTarget(address.to_string()));
            }
            (Some(true), None) => Some(TlsOptions::default()),
            (_, tls) => tls,
        };

        let mut headers = profile.grpc_meta;
        if api_key.is_some() {
            // Temporal Cloud routes by it, also those calls that the SDK does not mark with their
            // namespace.
            headers.insert("temporal-namespace".to_owned(), namespace.clone());
        }
        let connection = ConnectionOptions::new(address.url(tls.is_some()))
            // Histories name who started a workflow; other SDKs write the same by default.
            .identity(format!(
                "{}@{}",
                std::process::id(),
                gethostname::gethostname().to_string_lossy()
            ))
            .maybe_api_key(api_key)
            .maybe_tls_options(tls)
            .headers(headers)
            .connect_timeout(NETWORK_TIMEOUT)
            // The balancer retries for ever in silence where a single connection says what is
            // wrong, and one program of a sample needs no more.
            .dns_load_balancing(None)
            .grpc_compression(compression(&address))
            .build();
        Ok(Self {
            address,
            namespace,
            connection,
        })
    }
}

impl fmt::Debug for Settings {
    // The connection options would print the API key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("address", &self.address.to_string())
            .field("namespace", &self.namespace)
            .field("tls", &self.connection.tls_options)
            .finish_non_exhaustive()
    }
}

/// Gzip costs a quarter of a worker's CPU, and bytes are free where they do not leave the machine.
fn compression(address: &Address) -> GrpcCompression {
    if address.is_loopback() {
        GrpcCompression::None
    } else {
        GrpcCompression::default()
    }
}

/// One line of a message about TOML. The lines left out show the file's content, which may be a
/// secret.
fn without_excerpts(message: &str) -> String {
    let lines = message.lines().filter(|line| !line.contains(" |"));
    lines.map(str::trim).collect::<Vec<_>>().join(": ")
}

/// The variables that the SDK's configuration knows, without empty ones: it would take those for
/// values.
///
/// Empty metadata variables stay, because they remove what the profile says. The SDK is not left to
/// read the environment itself, because it panics when any variable of the process is not Unicode.
fn environment(variables: impl Iterator<Item = (OsString, OsString)>) -> HashMap<String, String> {
    variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with("TEMPORAL_"))
        .filter(|(name, value)| !value.is_empty() || name.starts_with("TEMPORAL_GRPC_META_"))
        .map(|(name, value)| (name, value.to_string_lossy().into_owned()))
        .collect()
}

/// Puts the flags over the profile.
fn overlay(flags: Flags, mut profile: ClientConfigProfile) -> ClientConfigProfile {
    profile.address = flags.target_host.or(profile.address);
    profile.namespace = flags.namespace.or(profile.namespace);

    let tls_given = flags.server_root_ca_cert.is_some()
        || flags.client_cert.is_some()
        || flags.server_name.is_some()
        || flags.insecure_skip_verify == Some(true);
    if tls_given {
        profile.tls.get_or_insert_default().disabled = Some(false);
    }

    if let Some(api_key) = flags.api_key {
        profile.api_key = Some(api_key);
        if let Some(tls) = &mut profile.tls {
            tls.client_cert = None;
            tls.client_key = None;
        }
    }
    if flags.client_cert.is_some() {
        profile.api_key = None;
    }
    if let Some(tls) = &mut profile.tls {
        let file = |flag: Option<String>| flag.map(DataSource::Path);
        tls.client_cert = file(flags.client_cert).or(tls.client_cert.take());
        tls.client_key = file(flags.client_key).or(tls.client_key.take());
        tls.server_ca_cert = file(flags.server_root_ca_cert).or(tls.server_ca_cert.take());
        tls.server_name = flags.server_name.or(tls.server_name.take());
        tls.disable_host_verification = flags
            .insecure_skip_verify
            .unwrap_or(tls.disable_host_verification);
    }
    profile
}

#[cfg(test)]
mod tests;
