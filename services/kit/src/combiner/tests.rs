//! Claims about the combiner, on both engines.

use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::ConnectionTrait as _;

use super::*;
use crate::store::Migration;
use crate::testing::{TestStore, stores_with};

const TABLE: &[Migration] = &[Migration {
    version: 1000,
    name: "test: seats",
    sqlite: &["CREATE TABLE seat (n INTEGER NOT NULL CHECK (n <> 13)) STRICT"],
    postgres: &["CREATE TABLE seat (n bigint NOT NULL CHECK (n <> 13))"],
}];

#[derive(Default)]
struct Seats {
    runs: Arc<AtomicU32>,
    pause: Duration,
}

impl Batch for Seats {
    type Command = i64;
    type Outcome = i64;

    fn name(&self) -> &'static str {
        "test.seats"
    }

    fn shard(_: &i64) -> u64 {
        0
    }

    async fn apply(&self, tx: &Tx<'_>, batch: &[&i64]) -> Result<Vec<Result<i64>>> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        assert!(!batch.contains(&&666), "a bug");
        tokio::time::sleep(self.pause).await;
        let mut outcomes = Vec::new();
        for n in batch {
            if **n < 0 {
                outcomes.push(Err(Error::new(ErrorCode::FailedPrecondition, "CONFLICT")));
                continue;
            }
            tx.conn().execute_raw(tx.statement("INSERT INTO seat VALUES ($1)", [(**n).into()])).await?;
            outcomes.push(Ok(**n * 2));
        }
        Ok(outcomes)
    }
}

fn start(store: &TestStore, pause_ms: u64, queue: usize) -> (Combiner<Seats>, Arc<AtomicU32>) {
    let seats = Seats { runs: Arc::default(), pause: Duration::from_millis(pause_ms) };
    let runs = seats.runs.clone();
    let config = CombinerConfig { shards: 2, max_batch: 64, queue };
    (Combiner::new(Store::clone(store), seats, config), runs)
}

async fn rows(store: &Store) -> i64 {
    let row =
        store.reader().query_one_raw(crate::store::statement(store.engine(), "SELECT count(*) FROM seat", [])).await;
    row.expect("reads").expect("a row").try_get_by_index(0).expect("a number")
}

async fn all(combiner: &Combiner<Seats>, commands: impl IntoIterator<Item = i64>) -> Vec<Result<i64>> {
    futures::future::join_all(commands.into_iter().map(|n| combiner.submit(n))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_commands_share_transactions_and_each_gets_its_own_outcome() {
    for store in stores_with("test", TABLE).await {
        let (combiner, runs) = start(&store, 0, 1000);
        let outcomes = all(&combiner, 100..300).await;
        for (i, outcome) in outcomes.into_iter().enumerate() {
            assert_eq!(outcome.expect("done"), 200 + 2 * i as i64);
        }
        assert_eq!(rows(&store).await, 200);
        let runs = runs.load(Ordering::Relaxed);
        assert!(runs <= 10, "200 commands took {runs} transactions");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_refused_by_data_costs_its_neighbours_nothing() {
    for store in stores_with("test", TABLE).await {
        let (combiner, runs) = start(&store, 0, 1000);
        let outcomes = all(&combiner, (0..30).map(|n| if n % 3 == 0 { -1 } else { 100 + n })).await;
        assert_eq!(outcomes.iter().filter(|o| o.is_err()).count(), 10);
        assert_eq!(rows(&store).await, 20);
        assert!(runs.load(Ordering::Relaxed) <= 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poisoned_member_fails_alone_whether_the_database_refuses_it_or_it_panics() {
    for store in stores_with("test", TABLE).await {
        for poison in [13, 666] {
            let before = rows(&store).await;
            let (combiner, _) = start(&store, 5, 1000);
            let outcomes = all(&combiner, (0..20).map(|n| if n == 7 { poison } else { 100 + n })).await;
            for (n, outcome) in outcomes.iter().enumerate() {
                assert_eq!(outcome.is_err(), n == 7, "{n}: {outcome:?}");
            }
            assert_eq!(rows(&store).await, before + 19);
            assert_eq!(combiner.submit(1).await.expect("the shard lives on"), 2);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_past_their_deadline_never_begin_and_a_departed_submitter_cuts_nothing() {
    for store in stores_with("test", TABLE).await {
        let (combiner, runs) = start(&store, 150, 1000);
        let first = tokio::spawn({
            let combiner = combiner.clone();
            async move { combiner.submit(1).await }
        });
        tokio::time::sleep(Duration::from_millis(40)).await;
        let departed = tokio::spawn({
            let combiner = combiner.clone();
            async move { combiner.submit(2).await }
        });
        let late = combiner.submit_until(Instant::now() + Duration::from_millis(30), 3).await;
        assert_eq!(late.expect_err("late").code(), ErrorCode::DeadlineExceeded);
        departed.abort();
        first.await.expect("no panic").expect("done");
        combiner.drain().await;
        assert_eq!(rows(&store).await, 2, "the first and the departed one");
        assert_eq!(runs.load(Ordering::Relaxed), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_and_a_drained_combiner_has_answered_everybody() {
    for store in stores_with("test", TABLE).await {
        let (combiner, _) = start(&store, 50, 4);
        let waiting = tokio::spawn({
            let combiner = combiner.clone();
            async move { all(&combiner, 100..120).await }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        combiner.drain().await;
        let outcomes = waiting.await.expect("no panic");
        let done = outcomes.iter().filter(|o| o.is_ok()).count();
        assert!((4..=6).contains(&done), "{done}");
        assert!(outcomes.iter().flat_map(|o| o.as_ref().err()).all(|e| e.reason() == "OVERLOADED"));
        assert_eq!(rows(&store).await, done as i64);
        assert_eq!(combiner.submit(1).await.expect_err("closed").reason(), "SHUTTING_DOWN");
    }
}
