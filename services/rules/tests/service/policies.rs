//! What charters ask of rules: the strictest of an area and those above it.

use linli_proto::rules::*;

use crate::suite::*;

async fn set(suite: &Suite, policy: RulesPolicy, paths: &[&str]) -> Result<RulesPolicy, tonic::Status> {
    let request = UpdateRulesPolicyRequest {
        rules_policy: Some(policy),
        update_mask: Some(prost_types::FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() }),
        ..UpdateRulesPolicyRequest::default()
    };
    suite.as_(OPERATOR).update_rules_policy(request).await.map(tonic::Response::into_inner)
}

fn of(area: &str) -> RulesPolicy {
    RulesPolicy { name: format!("areas/{area}/rulesPolicy"), ..RulesPolicy::default() }
}

async fn holds(suite: &Suite, area: &str) -> RulesPolicy {
    let request = GetRulesPolicyRequest { name: of(area).name };
    suite.as_(OPERATOR).get_rules_policy(request).await.expect("a policy").into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_area_is_as_strict_as_the_strictest_above_it() {
    for suite in suites().await {
        let default = holds(&suite, "xinhua").await;
        assert!(!default.second_person_required && !default.signature_required);
        assert_eq!((default.quarantine_faults, default.quarantine_window_min), (10, 10));
        let district = RulesPolicy {
            second_person_required: true,
            quarantine_faults: 20,
            source: "区章程 2026-03-01".into(),
            ..of("heping")
        };
        set(&suite, district, &[]).await.expect("the district's");
        let own = RulesPolicy { quarantine_faults: 50, quarantine_window_min: 5, ..of("xinhua") };
        set(&suite, own, &["quarantine_faults", "quarantine_window_min", "second_person_required"])
            .await
            .expect("its own");
        let now = holds(&suite, "xinhua").await;
        assert!(now.second_person_required, "an area cannot be more lenient");
        assert_eq!((now.quarantine_faults, now.quarantine_window_min), (20, 5));
        assert_eq!(now.source, "区章程 2026-03-01");
        assert!(!holds(&suite, "guanba").await.signature_required);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_changed_by_what_was_read() {
    for suite in suites().await {
        let first = set(&suite, RulesPolicy { quarantine_faults: 3, ..of("xinhua") }, &[]).await.expect("written");
        let same = RulesPolicy { quarantine_faults: 3, ..of("xinhua") };
        assert_eq!(set(&suite, same, &[]).await.expect("nothing new").etag, first.etag);
        let newer = RulesPolicy { quarantine_faults: 4, etag: first.etag.clone(), ..of("xinhua") };
        set(&suite, newer.clone(), &[]).await.expect("read before");
        let stale = set(&suite, newer, &[]).await.expect_err("read before another wrote");
        assert_eq!(stale.code(), tonic::Code::Aborted);
        let odd = set(&suite, RulesPolicy { quarantine_faults: 1_001, ..of("xinhua") }, &["quarantine_faults", "etag"]);
        let mut named = refusal(&odd.await.expect_err("out of range")).1;
        named.sort();
        assert_eq!(named, ["rules_policy.quarantine_faults: FIELD_OUT_OF_RANGE", "update_mask.etag: FIELD_UNKNOWN"]);
        let nowhere = GetRulesPolicyRequest { name: "areas/xinhua/policy".into() };
        let nowhere = suite.as_(OPERATOR).get_rules_policy(nowhere).await.expect_err("no such name");
        assert_eq!(refusal(&nowhere).1, ["name: NAME_INVALID"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resident_changes_no_policy() {
    for suite in suites().await {
        let request =
            UpdateRulesPolicyRequest { rules_policy: Some(of("xinhua")), ..UpdateRulesPolicyRequest::default() };
        let denied = suite.as_("areas/xinhua/people/per-a").update_rules_policy(request).await.expect_err("no right");
        assert_eq!(denied.code(), tonic::Code::PermissionDenied);
    }
}
