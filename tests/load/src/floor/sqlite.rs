//! Floors on SQLite: the same work in plain SQL, one transaction each, by one writer with durability on.
//!
//! What a suite that commits one request at a time could reach at most; a suite that commits together may pass it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database};

use crate::drive::{Meter, Outcome, Watched, histogram};

/// Work that has a floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// A booking on one of so many slots.
    Booking {
        /// Slots, up to 1,000.
        slots: u64,
    },
    /// A transfer between two of 10,000 accounts.
    Transfer,
}

impl Work {
    fn file(self) -> &'static str {
        match self {
            Self::Booking { .. } => "booking.sql",
            Self::Transfer => "transfer.sql",
        }
    }

    /// The statements of the `n`th operation, in one transaction.
    fn statements(self, template: &str, n: u64) -> String {
        let spread = |of: u64| 1 + n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % of;
        let filled = match self {
            Self::Booking { slots } => {
                template.replace(":slot", &spread(slots).to_string()).replace(":person", &spread(1_000_000).to_string())
            }
            Self::Transfer => {
                let debit = spread(10_000);
                template
                    .replace(":debit", &debit.to_string())
                    .replace(":credit", &(1 + debit % 10_000).to_string())
                    .replace(":amount", &(1 + n % 100).to_string())
            }
        };
        format!("BEGIN IMMEDIATE;\n{filled}COMMIT;")
    }
}

fn read(name: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("floors/sqlite").join(name);
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// Runs one kind of work for so long, in a new file.
pub(crate) async fn run(work: Work, time: Duration) -> Result<Outcome> {
    let dir = tempfile::Builder::new().prefix("linli-load-").tempdir()?;
    let file = dir.path().join("floor.db");
    let mut options = ConnectOptions::new("sqlite://floor.db");
    options.max_connections(1).test_before_acquire(false).sqlx_logging(false).map_sqlx_sqlite_opts(move |options| {
        let options = options.filename(&file).create_if_missing(true).foreign_keys(true);
        options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full)
    });
    let database = Database::connect(options).await?;
    database.execute_unprepared(&read("schema.sql")?).await?;
    let template = read(work.file())?;
    let meter = Meter::start(Watched::default())?;
    let (begun, mut latencies) = (Instant::now(), histogram()?);
    while begun.elapsed() < time {
        let started = Instant::now();
        database.execute_unprepared(&work.statements(&template, latencies.len())).await?;
        latencies.saturating_record(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    let outcome = Outcome::of(meter.stop()?, &latencies, latencies.len(), latencies.len());
    database.close().await?;
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_floor_does_what_it_says() {
        for work in [Work::Booking { slots: 1000 }, Work::Booking { slots: 1 }, Work::Transfer] {
            let outcome = run(work, Duration::from_millis(50)).await.expect("runs");
            assert!(outcome.done > 0, "{work:?}");
        }
    }
}
