//! The projections of org's feed that each service keeps: areas, paths of units, appointments.
//!
//! Rows are written in the transaction that moves the cursor; decisions read a snapshot in memory that follows them
//! within milliseconds. Org itself does not use this: it is the source.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use linli_kernel::Timestamp;
use linli_kit::call::Ctx;
use linli_kit::feed::{ConsumerConfig, ConsumerHandle, EventGate, EventSource, Handler, Visibility, spawn_consumer};
use linli_kit::serve::ServiceParts;
use linli_kit::store::{Migration, Store, Tx};
use linli_kit::{Caller, Error, Result};
use linli_proto::events::Event;
use linli_proto::org::{AppointmentChanged, AreaChanged, UnitChanged};
use prost::Message as _;
use sea_orm::{ConnectionTrait as _, DbBackend, QueryResult, Statement, Value};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::decide::{Access, STALE_AFTER, Within};
use crate::snapshot::{AreaRow, GrantRow, Snapshot, UnitRow};

/// The feed that is projected.
pub const PROJECTION_STREAM: &str = "streams/org";

/// How long the snapshot may lie behind the rows.
const RELOAD_PAUSE: Duration = Duration::from_millis(20);

/// How long one read of org's feed waits for news. A quiet feed is known to be quiet as of the beginning of the last read
/// that has ended, so that the projection's age swings between one wait and two.
const WAIT: Duration = Duration::from_millis(300);
const _: () = assert!(WAIT.as_millis() * 4 < STALE_AFTER.as_millis());

/// The tables of the projections; versions 900 and up, below the services' own.
pub fn migrations() -> Vec<Migration> {
    vec![Migration {
        version: 900,
        name: "access: projections of org",
        sqlite: &[
            "CREATE TABLE access_area (area TEXT NOT NULL PRIMARY KEY, parent TEXT NOT NULL, time_zone TEXT NOT NULL) STRICT",
            "CREATE TABLE access_unit (area TEXT NOT NULL, unit TEXT NOT NULL, path TEXT NOT NULL,
               PRIMARY KEY (area, unit)) STRICT, WITHOUT ROWID",
            "CREATE TABLE access_grant (area TEXT NOT NULL, appointment TEXT NOT NULL, subject TEXT NOT NULL,
               unit TEXT NOT NULL, role TEXT NOT NULL, access_role TEXT NOT NULL, start_us INTEGER NOT NULL,
               end_us INTEGER, PRIMARY KEY (area, appointment)) STRICT, WITHOUT ROWID",
        ],
        postgres: &[
            "CREATE TABLE access_area (area text NOT NULL PRIMARY KEY, parent text NOT NULL, time_zone text NOT NULL)",
            "CREATE TABLE access_unit (area text NOT NULL, unit text NOT NULL, path text NOT NULL, PRIMARY KEY (area, unit))",
            "CREATE TABLE access_grant (area text NOT NULL, appointment text NOT NULL, subject text NOT NULL,
               unit text NOT NULL, role text NOT NULL, access_role text NOT NULL, start_us bigint NOT NULL,
               end_us bigint, PRIMARY KEY (area, appointment))",
        ],
    }]
}

/// Classes of the projections' columns: `(table, column)`; all are public codes and ids.
pub const COLUMNS: &[(&str, &str)] = &[
    ("access_area", "area"),
    ("access_area", "parent"),
    ("access_area", "time_zone"),
    ("access_unit", "area"),
    ("access_unit", "unit"),
    ("access_unit", "path"),
    ("access_grant", "area"),
    ("access_grant", "appointment"),
    ("access_grant", "subject"),
    ("access_grant", "unit"),
    ("access_grant", "role"),
    ("access_grant", "access_role"),
    ("access_grant", "start_us"),
    ("access_grant", "end_us"),
];

/// Follows org's feed into the service's tables and `access`; returns when the first snapshot is loaded.
///
/// # Errors
/// When the projection's tables cannot be read.
pub async fn start_projection(parts: &ServiceParts, access: &Access) -> Result<Arc<ConsumerHandle>> {
    follow(&parts.store, parts.feed_source(), access, &parts.cancel, &parts.tasks).await
}

async fn follow(
    store: &Store,
    source: Arc<dyn EventSource>,
    access: &Access,
    cancel: &CancellationToken,
    tasks: &TaskTracker,
) -> Result<Arc<ConsumerHandle>> {
    access.replace(load(store).await?);
    let mut config = ConsumerConfig::new("access", PROJECTION_STREAM);
    (config.fetch, config.batch, config.wait) = (1000, 200, WAIT);
    let handle = Arc::new(spawn_consumer(store.clone(), config, source, Projector, cancel));
    access.follows().start(handle.clone());
    let (store, access, cancel) = (store.clone(), access.clone(), cancel.clone());
    let mut status = handle.subscribe();
    tasks.spawn(async move {
        // Rows of an earlier run may have been read before this one's consumer moved on: the first turn always loads.
        let mut loaded = None;
        while !cancel.is_cancelled() {
            // An event that was parked is applied without the position moving.
            let at = {
                let status = status.borrow_and_update();
                (status.position, status.parked)
            };
            if loaded == Some(at) {
                tokio::select! {
                    () = cancel.cancelled() => return,
                    changed = status.changed() => if changed.is_err() { return },
                }
                continue;
            }
            access.follows().moved();
            match load(&store).await {
                Ok(snapshot) => {
                    access.replace(snapshot);
                    access.follows().loaded();
                    loaded = Some(at);
                }
                Err(error) => tracing::warn!(%error, "the roles could not be read; the last ones stay"),
            }
            tokio::time::sleep(RELOAD_PAUSE).await;
        }
    });
    Ok(handle)
}

/// Writes org's events into the tables.
struct Projector;

#[async_trait]
impl Handler for Projector {
    type Prepared = ();

    async fn prepare(&self, _event: &Event) -> Result<()> {
        Ok(())
    }

    async fn apply(&self, tx: &Tx<'_>, event: &Event, _prepared: &()) -> Result<()> {
        let data = event.data.as_ref().map(|any| any.value.as_slice()).unwrap_or_default();
        match event.event_type() {
            "linli.org.v1.AreaChanged" => area(tx, &AreaChanged::decode(data).map_err(Error::internal)?).await,
            "linli.org.v1.UnitChanged" => unit(tx, &UnitChanged::decode(data).map_err(Error::internal)?).await,
            "linli.org.v1.AppointmentChanged" => {
                grant(tx, &AppointmentChanged::decode(data).map_err(Error::internal)?).await
            }
            _ => Ok(()),
        }
    }

    fn blocking_keys(&self, event: &Event) -> BTreeSet<String> {
        BTreeSet::from([event.subject.clone()])
    }

    fn resyncs(&self) -> bool {
        true
    }

    async fn replace(&self, tx: &Tx<'_>, state: &[Event]) -> Result<()> {
        for table in ["DELETE FROM access_area", "DELETE FROM access_unit", "DELETE FROM access_grant"] {
            run(tx, table, vec![]).await?;
        }
        for event in state {
            self.apply(tx, event, &()).await?;
        }
        Ok(())
    }
}

/// The event's type, under a name that Rust allows.
trait EventType {
    fn event_type(&self) -> &str;
}

impl EventType for Event {
    fn event_type(&self) -> &str {
        &self.r#type
    }
}

async fn run(tx: &Tx<'_>, sql: &str, values: Vec<Value>) -> Result<()> {
    tx.conn().execute_raw(tx.statement(sql, values)).await?;
    Ok(())
}

fn slug(name: &str) -> String {
    name.strip_prefix("areas/").and_then(|rest| rest.split('/').next()).unwrap_or_default().to_owned()
}

fn last(name: &str) -> String {
    name.rsplit('/').next().unwrap_or_default().to_owned()
}

async fn area(tx: &Tx<'_>, e: &AreaChanged) -> Result<()> {
    let sql = "INSERT INTO access_area (area, parent, time_zone) VALUES ($1, $2, $3)
               ON CONFLICT (area) DO UPDATE SET parent = excluded.parent, time_zone = excluded.time_zone";
    run(tx, sql, vec![slug(&e.area).into(), slug(&e.parent).into(), e.time_zone.clone().into()]).await
}

async fn unit(tx: &Tx<'_>, e: &UnitChanged) -> Result<()> {
    let (area, unit) = (slug(&e.unit), last(&e.unit));
    if e.deleted {
        return run(tx, "DELETE FROM access_unit WHERE area = $1 AND unit = $2", vec![area.into(), unit.into()]).await;
    }
    let sql = "INSERT INTO access_unit (area, unit, path) VALUES ($1, $2, $3)
               ON CONFLICT (area, unit) DO UPDATE SET path = excluded.path";
    run(tx, sql, vec![area.into(), unit.into(), e.path.clone().into()]).await
}

async fn grant(tx: &Tx<'_>, e: &AppointmentChanged) -> Result<()> {
    let micros = |t: &prost_types::Timestamp| t.seconds * 1_000_000 + i64::from(t.nanos) / 1000;
    let sql = "INSERT INTO access_grant (area, appointment, subject, unit, role, access_role, start_us, end_us)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
               ON CONFLICT (area, appointment) DO UPDATE SET subject = excluded.subject, unit = excluded.unit,
                 role = excluded.role, access_role = excluded.access_role, start_us = excluded.start_us,
                 end_us = excluded.end_us";
    let values = vec![
        slug(&e.appointment).into(),
        last(&e.appointment).into(),
        e.appointee.clone().into(),
        last(&e.unit).into(),
        e.role.clone().into(),
        e.access_role.clone().into(),
        e.start_time.as_ref().map_or(0, micros).into(),
        e.end_time.as_ref().map(micros).into(),
    ];
    run(tx, sql, values).await
}

async fn load(store: &Store) -> Result<Snapshot> {
    let conn = store.reader();
    let backend = match store.engine() {
        linli_kit::store::Engine::Sqlite => DbBackend::Sqlite,
        linli_kit::store::Engine::Postgres => DbBackend::Postgres,
    };
    let all = |sql: &'static str| conn.query_all_raw(Statement::from_string(backend, sql));
    let areas = all("SELECT area, parent, time_zone FROM access_area").await?;
    let units = all("SELECT area, unit, path FROM access_unit").await?;
    let grants =
        all("SELECT appointment, subject, area, unit, role, access_role, start_us, end_us FROM access_grant").await?;
    Ok(Snapshot::new(
        areas.iter().map(area_row).collect::<Result<_>>()?,
        units.iter().map(unit_row).collect::<Result<_>>()?,
        grants.iter().map(grant_row).collect::<Result<_>>()?,
    ))
}

fn area_row(row: &QueryResult) -> Result<AreaRow> {
    Ok(AreaRow {
        area: row.try_get("", "area")?,
        parent: row.try_get("", "parent")?,
        time_zone: row.try_get("", "time_zone")?,
    })
}

fn unit_row(row: &QueryResult) -> Result<UnitRow> {
    Ok(UnitRow { area: row.try_get("", "area")?, unit: row.try_get("", "unit")?, path: row.try_get("", "path")? })
}

fn grant_row(row: &QueryResult) -> Result<GrantRow> {
    Ok(GrantRow {
        appointment: row.try_get("", "appointment")?,
        subject: row.try_get("", "subject")?,
        area: row.try_get("", "area")?,
        unit: row.try_get("", "unit")?,
        role: row.try_get("", "role")?,
        access_role: row.try_get("", "access_role")?,
        start: Timestamp::from_micros(row.try_get("", "start_us")?),
        end: row.try_get::<Option<i64>>("", "end_us")?.map(Timestamp::from_micros),
    })
}

/// What readers of a service's feed may see: the areas in which they hold `events.read`.
#[async_trait]
impl EventGate for Access {
    async fn visible(&self, ctx: &Ctx, area: &str) -> Result<Visibility> {
        if let Caller::Service { service, .. } = &ctx.caller
            && ctx.method.internal_callers.iter().any(|s| s == service)
            && area.is_empty()
        {
            return Ok(Visibility::All);
        }
        let snapshot = self.snapshot();
        let scope = self.scope(ctx, None)?;
        let seen = scope
            .areas
            .iter()
            .filter(|(slug, within)| *within == Within::All && (area.is_empty() || snapshot.below(slug, area)));
        let areas: std::collections::BTreeSet<String> = seen.map(|(slug, _)| slug.clone()).collect();
        if areas.is_empty() {
            return Err(self.denied(ctx, area));
        }
        Ok(Visibility::Areas(areas))
    }
}

#[cfg(test)]
mod tests;
