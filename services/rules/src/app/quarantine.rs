//! Versions that give too many faults are not asked any more. Never: a fault of the host counted against a version.
//!
//! Faults are counted in each process for itself: a flood of them would otherwise be a flood of writes. With several
//! replicas a version may therefore give as many faults on each.

use std::collections::{HashMap, VecDeque};

use linli_kernel::{AreaId, Name, Timestamp};
use linli_kit::store::{EventDraft, Tx};
use linli_kit::{Ctx, Error, Result};
use linli_proto::rules as pb;
use linli_proto::rules::RuleChangeState;
use parking_lot::Mutex;

use super::App;
use super::changes::{self, Life};
use super::noted::Noted;
use super::notices::{self, Notice};
use crate::domain::change::BY_ITSELF;
use crate::domain::version::{KeptQuarantine, PluginVersionId, State};
use crate::store;

/// Versions whose faults are counted at once.
const COUNTED: usize = 10_000;
/// What a quarantine may take.
const BUDGET: std::time::Duration = std::time::Duration::from_secs(30);

/// When versions gave faults, by their names.
#[derive(Default)]
pub(super) struct Faults(Mutex<HashMap<String, VecDeque<Timestamp>>>);

impl Faults {
    /// Notes a fault; returns how many there were in the window up to now.
    fn add(&self, version: &str, now: Timestamp, window_secs: i64, most: usize) -> usize {
        let mut all = self.0.lock();
        if all.len() >= COUNTED && !all.contains_key(version) {
            all.clear();
        }
        let times = all.entry(version.to_owned()).or_default();
        times.push_back(now);
        let since = now.plus_secs(-window_secs);
        while times.len() > most || times.front().is_some_and(|at| *at <= since) {
            times.pop_front();
        }
        times.len()
    }

    /// Forgets the faults of a version.
    pub(super) fn clear(&self, version: &str) {
        self.0.lock().remove(version);
    }
}

impl App {
    /// Heeds what came up: metrics, counts of trials, faults.
    pub(super) async fn heed(&self, noted: Noted) {
        noted.measure();
        for call in noted.calls.iter().filter(|call| call.blamed) {
            if let (Some(code), Err(error)) =
                (call.fault, self.blame(&call.version, call.fault.unwrap_or_default()).await)
            {
                tracing::warn!(%error, version = call.version, code, "a fault could not be counted");
            }
        }
        self.tallies.add(noted.tallies);
    }

    /// Counts a fault of a version, which may be one too many.
    async fn blame(&self, version: &str, code: &'static str) -> Result<()> {
        let name = Name::parse(version, "pluginVersions").map_err(Error::internal)?;
        let id = name.typed::<PluginVersionId>().map_err(Error::internal)?;
        let policy = self.policy_of(name.area()).await?;
        let most = usize::try_from(policy.quarantine_faults).unwrap_or(usize::MAX);
        let window = i64::from(policy.quarantine_window_min) * 60;
        let now = self.parts.kit.clock.now();
        let count = self.faults.add(version, now, window, most);
        if count < most {
            return Ok(());
        }
        let (Some(app), area) = (self.me.upgrade(), name.area().clone()) else { return Ok(()) };
        let faults = i32::try_from(count).unwrap_or(i32::MAX);
        // In a task of its own: a caller that leaves must not cut the transaction.
        let task = self.parts.tasks.spawn(async move { app.quarantine(&area, id, code, faults).await });
        task.await.map_err(Error::internal)?
    }

    async fn quarantine(&self, area: &AreaId, id: PluginVersionId, fault: &str, faults: i32) -> Result<()> {
        let ctx = self.parts.background(BUDGET);
        let snapshot = self.access.snapshot();
        let mut below: Vec<String> =
            snapshot.areas().filter(|slug| snapshot.below(slug, area.as_str())).map(str::to_owned).collect();
        below.push(area.as_str().to_owned());
        below.sort();
        below.dedup();
        let version = self
            .parts
            .store
            .write("rules.quarantine", |tx| {
                let (below, ctx) = (&below, &ctx);
                Box::pin(async move {
                    // Areas first and in one order, then the version: the order of everybody who takes both.
                    for slug in below {
                        store::lock_area(tx, slug).await?;
                    }
                    let Some(row) = store::lock_version(tx, area, id).await? else { return Ok(None) };
                    if row.state() != State::Valid {
                        return Ok(Some(row.name()));
                    }
                    let name = row.name();
                    self.stop_trials(ctx, tx, below, &name).await?;
                    note(ctx, tx, row, fault, faults).await?;
                    Ok(Some(name))
                })
            })
            .await?;
        if let Some(version) = version {
            tracing::warn!(version, fault, faults, "a version gave too many faults and is not asked any more");
            self.faults.clear(&version);
        }
        self.in_force.changed();
        Ok(())
    }

    /// Trials of a version end with it.
    async fn stop_trials(&self, ctx: &Ctx, tx: &Tx<'_>, areas: &[String], version: &str) -> Result<()> {
        for mut row in store::changes::on_trial(tx.conn(), areas).await? {
            if row.wanted()?.plugin_version == version {
                let life = Life { ctx, tx, actor: BY_ITSELF };
                changes::end(&life, &mut row, RuleChangeState::Withdrawn, "quarantine", "").await?;
            }
        }
        Ok(())
    }
}

/// Writes it down and tells everybody whom it concerns.
async fn note(ctx: &Ctx, tx: &Tx<'_>, mut row: store::VersionRow, fault: &str, faults: i32) -> Result<()> {
    let kept = KeptQuarantine { since_us: ctx.now().micros(), fault: fault.to_owned(), faults };
    row.state = State::Quarantined.number();
    row.quarantine = serde_json::to_string(&kept).map_err(Error::internal)?;
    row.revision += 1;
    row.update_us = ctx.now().micros();
    store::update_version(tx, &row).await?;
    let (name, revision) = (row.name(), row.revision);
    let (plugin, author) = (row.plugin.clone(), row.author.clone());
    tx.emit(notices::changed(ctx, &row));
    let quarantined =
        pb::PluginVersionQuarantined { plugin_version: name.clone(), plugin, author, fault: fault.to_owned(), faults };
    let kind = "linli.rules.v1.PluginVersionQuarantined";
    tx.emit(EventDraft::new(ctx, kind, row.area.as_str(), name.as_str(), revision, &quarantined));
    let args = [fault.to_owned(), faults.to_string()];
    notices::tell(ctx, tx, &row, Notice::Quarantined, &args).await
}
