//! People: masks, tags in filters, electorates.

use linli_proto::org::*;
use prost_types::FieldMask;

use crate::suite::*;

fn update(person: Person, paths: &[&str]) -> UpdatePersonRequest {
    let update_mask = Some(FieldMask { paths: paths.iter().map(|p| (*p).to_owned()).collect() });
    UpdatePersonRequest { person: Some(person), update_mask, ..Default::default() }
}

fn tagged(full_name: &str, birth_year: i32, tags: &[&str]) -> Person {
    Person { tags: tags.iter().map(|t| (*t).to_owned()).collect(), ..person(full_name, birth_year) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_name_alone_leaves_birth_year_and_tags_as_they_are() {
    for suite in suites().await {
        let (_, people) = suite.home("micro-1", vec![tagged("甲", 1950, &["living-alone"])]).await;
        let name = people[0].name.clone();
        let renamed = Person { name: name.clone(), full_name: "乙".into(), ..Default::default() };
        let changed = suite.op().update_person(update(renamed.clone(), &[])).await.expect("changes").into_inner();
        assert_eq!(
            (changed.full_name.as_str(), changed.birth_year, &changed.tags[..]),
            ("乙", 1950, &["living-alone".to_owned()][..])
        );
        let again = suite.op().update_person(update(renamed, &[])).await.expect("changes nothing").into_inner();
        assert_eq!(again, changed, "a write that changes nothing keeps the etag");
        let whole = suite.op().update_person(update(changed.clone(), &[])).await.expect("what was read").into_inner();
        assert_eq!(whole, changed);
        let bare = Person { tags: vec![], birth_year: 0, etag: String::new(), ..changed.clone() };
        let cleared = suite.op().update_person(update(bare.clone(), &["*"])).await.expect("clears").into_inner();
        assert_eq!((cleared.birth_year, cleared.tags.len()), (0, 0));
        let tags =
            ListPeopleRequest { parent: PARENT.into(), filter: "tags:living-alone".into(), ..Default::default() };
        assert!(suite.op().list_people(tags).await.expect("a list").into_inner().people.is_empty());
        let moved = Person { unit: unit_name("grid-2"), ..bare };
        let wanted = ["person.unit: FIELD_IMMUTABLE"];
        assert_eq!(fields(suite.op().update_person(update(moved.clone(), &[])).await), wanted);
        assert_eq!(fields(suite.op().update_person(update(moved, &["unit"])).await), wanted);
        let wanted = ["update_mask.create_time: FIELD_OUTPUT_ONLY", "update_mask.colour: FIELD_UNKNOWN"];
        let current = Person { etag: String::new(), ..changed };
        let answer = suite.op().update_person(update(current, &["create_time", "colour"])).await;
        assert_eq!(fields(answer), wanted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_in_a_filter_mean_what_they_say_or_are_refused() {
    for suite in suites().await {
        let people = vec![
            tagged("甲", 1940, &["living-alone", "volunteer"]),
            tagged("乙", 1950, &["volunteer"]),
            tagged("丙", 1960, &[]),
        ];
        suite.home("micro-1", people).await;
        let list =
            |filter: &str| ListPeopleRequest { parent: PARENT.into(), filter: filter.into(), ..Default::default() };
        for (filter, count) in [
            ("tags:volunteer", 2),
            ("birth_year < 1945 AND tags:\"volunteer\" AND tags:living-alone", 1),
            ("tags:volunteer AND (birth_year = 1940 OR birth_year = 1960)", 1),
            ("birth_year = 1940 OR birth_year = 1950 AND tags:living-alone", 1),
            ("import_key = \"a AND tags:b\"", 0),
        ] {
            let found = suite.op().list_people(list(filter)).await.expect(filter).into_inner().people;
            assert_eq!(found.len(), count, "{filter}");
        }
        for filter in [
            "(birth_year = 1960 AND tags:volunteer AND birth_year > 1) OR birth_year = 1940",
            "tags:volunteer OR birth_year = 1960",
            "NOT tags:volunteer",
            "tags = \"volunteer\"",
        ] {
            assert_eq!(fields(suite.op().list_people(list(filter)).await), ["filter: FILTER_INVALID"], "{filter}");
        }
        let long = format!("import_key = \"{}\"", " AND ".repeat(2_000));
        assert_eq!(fields(suite.op().list_people(list(&long)).await), ["filter: FILTER_INVALID"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_household_without_an_adult_has_no_vote() {
    for suite in suites().await {
        let (adults, _) = suite.home("micro-1", vec![person("甲", 1950), person("乙", 2015)]).await;
        let (children, _) = suite.home("micro-1", vec![person("丙", 2015)]).await;
        let (unknown, _) = suite.home("micro-1", vec![person("丁", 0)]).await;
        suite.home("micro-1", vec![]).await;
        let list = |born_by_year| ListElectorsRequest {
            unit: unit_name("compound-1"),
            basis: ElectorBasis::Household.into(),
            born_by_year,
            ..Default::default()
        };
        let of = async |born_by_year| {
            suite.deliberation().list_electors(list(born_by_year)).await.expect("electors").into_inner().electors
        };
        assert_eq!(of(2008).await, std::slice::from_ref(&adults));
        let mut all = vec![adults, children, unknown];
        all.sort();
        assert_eq!(of(0).await, all, "no bound of age; the empty household still has nobody to vote");
    }
}
