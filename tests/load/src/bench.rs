//! The run: which scenarios, how long, how often; what is said about them.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::cluster::Cluster;
use crate::cpu;
use crate::drive::{Outcome, Span};
use crate::floor::{Floors, sqlite};
use crate::memory;
use crate::report::{Comparison, say};
use crate::scenario::access::{self, Shape};
use crate::scenario::bookings::{Bookings, Spread};
use crate::scenario::plugins;
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
    /// The way to a rule inside one process, and from upload to answer
    Plugins,
    /// The floors alone: select, insert, batches
    Floors,
    /// Resident memory of the all-in-one process, idle after its demo
    Memory,
}

/// What the full stack keeps at least of a bare server's rate.
const TARGET_RATIO: f64 = 0.6;

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
    /// A missed target is said, and is no failure: for machines with other work to do
    #[arg(long)]
    advisory: bool,
    /// Directory of PostgreSQL's programs
    #[arg(long, env = "LINLI_TEST_PG_BIN", default_value = "/usr/lib/postgresql/15/bin")]
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
        Scenario::Plugins,
        Scenario::Memory,
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
    let rest: Vec<Scenario> = wanted.iter().copied().filter(|s| Load::knows(*s) || *s == Scenario::Floors).collect();
    let stored = wanted.contains(&Scenario::Access) || !rest.is_empty();
    let cluster = (stored && !args.sqlite).then(|| Cluster::start(&args.postgres, &args.cluster)).transpose()?;
    let mut missed = Vec::new();
    if wanted.contains(&Scenario::Access) {
        // On its own: it keeps the driver's thread to one core.
        missed.extend(std::thread::scope(|scope| {
            let thread = scope.spawn(|| run.access(cluster.as_ref()));
            thread.join().map_err(|_| anyhow::anyhow!("the driver panicked"))?
        })?);
    }
    if let Some(cluster) = cluster.as_ref().filter(|_| !rest.is_empty()) {
        let floors = Floors::new(cluster)?;
        say(&format!("\nPostgreSQL in {}, durable:\n", args.cluster.display()));
        for scenario in &rest {
            runtime.block_on(run.postgres(*scenario, cluster, floors))?;
        }
    }
    drop(cluster);
    if !rest.is_empty() {
        say("\nSQLite:\n");
    }
    for scenario in rest {
        runtime.block_on(run.sqlite(scenario))?;
    }
    if wanted.contains(&Scenario::Plugins) {
        let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        missed.extend(threads.block_on(plugins::measure(rounds))?);
    }
    if wanted.contains(&Scenario::Memory) {
        missed.extend(memory::measure()?);
    }
    ensure!(missed.is_empty() || args.advisory, "targets missed:\n  {}", missed.join("\n  "));
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
    fn knows(scenario: Scenario) -> bool {
        matches!(scenario, Scenario::Transfers | Scenario::Bookings | Scenario::HotSlot | Scenario::Rules)
    }

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
    /// The no-op RPC on each store; says which targets were missed.
    fn access(&self, cluster: Option<&Cluster>) -> Result<Vec<String>> {
        // Server on one core, driver on the other, as far as there are two.
        let server = (cpu::cores() > 1).then_some(0);
        if server.is_some() {
            cpu::stay_on(1)?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        say(
            "\nCheckAccess, server on one core, driver on another; floor: bare tonic server, same messages and headers:\n",
        );
        let mut urls = vec![None];
        if let Some(cluster) = cluster {
            cluster.sql("postgres", "CREATE DATABASE access")?;
            urls.push(Some(cluster.url("access")));
        }
        let mut missed = Vec::new();
        for url in urls {
            for streams in [1, self.args.streams] {
                let shape = Shape { connections: self.args.connections, streams };
                let run = access::run(url.as_deref(), server, shape, self.rounds, self.span);
                let [direct, edge] = runtime.block_on(run)?;
                direct.say();
                edge.say();
                let keeps = format!(
                    "{}: keeps {:.2} of the bare server's rate (target: {TARGET_RATIO}), at {:.2} times its processor time",
                    direct.name,
                    direct.ratio(),
                    1.0 / direct.work_ratio(),
                );
                say(&format!("{keeps}\n"));
                missed.extend((direct.ratio() < TARGET_RATIO).then_some(keeps));
            }
        }
        Ok(missed)
    }

    async fn start(&self, scenario: Scenario, url: Option<&str>) -> Result<Option<Load>> {
        let shape = Shape { connections: self.args.connections, streams: self.args.writers };
        let people = self.args.people;
        Ok(match scenario {
            Scenario::Transfers => Some(Load::Transfers(Transfers::start(url, people, shape).await?)),
            Scenario::Bookings => Some(Load::Bookings(Bookings::start(url, people, shape, Spread::Many).await?)),
            Scenario::HotSlot => Some(Load::Bookings(Bookings::start(url, people, shape, Spread::One).await?)),
            Scenario::Rules => Some(Load::Rules(Rules::start(url, shape).await?)),
            Scenario::Access | Scenario::Floors | Scenario::Plugins | Scenario::Memory => None,
        })
    }

    async fn postgres(&self, scenario: Scenario, cluster: &Cluster, floors: Floors<'_>) -> Result<()> {
        let time = self.span.measured;
        if scenario == Scenario::Floors {
            // The rate of a batch counts its 100 operations.
            for (file, clients, each) in [
                ("select_one", 8, 1),
                ("insert_one_row", 16, 1),
                ("booking_many_slots", 16, 1),
                ("booking_one_slot", 16, 1),
                ("booking_one_slot_batch100", 1, 100),
                ("transfer_spread", 16, 1),
                ("transfer_one_account", 16, 1),
                ("transfer_spread_batch100", 1, 100),
            ] {
                let mut alone = Comparison::new(format!("floor {file}"));
                for _ in 0..self.rounds {
                    alone.linli.push(floors.run(file, clients, time)?.times(each));
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
            Scenario::Rules | Scenario::Access | Scenario::Floors | Scenario::Plugins | Scenario::Memory => None,
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
        let work = match scenario {
            Scenario::Transfers => Some(sqlite::Work::Transfer),
            Scenario::Bookings => Some(sqlite::Work::Booking { slots: 1000 }),
            Scenario::HotSlot => Some(sqlite::Work::Booking { slots: 1 }),
            Scenario::Rules | Scenario::Access | Scenario::Floors | Scenario::Plugins | Scenario::Memory => None,
        };
        let mut comparison = Comparison::new(format!("{scenario:?} on SQLite"));
        for _ in 0..self.rounds {
            if let Some(work) = work {
                comparison.floor.push(sqlite::run(work, self.span.measured).await?);
            }
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
