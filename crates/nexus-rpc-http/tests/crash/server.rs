//! The program that is killed.

use std::{path::Path, time::Duration};

use nexus_rpc::{OperationError, Service, ServiceRegistry, StartError};
use nexus_rpc_http::{
    AsyncOperationContext, NexusHttpService, Operations, async_operation,
    operations::{DeliveryPolicy, OpenError, RedbStore},
};
use tokio::net::TcpListener;

use crate::{DOUBLE, Result, expected};

async fn double(_: AsyncOperationContext, n: u64) -> std::result::Result<u64, StartError> {
    tokio::time::sleep(Duration::from_millis(n % 50)).await;
    expected(n).map_err(|message| OperationError::failed(message).into())
}

/// Serves until it is killed.
pub(crate) async fn run(path: &Path, port: u64) -> Result<()> {
    let delivery = DeliveryPolicy::new()
        .first_pause(Duration::from_millis(10))
        .longest_pause(Duration::from_millis(100))
        .timeout(Duration::from_secs(2))
        .breaker(5, Duration::from_millis(50));
    let operations = Operations::builder(open(path).await?)
        .max_running(16)
        // Each kill is an attempt.
        .max_attempts(u32::MAX)
        .delivery(delivery)
        .open()
        .await?;
    let mut registry = ServiceRegistry::new();
    let service = Service::builder("crash").operation(DOUBLE, async_operation(double));
    registry.register(service.build()?)?;
    let service = NexusHttpService::builder(registry)
        .operations(&operations)
        .build()?;
    let listener = TcpListener::bind(("127.0.0.1", u16::try_from(port)?)).await?;
    axum::serve(listener, axum::Router::new().fallback_service(service)).await?;
    Ok(())
}

/// The lock of a process that was killed may outlive it for a moment.
async fn open(path: &Path) -> Result<RedbStore> {
    loop {
        match RedbStore::open(path) {
            Err(OpenError::InUse { .. }) => tokio::time::sleep(Duration::from_millis(5)).await,
            opened => return Ok(opened?),
        }
    }
}
