//! Claims about the catalogue, on both engines.

use linli_kernel::Timestamp;
use linli_proto::booking::{Mode, Offering, OfferingState, ServiceList};
use linli_proto::common::{Amount, Text};
use prost_types::FieldMask;

use super::*;
use crate::page::PageRequest;
use crate::store::Tx;
use crate::testing::{TestStore, keyring, stores};
use crate::{Error, ErrorCode, FieldViolation};

const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

fn catalogue(store: &TestStore) -> Catalogue<Offering> {
    Catalogue::new(Store::clone(store), "offerings", "linli/Offering").filterable(&[
        "kind",
        "state",
        "tags",
        "max_party",
    ])
}

fn offering(area: &str, id: &str) -> Offering {
    Offering {
        name: format!("areas/{area}/offerings/{id}"),
        display_name: Some(Text { zh_cn: "理发".into(), en: "Haircut".into() }),
        service_list: ServiceList::Convenience.into(),
        mode: Mode::Seat.into(),
        kind: "haircut".into(),
        ..Default::default()
    }
}

fn mask(paths: &[&str]) -> Option<FieldMask> {
    Some(FieldMask { paths: paths.iter().map(|p| (*p).to_owned()).collect() })
}

async fn create(store: &TestStore, area: &str, id: &str, message: &Offering) -> Result<Written<Offering>> {
    let catalogue = &catalogue(store);
    store.write("create", |tx| Box::pin(catalogue.create(tx, NOW, (area, id), message, |_| Vec::new()))).await
}

async fn update(
    store: &TestStore,
    message: &Offering,
    mask: Option<FieldMask>,
    allow_missing: bool,
) -> Result<Written<Offering>> {
    let (catalogue, mask) = (&catalogue(store), mask.as_ref());
    store
        .write("update", |tx| {
            Box::pin(catalogue.update(tx, NOW.plus_secs(60), message, mask, allow_missing, too_large))
        })
        .await
}

fn too_large(offering: &Offering) -> Vec<FieldViolation> {
    let bad = offering.max_party > 10;
    bad.then(|| FieldViolation::new("max_party", "FIELD_OUT_OF_RANGE").arg("min", 0).arg("max", 10))
        .into_iter()
        .collect()
}

fn status(error: Error) -> String {
    error.into_status(&crate::Texts::kit(), linli_kernel::Lang::En, "test.linli").message().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_created_resource_is_read_with_its_name_etag_and_times() {
    for store in stores().await {
        let mut sent = offering("x", "cut");
        sent.name = String::new();
        sent.update_time = Some(prost_types::Timestamp { seconds: 1, nanos: 0 });
        let made = create(&store, "x", "cut", &sent).await.expect("creates");
        assert!(made.changed && made.created);
        let read = catalogue(&store).get("x", "cut").await.expect("reads");
        assert_eq!(read, made.entry.resource);
        assert_eq!((read.name.as_str(), read.kind.as_str()), ("areas/x/offerings/cut", "haircut"));
        assert!(read.etag.starts_with("r1-"));
        assert_eq!(read.create_time.map(|t| t.seconds), Some(NOW.secs()));
        assert_eq!(read.update_time, read.create_time);
        assert_eq!(create(&store, "x", "cut", &sent).await.expect_err("twice").code(), ErrorCode::AlreadyExists);
        assert_eq!(catalogue(&store).get("x", "none").await.expect_err("absent").code(), ErrorCode::NotFound);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_bad_fields_are_reported_at_once_with_their_paths() {
    for store in stores().await {
        let mut bad = offering("x", "cut");
        bad.kind = String::new();
        bad.mode = 99;
        bad.base_price = Some(Amount { asset: String::new(), value: 0 });
        bad.max_party = 11;
        let text = status(update(&store, &bad, None, true).await.expect_err("bad"));
        for field in ["offering.kind:", "offering.mode:", "offering.base_price.asset:", "offering.max_party:"] {
            assert!(text.contains(field), "{field} {text}");
        }
        assert!(!text.contains("base_price.value"), "0 may be meant: {text}");
        let text = status(create(&store, "x", "Cut!", &offering("x", "cut")).await.expect_err("no slug"));
        assert!(text.contains("offering_id:"), "{text}");
        let text = status(update(&store, &Offering::default(), None, true).await.expect_err("no name"));
        assert!(text.contains("offering.name:"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn masks_choose_what_changes_and_bad_paths_are_named() {
    for store in stores().await {
        create(&store, "x", "cut", &offering("x", "cut")).await.expect("creates");
        let mut change = offering("x", "cut");
        change.display_name = Some(Text { zh_cn: "不变".into(), en: "Trim".into() });
        change.kind = "ignored".into();
        change.base_price = Some(Amount { asset: "points".into(), value: 3 });
        let paths = mask(&["display_name.en", "base_price.asset", "etag", "name", "description.en"]);
        let written = update(&store, &change, paths, false).await.expect("updates");
        let now = written.entry.resource;
        assert_eq!(now.display_name, Some(Text { zh_cn: "理发".into(), en: "Trim".into() }));
        assert_eq!((now.kind.as_str(), now.description), ("haircut", None));
        assert_eq!(now.base_price, Some(Amount { asset: "points".into(), value: 0 }));
        assert_eq!((written.entry.revision, written.changed, written.created), (2, true, false));
        assert_eq!(now.update_time.map(|t| t.seconds), Some(NOW.secs() + 60));
        let cleared = update(&store, &offering("x", "cut"), mask(&["base_price"]), false).await.expect("clears");
        assert_eq!(cleared.entry.resource.base_price, None);
        let bad = mask(&["nothing", "kind.x", "tags.0", "create_time.seconds", "display_name.en"]);
        let text = status(update(&store, &change, bad, false).await.expect_err("bad paths"));
        for field in ["offering.nothing:", "offering.kind.x:", "offering.tags.0:", "offering.create_time.seconds:"] {
            assert!(text.contains(field), "{field} {text}");
        }
        let whole = update(&store, &offering("x", "cut"), mask(&["*"]), false).await.expect("replaces");
        assert_eq!(whole.entry.resource.display_name.map(|t| t.en), Some("Haircut".into()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_nothing_writes_nothing_and_a_stale_etag_is_refused() {
    for store in stores().await {
        let made = update(&store, &offering("x", "cut"), None, true).await.expect("creates");
        assert!(made.created);
        let etag = made.entry.resource.etag.clone();
        let again = update(&store, &offering("x", "cut"), None, true).await.expect("the same");
        assert_eq!((again.changed, again.created, &again.entry.resource.etag), (false, false, &etag));
        let mut read = made.entry.resource.clone();
        read.max_party = 4;
        let second = update(&store, &read, None, false).await.expect("with the present etag");
        assert!(second.changed);
        read.max_party = 5;
        let stale = update(&store, &read, None, false).await.expect_err("stale");
        assert_eq!((stale.code(), stale.reason().as_str()), (ErrorCode::Aborted, "STALE_ETAG"));
        assert_eq!(
            update(&store, &offering("x", "none"), None, false).await.expect_err("absent").code(),
            ErrorCode::NotFound
        );
        let catalogue = &catalogue(&store);
        let delete =
            |etag: &'static str| store.write("delete", move |tx| Box::pin(catalogue.delete(tx, "x", "cut", etag)));
        assert_eq!(delete("r1-0").await.expect_err("stale").reason(), "STALE_ETAG");
        delete("").await.expect("deletes");
        let anew = create(&store, "x", "cut", &offering("x", "cut")).await.expect("anew");
        assert_eq!(anew.entry.revision, 1);
        assert!(catalogue.find("x", "other").await.expect("reads").is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nearest_area_of_the_chain_wins() {
    for store in stores().await {
        for area in ["city", "street"] {
            create(&store, area, "cut", &offering(area, "cut")).await.expect("creates");
        }
        create(&store, "city", "meal", &offering("city", "meal")).await.expect("creates");
        let catalogue = catalogue(&store);
        let chain = ["community", "street", "city"];
        let nearest = |id| catalogue.get_nearest(&chain, id);
        assert_eq!(nearest("cut").await.expect("reads").expect("one").area, "street");
        assert_eq!(nearest("meal").await.expect("reads").expect("one").area, "city");
        assert!(nearest("none").await.expect("reads").is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_paged_filtered_ordered_and_stable() {
    for store in stores().await {
        for i in 0..30 {
            let mut one = offering("x", "-");
            one.kind = if i % 3 == 0 { "meal".into() } else { "haircut".into() };
            create(&store, ["x", "y"][i % 2], &format!("o{i:02}"), &one).await.expect("creates");
        }
        let (catalogue, keys) = (catalogue(&store), keyring());
        let areas = ["x".to_owned(), "y".to_owned()];
        for (filter, order, wanted) in [
            ("", "", 30),
            ("kind = meal", "", 10),
            ("kind = meal", "create_time desc", 10),
            ("kind = none", "", 0),
            ("", "name desc", 30),
        ] {
            for scope in [Scope::Areas(&areas), Scope::Everywhere] {
                let (mut names, mut token, mut pages) = (Vec::new(), String::new(), 0);
                loop {
                    let page = PageRequest::parse(&keys, "/List", &[filter, order], 4, &token).expect("a page");
                    let (entries, next) = catalogue.list(scope, &page, filter, order).await.expect("lists");
                    assert!(entries.len() <= 4);
                    names.extend(entries.into_iter().map(|e| e.resource.name));
                    (token, pages) = (next, pages + 1);
                    if token.is_empty() {
                        break;
                    }
                }
                let mut sorted = names.clone();
                sorted.sort();
                if order.ends_with("desc") {
                    sorted.reverse();
                }
                assert_eq!(names, sorted, "{filter} {order}");
                assert_eq!(names.len(), wanted, "{filter} {order}");
                assert_eq!(pages, wanted.div_ceil(4).max(1), "{filter} {order}: no empty page at the end");
            }
        }
        let page = PageRequest::parse(&keys, "/List", &[], 4, "").expect("a page");
        let scope = Scope::Areas(&areas[..1]);
        assert!(catalogue.list(scope, &page, "resident = 1", "").await.is_err());
        assert!(catalogue.list(scope, &page, "", "kind").await.is_err());
        assert!(catalogue.list(Scope::Areas(&[]), &page, "", "").await.expect("lists").0.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_puts_states_that_authors_may_not_and_concurrent_updates_count() {
    for store in stores().await {
        create(&store, "x", "cut", &offering("x", "cut")).await.expect("creates");
        let catalogue = &catalogue(&store);
        let calls = (0..8).map(|_| {
            store.write("count", |tx: &Tx<'_>| {
                Box::pin(async move {
                    let mut now = catalogue.find_for_update(tx, "x", "cut").await?.expect("there").resource;
                    now.max_party += 1;
                    now.state = OfferingState::try_from(1).expect("a state").into();
                    catalogue.put(tx, NOW, &now).await
                })
            })
        });
        for outcome in futures::future::join_all(calls).await {
            assert!(outcome.expect("puts").changed);
        }
        let entry = catalogue.find("x", "cut").await.expect("reads").expect("there");
        assert_eq!((entry.resource.max_party, entry.revision), (8, 9));
    }
}

#[test]
fn immutable_fields_and_output_only_ones_deep_inside_are_found_by_the_contract() {
    let schema = schema::Schema::of("linli/Unit").expect("in the contract");
    let unit = |kind: &str| {
        let mut unit = DynamicMessage::new(schema.descriptor.clone());
        let field = schema.descriptor.fields().find(|f| schema.behaviour(f).immutable).expect("an immutable field");
        unit.set_field(&field, prost_reflect::Value::String(kind.into()));
        unit
    };
    assert!(merge::immutable_changes(&schema, &unit("a"), &unit("a")).is_empty());
    let found = merge::immutable_changes(&schema, &unit("a"), &unit("b"));
    assert_eq!(found.iter().map(|v| v.reason).collect::<Vec<_>>(), ["FIELD_IMMUTABLE"]);
    assert!(schema::Schema::of("linli/Nothing").is_none());
    assert_eq!(schema::Schema::of("linli/AwardBinding").expect("there").singular, "award_binding");
}
