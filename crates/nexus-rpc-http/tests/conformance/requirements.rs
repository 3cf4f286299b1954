//! Every requirement has a test here, by its number.

use std::{collections::BTreeSet, fs, path::Path};

/// The requirements of each kind: the draft's, the current dialect's, and what peers do beyond it. Two numbers are not in use.
const REQUIREMENTS: [(&str, u32, &[u32]); 3] =
    [("d", 89, &[63, 68]), ("c", 75, &[]), ("cx", 7, &[])];

type Requirement = (String, u32);

#[test]
fn every_requirement_has_a_test() {
    let mut tested = BTreeSet::new();
    read(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance"),
        &mut tested,
    );
    let required: BTreeSet<Requirement> = REQUIREMENTS
        .into_iter()
        .flat_map(|(kind, last, unused)| {
            (1..=last)
                .filter(|number| !unused.contains(number))
                .map(|number| (kind.to_owned(), number))
        })
        .collect();
    let untested: Vec<_> = required.difference(&tested).collect();
    assert!(
        untested.is_empty(),
        "requirements without a test: {untested:?}"
    );
    let unknown: Vec<_> = tested.difference(&required).collect();
    assert!(unknown.is_empty(), "tests of no requirement: {unknown:?}");
}

/// Adds what the tests in a directory are named after.
fn read(directory: &Path, tested: &mut BTreeSet<Requirement>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, tested);
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        let mut lines = source.lines().peekable();
        while let Some(line) = lines.next() {
            if ["#[test]", "#[tokio::test]"].contains(&line)
                && let Some((_, name)) = lines.peek().and_then(|line| line.split_once("fn "))
            {
                tested.extend(requirements(name));
            }
        }
    }
}

/// `d33_d60_a_result_stays` is about D33 and D60. `c55_to_c63_…` stands for its first and last: those between need tests of their own.
fn requirements(name: &str) -> impl Iterator<Item = Requirement> {
    name.split('_')
        .filter(|word| *word != "to")
        .map_while(|word| {
            let digits = word.find(|c: char| c.is_ascii_digit())?;
            let (kind, number) = word.split_at(digits);
            let is_known = REQUIREMENTS.iter().any(|(known, ..)| *known == kind);
            is_known.then_some((kind.to_owned(), number.parse().ok()?))
        })
}

#[test]
fn names_are_read() {
    let read = |name| requirements(name).collect::<Vec<_>>();
    let requirement = |kind: &str, number| (kind.to_owned(), number);
    assert_eq!(
        read("d33_d60_a_result_stays()"),
        [requirement("d", 33), requirement("d", 60)]
    );
    assert_eq!(
        read("c55_to_c63_x"),
        [requirement("c", 55), requirement("c", 63)]
    );
    assert_eq!(read("cx07_x"), [requirement("cx", 7)]);
    assert_eq!(read("work_d1_goes_on"), []);
}
