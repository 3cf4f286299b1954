//! Which CPUs of the machine do what, with the program `taskset` of util-linux.

use std::{
    fs,
    path::Path,
    process::{self, Command},
};

use crate::Result;

/// Lists of CPUs, as in `0,1,4`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Halves {
    pub(crate) server: String,
    pub(crate) load: String,
}

/// One half of the CPUs for the server under load, and one for the load. `None` where that cannot be.
pub(crate) fn split() -> Result<Option<Halves>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let installed = ["/usr/bin/taskset", "/bin/taskset"]
        .iter()
        .any(|path| Path::new(path).exists());
    Ok(halves(&status).filter(|_| installed))
}

/// Keeps this process, which has one thread as yet, on the CPUs.
pub(crate) fn stay_on(cpus: &str) -> Result {
    let output = Command::new("taskset")
        .args(["-c", "-p", cpus, &process::id().to_string()])
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("cannot keep to CPU {cpus}: {errors}").into())
}

/// Reads `/proc/self/status` (`man 5 proc`).
fn halves(status: &str) -> Option<Halves> {
    let allowed = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let mut cpus: Vec<u32> = Vec::new();
    for range in allowed.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        cpus.extend(first.parse::<u32>().ok()?..=last.parse().ok()?);
    }
    if cpus.len() < 2 {
        return None;
    }
    let list = |cpus: &[u32]| {
        let cpus: Vec<String> = cpus.iter().map(u32::to_string).collect();
        cpus.join(",")
    };
    let (server, load) = cpus.split_at(cpus.len() / 2);
    Some(Halves {
        server: list(server),
        load: list(load),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_gets_its_half() {
        let of = |list: &str| {
            let halves = halves(&format!("Name:\tx\nCpus_allowed_list:\t{list}\n"))?;
            Some((halves.server, halves.load))
        };
        let both = |server: &str, load: &str| Some((server.to_owned(), load.to_owned()));
        assert_eq!(of("0-1"), both("0", "1"));
        assert_eq!(of("1,4-7"), both("1,4", "5,6,7"));
        assert_eq!(of("3"), None);
        assert_eq!(of(""), None);
    }
}
