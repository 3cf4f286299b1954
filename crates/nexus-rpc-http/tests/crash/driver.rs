//! Starts operations, kills the server meanwhile, and checks what became of everything.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use nexus_rpc::{Headers, OperationToken, context::Callback};
use nexus_rpc_http::{
    ClientError, Dialect, NexusHttpClient, RetryPolicy, StartOptions, StartedOperation,
};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
};

use crate::{
    Arguments, DOUBLE, Result, expected,
    random::Random,
    receiver::{self, Inbox},
};

/// For all that should not take long at all.
const PATIENCE: Duration = Duration::from_secs(120);
const CALLERS: usize = 16;

struct Server {
    address: SocketAddr,
    store: PathBuf,
}

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    println!("{arguments:?}");
    let begun = Instant::now();
    let mut random = Random::new(arguments.seed);
    let server = Server {
        address: free_port()?,
        store: std::env::temp_dir().join(format!("nexus-crash-{}.redb", uuid::Uuid::new_v4())),
    };
    let receiver_address = free_port()?;
    let inbox = Inbox::default();
    let sent = Arc::new(AtomicU64::new(0));

    let flapping = receiver::flap(
        receiver_address,
        inbox.clone(),
        Random::new(random.below(u64::MAX)),
    );
    let tokens = {
        let starting = start_all(
            &server,
            receiver_address,
            arguments.operations,
            &sent,
            arguments.kills,
        );
        let killing = kill_often(&server, arguments.kills, &mut random);
        tokio::select! {
            flapped = flapping => return Err(format!("the receiver ended: {flapped:?}").into()),
            both = async { tokio::try_join!(starting, killing) } => both?,
        }
    };
    let (tokens, mut child) = tokens;
    println!(
        "{} operations accepted with {} requests, {} kills, {:.1} s",
        tokens.len(),
        sent.load(Ordering::Relaxed),
        arguments.kills,
        begun.elapsed().as_secs_f64()
    );

    let up = receiver::listen(receiver_address, &inbox).await?;
    let missing = || {
        let inbox = inbox.lock().unwrap();
        (0..arguments.operations)
            .filter(|n| !inbox.contains_key(n))
            .count()
    };
    let since = Instant::now();
    while missing() > 0 {
        if since.elapsed() > PATIENCE {
            return Err(format!("{} results were not delivered", missing()).into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let repeated = check_deliveries(&inbox, &tokens)?;
    println!(
        "every result delivered, {repeated} more than once, {:.1} s",
        begun.elapsed().as_secs_f64()
    );

    // The last one may still be opening its file: all may have been delivered before the last kill.
    server.listens().await?;
    read_back(&server, &tokens).await?;
    println!(
        "every result reads back, {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    child.kill().await?;
    drop(up);
    std::fs::remove_file(&server.store)?;
    println!("ok");
    Ok(())
}

fn free_port() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?)
}

impl Server {
    /// Another process of this program.
    fn spawn(&self) -> Result<Child> {
        Ok(Command::new(std::env::current_exe()?)
            .arg("--serve")
            .arg(&self.store)
            .args(["--port", &self.address.port().to_string()])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()?)
    }

    async fn listens(&self) -> Result<()> {
        let since = Instant::now();
        while let Err(error) = TcpStream::connect(self.address).await {
            if since.elapsed() > PATIENCE {
                return Err(format!("the server does not come up: {error}").into());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    fn client(&self, dialect: Dialect) -> Result<NexusHttpClient> {
        let client = NexusHttpClient::builder(format!("http://{}", self.address))
            .dialect(dialect)
            .retry(RetryPolicy::none());
        Ok(client.build()?)
    }
}

/// Kills the server so often, at any moment: while it opens its file, or at work. Returns the last one, which lives.
async fn kill_often(server: &Server, kills: u64, random: &mut Random) -> Result<Child> {
    for _ in 0..kills {
        let mut child = server.spawn()?;
        tokio::time::sleep(random.millis(5, 400)).await;
        if let Some(status) = child.try_wait()? {
            return Err(format!("the server ended by itself: {status}").into());
        }
        // SIGKILL: nothing is tidied up.
        child.kill().await?;
    }
    server.spawn()
}

/// Starts all operations, spread over the time of the kills, each until it is accepted. Returns the tokens, by number; none
/// of those that had ended when the answer came through.
async fn start_all(
    server: &Server,
    receiver: SocketAddr,
    operations: u64,
    sent: &AtomicU64,
    kills: u64,
) -> Result<Vec<Option<OperationToken>>> {
    let client = server.client(Dialect::Current)?;
    // A kill comes about every 200 ms.
    let pause = Duration::from_millis(200) * u32::try_from(kills)? * CALLERS as u32
        / u32::try_from(operations)?;
    let starts = stream::iter(0..operations).map(|n| {
        let client = &client;
        async move {
            tokio::time::sleep(pause).await;
            let since = Instant::now();
            loop {
                sent.fetch_add(1, Ordering::Relaxed);
                let callback = Callback {
                    url: format!("http://{receiver}/?n={n}"),
                    headers: Headers::new(),
                };
                let options = StartOptions::new()
                    .request_id(format!("start {n}"))
                    .callback(callback)
                    .request_timeout(Duration::from_secs(5));
                match client.start(DOUBLE, n, options).await {
                    Ok(StartedOperation::Pending(handle)) => {
                        return Ok(Some(handle.token().clone()));
                    }
                    // It was accepted before, and has ended meanwhile.
                    Ok(StartedOperation::Completed { output, .. }) if expected(n) == Ok(output) => {
                        return Ok(None);
                    }
                    Err(ClientError::Operation(failure))
                        if expected(n) == Err(failure.message().to_owned()) =>
                    {
                        return Ok(None);
                    }
                    Err(error) if error.is_retryable() && since.elapsed() < PATIENCE => {}
                    other => return Err(format!("start {n}: {other:?}").into()),
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    });
    let tokens: Vec<Result<Option<OperationToken>>> = starts.buffered(CALLERS).collect().await;
    tokens.into_iter().collect()
}

/// Each result is right, and came from one operation however often it came. Returns how many came more than once.
fn check_deliveries(inbox: &Inbox, tokens: &[Option<OperationToken>]) -> Result<usize> {
    let inbox = inbox.lock().unwrap();
    let mut repeated = 0;
    for (n, token) in (0..).zip(tokens) {
        let delivered = &inbox[&n];
        let first = &delivered[0];
        let known = token
            .as_ref()
            .is_none_or(|token| first.token == token.as_str());
        if first.result != expected(n) || !known || delivered.iter().any(|other| other != first) {
            return Err(format!("operation {n}, token {token:?}: {delivered:?}").into());
        }
        repeated += usize::from(delivered.len() > 1);
    }
    Ok(repeated)
}

/// Asks for the result of each operation whose token is known.
async fn read_back(server: &Server, tokens: &[Option<OperationToken>]) -> Result<()> {
    let client = server.client(Dialect::Draft)?;
    for (n, token) in (0..).zip(tokens) {
        let Some(token) = token else {
            continue;
        };
        let handle = client.handle(DOUBLE, token.clone())?;
        let result = match handle.result(Duration::from_secs(10)).await {
            Ok(output) => Ok(output),
            Err(ClientError::Operation(failure)) => Err(failure.message().to_owned()),
            Err(error) => return Err(format!("result of {n}: {error:?}").into()),
        };
        if result != expected(n) {
            return Err(format!("result of {n}: {result:?}").into());
        }
    }
    Ok(())
}
