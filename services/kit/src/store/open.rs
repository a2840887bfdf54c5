//! Opens the pools of a store, each with the settings that its engine needs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, Database, DatabaseConnection};
use secrecy::ExposeSecret as _;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Engine, EngineConfig, Inner, StoreConfig};
use crate::{Error, Result};

/// How long a caller waits for a connection before it hears STORAGE_UNAVAILABLE.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long SQLite waits for another process's lock on the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Reading connections of an embedded store.
const SQLITE_READERS: u32 = 4;
/// A PostgreSQL connection that was idle for longer is tested before use.
const TEST_AFTER_IDLE: Duration = Duration::from_secs(30);
/// SQLite looks at the watchdog once in so many of its virtual machine's steps.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;

/// Cuts a statement of SQLite's single writer when it runs past its bound; SQLite has no statement timeout of its own.
#[derive(Clone)]
pub(super) struct Watchdog {
    base: std::time::Instant,
    until_ms: Arc<AtomicU64>,
}

impl Watchdog {
    fn new() -> Self {
        Self { base: Instant::now().into_std(), until_ms: Arc::new(AtomicU64::new(u64::MAX)) }
    }

    /// Sets the instant after which the present transaction's statements are cut.
    pub(super) fn arm(&self, until: Instant) {
        let ms = until.into_std().saturating_duration_since(self.base).as_millis();
        self.until_ms.store(u64::try_from(ms).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Lets statements run as long as they like; the end of every transaction.
    pub(super) fn disarm(&self) {
        self.until_ms.store(u64::MAX, Ordering::Relaxed);
    }

    fn may_go_on(&self) -> bool {
        let until = self.until_ms.load(Ordering::Relaxed);
        until == u64::MAX || self.base.elapsed().as_millis() < u128::from(until)
    }
}

pub(super) async fn open(config: &StoreConfig, service: &'static str) -> Result<Inner> {
    let watchdog = Watchdog::new();
    let (engine, writer, reader) = match &config.engine {
        EngineConfig::Sqlite { dir } => {
            tokio::fs::create_dir_all(dir).await.map_err(|e| super::error::unavailable().caused_by(e))?;
            let file = dir.join(format!("{service}.db"));
            // The writer first: it creates the file and turns it to WAL.
            let writer = sqlite(&file, Some(watchdog.clone())).await?;
            (Engine::Sqlite, writer, sqlite(&file, None).await?)
        }
        EngineConfig::Postgres { url, max_connections } => {
            let max = (*max_connections).max(2);
            let pool = postgres(url.expose_secret(), service, max, config.statement_timeout).await?;
            (Engine::Postgres, pool.clone(), pool)
        }
    };
    Ok(Inner {
        engine,
        service,
        writer,
        reader,
        statement_timeout: config.statement_timeout,
        watchdog,
        committed: Notify::new(),
        event_ids: super::tx::EventIds::default(),
    })
}

/// Options that both engines share: no statement text in logs or spans, for it may carry personal data.
fn options(url: &str, max: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options.max_connections(max).acquire_timeout(ACQUIRE_TIMEOUT).sqlx_logging(false).record_stmt_in_spans(false);
    options
}

async fn sqlite(file: &std::path::Path, writes: Option<Watchdog>) -> Result<DatabaseConnection> {
    let max = if writes.is_some() { 1 } else { SQLITE_READERS };
    // The URL only chooses the driver: a path with special characters would not survive it.
    let mut options = options("sqlite://linli.db", max);
    let (file, reads_only) = (file.to_owned(), writes.is_none());
    options.min_connections(1).idle_timeout(None).max_lifetime(None).test_before_acquire(false);
    options.map_sqlx_sqlite_opts(move |opts| {
        let opts = opts
            .filename(&file)
            .create_if_missing(!reads_only)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .statement_cache_capacity(512);
        if reads_only {
            opts.pragma("query_only", "ON")
        } else {
            opts.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full)
        }
    });
    if let Some(watchdog) = writes {
        options.map_sqlx_sqlite_pool_opts(move |pool| {
            let watchdog = watchdog.clone();
            pool.after_connect(move |conn, _| {
                let watchdog = watchdog.clone();
                Box::pin(async move {
                    conn.lock_handle().await?.set_progress_handler(STEPS_BETWEEN_LOOKS, move || watchdog.may_go_on());
                    Ok(())
                })
            })
        });
    }
    Ok(Database::connect(options).await?)
}

async fn postgres(url: &str, service: &'static str, max: u32, statement: Duration) -> Result<DatabaseConnection> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(Error::internal("the database URL must begin with postgres://"));
    }
    let mut options = options(url, max);
    options
        .set_application_name(format!("linli-{service}"))
        // One round trip less per acquire than a test each time; a connection that broke meanwhile is replaced by `write`.
        .test_before_acquire_if_idle_for(TEST_AFTER_IDLE)
        .map_sqlx_postgres_opts(move |opts| {
            let statement_ms = statement.as_millis().to_string();
            // A client that died in the middle of a transaction does not keep its locks.
            let idle_ms = (statement.as_millis() + 2_000).to_string();
            opts.options([
                ("search_path", service),
                ("statement_timeout", statement_ms.as_str()),
                ("idle_in_transaction_session_timeout", idle_ms.as_str()),
            ])
            .statement_cache_capacity(512)
        });
    Ok(Database::connect(options).await?)
}
