//! Claims about durable calls, on both engines.

use std::collections::VecDeque;

use parking_lot::Mutex;

use super::*;
use crate::store::Migration;
use crate::testing::TestStore;
use crate::testing::stores_with;
use crate::{Error, rows};

const BOUND: Duration = Duration::from_secs(20);

const TABLES: &[Migration] = &[Migration {
    version: 1000,
    name: "test: effects",
    sqlite: &["CREATE TABLE effect (what TEXT NOT NULL) STRICT"],
    postgres: &["CREATE TABLE effect (what text NOT NULL)"],
}];

async fn stores() -> Vec<TestStore> {
    stores_with("test", TABLES).await
}

/// Answers as it is told, then with `ok`; its effect is a row.
#[derive(Default)]
struct Peer {
    /// What the next calls about a subject answer.
    calls: Mutex<HashMap<String, VecDeque<ErrorCode>>>,
    /// How often the next applications fail after their effect.
    applies: Mutex<u32>,
    heard: Mutex<Vec<(String, Uuid)>>,
}

#[async_trait]
impl Target for Peer {
    async fn call(&self, call: &CallRow) -> Result<Vec<u8>> {
        self.heard.lock().push((call.subject.clone(), call.request_id));
        match self.calls.lock().get_mut(&call.subject).and_then(VecDeque::pop_front) {
            Some(code) => Err(Error::new(code, "CONFLICT")),
            None => Ok(call.request.clone()),
        }
    }

    async fn apply(&self, tx: &Tx<'_>, call: &CallRow, outcome: &Outcome) -> Result<()> {
        let what = match outcome {
            Outcome::Answer(bytes) => format!("{}:{}", call.subject, String::from_utf8_lossy(bytes)),
            Outcome::Refused(refusal) => format!("{}!{:?}/{}", call.subject, refusal.code, refusal.reason),
        };
        rows::execute(tx.conn(), "INSERT INTO effect (what) VALUES ($1)", vec![what.into()]).await?;
        let mut failing = self.applies.lock();
        if *failing > 0 {
            *failing -= 1;
            return Err(Error::internal("as told"));
        }
        Ok(())
    }
}

fn new_call(subject: &str, request_id: u128, request: &str) -> NewCall {
    NewCall {
        area: "xinhua".into(),
        target: "peer".into(),
        subject: subject.into(),
        request: request.into(),
        request_id: Uuid::from_u128(request_id),
        trace_id: "t".into(),
        cause: "c".into(),
    }
}

async fn enqueue(store: &Store, calls: &DurableCalls, new: &[NewCall]) {
    let writing = store.write("decide", |tx| {
        Box::pin(async move {
            for call in new {
                calls.enqueue(tx, call).await?;
            }
            Ok(())
        })
    });
    writing.await.expect("commits");
}

fn spawn(calls: &DurableCalls, peer: &Arc<Peer>) -> (JoinHandle<()>, CancellationToken) {
    let stop = CancellationToken::new();
    let targets: Targets = HashMap::from([("peer", peer.clone() as Arc<dyn Target>)]);
    let settings = Settings { first_pause: Duration::from_millis(20), ..Settings::default() };
    (calls.spawn(targets, settings, stop.clone()), stop)
}

async fn effects(store: &Store) -> Vec<String> {
    let found = rows::all(store.reader(), "SELECT what FROM effect", vec![]).await.expect("reads");
    found.iter().map(|row| rows::get(row, "what").expect("a text")).collect()
}

async fn idle(calls: &DurableCalls) {
    let waiting = async {
        while calls.pending().await.expect("reads") > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(BOUND, waiting).await.expect("all calls end within the bound");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_made_after_the_commit_and_never_for_work_that_rolled_back() {
    for store in stores().await {
        let (calls, peer) = (DurableCalls::new((*store).clone()), Arc::new(Peer::default()));
        let (task, stop) = spawn(&calls, &peer);
        let lost = &new_call("lost", 1, "no");
        let handle = &calls;
        let outcome: Result<()> = store
            .write("rolled back", |tx| {
                Box::pin(async move {
                    handle.enqueue(tx, lost).await?;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    Err(Error::internal("as told"))
                })
            })
            .await;
        assert!(outcome.is_err());
        enqueue(&store, &calls, &[new_call("kept", 2, "yes")]).await;
        idle(&calls).await;
        stop.cancel();
        task.await.expect("ends");
        assert_eq!(*peer.heard.lock(), [("kept".to_owned(), Uuid::from_u128(2))], "{:?}", store.engine());
        assert_eq!(effects(&store).await, ["kept:yes"]);
        let row = calls.find("peer", Uuid::from_u128(2)).await.expect("reads").expect("is there");
        assert_eq!((row.state, row.answer.as_deref()), (CallState::Answered, Some(b"yes".as_slice())));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_applied_once_although_the_call_is_repeated() {
    for store in stores().await {
        let (calls, peer) = (DurableCalls::new((*store).clone()), Arc::new(Peer::default()));
        *peer.applies.lock() = 2;
        let (task, stop) = spawn(&calls, &peer);
        enqueue(&store, &calls, &[new_call("b", 1, "ok"), new_call("b", 1, "ok")]).await;
        enqueue(&store, &calls, &[new_call("b", 1, "ok")]).await;
        idle(&calls).await;
        stop.cancel();
        task.await.expect("ends");
        assert_eq!(peer.heard.lock().len(), 3, "called again under the same id");
        assert_eq!(effects(&store).await, ["b:ok"], "{:?}: applied once", store.engine());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definite_error_is_an_answer_and_an_open_outcome_is_asked_again() {
    for store in stores().await {
        let (calls, peer) = (DurableCalls::new((*store).clone()), Arc::new(Peer::default()));
        let open = [ErrorCode::Unavailable, ErrorCode::DeadlineExceeded, ErrorCode::Aborted, ErrorCode::Internal];
        peer.calls.lock().insert("open".into(), open.into());
        peer.calls.lock().insert("poor".into(), [ErrorCode::FailedPrecondition].into());
        enqueue(&store, &calls, &[new_call("open", 1, "ok"), new_call("poor", 2, "ok")]).await;
        let (task, stop) = spawn(&calls, &peer);
        idle(&calls).await;
        stop.cancel();
        task.await.expect("ends");
        let mut seen = effects(&store).await;
        seen.sort();
        assert_eq!(seen, ["open:ok", "poor!FailedPrecondition/CONFLICT"], "{:?}", store.engine());
        let row = calls.find("peer", Uuid::from_u128(2)).await.expect("reads").expect("is there");
        assert_eq!((row.state, row.reason.as_str()), (CallState::Refused, "CONFLICT"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_one_subject_keep_their_order_and_do_not_hold_up_others() {
    for store in stores().await {
        let (calls, peer) = (DurableCalls::new((*store).clone()), Arc::new(Peer::default()));
        peer.calls.lock().insert("a".into(), [ErrorCode::Unavailable; 4].into());
        let new: Vec<NewCall> =
            [("a", 1, "1"), ("b", 2, "1"), ("a", 3, "2"), ("a", 4, "3")].map(|(s, id, r)| new_call(s, id, r)).into();
        enqueue(&store, &calls, &new).await;
        let (task, stop) = spawn(&calls, &peer);
        idle(&calls).await;
        stop.cancel();
        task.await.expect("ends");
        assert_eq!(effects(&store).await, ["b:1", "a:1", "a:2", "a:3"], "{:?}", store.engine());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_worker_died_is_made_by_the_next_one() {
    for store in stores().await {
        let (calls, peer) = (DurableCalls::new((*store).clone()), Arc::new(Peer::default()));
        let (task, stop) = spawn(&calls, &peer);
        stop.cancel();
        task.await.expect("ends");
        enqueue(&store, &calls, &[new_call("a", 1, "ok")]).await;
        let (task, stop) = spawn(&DurableCalls::new((*store).clone()), &peer);
        idle(&calls).await;
        stop.cancel();
        task.await.expect("ends");
        assert_eq!(effects(&store).await, ["a:ok"], "{:?}", store.engine());
    }
}

#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread")]
async fn fail_points_around_a_call_cost_no_answer_and_double_none() {
    let scenario = fail::FailScenario::setup();
    for store in stores().await {
        for point in ["durable::before_call", "durable::after_call", "durable::after_apply"] {
            fail::cfg(point, "2*return->off").expect("is a valid action");
        }
        let (calls, peer) = (DurableCalls::new((*store).clone()), Arc::new(Peer::default()));
        enqueue(&store, &calls, &[new_call("a", 1, "ok")]).await;
        let (task, stop) = spawn(&calls, &peer);
        idle(&calls).await;
        stop.cancel();
        task.await.expect("ends");
        assert_eq!(
            peer.heard.lock().len(),
            5,
            "{:?}: twice after the call, twice after the effect, once",
            store.engine()
        );
        assert_eq!(effects(&store).await, ["a:ok"], "{:?}", store.engine());
    }
    scenario.teardown();
}
