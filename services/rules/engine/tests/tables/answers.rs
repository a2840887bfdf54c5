//! What documents answer.

use linli_rules_engine::deliberation::{Share, Thresholds, ThresholdsRequest, Topic, TrackRequest};
use linli_rules_engine::table::{Asked, Table};
use linli_rules_engine::types::{
    Amount, AwardEvent, AwardRequest, Member, PriorityRequest, Reason, Refusal, Setting, SettingValue, Terms, Usage,
    Verdict, Waiting,
};
use linli_rules_engine::{Fault, Hook, Outcome};

use crate::support::*;

fn reason(code: &str, args: &[&str]) -> Reason {
    Reason { code: code.to_owned(), args: args.iter().map(|&arg| arg.to_owned()).collect() }
}

fn price(table: &Table, who: Member, answers: Vec<Setting>) -> Terms {
    let req = price_request(who, answers);
    match table.evaluate(&context(), Asked::Price(&req), BUDGET).unwrap().0 {
        Outcome::Price(terms) => terms,
        other => panic!("{other:?}"),
    }
}

fn scores(table: &Table, queue: Vec<Member>, answers: &[Setting]) -> Vec<i32> {
    let queue = queue.into_iter().map(|who| Waiting { who, answers: answers.to_vec(), ..Waiting::default() });
    let req = PriorityRequest { queue: queue.collect(), ..PriorityRequest::default() };
    match table.evaluate(&context(), Asked::Priority(&req), BUDGET).unwrap().0 {
        Outcome::Priority(scores) => scores,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_second_haircut_of_a_month_is_denied_with_its_numbers() {
    let table = table(HAIRCUT);
    let denied = Verdict::Deny(reason("already-this-month", &["1", "1"]));
    assert_eq!(decide(&table, &request(person(None, &[]))), Ok(denied));
    let mut req = request(person(None, &[]));
    req.used = Some(Usage::default());
    assert_eq!(decide(&table, &req), Ok(Verdict::Allow));
    req.used = None;
    assert_eq!(decide(&table, &req), Err(Fault::Refused(Refusal::MissingFact("usage".to_owned()))));
}

#[test]
fn a_setting_of_the_binding_outweighs_the_default_and_a_wrong_one_is_refused() {
    let table = table(HAIRCUT);
    let req = request(person(None, &[]));
    let mut ctx = context();
    ctx.settings = vec![Setting { key: "per-month".to_owned(), value: SettingValue::Number(2) }];
    let (outcome, _) = table.evaluate(&ctx, Asked::Eligibility(&req), BUDGET).unwrap();
    assert_eq!(outcome, Outcome::Eligibility(Verdict::Allow));
    ctx.settings[0].value = SettingValue::Number(99);
    let refused = Err(Fault::Refused(Refusal::BadSettings("per-month".to_owned())));
    assert_eq!(table.evaluate(&ctx, Asked::Eligibility(&req), BUDGET), refused);
}

#[test]
fn scores_add_up_over_the_rows_that_hold() {
    let queue = vec![person(Some(40), &[]), person(Some(75), &["disability"]), person(None, &["living-alone"])];
    assert_eq!(scores(&table(HAIRCUT), queue, &[]), [0, 1_475, 200]);
}

#[test]
fn hardship_goes_first_at_the_canteen_and_the_bedridden_before_all() {
    let queue = || vec![person(Some(90), &[]), person(Some(61), &["hardship"]), person(Some(20), &["bedridden"])];
    let table = table(HARDSHIP);
    assert_eq!(scores(&table, queue(), &[]), [90, 5_061, 0]);
    assert_eq!(scores(&table, queue(), &[choice("mode", "delivery")]), [90, 5_061, 10_000]);
}

#[test]
fn the_subsidy_follows_the_age_and_delivery_is_added() {
    let table = table(MEALS);
    assert_eq!(price(&table, person(Some(59), &[]), vec![]).price, fen(1_500));
    let terms = price(&table, person(Some(75), &[]), vec![choice("mode", "delivery")]);
    assert_eq!(terms.price, fen(1_300));
    assert_eq!(terms.why, [reason("subsidy", &["400"]), reason("delivery", &["200"])]);
    assert_eq!(price(&table, person(Some(75), &["hardship"]), vec![choice("mode", "dine-in")]).price, fen(500));
}

#[test]
fn a_need_stands_in_for_an_age_that_is_unknown() {
    let table = table(MEALS);
    let mut req = request(person(None, &["living-alone"]));
    req.slot.starts = context().now + 240;
    assert_eq!(decide(&table, &req), Ok(Verdict::Allow));
    req.slot.starts = context().now + 119;
    assert_eq!(decide(&table, &req), Ok(Verdict::Deny(reason("too-late", &["120"]))));
    let mut req = request(person(None, &[]));
    req.slot.starts = context().now + 240;
    assert_eq!(decide(&table, &req), Err(Fault::Refused(Refusal::MissingFact("age".to_owned()))));
}

#[test]
fn a_peer_score_earns_points_within_the_assets_that_have_a_cap() {
    let event = AwardEvent { kind: "peer-score".to_owned(), score: Some(90), ..AwardEvent::default() };
    let caps = vec![Amount { asset: "points".to_owned(), value: 50 }];
    let mut req = AwardRequest { actor: person(None, &[]), event, caps, ..AwardRequest::default() };
    let table = table(PEER_SCORE);
    let grant = |req: &AwardRequest| match table.evaluate(&context(), Asked::Award(req), BUDGET).unwrap().0 {
        Outcome::Award(awards) => awards.into_iter().map(|award| (award.amount.value, award.why)).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(grant(&req), [(10, reason("outstanding", &["90"]))]);
    req.event.score = Some(89);
    assert_eq!(grant(&req), [(5, reason("good", &["89"]))]);
    req.event.score = Some(59);
    assert_eq!(grant(&req), []);
    req.event.score = Some(90);
    req.caps.clear();
    assert_eq!(grant(&req), []);
}

#[test]
fn a_track_that_the_place_lacks_is_passed_over() {
    let table = table(TRACKS);
    let topic = Topic { affected_households: Some(31), tags: vec!["urgent".to_owned()], ..Topic::default() };
    let choose = |tracks: &[&str]| {
        let tracks = tracks.iter().map(|&track| track.to_owned()).collect();
        let req = TrackRequest { topic: topic.clone(), tracks };
        table.evaluate(&context(), Asked::Track(&req), BUDGET).map(|(outcome, _)| match outcome {
            Outcome::Track(choice) => (choice.track, choice.why),
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(choose(&["small", "big", "urgent"]), Ok(("urgent".to_owned(), reason("urgent", &[]))));
    assert_eq!(choose(&["small", "big"]), Ok(("big".to_owned(), reason("large", &["31"]))));
    assert_eq!(choose(&["other"]), Err(Fault::Refused(Refusal::Unsupported("track".to_owned()))));
}

#[test]
fn thresholds_that_a_row_leaves_out_stay_lawful() {
    let half = Some(Share { numerator: 1, denominator: 2, exclusive: false });
    let lawful = Thresholds { quorum: half, pass: half, open_hours: 72 };
    let tighten = |cost_fen| {
        let req = ThresholdsRequest { cost_fen, lawful, ..ThresholdsRequest::default() };
        match table(TRACKS).evaluate(&context(), Asked::Thresholds(&req), BUDGET).unwrap().0 {
            Outcome::Thresholds(tightened) => tightened.thresholds,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(tighten(None), lawful);
    let two_thirds = Some(Share { numerator: 2, denominator: 3, exclusive: false });
    assert_eq!(tighten(Some(1_000_000)), Thresholds { pass: two_thirds, open_hours: 168, ..lawful });
    let most = Some(Share { numerator: 3, denominator: 4, exclusive: true });
    assert_eq!(tighten(Some(5_000_000)), Thresholds { quorum: two_thirds, pass: most, open_hours: 336 });
}

#[test]
fn every_short_form_means_what_it_says() {
    let holds = |subject: &str, text: &str| {
        let mut req = request(person(Some(70), &["hardship", "pilot"]));
        req.slot.kind = "haircut".to_owned();
        req.answers = vec![Setting { key: "urgent".to_owned(), value: SettingValue::Flag(true) }];
        decide(&table(&cell(subject, text)), &req).unwrap() == Verdict::Allow
    };
    let age = "who.age_years";
    for text in [
        "",
        "-",
        "70",
        "== 70",
        "!= 71",
        "> 69",
        ">= 70",
        "< 71",
        "<= 70",
        "70..70",
        "60..69 + 1",
        "known",
        "any of [1, 70]",
        "none of [1, 2]",
        "= who.age_years == 70 && party == 2",
        ">= settings.n * 20",
    ] {
        assert!(holds(age, text), "{text}");
    }
    for text in ["71", "> 70", "< 70", "71..80", "60..69", "unknown", "any of [1]", "none of [70]", "= party == 3"] {
        assert!(!holds(age, text), "{text}");
    }
    for text in ["haircut", "not meal", "any of [meal, haircut]", "none of [meal]", "= slot.kind != \"meal\""] {
        assert!(holds("slot.kind", text), "{text}");
    }
    for text in ["meal", "not haircut", "any of [meal]", "none of [haircut]"] {
        assert!(!holds("slot.kind", text), "{text}");
    }
    for text in [
        "hardship",
        "not bedridden",
        "any of [bedridden, pilot]",
        "all of [pilot, hardship]",
        "none of [bedridden]",
        "any of settings.list",
    ] {
        assert!(holds("who.tags", text), "{text}");
    }
    for text in [
        "bedridden",
        "not pilot",
        "any of [bedridden]",
        "all of [pilot, bedridden]",
        "none of [pilot]",
        "all of settings.list",
    ] {
        assert!(!holds("who.tags", text), "{text}");
    }
    assert!(holds("answers.urgent", "yes") && !holds("answers.urgent", "no"));
    assert!(holds("answers.mode", "unknown") && !holds("answers.mode", "known"));
    assert!(holds("1 + 1 == 2", "yes"));
}

#[test]
fn every_function_is_known() {
    for text in [
        "min(1, 2) == 1 && max(1, 2) == 2 && abs(-3) == 3",
        "size(who.tags) == 2 && size([1, 2, 3]) == 3",
        "default(who.age_years, 5) == 70 && default(who.standing, \"guest\") == \"guest\"",
        "has(who.age_years) && !has(who.standing)",
        "tier(settings.tiers, 59) == 0 && tier(settings.tiers, 69) == 200 && tier(settings.tiers, 70) == 400",
        // Minute 0 in Shanghai is eight in the morning of a Thursday.
        "hour(0) == 8 && weekday(0) == 4 && weekday(1440 * 3) == 7 && weekday(16 * 60) == 5",
        "who.tags.exists(t, t == \"pilot\") && who.tags.all(t, t in [\"pilot\", \"hardship\"])",
        "size(who.tags.filter(t, t != \"pilot\")) == 1",
        "balances.points == 0 && 7 / 2 == 3 && -7 % 3 == -1 && (party > 1 ? 5 : 6) == 5",
        "\"pilot\" in who.tags && !(\"x\" in who.tags) && settings[\"n\"] == 3 && seed == 7",
    ] {
        let req = request(person(Some(70), &["hardship", "pilot"]));
        assert_eq!(decide(&table(&when(text)), &req), Ok(Verdict::Allow), "{text}");
    }
}

#[test]
fn a_side_that_decides_outweighs_a_fact_that_is_missing() {
    let decide = |text: &str| decide(&table(&when(text)), &request(person(None, &[])));
    assert_eq!(decide("who.age_years > 3 || true"), Ok(Verdict::Allow));
    assert_eq!(decide("who.age_years > 3 && false"), Ok(Verdict::Abstain));
    let missing = Err(Fault::Refused(Refusal::MissingFact("age".to_owned())));
    assert_eq!(decide("who.age_years > 3 || false"), missing);
    assert_eq!(decide("who.age_years > 3 && true"), missing);
}

#[test]
fn overflow_and_division_by_zero_are_faults() {
    let decide = |text: &str| decide(&table(&when(text)), &request(person(Some(0), &[])));
    assert!(matches!(decide("1 / who.age_years == 1"), Err(Fault::Trap(_))));
    assert!(matches!(decide("1 % who.age_years == 1"), Err(Fault::Trap(_))));
    let square = "2147483647 * 2147483647 * 2147483647 > 0";
    assert!(matches!(decide(square), Err(Fault::Trap(_))));
}

#[test]
fn a_budget_that_is_used_up_is_a_fault_and_the_bound_suffices() {
    let table = table(HAIRCUT);
    let req = request(person(None, &[]));
    let short = table.evaluate(&context(), Asked::Eligibility(&req), 2);
    assert_eq!(short, Err(Fault::OutOfFuel { budget: 2 }));
    assert!(table.evaluate(&context(), Asked::Eligibility(&req), table.cost_bound(Hook::Eligibility)).is_ok());
}

#[test]
fn the_facts_are_those_that_the_expressions_use() {
    assert_eq!(table(HAIRCUT).manifest().facts, ["age", "tags", "usage"]);
    assert_eq!(table(MEALS).manifest().facts, ["age", "tags", "answers"]);
    assert_eq!(table(PEER_SCORE).manifest().facts, Vec::<String>::new());
    assert_eq!(table(HAIRCUT).hooks().collect::<Vec<_>>(), [Hook::Eligibility, Hook::Priority]);
}

#[test]
fn mutants_differ_in_one_number_or_comparison_and_a_case_at_the_boundary_tells_them() {
    let document = document("  booking-eligibility:\n    - {when: who.age_years >= 70, then: allow}\n");
    let original = table(&document);
    let mutants = original.mutants();
    let of_row: Vec<_> = mutants.iter().filter(|(what, _)| what.contains("row 1")).collect();
    assert_eq!(of_row.len(), 3, "{mutants:?}");
    assert!(mutants.iter().any(|(what, _)| what == "the default of n: 3 becomes 4"));
    let answers = |table: &Table| [69, 70].map(|age| decide(table, &request(person(Some(age), &[]))));
    for (what, mutant) in of_row {
        assert_ne!(answers(mutant), answers(&original), "{what}");
    }
}
