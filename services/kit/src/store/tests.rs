//! Claims about the store, on both engines.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sea_orm::ConnectionTrait as _;
use tokio::time::Instant;

use super::*;
use crate::testing::{TestStore, ctx, stores_with};
use crate::{Error, ErrorCode};

const TABLES: &[Migration] = &[Migration {
    version: 1000,
    name: "test: a counter",
    sqlite: &[
        "CREATE TABLE counter (id TEXT NOT NULL PRIMARY KEY, n INTEGER NOT NULL CONSTRAINT counter_small CHECK (n < 1000)) STRICT",
        "CREATE TABLE child (id TEXT NOT NULL PRIMARY KEY, counter TEXT NOT NULL CONSTRAINT child_counter_fkey REFERENCES counter) STRICT",
        "INSERT INTO counter VALUES ('a', 0), ('b', 0)",
    ],
    postgres: &[
        "CREATE TABLE counter (id text NOT NULL PRIMARY KEY, n bigint NOT NULL CONSTRAINT counter_small CHECK (n < 1000))",
        "CREATE TABLE child (id text NOT NULL PRIMARY KEY, counter text NOT NULL CONSTRAINT child_counter_fkey REFERENCES counter)",
        "INSERT INTO counter VALUES ('a', 0), ('b', 0)",
    ],
}];

async fn stores() -> Vec<TestStore> {
    stores_with("test", TABLES).await
}

async fn run(store: &Store, sql: &'static str) -> crate::Result<u64> {
    let done = store.write("run", move |tx| {
        Box::pin(async move { Ok(tx.conn().execute_raw(tx.statement(sql, [])).await?.rows_affected()) })
    });
    done.await
}

async fn number(store: &Store, sql: &str) -> i64 {
    let row = store.reader().query_one_raw(tx::statement(store.engine(), sql, [])).await.expect("reads");
    row.expect("a row").try_get_by_index(0).expect("a number")
}

fn draft(subject: &str, version: i64) -> EventDraft {
    let payload = linli_proto::org::AreaChanged { area: "areas/xinhua".into(), ..Default::default() };
    EventDraft::new(&ctx("people/p"), "linli.org.v1.AreaChanged", "xinhua", subject, version, &payload)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_keeps_rows_and_events_and_wakes_the_sequencer() {
    for store in stores().await {
        store
            .write("add", |tx| {
                Box::pin(async move {
                    for version in 1..=70 {
                        tx.emit(draft("areas/xinhua", version));
                    }
                    tx.conn().execute_raw(tx.statement("UPDATE counter SET n = n + 1", [])).await?;
                    Ok(())
                })
            })
            .await
            .expect("commits");
        tokio::time::timeout(Duration::from_secs(1), store.committed().notified()).await.expect("wakes");
        assert_eq!(number(&store, "SELECT count(*) FROM event WHERE position IS NULL").await, 70);
        let sql = "SELECT aggregate_version FROM event ORDER BY id";
        let rows = store.reader().query_all_raw(tx::statement(store.engine(), sql, [])).await.expect("reads");
        let order: Vec<i64> = rows.iter().map(|r| r.try_get_by_index(0).expect("a version")).collect();
        assert_eq!(order, (1..=70).collect::<Vec<_>>(), "{:?}: ids grow in the order of emission", store.engine());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_closure_rolls_back_rows_and_events() {
    for store in stores().await {
        let outcome: crate::Result<()> = store
            .write("fail", |tx| {
                Box::pin(async move {
                    tx.emit(draft("areas/xinhua", 1));
                    tx.conn().execute_raw(tx.statement("UPDATE counter SET n = 7", [])).await?;
                    Err(Error::new(ErrorCode::FailedPrecondition, "CONFLICT"))
                })
            })
            .await;
        assert_eq!(outcome.expect_err("fails").code(), ErrorCode::FailedPrecondition);
        assert_eq!(number(&store, "SELECT max(n) FROM counter").await, 0);
        assert_eq!(number(&store, "SELECT count(*) FROM event").await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_increments_in_shuffled_order_lose_nothing_and_deadlocks_are_retried() {
    for store in stores().await {
        let runs = Arc::new(AtomicU32::new(0));
        let tasks: Vec<_> = (0..24)
            .map(|i| {
                let (store, runs) = (Store::clone(&store), runs.clone());
                tokio::spawn(async move {
                    let order = if i % 2 == 0 { ["a", "b"] } else { ["b", "a"] };
                    let runs = &runs;
                    store
                        .write("increment", move |tx| {
                            Box::pin(async move {
                                runs.fetch_add(1, Ordering::Relaxed);
                                for id in order {
                                    let sql = "UPDATE counter SET n = n + 1 WHERE id = $1";
                                    tx.conn().execute_raw(tx.statement(sql, [id.into()])).await?;
                                    tokio::time::sleep(Duration::from_millis(2)).await;
                                }
                                Ok(())
                            })
                        })
                        .await
                })
            })
            .collect();
        let mut done = 0;
        for task in tasks {
            // A storm may use up the attempts of one or two; they must say so and leave nothing behind.
            match task.await.expect("no panic") {
                Ok(()) => done += 1,
                Err(error) => assert_eq!(error.reason(), "CONFLICT"),
            }
        }
        assert!(done > 12, "{done}");
        assert_eq!(number(&store, "SELECT min(n) FROM counter").await, done);
        assert_eq!(number(&store, "SELECT max(n) FROM counter").await, done);
        if store.engine() == Engine::Postgres {
            assert!(runs.load(Ordering::Relaxed) > 24, "crossed lock orders deadlock, and run again");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn constraints_get_the_reason_of_the_table_on_both_engines() {
    const TABLE: &[Constraint] = &[
        Constraint {
            name: "counter_pkey",
            sqlite: "counter.id",
            code: ErrorCode::AlreadyExists,
            reason: "ALREADY_EXISTS",
            field: None,
        },
        Constraint {
            name: "counter_small",
            sqlite: "counter_small",
            code: ErrorCode::InvalidArgument,
            reason: "FIELD_OUT_OF_RANGE",
            field: Some("n"),
        },
    ];
    for store in stores().await {
        let store = Store::clone(&store).with_constraints(TABLE);
        let twice = run(&store, "INSERT INTO counter VALUES ('a', 1)").await.expect_err("a duplicate");
        assert_eq!((twice.code(), twice.reason().as_str()), (ErrorCode::AlreadyExists, "ALREADY_EXISTS"));
        let large = run(&store, "UPDATE counter SET n = 5000").await.expect_err("too large");
        assert_eq!((large.code(), large.reason().as_str()), (ErrorCode::InvalidArgument, "INVALID_FIELDS"));
        let orphan = run(&store, "INSERT INTO child VALUES ('c', 'nobody')").await.expect_err("an orphan");
        assert!(matches!(Fault::of(&orphan), Some(Fault::ForeignKey(_))), "{orphan:?}");
        let status = orphan.into_status(&crate::Texts::kit(), linli_kernel::Lang::En, "test.linli");
        assert!(!format!("{status:?}").contains("child"), "driver text stays inside: {status:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_transaction_rolls_back_and_leaves_a_clean_connection() {
    for store in stores().await {
        for round in 0..40_u64 {
            let cut = store.write("cut", |tx| {
                Box::pin(async move {
                    tx.conn().execute_raw(tx.statement("UPDATE counter SET n = n + 1", [])).await?;
                    tokio::time::sleep(Duration::from_secs(60)).await;
                    Ok(())
                })
            });
            let _ = tokio::time::timeout(Duration::from_micros(round * 100), cut).await;
        }
        assert_eq!(run(&store, "UPDATE counter SET n = n + 1").await.expect("a clean connection"), 2);
        assert_eq!(number(&store, "SELECT max(n) FROM counter").await, 1, "{:?}", store.engine());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_past_the_deadline_is_cut_and_the_writer_is_free_again() {
    const SLOW: [&str; 2] = [
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c",
        "SELECT max(x) FROM generate_series(1, 100000000000) AS x",
    ];
    for store in stores().await {
        let slow = SLOW[usize::from(store.engine() == Engine::Postgres)];
        let begun = Instant::now();
        let outcome = store
            .write_until("slow", Instant::now() + Duration::from_millis(300), |tx| {
                Box::pin(async move {
                    tx.conn().query_one_raw(tx.statement(slow, [])).await?;
                    Ok(())
                })
            })
            .await;
        assert_eq!(outcome.expect_err("too slow").code(), ErrorCode::DeadlineExceeded);
        assert!(begun.elapsed() < Duration::from_millis(600), "{:?}", begun.elapsed());
        run(&store, "UPDATE counter SET n = 1").await.expect("the writer is free");
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reader_of_sqlite_refuses_to_write() {
    for store in stores().await {
        if store.engine() == Engine::Sqlite {
            store.reader().execute_unprepared("UPDATE counter SET n = 9").await.expect_err("reads only");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn migrating_twice_or_at_once_is_harmless_and_an_edited_or_missing_step_is_found() {
    for store in stores().await {
        let mut all = kit_migrations();
        all.extend_from_slice(TABLES);
        let again = (0..4).map(|_| store.migrate(&all));
        for outcome in futures::future::join_all(again).await {
            outcome.expect("nothing left to do");
        }
        store.check_schema(&all).await.expect("fits");
        let mut edited = all.clone();
        let last = edited.last_mut().expect("one");
        last.sqlite = &["SELECT 1"];
        last.postgres = &["SELECT 1"];
        assert_eq!(store.check_schema(&edited).await.expect_err("edited").reason(), "SCHEMA_MISMATCH");
        let mut more = all.clone();
        more.push(Migration { version: 1001, name: "test: later", sqlite: &[], postgres: &[] });
        assert_eq!(store.check_schema(&more).await.expect_err("older").reason(), "SCHEMA_OUTDATED");
        store.check_schema(&all[..2]).await.expect("a database of the same release with more steps");
        run(&store, "UPDATE schema_version SET release = 3 WHERE version = 1000").await.expect("writes");
        let behind = store.check_schema(&all[..2]).await.expect_err("two releases ahead");
        assert_eq!(behind.reason(), "SCHEMA_MISMATCH");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_not_answer_is_unavailable_with_a_hint_to_retry() {
    let engine =
        EngineConfig::Postgres { url: "postgres://nobody@127.0.0.1:1/none".to_owned().into(), max_connections: 2 };
    let config = StoreConfig { engine, statement_timeout: Duration::from_secs(1) };
    let error = Store::open(&config, "test").await.expect_err("nothing listens there");
    assert_eq!(error.reason(), "STORAGE_UNAVAILABLE");
    assert!(!format!("{config:?}").contains("nobody"), "the URL may hold a password");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_store_is_unavailable() {
    for store in stores().await {
        store.close().await;
        let error = store
            .write_until("late", Instant::now() + Duration::from_secs(2), |_| Box::pin(async { Ok(()) }))
            .await
            .expect_err("closed");
        assert_eq!(error.reason(), "STORAGE_UNAVAILABLE", "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn work_whose_line_is_cut_before_commit_runs_again() {
    for store in stores().await {
        if store.engine() == Engine::Sqlite {
            continue;
        }
        let runs = AtomicU32::new(0);
        let (runs, reader) = (&runs, store.reader());
        store
            .write("cut", |tx| {
                Box::pin(async move {
                    if runs.fetch_add(1, Ordering::Relaxed) == 0 {
                        let pid = tx.conn().query_one_raw(tx.statement("SELECT pg_backend_pid()", [])).await?;
                        let pid: i32 = pid.expect("a row").try_get_by_index(0)?;
                        let kill = tx.statement("SELECT pg_terminate_backend($1)", [pid.into()]);
                        reader.execute_raw(kill).await?;
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                    tx.conn().execute_raw(tx.statement("UPDATE counter SET n = n + 1", [])).await?;
                    Ok(())
                })
            })
            .await
            .expect("runs again on another connection");
        assert_eq!(runs.load(Ordering::Relaxed), 2);
        assert_eq!(number(&store, "SELECT max(n) FROM counter").await, 1);
    }
}
