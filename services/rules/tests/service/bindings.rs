//! Bindings: what is checked, what is in force, what others hear of it.

use linli_proto::rules::*;
use prost_types::FieldMask;
use sea_orm::ConnectionTrait as _;

use crate::suite::*;

const ELIGIBILITY: &str = "booking-eligibility";

fn update(binding: RuleBinding, paths: &[&str]) -> UpdateRuleBindingRequest {
    let update_mask = Some(FieldMask { paths: paths.iter().map(|p| (*p).to_owned()).collect() });
    UpdateRuleBindingRequest { rule_binding: Some(binding), update_mask, ..UpdateRuleBindingRequest::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_settings_are_named_one_by_one() {
    for suite in suites().await {
        let haircut = suite.ready("xinhua", "haircut").await;
        let settings = vec![
            number("per-month", 99),
            number("no-such-key", 1),
            flag("elder-age", true),
            number("per-month", 2),
            Setting { key: "elders-first".into(), value: None },
        ];
        let bad = suite.bind("xinhua", "bad", binding(ELIGIBILITY, &haircut, settings)).await.expect_err("refused");
        assert_eq!(
            refusal(&bad).1,
            [
                "rule_binding.settings[0]: SETTING_MISMATCH",
                "rule_binding.settings[1]: SETTING_UNKNOWN",
                "rule_binding.settings[2]: SETTING_MISMATCH",
                "rule_binding.settings[3]: FIELD_DUPLICATE",
                "rule_binding.settings[4]: SETTING_MISMATCH",
            ]
        );
        let meals = suite.ready("xinhua", "meals").await;
        let odd = vec![number("min-age", 60), numbers("subsidy-tiers", &[60])];
        let bad = suite.bind("xinhua", "odd", binding("booking-price", &meals, odd)).await.expect_err("refused");
        assert_eq!(refusal(&bad).1, ["rule_binding.settings[1]: SETTING_REFUSED"]);
        assert!(bad.message().contains("in pairs") || format!("{bad:?}").contains("成对"), "{bad:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hook_version_and_kinds_are_checked_all_at_once() {
    for suite in suites().await {
        let haircut = suite.ready("xinhua", "haircut").await;
        let wrong = RuleBinding {
            hook: "booking-weather".into(),
            plugin_version: "areas/xinhua/pluginVersions/pv-1".into(),
            kinds: vec!["haircut".into(), "Not A Code".into(), "haircut".into()],
            on_fault: 9,
            ..RuleBinding::default()
        };
        let (_, mut fields) = refusal(&suite.bind("xinhua", "bad", wrong).await.expect_err("refused"));
        fields.sort();
        assert_eq!(
            fields,
            [
                "rule_binding.hook: HOOK_UNKNOWN",
                "rule_binding.kinds[1]: NAME_INVALID",
                "rule_binding.kinds[2]: FIELD_DUPLICATE",
                "rule_binding.on_fault: FIELD_ENUM",
                "rule_binding.plugin_version: NAME_INVALID",
            ]
        );
        let beside = suite.bind("guanba", "x", binding(ELIGIBILITY, &haircut, vec![])).await.expect_err("beside");
        assert_eq!(refusal(&beside).1, ["rule_binding.plugin_version: VERSION_NOT_ABOVE"]);
        let price = suite.bind("xinhua", "x", binding("booking-price", &haircut, vec![])).await.expect_err("no price");
        assert_eq!(refusal(&price).1, ["rule_binding.plugin_version: VERSION_LACKS_HOOK"]);
        let empty = suite.bind("xinhua", "x", RuleBinding::default()).await.expect_err("empty");
        assert_eq!(
            refusal(&empty).1,
            ["rule_binding.hook: FIELD_REQUIRED", "rule_binding.plugin_version: FIELD_REQUIRED"]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_revision_follows_every_change_and_nothing_else() {
    for suite in suites().await {
        let haircut = suite.ready("xinhua", "haircut").await;
        let nothing = suite.in_force(ELIGIBILITY, "haircut").await;
        assert!(nothing.rules.is_empty() && nothing.facts.is_empty());
        let made = suite.bind("xinhua", "monthly", binding(ELIGIBILITY, &haircut, vec![])).await.expect("binds");
        let first = suite.in_force(ELIGIBILITY, "haircut").await;
        let rule = &first.rules[0];
        assert_eq!((first.rules.len(), rule.rule_binding.as_ref()), (1, Some(&made)));
        assert_eq!((rule.source.as_str(), rule.on_fault()), ("areas/xinhua", OnFault::Deny));
        assert!(!rule.title.is_empty());
        assert_eq!(first.facts, ["age", "tags", "usage"]);
        assert_eq!(suite.in_force(ELIGIBILITY, "haircut").await.revision, first.revision);
        let mut op = suite.as_(OPERATOR);
        let same = op.update_rule_binding(update(made.clone(), &["settings"])).await.expect("unchanged").into_inner();
        assert_eq!(same.etag, made.etag);
        assert_eq!(suite.in_force(ELIGIBILITY, "haircut").await.revision, first.revision);
        let changed = RuleBinding { settings: vec![number("per-month", 3)], ..made.clone() };
        let bad = RuleBinding { settings: vec![number("per-month", 77)], ..made.clone() };
        let bad = op.update_rule_binding(update(bad, &["settings"])).await.expect_err("out of bounds");
        assert_eq!(refusal(&bad).1, ["rule_binding.settings[0]: SETTING_MISMATCH"]);
        let mut only = update(changed.clone(), &["settings"]);
        only.validate_only = true;
        assert_eq!(op.update_rule_binding(only).await.expect("valid").into_inner().settings, changed.settings);
        assert_eq!(suite.in_force(ELIGIBILITY, "haircut").await.revision, first.revision);
        let changed = op.update_rule_binding(update(changed, &["settings"])).await.expect("changes").into_inner();
        let second = suite.in_force(ELIGIBILITY, "haircut").await;
        assert_ne!(second.revision, first.revision);
        let stale = op.update_rule_binding(update(made.clone(), &["kinds"])).await.expect_err("old etag");
        assert_eq!(stale.code(), tonic::Code::Aborted);
        let other = RuleBinding { kinds: vec!["meal".into()], ..changed };
        let other = op.update_rule_binding(update(other, &["kinds"])).await.expect("changes").into_inner();
        assert!(suite.in_force(ELIGIBILITY, "haircut").await.rules.is_empty());
        assert_eq!(suite.in_force(ELIGIBILITY, "meal").await.rules.len(), 1);
        let off = RuleBinding { disabled: true, ..other };
        op.update_rule_binding(update(off, &["disabled"])).await.expect("switches off");
        assert_eq!(suite.in_force(ELIGIBILITY, "meal").await.revision, nothing.revision);
        suite.verify_events(5).await;
        let delete = DeleteRuleBindingRequest { name: made.name.clone(), ..DeleteRuleBindingRequest::default() };
        op.delete_rule_binding(delete).await.expect("deletes");
        suite.verify_events(6).await;
    }
}

impl Suite {
    /// So many events are in the feed's table: one of a version, the others of bindings.
    async fn verify_events(&self, wanted: i64) {
        let sql = "SELECT count(*) AS n FROM event WHERE event_type IN ('linli.rules.v1.PluginVersionChanged', 'linli.rules.v1.RuleBindingChanged')";
        let reader = self.store.reader();
        let statement = sea_orm::Statement::from_string(reader.get_database_backend(), sql);
        let row = reader.query_one_raw(statement).await.expect("reads").expect("a row");
        assert_eq!(row.try_get::<i64>("", "n").expect("a number"), wanted);
    }
}
