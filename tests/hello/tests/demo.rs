//! `bin/demo`: what it prints, how it ends, and that nothing of it stays behind.

use std::{env, fs, os::unix::fs::symlink};

use crate::fixture::{
    Block, Finished, Folder, Program, Readme, Running, cli, get, let_shells_heed_signals, program,
    root, shape, target,
};

/// The demo, with its two streams in one, as at a terminal. Its temporary files go to the folder.
pub(crate) fn demo(temporary: &Folder, flags: &str) -> Program {
    let_shells_heed_signals();
    // So that its build takes no time.
    program("caller-starter");
    Program::new("sh")
        .arg("-c")
        .arg(format!("exec bin/demo {flags} 2>&1"))
        .env("TMPDIR", temporary.path())
        .env("CARGO_TARGET_DIR", target().0)
}

/// A folder with a demo of its own, whose `temporal` runs this before the real one; its programs are built already.
fn broken(temporal: &str) -> Folder {
    let folder = Folder::new();
    for script in ["bin/demo", "bin/setup"] {
        let content = fs::read_to_string(root().join(script)).expect("a script");
        folder.script(script, &content);
    }
    let cli = cli().canonicalize().expect("a program");
    let script = format!("#!/bin/sh\n{temporal}\nexec '{}' \"$@\"\n", cli.display());
    folder.script("bin/temporal", &script);
    folder.script("path/cargo", "#!/bin/sh\n");
    folder.write("service/description.md", "A service.\n");
    // The demo takes those of the profile `dev`, this test those of its own.
    let programs = program("caller-starter");
    let programs = programs.parent().expect("a folder");
    fs::create_dir(folder.path().join("target")).expect("a new folder");
    symlink(programs, folder.path().join("target/debug")).expect("a new link");
    folder
}

/// Runs the demo of a folder.
async fn run(folder: &Folder) -> Finished {
    let temporary = Folder::new();
    let path = env::var("PATH").expect("a path");
    let demo = demo(&temporary, "")
        .directory(folder.path())
        .env("CARGO_TARGET_DIR", "target")
        .env("PATH", format!("{}/path:{path}", folder.path().display()));
    let finished = demo.run().await;
    assert_eq!(temporary.names(), [""; 0]);
    finished
}

async fn failed(folder: &Folder) -> Finished {
    let finished = run(folder).await;
    assert_eq!(finished.status.code(), Some(1), "{finished:#?}");
    let last = finished.stdout.lines().last();
    assert_eq!(last, Some("demo: stopped all it started"), "{finished:#?}");
    finished
}

#[tokio::test]
async fn two_at_a_time_print_what_the_readme_promises() {
    two_print("", &Readme::read().blocks("Two commands")).await;
}

/// Runs two demos at a time, which print what the first of the blocks shows.
pub(crate) async fn two_print(flags: &str, promised: &[Block]) {
    let folder = Folder::new();
    let demos = [demo(&folder, flags), demo(&folder, flags)].map(Program::start);
    let promised = &promised.first().expect("a block").text;
    let (prompt, promised) = promised.split_once('\n').expect("a prompt");
    assert_eq!(prompt, format!("$ bin/demo {flags}").trim_end());
    for demo in demos {
        let finished = demo.exited().await;
        assert!(finished.status.success(), "{finished:#?}");
        assert_eq!(shape(&finished.stdout), shape(promised));
    }
    assert_eq!(folder.names(), [""; 0]);
}

#[tokio::test]
async fn settings_for_another_server_do_not_disturb_it() {
    let folder = Folder::new();
    let profile = folder.write(
        "temporal.toml",
        "[profile.default]\naddress = '127.0.0.1:1'\n",
    );
    let temporary = Folder::new();
    let demo = demo(&temporary, "")
        .env("TEMPORAL_CONFIG_FILE", profile)
        .env("TEMPORAL_ADDRESS", "127.0.0.1:1")
        .env("TEMPORAL_NAMESPACE", "another")
        .env("TEMPORAL_API_KEY", "key")
        .env("TEMPORAL_TLS", "true");
    let finished = demo.run().await;
    assert!(finished.status.success(), "{finished:#?}");
}

#[tokio::test]
async fn it_may_be_interrupted_at_any_time() {
    let moments = [
        "demo: building the programs",
        "demo: starting a Temporal server",
        "demo: creating the namespaces",
        "demo: starting the handler worker",
        "demo: starting the caller workflows",
    ];
    may_be_interrupted("", moments).await;
}

/// Interrupts a demo at each of these moments.
pub(crate) async fn may_be_interrupted(flags: &str, moments: [&str; 5]) {
    for moment in moments {
        let folder = Folder::new();
        let demo = demo(&folder, flags).start();
        demo.says(moment).await;
        demo.signal_group("INT");
        interrupted(demo, 130).await;
        assert_eq!(folder.names(), [""; 0], "{moment}");
    }
}

#[tokio::test]
async fn it_may_be_told_to_stop() {
    for (signal, status) in [("TERM", 143), ("HUP", 129)] {
        let folder = Folder::new();
        let demo = demo(&folder, "--keep").start();
        demo.says("It keeps running until you press Ctrl-C.").await;
        demo.signal(signal);
        interrupted(demo, status).await;
        assert_eq!(folder.names(), [""; 0]);
    }
}

pub(crate) async fn interrupted(demo: Running, status: i32) {
    let finished = demo.exited().await;
    assert_eq!(finished.status.code(), Some(status), "{finished:#?}");
    assert!(!finished.stdout.contains("failed"), "{finished:#?}");
    let last = finished.stdout.lines().last();
    assert_eq!(last, Some("demo: stopped all it started"), "{finished:#?}");
}

#[tokio::test]
async fn it_keeps_running_if_it_is_asked_to() {
    let folder = Folder::new();
    let demo = demo(&folder, "--keep").start();
    demo.says("read a history:").await;
    let said = demo.stdout();
    let advice = |label: &str| {
        let line = said
            .lines()
            .find_map(|line| line.trim().strip_prefix(label));
        line.unwrap_or_else(|| panic!("no {label:?} in {said}"))
            .trim()
    };
    let page = get(advice("look at the operations:")).await;
    assert_eq!(page.as_deref(), Some("HTTP/1.1 200 OK"));
    let run = |label: &str| Program::new("sh").arg("-c").arg(advice(label)).run();
    let french = run("greet in French:").await;
    assert_eq!(french.results()[1], "Bonjour Ada 👋");
    let lacks = run("in a language it lacks:").await;
    assert!(lacks.refusal()[0].ends_with("unsupported language \"xx\""));
    let history = run("read a history:").await;
    assert!(
        history.stdout.contains("WorkflowExecutionCompleted"),
        "{history:#?}"
    );

    demo.signal_group("INT");
    interrupted(demo, 130).await;
    assert_eq!(folder.names(), [""; 0]);
}

#[tokio::test]
async fn a_server_that_loses_a_port_is_started_with_others() {
    let folder = broken(
        r#"case "$*" in "server "*)
            [ -e tried ] || { >tried; echo "bind: address already in use"; exit 1; } ;;
        esac"#,
    );
    let finished = run(&folder).await;
    assert!(finished.status.success(), "{finished:#?}");
    let started = "demo: starting a Temporal server at ";
    assert_eq!(finished.stdout.matches(started).count(), 2, "{finished:#?}");
}

#[tokio::test]
async fn a_server_that_ends_is_told_at_once() {
    let folder = broken(r#"case "$*" in "server "*) echo "no room on this disk"; exit 3 ;; esac"#);
    let finished = failed(&folder).await;
    assert!(
        finished.stdout.contains("demo: the server has ended\n"),
        "{finished:#?}"
    );
    let log = "demo: failed; the end of server.log:\nno room on this disk\n";
    assert!(finished.stdout.contains(log), "{finished:#?}");
}

#[tokio::test]
async fn a_command_that_fails_is_told() {
    let folder =
        broken(r#"case "$*" in *" endpoint "*) echo "Error: not allowed" >&2; exit 1 ;; esac"#);
    let finished = failed(&folder).await;
    assert!(
        finished.stdout.contains("\nError: not allowed\n"),
        "{finished:#?}"
    );
    let log = "demo: failed; the end of server.log:\n";
    assert!(finished.stdout.contains(log), "{finished:#?}");
}

#[tokio::test]
async fn anything_else_is_refused_with_its_usage() {
    let folder = Folder::new();
    let finished = demo(&folder, "--forever").run().await;
    assert_eq!(finished.status.code(), Some(2), "{finished:?}");
    assert_eq!(finished.stdout, "usage: bin/demo [hello|http] [--keep]\n");
}
