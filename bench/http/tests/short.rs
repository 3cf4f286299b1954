//! The benchmark itself works; its figures are no test's business.

use std::process::Command;

#[test]
fn the_short_form_compares_all_servers() {
    let output = Command::new(env!("CARGO_BIN_EXE_bench-http"))
        .arg("--short")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let report = String::from_utf8(output.stdout).unwrap();
    let mut ratios = report.lines().filter(|line| line.contains(" / "));
    assert!(
        ratios.any(|line| line.contains("axum alone: requests/s 0.")
            || line.contains("axum alone: requests/s 1.")),
        "{report}"
    );
}
