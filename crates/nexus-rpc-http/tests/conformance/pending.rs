//! A caller that waits for the callback (current dialect).

use std::time::Duration;

use nexus_rpc::{
    CancelOperationContext, Content, Failure, HandlerError, Operation, OperationHandler,
    OperationToken, Service, ServiceRegistry, StartError, StartOperationContext,
    StartOperationResult, context::Callback,
};
use nexus_rpc_http::{
    ClientError, Dialect, NexusHttpClient, OperationFailure, StartOptions,
    callback::{CallbackTokens, Completion, CompletionSender, PendingCompletions},
};
use tokio::task::JoinHandle;

use crate::support::{Server, raw::Wire, within};

const TEA: Operation<String, String> = Operation::new("kitchen", "tea");

/// Ends its operations as their input says, and keeps the callback of the last one.
#[derive(Clone)]
struct Kitchen(tokio::sync::watch::Sender<Option<Callback>>);

impl OperationHandler<String, String> for Kitchen {
    async fn start(
        &self,
        ctx: StartOperationContext,
        how: String,
    ) -> Result<StartOperationResult<String>, StartError> {
        let callback = ctx.callback().cloned();
        self.0.send_replace(callback.clone());
        let Some(callback) = callback.filter(|_| how != "at once") else {
            return Ok(StartOperationResult::Sync("cold tea".into()));
        };
        let completion = match how.as_str() {
            "fails" => Completion::unsuccessful(OperationFailure::failed(Failure::new("spilled"))),
            "canceled" => Completion::unsuccessful(OperationFailure::canceled(Failure::new("no"))),
            _ => Completion::succeeded(Content::new("application/json", r#""tea""#)),
        };
        let deliveries = if how == "twice" { 2 } else { 1 };
        let deliver = async move {
            let sender = CompletionSender::new().expect("a sender");
            for _ in 0..deliveries {
                let sent = sender.send(Dialect::Current, &callback, &completion).await;
                sent.expect("it is taken");
            }
        };
        match how.as_str() {
            // Before the answer to the start, which then never comes.
            "early" => {
                deliver.await;
                std::future::pending::<()>().await;
            }
            // Nobody may be waiting for the second any more, and yet it is taken.
            "twice" => deliver.await,
            "never" => {}
            _ => drop(tokio::spawn(deliver)),
        }
        Ok(StartOperationResult::Async(OperationToken::new("pot")?))
    }

    async fn cancel(
        &self,
        _: CancelOperationContext,
        _: OperationToken,
    ) -> Result<(), HandlerError> {
        Ok(())
    }
}

struct Table {
    client: NexusHttpClient,
    kitchen: Kitchen,
    callbacks: std::net::SocketAddr,
    receiver: JoinHandle<()>,
    _server: Server,
}

impl Drop for Table {
    fn drop(&mut self) {
        self.receiver.abort();
    }
}

impl Table {
    async fn lay() -> Self {
        let kitchen = Kitchen(tokio::sync::watch::Sender::new(None));
        let service = Service::builder("kitchen").operation(TEA, kitchen.clone());
        let mut registry = ServiceRegistry::new();
        registry.register(service.build().unwrap()).unwrap();
        let server = Server::of(registry).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let callbacks = listener.local_addr().unwrap();
        let tokens = CallbackTokens::new(&[7; 32]).unwrap();
        let pending = PendingCompletions::new(tokens, format!("http://{callbacks}/done?a=b"));
        let app = axum::Router::new().route_service("/done", pending.receiver());
        let receiver = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let client = NexusHttpClient::builder(format!("http://{}", server.address))
            .completions(pending)
            .build()
            .unwrap();
        Self {
            client,
            kitchen,
            callbacks,
            receiver,
            _server: server,
        }
    }

    async fn ask(&self, how: &str) -> Result<String, ClientError> {
        let execute = self.client.execute(TEA, how.into(), StartOptions::new());
        within(execute).await
    }

    /// Sends a completion to the callback of the last operation, and gets the status of the answer.
    async fn deliver(&self, change: impl FnOnce(String) -> String) -> u16 {
        let url = self.kitchen.0.borrow().clone().expect("a callback").url;
        let target = url.strip_prefix(&format!("http://{}", self.callbacks));
        let target = change(target.expect("the receiver's").to_owned());
        let request = Wire::post(&target)
            .header("Nexus-Operation-State", "succeeded")
            .header("Content-Type", "application/json")
            .body(r#""tea""#);
        let answer = crate::support::raw::exchange(self.callbacks, &request.bytes()).await;
        answer.status()
    }
}

#[tokio::test]
async fn execute_waits_for_the_callback() {
    let table = Table::lay().await;
    assert_eq!(table.ask("later").await.unwrap(), "tea");
    assert_eq!(table.ask("at once").await.unwrap(), "cold tea");
}

#[tokio::test]
async fn d85_c65_a_completion_may_come_before_the_answer_to_the_start() {
    let table = Table::lay().await;
    assert_eq!(table.ask("early").await.unwrap(), "tea");
}

#[tokio::test]
async fn d84_a_repeated_completion_changes_nothing_and_is_taken() {
    let table = Table::lay().await;
    assert_eq!(table.ask("twice").await.unwrap(), "tea");
    assert_eq!(table.deliver(|target| target).await, 200);
}

#[tokio::test]
async fn an_operation_without_a_result_is_an_error_of_the_wait() {
    let table = Table::lay().await;
    for (how, state, text) in [
        ("fails", "failed", "spilled"),
        ("canceled", "canceled", "no"),
    ] {
        let Err(ClientError::Operation(failure)) = table.ask(how).await else {
            panic!("{how}: expected an operation error");
        };
        assert_eq!(failure.state().as_str(), state);
        assert!(format!("{failure:?}").contains(text), "{failure:?}");
    }
}

#[tokio::test]
async fn the_wait_ends_with_the_operations_time() {
    let table = Table::lay().await;
    let options = StartOptions::new().operation_timeout(Duration::from_millis(1500));
    let waited = within(table.client.execute(TEA, "never".into(), options)).await;
    assert!(
        matches!(&waited, Err(ClientError::StillRunning { token }) if token.as_str() == "pot"),
        "{waited:?}"
    );
}

#[tokio::test]
async fn d87_a_callback_without_the_right_token_wakes_nobody() {
    let table = Table::lay().await;
    let client = table.client.clone();
    let waiting = tokio::spawn(async move {
        let options = StartOptions::new();
        client.execute(TEA, "never".into(), options).await
    });
    let mut started = table.kitchen.0.subscribe();
    within(started.wait_for(Option::is_some)).await.unwrap();
    assert_eq!(table.deliver(|_| "/done?a=b".into()).await, 401);
    let forged = |target: String| {
        // Not the last character, some of whose bits do not count.
        let (rest, end) = target.split_at(target.len() - 2);
        let other = if end.starts_with('A') { 'B' } else { 'A' };
        format!("{rest}{other}{}", &end[1..])
    };
    assert_eq!(table.deliver(forged).await, 401);
    assert_eq!(table.deliver(|target| target).await, 200);
    assert_eq!(within(waiting).await.unwrap().unwrap(), "tea");
}
