//! One process of a server, which ends when its owner does.

use super::output::Output;
use std::{
    ffi::OsString,
    io::{self, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
};
use tokio::sync::watch;

/// Becomes the server, and leaves a watcher beside it in the same process group.
///
/// The watcher reads names of signals from standard input and sends each to the group. At the end of the input (the owner is
/// gone, or asks for it) it kills the group, itself included. The group's number cannot be given to others while the watcher
/// lives, so it never hits a stranger.
const WATCHED: &str = r#"
exec 2>&1 3<&0 </dev/null
(
    trap '' HUP INT TERM
    while read -r signal; do kill -s "$signal" -- "-$$" 2>/dev/null; done
    kill -s KILL -- "-$$"
) <&3 3<&- &
exec "$@" 3<&-
"#;

/// A signal to the server.
#[derive(Debug, Clone, Copy)]
pub(super) enum Signal {
    /// Stop in good order.
    Terminate,
    /// Die.
    Kill,
}

/// The pipe to the watcher; closing it kills the group.
type Leash = Mutex<Option<ChildStdin>>;

#[derive(Debug)]
pub(super) struct Process {
    id: u32,
    leash: Arc<Leash>,
    output: Arc<Output>,
    exit: watch::Receiver<Option<ExitStatus>>,
}

impl Process {
    pub(super) fn spawn(program: &Path, arguments: &[OsString]) -> io::Result<Self> {
        let mut child = Command::new("sh")
            .args(["-c", WATCHED, "sh"])
            .arg(program)
            .args(arguments)
            // An own group: a Ctrl-C at the terminal is this process's to answer, not the server's.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let id = child.id();
        let leash = Arc::new(Mutex::new(child.stdin.take()));
        let output = Arc::new(Output::default());
        let (exited, exit) = watch::channel(None);

        // Threads, not tasks: a server that tests share outlives the runtime of the test that started it.
        let reader = child.stdout.take().map(|pipe| {
            let output = Arc::clone(&output);
            thread::Builder::new()
                .name("dev-server-output".to_owned())
                .spawn(move || output.drain(pipe))
        });
        let reader = reader.transpose()?;
        let at_exit = Arc::clone(&leash);
        thread::Builder::new()
            .name("dev-server-exit".to_owned())
            .spawn(move || {
                let status = wait(child, &at_exit, reader);
                // Fails only if nobody wants to know.
                let _ = exited.send(Some(status));
            })?;
        Ok(Self {
            id,
            leash,
            output,
            exit,
        })
    }

    /// The number of the process and of its group.
    pub(super) fn id(&self) -> u32 {
        self.id
    }

    pub(super) fn output(&self) -> &Output {
        &self.output
    }

    /// How the process ended, if it has.
    pub(super) fn exit_status(&self) -> Option<ExitStatus> {
        *self.exit.borrow()
    }

    /// Waits for the end of the process and of all that it started.
    pub(super) async fn exited(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        let status = exit.wait_for(Option::is_some).await;
        // The sender goes away without a word only if its thread panicked, and it has nothing to panic about.
        status.ok().and_then(|status| *status).unwrap_or_default()
    }

    pub(super) fn signal(&self, signal: Signal) {
        let mut leash = self.leash.lock().unwrap_or_else(PoisonError::into_inner);
        match (signal, leash.as_mut()) {
            // Not written means that the watcher is gone, and the server with it.
            (Signal::Terminate, Some(pipe)) => drop(pipe.write_all(b"TERM\n")),
            (Signal::Kill, _) => *leash = None,
            (Signal::Terminate, None) => {}
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::Kill);
    }
}

/// Waits until nothing of the group is left: the watcher holds the output pipe too, so its end is the end of all.
fn wait(mut child: Child, leash: &Leash, reader: Option<thread::JoinHandle<()>>) -> ExitStatus {
    // A process that ignores SIGCHLD learns of the end, but not how it came.
    let status = child.wait().unwrap_or_default();
    *leash.lock().unwrap_or_else(PoisonError::into_inner) = None;
    if let Some(reader) = reader {
        let _ = reader.join();
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{os::unix::process::ExitStatusExt, time::Duration};

    fn shell(script: &str) -> Process {
        Process::spawn(Path::new("/bin/sh"), &["-c".into(), script.into()]).expect("a process")
    }

    /// The group's processes, but for those that are dead and only wait to be buried.
    fn living(group: u32) -> Vec<String> {
        let ps = Command::new("ps")
            .args(["-A", "-o", "pgid=", "-o", "stat=", "-o", "args="])
            .output();
        let list = String::from_utf8(ps.expect("ps runs").stdout).expect("text");
        let in_group = |line: &&str| {
            let mut fields = line.split_whitespace();
            fields.next() == Some(&group.to_string())
                && fields.next().is_some_and(|state| !state.starts_with('Z'))
        };
        list.lines().filter(in_group).map(str::to_owned).collect()
    }

    async fn until(mut condition: impl FnMut() -> bool) {
        let waiting = async {
            while !condition() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(10), waiting).await;
        in_time.expect("in time");
    }

    async fn says(process: &Process, line: &str) {
        until(|| process.output().lines().iter().any(|said| said == line)).await;
    }

    #[tokio::test]
    async fn exit_code_and_both_outputs_come_through() {
        let process = shell("echo out; echo err >&2; exit 7");
        assert_eq!(process.exited().await.code(), Some(7));
        assert_eq!(process.output().lines(), ["out", "err"]);
        assert_eq!(process.exit_status(), Some(process.exited().await));
        until(|| living(process.id()).is_empty()).await;
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_exits_and_says_so() {
        let process = Process::spawn(Path::new("/nowhere/temporal"), &[]).expect("a shell");
        assert_eq!(process.exited().await.code(), Some(127));
        let output = process.output().text();
        assert!(output.contains("/nowhere/temporal"), "{output}");
    }

    #[tokio::test]
    async fn terminate_reaches_the_process_and_lets_it_finish() {
        let process =
            shell("trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.01; done");
        says(&process, "ready").await;
        assert_eq!(process.exit_status(), None);
        process.signal(Signal::Terminate);
        assert_eq!(process.exited().await.code(), Some(3));
        says(&process, "bye").await;
    }

    #[tokio::test]
    async fn kill_ends_a_process_that_ignores_everything_else_and_its_children() {
        let process = shell("trap '' TERM HUP INT; sleep 1000 & echo ready; wait; wait");
        says(&process, "ready").await;
        assert_eq!(living(process.id()).len(), 3, "process, child and watcher");
        process.signal(Signal::Terminate);
        process.signal(Signal::Kill);
        assert_eq!(process.exited().await.signal(), Some(9));
        until(|| living(process.id()).is_empty()).await;
    }

    #[tokio::test]
    async fn drop_kills_the_group() {
        let process = shell("sleep 1000 & echo ready; wait");
        says(&process, "ready").await;
        let (group, mut ended) = (process.id(), process.exit.clone());
        drop(process);
        let status = ended.wait_for(Option::is_some).await.expect("a status");
        assert_eq!(status.and_then(|status| status.signal()), Some(9));
        until(|| living(group).is_empty()).await;
    }

    #[tokio::test]
    async fn what_a_process_leaves_running_goes_with_it() {
        let process = shell("sleep 1000 & echo started; exit 0");
        assert!(process.exited().await.success());
        until(|| living(process.id()).is_empty()).await;
    }

    #[tokio::test]
    async fn signals_after_the_end_do_nothing() {
        let process = shell("exit 0");
        process.exited().await;
        process.signal(Signal::Terminate);
        process.signal(Signal::Kill);
        assert!(process.exited().await.success());
    }

    #[tokio::test]
    async fn a_full_pipe_never_blocks() {
        let process = shell(
            "i=0; while [ $i -lt 20000 ]; do echo \"line $i of very many lines\"; i=$((i+1)); done",
        );
        assert!(process.exited().await.success());
        let last = process.output().lines().pop();
        assert_eq!(last.as_deref(), Some("line 19999 of very many lines"));
    }
}
