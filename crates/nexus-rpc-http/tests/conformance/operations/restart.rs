//! The end of a process, and what the next one finds.

use std::path::PathBuf;

use nexus_rpc_http::operations::RedbStore;

use super::*;

struct TempFile(PathBuf);

impl TempFile {
    fn new() -> Self {
        let name = format!("nexus-conformance-{}.redb", uuid::Uuid::new_v4());
        Self(std::env::temp_dir().join(name))
    }

    /// One that gives work up soon.
    async fn keeper(&self, ends: &Ends) -> Keeper {
        Keeper::over(self.builder().max_attempts(2), ends.clone()).await
    }

    async fn usual(&self, ends: &Ends) -> Keeper {
        Keeper::over(self.builder(), ends.clone()).await
    }

    fn builder(&self) -> OperationsBuilder {
        let store = RedbStore::open(&self.0).unwrap();
        Operations::builder(store).delivery(quick())
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Keeper {
    /// Ends as a process does: nothing is left of it but the file.
    async fn stop(self, grace: Duration) {
        self.operations.shutdown(grace).await;
        self.task.abort();
        until(async || self.task.is_finished()).await;
    }
}

#[tokio::test]
async fn everything_goes_on() {
    let (file, ends) = (TempFile::new(), Ends::new());
    let receiver = Receiver::start().await;
    let url = receiver.url("/cb");
    let keeper = file.keeper(&ends).await;
    keeper.job("done").await.expect(201);
    ends.say("done", done(json!(1)));
    keeper.result("done").await.expect(200);
    let started = keeper.start_current("a", &url).await.expect(201).json();
    let token = started["token"].as_str().unwrap();
    keeper.until_running(1).await;
    // Nothing is canceled when the server stops.
    keeper.stop(Duration::from_millis(50)).await;

    let keeper = file.keeper(&ends).await;
    assert_eq!(keeper.result("done").await.expect(200).json(), json!(1));
    assert_eq!(keeper.state(token).await, "running");
    // The caller did not get the answer the first time.
    assert_eq!(
        keeper.start_current("a", &url).await.expect(201).json(),
        started
    );
    ends.say("a", how("context"));
    until(async || receiver.count() == 1).await;
    let completion = receiver.take();
    let context: Value = completion
        .result(&nexus_rpc::content::JsonSerializer)
        .unwrap()
        .unwrap();
    assert_eq!(context["token"], token);
    assert_eq!(context["request_id"], "a");
    assert_eq!(context["attempt"], 2);
    assert_eq!(completion.operation_token.unwrap().as_str(), token);
    keeper.stop(Duration::from_secs(5)).await;

    // What was delivered is not delivered again.
    let keeper = file.keeper(&ends).await;
    assert_eq!(keeper.operations.statistics().await.unwrap().deliveries, 0);
    keeper.stop(Duration::ZERO).await;
    assert_eq!(receiver.count(), 0);
}

#[tokio::test]
async fn a_cancel_request_is_not_forgotten() {
    let (file, ends) = (TempFile::new(), Ends::new());
    let keeper = file.keeper(&ends).await;
    let input = json!({"name": "a", "stubborn": true});
    keeper
        .post(&format!("{DRAFT}/job/a"), input)
        .await
        .expect(201);
    keeper.until_running(1).await;
    keeper.cancel("a").await.expect(202);
    keeper.stop(Duration::ZERO).await;
    let keeper = file.keeper(&ends).await;
    ends.say("a", how("context"));
    let context = keeper.result("a").await.expect(200).json();
    assert_eq!(
        (&context["canceled"], &context["attempt"]),
        (&json!(true), &json!(2))
    );
    keeper.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn work_that_ends_its_process_is_given_up() {
    let ends = Ends::new();
    let receiver = Receiver::start().await;
    let mut file = TempFile::new();
    // As often as it is begun with the usual settings.
    for attempt in 0..10 {
        let keeper = file.usual(&ends).await;
        if attempt == 0 {
            let url = receiver.url("/cb");
            keeper.start_draft("a", &url).await.expect(201);
        }
        keeper.until_running(1).await;
        // What a crash leaves at this moment.
        let crashed = TempFile::new();
        std::fs::copy(&file.0, &crashed.0).unwrap();
        keeper.stop(Duration::ZERO).await;
        file = crashed;
    }
    let keeper = file.usual(&ends).await;
    let result = keeper.result("a").await.expect(482);
    assert_eq!(result.header("nexus-operation-state"), Some("failed"));
    until(async || receiver.count() == 1).await;
    let told = receiver.take().outcome.state();
    assert_eq!(told, nexus_rpc::OperationState::Failed);
    keeper.stop(Duration::from_secs(5)).await;
}

/// What a crash leaves is not what a shutdown leaves, and the work cannot tell.
#[tokio::test]
async fn work_begins_again_after_a_crash_as_what_it_was() {
    let (file, ends) = (TempFile::new(), Ends::new());
    let keeper = file.usual(&ends).await;
    let started = keeper.start_current("a", "http://127.0.0.1:9/").await;
    let started = started.expect(201).json();
    keeper.until_running(1).await;
    let crashed = TempFile::new();
    std::fs::copy(&file.0, &crashed.0).unwrap();
    keeper.stop(Duration::ZERO).await;

    let keeper = crashed.usual(&ends).await;
    let again = keeper.start_current("a", "http://127.0.0.1:9/").await;
    assert_eq!(again.expect(201).json(), started);
    ends.say("a", how("context"));
    let token = started["token"].as_str().unwrap();
    let context = keeper.result(token).await.expect(200).json();
    assert_eq!(context["token"], token);
    assert_eq!(context["request_id"], "a");
    assert_eq!(context["attempt"], 2);
    keeper.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn work_that_is_stopped_is_not_given_up() {
    let (file, ends) = (TempFile::new(), Ends::new());
    for attempt in 0..5 {
        let keeper = file.keeper(&ends).await;
        if attempt == 0 {
            keeper.job("a").await.expect(201);
        }
        keeper.until_running(1).await;
        keeper.stop(Duration::ZERO).await;
    }
    let keeper = file.keeper(&ends).await;
    ends.say("a", how("context"));
    assert_eq!(keeper.result("a").await.expect(200).json()["attempt"], 6);
    keeper.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn undelivered_results_are_delivered() {
    let (file, ends) = (TempFile::new(), Ends::new());
    let address = nobody();
    let keeper = file.keeper(&ends).await;
    keeper
        .start_current("a", &format!("http://{address}/cb"))
        .await
        .expect(201);
    ends.say("a", done(json!(1)));
    until(async || keeper.operations.statistics().await.unwrap().deliveries == 1).await;
    keeper.stop(Duration::ZERO).await;
    let receiver = Late::at(address).await;
    let keeper = file.keeper(&ends).await;
    until(async || keeper.operations.statistics().await.unwrap().deliveries == 0).await;
    assert_eq!(receiver.count(), 1);
    keeper.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn a_server_that_stops_takes_nothing_in_and_lets_work_end() {
    let keeper = Keeper::start().await;
    keeper.job("a").await.expect(201);
    keeper.until_running(1).await;
    let stopping = keeper.operations.shutdown(Duration::from_secs(20));
    let rest = async {
        tokio::task::yield_now().await;
        keeper.job("b").await.expect(503);
        assert_eq!(keeper.state("a").await, "running");
        keeper.ends.say("a", done(json!(1)));
    };
    let since = Instant::now();
    tokio::join!(stopping, rest);
    assert!(since.elapsed() < Duration::from_secs(10));
    assert_eq!(keeper.result("a").await.expect(200).json(), json!(1));
}
