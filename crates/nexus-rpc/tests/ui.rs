//! What the compiler accepts of contracts and handlers, and what it says about the rest.

use std::{
    io::{self, Write},
    process::Command,
};

/// The compiler that wrote the `.stderr` files. Others word some of it differently.
const RECORDED_WITH: &str = "rustc 1.95.";

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    let version = rustc_version();
    if version.starts_with(RECORDED_WITH) {
        cases.compile_fail("tests/ui/*.rs");
    } else {
        // Not with `eprintln!`, which a test that passes keeps to itself.
        let _ = writeln!(
            io::stderr(),
            "skipped what must not compile: recorded with {RECORDED_WITH}x, this is {version}"
        );
    }
}

fn rustc_version() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .arg("--version")
        .output()
        .expect("rustc runs");
    let version = String::from_utf8(output.stdout).expect("rustc prints UTF-8");
    version.trim().to_owned()
}
