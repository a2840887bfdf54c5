//! Units: masks, labels, places in the tree.

use linli_proto::org::*;
use prost_types::FieldMask;

use crate::suite::*;

fn update(unit: Unit, paths: &[&str]) -> UpdateUnitRequest {
    let update_mask = Some(FieldMask { paths: paths.iter().map(|p| (*p).to_owned()).collect() });
    UpdateUnitRequest { unit: Some(unit), update_mask, ..Default::default() }
}

fn labelled(key: &str, value: &str) -> Unit {
    let labels = [(key.to_owned(), value.to_owned())].into();
    Unit { name: unit_name("micro-1"), labels, ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_mask_only_what_is_set_changes_and_a_star_takes_all() {
    for suite in suites().await {
        let changed =
            suite.op().update_unit(update(labelled("circle", "a=b"), &[])).await.expect("changes").into_inner();
        assert_eq!((changed.display_name.clone(), changed.labels["circle"].as_str()), (text("micro"), "a=b"));
        let again = suite.op().update_unit(update(labelled("circle", "a=b"), &[])).await.expect("nothing").into_inner();
        assert_eq!(again, changed, "a write that changes nothing keeps the etag");
        let whole = Unit { labels: Default::default(), ..changed.clone() };
        let cleared = suite.op().update_unit(update(whole.clone(), &["*"])).await.expect("clears").into_inner();
        assert!(cleared.labels.is_empty());
        for paths in [&[][..], &["*"], &["kind", "parent"]] {
            let other = Unit { kind: "grid".into(), parent: unit_name("grid-2"), etag: String::new(), ..whole.clone() };
            let wanted = ["unit.kind: FIELD_IMMUTABLE", "unit.parent: FIELD_IMMUTABLE"];
            assert_eq!(fields(suite.op().update_unit(update(other, paths)).await), wanted, "{paths:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_are_checked_whatever_the_mask_and_kept_as_they_are() {
    for suite in suites().await {
        let long = "x".repeat(64);
        for (key, value, reason) in [
            ("circle", "one\ntwo", "FIELD_FORMAT"),
            ("circle", "\u{7f}", "FIELD_FORMAT"),
            ("circle", long.as_str(), "FIELD_TOO_LONG"),
            ("Circle", "x", "NAME_INVALID"),
        ] {
            for paths in [&[][..], &["labels"], &["*"]] {
                let mut wanted = labelled(key, value);
                (wanted.display_name, wanted.kind, wanted.parent) = (text("m"), "micro".into(), unit_name("grid-1"));
                let answer = fields(suite.op().update_unit(update(wanted, paths)).await);
                assert_eq!(answer, [format!("unit.labels[{key}]: {reason}")], "{paths:?}");
            }
            let made = Unit { name: String::new(), ..labelled(key, value) };
            let made = Unit { labels: made.labels, ..unit("micro", "grid-1") };
            let answer = fields(suite.op().create_unit(create("micro-9", made)).await);
            assert_eq!(answer, [format!("unit.labels[{key}]: {reason}")]);
        }
        let many = (0..17).map(|n| (format!("l-{n}"), String::new())).collect();
        let many = Unit { name: unit_name("micro-1"), labels: many, ..Default::default() };
        assert_eq!(fields(suite.op().update_unit(update(many, &["labels"])).await), ["unit.labels: FIELD_TOO_MANY"]);
        let strange = "\"=\\，{}";
        suite.op().update_unit(update(labelled("circle", strange), &["labels"])).await.expect("changes");
        assert_eq!(suite.unit("micro-1").await.labels["circle"], strange);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subtree_moves_as_one_and_only_where_its_kind_may_hang() {
    for suite in suites().await {
        suite.op().create_unit(create("micro-2", unit("micro", "micro-1"))).await.expect("a unit");
        suite.home("micro-2", vec![person("甲", 1950)]).await;
        let to = |id: &str, parent: &str| MoveUnitRequest {
            name: unit_name(id),
            new_parent: if parent.is_empty() { String::new() } else { unit_name(parent) },
            ..Default::default()
        };
        for (id, parent, reason) in [
            ("micro-1", "micro-2", "TREE_CYCLE"),
            ("micro-1", "micro-1", "TREE_CYCLE"),
            ("micro-1", "compound-1", "KIND_DOES_NOT_NEST"),
            ("micro-1", "", "KIND_DOES_NOT_NEST"),
            ("micro-1", "nowhere", "REFERENCE_NOT_FOUND"),
        ] {
            assert_eq!(fields(suite.op().move_unit(to(id, parent)).await), [format!("new_parent: {reason}")]);
        }
        suite.op().move_unit(to("micro-1", "grid-2")).await.expect("moves");
        let below = SummarizeUnitRequest { name: unit_name("grid-2") };
        let below = suite.op().summarize_unit(below).await.expect("counts").into_inner();
        assert_eq!((below.households, below.people), (1, 1));
        let mut deep = "micro-2".to_owned();
        for n in 5..=16 {
            let id = format!("deep-{n}");
            suite.op().create_unit(create(&id, unit("micro", &deep))).await.expect("a unit");
            deep = id;
        }
        let answer = suite.op().create_unit(create("deep-17", unit("micro", &deep))).await;
        assert_eq!(fields(answer), ["unit.parent: TREE_TOO_DEEP"]);
        assert_eq!(suite.violations().await, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_with_a_link_is_not_deleted() {
    for suite in suites().await {
        suite.op().create_unit(create("branch-1", unit("branch", ""))).await.expect("a unit");
        let link = UnitLink {
            kind: "built-on".into(),
            from_unit: unit_name("branch-1"),
            to_unit: unit_name("micro-1"),
            ..Default::default()
        };
        let request = CreateUnitLinkRequest {
            parent: PARENT.into(),
            unit_link: Some(link.clone()),
            unit_link_id: "tie".into(),
            ..Default::default()
        };
        let made = suite.op().create_unit_link(request).await.expect("a link").into_inner();
        for id in ["branch-1", "micro-1"] {
            let answer = suite.op().delete_unit(DeleteUnitRequest { name: unit_name(id), ..Default::default() }).await;
            let status = answer.expect_err("linked");
            assert_eq!(status.code(), tonic::Code::FailedPrecondition);
            let wanted = ("STILL_REFERENCED".to_owned(), vec!["name: STILL_REFERENCED".to_owned()]);
            assert_eq!(refusal(&status), wanted, "{id}");
        }
        let update = UpdateUnitLinkRequest {
            unit_link: Some(UnitLink { name: made.name.clone(), to_unit: unit_name("nowhere"), ..link }),
            ..Default::default()
        };
        assert_eq!(fields(suite.op().update_unit_link(update).await), ["unit_link.to_unit: REFERENCE_NOT_FOUND"]);
        suite
            .op()
            .delete_unit_link(DeleteUnitLinkRequest { name: made.name, ..Default::default() })
            .await
            .expect("gone");
        let gone = DeleteUnitRequest { name: unit_name("branch-1"), ..Default::default() };
        suite.op().delete_unit(gone).await.expect("nothing refers to it");
    }
}
