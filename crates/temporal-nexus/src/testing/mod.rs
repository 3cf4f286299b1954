//! A Temporal dev server for tests.
//!
//! [`DevServer`] runs `temporal server start-dev` as a process of its own, on free ports of 127.0.0.1, and returns once the
//! server serves. Tests that can live side by side on one server share it with [`DevServer::shared`] and keep apart by
//! [`unique`] names; a test that stops, kills or restarts its server starts one of its own.
//!
//! ```no_run
//! use temporal_nexus::testing::{DevServer, unique};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let server = DevServer::shared().await;
//! let namespace = unique("caller");
//! server.create_namespace(&namespace).await?;
//! let endpoint = server
//!     .create_endpoint(&unique("hello"), &namespace, "hello-task-queue")
//!     .await?;
//! let client = server.client(&namespace).await?;
//! # let _ = (endpoint, client);
//! # Ok(())
//! # }
//! ```
//!
//! # The command-line interface
//!
//! The server needs the `temporal` program. It is looked for at [`DevServerBuilder::cli`], then at the path in the environment
//! variable `TEMPORAL_CLI`, then as `bin/temporal` in the directory of the package under test, in the current directory, or
//! in a directory above either, and last on `PATH`.
//!
//! # No server is left behind
//!
//! The server runs under a small shell that watches a pipe from this process. The kernel closes that pipe however this process
//! ends (return from `main`, panic, `kill -9`), and the watcher then kills the server and everything it started. That is why
//! the module needs a Unix system with `sh`.
//!
//! # A server that has wedged
//!
//! The database of server 1.29 can come to answer `interrupted (9)` to every statement, for ever, when callers go away at the
//! wrong moment: once in some thousand worker stops, but within seconds when many calls of `ListNamespaces` are cancelled.
//! [`DevServer::is_wedged`] tells, and calls made through [`DevServer`] then fail with [`DevServerError::Wedged`]. Only a new
//! process helps: [`DevServer::restart`], which keeps what is in a [database file](DevServerBuilder::db_filename).

mod admin;
mod builder;
mod cli;
mod error;
mod output;
mod ports;
mod probe;
mod process;
mod server;

pub use admin::{Endpoint, EndpointSpec};
pub use builder::{DevServerBuilder, LogLevel, ServerPorts};
pub use error::DevServerError;
pub use ports::{free_port, free_ports};
pub use server::DevServer;

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// A name that no other test uses, in this process or another: the prefix, then hexadecimal digits and hyphens.
///
/// It suits namespaces, endpoints, task queues and workflow ids alike; an endpoint's prefix must begin with a letter and hold
/// only letters, digits and hyphens (the server's rule).
///
/// ```
/// # use temporal_nexus::testing::unique;
/// assert_ne!(unique("greeting"), unique("greeting"));
/// ```
pub fn unique(prefix: &str) -> String {
    // The standard library seeds its hasher from the system's random numbers, once per thread.
    static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish());
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}-{:012x}-{count:x}", *PROCESS >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn unique_names_differ_and_keep_to_the_rule_for_endpoints() {
        let names: HashSet<String> = (0..1000).map(|_| unique("my-endpoint")).collect();
        assert_eq!(names.len(), 1000);
        for name in names {
            assert!(name.starts_with("my-endpoint-"), "{name}");
            assert!(!name.ends_with('-'), "{name}");
            assert!(
                name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'),
                "{name}"
            );
        }
    }
}
