//! The recount: each check is seen to fail when a row is changed behind the service's back.

use crate::suite::*;

#[tokio::test(flavor = "multi_thread")]
async fn each_check_finds_what_was_tampered_with() {
    for suite in suites().await {
        let (_, people) = suite.home("micro-1", vec![person("甲", 1950), person("乙", 1960)]).await;
        suite.appoint(&people[0].name, ("micro-1", "head"), (0, None)).await.expect("a post");
        assert_eq!(suite.violations().await, []);
        // What is changed, how it is undone, and which check must say so.
        for (broken, mended, invariant) in [
            (
                "UPDATE area SET parent = 'xinhua' WHERE area = 'litong'",
                "UPDATE area SET parent = '' WHERE area = 'litong'",
                "org.areas",
            ),
            (
                "UPDATE area SET parent = 'gone' WHERE area = 'litong'",
                "UPDATE area SET parent = '' WHERE area = 'litong'",
                "org.areas",
            ),
            (
                "UPDATE unit SET path = 'grid-2/micro-1/' WHERE id = 'micro-1'",
                "UPDATE unit SET path = 'compound-1/grid-1/micro-1/' WHERE id = 'micro-1'",
                "org.paths",
            ),
            (
                "UPDATE unit SET parent = 'gone' WHERE id = 'micro-1'",
                "UPDATE unit SET parent = 'grid-1' WHERE id = 'micro-1'",
                "org.paths",
            ),
            (
                "UPDATE unit SET households = 2 WHERE id = 'micro-1'",
                "UPDATE unit SET households = 1 WHERE id = 'micro-1'",
                "org.totals",
            ),
            (
                "UPDATE unit SET people = 1 WHERE id = 'micro-1'",
                "UPDATE unit SET people = 2 WHERE id = 'micro-1'",
                "org.totals",
            ),
            ("UPDATE household SET people = 1", "UPDATE household SET people = 2", "org.totals"),
            ("UPDATE household SET unit = 'gone'", "UPDATE household SET unit = 'micro-1'", "org.references"),
            ("UPDATE person SET unit = 'gone'", "UPDATE person SET unit = 'micro-1'", "org.references"),
            ("UPDATE appointment SET unit = 'gone'", "UPDATE appointment SET unit = 'micro-1'", "org.references"),
            (
                "UPDATE appointment SET appointee = 'areas/xinhua/people/per-00000000000000000000000001'",
                "UPDATE appointment SET appointee = 'systems/x'",
                "org.references",
            ),
        ] {
            suite.tamper(broken).await;
            let found = suite.violations().await;
            assert!(found.iter().any(|(check, _)| check == invariant), "{broken}: {found:?}");
            suite.tamper(mended).await;
            assert_eq!(suite.violations().await, [], "{mended}");
        }
        suite.tamper("DELETE FROM household").await;
        let found = suite.violations().await;
        assert!(found.iter().any(|(check, lines)| check == "org.references" && lines[0].contains("people/per-")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_a_unit_that_is_gone_is_found() {
    for suite in suites().await {
        let link = linli_proto::org::UnitLink {
            kind: "joint".into(),
            from_unit: unit_name("grid-1"),
            to_unit: unit_name("grid-2"),
            ..Default::default()
        };
        let request = linli_proto::org::CreateUnitLinkRequest {
            parent: PARENT.into(),
            unit_link: Some(link),
            unit_link_id: "tie".into(),
            ..Default::default()
        };
        suite.op().create_unit_link(request).await.expect("a link");
        assert_eq!(suite.violations().await, []);
        suite.tamper("DELETE FROM unit WHERE id = 'grid-2'").await;
        let found = suite.violations().await;
        let wanted = format!("{PARENT}/unitLinks/tie: no {}", unit_name("grid-2"));
        assert_eq!(found, [("org.references".to_owned(), vec![wanted])]);
    }
}
