//! Migrations: plain SQL per engine, small ordered steps, one transaction each, under a lock, recorded with the release.
//!
//! Why not sea-orm-migration: `docs/decisions/0001-plain-sql-migrations.md`.

use std::collections::{BTreeMap, BTreeSet};

use linli_kernel::{Clock as _, SystemClock};
use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DatabaseConnection, QueryResult};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::{Engine, Store, Tx, tables, tx};
use crate::{Error, ErrorCode, Result};

/// The release of this build, counted from 1; a database may be at most one ahead.
pub const RELEASE: i64 = 1;

/// Bound of one migration step.
const STEP_BUDGET: std::time::Duration = std::time::Duration::from_secs(3600);

/// One small step of the schema. A published step never changes; expand first, contract a release later.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Place in the order: below 1000 kit's, from 1000 the service's.
    pub version: i64,
    /// What it does, such as `booking: slots`.
    pub name: &'static str,
    /// The statements for SQLite.
    pub sqlite: &'static [&'static str],
    /// The statements for PostgreSQL.
    pub postgres: &'static [&'static str],
}

impl Migration {
    fn statements(&self, engine: Engine) -> &'static [&'static str] {
        match engine {
            Engine::Sqlite => self.sqlite,
            Engine::Postgres => self.postgres,
        }
    }

    /// Hash of the statements: an edited step is found out.
    fn digest(&self, engine: Engine) -> String {
        let mut hash = Sha256::new();
        for statement in self.statements(engine) {
            hash.update(statement.as_bytes());
            hash.update([0]);
        }
        hex::encode(&hash.finalize()[..8])
    }
}

/// The migrations of all tables that kit brings into a service's schema.
pub fn kit_migrations() -> Vec<Migration> {
    [
        tables::MIGRATIONS,
        &[crate::lease::MIGRATION, crate::feed::MIGRATION, crate::durable::MIGRATION, crate::operation::MIGRATION],
    ]
    .concat()
}

struct Applied {
    release: i64,
    digest: String,
}

impl Store {
    /// Brings the schema up to these migrations; several processes may try at once.
    ///
    /// # Errors
    /// SCHEMA_MISMATCH when an applied step has been edited, or the database is more than one release ahead.
    pub async fn migrate(&self, migrations: &[Migration]) -> Result<()> {
        let ordered = ordered(migrations)?;
        self.step("migrate.prepare", |tx| Box::pin(prepare(tx, self.service()))).await?;
        for migration in ordered {
            self.step("migrate.step", |tx| Box::pin(apply(tx, self.service(), migration))).await?;
        }
        self.check_schema(migrations).await
    }

    /// Checks that the schema fits this build: nothing missing, nothing edited, at most one release ahead.
    ///
    /// # Errors
    /// SCHEMA_OUTDATED when a step is missing, which a migration mends; SCHEMA_MISMATCH with any other difference.
    pub async fn check_schema(&self, migrations: &[Migration]) -> Result<()> {
        let applied = self.applied().await?;
        let known: BTreeSet<i64> = migrations.iter().map(|m| m.version).collect();
        for migration in migrations {
            match applied.get(&migration.version) {
                None => {
                    let detail = format!("step {} is missing", migration.version);
                    return Err(misfit("SCHEMA_OUTDATED", self.service(), detail));
                }
                Some(found) if found.digest != migration.digest(self.engine()) => {
                    return Err(mismatch(self.service(), format!("step {} was edited", migration.version)));
                }
                Some(_) => {}
            }
        }
        for (version, found) in &applied {
            if !known.contains(version) && found.release > RELEASE + 1 {
                let detail = format!("step {version} is of release {}, this is {RELEASE}", found.release);
                return Err(mismatch(self.service(), detail));
            }
        }
        Ok(())
    }

    async fn applied(&self) -> Result<BTreeMap<i64, Applied>> {
        if !table_exists(self.reader(), self.engine()).await? {
            return Ok(BTreeMap::new());
        }
        let sql = "SELECT version, release, digest FROM schema_version";
        let rows = self.reader().query_all_raw(tx::statement(self.engine(), sql, [])).await?;
        rows.iter().map(read_row).collect()
    }

    async fn step<'env, F>(&self, name: &'static str, f: F) -> Result<()>
    where
        F: for<'t> Fn(&'t Tx<'env>) -> futures::future::BoxFuture<'t, Result<()>> + Send + Sync,
    {
        self.write_until(name, Instant::now() + STEP_BUDGET, f).await
    }
}

fn ordered(migrations: &[Migration]) -> Result<Vec<Migration>> {
    let mut ordered = migrations.to_vec();
    ordered.sort_by_key(|m| m.version);
    if let Some(pair) = ordered.windows(2).find(|pair| pair[0].version == pair[1].version) {
        return Err(Error::internal(format!("two migrations have the version {}", pair[0].version)));
    }
    Ok(ordered)
}

fn mismatch(service: &str, detail: String) -> Error {
    misfit("SCHEMA_MISMATCH", service, detail)
}

fn misfit(reason: &'static str, service: &str, detail: String) -> Error {
    Error::new(ErrorCode::FailedPrecondition, reason).with("service", service).caused_by(detail)
}

fn read_row(row: &QueryResult) -> Result<(i64, Applied)> {
    let version: i64 = row.try_get("", "version")?;
    Ok((version, Applied { release: row.try_get("", "release")?, digest: row.try_get("", "digest")? }))
}

async fn table_exists(conn: &DatabaseConnection, engine: Engine) -> Result<bool> {
    let sql = match engine {
        Engine::Sqlite => "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'schema_version'",
        Engine::Postgres => {
            "SELECT 1 FROM information_schema.tables \
             WHERE table_schema = current_schema() AND table_name = 'schema_version'"
        }
    };
    Ok(conn.query_one_raw(tx::statement(engine, sql, [])).await?.is_some())
}

/// Takes the schema's lock until the end of the transaction; SQLite has taken it with BEGIN IMMEDIATE.
async fn lock(tx: &Tx<'_>, service: &str) -> Result<()> {
    if tx.engine() == Engine::Postgres {
        tx.conn().execute_unprepared("SET LOCAL statement_timeout = 0").await?;
        let sql = "SELECT pg_advisory_xact_lock(hashtextextended('linli-migrate-' || $1, 0))::text";
        tx.conn().query_one_raw(tx.statement(sql, [service.into()])).await?;
    }
    Ok(())
}

async fn prepare(tx: &Tx<'_>, service: &str) -> Result<()> {
    lock(tx, service).await?;
    let integer = match tx.engine() {
        Engine::Sqlite => "INTEGER",
        Engine::Postgres => {
            // Asked for only when it is missing: the migrating role need not be allowed to create schemas.
            let sql = "SELECT 1 FROM information_schema.schemata WHERE schema_name = $1";
            if tx.conn().query_one_raw(tx.statement(sql, [service.into()])).await?.is_none() {
                tx.conn().execute_unprepared(&format!("CREATE SCHEMA \"{service}\"")).await?;
            }
            "bigint"
        }
    };
    let sql = format!(
        "CREATE TABLE IF NOT EXISTS schema_version (version {integer} NOT NULL PRIMARY KEY, name TEXT NOT NULL, \
         release {integer} NOT NULL, digest TEXT NOT NULL, applied_us {integer} NOT NULL)"
    );
    tx.conn().execute_unprepared(&sql).await?;
    Ok(())
}

async fn apply(tx: &Tx<'_>, service: &str, migration: Migration) -> Result<()> {
    lock(tx, service).await?;
    let version: Value = migration.version.into();
    let sql = "SELECT 1 FROM schema_version WHERE version = $1";
    if tx.conn().query_one_raw(tx.statement(sql, [version.clone()])).await?.is_some() {
        return Ok(());
    }
    for statement in migration.statements(tx.engine()) {
        tx.conn().execute_unprepared(statement).await?;
    }
    let sql = "INSERT INTO schema_version (version, name, release, digest, applied_us) VALUES ($1, $2, $3, $4, $5)";
    let values = [
        version,
        migration.name.into(),
        RELEASE.into(),
        migration.digest(tx.engine()).into(),
        SystemClock.now().micros().into(),
    ];
    tx.conn().execute_raw(tx.statement(sql, values)).await?;
    tracing::info!(service, version = migration.version, name = migration.name, "schema step applied");
    Ok(())
}
