//! Whoever builds the programs one by one, as the README does, compiles Temporal's crates once.

use std::{collections::BTreeSet, env, process::Command};

use crate::fixture::root;

/// The crates of a build that are not of this workspace, each with its features.
fn crates(arguments: &str) -> BTreeSet<String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = Command::new(cargo)
        .args("tree --locked --offline --prefix none --format".split(' '))
        .arg("{p} {f}")
        .args(arguments.split(' '))
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&tree.stderr);
    assert!(tree.status.success(), "{said}");
    let lines = String::from_utf8(tree.stdout).expect("UTF-8");
    let lines = lines.lines().map(|line| line.trim_end_matches(" (*)"));
    // Those of the workspace have their folder in parentheses.
    let others = lines.filter(|line| !line.contains(" (/"));
    others.map(str::to_owned).collect()
}

#[test]
fn one_tree_for_both_programs() {
    let both = crates("-p handler -p caller --edges normal,build");
    assert!(both.len() > 100, "{both:?}");
    for package in ["handler", "caller"] {
        let alone = crates(&format!("-p {package} --edges normal,build"));
        let others: Vec<_> = alone.difference(&both).collect();
        assert!(
            others.is_empty(),
            "`cargo build -p {package}` builds crates with other features than with both programs: {others:#?}"
        );
    }
}
