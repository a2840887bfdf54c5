//! Evaluation: real plugins through the service.

use linli_kernel::Lang;
use linli_proto::common::{Amount, Answer, answer};
use linli_proto::rules::evaluate_request::Hook;
use linli_proto::rules::*;
use tonic_types::StatusExt as _;

use crate::suite::*;

fn timestamp(minutes: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds: START.secs() + minutes * 60, nanos: 0 })
}

fn request(kind: &str, hook: Hook) -> EvaluateRequest {
    EvaluateRequest {
        parent: "areas/xinhua".into(),
        kind: kind.into(),
        now: timestamp(0),
        utc_offset_min: 480,
        seed: 7,
        hook: Some(hook),
        ..EvaluateRequest::default()
    }
}

fn who(age_years: i32) -> Option<Member> {
    Some(Member { handle: 1, age_years, standing: "resident".into(), ..Member::default() })
}

fn slot(kind: &str) -> Option<SlotFacts> {
    Some(SlotFacts {
        kind: kind.into(),
        start_time: timestamp(600),
        length_min: 30,
        capacity: 4,
        ..SlotFacts::default()
    })
}

fn haircut(this_month: i32, open: i32) -> EvaluateRequest {
    let used = Some(Usage { open, this_month, ..Usage::default() });
    request(
        "haircut",
        Hook::Eligibility(EligibilityFacts {
            who: who(75),
            used,
            slot: slot("haircut"),
            party: 1,
            ..EligibilityFacts::default()
        }),
    )
}

fn eligibility(answer: &EvaluateResponse) -> EligibilityAnswer {
    match &answer.answer {
        Some(evaluate_response::Answer::Eligibility(found)) => found.clone(),
        other => panic!("not an eligibility: {other:?}"),
    }
}

fn price(answer: &EvaluateResponse) -> i64 {
    match &answer.answer {
        Some(evaluate_response::Answer::Price(found)) => found.price.as_ref().expect("a price").value,
        other => panic!("not a price: {other:?}"),
    }
}

fn fen(value: i64) -> Option<Amount> {
    Some(Amount { asset: "cny-fen".into(), value })
}

fn lunch(age: i32) -> EvaluateRequest {
    let answers = vec![Answer::default()];
    request(
        "lunch",
        Hook::Price(PriceFacts {
            who: who(age),
            slot: slot("lunch"),
            base: fen(1_500),
            floor: 0,
            ceiling: 2_000,
            answers,
            ..PriceFacts::default()
        }),
    )
}

impl Suite {
    async fn ask(&self, request: EvaluateRequest) -> Result<EvaluateResponse, tonic::Status> {
        self.booking(Lang::ZhCn).evaluate(request).await.map(tonic::Response::into_inner)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_third_haircut_of_a_month_is_denied_with_a_reason_in_chinese() {
    for suite in suites().await {
        let version = suite.ready("xinhua", "haircut").await;
        let twice = RuleBinding {
            kinds: vec!["haircut".into()],
            ..binding("booking-eligibility", &version, vec![number("per-month", 2)])
        };
        let twice = suite.bind("xinhua", "twice-a-month", twice).await.expect("binds");
        for (month, open) in [(0, 0), (1, 0), (1, 1)] {
            let answer = suite.ask(haircut(month, open)).await.expect("answers");
            assert_eq!(eligibility(&answer).verdict(), Verdict::Allow, "{month} {open}");
        }
        let denied = suite.ask(haircut(2, 1)).await.expect("answers");
        let found = eligibility(&denied);
        assert_eq!(found.verdict(), Verdict::Deny);
        let reason = &found.reasons[0];
        assert_eq!(
            (reason.code.as_str(), reason.args.as_slice()),
            ("already-this-month", &["2".to_owned(), "2".to_owned()][..])
        );
        assert_eq!(reason.message, "本月已约 2 次，上限 2 次");
        let text = reason.text.clone().expect("both languages");
        assert_eq!((text.zh_cn.as_str(), text.en.as_str()), (&*reason.message, "2 this month already, the limit is 2"));
        let part = &denied.parts[0];
        assert_eq!(
            (&part.rule_binding, &part.plugin_version, &part.digest),
            (&twice.name, &version.name, &version.digest)
        );
        assert_eq!(part.verdict, "deny: already-this-month");
        assert!(part.fuel_used > 0 && part.fuel_used < part.fuel_budget);
        assert_eq!(denied.revision, suite.in_force("booking-eligibility", "haircut").await.revision);
        assert_eq!(suite.ask(haircut(2, 1)).await.expect("answers again"), denied);
        let english = suite.booking(Lang::En).evaluate(haircut(2, 1)).await.expect("answers").into_inner();
        assert_eq!(eligibility(&english).reasons[0].message, text.en);
        let outside = suite.as_(OPERATOR).evaluate(haircut(2, 1)).await.expect_err("from outside");
        assert_eq!(refusal(&outside).0, "INTERNAL_ONLY");
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_of_a_district_hold_below_it_and_the_nearest_price_wins() {
    for suite in suites().await {
        let haircuts = suite.ready("heping", "haircut").await;
        let bind = async |area: &str, id: &str, bound: RuleBinding| suite.bind(area, id, bound).await.expect("binds");
        bind("heping", "district", binding("booking-eligibility", &haircuts, vec![number("per-month", 1)])).await;
        bind("xinhua", "own", binding("booking-eligibility", &haircuts, vec![number("per-month", 5)])).await;
        let strict = suite.ask(haircut(3, 0)).await.expect("answers");
        assert_eq!(eligibility(&strict).verdict(), Verdict::Deny, "all must allow");
        let names: Vec<&str> = strict.parts.iter().map(|part| part.rule_binding.as_str()).collect();
        assert_eq!(names, ["areas/xinhua/ruleBindings/own", "areas/heping/ruleBindings/district"]);
        let both = eligibility(&suite.ask(haircut(9, 0)).await.expect("answers"));
        assert_eq!(both.reasons.len(), 2, "reasons add up");

        let meals = suite.ready("heping", "meals").await;
        assert_eq!(price(&suite.ask(lunch(85)).await.expect("answers")), 1_500, "without a rule the base");
        bind("heping", "price", binding("booking-price", &meals, vec![])).await;
        assert_eq!(price(&suite.ask(lunch(85)).await.expect("answers")), 700, "the district's subsidy");
        bind("xinhua", "price", binding("booking-price", &meals, vec![numbers("subsidy-tiers", &[60, 100])])).await;
        let near = suite.ask(lunch(85)).await.expect("answers");
        assert_eq!(price(&near), 1_400, "the community's own");
        assert_eq!(near.parts.len(), 1);
        let elsewhere = EvaluateRequest { parent: "areas/guanba".into(), ..lunch(85) };
        assert_eq!(price(&suite.ask(elsewhere).await.expect("answers")), 700);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_rules_the_answers_are_neutral() {
    for suite in suites().await {
        let queue =
            vec![Waiting { who: who(90), ..Waiting::default() }, Waiting { who: who(20), ..Waiting::default() }];
        let priority = Hook::Priority(PriorityFacts { slot: slot("haircut"), queue });
        let award =
            Hook::Award(AwardFacts { actor: who(30), kind: "shift".into(), cap: fen(5), ..AwardFacts::default() });
        let requests = vec![haircut(9, 9), lunch(85), request("haircut", priority), request("shift", award)];
        let batch = BatchEvaluateRequest { parent: "areas/xinhua".into(), requests };
        let answer = suite.booking(Lang::ZhCn).batch_evaluate(batch).await.expect("answers").into_inner();
        let [first, second, third, fourth] = &answer.responses[..] else { panic!("four answers") };
        assert_eq!(eligibility(first).verdict(), Verdict::Allow);
        assert_eq!(price(second), 1_500);
        let scores = evaluate_response::Answer::Priority(PriorityAnswer { scores: vec![0, 0] });
        assert_eq!(third.answer, Some(scores));
        assert_eq!(fourth.answer, Some(evaluate_response::Answer::Award(AwardAnswer { grants: vec![] })));
        let none = BatchEvaluateRequest { parent: "areas/xinhua".into(), requests: vec![] };
        let empty = suite.booking(Lang::ZhCn).batch_evaluate(none).await.expect_err("nothing asked");
        assert_eq!(refusal(&empty).1, ["requests: FIELD_REQUIRED"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_is_scored_and_a_volunteer_is_thanked() {
    for suite in suites().await {
        let haircuts = suite.ready("xinhua", "haircut").await;
        suite.bind("xinhua", "queue", binding("booking-priority", &haircuts, vec![])).await.expect("binds");
        let queue =
            vec![Waiting { who: who(40), ..Waiting::default() }, Waiting { who: who(90), ..Waiting::default() }];
        let asked = request("haircut", Hook::Priority(PriorityFacts { slot: slot("haircut"), queue }));
        let scored = suite.ask(asked).await.expect("answers");
        let scores = evaluate_response::Answer::Priority(PriorityAnswer { scores: vec![0, 1_090] });
        assert_eq!(scored.answer, Some(scores));

        let thanks = suite.ready("xinhua", "thanks").await;
        let per_event = vec![number("per-event", 9)];
        let bound = suite.bind("xinhua", "thanks", binding("points-award", &thanks, per_event)).await.expect("binds");
        let award = AwardFacts {
            actor: who(30),
            kind: "shift-completed".into(),
            minutes: 120,
            role: "volunteer".into(),
            cap: Some(Amount { asset: "hearts".into(), value: 5 }),
            ..AwardFacts::default()
        };
        let answer = suite.ask(request("", Hook::Award(award))).await.expect("answers");
        let Some(evaluate_response::Answer::Award(found)) = answer.answer else { panic!("an award") };
        let grant = &found.grants[0];
        assert_eq!(grant.amount.as_ref().map(|a| a.value), Some(5), "within the cap");
        assert_eq!((&grant.rule_binding, &grant.digest), (&bound.name, &thanks.digest));
        assert_eq!(grant.reason.as_ref().map(|r| r.message.as_str()), Some("感谢服务 120 分钟"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn urgent_jobs_lead_the_queue_by_what_their_residents_answered() {
    for suite in suites().await {
        let repairs = suite.ready("xinhua", "repairs").await;
        suite.bind("xinhua", "queue", binding("booking-priority", &repairs, vec![])).await.expect("binds");
        assert_eq!(suite.in_force("booking-priority", "repair").await.facts, ["age", "tags", "answers"]);
        let urgent = |value: bool| vec![Answer { key: "urgent".into(), value: Some(answer::Value::Flag(value)) }];
        let waits = |age, answers| Waiting { who: who(age), answers, ..Waiting::default() };
        let alone = Some(Member { tags: vec!["living-alone".into()], ..who(40).unwrap_or_default() });
        let queue = vec![
            waits(40, urgent(false)),
            waits(80, Vec::new()),
            waits(40, urgent(true)),
            Waiting { who: alone, ..Waiting::default() },
        ];
        let asked = request("repair", Hook::Priority(PriorityFacts { slot: slot("repair"), queue }));
        let scored = suite.ask(asked).await.expect("answers");
        let scores = evaluate_response::Answer::Priority(PriorityAnswer { scores: vec![0, 100, 1_000, 50] });
        assert_eq!(scored.answer, Some(scores));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_without_an_answer_refuses_or_is_passed_over_as_its_binding_says() {
    for suite in suites().await {
        let version = suite.ready("xinhua", "haircut").await;
        suite.bind("xinhua", "strict", binding("booking-eligibility", &version, vec![])).await.expect("binds");
        let no_usage =
            request("haircut", Hook::Eligibility(EligibilityFacts { who: who(75), ..EligibilityFacts::default() }));
        let refused = suite.ask(no_usage.clone()).await.expect_err("no answer");
        assert_eq!((refused.code(), refusal(&refused).0), (tonic::Code::Unavailable, "RULE_FAULT".to_owned()));
        assert!(refused.get_details_retry_info().is_some());
        let lenient = RuleBinding {
            name: "areas/xinhua/ruleBindings/strict".into(),
            on_fault: OnFault::Skip as i32,
            ..RuleBinding::default()
        };
        let update = UpdateRuleBindingRequest { rule_binding: Some(lenient), ..UpdateRuleBindingRequest::default() };
        suite.as_(OPERATOR).update_rule_binding(update).await.expect("changes");
        let passed = suite.ask(no_usage).await.expect("answers");
        assert_eq!(eligibility(&passed).verdict(), Verdict::Allow);
        assert!(passed.parts[0].verdict.starts_with("fault: "), "{:?}", passed.parts);
        assert_eq!(passed.parts[0].fuel_used, passed.parts[0].fuel_budget);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resident_whose_birth_year_is_not_on_record_is_told_so_and_the_rule_is_not_blamed() {
    for suite in suites().await {
        let version = suite.ready("xinhua", "meals").await;
        suite.bind("xinhua", "meals", binding("booking-price", &version, vec![])).await.expect("binds");
        suite.quarantine_after(1).await;
        for lang in [Lang::ZhCn, Lang::En, Lang::En] {
            let refused = suite.booking(lang).evaluate(lunch(0)).await.expect_err("nobody knows the age");
            let said = (refused.code(), refusal(&refused).0);
            assert_eq!(said, (tonic::Code::FailedPrecondition, "FACT_MISSING".to_owned()));
            let text = refused.get_details_localized_message().expect("a text").message;
            let birth_year = if lang == Lang::En { "the year of birth" } else { "出生年份" };
            assert!(text.contains(birth_year), "{text}");
        }
        // A fault would be counted by now.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        suite.until_state(&version.name, PluginVersionState::Valid).await;
        assert_eq!(price(&suite.booking(Lang::En).evaluate(lunch(85)).await.expect("a price").into_inner()), 700);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_gets_its_track_and_its_ballot_the_stricter_thresholds() {
    let ratio = |numerator, denominator, exclusive| Some(Ratio { numerator, denominator, exclusive });
    for suite in suites().await {
        let version = suite.ready("xinhua", "tracks").await;
        for (id, hook) in [("track", "deliberation-track"), ("thresholds", "deliberation-thresholds")] {
            suite.bind("xinhua", id, binding(hook, &version, vec![])).await.expect("binds");
        }
        let ask = async |hook: Hook| suite.booking(Lang::ZhCn).evaluate(request("parking", hook)).await;
        let topic = TrackFacts {
            kind: "parking".into(),
            affected_households: Some(50),
            tracks: ["track-big", "track-small", "track-urgent"].map(String::from).to_vec(),
            ..TrackFacts::default()
        };
        let answer = ask(Hook::Track(topic.clone())).await.expect("an answer").into_inner();
        let Some(evaluate_response::Answer::Track(chosen)) = answer.answer else { panic!("a track") };
        assert_eq!(
            (chosen.track.as_str(), chosen.reason.expect("why").code.as_str()),
            ("track-big", "big-by-households")
        );

        let lawful = Thresholds { quorum: ratio(1, 2, false), pass: ratio(1, 2, true), open_hours: 24 };
        let ballot = ThresholdsFacts {
            kind: "parking".into(),
            track: "track-big".into(),
            eligible: 120,
            lawful: Some(lawful),
            ..ThresholdsFacts::default()
        };
        let answer = ask(Hook::Thresholds(ballot.clone())).await.expect("an answer").into_inner();
        let Some(evaluate_response::Answer::Thresholds(strict)) = answer.answer else { panic!("thresholds") };
        let asked = Thresholds { quorum: ratio(2, 3, false), pass: ratio(2, 3, false), open_hours: 168 };
        assert_eq!(strict.thresholds, Some(asked));
        assert_eq!(strict.reasons.iter().map(|reason| reason.code.as_str()).collect::<Vec<_>>(), ["big-thresholds"]);

        let nowhere = TrackFacts { tracks: vec![], ..topic };
        let refused = ask(Hook::Track(nowhere)).await.expect_err("no track to choose from");
        assert_eq!(refusal(&refused).1, ["track.tracks: FIELD_REQUIRED"]);
        let lawless = ThresholdsFacts { lawful: None, ..ballot };
        let refused = ask(Hook::Thresholds(lawless)).await.expect_err("no law");
        assert_eq!(refusal(&refused).1, ["thresholds.lawful: FIELD_REQUIRED"]);
    }
}
