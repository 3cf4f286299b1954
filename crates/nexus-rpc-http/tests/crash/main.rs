//! Kills a server again and again while it takes operations in, works on them and delivers their results to a receiver that is down half
//! of the time. In the end every operation that was accepted has ended, each result was delivered and reads back.
//!
//! ```text
//! cargo test -p nexus-rpc-http --test crash
//! cargo test -p nexus-rpc-http --test crash --release -- --kills 200 --operations 1000 [--seed 1]
//! ```

use std::{error::Error, path::PathBuf};

mod driver;
mod random;
mod receiver;
mod server;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The operation of the test: a number, doubled after some milliseconds. Every seventh fails.
pub(crate) const DOUBLE: nexus_rpc::Operation<u64, u64> =
    nexus_rpc::Operation::new("crash", "double");

/// How the operation for `n` ends.
pub(crate) fn expected(n: u64) -> std::result::Result<u64, String> {
    if n % 7 == 3 {
        return Err(format!("{n} cannot be doubled"));
    }
    Ok(2 * n)
}

#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) kills: u64,
    pub(crate) operations: u64,
    pub(crate) seed: u64,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // What test runners ask of every test program.
    if arguments.iter().any(|argument| argument == "--list") {
        println!("crash: test");
        return Ok(());
    }
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)
    };
    let number = |name: &str, default: u64| value(name).map_or(Ok(default), |text| text.parse());
    let runtime = tokio::runtime::Runtime::new()?;
    if let Some(store) = value("--serve") {
        return runtime.block_on(server::run(&PathBuf::from(store), number("--port", 0)?));
    }
    let arguments = Arguments {
        kills: number("--kills", 5)?,
        operations: number("--operations", 100)?,
        seed: number("--seed", u64::from(std::process::id()))?,
    };
    runtime.block_on(driver::run(arguments))
}
