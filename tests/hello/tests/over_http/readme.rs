//! What the README of the sample says is so.

use crate::fixture::{Block, Finished, Folder, Readme, Running, Walk, eventually, program, shape};

const FOLDER: &str = "samples/http";

fn walk() -> Walk {
    // So that `cargo run` finds them built.
    program("http-caller");
    Walk::new()
}

/// The answer of a server, with `…` for what differs from run to run: dates and what the handler makes up.
fn answer(text: &str) -> String {
    let made_up = |word: &str| {
        let parts = word.split('"');
        let parts = parts.map(|part| {
            let id = part.len() == 32 && part.bytes().all(|it| it.is_ascii_hexdigit());
            if id { "…" } else { part }
        });
        parts.collect::<Vec<_>>().join("\"")
    };
    let lines = text.lines().map(str::trim_end);
    let lines = lines.map(|line| match line.split_once(' ') {
        Some(("date:", _)) => "date: …".to_owned(),
        _ => made_up(line),
    });
    // curl ends an answer without a body by a line that a README shows as an empty one, or not at all.
    lines.collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

/// The blocks of a section that are in this language.
fn blocks(readme: &Readme, section: &str, language: &str) -> Vec<Block> {
    let blocks = readme.blocks(section).into_iter();
    blocks.filter(|block| block.language == language).collect()
}

/// The first block of a section in this language.
#[track_caller]
fn block(readme: &Readme, section: &str, language: &str) -> Block {
    let first = blocks(readme, section, language).into_iter().next();
    first.expect("a block of this language")
}

async fn started(walk: &Walk, command: &str) -> Running {
    let program = walk.command(command).start();
    program.says("Listening on").await;
    program
}

#[tokio::test]
async fn every_call_with_curl() {
    let readme = Readme::of(FOLDER);
    let section = "With curl";
    let walk = walk();
    let [handler, receiver, variables] = &blocks(&readme, section, "sh")[..] else {
        panic!("three terminals");
    };
    let folder = Folder::new();
    let store = folder.path().join("operations.redb");
    let handler = format!("{} --store '{}'", handler.text.trim_end(), store.display());
    let _handler = started(&walk, &handler).await;
    let receiver = walk.command(&receiver.text).start();
    let callback = eventually("the receiver says its URL", async || {
        let said = receiver.stdout();
        let line = said.lines().next()?;
        line.strip_prefix("Valid for an hour: ").map(str::to_owned)
    })
    .await;
    // What the reader is told to do: put the printed URL there.
    let (operations, _) = variables.text.split_once('\n').expect("two variables");
    let variables = format!("{operations}\ncallback='{callback}'\n");

    for block in blocks(&readme, section, "console") {
        for (command, promised) in block.commands() {
            let given = walk.command(&format!("{variables}{command}")).run().await;
            assert_eq!(
                answer(&given.stdout),
                answer(promised),
                "{command}: {given:#?}"
            );
        }
    }
    let delivered = block(&readme, section, "").text;
    receiver.says(&delivered).await;
    receiver.says("greeting failed: lost my voice").await;
    receiver
        .says("greeting failed: unsupported language \"xx\"")
        .await;
}

#[tokio::test]
async fn the_caller_with_either_handler_and_through_a_server() {
    let readme = Readme::of(FOLDER);
    let hello = Readme::read();
    program("workflow-handler");
    let walk = walk();
    let section = "The handler of the hello sample";
    let [server, handler] = &blocks(&readme, section, "sh")[..] else {
        panic!("two blocks");
    };
    let [_, setup, worker] = &blocks(&hello, "The walk by hand", "sh")[..3] else {
        unreachable!("three are taken");
    };
    let _server = walk.command(&server.text).start();
    walk.server_answers().await;
    succeeded(walk.command(&setup.text).run().await);
    let _worker = walk.command(&worker.text).worker().await;

    let handler = started(&walk, &handler.text).await;
    prints_what_it_promises(&walk, &block(&readme, section, "console")).await;
    // Its greeting is a workflow.
    let describe = "bin/temporal workflow describe --namespace my-target-namespace --workflow-id hello-es-nexus";
    assert!(readme.section(section).contains("`hello-es-nexus`"));
    succeeded(walk.command(describe).run().await);
    handler.signal_group("INT");
    handler.exited().await;

    let section = "Through a Temporal server";
    let through = walk
        .command(&block(&readme, section, "sh").text)
        .run()
        .await;
    let through = succeeded(through).stdout;
    assert_eq!(
        through,
        "current: echo: Nexus Echo 👋\ncurrent: say-hello: ¡Hola! Nexus 👋\n"
    );
}

#[tokio::test]
async fn temporal_as_the_caller() {
    let readme = Readme::of(FOLDER);
    let section = "Temporal as the caller";
    let walk = walk();
    let [server, setup, worker] = &blocks(&readme, section, "sh")[..] else {
        panic!("three blocks");
    };
    let folder = Folder::new();
    let store = folder.path().join("operations.redb");
    let embedded = &blocks(&readme, "With curl", "sh")[0].text;
    let embedded = embedded.replace("--greeting-takes 10s", "--store");
    let embedded = format!("{} '{}'", embedded.trim_end(), store.display());
    let _handler = started(&walk, &embedded).await;
    // The caller in Rust, with the same handler.
    prints_what_it_promises(&walk, &block(&readme, "A caller in Rust", "console")).await;

    let _server = walk.command(&server.text).start();
    walk.server_answers().await;
    succeeded(walk.command(&setup.text).run().await);
    let _worker = walk.command(&worker.text).worker().await;
    prints_what_it_promises(&walk, &block(&readme, section, "console")).await;
}

async fn prints_what_it_promises(walk: &Walk, block: &Block) {
    for (command, promised) in block.commands() {
        let printed = succeeded(walk.command(command).run().await).stdout;
        assert_eq!(shape(&printed), shape(promised), "{command}");
    }
}

#[track_caller]
fn succeeded(finished: Finished) -> Finished {
    assert!(finished.status.success(), "{finished:#?}");
    finished
}

#[test]
fn every_link_leads_somewhere() {
    assert_eq!(Readme::of(FOLDER).broken_links(5), [""; 0]);
}
