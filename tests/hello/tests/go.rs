//! The Go SDK on the other side: its caller with this handler, and this caller with its handler.

use std::{
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::fixture::{HANDLER_NAMESPACE, Program, Running, Sample, root, target};

const RESULTS: [&str; 2] = ["Nexus Echo 👋", "¡Hola! Nexus 👋"];

/// The folder with the Go programs; says so and returns nothing where there is no Go.
fn go() -> Option<&'static Path> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let folder = FOLDER.get_or_init(build).as_deref();
    if folder.is_none() {
        // Past the test harness, which shows nothing of tests that pass.
        let _ = writeln!(std::io::stderr(), "skipped: Go is not installed");
    }
    folder
}

fn build() -> Option<PathBuf> {
    let (target, _) = target();
    let folder = target.join("hello-tests-go");
    let build = Command::new("go")
        .args(["build", "-o"])
        // With the slash Go takes it for a folder, which it makes.
        .arg(format!("{}/", folder.display()))
        .args(["./cmd/handler", "./cmd/caller"])
        .current_dir(root().join("bench/go"))
        .output();
    match build {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => panic!("go does not run: {error}"),
        Ok(built) => {
            let said = String::from_utf8_lossy(&built.stderr);
            assert!(
                built.status.success(),
                "the Go programs cannot be built: {said}"
            );
            Some(folder)
        }
    }
}

async fn handler(folder: &Path, sample: &Sample) -> Running {
    let address = sample.server.address();
    let handler = Program::new(folder.join("handler"))
        .args(&format!(
            "-target-host {address} -namespace {HANDLER_NAMESPACE}"
        ))
        .start();
    handler.says("ready").await;
    handler
}

fn caller(folder: &Path, sample: &Sample, namespace: &str) -> Program {
    let address = sample.server.address();
    Program::new(folder.join("caller"))
        .args(&format!("-target-host {address} -namespace {namespace}"))
}

#[tokio::test]
async fn a_go_caller_and_this_handler() {
    let Some(go) = go() else { return };
    let sample = Sample::shared().await;
    let namespace = sample.namespace().await;
    let greeted = caller(go, &sample, &namespace)
        .args("-message")
        .arg(RESULTS[0]);
    let greeted = greeted.args("-name Nexus -language es").run().await;
    assert!(greeted.status.success(), "{greeted:#?}");
    let results = RESULTS.map(|result| format!("Workflow result: {result}\n"));
    assert_eq!(greeted.stdout, results.concat());
}

#[tokio::test]
async fn this_caller_and_a_go_handler() {
    let Some(go) = go() else { return };
    let sample = Sample::start().await;
    let _handler = handler(go, &sample).await;
    let _caller = sample.caller_worker().worker().await;
    assert_eq!(sample.starter().run().await.results(), RESULTS);

    // What is told does not tell the handlers apart.
    let xx = "-language xx";
    let refused = sample.starter().args(xx).run().await;
    let by_rust = Sample::shared().await.starter().args(xx).run().await;
    assert_eq!(refused.refusal(), by_rust.refusal());
}

#[tokio::test]
async fn a_go_caller_is_told_of_a_failure_as_by_a_go_handler() {
    let Some(go) = go() else { return };
    let by_go = Sample::start().await;
    let _handler = handler(go, &by_go).await;
    let by_rust = Sample::shared().await;
    let refusal = async |sample: &Sample| {
        let namespace = sample.namespace().await;
        let caller = caller(go, sample, &namespace).args("-name Nexus -language xx");
        let refused = caller.run().await;
        assert_eq!(refused.status.code(), Some(1), "{refused:#?}");
        // "… (type: HelloCallerWorkflow, workflowID: …, runID: …): nexus operation completed unsuccessfully (…): …"
        let (_, failure) = refused
            .stderr
            .split_once("): nexus operation")
            .expect("a failure");
        failure.to_owned()
    };
    let told = refusal(&by_rust).await;
    assert_eq!(told, refusal(&by_go).await);
    assert!(told.ends_with("): unsupported language \"xx\"\n"), "{told}");
}
