//! Claims about the service, through its tonic trait, on SQLite and, where there is one, PostgreSQL.

mod awards;
mod catalogues;
mod contributions;
mod fences;
mod ledger;
mod reversals;
mod rewards;
mod scope;
mod suite;

use sea_orm::ConnectionTrait as _;
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

#[tokio::test]
async fn what_the_locks_keep_from_clashing_is_a_conflict_when_it_does() {
    each(async |suite: &Suite| {
        let store = linli_kit::store::Store::clone(&suite.store).with_constraints(crate::CONSTRAINTS);
        suite.grant(&person(1), 3).await;
        let clashes = [
            "INSERT INTO entry SELECT area, id, transfer_id, account, seq, value, balance_after, created_us FROM entry",
            "UPDATE account SET held = balance + 1 WHERE holder <> 'issuance'",
        ];
        for sql in clashes {
            let write = store.write("test.clash", |tx| {
                Box::pin(async move { Ok(tx.conn().execute_unprepared(sql).await?.rows_affected()) })
            });
            let error = write.await.expect_err("clashes");
            assert_eq!((error.code(), error.reason().as_str()), (linli_kit::ErrorCode::Aborted, "CONFLICT"), "{sql}");
        }
    })
    .await;
}

#[test]
fn every_constraint_that_is_mapped_is_in_the_tables_of_both_engines() {
    let text = |statements: &[&str]| statements.join(";\n");
    let own = crate::store::tables::MIGRATIONS;
    let sqlite: Vec<String> = own.iter().map(|migration| text(migration.sqlite)).collect();
    let postgres: Vec<String> = own.iter().map(|migration| text(migration.postgres)).collect();
    for constraint in crate::CONSTRAINTS {
        for all in [&sqlite, &postgres] {
            let there = all.iter().any(|text| text.contains(&format!(" {} ", constraint.name)));
            assert!(there, "{}", constraint.name);
        }
    }
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
