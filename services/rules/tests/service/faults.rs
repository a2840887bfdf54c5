//! Rules that give no answer: guests that misbehave where no sample question looked, damaged rows, crowds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use linli_kernel::Lang;
use linli_proto::common::Amount;
use linli_proto::rules::evaluate_request::Hook;
use linli_proto::rules::*;
use sea_orm::ConnectionTrait as _;
use tonic_types::StatusExt as _;

use crate::suite::*;

/// Minutes at which the guest `off-corpus` misbehaves, with the fault's code and what a receipt says of it.
const WRONGS: [(i64, &str, &str); 4] = [
    (40_000_001, "out-of-fuel", "fuel budget"),
    (40_000_002, "trap", "trapped"),
    (40_000_003, "memory", "memory limit"),
    (40_000_004, "bad-result", "not allowed"),
];
const LOOPS: i64 = WRONGS[0].0;

fn award(area: &str, minute: i64) -> EvaluateRequest {
    let facts = AwardFacts {
        actor: Some(Member { handle: 1, ..Member::default() }),
        kind: "shift-completed".into(),
        role: "volunteer".into(),
        minutes: 60,
        cap: Some(Amount { asset: "hearts".into(), value: 5 }),
        ..AwardFacts::default()
    };
    EvaluateRequest {
        parent: format!("areas/{area}"),
        now: Some(prost_types::Timestamp { seconds: minute * 60, nanos: 0 }),
        utc_offset_min: 480,
        hook: Some(Hook::Award(facts)),
        ..EvaluateRequest::default()
    }
}

fn granted(answer: &EvaluateResponse) -> i64 {
    let Some(evaluate_response::Answer::Award(found)) = &answer.answer else { panic!("an award") };
    found.grants.iter().filter_map(|grant| grant.amount.as_ref()).map(|amount| amount.value).sum()
}

impl Suite {
    async fn award(&self, area: &str, minute: i64) -> Result<EvaluateResponse, tonic::Status> {
        self.booking(Lang::ZhCn).evaluate(award(area, minute)).await.map(tonic::Response::into_inner)
    }

    async fn lenient(&self, id: &str) {
        let lenient = RuleBinding {
            name: format!("areas/xinhua/ruleBindings/{id}"),
            on_fault: OnFault::Skip as i32,
            ..RuleBinding::default()
        };
        let update = UpdateRuleBindingRequest { rule_binding: Some(lenient), ..UpdateRuleBindingRequest::default() };
        self.as_(OPERATOR).update_rule_binding(update).await.expect("changes");
    }

    /// A well-behaved rule that thanks with one heart.
    async fn thanks(&self, area: &str) {
        let version = self.ready(area, "thanks").await;
        self.bind(area, "thanks", binding("points-award", &version, vec![])).await.expect("binds");
    }
}

fn said(refused: &tonic::Status) -> Vec<String> {
    let info = refused.get_details_error_info().expect("details");
    ["rule_binding", "plugin_version", "fault"].map(|key| info.metadata.get(key).cloned().unwrap_or_default()).to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_misbehaves_where_no_sample_looked_is_named_or_passed_over() {
    for suite in suites().await {
        let version = suite.ready_guest("xinhua", "off-corpus").await;
        let bound = suite.bind("xinhua", "a-wild", binding("points-award", &version, vec![])).await.expect("binds");
        suite.thanks("xinhua").await;
        assert_eq!(granted(&suite.award("xinhua", 29_000_000).await.expect("it behaves")), 1);
        for (minute, code, _) in WRONGS {
            let refused = suite.award("xinhua", minute).await.expect_err("no answer");
            assert_eq!((refused.code(), refusal(&refused).0.as_str()), (tonic::Code::Unavailable, "RULE_FAULT"));
            let [binding, named, why] = &said(&refused)[..] else { panic!("three") };
            assert_eq!((binding, named), (&bound.name, &version.name));
            assert_eq!(why, code, "{minute}: what else is known of a fault may hold facts");
        }
        suite.lenient("a-wild").await;
        for (minute, _, fault) in WRONGS {
            let passed = suite.award("xinhua", minute).await.expect("passed over");
            assert_eq!(granted(&passed), 1, "the other rule still thanks");
            let part = &passed.parts[0];
            assert!(part.verdict.starts_with("fault: ") && part.verdict.contains(fault), "{part:?}");
            assert_eq!(part.fuel_used, part.fuel_budget, "a fault is billed the whole budget");
        }
        assert_eq!(granted(&suite.award("xinhua", 29_000_000).await.expect("nothing stayed broken")), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_version_is_the_fault_of_its_own_rule_and_not_of_the_area() {
    let damages = [
        "UPDATE plugin_version SET digest = 'none'",
        "UPDATE plugin_version SET manifest = '{'",
        "UPDATE plugin_version SET state = 3",
        "DELETE FROM plugin_version",
    ];
    for (damage, on_fault) in damages.into_iter().flat_map(|d| [(d, OnFault::Deny), (d, OnFault::Skip)]) {
        for suite in suites().await {
            let version = suite.ready_guest("xinhua", "harmless").await;
            let hurt = RuleBinding { on_fault: on_fault as i32, ..binding("points-award", &version, vec![]) };
            let hurt = suite.bind("xinhua", "a-hurt", hurt).await.expect("binds");
            suite.tamper(&format!("{damage} WHERE digest = '{}'", version.digest)).await;
            // Makes the service read anew what is in force.
            suite.thanks("xinhua").await;
            let answer = suite.award("xinhua", 29_000_000).await;
            if on_fault == OnFault::Skip {
                let passed = answer.expect("passed over");
                assert_eq!(granted(&passed), 1, "{damage}: the other rule still thanks");
                assert!(passed.parts[0].verdict.starts_with("fault: "), "{damage}: {:?}", passed.parts);
            } else {
                let refused = answer.expect_err("no answer");
                assert_eq!((refused.code(), refusal(&refused).0.as_str()), (tonic::Code::Unavailable, "RULE_FAULT"));
                assert_eq!(said(&refused)[..2], [hurt.name.clone(), version.name.clone()], "{damage}");
            }
        }
    }
}

/// Both ends of a crowd: how many of its calls are over, and when it may stop.
#[derive(Default)]
struct Crowd {
    over: AtomicUsize,
    stop: AtomicBool,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_neighbour_is_answered_while_a_crowd_of_looping_rules_keeps_coming() {
    const CALLERS: usize = 16;
    for suite in suites().await {
        let version = suite.ready_guest("xinhua", "off-corpus").await;
        for n in 0..8 {
            let skip = RuleBinding { on_fault: OnFault::Skip as i32, ..binding("points-award", &version, vec![]) };
            suite.bind("xinhua", &format!("b-{n}"), skip).await.expect("binds");
        }
        suite.thanks("guanba").await;
        suite.award("guanba", 29_000_000).await.expect("loaded");
        let (suite, crowd) = (Arc::new(suite), Arc::new(Crowd::default()));
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let (suite, crowd) = (suite.clone(), crowd.clone());
                tokio::spawn(async move {
                    while !crowd.stop.load(Ordering::Relaxed) {
                        let requests = vec![award("xinhua", LOOPS); 5];
                        let batch = BatchEvaluateRequest { parent: "areas/xinhua".into(), requests };
                        let answer = suite.booking(Lang::ZhCn).batch_evaluate(batch).await.expect("passed over");
                        assert_eq!(answer.into_inner().responses.len(), 5);
                        crowd.over.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        // Everybody has come, and comes again.
        while crowd.over.load(Ordering::Relaxed) < CALLERS {
            tokio::task::yield_now().await;
        }
        // The crowd stops only after this: a neighbour without a turn would meet its deadline here.
        assert_eq!(granted(&suite.award("guanba", 29_000_000).await.expect("its turn")), 1);
        crowd.stop.store(true, Ordering::Relaxed);
        for caller in callers {
            caller.await.expect("the crowd's rules were passed over");
        }
    }
}

/// Faults that the rows hold for all versions.
async fn counted(suite: &Suite) -> i64 {
    let sql = "SELECT CAST(COALESCE(SUM(faults), 0) AS BIGINT) FROM rule_fault";
    let statement = sea_orm::Statement::from_string(suite.store.reader().get_database_backend(), sql);
    let row = suite.store.reader().query_one_raw(statement).await.expect("reads").expect("one row");
    row.try_get_by_index(0).expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_count_for_all_replicas_together_and_a_release_forgets_them() {
    let trap = WRONGS[1].0;
    for suite in suites().await {
        let replica = suite.replica().await;
        let version = suite.ready_guest("xinhua", "off-corpus").await;
        suite.bind("xinhua", "a-wild", binding("points-award", &version, vec![])).await.expect("binds");
        suite.quarantine_after(4).await;
        for process in [&suite, &replica] {
            for _ in 0..2 {
                process.award("xinhua", trap).await.expect_err("no answer");
            }
        }
        let quarantined = replica.until_state(&version.name, PluginVersionState::Quarantined).await;
        let why = quarantined.quarantine.expect("why");
        assert_eq!((why.fault.as_str(), why.faults), ("trap", 4));

        let note = "mended".to_owned();
        let release =
            ReleasePluginVersionRequest { name: version.name.clone(), note, ..ReleasePluginVersionRequest::default() };
        replica.as_(OPERATOR).release_plugin_version(release).await.expect("released");
        assert_eq!(counted(&suite).await, 0);
        let mut given = 0;
        while counted(&suite).await < 3 {
            // What a process knows of others is a second old at most: until then it does not ask the version.
            let refused = suite.award("xinhua", trap).await.expect_err("no answer");
            given += i64::from(!said(&refused)[2].contains("quarantine"));
            while counted(&suite).await < given {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
        suite.until_state(&version.name, PluginVersionState::Valid).await;
        replica.award("xinhua", trap).await.expect_err("no answer");
        suite.until_state(&version.name, PluginVersionState::Quarantined).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_without_an_answer_is_a_fault_for_its_share_alone_and_ends_with_the_quarantine_of_its_version() {
    let trap = WRONGS[1].0;
    for suite in suites().await {
        suite.thanks("xinhua").await;
        let wild = suite.ready_guest("xinhua", "off-corpus").await;
        let name = "areas/xinhua/ruleBindings/thanks".to_owned();
        let change = RuleChange {
            rule_binding: Some(RuleBinding { name, ..binding("points-award", &wild, vec![]) }),
            stage: RuleStage::Canary.into(),
            canary_permille: 500,
            ..RuleChange::default()
        };
        let request = CreateRuleChangeRequest {
            parent: "areas/xinhua".into(),
            rule_change: Some(change),
            ..CreateRuleChangeRequest::default()
        };
        let change = suite.as_(OPERATOR).create_rule_change(request).await.expect("a canary").into_inner();
        suite.quarantine_after(2).await;
        let within = || async {
            suite.booking(Lang::ZhCn).evaluate(EvaluateRequest { bucket: 100, ..award("xinhua", trap) }).await
        };
        let without = || async {
            suite.booking(Lang::ZhCn).evaluate(EvaluateRequest { bucket: 900, ..award("xinhua", trap) }).await
        };
        for _ in 0..2 {
            let refused = within().await.expect_err("the canary gives no answer");
            assert_eq!((refusal(&refused).0.as_str(), &said(&refused)[1]), ("RULE_FAULT", &wild.name));
            assert_eq!(granted(without().await.expect("the active rule thanks").get_ref()), 1);
        }
        suite.until_state(&wild.name, PluginVersionState::Quarantined).await;
        let get = GetRuleChangeRequest { name: change.name };
        let ended = suite.as_(OPERATOR).get_rule_change(get).await.expect("a change").into_inner();
        assert_eq!(ended.state(), RuleChangeState::Withdrawn);
        assert_eq!(ended.steps.last().map(|step| step.action.as_str()), Some("quarantine"));
        assert_eq!(granted(within().await.expect("the active rule thanks everybody").get_ref()), 1);
    }
}
