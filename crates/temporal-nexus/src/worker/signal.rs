/// Completes when the process is asked to stop: by Ctrl-C, or by SIGTERM where there is one.
///
/// A second request ends the process at once (exit code 130), for those who do not want to wait for a graceful shutdown.
pub async fn interrupted() {
    asked_to_stop().await;
    tracing::info!("stopping; interrupt again to stop at once");
    tokio::spawn(async {
        asked_to_stop().await;
        std::process::exit(130);
    });
}

#[cfg(unix)]
async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};

    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        // Without the handler SIGTERM ends the process as it always does.
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}

#[cfg(not(unix))]
async fn asked_to_stop() {
    drop(tokio::signal::ctrl_c().await);
}
