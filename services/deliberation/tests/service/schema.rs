//! The schema and the texts.

use linli_deliberation::{COLUMNS, TEXTS};
use linli_kit::Texts;
use linli_kit::columns::{Class, Column, KIT, assert_all_classified};

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn every_column_is_classed_and_personal_ones_are_sealed() {
    let access = linli_access::COLUMNS.iter().map(|(table, column)| (*table, *column, Class::Public));
    let all: Vec<Column> = KIT.iter().chain(COLUMNS).copied().chain(access).collect();
    for world in World::all().await {
        let found = assert_all_classified(&world.store, &all).await.expect("reads");
        assert!(found.is_empty(), "{:?}: {found:#?}", world.store.engine());
    }
}

#[test]
fn both_languages_have_the_same_texts_in_the_same_order() {
    let ids = |source: &str| -> Vec<String> {
        source.lines().filter_map(|line| line.split_once(" = ")).map(|(id, _)| id.to_owned()).collect()
    };
    assert_eq!(ids(TEXTS.0), ids(TEXTS.1));
    let texts = Texts::with(TEXTS.0, TEXTS.1);
    assert!(ids(TEXTS.1).iter().all(|id| texts.has(id)));
}
