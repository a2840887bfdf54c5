//! `validate_only`: everything is run, nothing is written, and the request id is still free.

use std::collections::BTreeSet;

use linli_proto::org::*;

use crate::suite::*;

/// Methods of the service whose requests can be validated only.
fn methods() -> BTreeSet<String> {
    let service = linli_proto::pool().get_service_by_name("linli.org.v1.OrgService").expect("the service");
    let can = service.methods().filter(|m| m.input().get_field_by_name("validate_only").is_some());
    can.map(|m| m.name().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_answers_what_would_be_and_leaves_nothing_behind() {
    for suite in suites().await {
        let people = suite.home("micro-1", vec![person("甲", 1950)]).await.1;
        let mut tried = BTreeSet::new();
        macro_rules! trial {
            ($method:literal, $call:ident, $get:ident, $name:expr, $request:expr) => {
                let (name, id) = ($name, request_id());
                let before = suite.op().$get(name.clone()).await.ok().map(tonic::Response::into_inner);
                let mut request = $request;
                (request.validate_only, request.request_id) = (true, id.clone());
                let would_be = suite.op().$call(request.clone()).await.expect($method).into_inner();
                assert_ne!(Some(&would_be), before.as_ref(), "{} would change something", $method);
                let after = suite.op().$get(name).await.ok().map(tonic::Response::into_inner);
                assert_eq!(after, before, "{} wrote something", $method);
                request.validate_only = false;
                let done = suite.op().$call(request).await.expect("the request id is free").into_inner();
                // All but the etag, which for resources of the catalogue tells when they were made.
                assert_eq!(done.name, would_be.name);
                assert_eq!(format!("{done:?}"), format!("{would_be:?}"), "{}", $method);
                tried.insert($method.to_owned());
            };
        }
        let changed = Area { display_name: text("新华"), ..area("xinhua", "litong") };
        let get = GetAreaRequest { name: PARENT.into() };
        trial!(
            "UpdateArea",
            update_area,
            get_area,
            get,
            UpdateAreaRequest { area: Some(changed), ..Default::default() }
        );
        let get = GetAreaRequest { name: "areas/guanba".into() };
        let made =
            UpdateAreaRequest { area: Some(area("guanba", "litong")), allow_missing: true, ..Default::default() };
        trial!("UpdateArea", update_area, get_area, get, made);
        let changed = StructureTemplate { display_name: text("1+5+N"), ..template() };
        let get = GetStructureTemplateRequest { name: template().name };
        let request = UpdateStructureTemplateRequest { structure_template: Some(changed), ..Default::default() };
        trial!("UpdateStructureTemplate", update_structure_template, get_structure_template, get, request);
        let changed = Unit { display_name: text("一号"), ..named("micro-1", unit("micro", "grid-1")) };
        let get = GetUnitRequest { name: unit_name("micro-1") };
        trial!(
            "UpdateUnit",
            update_unit,
            get_unit,
            get,
            UpdateUnitRequest { unit: Some(changed), ..Default::default() }
        );
        let made = named("micro-2", unit("micro", "grid-1"));
        let get = GetUnitRequest { name: unit_name("micro-2") };
        let made = UpdateUnitRequest { unit: Some(made), allow_missing: true, ..Default::default() };
        trial!("UpdateUnit", update_unit, get_unit, get, made);
        let link = UnitLink {
            name: format!("{PARENT}/unitLinks/tie"),
            kind: "joint".into(),
            from_unit: unit_name("grid-1"),
            to_unit: unit_name("grid-2"),
            ..Default::default()
        };
        let get = GetUnitLinkRequest { name: link.name.clone() };
        let made = UpdateUnitLinkRequest { unit_link: Some(link), allow_missing: true, ..Default::default() };
        trial!("UpdateUnitLink", update_unit_link, get_unit_link, get, made);
        let changed = Person { full_name: "乙".into(), etag: String::new(), ..people[0].clone() };
        let get = GetPersonRequest { name: changed.name.clone() };
        let request = UpdatePersonRequest { person: Some(changed), ..Default::default() };
        trial!("UpdatePerson", update_person, get_person, get, request);
        assert_eq!(tried, methods(), "every method that has it");
        assert_eq!(suite.violations().await, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_of_a_new_unit_is_held_against_the_template_and_the_tree() {
    for suite in suites().await {
        let trial = |id: &str, unit: Unit, mask: &str| UpdateUnitRequest {
            unit: Some(named(id, unit)),
            update_mask: (!mask.is_empty()).then(|| prost_types::FieldMask { paths: vec![mask.to_owned()] }),
            allow_missing: true,
            validate_only: true,
            ..Default::default()
        };
        for (request, field) in [
            (trial("x", unit("castle", ""), ""), "unit.kind: KIND_UNKNOWN"),
            (trial("x", unit("micro", ""), ""), "unit.parent: KIND_DOES_NOT_NEST"),
            (trial("x", unit("micro", "nowhere"), ""), "unit.parent: REFERENCE_NOT_FOUND"),
            (trial("x", unit("micro", "grid-1"), "colour"), "update_mask.colour: FIELD_UNKNOWN"),
            (trial("x", unit("micro", "grid-1"), "tree"), "update_mask.tree: FIELD_OUTPUT_ONLY"),
        ] {
            let real = UpdateUnitRequest { validate_only: false, ..request.clone() };
            assert_eq!(fields(suite.op().update_unit(request).await), [field]);
            assert_eq!(fields(suite.op().update_unit(real).await), [field], "as in earnest");
        }
    }
}
