//! Verify finds what was tampered with: one test for each check, on both engines.

use crate::suite::*;

async fn bound(suite: &Suite) -> linli_proto::rules::PluginVersion {
    let version = suite.ready("xinhua", "haircut").await;
    suite.bind("xinhua", "monthly", binding("booking-eligibility", &version, vec![])).await.expect("binds");
    suite.verify().await;
    version
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_were_changed_or_lost_are_found() {
    for suite in suites().await {
        let version = bound(&suite).await;
        let digest = &version.digest;
        std::fs::write(suite.artefact(digest), [0]).expect("writes");
        let [artefacts, bindings, _] = suite.checks(OPERATOR).await;
        assert_eq!((artefacts.checked, artefacts.violations.len()), (1, 1), "{artefacts:?}");
        let said = &artefacts.violations[0];
        assert!(said.starts_with(&version.name) && said.contains(digest.as_str()), "{said}");
        assert!(bindings.violations.is_empty(), "{bindings:?}");
        std::fs::remove_file(suite.artefact(digest)).expect("deletes");
        let [artefacts, ..] = suite.checks(OPERATOR).await;
        assert_eq!(artefacts.violations, [format!("{}: the artefact is missing", version.name)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binding_to_a_version_that_is_not_valid_or_not_there_is_found() {
    for suite in suites().await {
        let version = bound(&suite).await;
        suite.tamper("UPDATE plugin_version SET state = 3").await;
        let [artefacts, bindings, _] = suite.checks(OPERATOR).await;
        assert!(artefacts.violations.is_empty(), "{artefacts:?}");
        assert_eq!((bindings.checked, bindings.violations.len()), (1, 1), "{bindings:?}");
        let said = &bindings.violations[0];
        assert!(said.starts_with("areas/xinhua/ruleBindings/monthly: ") && said.contains(&version.name), "{said}");
        suite.tamper("DELETE FROM plugin_version").await;
        let [_, bindings, _] = suite.checks(OPERATOR).await;
        assert_eq!(bindings.violations.len(), 1, "{bindings:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binding_that_its_change_in_force_did_not_make_is_found() {
    for suite in suites().await {
        bound(&suite).await;
        suite.tamper("UPDATE rule_change SET wanted = previous").await;
        let [.., changes] = suite.checks(OPERATOR).await;
        assert!(changes.violations[0].contains("is not what"), "{changes:?}");
        suite.tamper("UPDATE rule_change SET state = 5").await;
        let [.., changes] = suite.checks(OPERATOR).await;
        assert_eq!(changes.violations, ["areas/xinhua/ruleBindings/monthly: no change is in force"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_audits_a_part_of_an_area_counts_nothing_of_the_whole() {
    for suite in suites().await {
        bound(&suite).await;
        suite.tamper("UPDATE plugin_version SET state = 3").await;
        for check in suite.checks(GRID_AUDITOR).await {
            assert_eq!((check.checked, check.violations.len()), (0, 0), "{check:?}");
        }
    }
}
