//! How old the roles may be on which a service decides: what the consumer may have missed, and what is not loaded yet.
//!
//! Never: the decision what that means.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use linli_kit::feed::ConsumerHandle;
use parking_lot::Mutex;
use tokio::time::Instant;

/// The consumer that keeps the projection, and since when the snapshot lies behind the rows.
#[derive(Default)]
pub(crate) struct Follows {
    consumer: OnceLock<Arc<ConsumerHandle>>,
    unloaded_since: Mutex<Option<Instant>>,
}

impl Follows {
    /// Names the consumer; from now on the snapshot counts as unloaded until [`Follows::loaded`].
    pub(crate) fn start(&self, consumer: Arc<ConsumerHandle>) {
        let _ = self.consumer.set(consumer);
        self.moved();
    }

    /// Rows have changed that the snapshot does not have.
    pub(crate) fn moved(&self) {
        self.unloaded_since.lock().get_or_insert_with(Instant::now);
    }

    /// The snapshot has all rows.
    pub(crate) fn loaded(&self) {
        *self.unloaded_since.lock() = None;
    }

    /// For how long a decision may have missed a change of roles; a parked change counts as missed for good.
    pub(crate) fn age(&self) -> Duration {
        let Some(consumer) = self.consumer.get() else { return Duration::ZERO };
        if consumer.parked() > 0 {
            return Duration::MAX;
        }
        let unloaded = self.unloaded_since.lock().map_or(Duration::ZERO, |since| since.elapsed());
        consumer.staleness().saturating_add(unloaded)
    }
}
