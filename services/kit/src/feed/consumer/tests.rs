//! Claims about consumers, on both engines.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use linli_proto::events::{ListEventsResponse, ReadFeedStateResponse};
use parking_lot::Mutex;
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::feed::tests::{emit, forget, stores};
use crate::feed::{EventLog, sequencer};
use crate::lease::Guard;
use crate::testing::TestStore;
use crate::{ErrorCode, rows};

const BOUND: Duration = Duration::from_secs(20);

/// Writes one row per event, and fails as it is told.
#[derive(Default)]
struct Recorder {
    /// What the next attempts at a subject do instead.
    faults: Mutex<HashMap<String, Vec<Fails>>>,
    attempts: AtomicU32,
    slow: AtomicBool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fails {
    /// In `apply`, after the effect, and passing.
    Transient,
    /// In `apply`, after the effect.
    Fault,
    /// In `prepare`.
    Unprepared,
    /// In `apply`, after the effect.
    Panic,
}

impl Recorder {
    fn fail(self, subject: &str, how: &[Fails]) -> Arc<Self> {
        self.faults.lock().insert(subject.to_owned(), how.to_vec());
        Arc::new(self)
    }

    fn next(&self, subject: &str, take: impl Fn(Fails) -> bool) -> Option<Fails> {
        let mut faults = self.faults.lock();
        let list = faults.get_mut(subject)?;
        (list.first().is_some_and(|fault| take(*fault))).then(|| list.remove(0))
    }
}

fn fault() -> Error {
    Error::new(ErrorCode::FailedPrecondition, "CONFLICT")
}

#[async_trait]
impl Handler for Arc<Recorder> {
    type Prepared = ();

    async fn prepare(&self, event: &Event) -> Result<()> {
        if self.slow.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        match self.next(&event.subject, |fault| fault == Fails::Unprepared) {
            Some(_) => Err(fault()),
            None => Ok(()),
        }
    }

    async fn apply(&self, tx: &Tx<'_>, event: &Event, _: &()) -> Result<()> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        let sql = "INSERT INTO effect (event_id) VALUES ($1)";
        rows::execute(tx.conn(), sql, vec![format!("{}/{}", event.subject, event.position).into()]).await?;
        match self.next(&event.subject, |fault| fault != Fails::Unprepared) {
            Some(Fails::Transient) => Err(Error::new(ErrorCode::Unavailable, "STORAGE_UNAVAILABLE")),
            Some(Fails::Panic) => panic!("as told"),
            Some(Fails::Fault | Fails::Unprepared) => Err(fault()),
            None => Ok(()),
        }
    }

    /// The parts of the subject: `x+y` waits behind both `x` and `y`.
    fn blocking_keys(&self, event: &Event) -> BTreeSet<String> {
        event.subject.split('+').map(str::to_owned).collect()
    }
}

/// A feed whose events get positions, until it is dropped.
fn feed(store: &TestStore) -> (Arc<EventLog>, AbortOnDropHandle<()>) {
    let log = EventLog::new((**store).clone());
    let term = Term::for_engine(store.engine());
    let task = sequencer::spawn(&log, term, CancellationToken::new());
    (Arc::new(log), AbortOnDropHandle::new(task))
}

fn config() -> ConsumerConfig {
    let term = Term {
        ttl: Duration::from_millis(600),
        renew_every: Duration::from_millis(200),
        retry_every: Duration::from_millis(50),
    };
    let park_pause = Duration::from_millis(30);
    ConsumerConfig { term: Some(term), park_pause, ..ConsumerConfig::new("recorder", "streams/test") }
}

fn spawn(store: &TestStore, config: ConsumerConfig, log: &Arc<EventLog>, handler: &Arc<Recorder>) -> ConsumerHandle {
    spawn_consumer((**store).clone(), config, log.clone(), handler.clone(), &CancellationToken::new())
}

async fn effects(store: &Store) -> Vec<String> {
    let found = rows::all(store.reader(), "SELECT event_id FROM effect", vec![]).await.expect("reads");
    found.iter().map(|row| rows::get(row, "event_id").expect("a text")).collect()
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(BOUND, waiting).await.unwrap_or_else(|_| panic!("not within the bound: {what}"));
}

async fn caught_up(handle: &ConsumerHandle, position: i64) {
    tokio::time::timeout(BOUND, handle.caught_up(position)).await.expect("within the bound").expect("runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_dies_between_effect_and_cursor_applies_once() {
    for store in stores().await {
        let (log, _task) = feed(&store);
        emit(&store, "a", &["x", "y"]).await;
        let handler = Recorder::default().fail("x", &[Fails::Transient, Fails::Transient]);
        let handle = spawn(&store, config(), &log, &handler);
        caught_up(&handle, 2).await;
        handle.shutdown().await;
        assert_eq!(handler.attempts.load(Ordering::SeqCst), 4, "delivered again");
        assert_eq!(effects(&store).await, ["x/1", "y/2"], "{:?}: applied once", store.engine());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_goes_on_where_it_stopped() {
    for store in stores().await {
        let (log, _task) = feed(&store);
        let handler = Arc::new(Recorder::default());
        for (round, subject) in ["x", "y", "z"].into_iter().enumerate() {
            emit(&store, "a", &[subject]).await;
            let handle = spawn(&store, config(), &log, &handler);
            caught_up(&handle, round as i64 + 1).await;
            assert!(handle.is_caught_up(round as i64 + 1));
            until("staleness is known", async || handle.staleness() < BOUND).await;
            handle.shutdown().await;
        }
        assert_eq!(effects(&store).await, ["x/1", "y/2", "z/3"], "{:?}", store.engine());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_consumers_with_one_name_only_the_lease_holder_applies() {
    for store in stores().await {
        let (log, _task) = feed(&store);
        let handler = Arc::new(Recorder::default());
        handler.slow.store(true, Ordering::SeqCst);
        let one = spawn(&store, config(), &log, &handler);
        until("the first holds the lease", async || one.status().holds_lease).await;
        let two = spawn(&store, config(), &log, &handler);
        let subjects: Vec<String> = (0..40).map(|n| format!("s{n}")).collect();
        let subjects: Vec<&str> = subjects.iter().map(String::as_str).collect();
        emit(&store, "a", &subjects).await;
        caught_up(&two, 20).await;
        assert!(one.status().holds_lease && !two.status().holds_lease, "the other only looks on");
        one.shutdown().await;
        caught_up(&two, 40).await;
        until("the second takes over", async || two.status().holds_lease).await;
        two.shutdown().await;
        let applied = effects(&store).await;
        let expected: Vec<String> = (0..40).map(|n| format!("s{n}/{}", n + 1)).collect();
        assert_eq!(applied, expected, "{:?}: each once", store.engine());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_whose_lease_was_taken_writes_nothing_more() {
    for store in stores().await {
        let (log, _task) = feed(&store);
        let handler = Arc::new(Recorder::default());
        let term = Term { renew_every: BOUND, ..config().term.expect("is set") };
        let handle = spawn(&store, ConsumerConfig { term: Some(term), ..config() }, &log, &handler);
        until("the lease is held", async || handle.status().holds_lease).await;
        // It believes to hold the lease, does not renew it in time, and another takes it.
        let mut taken = None;
        until("the lease is over", async || {
            taken = Guard::acquire(&store, "consumer.recorder", BOUND).await.expect("answers");
            taken.is_some()
        })
        .await;
        emit(&store, "a", &["x"]).await;
        until("it has noticed", async || !handle.status().holds_lease).await;
        assert_eq!(effects(&store).await.len(), 0, "{:?}", store.engine());
        assert_eq!(handle.position(), 0);
        taken.expect("is held").release().await.expect("gives back");
        caught_up(&handle, 1).await;
        assert_eq!(effects(&store).await, ["x/1"], "{:?}", store.engine());
        handle.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_event_blocks_only_its_own_key_and_its_followers_keep_their_order() {
    for store in stores().await {
        let (log, _task) = feed(&store);
        let handler = Recorder::default().fail("x", &[Fails::Fault, Fails::Unprepared, Fails::Panic, Fails::Fault]);
        let slow = ConsumerConfig { park_pause: Duration::from_millis(400), ..config() };
        let handle = spawn(&store, slow, &log, &handler);
        emit(&store, "a", &["x", "y", "x", "z", "x"]).await;
        caught_up(&handle, 5).await;
        assert_eq!(effects(&store).await, ["y/2", "z/4"], "{:?}: others pass", store.engine());
        let parked = list_parked(&store, "recorder", 10).await.expect("lists");
        let seen: Vec<(i64, &str)> = parked.iter().map(|p| (p.event.position, p.reason.as_str())).collect();
        assert_eq!(seen, [(1, "CONFLICT"), (3, "BEHIND_PARKED"), (5, "BEHIND_PARKED")]);
        assert_eq!(handle.status().parked, 3);
        until("all are applied", async || {
            retry_now(&store, "recorder").await.expect("answers");
            handle.status().parked == 0
        })
        .await;
        assert_eq!(effects(&store).await, ["y/2", "z/4", "x/1", "x/3", "x/5"], "{:?}", store.engine());
        handle.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_with_two_keys_waits_behind_both_and_holds_up_both() {
    for store in stores().await {
        let (log, _task) = feed(&store);
        let handler = Recorder::default().fail("y", &[Fails::Fault]);
        let slow = ConsumerConfig { park_pause: BOUND, ..config() };
        let handle = spawn(&store, slow, &log, &handler);
        emit(&store, "a", &["y", "x+y", "z", "x", "x+z", "z"]).await;
        caught_up(&handle, 6).await;
        assert_eq!(effects(&store).await, ["z/3"], "{:?}: who shares no key passes", store.engine());
        let parked = list_parked(&store, "recorder", 10).await.expect("lists");
        let keys: Vec<Vec<&str>> =
            parked.iter().map(|p| p.blocking_keys.iter().map(String::as_str).collect()).collect();
        assert_eq!(keys, [vec!["y"], vec!["x", "y"], vec!["x"], vec!["x", "z"], vec!["z"]]);
        retry_now(&store, "recorder").await.expect("answers");
        until("all are applied", async || handle.status().parked == 0).await;
        assert_eq!(effects(&store).await, ["z/3", "y/1", "x+y/2", "x/4", "x+z/5", "z/6"], "{:?}", store.engine());
        handle.shutdown().await;
        let left = rows::all(store.reader(), "SELECT 1 AS one FROM parked_key", vec![]).await.expect("reads");
        assert!(left.is_empty(), "a key does not outlive its event");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parked_events_are_tried_again_on_their_own_and_an_operator_can_give_one_up() {
    for store in stores().await {
        let (log, _task) = feed(&store);
        let handler = Recorder::default().fail("x", &[Fails::Fault; 3]);
        handler.faults.lock().insert("y".into(), vec![Fails::Fault; 1000]);
        let handle = spawn(&store, config(), &log, &handler);
        emit(&store, "a", &["x", "y", "y"]).await;
        until("x has passed", async || effects(&store).await == ["x/1"]).await;
        handler.faults.lock().remove("z");
        assert!(discard(&store, "recorder", 2).await.expect("answers"));
        assert!(!discard(&store, "recorder", 2).await.expect("answers"));
        handler.faults.lock().clear();
        until("the follower has passed", async || effects(&store).await == ["x/1", "y/3"]).await;
        handle.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_apply_in_one_transaction_and_fall_back_to_single_events() {
    for store in stores().await {
        let (log, _task) = feed(&store);
        let handler = Recorder::default().fail("c", &[Fails::Fault, Fails::Fault]);
        emit(&store, "a", &["a", "b", "c", "d", "e", "f"]).await;
        let slow = ConsumerConfig { batch: 6, park_pause: BOUND, ..config() };
        let handle = spawn(&store, slow, &log, &handler);
        caught_up(&handle, 6).await;
        assert_eq!(effects(&store).await, ["a/1", "b/2", "d/4", "e/5", "f/6"], "{:?}", store.engine());
        assert_eq!(handle.status().parked, 1);
        handle.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_has_missed_events_stands_still_and_says_so_until_an_operator_moves_it() {
    for store in stores().await {
        let (log, _task) = feed(&store);
        let handler = Arc::new(Recorder::default());
        emit(&store, "a", &["x", "y", "z"]).await;
        let handle = spawn(&store, config(), &log, &handler);
        caught_up(&handle, 3).await;
        handle.shutdown().await;
        assert!(skip_to(&store, "recorder", 1).await.expect("answers"));
        forget(&store, 3).await;
        let handle = spawn(&store, config(), &log, &handler);
        until("it says so", async || handle.status().stuck == "CURSOR_TOO_OLD").await;
        assert_eq!(handle.position(), 1);
        handle.shutdown().await;
        // A consumer that is new has missed what is gone as well.
        let new = spawn(&store, ConsumerConfig { name: "new".into(), ..config() }, &log, &handler);
        until("it says so", async || new.status().stuck == "CURSOR_TOO_OLD").await;
        assert_eq!(new.position(), 0);
        new.shutdown().await;
        let handle = spawn(&store, config(), &log, &handler);
        until("it says so", async || handle.status().stuck == "CURSOR_TOO_OLD").await;
        assert!(skip_to(&store, "recorder", 2).await.expect("answers"), "also while it runs");
        caught_up(&handle, 3).await;
        handle.shutdown().await;
        assert_eq!(
            effects(&store).await,
            ["x/1", "y/2", "z/3", "z/3"],
            "{:?}: from where it was moved",
            store.engine()
        );
    }
}

/// A feed that tells its present state in two pages, as the tables of a source would.
struct Telling {
    log: Arc<EventLog>,
}

#[async_trait]
impl EventSource for Telling {
    async fn list(&self, stream: &str, after: i64, max: i32, wait_ms: i32) -> Result<ListEventsResponse> {
        EventSource::list(&*self.log, stream, after, max, wait_ms).await
    }

    async fn state(&self, _stream: &str, page_token: &str) -> Result<ReadFeedStateResponse> {
        let position = self.log.newest().await?;
        // What happens while the pages are read lies behind the position of the first.
        emit(self.log.store(), "a", &["news"]).await;
        let (subject, next) = if page_token.is_empty() { ("one", "second") } else { ("two", "") };
        let event = Event { subject: subject.into(), ..Event::default() };
        Ok(ReadFeedStateResponse { events: vec![event], next_page_token: next.into(), position })
    }
}

/// Takes a state for its effects.
struct Replacing(Arc<Recorder>);

#[async_trait]
impl Handler for Replacing {
    type Prepared = ();

    async fn prepare(&self, event: &Event) -> Result<()> {
        self.0.prepare(event).await
    }

    async fn apply(&self, tx: &Tx<'_>, event: &Event, prepared: &()) -> Result<()> {
        self.0.apply(tx, event, prepared).await
    }

    fn blocking_keys(&self, event: &Event) -> BTreeSet<String> {
        self.0.blocking_keys(event)
    }

    fn resyncs(&self) -> bool {
        true
    }

    async fn replace(&self, tx: &Tx<'_>, state: &[Event]) -> Result<()> {
        rows::execute(tx.conn(), "DELETE FROM effect", vec![]).await?;
        for event in state {
            self.0.apply(tx, event, &()).await?;
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_can_takes_the_present_state_for_what_it_has_missed_and_follows_from_there() {
    for store in stores().await {
        let (log, _task) = feed(&store);
        let recorder = || Recorder::default().fail("x", &[Fails::Fault]);
        let slow = ConsumerConfig { park_pause: BOUND, ..config() };
        let spawn = |handler| {
            let source = Arc::new(Telling { log: log.clone() });
            spawn_consumer((*store).clone(), slow.clone(), source, Replacing(handler), &CancellationToken::new())
        };
        emit(&store, "a", &["x", "y", "z"]).await;
        let handle = spawn(recorder());
        caught_up(&handle, 3).await;
        assert_eq!(handle.parked(), 1);
        handle.shutdown().await;
        // Its place is gone; one event is still kept that is part of the state.
        skip_to(&store, "recorder", 1).await.expect("answers");
        forget(&store, 3).await;
        let handle = spawn(Arc::default());
        caught_up(&handle, 5).await;
        assert_eq!(effects(&store).await, ["one/0", "two/0", "news/4", "news/5"], "{:?}", store.engine());
        assert_eq!((handle.parked(), handle.status().stuck.as_str()), (0, ""), "what was parked is part of the state");
        handle.shutdown().await;
        // The feed was restored from a backup: it has not come so far.
        skip_to(&store, "recorder", 99).await.expect("answers");
        let handle = spawn(Arc::default());
        until("it follows again", async || handle.position() == 7).await;
        assert_eq!(effects(&store).await, ["one/0", "two/0", "news/6", "news/7"], "{:?}", store.engine());
        handle.shutdown().await;
    }
}

#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread")]
async fn a_fail_point_between_effect_and_cursor_costs_no_event_and_doubles_none() {
    let scenario = fail::FailScenario::setup();
    for store in stores().await {
        let (log, _task) = feed(&store);
        fail::cfg("feed::after_apply", "3*return->1*panic->off").expect("is a valid action");
        emit(&store, "a", &["x", "y"]).await;
        let handler = Arc::new(Recorder::default());
        let handle = spawn(&store, config(), &log, &handler);
        caught_up(&handle, 2).await;
        handle.shutdown().await;
        assert_eq!(handler.attempts.load(Ordering::SeqCst), 6, "{:?}: delivered again", store.engine());
        assert_eq!(effects(&store).await, ["x/1", "y/2"], "{:?}: applied once", store.engine());
    }
    scenario.teardown();
}
