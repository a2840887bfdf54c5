//! The one way to the database: two engines, one writer path with retries, migrations, and what went wrong in one place.
//!
//! Services read through [`Store::reader`] and change rows only inside [`Store::write`]. Never: queries of one service.

pub mod error;
pub mod migrate;
mod open;
mod tables;
mod tx;
mod write;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::DatabaseConnection;
use secrecy::SecretString;
use tokio::sync::Notify;

pub use error::{Constraint, ConstraintMap, Fault};
pub use migrate::{Migration, RELEASE, kit_migrations};
pub(crate) use tx::statement;
pub use tx::{EventDraft, Tx};

use crate::Result;

/// Which database stands behind a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A file of one process: one writer, many readers.
    Sqlite,
    /// PostgreSQL 15 or newer.
    Postgres,
}

impl Engine {
    /// The engine's name in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// Where a store's database is.
#[derive(Debug, Clone)]
pub enum EngineConfig {
    /// One file per service in a directory, which is created when missing.
    Sqlite {
        /// The directory.
        dir: PathBuf,
    },
    /// One schema per service in a PostgreSQL database.
    Postgres {
        /// `postgres://user:password@host:port/database?sslmode=...`.
        url: SecretString,
        /// Upper bound of the connections of this service's pool, at least 2.
        max_connections: u32,
    },
}

/// How to open a store.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Where the database is.
    pub engine: EngineConfig,
    /// Bound of every single statement.
    pub statement_timeout: Duration,
}

/// A service's own database; cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    constraints: Arc<ConstraintMap>,
}

struct Inner {
    engine: Engine,
    service: &'static str,
    writer: DatabaseConnection,
    reader: DatabaseConnection,
    statement_timeout: Duration,
    /// Interrupts statements of SQLite's writer; unused on PostgreSQL, where the server does.
    watchdog: open::Watchdog,
    committed: Notify,
    event_ids: tx::EventIds,
}

impl Store {
    /// Opens the service's database: `{dir}/{service}.db` or the schema named after the service.
    ///
    /// # Errors
    /// STORAGE_UNAVAILABLE when the database does not answer.
    pub async fn open(config: &StoreConfig, service: &'static str) -> Result<Self> {
        let inner = open::open(config, service).await?;
        Ok(Self { inner: Arc::new(inner), constraints: Arc::new(ConstraintMap::kit()) })
    }

    /// The same store with a service's constraint names added to kit's own.
    #[must_use]
    pub fn with_constraints(mut self, constraints: &'static [Constraint]) -> Self {
        self.constraints = Arc::new(ConstraintMap::kit().and(constraints));
        self
    }

    /// Which database it is.
    pub fn engine(&self) -> Engine {
        self.inner.engine
    }

    /// The service to which it belongs.
    pub fn service(&self) -> &'static str {
        self.inner.service
    }

    /// The connections for reads outside transactions; on SQLite they refuse to write.
    pub fn reader(&self) -> &DatabaseConnection {
        &self.inner.reader
    }

    /// Wakes one waiter after each commit that wrote events; a wake-up with nobody waiting is kept for the next one.
    pub fn committed(&self) -> &Notify {
        &self.inner.committed
    }

    /// Closes all connections after those in use have come back; later use answers STORAGE_UNAVAILABLE.
    pub async fn close(&self) {
        for pool in [&self.inner.reader, &self.inner.writer] {
            if let Err(problem) = pool.close_by_ref().await {
                tracing::warn!(service = self.service(), %problem, "closing the store");
            }
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("service", &self.service())
            .field("engine", &self.engine())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
