//! Deletes bytes that no version names any more, and uploads that broke off: one process at a time, once in a while.

use std::sync::Arc;
use std::time::Duration;

use linli_kernel::{Clock as _, SystemClock};
use linli_kit::Result;
use linli_kit::lease::{self, Guard, Term};
use linli_kit::serve::ServiceParts;
use linli_kit::store::Store;
use tokio_util::sync::CancellationToken;

use crate::artefacts::Artefacts;
use crate::store;

/// How often.
const EVERY: Duration = Duration::from_secs(3600);
/// Digests that are looked up together.
const TOGETHER: usize = 500;

/// Sweeps until the process goes down.
pub(super) fn start(parts: &ServiceParts, artefacts: Artefacts) {
    let (store, stop) = (parts.store.clone(), parts.cancel.clone());
    let term = Term::for_engine(store.engine());
    let work: lease::Work = Arc::new(move |guard: Guard, stop: CancellationToken| {
        let (store, artefacts) = (store.clone(), artefacts.clone());
        Box::pin(async move {
            while !stop.is_cancelled() {
                if let Err(error) = sweep(&store, &artefacts, &guard).await {
                    tracing::warn!(%error, "the artefacts of plugins could not be swept");
                }
                let _stopped = tokio::time::timeout(EVERY, stop.cancelled()).await;
            }
        })
    });
    let held = lease::while_held(parts.store.clone(), "rules.sweep".to_owned(), term, stop, work);
    parts.tasks.spawn(held);
}

async fn sweep(store: &Store, artefacts: &Artefacts, _while_held: &Guard) -> Result<()> {
    // The object store dates its objects by the machine's clock.
    let now = SystemClock.now();
    let expired = artefacts.expire(now).await?;
    let mut deleted = 0;
    for digests in artefacts.settled(now).await?.chunks(TOGETHER) {
        let used = store::digests_in_use(store.reader(), digests).await?;
        for digest in digests.iter().filter(|digest| !used.contains(digest)) {
            artefacts.delete(digest, now).await?;
            deleted += 1;
        }
    }
    if expired + deleted > 0 {
        tracing::info!(expired, deleted, "artefacts of plugins swept");
    }
    Ok(())
}
