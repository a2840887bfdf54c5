//! What the tables say about a vote, and what a forger leaves behind.

use std::collections::BTreeSet;

use linli_kit::idempotency::request_hash;
use linli_kit::store::Engine;
use linli_proto::deliberation as pb;
use prost::Message as _;
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};

use crate::world::{COUNCIL, World, reason, resident};

impl World {
    fn statement(&self, sql: &str) -> Statement {
        let backend = match self.store.engine() {
            Engine::Sqlite => DbBackend::Sqlite,
            Engine::Postgres => DbBackend::Postgres,
        };
        Statement::from_string(backend, sql)
    }

    async fn numbers(&self, sql: &str) -> Vec<i64> {
        let rows = self.store.reader().query_all_raw(self.statement(sql)).await.expect("reads");
        rows.iter().map(|row| row.try_get_by_index(0).expect("a number")).collect()
    }

    async fn texts(&self, sql: &str) -> Vec<String> {
        let rows = self.store.reader().query_all_raw(self.statement(sql)).await.expect("reads");
        rows.iter().map(|row| row.try_get_by_index(0).expect("a text")).collect()
    }

    async fn run(&self, sql: &str) {
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

#[tokio::test(flavor = "multi_thread")]
async fn after_the_closing_neither_places_nor_transactions_tell_votes_apart() {
    for world in World::all().await.into_iter().filter(|world| world.store.engine() == Engine::Postgres) {
        world.six_steps().await;
        let topic = world.deliberated().await;
        let ballot = world.ballot(&topic).await.name;
        // In an order that is neither that of the electors nor of anything random.
        for home in [7, 2, 9, 4, 0, 5, 3] {
            world.cast(&resident(home, 0), &ballot, pb::Choice::Yes).await.expect("a vote");
        }
        world.pass_hours(24);
        world.close(&ballot).await.expect("closes");
        for table in ["roll", "vote"] {
            let writers = world.numbers(&format!("SELECT DISTINCT xmin::text::bigint FROM {table}")).await;
            assert_eq!(writers.len(), 1, "{table}: one transaction wrote all rows");
        }
        let placed = world.texts("SELECT elector FROM roll ORDER BY ctid").await;
        assert!(placed.is_sorted(), "{placed:?}");
        let placed = world.texts("SELECT receipt FROM vote ORDER BY ctid").await;
        assert!(placed.is_sorted(), "{placed:?}");
        world.sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_row_of_a_request_id_is_the_same_whatever_was_chosen() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.deliberated().await;
        let ballot = world.ballot(&topic).await.name;
        let request = |choice: pb::Choice| pb::CastVoteRequest {
            name: ballot.clone(),
            choice: choice.into(),
            voter: String::new(),
            request_id: "6f2c1f5e-6c62-4d0e-9a43-3c9f0f3a4c11".into(),
        };
        let voter = resident(3, 0);
        let first = world.client(&voter).cast_vote(request(pb::Choice::Yes)).await.expect("a vote").into_inner();
        assert!(!first.receipt_code.is_empty());
        // Another choice under the same id is no other request: the row could not tell.
        let again = world.client(&voter).cast_vote(request(pb::Choice::No)).await.expect("a repeat").into_inner();
        assert_eq!(again, pb::CastVoteResponse { receipt_code: String::new(), already_cast: true });
        let method = "/linli.deliberation.v1.DeliberationService/CastVote";
        let sql = format!("SELECT request_hash FROM idempotency WHERE method = '{method}'");
        let rows = world.store.reader().query_all_raw(world.statement(&sql)).await.expect("reads");
        let stored: Vec<Vec<u8>> = rows.iter().map(|row| row.try_get_by_index(0).expect("bytes")).collect();
        let without = pb::CastVoteRequest { name: ballot.clone(), ..Default::default() };
        assert_eq!(stored, [request_hash(&world.keys, method, &without).to_vec()]);
        let resources = world.texts(&format!("SELECT resource FROM idempotency WHERE method = '{method}'")).await;
        assert_eq!(resources, std::slice::from_ref(&ballot));
        assert_eq!(without.encode_to_vec().len(), ballot.len() + 2, "nothing but the name is in it");
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
