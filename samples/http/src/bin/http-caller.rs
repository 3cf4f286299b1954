//! Calls `HelloService` over HTTP and prints what comes back:
//!
//! ```text
//! cargo run -p http-sample --bin http-caller -- --url http://127.0.0.1:8000
//! ```

use anyhow::Context as _;
use axum::Router;
use clap::Parser as _;
use nexus_rpc_http::{
    Dialect, NexusHttpClient, StartOptions,
    callback::{CallbackTokens, PendingCompletions},
};
use service::{EchoInput, HelloInput, HelloService, Language};
use tokio::net::TcpListener;

/// Calls the hello service over HTTP and prints what comes back
#[derive(clap::Parser)]
struct Arguments {
    /// Where the service is: what stands before its name in URLs
    #[arg(long, default_value = "http://127.0.0.1:8000")]
    url: String,
    /// One dialect alone: current or draft
    #[arg(long)]
    dialect: Option<Dialect>,
    /// Whom to greet
    #[arg(long, default_value = "Nexus")]
    name: String,
    /// Language to greet in: en, fr, de, es or tr
    #[arg(long, default_value = "es")]
    language: Language,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if arguments.dialect != Some(Dialect::Current) {
        // Asks for results, and waits for the answer.
        let client = NexusHttpClient::builder(&arguments.url)
            .dialect(Dialect::Draft)
            .build()?;
        call(&client, &arguments).await?;
    }
    if arguments.dialect != Some(Dialect::Draft) {
        // Is called back with results, at an address that the handler must reach.
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/completions", listener.local_addr()?);
        let completions = PendingCompletions::new(CallbackTokens::random(), url);
        let app = Router::new().route_service("/completions", completions.receiver());
        tokio::spawn(async move { axum::serve(listener, app).await });

        let client = NexusHttpClient::builder(&arguments.url)
            .completions(completions)
            .build()?;
        call(&client, &arguments).await?;
    }
    Ok(())
}

/// The same for both dialects: the contract is typed, and how the result comes is the client's business.
async fn call(client: &NexusHttpClient, arguments: &Arguments) -> anyhow::Result<()> {
    let dialect = client.dialect();
    let input = EchoInput {
        message: "Nexus Echo 👋".to_owned(),
    };
    let output = client
        .execute(HelloService::echo, input, StartOptions::new())
        .await
        .with_context(|| format!("cannot call echo at {}", arguments.url))?;
    println!("{dialect}: echo: {}", output.message);

    let input = HelloInput {
        name: arguments.name.clone(),
        language: arguments.language.clone(),
    };
    let output = client
        .execute(HelloService::say_hello, input, StartOptions::new())
        .await
        .with_context(|| format!("cannot call say-hello at {}", arguments.url))?;
    println!("{dialect}: say-hello: {}", output.message);
    Ok(())
}
