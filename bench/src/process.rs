//! A process, and what it has used.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::process::{Child, Command};

/// How many ticks of `/proc/PID/stat` make a second: the same on every architecture that Rust's standard library runs on.
const TICKS_PER_SECOND: u64 = 100;

/// A process that is killed when this value is dropped.
pub(crate) struct Process {
    program: PathBuf,
    id: u32,
    child: Child,
}

/// What a process has used since it was started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// Time on a CPU, in user mode and in the kernel, in steps of 10 ms.
    pub(crate) cpu: Duration,
    /// Memory that is resident now, in bytes.
    pub(crate) resident: u64,
    /// The most memory that was ever resident, in bytes.
    pub(crate) peak: u64,
}

/// Why a process cannot be measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProcessError {
    #[error("cannot start {}", program.display())]
    Start { program: PathBuf, source: io::Error },
    #[error("{} has ended ({status})", program.display())]
    Ended {
        program: PathBuf,
        status: ExitStatus,
    },
    #[error("cannot read what process {id} has used")]
    Usage { id: u32, source: io::Error },
}

impl Process {
    /// Starts a program of this repository. What it logs goes to standard error.
    pub(crate) fn start<A: AsRef<OsStr>>(
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Self, ProcessError> {
        let failed = |source| ProcessError::Start {
            program: program.to_owned(),
            source,
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        // What the programs share with the `temporal` command would lead them to another server, or switch TLS on.
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"TEMPORAL_") {
                command.env_remove(name);
            }
        }
        command.env("TEMPORAL_CONFIG_FILE", "/dev/null");
        let child = command.spawn().map_err(failed)?;
        // It has a number until it has been waited for.
        let id = child.id().unwrap_or_default();
        Ok(Self {
            program: program.to_owned(),
            id,
            child,
        })
    }

    /// Completes when the process has ended, which it never should.
    pub(crate) async fn ended(&mut self) -> ProcessError {
        let program = self.program.clone();
        match self.child.wait().await {
            Ok(status) => ProcessError::Ended { program, status },
            Err(source) => ProcessError::Usage {
                id: self.id,
                source,
            },
        }
    }

    pub(crate) fn usage(&self) -> Result<Usage, ProcessError> {
        let id = self.id;
        let read = |file| fs::read_to_string(format!("/proc/{id}/{file}"));
        let usage = || {
            let (stat, status) = (read("stat")?, read("status")?);
            Usage::parse(&stat, &status).ok_or_else(|| io::ErrorKind::InvalidData.into())
        };
        usage().map_err(|source| ProcessError::Usage { id, source })
    }
}

impl Usage {
    /// Reads the files of `/proc/PID` by these names (`man 5 proc`).
    fn parse(stat: &str, status: &str) -> Option<Self> {
        // The program's name comes second, in parentheses, and may hold anything; the state follows as field 3.
        let (_, fields) = stat.rsplit_once(')')?;
        let field = |number: usize| -> Option<u64> {
            let field = fields.split_whitespace().nth(number - 3)?;
            field.parse().ok()
        };
        let ticks = field(14)? + field(15)?;
        let bytes = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kibibytes = line.trim().strip_suffix("kB")?;
            Some(kibibytes.trim().parse::<u64>().ok()? * 1024)
        };
        Some(Self {
            cpu: Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND),
            resident: bytes("VmRSS:")?,
            peak: bytes("VmHWM:")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn fields_are_found_behind_any_name() {
        let stat = "7 (a) 9 (b)) S 1 7 7 0 -1 4194304 100 0 0 0 123 45 0 0 20 0 4 0 9 1000 200 184";
        let status = "Name:\ta) 9 (b)\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        let usage = Usage::parse(stat, status).unwrap();
        assert_eq!(usage.cpu, Duration::from_millis(1680));
        assert_eq!((usage.resident, usage.peak), (1024 * 1024, 2048 * 1024));
    }

    #[test]
    fn a_process_without_memory_is_no_measurement() {
        assert!(Usage::parse("7 (a) Z 1 7", "Name:\ta\n").is_none());
    }

    // Shows that a tick is as long as this module says.
    #[tokio::test]
    async fn the_time_of_a_busy_process_is_about_that_of_the_clock() {
        let process = Process::start(Path::new("/bin/sh"), ["-c", "while :; do :; done"]).unwrap();
        let started = Instant::now();
        let mut usage = process.usage().unwrap();
        while usage.cpu < Duration::from_millis(300) {
            assert!(started.elapsed() < Duration::from_secs(60), "{usage:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
            usage = process.usage().unwrap();
        }
        // Other processes may take its CPU, but nobody gives it more than there is.
        assert!(usage.cpu <= started.elapsed() + Duration::from_millis(30));
        assert!(usage.peak >= usage.resident && usage.resident > 100 * 1024);
    }

    #[tokio::test]
    async fn a_process_that_ends_says_how() {
        let mut process = Process::start(Path::new("/bin/sh"), ["-c", "exit 3"]).unwrap();
        let error = process.ended().await.to_string();
        assert_eq!(error, "/bin/sh has ended (exit status: 3)");
    }
}
