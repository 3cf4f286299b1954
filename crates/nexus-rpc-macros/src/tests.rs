//! The whole expansion of a contract, compared with a file.

use std::{env, fs, path::Path};

/// Set it to write the files instead of comparing with them.
const BLESS: &str = "BLESS";

#[test]
fn expansion_is_as_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expansion");
    let input = fs::read_to_string(folder.join("hello_service.rs")).expect("the input is there");
    let recording = folder.join("hello_service.expanded.rs");

    let expansion = super::derive(&syn::parse_str(&input).expect("the input is a struct"));
    let file = syn::parse2(expansion).expect("the expansion consists of items");
    let expansion = prettyplease::unparse(&file);

    if env::var_os(BLESS).is_some() {
        fs::write(&recording, expansion).expect("the recording can be written");
        return;
    }
    let recorded = fs::read_to_string(&recording).unwrap_or_default();
    assert!(
        expansion == recorded,
        "the expansion differs from {}; if it should, run again with {BLESS}=1. It is:\n\n{expansion}",
        recording.display()
    );
}
