//! Transfers, holds, reversals, request ids under load.

use futures::future::join_all;
use linli_kernel::{Clock as _, Timestamp};
use linli_proto::common::Amount;
use linli_proto::points as pb;
use linli_proto::points::points_service_server::PointsService as _;
use tonic::Response;

use super::suite::{KEEPER, OPERATOR, Suite, each, person, request_id};

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_parallel_transfers_never_overdraw_one_account() {
    each(async |suite: &Suite| {
        suite.grant(&person(1), 100).await;
        let (giver, getters) = (person(1), (0..200).map(|n| person(10 + n % 7)).collect::<Vec<_>>());
        let all = join_all(getters.iter().map(|to| suite.transfer(KEEPER, &giver, to, 1))).await;
        let (done, refused): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
        assert_eq!((done.len(), refused.len()), (100, 100));
        for one in refused {
            let (reason, text) = one.expect_err("refused");
            assert_eq!(reason, "INSUFFICIENT_BALANCE");
            assert!(text.contains("points"), "{text}");
        }
        assert_eq!(suite.balance("points", &person(1)).await, Some((0, 0)));
        assert_eq!(suite.balance("points", "issuance").await, Some((-100, -100)));
        suite.verify().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_acts_once_also_when_its_calls_come_together_and_fits_one_body_only() {
    each(async |suite: &Suite| {
        let order = |value| Suite::order("issuance", &person(1), value, request_id(1));
        let same = join_all((0..20).map(|_| suite.send(KEEPER, order(5)))).await;
        let names: Vec<String> = same.into_iter().map(|one| one.expect("the same").name).collect();
        assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
        assert_eq!(suite.send(KEEPER, order(5)).await.expect("again").name, names[0]);
        assert_eq!(suite.send(KEEPER, order(6)).await.expect_err("another body").0, "REQUEST_ID_REUSED");
        assert_eq!(suite.balance("points", &person(1)).await, Some((5, 5)));
        // A refusal is no effect: the same id may be tried again.
        let refused = Suite::order(&person(2), &person(1), 7, request_id(2));
        assert_eq!(suite.send(KEEPER, refused.clone()).await.expect_err("nothing there").0, "INSUFFICIENT_BALANCE");
        suite.grant(&person(2), 7).await;
        suite.send(KEEPER, refused).await.expect("now there is");
        suite.verify().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_open_and_move_the_same_accounts_without_losing_a_unit() {
    each(async |suite: &Suite| {
        let others = [suite.beside(), suite.beside(), suite.beside()];
        let orders = (0..300_u32).map(|n| (n, Suite::order("issuance", &person(n % 9), 1, request_id(u128::from(n)))));
        let sent = orders.map(|(n, order)| {
            let api = &others[n as usize % 3];
            api.create_transfer(suite.ask("CreateTransfer", KEEPER, order))
        });
        for one in join_all(sent).await {
            one.expect("issuance owes");
        }
        let back = (0..300_u32).map(|n| {
            let order = Suite::order(&person(n % 9), &person((n + 1) % 9), 30, String::new());
            others[n as usize % 3].create_transfer(suite.ask("CreateTransfer", KEEPER, order))
        });
        for refused in join_all(back).await.into_iter().filter_map(Result::err) {
            assert_eq!(linli_kit::Error::from_peer(refused).reason(), "INSUFFICIENT_BALANCE");
        }
        assert_eq!(suite.balance("points", "issuance").await, Some((-300, -300)));
        suite.verify().await;
    })
    .await;
}

async fn batch(suite: &Suite, requests: Vec<pb::CreateTransferRequest>) -> Result<Vec<pb::Transfer>, tonic::Status> {
    let request = pb::BatchCreateTransfersRequest { parent: "areas/a".to_owned(), requests };
    let answer = suite.api.batch_create_transfers(suite.ask("BatchCreateTransfers", KEEPER, request)).await?;
    Ok(answer.into_inner().transfers)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_happens_wholly_or_not_at_all_and_its_items_once() {
    each(async |suite: &Suite| {
        let order = |n: u32, value| Suite::order("issuance", &person(n), value, request_id(u128::from(n)));
        let all: Vec<_> = (1..=300).map(|n| order(n, 2)).collect();
        let first = batch(suite, all.clone()).await.expect("all");
        let again = batch(suite, all).await.expect("again");
        assert_eq!(first, again);
        assert_eq!(suite.balance("points", "issuance").await, Some((-600, -600)));
        let too_much = vec![order(401, 1), Suite::order(&person(1), &person(402), 99, String::new())];
        let status = batch(suite, too_much).await.expect_err("the second is too much");
        assert!(format!("{status:?}").contains("requests[1]"), "{status:?}");
        assert_eq!(suite.balance("points", &person(401)).await, None);
        batch(suite, vec![order(401, 1)]).await.expect("the claim was given back");
        let twice = vec![order(5000, 1), order(5000, 1)];
        assert_eq!(batch(suite, twice).await.expect_err("one id per item").code(), tonic::Code::InvalidArgument);
        suite.verify().await;
    })
    .await;
}

// On one thread, so that all calls wait when the ledger takes its first batch.
#[tokio::test]
async fn who_shares_a_request_id_with_a_batch_that_is_refused_is_decided_for_themselves() {
    each(async |suite: &Suite| {
        let shared = Suite::order("issuance", &person(1), 2, request_id(1));
        let too_much = |n| Suite::order(&person(7), &person(8), 99, request_id(n));
        let calls = [
            vec![too_much(2), too_much(3), shared.clone()],
            vec![shared.clone()],
            vec![shared.clone(), too_much(4)],
            vec![shared.clone()],
        ];
        let all = join_all(calls.map(|requests| batch(suite, requests))).await;
        let refused = |call: usize, field: &str| {
            let status = all[call].as_ref().expect_err("nobody has 99");
            let text = format!("{status:?}");
            assert!(text.contains("INSUFFICIENT_BALANCE") && text.contains(field), "{call}: {text}");
        };
        refused(0, "requests[0]");
        refused(2, "requests[1]");
        let (first, again) = (all[1].as_ref().expect("it happens"), all[3].as_ref().expect("it happened"));
        assert_eq!(first, again, "{:?}: once", suite.store.engine());
        assert_eq!(suite.balance("points", &person(1)).await, Some((2, 2)));
        // The claim names the resource of the one that happened.
        assert_eq!(&batch(suite, vec![shared.clone()]).await.expect("a repeat"), first);
        suite.verify().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_is_reversed_once_and_the_counter_entry_says_of_what() {
    each(async |suite: &Suite| {
        let granted = suite.grant(&person(1), 10).await;
        let reverse = || {
            let request = pb::ReverseTransferRequest { name: granted.name.clone(), request_id: String::new() };
            suite.api.reverse_transfer(suite.ask("ReverseTransfer", KEEPER, request))
        };
        let all = join_all((0..10).map(|_| reverse())).await;
        let done: Vec<_> = all.into_iter().filter_map(Result::ok).map(Response::into_inner).collect();
        assert_eq!(done.len(), 1);
        assert_eq!((done[0].reverses.as_str(), done[0].kind()), (granted.name.as_str(), pb::TransferKind::Reversal));
        let request = pb::GetTransferRequest { name: granted.name.clone() };
        let now = suite.api.get_transfer(suite.ask("GetTransfer", KEEPER, request)).await.expect("kept").into_inner();
        assert_eq!(now.reversed_by, done[0].name);
        assert_eq!(suite.balance("points", &person(1)).await, Some((0, 0)));
        suite.verify().await;
    })
    .await;
}

async fn hold(suite: &Suite, value: i64, expires: Option<Timestamp>) -> Result<pb::Hold, tonic::Status> {
    let hold = pb::Hold {
        amount: Some(Amount { asset: "points".to_owned(), value }),
        from: person(1),
        to: "merchant-hotel".to_owned(),
        expire_time: expires.map(linli_kit::check::timestamp),
        cause: "areas/a/bookings/bkg-1".to_owned(),
        ..pb::Hold::default()
    };
    let request = pb::CreateHoldRequest { parent: "areas/a".to_owned(), hold: Some(hold), request_id: String::new() };
    suite.api.create_hold(suite.ask("CreateHold", "services/booking", request)).await.map(Response::into_inner)
}

async fn capture(suite: &Suite, name: &str, value: i64) -> Result<pb::Hold, tonic::Status> {
    let request = pb::CaptureHoldRequest { name: name.to_owned(), value, request_id: String::new() };
    suite.api.capture_hold(suite.ask("CaptureHold", "services/booking", request)).await.map(Response::into_inner)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_falls_back_exactly_when_its_time_is_over() {
    each(async |suite: &Suite| {
        suite.grant(&person(1), 10).await;
        let now = suite.clock.now();
        let placed = hold(suite, 8, Some(now.plus_secs(60))).await.expect("enough");
        assert_eq!(suite.balance("points", &person(1)).await, Some((10, 2)));
        assert!(hold(suite, 3, None).await.is_err(), "only two are left");
        assert_eq!(suite.app.expire_holds().await.expect("a look"), 0);
        suite.clock.advance_to(now.plus_secs(60));
        let late = capture(suite, &placed.name, 0).await.expect_err("too late, even before the timer");
        assert_eq!(linli_kit::Error::from_peer(late).reason(), "HOLD_NOT_OPEN");
        assert_eq!(suite.app.expire_holds().await.expect("a look"), 1);
        assert_eq!(suite.app.expire_holds().await.expect("another look"), 0);
        assert_eq!(suite.balance("points", &person(1)).await, Some((10, 10)));
        let request = pb::GetHoldRequest { name: placed.name };
        let now = suite.api.get_hold(suite.ask("GetHold", "services/booking", request)).await.expect("kept");
        assert_eq!(now.get_ref().state(), pb::HoldState::Expired);
        suite.verify().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_is_captured_in_part_or_voided_once() {
    each(async |suite: &Suite| {
        suite.grant(&person(1), 10).await;
        let first = hold(suite, 6, None).await.expect("enough");
        assert!(capture(suite, &first.name, 7).await.is_err(), "more than was held");
        let captured = join_all((0..8).map(|_| capture(suite, &first.name, 4))).await;
        let captured: Vec<_> = captured.into_iter().filter_map(Result::ok).collect();
        assert_eq!(captured.len(), 1);
        assert!(captured[0].transfer.contains("/transfers/trf-"));
        assert_eq!(suite.balance("points", &person(1)).await, Some((6, 6)));
        assert_eq!(suite.balance("points", "merchant-hotel").await, Some((4, 4)));
        let second = hold(suite, 6, None).await.expect("enough");
        let void = || {
            let request = pb::VoidHoldRequest { name: second.name.clone(), request_id: request_id(9) };
            suite.api.void_hold(suite.ask("VoidHold", "services/booking", request))
        };
        void().await.expect("voids");
        let again = void().await.expect("the same request").into_inner();
        assert_eq!(again.state(), pb::HoldState::Voided);
        assert_eq!(suite.balance("points", &person(1)).await, Some((6, 6)));
        suite.verify().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_field_is_named_at_once_and_an_unknown_asset_is_one() {
    each(async |suite: &Suite| {
        let mut order = Suite::order("issuance", "areas/b/people/per-00000000000000000000000001", 0, String::new());
        if let Some(transfer) = order.transfer.as_mut() {
            transfer.cause = "free text, which stands in events".to_owned();
        }
        let (reason, text) = suite.send(KEEPER, order).await.expect_err("bad");
        assert_eq!(reason, "INVALID_FIELDS");
        for field in ["transfer.to", "transfer.amount.value", "transfer.cause"] {
            assert!(text.contains(field), "{field}: {text}");
        }
        let mut order = Suite::order("issuance", &person(1), 1, String::new());
        if let Some(amount) = order.transfer.as_mut().and_then(|transfer| transfer.amount.as_mut()) {
            amount.asset = "gold".to_owned();
        }
        let (_, text) = suite.send(KEEPER, order).await.expect_err("no such asset");
        assert!(text.contains("ASSET_NOT_FOUND") && text.contains("transfer.amount.asset"), "{text}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_filtered_and_paged_by_key() {
    each(async |suite: &Suite| {
        for n in 1..=7 {
            suite.grant(&person(n % 2), i64::from(n)).await;
        }
        let (mut token, mut seen) = (String::new(), Vec::new());
        loop {
            let request = pb::ListTransfersRequest {
                parent: "areas/-".to_owned(),
                page_size: 2,
                page_token: token,
                filter: format!("to = \"{}\" AND kind = TRANSFER_KIND_DIRECT", person(1)),
                order_by: String::new(),
            };
            let page = suite
                .api
                .list_transfers(suite.ask("ListTransfers", OPERATOR, request))
                .await
                .expect("a page")
                .into_inner();
            seen.extend(page.transfers.iter().filter_map(|t| t.amount.as_ref().map(|amount| amount.value)));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, [1, 3, 5, 7]);
        let account = format!("areas/a/accounts/points.{}", person(1).rsplit('/').next().unwrap_or_default());
        let request = pb::ListEntriesRequest {
            parent: "areas/a".to_owned(),
            filter: format!("account = \"{account}\""),
            ..pb::ListEntriesRequest::default()
        };
        let page =
            suite.api.list_entries(suite.ask("ListEntries", KEEPER, request)).await.expect("entries").into_inner();
        let figures: Vec<_> = page.entries.iter().map(|entry| (entry.value, entry.balance_after)).collect();
        assert_eq!(figures, [(1, 1), (3, 4), (5, 9), (7, 16)]);
    })
    .await;
}
