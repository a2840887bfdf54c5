//! The timer of holds: gives back, exactly, what no one captured in time.

use std::sync::Arc;
use std::time::Duration;

use linli_kernel::AreaId;
use linli_kit::{Error, Result};

use super::App;
use super::ledger::Step;
use crate::domain::{Command, HoldId};
use crate::store::finders;

/// How often to look; the instant itself is the suite's, and a hold whose time is over cannot be captured meanwhile.
const EVERY: Duration = Duration::from_millis(500);
/// Holds of one look at most.
const AT_ONCE: i64 = 500;
/// Time for one expiry.
const BUDGET: Duration = Duration::from_secs(10);

/// Starts the timer. Several processes may run it: a hold that is closed is passed over.
pub(crate) fn start(app: Arc<App>) {
    let (tasks, cancel) = (app.parts.tasks.clone(), app.parts.cancel.clone());
    tasks.spawn(async move {
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            match app.expire_holds().await {
                Ok(0) => {}
                Ok(expired) => tracing::debug!(expired, "holds expired"),
                Err(error) => tracing::warn!(%error, "holds could not be expired; the next look tries again"),
            }
        }
    });
}

impl App {
    /// Expires the holds whose time is over; how many.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn expire_holds(self: &Arc<Self>) -> Result<usize> {
        let now = self.parts.kit.clock.now();
        let due = finders::due_holds(&self.parts.store, now, AT_ONCE).await?;
        let ends = due.iter().map(|(area, hold)| self.expire_hold(area, *hold));
        let mut expired = 0;
        for outcome in futures::future::join_all(ends).await {
            outcome?;
            expired += 1;
        }
        Ok(expired)
    }

    async fn expire_hold(&self, area: &str, hold: HoldId) -> Result<()> {
        let ctx = Arc::new(self.parts.background(BUDGET));
        let area = AreaId::new(area).map_err(Error::internal)?;
        let step = Step { command: Command::Expire { hold }, claim: None, path: String::new() };
        self.one(&ctx, &area, step).await.map(|_| ())
    }
}
