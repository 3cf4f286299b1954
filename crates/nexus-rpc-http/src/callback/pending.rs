use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use nexus_rpc::{HandlerError, context::Callback};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{
    CallbackTokens, CompletionHandler, CompletionReceiver, ReceivedCompletion, TokenLocation,
};

/// Parameter of the callback URL.
const TOKEN: &str = "nexus-callback-token";
/// The longest that a token is valid.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The completions that this process waits for: makes a callback for each, and wakes who waits when it comes.
///
/// Give it to the client, and its [`execute`](crate::NexusHttpClient::execute) waits in the current dialect, too. Mount
/// [`receiver`](Self::receiver) where the handlers reach it. Cheap to clone; all clones are the same.
///
/// The token of a callback is in the query of its URL, which every handler keeps. A completion may come before the answer to the start,
/// and more than once: the first one counts. One that nobody waits for any more is answered as taken, and logged.
///
/// What waits is in memory: for results that must not be lost with the process, handle completions yourself with
/// [`CompletionReceiver::builder`], or call from a Temporal workflow.
///
/// ```no_run
/// use nexus_rpc::Operation;
/// use nexus_rpc_http::{NexusHttpClient, StartOptions, callback::{CallbackTokens, PendingCompletions}};
///
/// const CHARGE: Operation<u64, String> = Operation::new("payments", "charge");
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let pending = PendingCompletions::new(CallbackTokens::random(), "https://shop.example/charged");
/// let app: axum::Router = axum::Router::new().route_service("/charged", pending.receiver());
/// // … serve `app` …
/// let client = NexusHttpClient::builder("https://payments.example/nexus").completions(pending).build()?;
/// let receipt = client.execute(CHARGE, 1999, StartOptions::new()).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct PendingCompletions(Arc<Pending>);

struct Pending {
    tokens: CallbackTokens,
    url: String,
    waiting: Mutex<HashMap<String, oneshot::Sender<ReceivedCompletion>>>,
}

impl Pending {
    fn waiting(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<ReceivedCompletion>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PendingCompletions {
    /// Waits for completions at `url`, as handlers reach the [`receiver`](Self::receiver), with tokens that `tokens` signs.
    pub fn new(tokens: CallbackTokens, url: impl Into<String>) -> Self {
        Self(Arc::new(Pending {
            tokens,
            url: url.into(),
            waiting: Mutex::default(),
        }))
    }

    /// The tower service to mount at the URL.
    #[must_use]
    pub fn receiver(&self) -> CompletionReceiver<Self> {
        CompletionReceiver::builder(self.clone())
            .require_token(self.0.tokens.clone(), TokenLocation::Query(TOKEN.into()))
            .build()
    }

    /// Waits for one more completion, which may come until `lifetime` is over.
    pub fn expect(&self, lifetime: Duration) -> ExpectedCompletion {
        let id = Uuid::new_v4().to_string();
        let (wake, completion) = oneshot::channel();
        let expires = SystemTime::now() + lifetime.min(LONGEST);
        let token = self.0.tokens.sign(&id, expires);
        let url = &self.0.url;
        let separator = if url.contains('?') { '&' } else { '?' };
        let callback = Callback {
            url: format!("{url}{separator}{TOKEN}={token}"),
            headers: nexus_rpc::Headers::default(),
        };
        self.0.waiting().insert(id.clone(), wake);
        ExpectedCompletion {
            callback,
            completion,
            _entry: Entry {
                pending: self.0.clone(),
                id,
            },
        }
    }
}

impl CompletionHandler for PendingCompletions {
    async fn complete(&self, completion: ReceivedCompletion) -> Result<(), HandlerError> {
        let id = completion.token_payload.as_deref().unwrap_or_default();
        let wake = self.0.waiting().remove(id);
        if wake.is_none_or(|wake| wake.send(completion).is_err()) {
            tracing::info!("a completion came that nobody waits for any more");
        }
        Ok(())
    }
}

/// A completion that is waited for, until this is dropped.
#[derive(Debug)]
#[must_use = "nobody waits once this is dropped"]
pub struct ExpectedCompletion {
    callback: Callback,
    completion: oneshot::Receiver<ReceivedCompletion>,
    _entry: Entry,
}

impl ExpectedCompletion {
    /// What to start the operation with ([`StartOptions::callback`](crate::StartOptions::callback)).
    #[must_use]
    pub fn callback(&self) -> &Callback {
        &self.callback
    }

    /// Waits until the completion has come.
    ///
    /// Cancel-safe: what came while nobody waited is kept.
    ///
    /// # Panics
    ///
    /// When called again after it returned the completion.
    pub async fn received(&mut self) -> ReceivedCompletion {
        let received = (&mut self.completion).await;
        received.expect("the sender is kept until it has sent, or this is dropped")
    }
}

/// Leaves the map when it is dropped.
struct Entry {
    pending: Arc<Pending>,
    id: String,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.pending.waiting().remove(&self.id);
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}

impl fmt::Debug for PendingCompletions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingCompletions")
            .field("url", &self.0.url)
            .finish_non_exhaustive()
    }
}
