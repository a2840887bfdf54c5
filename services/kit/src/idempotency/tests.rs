//! Claims about request ids, on both engines.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::testing::{ctx, stores};

fn id(n: u128) -> Uuid {
    Uuid::from_u128(0x6f2c_1f5e_6c62_4d0e_9a43_0000_0000_0000 + n)
}

async fn once(store: &Store, request_id: &str, hash: u8, effects: &AtomicU32) -> Result<Once<u32>> {
    let call = ctx("people/p");
    store
        .write_once(&call, "xinhua", request_id, [hash; 32], "test", |_| {
            Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Ok(("areas/xinhua/things/1".to_owned(), effects.fetch_add(1, Ordering::Relaxed)))
            })
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_has_one_effect_and_another_body_is_refused() {
    for store in stores().await {
        let effects = AtomicU32::new(0);
        let request = id(1).to_string();
        assert_eq!(once(&store, &request, 1, &effects).await.expect("done"), Once::Done(0));
        let again = once(&store, &request, 1, &effects).await.expect("known");
        assert_eq!(again, Once::Repeat("areas/xinhua/things/1".into()));
        let other = once(&store, &request, 2, &effects).await.expect_err("another body");
        assert_eq!((other.code(), other.reason().as_str()), (ErrorCode::InvalidArgument, "REQUEST_ID_REUSED"));
        assert!(once(&store, "not-a-uuid", 1, &effects).await.is_err());
        assert_eq!(once(&store, "", 1, &effects).await.expect("unprotected"), Once::Done(1));
        assert_eq!(once(&store, "", 1, &effects).await.expect("unprotected"), Once::Done(2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_calls_with_one_id_wait_for_the_first() {
    for store in stores().await {
        let effects = AtomicU32::new(0);
        let request = id(2).to_string();
        let calls = (0..6).map(|_| once(&store, &request, 1, &effects));
        let outcomes: Vec<_> =
            futures::future::join_all(calls).await.into_iter().map(|o| o.expect("answers")).collect();
        assert_eq!(outcomes.iter().filter(|o| matches!(o, Once::Done(_))).count(), 1, "{outcomes:?}");
        assert_eq!(effects.load(Ordering::Relaxed), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_change_leaves_its_id_free() {
    for store in stores().await {
        let call = ctx("people/p");
        let request = id(3).to_string();
        let refused: Result<Once<()>> = store
            .write_once(&call, "xinhua", &request, [1; 32], "test", |_| {
                Box::pin(async { Err(Error::new(ErrorCode::FailedPrecondition, "CONFLICT")) })
            })
            .await;
        assert!(refused.is_err());
        assert_eq!(once(&store, &request, 2, &AtomicU32::new(0)).await.expect("free"), Once::Done(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_claims_repeats_and_tells_twins_apart() {
    for store in stores().await {
        let call = ctx("people/p");
        let claim = |n, hash| Claim::new(&call, "xinhua", id(n), [hash; 32]).of_resource(format!("things/{n}"));
        let first = [claim(12, 1), claim(11, 1), claim(12, 1), claim(12, 9)];
        let batch = &first;
        let outcomes = store
            .write("batch", |tx| {
                Box::pin(async move {
                    let outcomes = claim_many(tx, batch).await?;
                    release_many(tx, [&batch[1]]).await?;
                    Ok(outcomes)
                })
            })
            .await
            .expect("commits");
        use ClaimOutcome::{New, Repeat, Reused, SameAs};
        assert_eq!(outcomes, [New, New, SameAs(0), Reused]);
        let second = [claim(11, 2), claim(12, 1), claim(12, 2)];
        let batch = &second[..2];
        let outcomes = store.write("batch", |tx| Box::pin(claim_many(tx, batch))).await.expect("commits");
        assert_eq!(outcomes, [New, Repeat("things/12".into())], "{:?}", store.engine());
        let batch = &second[2..];
        let outcomes = store.write("batch", |tx| Box::pin(claim_many(tx, batch))).await.expect("commits");
        assert_eq!(outcomes, [Reused]);
        assert!(store.write("none", |tx| Box::pin(claim_many(tx, &[]))).await.expect("commits").is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_forgotten_after_seven_days() {
    for store in stores().await {
        let effects = AtomicU32::new(0);
        let request = id(4).to_string();
        once(&store, &request, 1, &effects).await.expect("done");
        let now = ctx("people/p").now();
        assert_eq!(store.purge_request_ids(now.plus_secs(7 * 86_400)).await.expect("purges"), 0);
        assert_eq!(store.purge_request_ids(now.plus_secs(7 * 86_400 + 1)).await.expect("purges"), 1);
        assert_eq!(once(&store, &request, 2, &effects).await.expect("new again"), Once::Done(1));
    }
}

#[test]
fn equal_requests_have_equal_hashes_and_methods_differ() {
    let dir = tempfile::tempdir().expect("a directory");
    let keys = Keyring::generated(&dir.path().join("key")).expect("a key");
    let request = linli_proto::common::Text { zh_cn: "理发".into(), en: "haircut".into() };
    assert_eq!(request_hash(&keys, "/a", &request), request_hash(&keys, "/a", &request.clone()));
    assert_ne!(request_hash(&keys, "/a", &request), request_hash(&keys, "/b", &request));
}
