//! A receiver of completions on a port of its own.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use nexus_rpc::HandlerError;
use nexus_rpc_http::callback::{
    CompletionHandler, CompletionReceiver, CompletionReceiverBuilder, ReceivedCompletion,
};
use tokio::task::JoinHandle;

use super::{
    raw::{RawResponse, Wire, exchange},
    serve,
};

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    received: Inbox,
    task: JoinHandle<()>,
}

/// Keeps what it is given. A completion with the header `fail` gets an error of that type.
#[derive(Clone, Default)]
pub(crate) struct Inbox(Arc<Mutex<Vec<ReceivedCompletion>>>);

impl CompletionHandler for Inbox {
    async fn complete(&self, completion: ReceivedCompletion) -> Result<(), HandlerError> {
        match completion.headers.get("fail") {
            Some("panic") => panic!("secret"),
            Some("hang") => std::future::pending().await,
            Some(error_type) => return Err(HandlerError::new(error_type.into(), "told to")),
            None => {}
        }
        self.0.lock().unwrap().push(completion);
        Ok(())
    }
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        Self::with(|builder| builder).await
    }

    pub(crate) async fn with(
        configure: impl FnOnce(CompletionReceiverBuilder<Inbox>) -> CompletionReceiverBuilder<Inbox>,
    ) -> Self {
        let received = Inbox::default();
        let receiver = configure(CompletionReceiver::builder(received.clone())).build();
        let (address, task) = serve(axum::Router::new().fallback_service(receiver)).await;
        Self {
            address,
            received,
            task,
        }
    }

    pub(crate) async fn send(&self, request: Wire) -> RawResponse {
        exchange(self.address, &request.bytes()).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn count(&self) -> usize {
        self.received.0.lock().unwrap().len()
    }

    /// Takes the only completion.
    #[track_caller]
    pub(crate) fn take(&self) -> ReceivedCompletion {
        let mut received = std::mem::take(&mut *self.received.0.lock().unwrap());
        assert_eq!(received.len(), 1, "{received:?}");
        received.remove(0)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}
