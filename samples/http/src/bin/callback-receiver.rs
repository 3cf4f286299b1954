//! Takes in the results of operations, and prints them:
//!
//! ```text
//! cargo run -p http-sample --bin callback-receiver
//! ```

use std::{
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use anyhow::Context as _;
use axum::Router;
use clap::Parser as _;
use nexus_rpc_http::{
    Outcome,
    callback::{CallbackTokens, CompletionReceiver, ReceivedCompletion, TokenLocation},
};
use tokio::net::TcpListener;

/// Takes in the results of operations, and prints them
#[derive(clap::Parser)]
struct Arguments {
    /// Address to listen on
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8001")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    http_sample::init_logging();
    let listen = Arguments::parse().listen;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}"))?;

    // A receiver that results should still find after a restart has a key that it keeps: `CallbackTokens::new`.
    let tokens = CallbackTokens::random();
    // What the token carries comes back with the result: here, that it is one of a greeting.
    let token = tokens.sign("greeting", SystemTime::now() + Duration::from_secs(3600));
    println!(
        "Valid for an hour: http://{}/done?token={token}",
        listener.local_addr()?
    );

    let receiver = CompletionReceiver::builder(async |completion: ReceivedCompletion| {
        // The same result may come more than once, which is no harm here.
        let what = completion.token_payload.unwrap_or_default();
        match completion.outcome {
            Outcome::Succeeded(content) => {
                println!(
                    "{what} succeeded: {}",
                    String::from_utf8_lossy(&content.data)
                );
            }
            Outcome::Unsuccessful(failure) => {
                println!("{what} {}: {}", failure.state(), failure.message());
            }
        }
        Ok(())
    })
    .require_token(tokens, TokenLocation::Query("token".into()))
    .build();
    axum::serve(listener, Router::new().route_service("/done", receiver)).await?;
    Ok(())
}
