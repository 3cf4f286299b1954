//! The handlers to measure: found, or built.

use crate::bench::Settings;
use options::Context as _;
use serde::Deserialize;
use std::{
    env,
    ffi::OsStr,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    str::FromStr,
};
use tokio::process::Command;

/// The directory of this package, when it was built.
const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");
/// The handler worker of the hello sample, by the name of its binary target.
const HANDLER_WORKER: &str = "handler-worker";

/// A handler of the hello sample's contract.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// What the report calls it: the language, and how it sends.
    pub(crate) label: String,
    pub(crate) path: PathBuf,
    /// Its arguments beside those for the connection.
    pub(crate) arguments: &'static [&'static str],
    /// Whether the others are compared with it.
    pub(crate) reference: bool,
}

/// A build of the Rust handler, as in `with-lto=builds/lto/handler-worker`.
#[derive(Debug, Clone)]
pub(crate) struct NamedPath {
    label: String,
    path: PathBuf,
}

impl FromStr for NamedPath {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((label, path)) if !label.is_empty() && !path.is_empty() => Ok(Self {
                label: label.to_owned(),
                path: path.into(),
            }),
            _ => Err("expected LABEL=PATH"),
        }
    }
}

/// The programs to measure, in the order of their turns.
pub(crate) async fn find(settings: &Settings) -> options::Result<Vec<Program>> {
    let rust = |label: &str, path| Program {
        label: label.to_owned(),
        path,
        arguments: &[],
        reference: false,
    };
    let given = settings.handler.iter().cloned();
    let mut programs: Vec<_> = given.map(|build| rust(&build.label, build.path)).collect();
    if programs.is_empty() {
        programs.push(rust("Rust (no gzip)", handler_worker().await?));
    }
    if !settings.no_go
        && let Some(path) = go_handler().await?
    {
        let go = |label: &str, arguments| Program {
            label: label.to_owned(),
            path: path.clone(),
            arguments,
            reference: true,
        };
        programs.push(go("Go (gzip, its default)", &[]));
        programs.push(go("Go (no gzip)", &["-gzip=false"]));
    }
    Ok(programs)
}

/// The release build of the handler worker: brought up to date, or without cargo the one beside this program.
async fn handler_worker() -> options::Result<PathBuf> {
    eprintln!("building the release form of {HANDLER_WORKER}");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = [
        "build",
        "--release",
        "--package=handler",
        "--bin=handler-worker",
        "--message-format=json-render-diagnostics",
    ];
    let doing = format!("Unable to build {HANDLER_WORKER}");
    if let Some(messages) = build(&cargo, arguments, Path::new(PACKAGE), &doing).await? {
        let mut lines = messages.split(|byte| *byte == b'\n');
        return lines.find_map(executable).ok_or(doing).context("cargo");
    }
    let beside = beside_this_program()?.join(HANDLER_WORKER);
    eprintln!("there is no cargo: taking {}", beside.display());
    Ok(beside)
}

/// The path of the handler worker, if this line of cargo's is about it.
fn executable(line: &[u8]) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Artifact {
        target: Target,
        executable: Option<PathBuf>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
    }
    let artifact: Artifact = serde_json::from_slice(line).ok()?;
    artifact
        .executable
        .filter(|_| artifact.target.name == HANDLER_WORKER)
}

/// The Go handler, unless there is no Go.
async fn go_handler() -> options::Result<Option<PathBuf>> {
    eprintln!("building the Go handler");
    let directory = beside_this_program()?.join("bench-go");
    // With the slash Go takes it for a directory, which it makes.
    let output = format!("{}/", directory.display());
    let arguments = ["build", "-o", &output, "./cmd/handler"];
    let source = Path::new(PACKAGE).join("go");
    let doing = "Unable to build the Go handler (--no-go leaves it out)";
    let built = build("go".as_ref(), arguments, &source, doing).await?;
    if built.is_none() {
        eprintln!("there is no Go: measuring without its handler");
    }
    Ok(built.map(|_| directory.join("handler")))
}

/// What a build printed on its standard output; `None` if the machine does not have the tool.
async fn build<const N: usize>(
    tool: &OsStr,
    arguments: [&str; N],
    directory: &Path,
    doing: &str,
) -> options::Result<Option<Vec<u8>>> {
    let mut command = Command::new(tool);
    command
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    match command.output().await {
        Ok(Output { status, stdout, .. }) if status.success() => Ok(Some(stdout)),
        Ok(Output { status, .. }) => Err(status.to_string()).context(doing),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context(doing),
    }
}

fn beside_this_program() -> options::Result<PathBuf> {
    let mut path = env::current_exe().context("Unable to find this program")?;
    path.pop();
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_has_a_label_and_a_path() {
        let build: NamedPath = "lto=/a=b".parse().unwrap();
        assert_eq!(build.label, "lto");
        assert_eq!(build.path, Path::new("/a=b"));
        for text in ["", "lto", "=path", "lto="] {
            assert!(text.parse::<NamedPath>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_executable_is_found_among_cargos_messages() {
        for (line, path) in [
            (
                r#"{"reason":"compiler-artifact","target":{"name":"handler-worker"},"executable":"/t/handler-worker","fresh":true}"#,
                Some("/t/handler-worker"),
            ),
            (
                r#"{"reason":"compiler-artifact","target":{"name":"handler"},"executable":null}"#,
                None,
            ),
            (r#"{"reason":"build-finished","success":true}"#, None),
            ("", None),
        ] {
            assert_eq!(executable(line.as_bytes()), path.map(PathBuf::from));
        }
    }
}
