//! What was done without a booking, its thanks, and the receipts of both.

use std::collections::BTreeSet;

use linli_kernel::Clock as _;
use linli_kit::check::timestamp;
use linli_proto::points as pb;
use linli_proto::points::points_service_server::PointsService as _;
use linli_proto::rules::evaluate_request::Hook;
use linli_proto::rules::{AwardFacts, ReadDecisionsRequest, RulePart, RuleStage};
use tonic::Status;

use super::awards::{awards, bind, deliver, event};
use super::suite::{OPERATOR, Suite, each, person, request_id};

/// The reason of a refusal, or of its only bad field.
pub(super) fn reason(status: &Status) -> String {
    linli_kit::Error::from_peer(status.clone()).reason()
}

pub(super) fn shift(suite: &Suite, n: u32) -> pb::Contribution {
    pb::Contribution {
        person: person(n),
        kind: "shift".to_owned(),
        role: "volunteer".to_owned(),
        minutes: 90,
        quantity: 2,
        score: Some(88),
        tags: vec!["sealed".to_owned()],
        occur_time: Some(timestamp(suite.clock.now().plus_secs(-60))),
        ..pb::Contribution::default()
    }
}

pub(super) async fn record(
    suite: &Suite,
    subject: &str,
    one: pb::Contribution,
    id: &str,
) -> Result<pb::Contribution, Status> {
    let request = pb::CreateContributionRequest {
        parent: "areas/a".to_owned(),
        contribution: Some(one),
        request_id: id.to_owned(),
    };
    let asked = suite.ask("CreateContribution", subject, request);
    suite.api.create_contribution(asked).await.map(tonic::Response::into_inner)
}

pub(super) async fn receipts(suite: &Suite, subject: &str) -> Vec<pb::AwardReceipt> {
    let request = pb::ListAwardReceiptsRequest { parent: "areas/a".to_owned(), ..Default::default() };
    let page = suite.api.list_award_receipts(suite.ask("ListAwardReceipts", subject, request)).await;
    page.expect("a page").into_inner().award_receipts
}

fn facts(suite: &Suite) -> AwardFacts {
    match suite.world.lock().questions.last().and_then(|ask| ask.hook.clone()) {
        Some(Hook::Award(facts)) => facts,
        other => panic!("points asks no {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contribution_is_recorded_and_thanked_for_once() {
    each(async |suite: &Suite| {
        suite.asset("hearts", false, 0).await;
        bind(suite, "shifts", &["shift"], 5).await;
        bind(suite, "bookings", &[], 5).await;
        let id = request_id(7);
        let first = record(suite, &person(50), shift(suite, 1), &id).await.expect("of the own grid");
        assert_eq!(
            (first.awards.len(), first.recorded_by.as_str()),
            (1, person(50).as_str()),
            "empty kinds do not count"
        );
        let asked = facts(suite);
        assert_eq!((asked.quantity, asked.score, asked.minutes), (2, Some(88), 90));
        suite.world.lock().away = true;
        assert_eq!(record(suite, &person(50), shift(suite, 1), &id).await.expect("a retry asks nobody"), first);
        suite.world.lock().away = false;
        let again = record(suite, &person(50), shift(suite, 1), "").await.expect_err("it stands");
        assert_eq!(again.code(), tonic::Code::AlreadyExists);
        assert!(format!("{again:?}").contains("CONTRIBUTION_EXISTS"), "{again:?}");
        assert_eq!(suite.balance("hearts", &person(1)).await, Some((1, 1)));
        let all = awards(suite, &person(1)).await;
        assert_eq!((all.len(), all[0].source.as_str()), (1, first.name.as_str()));
        let request = pb::GetContributionRequest { name: first.name.clone() };
        let get = |who: &str| suite.api.get_contribution(suite.ask("GetContribution", who, request.clone()));
        assert_eq!(get(&person(1)).await.expect("their own").into_inner(), first);
        assert_eq!(get(&person(2)).await.expect_err("another's").code(), tonic::Code::NotFound);
        suite.verify().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_records_for_themselves_or_for_another_grid() {
    each(async |suite: &Suite| {
        suite.world.lock().units.insert(person(2), "grid-2".to_owned());
        let own = record(suite, &person(50), shift(suite, 50), "").await.expect_err("their own");
        assert_eq!(reason(&own), "SELF_RECORDED");
        for (who, about) in [(50, 2), (1, 3), (1, 1)] {
            let denied = record(suite, &person(who), shift(suite, about), "").await.expect_err("not theirs to record");
            assert_eq!(denied.code(), tonic::Code::PermissionDenied, "{who} about {about}");
        }
        suite.world.lock().unknown.insert(person(3));
        let mut late = shift(suite, 1);
        late.occur_time = Some(timestamp(suite.clock.now().plus_secs(1)));
        assert_eq!(record(suite, OPERATOR, late, "").await.expect_err("ahead").code(), tonic::Code::InvalidArgument);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_without_an_answer_refuses_the_whole_contribution() {
    each(async |suite: &Suite| {
        suite.asset("hearts", false, 0).await;
        bind(suite, "shifts", &["shift"], 5).await;
        let id = request_id(8);
        for fault in [true, false] {
            (suite.world.lock().fault, suite.world.lock().away) = (fault, !fault);
            let refused = record(suite, OPERATOR, shift(suite, 1), &id).await.expect_err("no answer");
            assert_eq!(refused.code(), tonic::Code::Unavailable, "{refused:?}");
        }
        assert!(receipts(suite, OPERATOR).await.is_empty() && awards(suite, OPERATOR).await.is_empty());
        (suite.world.lock().fault, suite.world.lock().away) = (false, false);
        assert_eq!(record(suite, OPERATOR, shift(suite, 1), &id).await.expect("a retry").awards.len(), 1);
        suite.verify().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_question_has_a_receipt_also_when_nothing_was_granted() {
    each(async |suite: &Suite| {
        suite.asset("hearts", false, 0).await;
        bind(suite, "hair", &[], 5).await;
        suite.world.lock().parts =
            vec![RulePart { verdict: "granted".to_owned(), stage: RuleStage::Shadow.into(), ..RulePart::default() }];
        deliver(suite, &event(suite, 1, &[1])).await.expect("posts");
        suite.world.lock().grant = 0;
        deliver(suite, &event(suite, 2, &[1, 2])).await.expect("posts nothing");
        let all = receipts(suite, OPERATOR).await;
        let verdicts: Vec<_> = all.iter().map(|one| (one.verdict.as_str(), one.award.is_empty())).collect();
        assert_eq!(verdicts.iter().filter(|one| **one == ("1 hearts", false)).count(), 1, "{verdicts:?}");
        assert_eq!(verdicts.iter().filter(|one| **one == ("nothing", true)).count(), 2);
        assert!(all.iter().all(|one| one.rules[0].stage() == RuleStage::Shadow && !one.facts_json.contains("per-")));
        assert_eq!(receipts(suite, &person(2)).await.len(), 1);
        let name = receipts(suite, &person(2)).await.remove(0).name;
        let get = |who: &str| {
            let request = pb::GetAwardReceiptRequest { name: name.clone() };
            suite.api.get_award_receipt(suite.ask("GetAwardReceipt", who, request))
        };
        get(&person(2)).await.expect("their own");
        assert_eq!(get(&person(1)).await.expect_err("another's").code(), tonic::Code::NotFound);
        suite.verify().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_read_what_they_were_asked_about_awards() {
    each(async |suite: &Suite| {
        suite.asset("hearts", false, 0).await;
        bind(suite, "hair", &["haircut"], 5).await;
        for n in 1..=3 {
            deliver(suite, &event(suite, n, &[1])).await.expect("posts");
        }
        let ask = |size: i32, page_token: String, kinds: Vec<String>| ReadDecisionsRequest {
            parent: "areas/a".to_owned(),
            hook: "points-award".to_owned(),
            kinds,
            start_time: Some(timestamp(suite.clock.now().plus_secs(-1))),
            end_time: Some(timestamp(suite.clock.now().plus_secs(1))),
            page_size: size,
            page_token,
        };
        let read = async |request: ReadDecisionsRequest| {
            let asked = suite.ask("ReadDecisions", "services/rules", request);
            suite.api.read_decisions(asked).await.expect("rules may").into_inner()
        };
        let first = read(ask(2, String::new(), Vec::new())).await;
        let second = read(ask(2, first.next_page_token.clone(), Vec::new())).await;
        let cases = [first.cases, second.cases].concat();
        let kept: Vec<_> = cases.iter().filter_map(|case| case.request.clone()).collect();
        assert_eq!(kept.len(), 3);
        let questions = suite.world.lock().questions.clone();
        assert!(questions.iter().all(|asked| kept.contains(asked)));
        assert!(kept.iter().all(|asked| asked.bucket == kept[0].bucket) && !format!("{cases:?}").contains("per-"));
        assert_eq!(read(ask(0, String::new(), vec!["hair".to_owned()])).await.cases.len(), 3);
        assert!(read(ask(0, String::new(), vec!["meals".to_owned()])).await.cases.is_empty());
        let denied = suite.api.read_decisions(suite.ask("ReadDecisions", OPERATOR, ask(0, String::new(), Vec::new())));
        assert_eq!(reason(&denied.await.expect_err("for rules only")), "INTERNAL_ONLY");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_is_one_handle_within_a_deed_and_another_in_the_next_and_one_subject_in_all() {
    each(async |suite: &Suite| {
        suite.asset("hearts", false, 0).await;
        bind(suite, "hair", &["haircut"], 5).await;
        bind(suite, "all", &[], 5).await;
        for n in 1..=2 {
            deliver(suite, &event(suite, n, &[1, 2])).await.expect("posts");
        }
        let handle = |ask: &linli_proto::rules::EvaluateRequest| match &ask.hook {
            Some(Hook::Award(facts)) => (ask.bucket, facts.actor.clone().unwrap_or_default().handle),
            other => panic!("points asks no {other:?}"),
        };
        let mut seen: Vec<(i32, u32)> = suite.world.lock().questions.iter().map(handle).collect();
        assert_eq!(seen.len(), 8, "two people under two bindings, twice");
        let buckets: BTreeSet<i32> = seen.iter().map(|(bucket, _)| *bucket).collect();
        assert_eq!(buckets.len(), 2, "two people, for ever the same");
        assert_eq!((seen[0], seen[2]), (seen[1], seen[3]), "one handle within one deed");
        seen.dedup();
        let handles: BTreeSet<u32> = seen.iter().map(|(_, handle)| *handle).collect();
        assert_eq!(handles.len(), 4, "another in the next: {seen:?}");
        let told = |one: &pb::AwardReceipt| handles.iter().any(|handle| one.facts_json.contains(&handle.to_string()));
        assert!(receipts(suite, OPERATOR).await.iter().all(told));
        let request = ReadDecisionsRequest {
            parent: "areas/a".to_owned(),
            hook: "points-award".to_owned(),
            start_time: Some(timestamp(suite.clock.now().plus_secs(-1))),
            end_time: Some(timestamp(suite.clock.now().plus_secs(1))),
            ..ReadDecisionsRequest::default()
        };
        let asked = suite.ask("ReadDecisions", "services/rules", request);
        let cases = suite.api.read_decisions(asked).await.expect("rules may").into_inner().cases;
        let subjects: BTreeSet<String> = cases.iter().map(|case| case.subject.clone()).collect();
        assert_eq!((cases.len(), subjects.len()), (8, 2), "a simulation counts people, not questions");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_of_awards_see_what_they_declare_and_nothing_else() {
    each(async |suite: &Suite| {
        suite.asset("hearts", false, 0).await;
        bind(suite, "hair", &["haircut"], 5).await;
        suite.grant(&person(1), 10).await;
        for (n, fact) in [(1, ""), (2, "age"), (3, "standing"), (4, "balances")] {
            suite.world.lock().declared = vec![fact.to_owned()];
            deliver(suite, &event(suite, n, &[1])).await.expect("posts");
            let (seen, who) = (facts(suite), facts(suite).actor.expect("one"));
            let there = [
                ("age", who.age_years > 0),
                ("standing", !who.standing.is_empty()),
                ("balances", !seen.balances.is_empty()),
            ];
            let there: Vec<&str> = there.into_iter().filter(|(_, there)| *there).map(|(fact, _)| fact).collect();
            assert_eq!(there, [fact].into_iter().filter(|fact| !fact.is_empty()).collect::<Vec<_>>());
        }
    })
    .await;
}
