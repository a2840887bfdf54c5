//! Roles in org itself: the snapshot is read from org's own tables after every change, so that a revoked role ends at once.
//!
//! With several processes on one PostgreSQL each change raises a version; changing calls compare it before they decide.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use linli_access::{Access, AreaRow, GrantRow, Snapshot, UnitRow};
use linli_kernel::{Id as _, SharedClock, Timestamp};
use linli_kit::serve::ServiceParts;
use linli_kit::store::{Engine, Store};
use linli_kit::{Ctx, Result};
use sea_orm::{EntityTrait as _, QueryFilter as _};

use crate::app::appointments::AppointmentId;
use crate::store;
use crate::store::entities::{appointment, area, unit};

/// How often a process looks for changes that others made.
const LOOK: Duration = Duration::from_millis(250);

/// Keeps the snapshot of one process.
#[derive(Clone)]
pub(crate) struct Roles {
    store: Store,
    access: Access,
    clock: SharedClock,
    version: Arc<AtomicI64>,
    loading: Arc<tokio::sync::Mutex<()>>,
}

impl Roles {
    /// Loads the snapshot and, on PostgreSQL, starts to look for changes of other processes.
    pub(crate) async fn start(parts: &ServiceParts, access: &Access) -> Result<Self> {
        let roles = Self {
            store: parts.store.clone(),
            access: access.clone(),
            clock: parts.kit.clock.clone(),
            version: Arc::new(AtomicI64::new(-1)),
            loading: Arc::default(),
        };
        roles.refresh().await?;
        if parts.store.engine() == Engine::Postgres {
            let (roles, cancel) = (roles.clone(), parts.cancel.clone());
            parts.tasks.spawn(async move {
                while !cancel.is_cancelled() {
                    tokio::select! {
                        () = cancel.cancelled() => return,
                        () = tokio::time::sleep(LOOK) => {}
                    }
                    if let Err(error) = roles.refresh().await {
                        tracing::warn!(%error, "roles could not be read; the last ones stay");
                    }
                }
            });
        }
        Ok(roles)
    }

    /// Reads the snapshot anew when the version has moved.
    pub(crate) async fn refresh(&self) -> Result<()> {
        let _one_at_a_time = self.loading.lock().await;
        let version = store::roles_version(&self.store).await?;
        if version == self.version.load(Ordering::Acquire) {
            return Ok(());
        }
        let conn = self.store.reader();
        let areas = area::Entity::find().all(conn).await?;
        let units = unit::Entity::find().all(conn).await?;
        // What is over stays over.
        let grants = appointment::Entity::find().filter(store::not_over(self.clock.now().micros())).all(conn).await?;
        self.access.replace(Snapshot::new(
            areas.into_iter().map(|a| AreaRow { area: a.area, parent: a.parent, time_zone: a.time_zone }).collect(),
            units.into_iter().map(|u| UnitRow { area: u.area, unit: u.id, path: u.path }).collect(),
            grants.into_iter().map(grant).collect(),
        ));
        self.version.store(version, Ordering::Release);
        Ok(())
    }

    /// Before a changing call decides: other processes may have revoked a role a moment ago.
    pub(crate) async fn current(&self, ctx: &Ctx) -> Result<()> {
        if ctx.method.mutating && self.store.engine() == Engine::Postgres { self.refresh().await } else { Ok(()) }
    }
}

fn grant(row: appointment::Model) -> GrantRow {
    GrantRow {
        appointment: AppointmentId::from_uuid(row.id).to_string(),
        subject: row.appointee,
        area: row.area,
        unit: row.unit,
        role: row.role,
        access_role: row.access_role,
        start: Timestamp::from_micros(row.start_us),
        end: row.end_us.map(Timestamp::from_micros),
    }
}
