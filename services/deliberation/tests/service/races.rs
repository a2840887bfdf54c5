//! Casts and the closing at the same time.

use std::collections::BTreeSet;

use linli_kit::store::Engine;
use linli_proto::deliberation as pb;

use crate::world::{COUNCIL, HOUSEHOLDS, World, reason, resident};

impl World {
    /// Waits until so many connections to the database wait for a lock.
    async fn waiting(&self, wanted: i64) {
        let sql =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while self.numbers(sql).await != [wanted] {
            tokio::task::yield_now().await;
        }
    }
}

/// The window is held open by a lock on the elector's row: the cast has looked at the ballot and not yet voted. Only
/// PostgreSQL lets two transactions write at once; SQLite's single writer has no such window.
#[tokio::test(flavor = "multi_thread")]
async fn a_closing_waits_for_a_cast_that_has_begun_and_counts_it() {
    for world in World::all().await {
        if world.store.engine() == Engine::Sqlite {
            continue;
        }
        world.six_steps().await;
        let topic = world.deliberated().await;
        let ballot = world.ballot(&topic).await.name;
        let (world, name) = (&world, ballot.as_str());
        let (mut voter, mut council) = (world.client(&resident(2, 0)), world.client(COUNCIL));
        let request = pb::CastVoteRequest { name: name.into(), choice: pb::Choice::Yes.into(), ..Default::default() };
        let close = pb::CloseBallotRequest { name: name.into(), ..Default::default() };
        let (tell, told) = tokio::sync::oneshot::channel::<()>();
        let told = tokio::sync::Mutex::new(Some(told));
        let (held, until_held) = (&tokio::sync::Notify::new(), &told);
        let hold = world.store.write("hold", |tx| {
            Box::pin(async move {
                let lock = "UPDATE roll SET voted = voted WHERE elector = 'hh-02'";
                sea_orm::ConnectionTrait::execute_raw(tx.conn(), world.statement(lock)).await?;
                held.notify_one();
                if let Some(told) = until_held.lock().await.take() {
                    let _ = told.await;
                }
                Ok(())
            })
        });
        let play = async {
            held.notified().await;
            let cast = tokio::spawn(async move { voter.cast_vote(request).await });
            world.waiting(1).await;
            world.pass_hours(24);
            let closing = tokio::spawn(async move { council.close_ballot(close).await });
            world.waiting(2).await;
            let _ = tell.send(());
            (cast.await.expect("no panic"), closing.await.expect("no panic"))
        };
        let (kept, (cast, closed)) = futures::join!(hold, play);
        kept.expect("the row is given back");
        let cast = cast.expect("the cast began in time").into_inner();
        assert!(!cast.already_cast);
        let result = closed.expect("closes").into_inner().result.expect("a result");
        assert_eq!((result.participants, result.yes), (1, 1), "what was acknowledged is counted");
        world.sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_vote_is_counted_however_the_closing_falls_among_them() {
    for world in World::all().await {
        world.six_steps().await;
        for round in 0..4 {
            let topic = world.deliberated().await;
            let ballot = world.ballot(&topic).await.name;
            // All but two have voted: the rest meet the closing.
            for home in 0..2 {
                world.cast(&resident(home, 0), &ballot, pb::Choice::No).await.expect("a vote");
            }
            let casts = (2..HOUSEHOLDS).map(|home| {
                let (mut client, name) = (world.client(&resident(home, round % 2)), ballot.clone());
                let request = pb::CastVoteRequest { name, choice: pb::Choice::Yes.into(), ..Default::default() };
                tokio::spawn(async move { client.cast_vote(request).await.map(tonic::Response::into_inner) })
            });
            let casts: Vec<_> = casts.collect();
            // Now and then a few are through, now and then none.
            for _ in 0..round * 20 {
                tokio::task::yield_now().await;
            }
            world.pass_hours(24);
            let result = world.close(&ballot).await.expect("closes").result.expect("a result");
            let mut receipts = BTreeSet::new();
            for cast in casts {
                match cast.await.expect("no panic") {
                    Ok(cast) => assert!(receipts.insert(cast.receipt_code), "each receipt is another"),
                    Err(late) => assert_eq!(reason(&late), "BALLOT_CLOSED"),
                }
            }
            assert_eq!((result.no, usize::try_from(result.yes).expect("a count")), (2, receipts.len()));
            let list = pb::ListVotesRequest { name: ballot, page_size: 100, page_token: String::new() };
            let votes = world.client(COUNCIL).list_votes(list).await.expect("votes").into_inner().votes;
            let published: BTreeSet<String> = votes.into_iter().map(|vote| vote.receipt_code).collect();
            assert!(receipts.is_subset(&published));
            world.sound().await;
        }
    }
}
