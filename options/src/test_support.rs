//! What several unit tests need.

use crate::{ArgumentError, Settings, flags};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use std::{
    collections::HashMap,
    env,
    ffi::OsString,
    fs,
    path::PathBuf,
    process,
    sync::atomic::{AtomicU32, Ordering},
};

/// A folder for one test's files, gone when the test ends.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("options-test-{}-{count}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).into_os_string().into_string().unwrap()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), content).unwrap();
        self.path(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A certificate authority with one certificate for `localhost`, all in PEM form.
pub(crate) struct Certificates {
    pub(crate) ca: String,
    pub(crate) cert: String,
    pub(crate) key: String,
}

impl Certificates {
    pub(crate) fn new() -> Self {
        let mut authority = CertificateParams::new([]).unwrap();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(["localhost".to_owned()]).unwrap();
        Self {
            ca: authority.pem(),
            cert: cert.signed_by(&key, &authority).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }
}

/// The settings of a program started with `args` in an environment of nothing but `variables`.
pub(crate) fn settings(
    args: &[&str],
    variables: &[(&str, &str)],
) -> Result<Settings, ArgumentError> {
    #[derive(clap::Parser)]
    struct Program {
        #[command(flatten)]
        flags: flags::Flags,
    }
    let args = ["program"].iter().chain(args).map(OsString::from);
    let program: Program = flags::parse_from(args).unwrap();
    // Without this entry the profile of whoever runs the tests would be read.
    let environment: HashMap<_, _> = [("TEMPORAL_CONFIG_FILE", "/dev/null/none")]
        .iter()
        .chain(variables)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Settings::load_with(program.flags, &environment)
}
