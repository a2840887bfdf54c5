//! Areas: what a write without a mask takes over, and what it refuses.

use linli_proto::org::*;
use prost_types::FieldMask;

use crate::suite::*;

fn update(area: Area, paths: &[&str]) -> UpdateAreaRequest {
    let update_mask = Some(FieldMask { paths: paths.iter().map(|p| (*p).to_owned()).collect() });
    UpdateAreaRequest { area: Some(area), update_mask, ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_mask_only_the_fields_that_are_set_change() {
    for suite in suites().await {
        let before = suite.op().get_area(GetAreaRequest { name: PARENT.into() }).await.expect("an area").into_inner();
        let code = Area { name: PARENT.into(), division_code: "640104".into(), ..Default::default() };
        let changed = suite.op().update_area(update(code.clone(), &[])).await.expect("changes").into_inner();
        assert_eq!(Area { division_code: "640104".into(), etag: "r2".into(), ..before }, changed);
        let again = suite.op().update_area(update(code.clone(), &[])).await.expect("changes nothing").into_inner();
        assert_eq!(again, changed);
        let cleared = Area { name: PARENT.into(), ..Default::default() };
        let cleared = suite.op().update_area(update(cleared, &["division_code"])).await.expect("clears").into_inner();
        assert_eq!(cleared.division_code, "");
        let all = fields(suite.op().update_area(update(code, &["*"])).await);
        let required =
            ["area.display_name: FIELD_REQUIRED", "area.kind: FIELD_REQUIRED", "area.time_zone: FIELD_FORMAT"];
        assert_eq!(all, required, "a star takes what is not set too");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mask_is_checked_on_creation_too_and_takes_nothing_away() {
    for suite in suites().await {
        let request =
            |paths: &[&str]| UpdateAreaRequest { allow_missing: true, ..update(area("guanba", "litong"), paths) };
        let wanted = ["update_mask.colour: FIELD_UNKNOWN", "update_mask.etag: FIELD_OUTPUT_ONLY"];
        assert_eq!(fields(suite.op().update_area(request(&["colour", "etag"])).await), wanted);
        let made = suite.op().update_area(request(&["kind"])).await.expect("created").into_inner();
        assert_eq!(made.display_name, text("guanba"));
        let stale = Area { etag: "r7".into(), ..area("new", "litong") };
        let request = UpdateAreaRequest { area: Some(stale), allow_missing: true, ..Default::default() };
        assert_eq!(reason(suite.op().update_area(request).await), "STALE_ETAG");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_area_hangs_below_one_that_exists_and_not_below_itself() {
    for suite in suites().await {
        let below = |parent: &str| Area { name: "areas/litong".into(), parent: parent.into(), ..Default::default() };
        for (parent, reason) in [
            (PARENT, "TREE_CYCLE"),
            ("areas/litong", "TREE_CYCLE"),
            ("areas/nowhere", "REFERENCE_NOT_FOUND"),
            ("xinhua", "NAME_INVALID"),
        ] {
            let answer = suite.op().update_area(update(below(parent), &[])).await;
            assert_eq!(fields(answer), [format!("area.parent: {reason}")], "{parent}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_a_list_does_not_have_is_refused() {
    for suite in suites().await {
        for order in ["display_name", "name desc", "name,name"] {
            let (parent, order_by) = (PARENT.to_owned(), order.to_owned());
            macro_rules! refused {
                ($call:ident, $request:expr) => {
                    assert_eq!(fields(suite.op().$call($request).await), ["order_by: ORDER_BY_INVALID"]);
                };
            }
            refused!(list_areas, ListAreasRequest { order_by: order_by.clone(), ..Default::default() });
            let (o, p) = (order_by, parent);
            refused!(list_units, ListUnitsRequest { parent: p.clone(), order_by: o.clone(), ..Default::default() });
            let households = ListHouseholdsRequest { parent: p.clone(), order_by: o.clone(), ..Default::default() };
            refused!(list_households, households);
            refused!(list_people, ListPeopleRequest { parent: p.clone(), order_by: o.clone(), ..Default::default() });
            refused!(list_appointments, ListAppointmentsRequest { parent: p, order_by: o, ..Default::default() });
        }
        let list = ListUnitsRequest { parent: PARENT.into(), order_by: "name".into(), ..Default::default() };
        let units = suite.op().list_units(list).await.expect("the order there is").into_inner().units;
        let names: Vec<_> = units.iter().map(|unit| unit.name.as_str()).collect();
        assert!(names.is_sorted() && names.len() == 4, "{names:?}");
    }
}
