//! What trials would have said beside what was obeyed, counted in memory and added to the rows every few seconds and when
//! the process goes down. Never: a row per decision, or who was decided about.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use linli_kit::Result;
use linli_kit::serve::ServiceParts;
use linli_kit::store::Store;
use linli_proto::rules as pb;
use parking_lot::Mutex;
use uuid::Uuid;

use super::noted::Tally;
use crate::domain::said::{Said, hidden};
use crate::store::changes;
use crate::store::changes::tables::outcome;

/// How often what was counted is written.
const EVERY: Duration = Duration::from_secs(5);
/// Different outcomes of a change that are told apart; prices and orders may be many.
const TOLD_APART: usize = 500;
/// Outcomes that a change shows.
const SHOWN: usize = 1_000;

type Counts = HashMap<(Uuid, Said, Said), i64>;

/// The counts of this process; cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Tallies {
    counts: Arc<Mutex<Counts>>,
    /// Held while counts are between memory and rows.
    moving: Arc<tokio::sync::Mutex<()>>,
}

impl Tallies {
    /// Writes what was counted now and then, and in the end.
    pub(super) fn start(&self, parts: &ServiceParts) {
        let (tallies, store, stop) = (self.clone(), parts.store.clone(), parts.cancel.clone());
        parts.tasks.spawn(async move {
            loop {
                let stopped = tokio::time::timeout(EVERY, stop.cancelled()).await.is_ok();
                if let Err(error) = tallies.flush(&store).await {
                    tracing::warn!(%error, "what trials would have said could not be written");
                }
                if stopped {
                    return;
                }
            }
        });
    }

    pub(super) fn add(&self, tallies: Vec<Tally>) {
        if tallies.is_empty() {
            return;
        }
        let mut counts = self.counts.lock();
        for Tally { change, was, would } in tallies {
            let mut key = (change, was, would);
            if !counts.contains_key(&key) && counts.keys().filter(|known| known.0 == change).count() >= TOLD_APART {
                key = (change, other(), other());
            }
            *counts.entry(key).or_default() += 1;
        }
    }

    async fn flush(&self, store: &Store) -> Result<()> {
        let _moving = self.moving.lock().await;
        let taken = std::mem::take(&mut *self.counts.lock());
        if taken.is_empty() {
            return Ok(());
        }
        let mut rows: Vec<_> = taken.iter().map(|(key, count)| row(key, *count)).collect();
        // In one order, so that two processes never wait for each other.
        rows.sort_by(|a, b| (a.change, &a.was, &a.would, &a.reason).cmp(&(b.change, &b.was, &b.would, &b.reason)));
        let rows = &rows;
        let written = store
            .write("rules.outcomes", |tx| {
                Box::pin(async move {
                    let (mut change, mut known) = (Uuid::nil(), HashSet::new());
                    for row in rows {
                        if row.change != change {
                            change = row.change;
                            let there = changes::outcomes(tx.conn(), change).await?;
                            known = there.into_iter().map(|row| (row.was, row.would, row.reason)).collect();
                        }
                        let told = (row.was.clone(), row.would.clone(), row.reason.clone());
                        let mut row = row.clone();
                        if known.len() >= TOLD_APART && !known.contains(&told) {
                            (row.was, row.would, row.reason) = (other().what, other().what, String::new());
                        } else {
                            known.insert(told);
                        }
                        changes::add_outcome(tx, row).await?;
                    }
                    Ok(())
                })
            })
            .await;
        if written.is_err() {
            let mut counts = self.counts.lock();
            taken.into_iter().for_each(|(key, count)| *counts.entry(key).or_default() += count);
        }
        written
    }

    /// What a change has counted so far, as it is shown.
    pub(super) async fn of(&self, store: &Store, change: Uuid) -> Result<Vec<pb::OutcomeCount>> {
        let _moving = self.moving.lock().await;
        let mut sums: HashMap<(String, String, String), u64> = HashMap::new();
        let mut add = |row: outcome::Model| {
            *sums.entry((row.was, row.would, row.reason)).or_default() += row.count.unsigned_abs();
        };
        changes::outcomes(store.reader(), change).await?.into_iter().for_each(&mut add);
        let counts: Vec<_> = {
            let counts = self.counts.lock();
            counts.iter().filter(|(key, _)| key.0 == change).map(|(key, count)| row(key, *count)).collect()
        };
        counts.into_iter().for_each(&mut add);
        Ok(shown(sums))
    }
}

/// Counts as they are shown: the most frequent first, small groups hidden.
pub(super) fn shown(sums: HashMap<(String, String, String), u64>) -> Vec<pb::OutcomeCount> {
    let mut sums: Vec<_> = sums.into_iter().collect();
    // Hidden numbers do not show in the order either.
    let rank = |count: u64| std::cmp::Reverse(if count < 5 { 0 } else { count });
    sums.sort_by(|(a, m), (b, n)| (rank(*m), a).cmp(&(rank(*n), b)));
    let counted = sums.into_iter().take(SHOWN).map(|((was, would, reason), count)| pb::OutcomeCount {
        was,
        would,
        reason,
        count: hidden(count),
    });
    counted.collect()
}

fn row((change, was, would): &(Uuid, Said, Said), count: i64) -> outcome::Model {
    let reason = if would.reason.is_empty() { &was.reason } else { &would.reason };
    outcome::Model { change: *change, was: was.what.clone(), would: would.what.clone(), reason: reason.clone(), count }
}

fn other() -> Said {
    Said { what: "other".to_owned(), reason: String::new() }
}
