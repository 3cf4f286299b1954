//! Fuzzing of every parser that reads what a peer sent, on stable Rust.
//!
//! Each target is an ordinary test beside the others, where it reaches the parsers without widening the crate's API. In `cargo test` it
//! runs for a second. `bin/fuzz` at the root of the repository runs one or all for as long as it is told:
//!
//! ```text
//! bin/fuzz                 all targets, 60 seconds each; as many at a time as there are CPUs
//! bin/fuzz failures 600    one target, 10 minutes
//! ```
//!
//! Inputs are valid values that were mutated with pieces of the grammar, and bytes of any kind. A finding is shrunk and printed as the
//! smallest input that shows it; make it a unit test of the parser before mending it.

mod dates;
mod durations;
mod failures;
mod headers;
mod input;
mod links;
mod paths;
mod queries;
mod tokens;

use std::{
    env,
    fmt::Display,
    time::{Duration, Instant},
};

use proptest::{
    strategy::Strategy,
    test_runner::{Config, TestCaseError, TestCaseResult, TestError, TestRunner},
};

/// For how many seconds each target runs.
const SECONDS: &str = "NEXUS_FUZZ_SECONDS";
/// No input may take this long, not even on a busy machine. A header or body of ours takes less than a thousandth.
const LIMIT: Duration = Duration::from_secs(10);
/// How much of an input that is a finding is printed, in characters.
const SHOWN: usize = 4000;
/// Inputs between two looks at the clock.
const ROUND: u32 = 500;

/// Checks `property` with inputs from `strategy` until the time is over.
fn fuzz<S: Strategy>(target: &str, strategy: &S, property: impl Fn(S::Value) -> TestCaseResult) {
    let seconds = env::var(SECONDS).map_or(1, |text| {
        text.parse()
            .unwrap_or_else(|error| panic!("{SECONDS}={text:?}: {error}"))
    });
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut inputs = 0u64;
    while Instant::now() < end {
        // A new runner has a new seed.
        let mut runner = TestRunner::new(Config {
            cases: ROUND,
            failure_persistence: None,
            ..Config::default()
        });
        let timed = |input| {
            let started = Instant::now();
            property(input)?;
            let taken = started.elapsed();
            if taken > LIMIT {
                return Err(TestCaseError::fail(format!("took {taken:?}")));
            }
            Ok(())
        };
        match runner.run(strategy, timed) {
            Ok(()) => inputs += u64::from(ROUND),
            Err(TestError::Fail(reason, input)) => {
                let input: String = format!("{input:?}").chars().take(SHOWN).collect();
                panic!("{target}: {reason}\ninput: {input}")
            }
            Err(TestError::Abort(reason)) => panic!("{target}: {reason}"),
        }
    }
    println!("{target}: {inputs} inputs in {seconds} s");
}

/// What a person reads about an input names what was wrong, and brings none of the input's control characters to a terminal or a log.
fn is_readable(error: &impl Display) -> TestCaseResult {
    let text = error.to_string();
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(TestCaseError::fail(format!("unreadable error {text:?}")));
    }
    Ok(())
}
