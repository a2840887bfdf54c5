//! Waiting for a long-running operation. Never: for ever.

use std::time::Duration;

use anyhow::{Result, ensure};
use linli_proto::google::longrunning::{Operation, WaitOperationRequest};

use crate::client::Connection;

pub(super) use linli_proto::google::longrunning::operation::Result as Outcome;

/// The longest wait for what replays a hundred thousand decisions.
pub(super) const ONE_HOUR: Duration = Duration::from_secs(3600);

/// Waits until an operation has ended, at most so long; looks every `step`, and shows it each time.
pub(super) async fn wait(
    connection: &Connection,
    mut running: Operation,
    most: Duration,
    step: Duration,
    mut show: impl FnMut(&Operation),
) -> Result<Operation> {
    let timeout = prost_types::Duration { seconds: i64::try_from(step.as_secs())?, nanos: 0 };
    for _ in 0..most.as_secs() / step.as_secs().max(1) {
        if running.done {
            return Ok(running);
        }
        show(&running);
        let request = WaitOperationRequest { name: running.name.clone(), timeout: Some(timeout) };
        let waited = connection.repeat("WaitOperation", || {
            let (mut client, request) = (connection.operations(), request.clone());
            Box::pin(async move { client.wait_operation(request).await })
        });
        running = waited.await?;
    }
    ensure!(running.done, "{} has not ended yet; look again later with the same command", running.name);
    Ok(running)
}
