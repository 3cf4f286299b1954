//! Many concurrent callers.

use crate::caller::{self, Batch, BatchWorkflow, Operation};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use options::Context as _;
use std::time::Duration;
use temporal_nexus::testing::{DevServer, unique};
use temporalio_client::{Client, WorkflowStartOptions};
use tokio::time::timeout;

/// How many operations a caller workflow has at once: the server allows a workflow 30.
const BATCH: usize = 20;

/// What the callers are to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load<'a> {
    pub(crate) endpoint: &'a str,
    pub(crate) operation: Operation,
    /// How many times.
    pub(crate) operations: usize,
    /// How many of them at once, at most.
    pub(crate) concurrency: usize,
    /// Tells the names of this load from those of others, so that no workflow of the handler gets the id of another.
    pub(crate) tag: &'a str,
}

impl Load<'_> {
    /// Runs the caller workflows, and returns when all answers are there, and right.
    pub(crate) async fn run(self, server: &DevServer, client: &Client) -> options::Result {
        let batches = stream::iter((0..self.operations).step_by(BATCH))
            .map(|first| self.batch(first))
            .map(|batch| run_batch(client, batch))
            .buffer_unordered(self.concurrency.div_ceil(BATCH));
        let all = batches.try_for_each(async |()| Ok(()));
        // The server may lose some requests, each of which then takes ten seconds longer.
        let limit = Duration::from_secs(60) + Duration::from_millis(200) * self.operations as u32;
        match timeout(limit, all).await {
            Ok(outcome) => outcome,
            Err(_) if server.is_wedged().await => {
                Err("its database answers `interrupted (9)` for ever: start the bench again")
                    .context("The dev server is wedged")
            }
            Err(elapsed) => Err(elapsed).context(format!(
                "{} operations have not ended after {limit:?}",
                self.operations
            )),
        }
    }

    fn batch(self, first: usize) -> Batch {
        let last = self.operations.min(first + BATCH);
        Batch {
            endpoint: self.endpoint.to_owned(),
            operation: self.operation,
            names: (first..last)
                .map(|number| format!("{}-{number}", self.tag))
                .collect(),
        }
    }
}

async fn run_batch(client: &Client, batch: Batch) -> options::Result {
    let expected: Vec<_> = batch
        .names
        .iter()
        .map(|name| batch.operation.answer(name))
        .collect();
    let options = WorkflowStartOptions::new(caller::TASK_QUEUE, unique("batch")).build();
    let workflow = client
        .start_workflow(BatchWorkflow::run, batch, options)
        .await
        .context("Unable to start a caller workflow")?;
    let answers = workflow
        .get_result(Default::default())
        .await
        .context("A caller workflow failed")?;
    if answers != expected {
        return Err(format!("expected {expected:?}, got {answers:?}")).context("Wrong answers");
    }
    Ok(())
}
