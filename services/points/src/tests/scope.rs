//! Who sees and moves what.

use linli_proto::points as pb;
use linli_proto::points::points_service_server::PointsService as _;

use super::rewards::{create, redeem, reward};
use super::suite::{KEEPER, Suite, each, person};

async fn accounts(suite: &Suite, subject: &str) -> Vec<String> {
    let request = pb::ListAccountsRequest { parent: "areas/a".to_owned(), ..pb::ListAccountsRequest::default() };
    let page = suite.api.list_accounts(suite.ask("ListAccounts", subject, request)).await.expect("a page").into_inner();
    page.accounts.into_iter().map(|account| account.holder).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resident_sees_and_moves_only_their_own_and_only_what_is_transferable() {
    each(async |suite: &Suite| {
        suite.asset("hearts", false, 0).await;
        let granted = suite.grant(&person(1), 10).await;
        suite.grant(&person(2), 10).await;
        assert_eq!(accounts(suite, &person(1)).await, [person(1)]);
        assert_eq!(accounts(suite, KEEPER).await.len(), 3);
        suite.transfer(&person(1), &person(1), &person(2), 3).await.expect("own and transferable");
        let (reason, _) = suite.transfer(&person(1), &person(2), &person(1), 3).await.expect_err("somebody else's");
        assert_eq!(reason, "PERMISSION_DENIED");
        let mut own = Suite::order(&person(1), &person(2), 1, String::new());
        if let Some(amount) = own.transfer.as_mut().and_then(|transfer| transfer.amount.as_mut()) {
            amount.asset = "hearts".to_owned();
        }
        assert_eq!(suite.send(&person(1), own).await.expect_err("hearts stay").0, "NOT_TRANSFERABLE");
        let get = |subject: &str| {
            let request = pb::GetTransferRequest { name: granted.name.clone() };
            suite.api.get_transfer(suite.ask("GetTransfer", subject, request))
        };
        get(&person(1)).await.expect("their own");
        assert_eq!(get(&person(2)).await.expect_err("not theirs").code(), tonic::Code::NotFound);
        let stranger = "areas/b/people/per-00000000000000000000000001";
        assert_eq!(get(stranger).await.expect_err("elsewhere").code(), tonic::Code::PermissionDenied);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_acts_for_people_of_the_own_grid_and_sees_their_own_beside_it() {
    each(async |suite: &Suite| {
        let worker = person(50);
        suite.world.lock().units.insert(person(2), "grid-2".to_owned());
        create(suite, "rice", reward(1, 10)).await;
        suite.grant(&person(1), 10).await;
        suite.grant(&person(2), 10).await;
        let wanted = |holder: String| pb::Redemption {
            reward: "areas/a/rewards/rice".to_owned(),
            holder,
            ..pb::Redemption::default()
        };
        let done = redeem(suite, &worker, wanted(person(1)), String::new()).await.expect("of the own grid");
        assert_eq!(done.redeemed_by, worker);
        let refused = redeem(suite, &worker, wanted(person(2)), String::new()).await;
        assert_eq!(refused.expect_err("of another grid"), "PERMISSION_DENIED");
        assert_eq!(accounts(suite, &worker).await, [person(1)]);
        // The worker lives in another grid than the one they work for; what is theirs they see all the same.
        suite.world.lock().units.insert(worker.clone(), "grid-2".to_owned());
        suite.grant(&worker, 4).await;
        assert_eq!(accounts(suite, &worker).await, [person(1), worker.clone()]);
        let request = pb::ListTransfersRequest { parent: "areas/-".to_owned(), ..pb::ListTransfersRequest::default() };
        let page = suite.api.list_transfers(suite.ask("ListTransfers", &worker, request)).await.expect("a page");
        assert!(page.into_inner().transfers.iter().any(|transfer| transfer.to == worker));
        suite.verify().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn balances_are_for_booking_and_not_for_people() {
    each(async |suite: &Suite| {
        suite.grant(&person(1), 10).await;
        let ask = |subject: &str| {
            let request =
                pb::BatchGetBalancesRequest { parent: "areas/a".to_owned(), holders: vec![person(1), person(2)] };
            suite.api.batch_get_balances(suite.ask("BatchGetBalances", subject, request))
        };
        let found = ask("services/booking").await.expect("facts").into_inner().accounts;
        assert_eq!(found.iter().map(|a| (a.holder.clone(), a.available)).collect::<Vec<_>>(), [(person(1), 10)]);
        assert!(ask(KEEPER).await.is_err());
        // A guest has what they have where they live.
        let guest = "areas/b/people/per-00000000000000000000000001".to_owned();
        let request = pb::BatchGetBalancesRequest { parent: "areas/a".to_owned(), holders: vec![guest, person(1)] };
        let ask = suite.ask("BatchGetBalances", "services/booking", request);
        let found = suite.api.batch_get_balances(ask).await.expect("a guest is no error").into_inner().accounts;
        assert_eq!(found.iter().map(|a| a.holder.clone()).collect::<Vec<_>>(), [person(1)]);
        let request =
            pb::BatchGetBalancesRequest { parent: "areas/a".to_owned(), holders: vec!["people/x".to_owned()] };
        let ask = suite.ask("BatchGetBalances", "services/booking", request);
        assert!(suite.api.batch_get_balances(ask).await.is_err(), "no person's name");
    })
    .await;
}
