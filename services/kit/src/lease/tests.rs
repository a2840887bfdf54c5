//! Claims about leases, on both engines.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::testing::stores;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(50);

async fn checked(store: &Store, guard: &Guard) -> Result<()> {
    store.write("check", |tx| Box::pin(async move { guard.check(tx).await })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_has_one_holder_until_it_is_over_or_given_back() {
    for store in stores().await {
        let first = Guard::acquire(&store, "work", LONG).await.expect("answers").expect("is free");
        assert!(Guard::acquire(&store, "work", LONG).await.expect("answers").is_none());
        assert!(Guard::acquire(&store, "other", LONG).await.expect("answers").is_some());
        first.release().await.expect("gives back");
        let second = Guard::acquire(&store, "work", LONG).await.expect("answers").expect("is free");
        assert!(second.fence() > first.fence());
        checked(&store, &second).await.expect("holds");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_fence_writes_nothing() {
    for store in stores().await {
        let stale = Guard::acquire(&store, "work", SHORT).await.expect("answers").expect("is free");
        tokio::time::sleep(SHORT).await;
        checked(&store, &stale).await.expect("nobody has taken over yet");
        let newer = Guard::acquire(&store, "work", LONG).await.expect("answers").expect("is over");
        let guard = &stale;
        let outcome: Result<()> = store
            .write("stale", |tx| {
                Box::pin(async move {
                    let sql = "INSERT INTO lease (name, holder, fence, expires_us) VALUES ('effect', '', 1, 0)";
                    rows::execute(tx.conn(), sql, vec![]).await?;
                    guard.check(tx).await
                })
            })
            .await;
        assert!(is_lost(&outcome.expect_err("is refused")));
        assert!(is_lost(&stale.renew(LONG).await.expect_err("is refused")));
        stale.release().await.expect("does nothing");
        checked(&store, &newer).await.expect("still holds");
        let effect =
            rows::one(store.reader(), "SELECT 1 FROM lease WHERE name = 'effect'", vec![]).await.expect("reads");
        assert!(effect.is_none(), "{:?}: the effect is rolled back", store.engine());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_take_over_waits_for_the_transaction_that_checked_the_fence() {
    for store in stores().await {
        let stale = Guard::acquire(&store, "work", SHORT).await.expect("answers").expect("is free");
        let (guard, begun, end) = (&stale, &tokio::sync::Notify::new(), &tokio::sync::Notify::new());
        let holding = store.write("hold", |tx| {
            Box::pin(async move {
                guard.check(tx).await?;
                begun.notify_one();
                end.notified().await;
                Ok(Instant::now())
            })
        });
        let taking = async {
            begun.notified().await;
            tokio::time::sleep(SHORT).await;
            let release = async {
                tokio::time::sleep(SHORT).await;
                end.notify_one();
            };
            let (taken, ()) = tokio::join!(Guard::acquire(&store, "work", LONG), release);
            taken.expect("answers").expect("is over");
            Instant::now()
        };
        let (held_until, taken_at) = tokio::join!(holding, taking);
        assert!(taken_at >= held_until.expect("commits"), "{:?}", store.engine());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_panics_is_started_again_and_a_stop_gives_the_lease_back() {
    for store in stores().await {
        let term = Term { ttl: LONG, renew_every: SHORT, retry_every: Duration::from_millis(10) };
        let (runs, stop) = (Arc::new(AtomicU32::new(0)), CancellationToken::new());
        let counted = runs.clone();
        let work: Work = Arc::new(move |_, token| {
            let run = counted.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                assert!(run > 0, "the first run breaks");
                token.cancelled().await;
            })
        });
        let task = tokio::spawn(while_held((*store).clone(), "work".into(), term, stop.clone(), work));
        tokio::time::timeout(LONG, async {
            while runs.load(Ordering::SeqCst) < 2 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .expect("runs again");
        stop.cancel();
        task.await.expect("ends");
        assert!(Guard::acquire(&store, "work", LONG).await.expect("answers").is_some());
    }
}
