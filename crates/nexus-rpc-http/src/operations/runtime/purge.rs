//! Forgets operations whose time is over.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::Runtime;

/// Most operations that are forgotten in one step; others get their turn in between.
const BATCH: usize = 500;

impl Runtime {
    pub(super) async fn purge(self: Arc<Self>) {
        let pause = (self.settings.retention / 10)
            .clamp(Duration::from_millis(100), Duration::from_secs(60));
        while !self.stop.is_cancelled() {
            match self.store.purge(SystemTime::now(), BATCH).await {
                Ok(BATCH) => continue,
                Ok(_) => {}
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot purge the operation store"
                ),
            }
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}
