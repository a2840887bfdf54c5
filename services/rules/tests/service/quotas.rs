//! What an area may keep: versions, versions that await validation, bindings of one kind; and how versions go.

use linli_proto::rules::*;

use crate::suite::*;
use crate::support::built;

const ELIGIBILITY: &str = "booking-eligibility";

fn header(parent: &str) -> UploadHeader {
    UploadHeader { parent: parent.into(), ..UploadHeader::default() }
}

fn delete(name: &str) -> DeletePluginVersionRequest {
    DeletePluginVersionRequest { name: name.into(), request_id: String::new() }
}

fn reason<T: std::fmt::Debug>(refused: Result<T, tonic::Status>) -> String {
    refusal(&refused.expect_err("refused")).0
}

#[tokio::test(flavor = "multi_thread")]
async fn an_area_keeps_twenty_unvalidated_versions_and_two_hundred_in_all() {
    for suite in suites().await {
        let plugin = suite.plugin("xinhua", "many").await.name;
        let mut last = String::new();
        for round in 0..10_u16 {
            for n in 0..20_u16 {
                let bytes = (round * 20 + n).to_le_bytes();
                last = suite.upload(header(&plugin), &bytes).await.expect("there is room").name;
            }
            assert_eq!(reason(suite.upload(header(&plugin), b"more").await), full(round));
            let elsewhere = suite.plugin("guanba", &format!("other-{round}")).await.name;
            suite.upload(header(&elsewhere), b"theirs").await.expect("another area has its own");
            suite.validated_all().await;
        }
        suite.upload(header(&plugin), &199_u16.to_le_bytes()).await.expect("what is there already takes no room");
        suite.as_(OPERATOR).delete_plugin_version(delete(&last)).await.expect("deletes");
        suite.upload(header(&plugin), b"more").await.expect("there is room again");
    }
}

/// The last round fills the area as a whole.
fn full(round: u16) -> &'static str {
    if round == 9 { "VERSIONS_FULL" } else { "UNVALIDATED_FULL" }
}

impl Suite {
    /// Marks the area's versions as valid, as if each had been validated.
    async fn validated_all(&self) {
        let sql = "UPDATE plugin_version SET state = 2 WHERE area = 'xinhua' AND state = 1";
        let changed = self.store.write("test.validated", |tx| {
            Box::pin(async move {
                use sea_orm::ConnectionTrait as _;
                Ok(tx.conn().execute_raw(tx.statement(sql, [])).await?.rows_affected())
            })
        });
        assert_eq!(changed.await.expect("writes"), 20);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_version_that_is_validated_again_counts_as_unvalidated() {
    for suite in suites().await {
        let plugin = suite.plugin("xinhua", "again").await.name;
        let bad = suite.upload(header(&plugin), b"no component").await.expect("uploads");
        assert_eq!(suite.validate(&bad.name).await.state(), PluginVersionState::Rejected);
        for n in 0..20_u8 {
            suite.upload(header(&plugin), &[n]).await.expect("there is room");
        }
        let request = ValidatePluginVersionRequest { name: bad.name.clone(), request_id: String::new() };
        let refused = suite.as_(OPERATOR).validate_plugin_version(request).await;
        assert_eq!(reason(refused), "UNVALIDATED_FULL");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_goes_only_when_no_binding_names_it() {
    for suite in suites().await {
        let version = suite.ready("heping", "haircut").await;
        let second = suite.plugin("heping", "second").await.name;
        let same = suite.upload(header(&second), &built("haircut")).await.expect("the same bytes");
        let below = RuleBinding { disabled: true, ..binding(ELIGIBILITY, &version, vec![]) };
        let below = suite.bind("guanba", "below", below).await.expect("binds");
        let mut op = suite.as_(OPERATOR);
        let resident = suite.as_("areas/heping/people/per-a").delete_plugin_version(delete(&version.name)).await;
        assert_eq!(resident.expect_err("no right").code(), tonic::Code::PermissionDenied);
        assert_eq!(reason(op.delete_plugin_version(delete(&version.name)).await), "STILL_REFERENCED");
        let unbound = DeleteRuleBindingRequest { name: below.name, ..DeleteRuleBindingRequest::default() };
        op.delete_rule_binding(unbound).await.expect("unbinds");
        op.delete_plugin_version(delete(&version.name)).await.expect("deletes");
        assert!(suite.artefact(&version.digest).exists(), "the other version has these bytes too");
        let again = op.delete_plugin_version(delete(&version.name)).await.expect_err("gone");
        assert_eq!(again.code(), tonic::Code::NotFound);
        let bound = suite.bind("guanba", "late", binding(ELIGIBILITY, &version, vec![])).await.expect_err("gone");
        assert_eq!(refusal(&bound).1, ["rule_binding.plugin_version: REFERENCE_NOT_FOUND"]);
        op.delete_plugin_version(delete(&same.name)).await.expect("deletes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ninth_binding_of_a_kind_is_refused_also_when_two_come_at_once() {
    for suite in suites().await {
        let version = suite.ready("xinhua", "haircut").await;
        let of = |kinds: &[&str]| {
            let kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
            RuleBinding { kinds, ..binding(ELIGIBILITY, &version, vec![]) }
        };
        for n in 0..7 {
            let kinds: &[&str] = if n % 2 == 0 { &[] } else { &["haircut"] };
            suite.bind("xinhua", &format!("b-{n}"), of(kinds)).await.expect("there is room");
        }
        let (one, other) =
            tokio::join!(suite.bind("xinhua", "x", of(&["haircut"])), suite.bind("xinhua", "y", of(&[])));
        assert_eq!([&one, &other].iter().filter(|bound| bound.is_ok()).count(), 1, "{one:?} {other:?}");
        let refused = one.err().or(other.err()).expect("one too many");
        assert_eq!(refusal(&refused).1, ["rule_binding.hook: BINDINGS_FULL"]);
        suite.bind("xinhua", "meal", of(&["meal"])).await.expect("another kind has room");
        suite
            .bind("xinhua", "queue", binding("booking-priority", &version, vec![]))
            .await
            .expect("so has another hook");
        suite.bind("guanba", "g", binding(ELIGIBILITY, &version, vec![])).await.expect_err("not above");
        let off = RuleBinding { disabled: true, ..of(&["haircut"]) };
        let off = suite.bind("xinhua", "off", off).await.expect("one that is off counts for nothing");
        let on = UpdateRuleBindingRequest {
            rule_binding: Some(RuleBinding { disabled: false, ..off }),
            update_mask: Some(prost_types::FieldMask { paths: vec!["disabled".into()] }),
            ..UpdateRuleBindingRequest::default()
        };
        let refused = suite.as_(OPERATOR).update_rule_binding(on).await.expect_err("one too many");
        assert_eq!(refusal(&refused).1, ["rule_binding.hook: BINDINGS_FULL"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_with_which_a_plugin_never_ends_are_refused_when_they_are_bound() {
    for suite in suites().await {
        let version = suite.ready_guest("xinhua", "loops-when-set").await;
        let bound = suite.bind("xinhua", "bad", binding("points-award", &version, vec![flag("t", true)])).await;
        assert_eq!(refusal(&bound.expect_err("it loops")).1, ["rule_binding.settings: SETTINGS_FAIL"]);
        let bound = suite.bind("xinhua", "good", binding("points-award", &version, vec![])).await;
        let good = bound.expect("nothing is set");
        let set = RuleBinding { settings: vec![flag("t", true)], ..good };
        let update = UpdateRuleBindingRequest { rule_binding: Some(set), ..UpdateRuleBindingRequest::default() };
        let refused = suite.as_(OPERATOR).update_rule_binding(update).await.expect_err("it loops");
        assert_eq!(refusal(&refused).1, ["rule_binding.settings: SETTINGS_FAIL"]);
    }
}
