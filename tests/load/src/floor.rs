//! Floors: the same work in plain SQL, driven by pgbench over the unix socket of the same cluster.

pub(crate) mod sqlite;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::cluster::{Cluster, run};
use crate::drive::{Meter, Outcome, Watched, histogram};

/// Name of the floors' database.
const DATABASE: &str = "floor";

/// The floors of one cluster.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Floors<'a> {
    cluster: &'a Cluster,
}

/// Where the statements are: beside the sources, as pgbench wants files.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("floors").join(name)
}

impl<'a> Floors<'a> {
    /// Makes the floors' tables.
    pub(crate) fn new(cluster: &'a Cluster) -> Result<Self> {
        cluster.sql("postgres", &format!("CREATE DATABASE {DATABASE}"))?;
        cluster.sql_file(DATABASE, &file("schema.sql"))?;
        Ok(Self { cluster })
    }

    /// Runs one file for so long; `clients` at once. Tables are emptied first.
    pub(crate) fn run(&self, name: &str, clients: u32, time: Duration) -> Result<Outcome> {
        self.cluster.sql_file(DATABASE, &file("reset.sql"))?;
        // Dirty pages of whatever ran before are not this run's.
        self.cluster.sql(DATABASE, "CHECKPOINT")?;
        let logs = tempfile::tempdir()?;
        let prefix = logs.path().join("log");
        let mut bench = self.cluster.client("pgbench", DATABASE);
        bench.args(["-n", "-M", "prepared", "-j", "2", "-l", "--log-prefix"]).arg(&prefix);
        bench.args(["-c", &clients.to_string(), "-T", &time.as_secs().max(1).to_string()]);
        bench.arg("-f").arg(file(&format!("{name}.sql")));
        let meter = Meter::start(Watched { server: None, database: Some(self.cluster.postmaster()) })?;
        let said = run(&mut bench)?;
        let spent = meter.stop()?;
        let mut latencies = histogram()?;
        for log in std::fs::read_dir(logs.path())? {
            for line in std::fs::read_to_string(log?.path())?.lines() {
                // client, transaction, microseconds, ...
                let micros = line.split(' ').nth(2).and_then(|f| f.parse().ok()).context("a line of pgbench's log")?;
                latencies.saturating_record(micros);
            }
        }
        let mut outcome = Outcome::of(spent, &latencies, latencies.len(), latencies.len());
        outcome.rate = rate(&said).context("pgbench said no rate")?;
        Ok(outcome)
    }
}

/// `tps = 1234.5 (without initial connection time)`
fn rate(said: &str) -> Option<f64> {
    said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_rate_is_read_from_what_pgbench_says() {
        let said = "latency average = 5 ms\ntps = 2801.5 (without initial connection time)\n";
        assert!((super::rate(said).expect("a rate") - 2801.5).abs() < 1e-9);
    }
}
