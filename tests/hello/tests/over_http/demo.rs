//! `bin/demo http`: what it prints, how it ends, and that nothing of it stays behind.

use crate::{
    demo::{demo, interrupted, may_be_interrupted, two_print},
    fixture::{Folder, Program, Readme, program},
};

#[tokio::test]
async fn two_at_a_time_print_what_the_readme_promises() {
    program("http-caller");
    two_print("http", &Readme::of("samples/http").blocks("One command")).await;
}

#[tokio::test]
async fn it_may_be_interrupted_at_any_time() {
    program("http-caller");
    let moments = [
        "demo: building the programs",
        "demo: starting the handler",
        "demo: calling it in both dialects",
        "demo: calling it once more",
        "demo: starting it again",
    ];
    may_be_interrupted("http", moments).await;
}

#[tokio::test]
async fn it_keeps_running_if_it_is_asked_to() {
    program("http-caller");
    let folder = Folder::new();
    let demo = demo(&folder, "http --keep").start();
    demo.says("with curl:").await;
    let said = demo.stdout();
    let run = |label: &str| {
        let advice = said
            .lines()
            .find_map(|line| line.trim().strip_prefix(label));
        let advice = advice.unwrap_or_else(|| panic!("no {label:?} in {said}"));
        Program::new("sh").arg("-c").arg(advice.trim()).run()
    };
    let german = run("greet in German:").await;
    assert!(
        german
            .stdout
            .ends_with("current: say-hello: Hallo Ada 👋\n"),
        "{german:#?}"
    );
    let lacks = run("in a language it lacks:").await;
    assert_eq!(lacks.status.code(), Some(1), "{lacks:#?}");
    assert!(
        lacks.stderr.contains("unsupported language \"xx\""),
        "{lacks:#?}"
    );
    let curl = run("with curl:").await;
    assert!(curl.stdout.contains("{\"Message\":\"hi\"}"), "{curl:#?}");

    demo.signal_group("INT");
    interrupted(demo, 130).await;
    assert_eq!(folder.names(), [""; 0]);
}
