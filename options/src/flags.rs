//! The flags, and what may be combined.

use crate::{ArgumentError, Client, Context as _, Result, Settings, go_flags, init_logging};
use clap::{
    ArgAction, Parser,
    error::{ContextKind, ContextValue},
};
use std::{env, ffi::OsString, fmt};

const SOURCES: &str = "\
Flags are written with one dash or two. What no flag says is taken from the environment
variables TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY and TEMPORAL_TLS_*, then from
the profile TEMPORAL_PROFILE of the file TEMPORAL_CONFIG_FILE (temporal.toml), then from the
defaults above. See https://docs.temporal.io/develop/environment-configuration";

/// How to reach the Temporal service: the flags of the Go sample, which every program of this
/// sample has.
///
/// An empty value counts as not given, so that scripts can write `-api-key "$KEY"`. Of a repeated
/// flag the last one counts.
///
/// A program with more flags flattens these into its own:
///
/// ```no_run
/// # async fn program() -> options::Result {
/// /// Greets people.
/// #[derive(clap::Parser)]
/// struct Arguments {
///     #[command(flatten)]
///     connection: options::Flags,
///     /// Language to greet in
///     #[arg(long, default_value = "en")]
///     language: String,
/// }
///
/// let arguments: Arguments = options::parse();
/// let client = arguments.connection.connect().await?;
/// # Ok(())
/// # }
/// ```
#[derive(clap::Args, Clone, Default)]
#[command(about = None, long_about = None, after_help = SOURCES)]
pub struct Flags {
    /// Host:port for the Temporal service (default "localhost:7233")
    #[arg(long, value_name = "HOST:PORT")]
    pub target_host: Option<String>,

    /// Namespace to connect to (default "default")
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,

    /// Optional path to root server CA cert, used instead of the system's
    #[arg(long, value_name = "PATH")]
    pub server_root_ca_cert: Option<String>,

    /// Optional path to client cert, mutually exclusive with API key
    #[arg(long, value_name = "PATH")]
    pub client_cert: Option<String>,

    /// Optional path to client key, mutually exclusive with API key
    #[arg(long, value_name = "PATH")]
    pub client_key: Option<String>,

    /// Server name to use for verifying the server's certificate
    #[arg(long, value_name = "NAME")]
    pub server_name: Option<String>,

    /// Skip verification of the server's certificate and host name
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, value_parser = go_flags::parse_bool)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub insecure_skip_verify: Option<bool>,

    /// Optional API key, mutually exclusive with cert/key
    #[arg(long, value_name = "KEY")]
    pub api_key: Option<String>,
}

impl Flags {
    /// Completes the flags with environment, profile and defaults, and connects.
    ///
    /// # Errors
    ///
    /// `Invalid arguments: …` with an [`ArgumentError`], `Unable to create client: …` with a
    /// [`ConnectError`](crate::ConnectError).
    pub async fn connect(self) -> Result<Client> {
        let settings = Settings::load(self).context("Invalid arguments")?;
        settings.connect().await.context("Unable to create client")
    }

    /// Drops empty values and refuses combinations that cannot be meant.
    pub(crate) fn checked(mut self) -> Result<Self, ArgumentError> {
        for value in [
            &mut self.target_host,
            &mut self.namespace,
            &mut self.server_root_ca_cert,
            &mut self.client_cert,
            &mut self.client_key,
            &mut self.server_name,
            &mut self.api_key,
        ] {
            value.take_if(|value| value.is_empty());
        }
        if self.client_cert.is_some() != self.client_key.is_some() {
            return Err(ArgumentError::IncompleteClientCert);
        }
        if self.client_cert.is_some() && self.api_key.is_some() {
            return Err(ArgumentError::ClientCertAndApiKey);
        }
        Ok(self)
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flags")
            .field("target_host", &self.target_host)
            .field("namespace", &self.namespace)
            .field("server_root_ca_cert", &self.server_root_ca_cert)
            .field("client_cert", &self.client_cert)
            .field("client_key", &self.client_key)
            .field("server_name", &self.server_name)
            .field("insecure_skip_verify", &self.insecure_skip_verify)
            .field("api_key", &self.api_key.as_ref().map(|_| "…"))
            .finish()
    }
}

/// Starts logging, and reads the command line, where flags have one dash, as in Go, or two.
///
/// Prints help and exits with status 0 when asked for it; prints what is wrong and the usage, and
/// exits with status 2, when an argument cannot be read.
#[must_use]
pub fn parse<P: Parser>() -> P {
    // Before anything can have something to say: a flag may bring a warning.
    init_logging();
    parse_from(env::args_os()).unwrap_or_else(|error| error.exit())
}

pub(crate) fn parse_from<P: Parser>(
    args: impl IntoIterator<Item = OsString>,
) -> clap::error::Result<P> {
    let mut command = P::command().args_override_self(true);
    let matches = command.try_get_matches_from_mut(go_flags::double_dashes(args));
    let parsed = matches.and_then(|matches| P::from_arg_matches(&matches));
    parsed.map_err(|error| {
        let mut error = error.with_cmd(&command);
        // For some mistakes clap only says where to find the usage.
        let usage = ContextValue::StyledStr(command.render_usage());
        error.insert(ContextKind::Usage, usage);
        error
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory as _, error::ErrorKind};

    /// Says hello.
    #[derive(Parser, Debug)]
    struct Program {
        #[command(flatten)]
        flags: Flags,
    }

    fn parsed(args: &[&str]) -> clap::error::Result<Flags> {
        let args = ["handler-worker"].iter().chain(args).map(OsString::from);
        parse_from(args).map(|program: Program| program.flags)
    }

    fn checked(args: &[&str]) -> Result<Flags, ArgumentError> {
        parsed(args).unwrap().checked()
    }

    #[test]
    fn the_command_is_well_formed() {
        Program::command().debug_assert();
    }

    #[test]
    fn every_flag_has_every_spelling() {
        type Field = fn(Flags) -> Option<String>;
        let fields: [(&str, Field); 7] = [
            ("target-host", |flags| flags.target_host),
            ("namespace", |flags| flags.namespace),
            ("server-root-ca-cert", |flags| flags.server_root_ca_cert),
            ("client-cert", |flags| flags.client_cert),
            ("client-key", |flags| flags.client_key),
            ("server-name", |flags| flags.server_name),
            ("api-key", |flags| flags.api_key),
        ];
        for (name, field) in fields {
            for dashes in ["-", "--"] {
                let flag = format!("{dashes}{name}");
                let joined = format!("{flag}=a b");
                assert_eq!(field(parsed(&[&flag, "a b"]).unwrap()).unwrap(), "a b");
                assert_eq!(field(parsed(&[&joined]).unwrap()).unwrap(), "a b");
            }
            assert_eq!(field(parsed(&[]).unwrap()), None);
        }
    }

    #[test]
    fn the_commands_of_the_readme_are_understood() {
        let flags = parsed(&[
            "-target-host",
            "localhost:7233",
            "-namespace",
            "my-caller-namespace",
        ])
        .unwrap();
        assert_eq!(flags.target_host.unwrap(), "localhost:7233");
        assert_eq!(flags.namespace.unwrap(), "my-caller-namespace");
    }

    #[test]
    fn the_switch_is_gos() {
        for (arg, expected) in [
            ("-insecure-skip-verify", true),
            ("--insecure-skip-verify", true),
            ("-insecure-skip-verify=true", true),
            ("-insecure-skip-verify=T", true),
            ("-insecure-skip-verify=false", false),
            ("--insecure-skip-verify=0", false),
        ] {
            let flags = parsed(&[arg, "-namespace", "x"]).unwrap();
            assert_eq!(flags.insecure_skip_verify, Some(expected), "{arg}");
            assert_eq!(flags.namespace.unwrap(), "x");
        }
    }

    #[test]
    fn of_a_repeated_flag_the_last_counts() {
        let flags = parsed(&["-namespace", "a", "--namespace=b"]).unwrap();
        assert_eq!(flags.namespace.unwrap(), "b");
        let flags = parsed(&["-insecure-skip-verify", "-insecure-skip-verify=f"]).unwrap();
        assert_eq!(flags.insecure_skip_verify, Some(false));
    }

    #[test]
    fn what_cannot_be_read_ends_with_usage_and_status_2() {
        for (args, said) in [
            (&["-no-such-flag"][..], "--no-such-flag"),
            (&["-namespac", "x"], "--namespace"),
            (&["-namespace"], "--namespace"),
            (&["-namespace", "-target-host", "x"], "--namespace"),
            (&["-insecure-skip-verify=maybe"], "expected true or false"),
            (&["-insecure-skip-verify", "false"], "'false'"),
            (&["word"], "'word'"),
        ] {
            let error = parsed(args).unwrap_err();
            let text = error.to_string();
            assert_eq!(error.exit_code(), 2, "{args:?}");
            assert!(error.use_stderr(), "{args:?}");
            assert!(text.contains(said), "{text}");
            assert!(text.contains("Usage: handler-worker [OPTIONS]"), "{text}");
        }
    }

    #[test]
    fn help_is_no_failure() {
        for arg in ["-h", "-help", "--help"] {
            let help = parsed(&[arg]).unwrap_err();
            assert_eq!(help.kind(), ErrorKind::DisplayHelp);
            assert_eq!(help.exit_code(), 0);
            assert!(!help.use_stderr());
            let text = help.to_string();
            assert!(text.starts_with("Says hello\n\nUsage"), "{text}");
            assert!(text.contains("Usage: handler-worker [OPTIONS]"), "{text}");
            assert!(
                text.contains("Host:port for the Temporal service (default \"localhost:7233\")")
            );
            assert!(text.contains("TEMPORAL_PROFILE"));
        }
    }

    #[test]
    fn a_client_cert_needs_its_key_and_the_other_way_round() {
        let text = "either both or neither of -client-key and -client-cert are required";
        for args in [
            &["-client-cert", "c"][..],
            &["-client-key", "k"],
            &["-client-key", "k", "-client-cert="],
            &["-client-cert", "c", "-api-key", "a"],
        ] {
            assert_eq!(checked(args).unwrap_err().to_string(), text, "{args:?}");
        }
    }

    #[test]
    fn client_cert_and_api_key_exclude_each_other() {
        let error = checked(&["-client-cert=c", "-client-key=k", "-api-key=a"]).unwrap_err();
        let text = "either -client-cert and -client-key or -api-key are required, not both";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn empty_values_are_not_given() {
        let flags = checked(&[
            "-client-cert=",
            "-client-key",
            "",
            "-api-key=",
            "-namespace=",
        ]);
        let flags = flags.unwrap();
        assert_eq!(
            (
                flags.client_cert,
                flags.client_key,
                flags.api_key,
                flags.namespace
            ),
            (None, None, None, None)
        );
    }

    #[test]
    fn the_api_key_is_not_printed() {
        let flags = parsed(&["-api-key", "secret"]).unwrap();
        assert!(!format!("{flags:?}").contains("secret"));
    }
}
