//! What the README says is so.

use std::{collections::BTreeSet, fs};

use crate::fixture::{Program, Readme, Sample, Walk, cli, get, program, root, shape};

#[tokio::test]
async fn the_walk_by_hand() {
    let readme = Readme::read();
    let section = "The walk by hand";
    let blocks = readme.blocks(section);
    let languages: Vec<_> = blocks.iter().map(|block| &*block.language).collect();
    assert_eq!(languages, ["sh", "sh", "sh", "sh", "sh", ""]);
    let [server, setup, handler, caller, starter, output] = &*blocks else {
        unreachable!("they were counted");
    };
    let walk = Walk::new();

    let _server = walk.command(&server.text).start();
    walk.server_answers().await;
    let setup = walk.command(&setup.text).run().await;
    assert!(setup.status.success(), "{setup:#?}");
    let _handler = walk.command(&handler.text).worker().await;
    let _caller = walk.command(&caller.text).worker().await;

    let started = walk.command(&starter.text).run().await;
    assert!(started.status.success(), "{started:#?}");
    assert_eq!(shape(&started.stdout), shape(&output.text));

    let section = readme.section(section);
    let with = |flags: &str| {
        assert!(
            section.contains(&format!("`{flags}`")),
            "no {flags:?} in {section}"
        );
        walk.command(&format!("{} {flags}", starter.text.trim()))
            .run()
    };
    let somebody_else = with("-name Ada -language fr").await;
    assert_eq!(somebody_else.results()[1], "Bonjour Ada 👋");
    let failure = with("-language xx").await;
    assert_eq!(failure.status.code(), Some(1));
    assert!(
        failure.stderr.contains("unsupported language \"xx\""),
        "{failure:#?}"
    );

    assert!(
        section.contains("<http://localhost:8233>"),
        "no Web UI in {section}"
    );
    let ui = get(&walk.ui()).await;
    assert_eq!(ui.as_deref(), Some("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn older_names_of_endpoints_are_refused_in_these_words() {
    let readme = Readme::read();
    let sample = Sample::shared().await;
    let section = readme.section("The walk by hand").replace("\n> ", " ");
    let text = "`my_nexus_endpoint_name`";
    let words = "`endpoint name must match the regex`";
    assert!(
        section.contains(text) && section.contains(words),
        "{section}"
    );
    let create = "operator nexus endpoint create --target-namespace my-target-namespace \
                  --target-task-queue my-handler-task-queue --name my_nexus_endpoint_name";
    let create = Program::new(cli()).args(create);
    let refused = create
        .env("TEMPORAL_ADDRESS", sample.server.address())
        .run()
        .await;
    assert!(!refused.status.success(), "{refused:?}");
    let trouble = readme.trouble("endpoint name must match the regex");
    assert!(trouble.is_seen_in(&refused.stderr), "{refused:?}");
}

#[test]
fn every_message_of_the_table_of_troubles_has_a_test() {
    let tested = [
        // In `bad_input`, against what the programs say.
        "cannot reach a Temporal server at ",
        "namespace my-caller-namespace does not exist ",
        "workflow task fails: ",
        "nexus operation \"echo\" ",
        "no worker takes workflow tasks ",
        // Above.
        "endpoint name must match the regex",
        // Below: no program of this sample can come to it.
        "workflow … of this operation is already started",
    ];
    let troubles = Readme::read().troubles();
    let messages = troubles.iter().filter_map(|it| it.strip_prefix('`'));
    for message in messages {
        let is_tested = tested.iter().any(|start| message.starts_with(start));
        assert!(is_tested, "no test of {message:?}");
    }
}

#[test]
fn the_words_of_a_conflict_are_those_of_the_crate() {
    let source = root().join("crates/temporal-nexus/src/workflow_run/start.rs");
    let source = fs::read_to_string(source).expect("the source");
    let trouble = Readme::read().trouble("workflow … of this operation");
    assert!(trouble.is_seen_in(&source), "{trouble:?}");
}

#[test]
fn every_link_leads_somewhere() {
    assert_eq!(Readme::read().broken_links(10), [""; 0]);
}

#[tokio::test]
async fn the_flags_are_those_of_the_programs() {
    let readme = Readme::read();
    let lines = readme
        .section("Temporal Cloud and self-hosted servers")
        .lines();
    let rows = lines.filter_map(|line| line.strip_prefix("| `-"));
    let cells = rows.filter_map(|row| row.split(" | ").next());
    let flags = cells.flat_map(|cell| cell.split("`, `-"));
    let flags: BTreeSet<_> = flags.map(|flag| flag.trim_end_matches('`')).collect();

    let help = Program::new(program("caller-worker"))
        .arg("-help")
        .run()
        .await
        .stdout;
    let words = help.split([' ', '\n', '[', ']']);
    let known = words.filter_map(|word| word.strip_prefix("--"));
    let known: BTreeSet<_> = known.filter(|flag| *flag != "help").collect();
    assert_eq!(flags, known);
}
