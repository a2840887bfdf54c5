//! Claims about positions and reading, on both engines. Claims about consumers stand in `consumer/tests.rs`.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use linli_proto::events::event_service_server::EventService as _;
use linli_proto::events::{ListEventsRequest, ReadFeedStateRequest};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::*;
use crate::lease::{Guard, Term};
use crate::store::{Engine, EventDraft, Migration, Store, Tx};
use crate::testing::{TestStore, ctx, stores_with};
use crate::{Ctx, Texts, rows};

pub(super) const TABLES: &[Migration] = &[Migration {
    version: 1000,
    name: "test: aggregates and effects",
    sqlite: &[
        "CREATE TABLE aggregate (id TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL) STRICT",
        "CREATE TABLE effect (event_id TEXT NOT NULL) STRICT",
    ],
    postgres: &[
        "CREATE TABLE aggregate (id text NOT NULL PRIMARY KEY, version bigint NOT NULL)",
        "CREATE TABLE effect (event_id text NOT NULL)",
    ],
}];

pub(super) async fn stores() -> Vec<TestStore> {
    stores_with("test", TABLES).await
}

pub(super) fn draft(area: &str, subject: &str, version: i64) -> EventDraft {
    let payload = linli_proto::org::AreaChanged { area: format!("areas/{area}"), ..Default::default() };
    EventDraft::new(&ctx("people/p"), "linli.org.v1.AreaChanged", area, subject, version, &payload)
}

/// Commits one event per subject.
pub(super) async fn emit(store: &Store, area: &str, subjects: &[&str]) {
    store
        .write("emit", |tx| {
            Box::pin(async move {
                for subject in subjects {
                    tx.emit(draft(area, subject, 1));
                }
                Ok(())
            })
        })
        .await
        .expect("commits");
}

/// Inserts an event by hand, under an id of the test's choice.
async fn insert(tx: &Tx<'_>, id: u128, subject: &str, version: i64) -> Result<()> {
    let sql = "INSERT INTO event (id, area, event_type, subject, aggregate_version, data, time_us, trace_id, cause) \
               VALUES ($1, 'a', 't', $2, $3, $4, 0, '', '')";
    let values = vec![Uuid::from_u128(id).into(), subject.into(), version.into(), Vec::<u8>::new().into()];
    rows::execute(tx.conn(), sql, values).await.map(|_| ())
}

async fn insert_now(store: &Store, events: &[(u128, &str, i64)]) {
    let writing = store.write("insert", |tx| {
        Box::pin(async move {
            for (id, subject, version) in events {
                insert(tx, *id, subject, *version).await?;
            }
            Ok(())
        })
    });
    writing.await.expect("commits");
}

async fn place(store: &Store) -> (u64, i64) {
    let guard =
        Guard::acquire(store, "feed.sequencer", Duration::from_secs(9)).await.expect("answers").expect("is free");
    let placed = sequencer::place(store, &guard).await.expect("places");
    guard.release().await.expect("gives back");
    placed
}

/// Deletes the events before `oldest`, as retention does.
pub(super) async fn forget(store: &Store, oldest: i64) {
    let writing = store.write("forget", |tx| {
        Box::pin(async move {
            rows::execute(tx.conn(), "DELETE FROM event WHERE position < $1", vec![oldest.into()]).await?;
            rows::execute(tx.conn(), "UPDATE feed_head SET oldest = $1", vec![oldest.into()]).await
        })
    });
    writing.await.expect("commits");
}

async fn subjects(log: &EventLog, after: i64) -> Vec<String> {
    let page = log.list(after, 1000, &Visibility::All).await.expect("lists");
    page.events.into_iter().map(|event| event.subject).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_transaction_that_overtakes_an_earlier_one_makes_readers_skip_nothing() {
    for store in stores().await {
        let log = EventLog::new((*store).clone());
        let (written, end) = (&Notify::new(), &Notify::new());
        let early = store.write("early", |tx| {
            Box::pin(async move {
                insert(tx, 1, "early", 1).await?;
                written.notify_one();
                end.notified().await;
                Ok(())
            })
        });
        let late = async {
            written.notified().await;
            if store.engine() == Engine::Sqlite {
                // One writer: the early one has to end first; its event has the lower id all the same.
                end.notify_one();
                tokio::task::yield_now().await;
            }
            insert_now(&store, &[(2, "late", 1)]).await;
            place(&store).await;
            end.notify_one();
        };
        let (committed, ()) = tokio::join!(early, late);
        committed.expect("commits");
        place(&store).await;
        let seen = subjects(&log, 0).await;
        match store.engine() {
            Engine::Postgres => {
                assert_eq!(seen, ["late", "early"]);
                assert_eq!(subjects(&log, 1).await, ["early"], "a reader behind the first position misses nothing");
            }
            Engine::Sqlite => assert_eq!(seen, ["early", "late"]),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_writing_counts_not_the_id() {
    for store in stores().await {
        let log = EventLog::new((*store).clone());
        // Clocks of replicas differ: a later change may bear an earlier id.
        insert_now(&store, &[(30, "x", 1), (20, "y", 1), (10, "x", 2), (40, "z", 1)]).await;
        assert_eq!(place(&store).await, (4, 4));
        let page = log.list(0, 10, &Visibility::All).await.expect("lists");
        let order: Vec<(u128, i64)> =
            page.events.iter().map(|e| (e.id.parse::<Uuid>().expect("an id").as_u128(), e.position)).collect();
        assert_eq!(order, [(30, 1), (20, 2), (10, 3), (40, 4)], "{:?}", store.engine());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_and_created_anew_is_told_in_that_order() {
    for store in stores().await {
        let log = EventLog::new((*store).clone());
        // The versions begin again with the new life; nothing is placed between the two.
        for (cause, version) in [("deleted", 4), ("created", 1), ("changed", 2)] {
            let writing = store.write("live", |tx| {
                Box::pin(async move {
                    tx.emit(EventDraft { cause: cause.into(), ..draft("a", "x", version) });
                    Ok(())
                })
            });
            writing.await.expect("commits");
        }
        assert_eq!(place(&store).await, (3, 3));
        let page = log.list(0, 10, &Visibility::All).await.expect("lists");
        let told: Vec<&str> = page.events.iter().map(|event| event.cause.as_str()).collect();
        assert_eq!(told, ["deleted", "created", "changed"], "{:?}", store.engine());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_batch_leaves_the_rest_for_the_next_in_order() {
    for store in stores().await {
        let mut events: Vec<(u128, &str, i64)> = (1..1000).map(|id| (id, "filler", id as i64)).collect();
        events.extend([(1002, "x", 1), (1001, "y", 1), (1000, "x", 2)]);
        insert_now(&store, &events).await;
        assert_eq!(place(&store).await, (1000, 1000));
        assert_eq!(place(&store).await, (2, 1002));
        let log = EventLog::new((*store).clone());
        assert_eq!(subjects(&log, 999).await, ["x", "y", "x"], "{:?}", store.engine());
        let page = log.list(999, 1, &Visibility::All).await.expect("lists");
        assert_eq!(page.events[0].id, Uuid::from_u128(1002).to_string(), "{:?}: version 1 first", store.engine());
    }
}

async fn bump(store: &Store, subject: &str) {
    let writing = store.write("bump", |tx| {
        Box::pin(async move {
            let sql = "INSERT INTO aggregate (id, version) VALUES ($1, 1) \
                       ON CONFLICT (id) DO UPDATE SET version = aggregate.version + 1 RETURNING version";
            let row = rows::one(tx.conn(), sql, vec![subject.into()]).await?.expect("a row");
            let version: i64 = rows::get(&row, "version")?;
            tokio::task::yield_now().await;
            tx.emit(EventDraft { cause: version.to_string().into(), ..draft("a", subject, version) });
            Ok(())
        })
    });
    writing.await.expect("commits");
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writers_get_dense_positions_in_the_order_of_their_aggregates() {
    for store in stores().await {
        let (log, stop) = (EventLog::new((*store).clone()), CancellationToken::new());
        let task = sequencer::spawn(&log, Term::for_engine(store.engine()), stop.clone());
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let store = (*store).clone();
                tokio::spawn(async move {
                    for round in 0..25 {
                        bump(&store, &format!("aggregate-{}", (writer + round) % 5)).await;
                    }
                })
            })
            .collect();
        let (mut after, mut versions) = (0, HashMap::<String, i64>::new());
        while after < 200 {
            let page = log.list_waiting(after, 50, &Visibility::All, Duration::from_secs(5)).await.expect("lists");
            assert!(!page.events.is_empty(), "{:?}: stands still at {after}", store.engine());
            for event in page.events {
                after += 1;
                assert_eq!(event.position, after, "dense");
                let version = versions.entry(event.subject.clone()).or_default();
                *version += 1;
                assert_eq!(event.cause, version.to_string(), "{:?}: {} in order", store.engine(), event.subject);
            }
        }
        for writer in writers {
            writer.await.expect("ends");
        }
        stop.cancel();
        task.await.expect("ends");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_moves_past_what_it_may_not_see_and_hears_of_news_at_once() {
    for store in stores().await {
        let (log, stop) = (EventLog::new((*store).clone()), CancellationToken::new());
        let task = sequencer::spawn(&log, Term::for_engine(store.engine()), stop.clone());
        emit(&store, "xinhua", &["a", "b"]).await;
        emit(&store, "xingqing", &["c"]).await;
        let only = Visibility::Areas(BTreeSet::from(["xingqing".to_owned(), "it's \"quoted\"".to_owned()]));
        let page = log.list_waiting(0, 10, &only, Duration::from_secs(5)).await.expect("lists");
        assert_eq!((page.events.len(), page.next_position, page.newest_position), (1, 3, 3));
        assert_eq!(page.events[0].area, "areas/xingqing");
        assert_eq!(
            page.events[0].data.as_ref().map(|d| d.type_url.as_str()),
            Some("type.googleapis.com/linli.org.v1.AreaChanged")
        );
        let none = Visibility::Areas(BTreeSet::new());
        let page = log.list(0, 10, &none).await.expect("lists");
        assert_eq!((page.events.len(), page.next_position), (0, 3));
        let page = log.list(0, 1, &Visibility::All).await.expect("lists");
        assert_eq!((page.events.len(), page.next_position, page.newest_position), (1, 1, 3));
        let begun = std::time::Instant::now();
        let (page, ()) = tokio::join!(log.list_waiting(3, 10, &Visibility::All, Duration::from_secs(5)), async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            emit(&store, "xinhua", &["d"]).await;
        });
        assert_eq!(page.expect("lists").events.len(), 1);
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}: {:?}", store.engine(), begun.elapsed());
        let ahead = log.list(9, 10, &Visibility::All).await.expect_err("is refused");
        assert_eq!((ahead.code(), ahead.reason().as_str()), (ErrorCode::OutOfRange, "CURSOR_AHEAD"));
        stop.cancel();
        task.await.expect("ends");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_without_the_sequencer_hears_of_another_process_by_polling() {
    for store in stores().await {
        let (here, elsewhere, stop) =
            (EventLog::new((*store).clone()), EventLog::new((*store).clone()), CancellationToken::new());
        let task = sequencer::spawn(&elsewhere, Term::for_engine(store.engine()), stop.clone());
        let (page, ()) = tokio::join!(here.list_waiting(0, 10, &Visibility::All, Duration::from_secs(5)), async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            emit(&store, "xinhua", &["a"]).await;
        });
        assert_eq!(page.expect("lists").events.len(), 1, "{:?}", store.engine());
        stop.cancel();
        task.await.expect("ends");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_begins_where_the_first_events_are_gone_is_told_so_unless_it_asks_for_the_rest() {
    for store in stores().await {
        emit(&store, "xinhua", &["a", "b", "c"]).await;
        place(&store).await;
        forget(&store, 3).await;
        let service = FeedService::new(EventLog::new((*store).clone()), OnlyXinhua, Texts::kit());
        let call = |from_oldest| {
            let stream = "streams/test".to_owned();
            let mut request = tonic::Request::new(ListEventsRequest { stream, from_oldest, ..Default::default() });
            request.extensions_mut().insert(Arc::new(ctx("people/p")));
            request
        };
        let status = service.list_events(call(false)).await.expect_err("is told so");
        assert_eq!(status.code(), tonic::Code::OutOfRange, "{:?}", store.engine());
        let answer = service.list_events(call(true)).await.expect("answers").into_inner();
        let positions: Vec<i64> = answer.events.iter().map(|event| event.position).collect();
        assert_eq!((positions.as_slice(), answer.next_position), ([3].as_slice(), 3), "{:?}", store.engine());
    }
}

struct OnlyXinhua;

#[async_trait]
impl EventGate for OnlyXinhua {
    async fn visible(&self, _ctx: &Ctx, area: &str) -> Result<Visibility> {
        match area {
            "" | "xinhua" => Ok(Visibility::Areas(BTreeSet::from(["xinhua".to_owned()]))),
            _ => Err(Error::new(ErrorCode::PermissionDenied, "PERMISSION_DENIED")),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_asks_its_gate_and_names_every_bad_field() {
    for store in stores().await {
        emit(&store, "xinhua", &["a"]).await;
        emit(&store, "xingqing", &["b"]).await;
        place(&store).await;
        let service = FeedService::new(EventLog::new((*store).clone()), OnlyXinhua, Texts::kit());
        let call = |message: ListEventsRequest| {
            let mut request = tonic::Request::new(message);
            request.extensions_mut().insert(Arc::new(ctx("people/p")));
            request
        };
        let good = ListEventsRequest { stream: "streams/test".into(), ..Default::default() };
        let answer = service.list_events(call(good.clone())).await.expect("answers").into_inner();
        assert_eq!((answer.events.len(), answer.next_position), (1, 2));
        let status = service.list_events(tonic::Request::new(good.clone())).await.expect_err("nobody calls");
        assert_eq!(status.code(), tonic::Code::Unauthenticated);
        let foreign = ListEventsRequest { area: "areas/xingqing".into(), ..good.clone() };
        let status = service.list_events(call(foreign)).await.expect_err("is refused");
        assert_eq!(status.code(), tonic::Code::PermissionDenied);
        let bad = ListEventsRequest { after_position: -1, wait_ms: 9999, area: "Xinhua".into(), ..good.clone() };
        let status = service.list_events(call(bad)).await.expect_err("is refused");
        assert_eq!(status.code(), tonic::Code::InvalidArgument);
        for field in ["after_position", "wait_ms", "area"] {
            assert!(status.message().contains(field), "{field} in {}", status.message());
        }
        let state = ReadFeedStateRequest { stream: "streams/test".into(), ..Default::default() };
        let mut request = tonic::Request::new(state);
        request.extensions_mut().insert(Arc::new(ctx("people/p")));
        let status = service.read_feed_state(request).await.expect_err("for services only");
        assert_eq!(status.code(), tonic::Code::PermissionDenied);
        let other = ListEventsRequest { stream: "streams/org".into(), ..good };
        assert_eq!(service.list_events(call(other)).await.expect_err("is refused").code(), tonic::Code::NotFound);
    }
}
