//! The life of a rule: beside the traffic, for some, for all, back again; with a second person, at a date, into quarantine.

use linli_kernel::Lang;
use linli_proto::rules::evaluate_request::Hook;
use linli_proto::rules::*;

use crate::suite::*;

const ELIGIBILITY: &str = "booking-eligibility";
const MONTHLY: &str = "areas/xinhua/ruleBindings/monthly";

fn haircut(this_month: i32, bucket: i32) -> EvaluateRequest {
    let facts = EligibilityFacts {
        who: Some(Member { handle: 1, age_years: 75, ..Member::default() }),
        used: Some(Usage { this_month, ..Usage::default() }),
        slot: Some(SlotFacts { kind: "haircut".into(), ..SlotFacts::default() }),
        party: 1,
        ..EligibilityFacts::default()
    };
    EvaluateRequest {
        parent: "areas/xinhua".into(),
        kind: "haircut".into(),
        now: Some(prost_types::Timestamp { seconds: START.secs(), nanos: 0 }),
        utc_offset_min: 480,
        bucket,
        hook: Some(Hook::Eligibility(facts)),
        ..EvaluateRequest::default()
    }
}

fn verdict(answer: &EvaluateResponse) -> Verdict {
    match &answer.answer {
        Some(evaluate_response::Answer::Eligibility(found)) => found.verdict(),
        other => panic!("not an eligibility: {other:?}"),
    }
}

fn monthly(version: &PluginVersion, most: i32) -> RuleBinding {
    RuleBinding { name: MONTHLY.into(), ..binding(ELIGIBILITY, version, vec![number("per-month", most)]) }
}

fn proposal(wanted: RuleBinding, stage: RuleStage, canary_permille: i32) -> CreateRuleChangeRequest {
    let rule_change =
        Some(RuleChange { rule_binding: Some(wanted), stage: stage.into(), canary_permille, ..RuleChange::default() });
    let note = "the assembly asked for it".to_owned();
    CreateRuleChangeRequest { parent: "areas/xinhua".into(), rule_change, note, ..CreateRuleChangeRequest::default() }
}

impl Suite {
    async fn asked(&self, request: EvaluateRequest) -> EvaluateResponse {
        self.booking(Lang::ZhCn).evaluate(request).await.expect("answers").into_inner()
    }

    async fn propose(&self, request: CreateRuleChangeRequest) -> RuleChange {
        self.as_(OPERATOR).create_rule_change(request).await.expect("proposes").into_inner()
    }

    async fn change(&self, name: &str) -> RuleChange {
        let request = GetRuleChangeRequest { name: name.into() };
        self.as_(OPERATOR).get_rule_change(request).await.expect("a change").into_inner()
    }

    /// The name of the open change of a binding.
    async fn open_change(&self, binding: &str) -> String {
        let filter = format!("rule_binding = \"{binding}\"");
        let list =
            ListRuleChangesRequest { parent: "areas/xinhua".into(), filter, ..ListRuleChangesRequest::default() };
        let all = self.as_(OPERATOR).list_rule_changes(list).await.expect("lists").into_inner().rule_changes;
        all.last().expect("one").name.clone()
    }

    async fn promote(&self, name: &str, stage: RuleStage, canary_permille: i32) -> RuleChange {
        let stage = stage.into();
        let request = PromoteRuleChangeRequest { name: name.into(), stage, canary_permille, ..Default::default() };
        self.as_(OPERATOR).promote_rule_change(request).await.expect("promotes").into_inner()
    }

    async fn monthly_now(&self) -> RuleBinding {
        let request = GetRuleBindingRequest { name: MONTHLY.into() };
        self.as_(OPERATOR).get_rule_binding(request).await.expect("a binding").into_inner()
    }

    async fn second_person(&self) {
        let policy = RulesPolicy {
            name: "areas/xinhua/rulesPolicy".into(),
            second_person_required: true,
            source: "charter of 2026".into(),
            ..RulesPolicy::default()
        };
        let request = UpdateRulesPolicyRequest { rules_policy: Some(policy), ..UpdateRulesPolicyRequest::default() };
        self.as_(OPERATOR).update_rules_policy(request).await.expect("a policy");
    }

    async fn roll_back(&self) -> Result<RuleChange, tonic::Status> {
        let request =
            RollBackRuleBindingRequest { name: MONTHLY.into(), note: "complaints".into(), ..Default::default() };
        self.as_(OPERATOR).roll_back_rule_binding(request).await.map(tonic::Response::into_inner)
    }
}

fn actions(change: &RuleChange) -> Vec<&str> {
    change.steps.iter().map(|step| step.action.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_is_asked_and_counted_and_changes_no_answer() {
    for suite in suites().await {
        let version = suite.ready("xinhua", "haircut").await;
        suite.bind("xinhua", "monthly", monthly(&version, 5)).await.expect("binds");
        let change = suite.propose(proposal(monthly(&version, 1), RuleStage::Shadow, 0)).await;
        assert_eq!((change.state(), actions(&change)), (RuleChangeState::Trial, vec!["propose", "start"]));
        for _ in 0..5 {
            let answer = suite.asked(haircut(2, 0)).await;
            assert_eq!(verdict(&answer), Verdict::Allow);
            let stages: Vec<_> = answer.parts.iter().map(|part| (part.stage(), part.verdict.as_str())).collect();
            let shadow = (RuleStage::Shadow, "deny: already-this-month");
            assert_eq!(stages, [(RuleStage::Active, "allow"), shadow]);
        }
        suite.asked(haircut(0, 0)).await;
        let counted = suite.change(&change.name).await.outcomes;
        let counted: Vec<_> =
            counted.iter().map(|o| (o.was.as_str(), o.would.as_str(), o.reason.as_str(), o.count.as_str())).collect();
        assert_eq!(counted, [("allow", "deny", "already-this-month", "5"), ("allow", "allow", "", "<5")]);
        let candidate = suite.monthly_now().await.candidate.expect("a candidate");
        assert_eq!((candidate.rule_change, candidate.stage), (change.name, RuleStage::Shadow as i32));
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_is_obeyed_below_its_share_and_then_by_all_and_goes_back_once() {
    for suite in suites().await {
        let version = suite.ready("xinhua", "haircut").await;
        let first = suite.bind("xinhua", "monthly", monthly(&version, 5)).await.expect("binds");
        let change = suite.propose(proposal(monthly(&version, 1), RuleStage::Canary, 100)).await;
        let below = suite.asked(haircut(2, 99)).await;
        assert_eq!((verdict(&below), below.parts[0].stage()), (Verdict::Deny, RuleStage::Canary));
        let above = suite.asked(haircut(2, 100)).await;
        assert_eq!((verdict(&above), above.parts[0].stage()), (Verdict::Allow, RuleStage::Active));
        suite.promote(&change.name, RuleStage::Canary, 500).await;
        assert_eq!(verdict(&suite.asked(haircut(2, 100)).await), Verdict::Deny);
        let active = suite.promote(&change.name, RuleStage::Active, 0).await;
        assert_eq!(active.state(), RuleChangeState::Active);
        assert_eq!(active.previous.as_ref().map(|b| &b.settings), Some(&first.settings));
        assert_eq!(verdict(&suite.asked(haircut(2, 999)).await), Verdict::Deny);
        suite.verify().await;
        let undone = suite.roll_back().await.expect("goes back");
        assert_eq!((undone.name.as_str(), undone.state()), (change.name.as_str(), RuleChangeState::RolledBack));
        assert_eq!(suite.monthly_now().await.settings, first.settings);
        assert_eq!(verdict(&suite.asked(haircut(2, 0)).await), Verdict::Allow);
        suite.verify().await;
        assert_eq!(refusal(&suite.roll_back().await.expect_err("once")).0, "NOTHING_TO_ROLL_BACK");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_is_new_can_be_tried_before_anything_is_in_force() {
    for suite in suites().await {
        let version = suite.ready("xinhua", "haircut").await;
        let change = suite.propose(proposal(monthly(&version, 1), RuleStage::Shadow, 0)).await;
        let found = suite.in_force(ELIGIBILITY, "haircut").await;
        assert_eq!((found.rules.len(), found.facts.len()), (1, 3));
        assert!(found.rules[0].rule_binding.as_ref().is_some_and(|b| b.disabled && b.candidate.is_some()));
        let answer = suite.asked(haircut(2, 0)).await;
        assert_eq!((verdict(&answer), answer.parts[0].stage()), (Verdict::Allow, RuleStage::Shadow));
        let again = proposal(monthly(&version, 2), RuleStage::Shadow, 0);
        let second = suite.as_(OPERATOR).create_rule_change(again).await.expect_err("one at a time");
        assert_eq!(refusal(&second).0, "CHANGE_OPEN");
        let request = WithdrawRuleChangeRequest { name: change.name, ..WithdrawRuleChangeRequest::default() };
        let gone = suite.as_(OPERATOR).withdraw_rule_change(request).await.expect("withdraws").into_inner();
        assert_eq!(gone.state(), RuleChangeState::Withdrawn);
        assert!(suite.in_force(ELIGIBILITY, "haircut").await.rules.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_charter_wants_it_nobody_approves_their_own_change() {
    for suite in suites().await {
        let version = suite.ready("xinhua", "haircut").await;
        suite.bind("xinhua", "monthly", monthly(&version, 5)).await.expect("binds");
        suite.second_person().await;
        let alone = suite.bind("xinhua", "other", monthly(&version, 5)).await.expect_err("alone");
        assert_eq!(refusal(&alone).0, "APPROVAL_REQUIRED");
        let change = suite.propose(proposal(monthly(&version, 1), RuleStage::Active, 0)).await;
        assert_eq!(change.state(), RuleChangeState::PendingApproval);
        assert_eq!(verdict(&suite.asked(haircut(2, 0)).await), Verdict::Allow);
        let approve = |etag: &str| ApproveRuleChangeRequest {
            name: change.name.clone(),
            etag: etag.into(),
            ..ApproveRuleChangeRequest::default()
        };
        let own = suite.as_(OPERATOR).approve_rule_change(approve("")).await.expect_err("their own");
        assert_eq!(refusal(&own).0, "SECOND_PERSON_NEEDED");
        let stale = suite.as_(SECOND).approve_rule_change(approve("r99")).await.expect_err("not what was read");
        assert_eq!(refusal(&stale).0, "STALE_ETAG");
        let agreed = suite.as_(SECOND).approve_rule_change(approve(&change.etag)).await.expect("agrees").into_inner();
        assert_eq!(
            (agreed.state(), actions(&agreed)),
            (RuleChangeState::Active, vec!["propose", "approve", "activate"])
        );
        assert_eq!(verdict(&suite.asked(haircut(2, 0)).await), Verdict::Deny);
        suite.verify().await;
        let off = RuleBinding { name: MONTHLY.into(), disabled: true, ..RuleBinding::default() };
        let off = UpdateRuleBindingRequest { rule_binding: Some(off), ..UpdateRuleBindingRequest::default() };
        suite.as_(OPERATOR).update_rule_binding(off).await.expect("switching off needs nobody else");
        assert_eq!(verdict(&suite.asked(haircut(2, 0)).await), Verdict::Allow);
        let broken: Vec<_> = suite.checks(OPERATOR).await.into_iter().flat_map(|check| check.violations).collect();
        assert!(broken.is_empty(), "{broken:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_change_is_part_of_the_history_and_can_be_taken_back() {
    for suite in suites().await {
        let version = suite.ready("xinhua", "haircut").await;
        suite.bind("xinhua", "monthly", monthly(&version, 5)).await.expect("binds");
        let trial = suite.propose(proposal(monthly(&version, 1), RuleStage::Shadow, 0)).await;
        let delete = DeleteRuleBindingRequest { name: MONTHLY.into(), ..DeleteRuleBindingRequest::default() };
        suite.as_(OPERATOR).delete_rule_binding(delete).await.expect("deletes");
        assert_eq!(suite.change(&trial.name).await.state(), RuleChangeState::Withdrawn);
        let list = ListRuleChangesRequest {
            parent: "areas/xinhua".into(),
            filter: format!("rule_binding = \"{MONTHLY}\""),
            ..ListRuleChangesRequest::default()
        };
        let all = suite.as_(OPERATOR).list_rule_changes(list).await.expect("lists").into_inner().rule_changes;
        let states: Vec<_> = all.iter().map(RuleChange::state).collect();
        assert_eq!(states, [RuleChangeState::Superseded, RuleChangeState::Withdrawn, RuleChangeState::Active]);
        suite.roll_back().await.expect("goes back");
        assert_eq!(suite.monthly_now().await.settings, vec![number("per-month", 5)]);
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_takes_effect_at_its_date_once_and_one_that_may_not_any_more_fails_and_says_why() {
    for suite in suites().await {
        let replica = suite.replica().await;
        let version = suite.ready("xinhua", "haircut").await;
        suite.bind("xinhua", "monthly", monthly(&version, 5)).await.expect("binds");
        let at = |wanted: RuleBinding, hours: i64| {
            let mut request = proposal(wanted, RuleStage::Active, 0);
            let effective = prost_types::Timestamp { seconds: START.secs() + hours * 3_600, nanos: 0 };
            request.rule_change.as_mut().expect("a change").effective_time = Some(effective);
            request
        };
        let until = async |change: &RuleChange, state: RuleChangeState| {
            for _ in 0..200 {
                let found = suite.change(&change.name).await;
                if found.state() == state {
                    return found;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            panic!("{state:?} does not come: {:?}", suite.change(&change.name).await);
        };
        let first = suite.propose(at(monthly(&version, 1), 1)).await;
        assert_eq!(first.state(), RuleChangeState::Scheduled);
        assert_eq!(verdict(&suite.asked(haircut(2, 0)).await), Verdict::Allow);
        suite.clock.advance_to(START.plus_secs(3_600));
        let done = until(&first, RuleChangeState::Active).await;
        assert_eq!(actions(&done), ["propose", "activate"]);
        assert_eq!(verdict(&suite.asked(haircut(2, 0)).await), Verdict::Deny);

        let second = replica.propose(at(monthly(&version, 9), 2)).await;
        suite.second_person().await;
        suite.clock.advance_to(START.plus_secs(7_200));
        let failed = until(&second, RuleChangeState::Failed).await;
        let last = failed.steps.last().expect("a step");
        assert_eq!((last.action.as_str(), last.note.as_str()), ("fail", "APPROVAL_REQUIRED"));
        assert_eq!(suite.monthly_now().await.settings, vec![number("per-month", 1)]);
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_on_trial_count_among_those_that_a_booking_may_meet() {
    for suite in suites().await {
        let version = suite.ready("xinhua", "haircut").await;
        let tried = |number: usize| {
            let name = format!("areas/xinhua/ruleBindings/tried-{number}");
            proposal(RuleBinding { name, ..monthly(&version, 5) }, RuleStage::Canary, 1)
        };
        for number in 0..8 {
            suite.propose(tried(number)).await;
        }
        let ninth = suite.as_(OPERATOR).create_rule_change(tried(8)).await.expect_err("one too many");
        assert_eq!(refusal(&ninth).1, ["rule_change.rule_binding.hook: BINDINGS_FULL"]);
        let bound = suite.bind("xinhua", "monthly", monthly(&version, 5)).await.expect_err("one too many");
        assert_eq!(refusal(&bound).1, ["rule_binding.hook: BINDINGS_FULL"]);
        let (tenth, eleventh) = (suite.as_(OPERATOR), suite.as_(SECOND));
        let name = suite.open_change("areas/xinhua/ruleBindings/tried-0").await;
        let withdraw = WithdrawRuleChangeRequest { name, ..WithdrawRuleChangeRequest::default() };
        suite.as_(OPERATOR).withdraw_rule_change(withdraw).await.expect("withdraws");
        let at_once = async |mut client: Client, number| client.create_rule_change(tried(number)).await.is_ok();
        let (a, b) = tokio::join!(at_once(tenth, 10), at_once(eleventh, 11));
        assert!(a != b, "one place, two proposals: {a} {b}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_repeats_its_answer_also_when_its_date_is_over() {
    for suite in suites().await {
        let version = suite.ready("xinhua", "haircut").await;
        let mut request = proposal(monthly(&version, 1), RuleStage::Active, 0);
        let date = prost_types::Timestamp { seconds: START.secs() + 60, nanos: 0 };
        request.rule_change.as_mut().expect("a change").effective_time = Some(date);
        request.request_id = "11111111-1111-4111-8111-111111111111".into();
        let first = suite.propose(request.clone()).await;
        suite.clock.advance_to(START.plus_secs(3_600));
        let again = suite.propose(request.clone()).await;
        assert_eq!(again.name, first.name);
        request.request_id = "22222222-2222-4222-8222-222222222222".into();
        request.rule_change.as_mut().expect("a change").rule_binding =
            Some(RuleBinding { name: "areas/xinhua/ruleBindings/other".into(), ..monthly(&version, 1) });
        let late = suite.as_(OPERATOR).create_rule_change(request).await.expect_err("another, too late");
        assert_eq!(refusal(&late).1, ["rule_change.effective_time: EFFECTIVE_TIME_RANGE"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_back_to_a_version_in_quarantine() {
    for suite in suites().await {
        let (first, second) = (suite.ready("xinhua", "haircut").await, suite.ready("xinhua", "repairs").await);
        suite.bind("xinhua", "monthly", monthly(&first, 5)).await.expect("binds");
        let other = RuleBinding { name: MONTHLY.into(), ..binding("booking-priority", &second, vec![]) };
        suite.propose(proposal(other, RuleStage::Active, 0)).await;
        suite.tamper(&format!("UPDATE plugin_version SET state = 4 WHERE digest = '{}'", first.digest)).await;
        let refused = suite.roll_back().await.expect_err("it is not asked");
        assert_eq!(refusal(&refused).1, ["plugin_version: VERSION_QUARANTINED"]);
        assert_eq!(suite.monthly_now().await.plugin_version, second.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_shadow_would_have_said_outlives_the_process_that_asked_it() {
    for suite in suites().await {
        let version = suite.ready("xinhua", "haircut").await;
        suite.bind("xinhua", "monthly", monthly(&version, 5)).await.expect("binds");
        let change = suite.propose(proposal(monthly(&version, 1), RuleStage::Shadow, 0)).await;
        for _ in 0..6 {
            suite.asked(haircut(2, 0)).await;
        }
        let replica = suite.replica().await;
        suite.stop().await;
        let counted = replica.change(&change.name).await.outcomes;
        assert_eq!(counted.iter().map(|o| (o.would.as_str(), o.count.as_str())).collect::<Vec<_>>(), [("deny", "6")]);
    }
}
