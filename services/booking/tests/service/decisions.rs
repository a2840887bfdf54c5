//! What rules are told, what is kept of it, and what happens when they give no answer.

use linli_kernel::Clock as _;
use linli_proto::booking::*;
use linli_proto::rules::evaluate_request::Hook;
use linli_proto::rules::{EvaluateRequest, Member, RulePart, RuleStage, Usage};

use crate::suite::*;

const HOOKS: [&str; 3] = ["booking-eligibility", "booking-price", "booking-priority"];

fn offering() -> Offering {
    let urgent =
        Question { key: "urgent".into(), text: text("急"), r#type: QuestionType::Flag as i32, ..Question::default() };
    Offering { waitlist: true, base_price: points(5), questions: vec![urgent], ..haircut() }
}

/// Member, usage, number of balances and answers of a question, the newcomer's for a queue.
fn sent(ask: &EvaluateRequest) -> (&'static str, Member, Option<Usage>, usize, usize) {
    match ask.hook.clone().expect("a hook") {
        Hook::Eligibility(f) => (HOOKS[0], f.who.expect("one"), f.used, f.balances.len(), f.answers.len()),
        Hook::Price(f) => (HOOKS[1], f.who.expect("one"), f.used, f.balances.len(), f.answers.len()),
        Hook::Priority(f) => {
            let own = f.queue.last().cloned().expect("a newcomer");
            (HOOKS[2], own.who.expect("one"), own.used, 0, own.answers.len())
        }
        other => panic!("booking asks no {other:?}"),
    }
}

/// The facts that stand in a question.
fn facts_in(ask: &EvaluateRequest) -> Vec<&'static str> {
    let (_, who, used, balances, answers) = sent(ask);
    let all = [
        ("age", who.age_years != 0),
        ("standing", !who.standing.is_empty()),
        ("usage", used.is_some()),
        ("balances", balances > 0),
        ("answers", answers > 0),
    ];
    all.into_iter().filter(|(_, there)| *there).map(|(fact, _)| fact).collect()
}

fn urgent(slot: &str) -> Booking {
    let value = Some(linli_proto::common::answer::Value::Flag(true));
    let answers = vec![linli_proto::common::Answer { key: "urgent".into(), value }];
    Booking { slot: slot.into(), answers, ..Booking::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_hook_is_told_the_facts_that_its_rules_declare_and_nothing_else() {
    for fact in ["age", "standing", "usage", "balances", "answers"] {
        for hook in HOOKS {
            if (fact, hook) == ("balances", "booking-priority") {
                continue;
            }
            for suite in suites().await {
                let none = HOOKS.map(|hook| (hook.to_owned(), Vec::new()));
                suite.world.declared.lock().extend(none);
                suite.world.declared.lock().insert(hook.to_owned(), vec![fact.to_owned()]);
                let slots = suite.open(offering(), 1, 60).await;
                suite.book_as(&person("a"), urgent(&slots[0].name)).await.expect("books");
                suite.book_as(&person("b"), urgent(&slots[0].name)).await.expect("waits");
                let asked = suite.world.asked.lock().clone();
                assert!(asked.iter().any(|ask| sent(ask).0 == hook), "{hook} on {}", suite.engine);
                for ask in &asked {
                    let wanted = if sent(ask).0 == hook { vec![fact] } else { Vec::new() };
                    assert_eq!(facts_in(ask), wanted, "{} on {}", sent(ask).0, suite.engine);
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_read_their_decisions_as_they_were_asked_newest_first_and_by_pages() {
    for suite in suites().await {
        let slots = suite.open(offering(), 1, 60).await;
        for (slot, who) in ["a", "b", "a"].iter().enumerate() {
            suite.clock.advance_to(suite.clock.now().plus_secs(60));
            suite.book(&person(who), &slots[slot].name).await.expect("books");
        }
        let whole = suite.decisions(HOOKS[0], 0, String::new()).await;
        assert!(whole.next_page_token.is_empty(), "{}", suite.engine);
        let cases = whole.cases;
        let mut asked = suite.world.asked.lock().clone();
        asked.retain(|ask| sent(ask).0 == HOOKS[0]);
        asked.reverse();
        let read: Vec<_> = cases.iter().map(|case| case.request.clone().expect("kept")).collect();
        assert_eq!(read, asked);
        assert_eq!(cases[0].subject, cases[2].subject, "the same resident");
        assert_ne!(cases[0].subject, cases[1].subject);
        assert!(cases.iter().all(|case| case.verdict == "allow" && !format!("{case:?}").contains("per-")));
        assert_eq!(read[0].bucket, read[2].bucket, "the same resident");
        assert!(read.iter().all(|ask| (0..1000).contains(&ask.bucket)));
        let first = suite.decisions(HOOKS[0], 2, String::new()).await;
        let second = suite.decisions(HOOKS[0], 2, first.next_page_token).await;
        assert_eq!([first.cases, second.cases].concat(), cases);
        assert_eq!(suite.decisions(HOOKS[1], 0, String::new()).await.cases.len(), 3);
        let denied = suite.as_(OPERATOR).read_decisions(window(HOOKS[0])).await.expect_err("for rules only");
        assert_eq!(reason(&denied), "INTERNAL_ONLY");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_of_more_than_thirty_two_is_not_kept() {
    for suite in suites().await {
        let slots = suite.open(Offering { base_price: None, ..offering() }, 1, 60).await;
        for n in 0..34 {
            suite.clock.advance_to(suite.clock.now().plus_secs(1));
            suite.book(&person(n), &slots[0].name).await.expect("an outcome");
        }
        let cases = suite.decisions(HOOKS[2], 0, String::new()).await.cases;
        assert_eq!(cases.len(), 33, "{}", suite.engine);
        assert!(cases[0].request.is_none() && cases[1..].iter().all(|case| case.request.is_some()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_answer_waiting_time_orders_the_queue_and_nobody_is_lost() {
    for suite in suites().await {
        let slots = suite.open(Offering { base_price: None, ..offering() }, 1, 60).await;
        suite.book(&person("a"), &slots[0].name).await.expect("books");
        suite.book(&person("b"), &slots[0].name).await.expect("waits");
        *suite.world.faults.lock() = vec![HOOKS[2].to_owned()];
        let old = suite.book(&person("old-80"), &slots[0].name).await.expect("waits all the same");
        assert_eq!((old.state(), old.waitlist_position), (BookingState::Waitlisted, 2), "{}", suite.engine);
        assert_eq!(suite.receipts(&old.name, HOOKS[2]).await[0].verdict, "fault");
        *suite.world.rules_down.lock() = true;
        let refused = suite.book(&person("c"), &slots[0].name).await.expect_err("eligibility needs an answer");
        assert_eq!(refused.code(), tonic::Code::Unavailable);
        *suite.world.rules_down.lock() = false;
        suite.world.faults.lock().clear();
        suite.book(&person("c"), &slots[0].name).await.expect("waits");
        assert_eq!(suite.get(&old.name).await.waitlist_position, 1, "the eldest comes first again");
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_beside_the_priority_is_met_once_and_refuses_the_booking() {
    for suite in suites().await {
        let slots = suite.open(offering(), 1, 60).await;
        suite.book(&person("a"), &slots[0].name).await.expect("books");
        suite.book(&person("b"), &slots[0].name).await.expect("waits");
        for (n, faulty) in [vec![HOOKS[0]], vec![HOOKS[1]], vec!["new"], vec![HOOKS[0], HOOKS[2]]].iter().enumerate() {
            *suite.world.faults.lock() = faulty.iter().map(|hook| (*hook).to_owned()).collect();
            suite.world.calls.lock().clear();
            let refused = suite.book(&person(n), &slots[0].name).await.expect_err("no answer");
            assert_eq!((refused.code(), reason(&refused).as_str()), (tonic::Code::Unavailable, "RULE_FAULT"));
            let asked = suite.world.calls.lock().get("BatchEvaluate").copied();
            assert_eq!(asked, Some(1), "{faulty:?} on {}", suite.engine);
        }
        suite.world.faults.lock().clear();
        *suite.world.rules_down.lock() = true;
        suite.world.calls.lock().clear();
        suite.book(&person("c"), &slots[0].name).await.expect_err("no answer either");
        assert_eq!(suite.world.calls.lock().get("BatchEvaluate").copied(), Some(1), "{}", suite.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_shadow_stands_in_the_receipt_and_is_not_obeyed() {
    for suite in suites().await {
        let part = |stage: RuleStage| RulePart { verdict: "deny".into(), stage: stage.into(), ..RulePart::default() };
        *suite.world.parts.lock() = vec![part(RuleStage::Shadow), part(RuleStage::Canary)];
        let slots = suite.open(haircut(), 1, 60).await;
        let booking = suite.book(&person("a"), &slots[0].name).await.expect("books");
        assert_eq!(booking.state(), BookingState::Confirmed, "{}", suite.engine);
        let receipt = suite.receipts(&booking.name, HOOKS[0]).await.remove(0);
        let stages: Vec<RuleStage> = receipt.rules.iter().map(|rule| rule.stage()).collect();
        assert_eq!(stages, [RuleStage::Shadow, RuleStage::Canary]);
    }
}
