//! Claims about the service, through its tonic trait, on SQLite and, where there is one, PostgreSQL.

mod awards;
mod ledger;
mod rewards;
mod scope;
mod suite;

use suite::{KEEPER, Suite, each, person, purpose_free};

#[tokio::test]
async fn every_column_is_classified() {
    each(async |suite: &Suite| {
        let mut declared = [crate::COLUMNS, linli_kit::columns::KIT].concat();
        declared.extend(
            linli_access::COLUMNS.iter().map(|(table, column)| (*table, *column, linli_kit::columns::Class::Public)),
        );
        let found = linli_kit::columns::assert_all_classified(&suite.store, &declared).await.expect("reads the schema");
        assert!(found.is_empty(), "{found:?}");
    })
    .await;
}

#[test]
fn every_text_exists_in_both_languages_in_one_order() {
    let ids = |source: &str| -> Vec<String> {
        source.lines().filter_map(|line| line.split_once(" = ").map(|(id, _)| id.to_owned())).collect()
    };
    let (zh, en) = (ids(include_str!("../locales/zh-CN.ftl")), ids(include_str!("../locales/en.ftl")));
    assert_eq!(zh, en);
    assert!(zh.iter().all(|id| crate::texts().has(id)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_area_where_nothing_happened_breaks_no_invariant() {
    each(async |suite: &Suite| {
        suite.verify().await;
        assert!(suite.balance("points", &person(1)).await.is_none());
        let denied = suite.transfer(KEEPER, purpose_free("nobody"), &person(1), 1).await;
        assert_eq!(denied.expect_err("nobody has nothing").0, "INSUFFICIENT_BALANCE");
    })
    .await;
}
