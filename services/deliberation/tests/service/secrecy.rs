//! What the tables say about a vote, and what a forger leaves behind.

use std::collections::BTreeSet;

use linli_kit::store::{Engine, Store};
use linli_proto::deliberation as pb;
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};

use crate::world::{AREA, COUNCIL, World, majority, reason, resident, stage};

impl World {
    pub(crate) fn statement(&self, sql: &str) -> Statement {
        let backend = match self.store.engine() {
            Engine::Sqlite => DbBackend::Sqlite,
            Engine::Postgres => DbBackend::Postgres,
        };
        Statement::from_string(backend, sql)
    }

    /// Cuts every connection to the database, so that the next ones begin with its present settings.
    async fn reconnect(&self) {
        let own = Store::open(&self.store.config, "scissors").await.expect("a connection of its own");
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        own.reader().query_all_raw(self.statement(cut)).await.expect("cuts the others");
        // Each dead connection answers once with an error.
        let mut alive = 0;
        while alive < 32 {
            let read = self.store.reader().query_all_raw(self.statement("SELECT 1")).await;
            let written = self.store.write("ping", |_| Box::pin(async { Ok(()) })).await;
            alive = if read.is_ok() && written.is_ok() { alive + 1 } else { 0 };
        }
    }

    pub(crate) async fn numbers(&self, sql: &str) -> Vec<i64> {
        let rows = self.store.reader().query_all_raw(self.statement(sql)).await.expect("reads");
        rows.iter().map(|row| row.try_get_by_index(0).expect("a number")).collect()
    }

    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        let rows = self.store.reader().query_all_raw(self.statement(sql)).await.expect("reads");
        rows.iter().map(|row| row.try_get_by_index(0).expect("a text")).collect()
    }

    pub(crate) async fn run(&self, sql: &str) {
        let sql = self.statement(sql);
        let sql = &sql;
        let done = self.store.write("tamper", |tx| {
            Box::pin(async move {
                tx.conn().execute_raw(sql.clone()).await?;
                Ok(())
            })
        });
        done.await.expect("writes");
    }

    async fn columns(&self, table: &str) -> BTreeSet<String> {
        let sql = match self.store.engine() {
            Engine::Sqlite => format!("SELECT name FROM pragma_table_info('{table}')"),
            Engine::Postgres => format!(
                "SELECT column_name::text FROM information_schema.columns \
                 WHERE table_schema = current_schema() AND table_name = '{table}'"
            ),
        };
        self.texts(&sql).await.into_iter().collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn roll_and_votes_share_the_ballot_and_nothing_else() {
    for world in World::all().await {
        let roll = world.columns("roll").await;
        for table in ["vote_pending", "vote"] {
            let votes = world.columns(table).await;
            let common: Vec<&String> = roll.intersection(&votes).collect();
            assert_eq!(common, ["area", "ballot"], "{table}");
            assert!(votes.iter().chain(&roll).all(|column| !column.ends_with("_us")), "{table} holds no time");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_ballot_holds_no_choice_and_no_receipt_in_the_open() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.deliberated().await;
        let ballot = world.ballot(&topic).await.name;
        let mut receipts = Vec::new();
        for home in 0..8 {
            receipts.push(world.cast(&resident(home, 0), &ballot, pb::Choice::Yes).await.expect("a vote").receipt_code);
        }
        assert_eq!(world.numbers("SELECT count(*) FROM vote").await, [0]);
        let sizes: BTreeSet<i64> =
            world.numbers("SELECT CAST(length(vote_enc) AS bigint) FROM vote_pending").await.into_iter().collect();
        assert_eq!(sizes.len(), 1, "sealed votes differ in nothing that shows");
        let events = world.numbers("SELECT count(*) FROM event WHERE event_type LIKE '%BallotChanged'").await;
        assert_eq!(events, [1], "no event per vote");
        world.pass_hours(24);
        world.close(&ballot).await.expect("closes");
        assert_eq!(world.numbers("SELECT count(*) FROM vote_pending").await, [0]);
        receipts.sort();
        assert_eq!(world.texts("SELECT receipt FROM vote ORDER BY receipt").await, receipts);
    }
}

/// Numbers of the transactions that wrote the rows of a query; on SQLite, where rows have none, nothing.
async fn writers(world: &World, rows: &str) -> Vec<i64> {
    match world.store.engine() {
        Engine::Postgres => world.numbers(&format!("SELECT DISTINCT xmin::text::bigint FROM {rows} ORDER BY 1")).await,
        Engine::Sqlite => Vec::new(),
    }
}

/// Asserts that rows lie in the order of `key`, as far as the engine tells where they lie.
async fn lies_by(world: &World, key: &str, rows: &str) {
    let sql = match world.store.engine() {
        Engine::Postgres => format!("SELECT {key}::text FROM {rows} ORDER BY ctid"),
        // Without an order the table itself is read; a row number of its own would be a third order, that of the writing.
        Engine::Sqlite => {
            let table = rows.split(' ').next().expect("a table");
            let numbered =
                world.store.reader().query_all_raw(world.statement(&format!("SELECT rowid FROM {table}"))).await;
            assert!(numbered.is_err(), "{table} has no row numbers");
            format!("SELECT CASE typeof({key}) WHEN 'blob' THEN hex({key}) ELSE {key} END FROM {rows}")
        }
    };
    let placed = world.texts(&sql).await;
    assert!(placed.len() > 1 && placed.is_sorted(), "{rows}: {placed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_ballot_is_open_no_transaction_leads_from_an_elector_to_a_vote() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.deliberated().await;
        let ballot = world.ballot(&topic).await.name;
        // In an order that is neither that of the electors nor of anything random.
        for (i, home) in [7, 2, 9, 4, 0, 5, 3, 11, 1].into_iter().enumerate() {
            world.cast(&resident(home, 0), &ballot, pb::Choice::Yes).await.expect("a vote");
            // As long as they are few, each cast writes all of them anew.
            let (electors, votes) = (writers(&world, "roll WHERE voted").await, writers(&world, "vote_pending").await);
            assert_eq!(electors, votes);
            assert!(electors.len() <= 1, "{electors:?}");
            assert_eq!(
                world.numbers("SELECT count(*) FROM vote_pending").await,
                [i64::try_from(i + 1).expect("a count")]
            );
            if i > 0 {
                lies_by(&world, "id", "vote_pending").await;
                lies_by(&world, "elector", "roll WHERE voted").await;
            }
        }
        world.sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_number_leads_to_seventeen_votes_of_many() {
    for world in World::crowded(60).await {
        let rule = pb::BallotRule { open_hours: 0, quorum: None, ..majority() };
        let vote = stage("vote", vec![pb::condition::Condition::BallotPassed(rule)], &[]);
        let template = world.template("areas/xinhua/processTemplates/poll", vec![vote]).await;
        let topic = world.raise_by(COUNCIL, &template.name).await;
        let ballot = world.ballot(&topic).await.name;
        let voter = |i: usize| format!("{AREA}/people/per-{i:05}");
        let mut receipts = BTreeSet::new();
        for i in 0..40 {
            receipts.insert(world.cast(&voter(i), &ballot, pb::Choice::Yes).await.expect("a vote").receipt_code);
        }
        if let Some(last) = writers(&world, "vote_pending").await.last() {
            for rows in ["vote_pending", "roll"] {
                let mixed = format!("{rows} WHERE xmin::text::bigint = {last}");
                assert_eq!(world.numbers(&format!("SELECT count(*) FROM {mixed}")).await, [17], "{rows}");
                lies_by(&world, if rows == "roll" { "elector" } else { "id" }, &mixed).await;
            }
        }
        // Many at once neither wait for each other nor lose a vote.
        let names: Vec<String> = (40..60).map(voter).collect();
        let casts = names.iter().map(|name| world.cast(name, &ballot, pb::Choice::No));
        for cast in futures::future::join_all(casts).await {
            receipts.insert(cast.expect("a vote").receipt_code);
        }
        assert_eq!(receipts.len(), 60);
        world.sound().await;
        let closed = world.close(&ballot).await.expect("all have voted");
        let result = closed.result.expect("a result");
        assert_eq!((result.yes, result.no), (40, 20));
        assert_eq!(world.texts("SELECT receipt FROM vote").await.into_iter().collect::<BTreeSet<_>>(), receipts);
        world.sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_closing_neither_places_nor_transactions_tell_votes_apart() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.deliberated().await;
        let ballot = world.ballot(&topic).await.name;
        for home in [7, 2, 9, 4, 0, 5, 3] {
            world.cast(&resident(home, 0), &ballot, pb::Choice::Yes).await.expect("a vote");
        }
        world.pass_hours(24);
        world.close(&ballot).await.expect("closes");
        for (table, key) in [("roll", "elector"), ("vote", "receipt")] {
            assert!(writers(&world, table).await.len() <= 1, "{table}: one transaction wrote all rows");
            lies_by(&world, key, table).await;
        }
        world.sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_row_says_who_cast_a_vote_when_or_with_which_request_id() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.deliberated().await;
        let ballot = world.ballot(&topic).await.name;
        let before = world.texts("SELECT method FROM idempotency").await;
        let request = pb::CastVoteRequest {
            name: ballot.clone(),
            choice: pb::Choice::Yes.into(),
            request_id: "6f2c1f5e-6c62-4d0e-9a43-3c9f0f3a4c11".into(),
        };
        let cast = world.client(&resident(3, 0)).cast_vote(request.clone()).await.expect("a vote").into_inner();
        assert_eq!(world.texts("SELECT method FROM idempotency").await, before);
        // The id in the table is not the request's, and is not made from what the table holds.
        let ids = match world.store.engine() {
            Engine::Postgres => world.texts("SELECT replace(id::text, '-', '') FROM vote_pending").await,
            Engine::Sqlite => world.texts("SELECT lower(hex(id)) FROM vote_pending").await,
        };
        assert_ne!(ids, [request.request_id.replace('-', "")]);
        let other = World::all().await.remove(0);
        assert_ne!(other.keys.blind_index("a", "b", "c"), world.keys.blind_index("a", "b", "c"), "keys differ");
        assert!(!cast.receipt_code.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn votes_are_counted_under_read_committed_only() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.deliberated().await;
        let ballot = world.ballot(&topic).await.name;
        world.cast(&resident(3, 0), &ballot, pb::Choice::Yes).await.expect("a vote");
        world.pass_hours(24);
        if world.store.engine() == Engine::Postgres {
            // A snapshot of the whole transaction would be older than the casts for which the closing waits.
            let name = world.texts("SELECT current_database()::text").await.remove(0);
            world.run(&format!("ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'")).await;
            world.reconnect().await;
            let refused = world.close(&ballot).await.expect_err("another isolation");
            assert_eq!(refused.code(), tonic::Code::Internal);
            world.run(&format!("ALTER DATABASE {name} RESET default_transaction_isolation")).await;
            world.reconnect().await;
        }
        assert_eq!(world.close(&ballot).await.expect("closes").result.expect("a result").yes, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_rows_are_found_out() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.deliberated().await;
        let ballot = world.ballot(&topic).await.name;
        for home in 0..8 {
            world.cast(&resident(home, 0), &ballot, pb::Choice::Yes).await.expect("a vote");
        }
        world.pass_hours(24);
        world.close(&ballot).await.expect("closes");
        world.record(COUNCIL, &topic, "minutes").await;
        world.advance(COUNCIL, &topic).await.expect("published");
        world.sound().await;
        world.run("UPDATE vote SET choice = 2 WHERE receipt = (SELECT min(receipt) FROM vote)").await;
        assert_eq!(broken(&world).await, ["deliberation.tally"]);
        world.run("UPDATE vote SET choice = 1").await;
        world.run("UPDATE roll SET voted = TRUE WHERE elector = 'hh-11'").await;
        assert_eq!(broken(&world).await, ["deliberation.one-ballot-per-elector"]);
        world.run("UPDATE roll SET voted = FALSE WHERE elector = 'hh-11'").await;
        world.run("DELETE FROM topic_stage WHERE ordinal = 2").await;
        assert_eq!(broken(&world).await, ["deliberation.stages"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_archive_is_found_out() {
    for world in World::all().await {
        let only = crate::world::stage("only", vec![], &[]);
        let template = world.template("areas/xinhua/processTemplates/one", vec![only]).await;
        let topic =
            pb::Topic { process_template: template.name, kind: "x".into(), title: "t".into(), ..Default::default() };
        let request =
            pb::CreateTopicRequest { parent: crate::world::AREA.into(), topic: Some(topic), ..Default::default() };
        let topic = world.client(crate::world::MANAGER).create_topic(request).await.expect("a topic").into_inner();
        world.advance(crate::world::MANAGER, &topic.name).await.expect("archived");
        world.sound().await;
        world.run("UPDATE archive SET digest = 'ab'").await;
        assert_eq!(broken(&world).await, ["deliberation.archives"]);
        world.run("DELETE FROM archive").await;
        assert_eq!(broken(&world).await, ["deliberation.archives"]);
        let refused = world.advance(crate::world::MANAGER, &topic.name).await.expect_err("at its end");
        assert_eq!(reason(&refused), "TOPIC_CLOSED");
    }
}

async fn broken(world: &World) -> Vec<String> {
    let all = world.violations().await.into_iter();
    all.filter(|(_, found)| !found.is_empty()).map(|(invariant, _)| invariant).collect()
}
