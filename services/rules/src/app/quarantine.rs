//! Versions that give too many faults are not asked any more. Never: a fault of the host counted against a version.
//!
//! Faults are counted for all processes together: each gathers its own for a moment and adds them to the rows, so that a
//! flood of faults is no flood of writes, and no call waits for the count.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use linli_kernel::{AreaId, Id as _, Name};
use linli_kit::store::{EventDraft, Tx};
use linli_kit::{Ctx, Error, Result};
use linli_proto::rules as pb;
use linli_proto::rules::RuleChangeState;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::App;
use super::changes::{self, Life};
use super::noted::{Blamed, Noted};
use super::notices::{self, Notice};
use crate::domain::change::BY_ITSELF;
use crate::domain::version::{KeptQuarantine, PluginVersionId, State};
use crate::store;
use crate::store::entities::fault;

/// Versions whose faults are gathered at once.
const GATHERED: usize = 10_000;
/// How long faults are gathered before they are added to the rows.
const MOMENT: Duration = Duration::from_millis(250);
/// What a quarantine may take.
const BUDGET: Duration = Duration::from_secs(30);

/// Faults that are not in the rows yet; cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Faults {
    gathered: Arc<Mutex<HashMap<String, Gathered>>>,
    news: Arc<Notify>,
}

/// Faults of one version.
#[derive(Debug, Clone, Copy)]
struct Gathered {
    faults: i32,
    /// The code of the last.
    code: &'static str,
}

impl Faults {
    fn add(&self, version: &str, code: &'static str, more: i32) {
        let mut gathered = self.gathered.lock();
        // Whoever gives faults in a flood is counted again with the next: the bound keeps the memory.
        if gathered.len() < GATHERED || gathered.contains_key(version) {
            let known = gathered.entry(version.to_owned()).or_insert(Gathered { faults: 0, code });
            (known.faults, known.code) = (known.faults.saturating_add(more), code);
        }
    }
}

/// Counts faults until the process goes down, and then those that are left.
pub(super) fn start(app: &Arc<App>) {
    let (faults, stop, app_) = (app.faults.clone(), app.parts.cancel.clone(), Arc::downgrade(app));
    app.parts.tasks.spawn(async move {
        loop {
            let stopped = tokio::select! {
                () = faults.news.notified() => tokio::time::timeout(MOMENT, stop.cancelled()).await.is_ok(),
                () = stop.cancelled() => true,
            };
            let Some(app) = app_.upgrade() else { return };
            app.count_gathered().await;
            if stopped {
                return;
            }
        }
    });
}

impl App {
    /// Heeds what came up: counts of trials, faults.
    pub(super) fn heed(&self, noted: Noted) {
        for Blamed { version, code } in noted.blamed {
            self.faults.add(&version, code, 1);
            self.faults.news.notify_one();
        }
        self.tallies.add(noted.tallies);
    }

    async fn count_gathered(&self) {
        let gathered = std::mem::take(&mut *self.faults.gathered.lock());
        for (version, Gathered { faults, code }) in gathered {
            if let Err(error) = self.blame(&version, code, faults).await {
                tracing::warn!(%error, version, code, faults, "faults could not be counted: tried again with the next");
                self.faults.add(&version, code, faults);
            }
        }
    }

    /// Counts faults of a version, which may be too many.
    async fn blame(&self, version: &str, code: &'static str, faults: i32) -> Result<()> {
        let name = Name::parse(version, "pluginVersions").map_err(Error::internal)?;
        let (area, id) = (name.area(), name.typed::<PluginVersionId>().map_err(Error::internal)?);
        let policy = self.policy_of(area).await?;
        let now = self.parts.kit.clock.now();
        let since = now.plus_secs(-i64::from(policy.quarantine_window_min) * 60);
        let row = fault::Model { area: area.as_str().to_owned(), version: id.uuid(), at_us: now.micros(), faults };
        let counted = self.parts.store.write("rules.count_faults", |tx| {
            let row = row.clone();
            Box::pin(async move { store::faults::add(tx, row, since.micros()).await })
        });
        let counted = counted.await?;
        if counted < i64::from(policy.quarantine_faults) {
            return Ok(());
        }
        self.quarantine(area, id, code, i32::try_from(counted).unwrap_or(i32::MAX)).await
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
