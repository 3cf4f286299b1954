//! Where the programs connect to: flags in every spelling, environment, profile, and which of them counts.

use crate::fixture::{CALLER_NAMESPACE, Folder, HANDLER_NAMESPACE, Program, Sample, program};

const RESULTS: [&str; 2] = ["Nexus Echo 👋", "¡Hola! Nexus 👋"];
/// Nobody listens there.
const NOWHERE: &str = "127.0.0.1:1";

fn starter() -> Program {
    Program::new(program("caller-starter"))
}

#[tokio::test]
async fn one_dash_or_two_with_or_without_equals_sign() {
    let sample = Sample::shared().await;
    let (address, namespace) = (sample.server.address(), CALLER_NAMESPACE);
    for arguments in [
        format!("-target-host {address} -namespace {namespace}"),
        format!("--target-host {address} --namespace {namespace}"),
        format!("-target-host={address} --namespace={namespace}"),
    ] {
        let finished = starter().args(&arguments).run().await;
        assert_eq!(finished.results(), RESULTS, "{arguments}");
    }
}

#[tokio::test]
async fn the_environment_may_say_it() {
    let sample = Sample::shared().await;
    let starter = starter()
        .env("TEMPORAL_ADDRESS", sample.server.address())
        .env("TEMPORAL_NAMESPACE", CALLER_NAMESPACE);
    assert_eq!(starter.run().await.results(), RESULTS);
}

#[tokio::test]
async fn a_profile_may_say_it() {
    let sample = Sample::shared().await;
    let folder = Folder::new();
    let address = sample.server.address();
    let profile = format!(
        "[profile.default]\naddress = '{NOWHERE}'\n\
         [profile.caller]\naddress = '{address}'\nnamespace = '{CALLER_NAMESPACE}'\n"
    );
    let profiles = folder.write("profiles.toml", &profile);
    let starter = starter()
        .env("TEMPORAL_CONFIG_FILE", profiles)
        .env("TEMPORAL_PROFILE", "caller");
    assert_eq!(starter.run().await.results(), RESULTS);
}

#[tokio::test]
async fn a_profile_is_found_where_the_temporal_command_keeps_it() {
    let sample = Sample::shared().await;
    let home = Folder::new();
    let address = sample.server.address();
    let profile =
        format!("[profile.default]\naddress = '{address}'\nnamespace = '{CALLER_NAMESPACE}'\n");
    let folders = [".config", "Library/Application Support"];
    for folder in folders {
        home.write(&format!("{folder}/temporalio/temporal.toml"), &profile);
    }
    let starter = starter()
        .env("HOME", home.path())
        .env("XDG_CONFIG_HOME", home.path().join(folders[0]))
        .env("TEMPORAL_CONFIG_FILE", "");
    assert_eq!(starter.run().await.results(), RESULTS);
}

#[tokio::test]
async fn flags_win_over_the_environment_and_that_over_the_profile() {
    let sample = Sample::shared().await;
    let folder = Folder::new();
    let profile = format!("[profile.default]\naddress = '{NOWHERE}'\nnamespace = 'nowhere'\n");
    let profiles = folder.write("profiles.toml", &profile);
    let address = sample.server.address();

    let flags = starter()
        .args(&format!(
            "-target-host {address} -namespace {CALLER_NAMESPACE}"
        ))
        .env("TEMPORAL_ADDRESS", NOWHERE)
        .env("TEMPORAL_NAMESPACE", "nowhere");
    assert_eq!(flags.run().await.results(), RESULTS);

    let environment = starter()
        .env("TEMPORAL_ADDRESS", &address)
        .env("TEMPORAL_NAMESPACE", CALLER_NAMESPACE)
        .env("TEMPORAL_CONFIG_FILE", &profiles);
    assert_eq!(environment.run().await.results(), RESULTS);

    let each_from_another = starter()
        .args(&format!("-namespace {CALLER_NAMESPACE}"))
        .env("TEMPORAL_ADDRESS", &address)
        .env("TEMPORAL_CONFIG_FILE", profiles);
    assert_eq!(each_from_another.run().await.results(), RESULTS);
}

#[tokio::test]
async fn the_starter_greets_whom_it_is_told_in_every_language() {
    let sample = Sample::shared().await;
    for (language, greeting) in [
        ("en", "Hello Ada Lovelace 👋"),
        ("fr", "Bonjour Ada Lovelace 👋"),
        ("de", "Hallo Ada Lovelace 👋"),
        ("es", "¡Hola! Ada Lovelace 👋"),
        ("tr", "Merhaba Ada Lovelace 👋"),
    ] {
        let starter = sample.starter().args("-name").arg("Ada Lovelace");
        let finished = starter.args("-language").arg(language).run().await;
        assert_eq!(finished.results(), [RESULTS[0], greeting]);
    }
}

#[tokio::test]
async fn help_is_printed_and_ends_well() {
    for name in ["handler-worker", "caller-worker", "caller-starter"] {
        for flag in ["-h", "-help", "--help"] {
            let finished = Program::new(program(name)).arg(flag).run().await;
            assert!(finished.status.success(), "{finished:?}");
            assert!(
                finished.stdout.contains(&format!("Usage: {name}")),
                "{finished:?}"
            );
            assert!(finished.stdout.contains("--target-host"), "{finished:?}");
            assert_eq!(finished.stderr, "");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_read_ends_with_usage_and_status_2() {
    for name in ["handler-worker", "caller-worker", "caller-starter"] {
        for (arguments, said) in [
            ("-namespac x", "'--namespac'"),
            ("-namespace", "'--namespace <NAME>'"),
            ("-insecure-skip-verify=maybe", "'maybe'"),
            ("word", "'word'"),
        ] {
            let finished = Program::new(program(name)).args(arguments).run().await;
            assert_eq!(finished.status.code(), Some(2), "{finished:?}");
            assert!(finished.stderr.contains(said), "{finished:?}");
            assert!(
                finished.stderr.contains(&format!("Usage: {name}")),
                "{finished:?}"
            );
            assert_eq!(finished.stdout, "");
        }
    }
}

#[tokio::test]
async fn a_worker_says_where_it_works_and_stops_in_good_order() {
    let sample = Sample::start().await;
    let [handler, caller] = sample.workers().await;
    let handler = handler.stop().await.stderr;
    let place = format!("namespace=\"{HANDLER_NAMESPACE}\" task_queue=\"my-handler-task-queue\"");
    for line in [
        &format!("started worker {place}"),
        "stopping",
        "stopped worker",
    ] {
        assert!(handler.contains(line), "no {line:?} in {handler}");
    }
    caller.signal("TERM");
    let caller = caller.exited().await;
    assert!(caller.status.success(), "{caller:?}");
}
