//! The run: which scenarios, how long, how often; what is said about them.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::cluster::Cluster;
use crate::cpu;
use crate::drive::{Outcome, Span};
use crate::floor::Floors;
use crate::report::{Comparison, say};
use crate::scenario::access::{self, Shape};
use crate::scenario::bookings::{Bookings, Spread};
use crate::scenario::rules::Rules;
use crate::scenario::transfers::Transfers;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Scenario {
    /// CheckAccess through the full stack and through the gateway, against a bare tonic server
    Access,
    /// Transfers between many accounts
    Transfers,
    /// Bookings on 1,000 slots
    Bookings,
    /// Bookings on one slot
    HotSlot,
    /// Rule evaluation, asked for by a service
    Rules,
    /// The floors alone: select, insert, batches
    Floors,
}

/// Arguments of a run.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// What to measure; none: everything
    #[arg(value_enum)]
    scenarios: Vec<Scenario>,
    /// Pairs of floor and linli
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Measured seconds of each run
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Three pairs of three seconds: to see that it works
    #[arg(long)]
    quick: bool,
    /// Connections
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Callers of one connection at once, for CheckAccess
    #[arg(long, default_value_t = 10)]
    streams: usize,
    /// Callers of one connection at once, for changing calls
    #[arg(long, default_value_t = 8)]
    writers: usize,
    /// People and accounts
    #[arg(long, default_value_t = 2000)]
    people: usize,
    /// Only SQLite
    #[arg(long)]
    sqlite: bool,
    /// Directory of PostgreSQL's programs
    #[arg(long, default_value = "/usr/lib/postgresql/15/bin")]
    postgres: PathBuf,
    /// Where the throw-away cluster lies; /dev/shm for a memory file system
    #[arg(long, default_value = "/tmp")]
    cluster: PathBuf,
}

/// Runs what was asked for.
pub(crate) fn bench(args: &BenchArgs) -> Result<()> {
    let (rounds, seconds) = if args.quick { (3, 3) } else { (args.rounds, args.seconds) };
    let warm = Duration::from_secs(if args.quick { 1 } else { 2 });
    let span = Span { warm, measured: Duration::from_secs(seconds) };
    let all = [
        Scenario::Access,
        Scenario::Floors,
        Scenario::Transfers,
        Scenario::Bookings,
        Scenario::HotSlot,
        Scenario::Rules,
    ];
    let wanted = if args.scenarios.is_empty() { all.to_vec() } else { args.scenarios.clone() };
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    say(&format!(
        "profile: {}; {} cores; {rounds} pairs of {seconds} s after {warm:?}; load before: {}",
        if cfg!(debug_assertions) { "dev (not for figures)" } else { "optimised" },
        cpu::cores(),
        load.split(' ').take(3).collect::<Vec<_>>().join(" "),
    ));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let run = Run { args, rounds, span };
    if wanted.contains(&Scenario::Access) {
        // On its own: it keeps the driver's thread to one core.
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| run.access());
            thread.join().map_err(|_| anyhow::anyhow!("the driver panicked"))?
        })?;
    }
    let rest: Vec<Scenario> = wanted.into_iter().filter(|s| *s != Scenario::Access).collect();
    if rest.is_empty() {
        return Ok(());
    }
    if !args.sqlite {
        let cluster = Cluster::start(&args.postgres, &args.cluster)?;
        let floors = Floors::new(&cluster)?;
        say(&format!("\nPostgreSQL in {}, durable:\n", args.cluster.display()));
        for scenario in &rest {
            runtime.block_on(run.postgres(*scenario, &cluster, floors))?;
        }
    }
    say("\nSQLite:\n");
    for scenario in rest {
        runtime.block_on(run.sqlite(scenario))?;
    }
    Ok(())
}

struct Run<'a> {
    args: &'a BenchArgs,
    rounds: usize,
    span: Span,
}

/// A suite under a changing load.
enum Load {
    Transfers(Transfers),
    Bookings(Bookings),
    Rules(Rules),
}

impl Load {
    async fn run(&self, span: Span, database: Option<u32>) -> Result<Outcome> {
        match self {
            Self::Transfers(load) => load.run(span, database).await,
            Self::Bookings(load) => load.run(span, database).await,
            Self::Rules(load) => load.run(span, database).await,
        }
    }

    /// How much was looked at; `None` when nothing was written.
    async fn books(&self) -> Result<Option<i64>> {
        match self {
            Self::Transfers(load) => load.books().await.map(Some),
            Self::Bookings(load) => load.books().await.map(Some),
            Self::Rules(_) => Ok(None),
        }
    }
}

impl Run<'_> {
    fn access(&self) -> Result<()> {
        // Server on one core, driver on the other, as far as there are two.
        let server = (cpu::cores() > 1).then_some(0);
        if server.is_some() {
            cpu::stay_on(1)?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        say(
            "\nCheckAccess, server on one core, driver on another; floor: bare tonic server, same messages and headers:\n",
        );
        for streams in [1, self.args.streams] {
            let shape = Shape { connections: self.args.connections, streams };
            let [direct, edge] = runtime.block_on(access::run(server, shape, self.rounds, self.span))?;
            direct.say();
            edge.say();
            say(&format!(
                "{}: keeps {:.2} of the bare server's rate; the server spends 1/{:.2} of its time (target: 0.60)\n",
                direct.name,
                direct.ratio(),
                direct.work_ratio(),
            ));
        }
        Ok(())
    }

    async fn start(&self, scenario: Scenario, url: Option<&str>) -> Result<Option<Load>> {
        let shape = Shape { connections: self.args.connections, streams: self.args.writers };
        let people = self.args.people;
        Ok(match scenario {
            Scenario::Transfers => Some(Load::Transfers(Transfers::start(url, people, shape).await?)),
            Scenario::Bookings => Some(Load::Bookings(Bookings::start(url, people, shape, Spread::Many).await?)),
            Scenario::HotSlot => Some(Load::Bookings(Bookings::start(url, people, shape, Spread::One).await?)),
            Scenario::Rules => Some(Load::Rules(Rules::start(url, shape).await?)),
            Scenario::Access | Scenario::Floors => None,
        })
    }

    async fn postgres(&self, scenario: Scenario, cluster: &Cluster, floors: Floors<'_>) -> Result<()> {
        let time = self.span.measured;
        if scenario == Scenario::Floors {
            for (file, clients) in [
                ("select_one", 8),
                ("insert_one_row", 16),
                ("booking_many_slots", 16),
                ("booking_one_slot", 16),
                ("transfer_spread", 16),
            ] {
                let mut alone = Comparison::new(format!("floor {file}"));
                for _ in 0..self.rounds {
                    alone.linli.push(floors.run(file, clients, time)?);
                }
                alone.say();
            }
            return Ok(());
        }
        let database = format!("{scenario:?}").to_lowercase();
        cluster.sql("postgres", &format!("CREATE DATABASE {database}"))?;
        let load = self.start(scenario, Some(&cluster.url(&database))).await?.context("a load")?;
        let file = match scenario {
            Scenario::Transfers => Some("transfer_spread_one_statement"),
            Scenario::Bookings => Some("booking_many_slots_one_statement"),
            Scenario::HotSlot => Some("booking_one_slot_one_statement"),
            // Nothing that SQL does.
            Scenario::Rules | Scenario::Access | Scenario::Floors => None,
        };
        let mut comparison = Comparison::new(format!("{scenario:?} on PostgreSQL"));
        for _ in 0..self.rounds {
            if let Some(file) = file {
                comparison.floor.push(floors.run(file, 16, time)?);
            }
            comparison.linli.push(load.run(self.span, Some(cluster.postmaster())).await?);
        }
        comparison.say();
        self.books(&load).await
    }

    async fn sqlite(&self, scenario: Scenario) -> Result<()> {
        let Some(load) = self.start(scenario, None).await? else { return Ok(()) };
        let mut comparison = Comparison::new(format!("{scenario:?} on SQLite"));
        for _ in 0..self.rounds {
            comparison.linli.push(load.run(self.span, None).await?);
        }
        comparison.say();
        self.books(&load).await
    }

    async fn books(&self, load: &Load) -> Result<()> {
        let Some(looked) = load.books().await? else { return Ok(()) };
        ensure!(looked > 0, "the books are empty");
        say(&format!("books checked: {looked} rows or groups, every invariant holds\n"));
        Ok(())
    }
}
