//! The receiver of results, which is down half of the time.

use std::{
    collections::HashMap,
    io::ErrorKind,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use nexus_rpc::{HandlerError, content::JsonSerializer};
use nexus_rpc_http::callback::{CompletionReceiver, ReceivedCompletion};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{Result, random::Random};

/// A result that was delivered, and the token that came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub(crate) token: String,
    pub(crate) result: std::result::Result<u64, String>,
}

pub(crate) type Inbox = Arc<Mutex<HashMap<u64, Vec<Delivered>>>>;

/// Takes a result into the inbox, by the number in its URL.
fn take(completion: &ReceivedCompletion, inbox: &Inbox) -> std::result::Result<(), HandlerError> {
    let wrong = || HandlerError::bad_request("not a result of the test");
    let query = completion.request.uri.query().ok_or_else(wrong)?;
    let n = query.strip_prefix("n=").and_then(|n| n.parse().ok());
    let result = completion.result::<u64>(&JsonSerializer);
    let token = completion.operation_token.as_ref().ok_or_else(wrong)?;
    let delivered = Delivered {
        token: token.as_str().to_owned(),
        result: result
            .map_err(|_| wrong())?
            .map_err(|failure| failure.message().to_owned()),
    };
    let mut inbox = inbox.lock().unwrap();
    inbox
        .entry(n.ok_or_else(wrong)?)
        .or_default()
        .push(delivered);
    Ok(())
}

/// A receiver that listens, until this is dropped.
pub(crate) struct Up(JoinHandle<()>);

impl Drop for Up {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(crate) async fn listen(address: SocketAddr, inbox: &Inbox) -> Result<Up> {
    // The one before may need a moment to be gone.
    let listener = loop {
        match TcpListener::bind(address).await {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            bound => break bound?,
        }
    };
    let inbox = inbox.clone();
    let receiver = CompletionReceiver::builder(move |completion: ReceivedCompletion| {
        std::future::ready(take(&completion, &inbox))
    });
    let app = axum::Router::new().fallback_service(receiver.build());
    Ok(Up(tokio::spawn(async move {
        let _ = axum::serve(listener, app).await;
    })))
}

/// Up and down, until the future is dropped. Down: nobody listens.
pub(crate) async fn flap(address: SocketAddr, inbox: Inbox, mut random: Random) -> Result<()> {
    loop {
        let up = listen(address, &inbox).await?;
        tokio::time::sleep(random.millis(20, 300)).await;
        drop(up);
        tokio::time::sleep(random.millis(20, 300)).await;
    }
}
