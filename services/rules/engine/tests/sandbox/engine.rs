//! Real plugins on the real engine, and the limits that no plugin gets past.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use linli_rules_engine::types::{
    Amount, AwardEvent, AwardRequest, Context, EligibilityRequest, Member, PriceRequest, PriorityRequest, Reason,
    Refusal, Setting, SettingValue, Slot, Usage, Verdict, Waiting,
};
use linli_rules_engine::{BadResult, Digest, Engine, EngineConfig, Evaluated, Fault, Hook, Limits, LoadError, Plugin};

use crate::support::{built, choice, guest, guest_of, hostile, number};

fn engine() -> Engine {
    Engine::new(EngineConfig::embedded()).expect("the engine starts")
}

fn loaded(name: &str) -> (Engine, Arc<Plugin>) {
    let engine = engine();
    let plugin = engine.load(&built(name)).expect("a plugin of this repository loads");
    (engine, plugin)
}

fn context(settings: Vec<Setting>) -> Context {
    Context { now: 29_671_200, utc_offset_min: 480, seed: 7, settings }
}

fn member(age: u8) -> Member {
    Member { handle: 1, age_years: Some(age), ..Member::default() }
}

fn used(this_month: u16) -> EligibilityRequest {
    let used = Some(Usage { this_month, ..Usage::default() });
    EligibilityRequest { who: member(75), used, party: 1, ..EligibilityRequest::default() }
}

fn award_request() -> AwardRequest {
    let event = AwardEvent { kind: "shift-completed".into(), role: "volunteer".into(), ..AwardEvent::default() };
    let caps = vec![Amount { asset: "hearts".into(), value: 5 }];
    AwardRequest { actor: member(66), event: AwardEvent { minutes: 150, ..event }, caps, balances: vec![] }
}

fn fault_of(name: &str) -> Fault {
    let engine = engine();
    let plugin = engine.load(&guest(name)).expect("the guest loads");
    engine.award(&plugin, &context(vec![]), &award_request()).expect_err("the guest misbehaves")
}

#[test]
fn the_second_haircut_of_a_month_is_denied_with_a_reason_in_both_languages() {
    let (engine, haircut) = loaded("haircut");
    let first = engine.eligibility(&haircut, &context(vec![]), &used(0)).unwrap();
    assert_eq!(first.value, Verdict::Allow);
    let second = engine.eligibility(&haircut, &context(vec![]), &used(1)).unwrap();
    let reason = Reason { code: "already-this-month".into(), args: vec!["1".into(), "1".into()] };
    assert_eq!(second.value, Verdict::Deny(reason.clone()));
    assert_eq!(haircut.manifest().render(&reason, "zh-CN"), "本月已约 1 次，上限 1 次");
    assert_eq!(haircut.manifest().render(&reason, "en"), "1 this month already, the limit is 1");
    let twice = context(vec![number("per-month", 2)]);
    assert_eq!(engine.eligibility(&haircut, &twice, &used(1)).unwrap().value, Verdict::Allow);
}

#[test]
fn a_waitlist_is_scored_in_one_call() {
    let (engine, haircut) = loaded("haircut");
    let entry = |age, since| Waiting { who: member(age), since, ..Waiting::default() };
    let queue = vec![entry(30, 1), entry(72, 5), entry(91, 9), entry(40, 0)];
    let req = PriorityRequest { slot: Slot::default(), queue };
    let scores = engine.priority(&haircut, &context(vec![]), &req).unwrap().value;
    assert_eq!(scores, [0, 1_072, 1_091, 0]);
}

#[test]
fn the_fuel_of_a_queue_grows_with_its_length_and_a_thousand_fit() {
    let (engine, haircut) = loaded("haircut");
    for len in [200, 1_000] {
        let queue = vec![Waiting { who: member(80), ..Waiting::default() }; len];
        let req = PriorityRequest { slot: Slot::default(), queue };
        let scored = engine.priority(&haircut, &context(vec![]), &req).unwrap();
        assert_eq!(scored.value.len(), len);
        assert_eq!(scored.fuel_budget, 500_000 + len as u64 * 500);
    }
}

#[test]
fn a_meal_is_subsidised_and_delivered() {
    let (engine, meals) = loaded("meals");
    let fen = |value| Amount { asset: "cny-fen".into(), value };
    let req = PriceRequest {
        who: member(85),
        balances: vec![],
        used: None,
        slot: Slot::default(),
        answers: vec![choice("mode", "delivery")],
        base: fen(1_500),
        floor: fen(0),
        ceiling: fen(2_000),
    };
    let terms = engine.price(&meals, &context(vec![]), &req).unwrap().value;
    assert_eq!(terms.price, fen(900));
    assert_eq!(terms.why.iter().map(|why| why.code.as_str()).collect::<Vec<_>>(), ["subsidy", "delivery"]);
}

#[test]
fn a_major_repair_needs_approval() {
    let (engine, repairs) = loaded("repairs");
    let major = Setting { key: "major".into(), value: SettingValue::Flag(true) };
    let req = EligibilityRequest { answers: vec![choice("trade", "water"), major], ..used(0) };
    let verdict = engine.eligibility(&repairs, &context(vec![]), &req).unwrap().value;
    assert!(matches!(verdict, Verdict::NeedsApproval(reason) if reason.code == "major-work"));
}

#[test]
fn a_volunteer_is_thanked_within_the_cap() {
    let (engine, thanks) = loaded("thanks");
    let ctx = context(vec![number("per-hour", 10), number("max-per-event", 100)]);
    let granted = engine.award(&thanks, &ctx, &award_request()).unwrap().value;
    assert_eq!(granted.len(), 1);
    assert_eq!((granted[0].to, granted[0].amount.value), (1, 5));
}

#[test]
fn the_same_question_gets_the_same_answer_for_the_same_fuel() {
    let (engine, haircut) = loaded("haircut");
    let ask = |engine: &Engine, plugin: &Plugin| engine.eligibility(plugin, &context(vec![]), &used(1)).unwrap();
    let first: Evaluated<Verdict> = ask(&engine, &haircut);
    // Another engine without a pool is another machine, as far as a plugin can tell.
    let other = Engine::new(EngineConfig::validation()).unwrap();
    let plugin = other.load(&built("haircut")).unwrap();
    for _ in 0..100 {
        assert_eq!(ask(&engine, &haircut), first);
        assert_eq!(ask(&other, &plugin), first);
    }
}

#[test]
fn a_fact_that_was_not_declared_never_reaches_the_guest() {
    let (engine, repairs) = loaded("repairs");
    // Repairs declares answers and decides by them; haircut does not, and cannot tell whether there were any.
    let answers = vec![choice("trade", "water")];
    let req = EligibilityRequest { answers: answers.clone(), ..used(0) };
    assert_eq!(engine.eligibility(&repairs, &context(vec![]), &req).unwrap().value, Verdict::Allow);
    let haircut = engine.load(&built("haircut")).unwrap();
    let with = engine.eligibility(&haircut, &context(vec![]), &req).unwrap();
    let without = engine.eligibility(&haircut, &context(vec![]), &used(0)).unwrap();
    assert_eq!((with.fuel_used, with.fuel_budget), (without.fuel_used, without.fuel_budget));
}

#[test]
fn a_plugin_may_decline_for_a_missing_fact() {
    let (engine, haircut) = loaded("haircut");
    let req = EligibilityRequest { used: None, ..used(0) };
    let fault = engine.eligibility(&haircut, &context(vec![]), &req).unwrap_err();
    assert_eq!(fault, Fault::Refused(Refusal::MissingFact("usage".into())));
}

#[test]
fn a_hook_that_a_plugin_does_not_have_is_a_fault() {
    let (engine, thanks) = loaded("thanks");
    assert_eq!(thanks.hooks().collect::<Vec<_>>(), [Hook::Award]);
    let fault = engine.eligibility(&thanks, &context(vec![]), &used(0)).unwrap_err();
    assert_eq!(fault, Fault::NoHook("booking-eligibility"));
}

#[test]
fn bytes_are_compiled_once_and_found_again_by_their_digest() {
    let (engine, haircut) = loaded("haircut");
    let again = engine.load(&built("haircut")).unwrap();
    assert!(Arc::ptr_eq(&haircut, &again));
    let digest = Digest::from_hex(&haircut.digest().to_string()).unwrap();
    assert!(engine.get(&digest).is_some_and(|plugin| Arc::ptr_eq(&plugin, &haircut)));
    assert!(engine.get(&Digest::of(b"something else")).is_none());
}

#[test]
fn bytes_that_were_never_validated_are_still_walked_before_they_are_compiled() {
    let error = engine().load(&hostile("importer")).unwrap_err();
    assert!(matches!(error, LoadError::Unacceptable(findings) if findings.len() >= 3));
}

#[test]
fn a_loop_runs_out_of_fuel() {
    for name in ["loop", "bulk-loop"] {
        assert!(matches!(fault_of(name), Fault::OutOfFuel { budget } if budget >= 500_000), "{name}");
    }
}

#[test]
fn a_guest_with_endless_fuel_still_meets_its_deadline() {
    let native = Limits { fuel_base: u64::MAX >> 1, ..Limits::native() };
    let config = EngineConfig { native, ..EngineConfig::embedded() };
    let engine = Engine::new(config).unwrap();
    let plugin = engine.load(&guest("loop")).unwrap();
    let started = Instant::now();
    let fault = engine.award(&plugin, &context(vec![]), &award_request()).unwrap_err();
    assert_eq!(fault, Fault::Deadline);
    assert!(started.elapsed() >= Duration::from_millis(4) && started.elapsed() < Duration::from_secs(2));
}

#[test]
fn memory_stack_and_answers_are_bounded() {
    assert_eq!(fault_of("memory-eater"), Fault::Memory);
    assert!(matches!(fault_of("recursion"), Fault::Trap(_)));
    assert!(matches!(fault_of("huge-answer"), Fault::BadResult(BadResult::Malformed(_))));
    assert!(matches!(fault_of("wild-pointer"), Fault::BadResult(BadResult::Malformed(_))));
}

#[test]
fn an_award_to_somebody_else_is_a_fault() {
    let fault = fault_of("undeclared-award");
    assert!(matches!(fault, Fault::BadResult(BadResult::NotOffered { what: "recipient", .. })), "{fault:?}");
}

#[test]
fn more_calls_than_instances_are_turned_away_and_nothing_breaks() {
    let native = Limits { instances: 1, fuel_base: u64::MAX >> 1, deadline_ticks: 200, ..Limits::native() };
    let config = EngineConfig { native, ..EngineConfig::embedded() };
    let engine = Engine::new(config).unwrap();
    let plugin = engine.load(&guest("loop")).unwrap();
    let ask = || engine.award(&plugin, &context(vec![]), &award_request()).unwrap_err();
    let faults: Vec<Fault> = thread::scope(|scope| {
        let calls: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert!(faults.iter().all(|fault| matches!(fault, Fault::Busy | Fault::Deadline)), "{faults:?}");
    assert!(faults.contains(&Fault::Deadline) && faults.contains(&Fault::Busy), "{faults:?}");
    let harmless = engine.load(&guest("harmless")).unwrap();
    assert!(engine.award(&harmless, &context(vec![]), &award_request()).is_ok());
}

#[test]
fn one_resident_leaves_nothing_behind_for_the_next() {
    // The guest writes into its memory and answers well only where that memory was clean.
    let body = r#"(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32)
        (if (i32.load (i32.const 60000)) (then (unreachable)))
        (i32.store (i32.const 60000) (i32.const 1))
        (i32.const 64))"#;
    let engine = engine();
    let plugin = engine.load(&guest_of(body)).unwrap();
    for _ in 0..200 {
        engine.award(&plugin, &context(vec![]), &award_request()).expect("clean memory");
    }
}
