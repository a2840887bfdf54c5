//! The schema, its constraints and the texts.

use linli_kit::columns::{Column, KIT, assert_all_classified};
use linli_kit::store::Store;
use linli_org::{COLUMNS, CONSTRAINTS, OPEN_COLUMNS};
use sea_orm::ConnectionTrait as _;

use crate::suite::*;

#[tokio::test(flavor = "multi_thread")]
async fn every_column_is_classed_and_personal_ones_are_sealed_but_for_those_that_say_why() {
    let all: Vec<Column> = KIT.iter().chain(COLUMNS).copied().collect();
    for suite in suites().await {
        let mut found = assert_all_classified(&suite.store, &all).await.expect("reads");
        for (table, column, why) in OPEN_COLUMNS {
            let before = found.len();
            found.retain(|problem| !problem.starts_with(&format!("{table}.{column} is Personal and must be sealed")));
            assert_eq!(found.len() + 1, before, "{table}.{column} needs no exception any more");
            assert!(why.len() > 20, "{table}.{column}: why it stands in the open");
        }
        assert!(found.is_empty(), "{:?}: {found:#?}", suite.store.engine());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_violated_constraint_names_the_field() {
    for suite in suites().await {
        let people = vec![linli_proto::org::Person { import_key: "p-1".into(), ..person("甲", 1950) }];
        let requests = vec![draft("micro-1", "h-1", people), draft("micro-1", "h-2", vec![])];
        let request = linli_proto::org::BatchCreateHouseholdsRequest { parent: PARENT.into(), requests };
        suite.op().batch_create_households(request).await.expect("recorded");
        let store = Store::clone(&suite.store).with_constraints(CONSTRAINTS);
        let copy = "INSERT INTO person SELECT area, household, household, unit, full_name_enc, birth_year, tags_enc, \
                    import_key, revision, create_us, update_us FROM person";
        for (sql, field) in
            [("UPDATE household SET import_key = 'h-1'", "household.import_key"), (copy, "person.import_key")]
        {
            let done = store.write("test", |tx| {
                Box::pin(async move { Ok(tx.conn().execute_unprepared(sql).await?.rows_affected()) })
            });
            let told = done.await.expect_err("taken").to_string();
            assert_eq!(told, format!("INVALID_FIELDS count=1; {field}: IMPORT_KEY_TAKEN"), "{:?}", store.engine());
        }
    }
}
