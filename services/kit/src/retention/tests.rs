//! Claims about retention, on both engines.

use std::sync::Arc;

use linli_kernel::{ManualClock, Timestamp};

use super::*;
use crate::feed::{EventLog, Visibility, sequencer};
use crate::store::{EventDraft, Migration};
use crate::testing::{ctx, stores, stores_with};

const LONG: Duration = Duration::from_secs(60);

async fn emit(store: &Store, times: &[i64]) {
    let payload = &linli_proto::org::AreaChanged::default();
    let writing = store.write("emit", |tx| {
        Box::pin(async move {
            for secs in times {
                let draft =
                    EventDraft::new(&ctx("people/p"), "linli.org.v1.AreaChanged", "xinhua", "s", *secs, payload);
                tx.emit(EventDraft { time: Timestamp::from_secs(*secs), ..draft });
            }
            Ok(())
        })
    });
    writing.await.expect("commits");
    let guard = Guard::acquire(store, "feed.sequencer", LONG).await.expect("answers").expect("is free");
    sequencer::place(store, &guard).await.expect("places");
    guard.release().await.expect("gives back");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_events_go_from_the_oldest_on_and_positions_are_never_given_twice() {
    for store in stores().await {
        emit(&store, &[10, 20, 30, 40, 50]).await;
        let guard = Guard::acquire(&store, "retention", LONG).await.expect("answers").expect("is free");
        let (clock, stop) = (Arc::new(ManualClock::new(Timestamp::from_secs(135))), CancellationToken::new());
        let settings = Settings { events: Duration::from_secs(100), batch: 2, ..Settings::default() };
        let swept = sweep(&store, clock.as_ref(), KIT, &settings, &guard, &stop).await.expect("sweeps");
        assert_eq!(swept[0], ("event", 3));
        let log = EventLog::new((*store).clone());
        let new = log.list(0, 10, &Visibility::All).await.expect_err("who begins must not take the rest for the whole");
        assert_eq!(new.reason(), "CURSOR_TOO_OLD");
        let oldest = log.oldest().await.expect("reads");
        let page = log.list(oldest - 1, 10, &Visibility::All).await.expect("lists");
        assert_eq!(page.events.iter().map(|e| e.position).collect::<Vec<_>>(), [4, 5]);
        assert_eq!(log.list(3, 10, &Visibility::All).await.expect("misses nothing").events.len(), 2);
        let old = log.list(2, 10, &Visibility::All).await.expect_err("misses position 3");
        assert_eq!(old.reason(), "CURSOR_TOO_OLD");
        clock.advance_to(Timestamp::from_secs(1000));
        sweep(&store, clock.as_ref(), KIT, &settings, &guard, &stop).await.expect("sweeps");
        emit(&store, &[999]).await;
        let page = log.list(5, 10, &Visibility::All).await.expect("lists");
        assert_eq!(page.events.iter().map(|e| e.position).collect::<Vec<_>>(), [6], "{:?}", store.engine());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_over_go_and_those_that_are_not_stay() {
    for store in stores().await {
        store
            .write("fill", |tx| {
                Box::pin(async move {
                    for (id, state, at) in [("1", 0, 0), ("2", 1, 0), ("3", 2, 0), ("4", 1, i64::MAX)] {
                        let sql = "INSERT INTO durable_call (area, target, subject, request, request_id, trace_id, cause, \
                                   state, attempts, next_us, reason, created_us, updated_us) \
                                   VALUES ('a', $1, 's', $2, $3, '', '', $4, 0, 0, '', 0, $5)";
                        let uuid = uuid::Uuid::nil();
                        let values =
                            vec![id.into(), Vec::<u8>::new().into(), uuid.into(), i64::from(state).into(), at.into()];
                        rows::execute(tx.conn(), sql, values).await?;
                    }
                    let sql = "INSERT INTO idempotency (area, caller, method, request_id, request_hash, resource, created_us) \
                               VALUES ('a', 'c', $1, $2, $3, '', $4)";
                    for (method, at) in [("old", 0_i64), ("new", i64::MAX)] {
                        let (uuid, hash) = (uuid::Uuid::nil(), Vec::<u8>::new());
                        rows::execute(tx.conn(), sql, vec![method.into(), uuid.into(), hash.into(), at.into()]).await?;
                    }
                    Ok(())
                })
            })
            .await
            .expect("commits");
        let guard = Guard::acquire(&store, "retention", LONG).await.expect("answers").expect("is free");
        let (clock, stop) = (ManualClock::new(Timestamp::from_secs(1_790_000_000)), CancellationToken::new());
        let settings = Settings { batch: 1, ..Settings::default() };
        let swept = sweep(&store, &clock, KIT, &settings, &guard, &stop).await.expect("sweeps");
        let expected = [("event", 0), ("idempotency", 1), ("durable_call", 2), ("operation", 0)];
        assert_eq!(swept, expected, "{:?}", store.engine());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_services_own_rows_go_after_the_time_that_the_settings_give_them() {
    const PAPERS: &[Migration] = &[Migration {
        version: 1000,
        name: "test: papers",
        sqlite: &["CREATE TABLE paper (area TEXT NOT NULL, id INTEGER NOT NULL, create_us INTEGER NOT NULL) STRICT"],
        postgres: &["CREATE TABLE paper (area text NOT NULL, id bigint NOT NULL, create_us bigint NOT NULL)"],
    }];
    const KEPT: &[Kept] = &[Kept::Rows {
        table: "paper",
        key: "area, id",
        over: "create_us < $1",
        clock: Instants::Suite,
        keep: |settings| settings.receipts,
    }];
    for store in stores_with("test", PAPERS).await {
        store
            .write("fill", |tx| {
                Box::pin(async move {
                    for secs in [10_i64, 20, 90, 100] {
                        let sql = "INSERT INTO paper (area, id, create_us) VALUES ('a', $1, $2)";
                        rows::execute(tx.conn(), sql, vec![secs.into(), (secs * 1_000_000).into()]).await?;
                    }
                    Ok(())
                })
            })
            .await
            .expect("commits");
        let guard = Guard::acquire(&store, "retention.service", LONG).await.expect("answers").expect("is free");
        let (clock, stop) = (ManualClock::new(Timestamp::from_secs(130)), CancellationToken::new());
        let settings = Settings { receipts: Duration::from_secs(40), batch: 1, ..Settings::default() };
        let swept = sweep(&store, &clock, KEPT, &settings, &guard, &stop).await.expect("sweeps");
        assert_eq!(swept, [("paper", 2)], "{:?}", store.engine());
        let left = rows::all(store.reader(), "SELECT id FROM paper ORDER BY id", vec![]).await.expect("reads");
        let left: Vec<i64> = left.iter().map(|row| rows::get(row, "id").expect("a number")).collect();
        assert_eq!(left, [90, 100], "{:?}", store.engine());
    }
}
