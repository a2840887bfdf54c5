//! A closed loop: every worker sends its next request when the last one was answered.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use hdrhistogram::Histogram;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

use crate::cpu::{self, Machine};

/// One caller that waits for its answers.
pub(crate) trait Worker: Send + 'static {
    /// Sends one request and waits for its answer.
    fn step(&mut self) -> impl Future<Output = Result<(), Status>> + Send;
}

/// How long a run warms up and is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// Not measured.
    pub(crate) warm: Duration,
    /// Measured.
    pub(crate) measured: Duration,
}

/// What one run gave.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// Operations a second.
    pub(crate) rate: f64,
    /// Median latency.
    pub(crate) p50_us: u64,
    /// Latency that one in a hundred exceeds.
    pub(crate) p99_us: u64,
    /// Processor microseconds per operation of the server.
    pub(crate) server_us: f64,
    /// The same of PostgreSQL.
    pub(crate) database_us: f64,
    /// The same of whoever sent the requests.
    pub(crate) driver_us: f64,
    /// Of all processor time, what other programs took.
    pub(crate) others: f64,
    /// Operations that succeeded, warm-up included.
    pub(crate) done: u64,
}

/// Whose processor time is taken.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Watched {
    /// The server.
    pub(crate) server: Option<u32>,
    /// The postmaster.
    pub(crate) database: Option<u32>,
}

impl Watched {
    fn read(self) -> [Duration; 3] {
        [
            self.server.map_or(Duration::ZERO, cpu::process),
            self.database.map_or(Duration::ZERO, cpu::family),
            cpu::process(std::process::id()) + cpu::waited(),
        ]
    }
}

/// Processor time between two moments.
#[derive(Debug)]
pub(crate) struct Meter {
    watched: Watched,
    begun: Instant,
    times: [Duration; 3],
    machine: Machine,
}

impl Meter {
    /// From now on.
    pub(crate) fn start(watched: Watched) -> Result<Self> {
        Ok(Self { watched, begun: Instant::now(), times: watched.read(), machine: Machine::read()? })
    }

    /// Until now.
    pub(crate) fn stop(&self) -> Result<Spent> {
        let seconds = self.begun.elapsed().as_secs_f64();
        let now = self.watched.read();
        let [server, database, driver] = std::array::from_fn(|n| now[n].saturating_sub(self.times[n]));
        let others = Machine::read()?.others_since(self.machine, server + database + driver);
        Ok(Spent { seconds, server, database, driver, others })
    }
}

/// What was spent between two moments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    seconds: f64,
    server: Duration,
    database: Duration,
    driver: Duration,
    others: f64,
}

impl Outcome {
    /// The same when every operation was a batch of so many.
    pub(crate) fn times(mut self, each: u32) -> Self {
        let each = f64::from(each);
        self.rate *= each;
        for micros in [&mut self.server_us, &mut self.database_us, &mut self.driver_us] {
            *micros /= each;
        }
        self
    }

    /// What these operations took: those of the histogram, in the time that was spent.
    pub(crate) fn of(spent: Spent, latencies: &Histogram<u64>, ops: u64, done: u64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let count = ops.max(1) as f64;
        let each = |time: Duration| time.as_secs_f64() * 1e6 / count;
        Self {
            rate: count / spent.seconds,
            p50_us: latencies.value_at_quantile(0.5),
            p99_us: latencies.value_at_quantile(0.99),
            server_us: each(spent.server),
            database_us: each(spent.database),
            driver_us: each(spent.driver),
            others: spent.others,
            done,
        }
    }
}

/// A histogram of microseconds up to a minute.
pub(crate) fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 60_000_000, 3)?)
}

#[derive(Default)]
struct Phase {
    measuring: AtomicBool,
    over: AtomicBool,
}

struct Tally {
    histogram: Histogram<u64>,
    done: u64,
    refusal: Option<Status>,
}

async fn work<W: Worker>(mut worker: W, phase: Arc<Phase>, mut tally: Tally) -> Tally {
    while !phase.over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        if let Err(status) = worker.step().await {
            tally.refusal = Some(status);
            break;
        }
        tally.done += 1;
        if phase.measuring.load(Ordering::Relaxed) && !phase.over.load(Ordering::Relaxed) {
            let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
            tally.histogram.saturating_record(micros);
        }
    }
    tally
}

/// Lets the workers run for the span. A refusal ends the run: figures with failed calls in them mean nothing.
pub(crate) async fn drive<W: Worker>(workers: Vec<W>, span: Span, watched: Watched) -> Result<Outcome> {
    let phase = Arc::new(Phase::default());
    let mut running = tokio::task::JoinSet::new();
    for worker in workers {
        let tally = Tally { histogram: histogram()?, done: 0, refusal: None };
        running.spawn(work(worker, phase.clone(), tally));
    }
    tokio::time::sleep(span.warm).await;
    let meter = Meter::start(watched)?;
    phase.measuring.store(true, Ordering::Relaxed);
    tokio::time::sleep(span.measured).await;
    phase.over.store(true, Ordering::Relaxed);
    // Read at once: the workers' last answers come a moment later and do not count.
    let spent = meter.stop()?;
    let (mut whole, mut done) = (histogram()?, 0);
    while let Some(tally) = running.join_next().await {
        let tally = tally?;
        if let Some(status) = tally.refusal {
            bail!("the suite refused: {:?} {}", status.code(), status.message());
        }
        whole.add(&tally.histogram)?;
        done += tally.done;
    }
    Ok(Outcome::of(spent, &whole, whole.len(), done))
}

/// Connections to one address, without TLS.
pub(crate) async fn connect(address: std::net::SocketAddr, count: usize) -> Result<Vec<Channel>> {
    let mut channels = Vec::new();
    for _ in 0..count {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true);
        channels.push(endpoint.connect().await?);
    }
    Ok(channels)
}
