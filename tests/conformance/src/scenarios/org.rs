//! OrgService.

use std::collections::BTreeSet;

use serde_json::json;

use super::{field, first, text};
use crate::catalogue::Kind;
use crate::wire::rpcs;
use crate::world::World;

const PARENT: &str = "areas/xinhua";

pub(super) async fn play(world: &World) {
    areas_and_templates(world).await;
    units(world).await;
    people(world).await;
    appointments(world).await;
    trials(world).await;
}

async fn areas_and_templates(world: &World) {
    let op = world.operator();
    let area = op.ok("org.GetArea", json!({"name": PARENT})).await;
    assert_eq!(area["kind"], "AREA_KIND_COMMUNITY");
    assert_eq!(area["parent"], "areas/litong");
    let areas = op.ok("org.ListAreas", json!({"page_size": 1000})).await;
    assert_eq!(areas["areas"].as_array().map(Vec::len), Some(2));
    let change = json!({"area": {"name": PARENT, "display_name": text("Xinhua")}, "update_mask": "displayName"});
    let changed = op.ok("org.UpdateArea", change).await;
    assert_eq!(changed["display_name"]["en"], "Xinhua");
    let template = op.ok("org.GetStructureTemplate", json!({"name": world.name("structureTemplates/structure")})).await;
    assert_eq!(template["unit_kinds"].as_array().map(Vec::len), Some(2));
    let listed = op.ok("org.ListStructureTemplates", json!({"parent": PARENT})).await;
    assert_eq!(first(&listed, "structure_templates"), &template);
    let other = json!({
        "parent": "areas/litong", "structure_template_id": "structure",
        "structure_template": {
            "display_name": text("District"),
            "unit_kinds": [{"code": "street", "display_name": text("Street"), "tree": "TREE_RESIDENTS"}],
        },
    });
    let made = op.ok("org.CreateStructureTemplate", other).await;
    let change = json!({
        "structure_template": {"name": made["name"], "display_name": text("The district")}, "update_mask": "displayName",
    });
    let changed = op.ok("org.UpdateStructureTemplate", change).await;
    assert_ne!(changed["etag"], made["etag"]);
    op.ok("org.DeleteStructureTemplate", json!({"name": made["name"], "etag": changed["etag"]})).await;
    op.refused("org.GetStructureTemplate", json!({"name": made["name"]})).await;
}

async fn units(world: &World) {
    let op = world.secretary();
    let grid = |id: &str| json!({"kind": "grid", "display_name": text(id)});
    let kept = Kind {
        service: "org",
        message: "Unit",
        collection: "units",
        kept: ("grid-7", grid("grid-7")),
        gone: ("grid-6", grid("grid-6")),
        change: ("display_name,labels", json!({"display_name": text("Seven"), "labels": {"circle": "活力"}})),
    };
    let seven = kept.walk(&op).await;
    let batch = json!({"parent": PARENT, "requests": [
        {"unit_id": "grid-8", "unit": grid("grid-8")},
        {"unit_id": "micro-8", "unit": {
            "kind": "micro-grid", "display_name": text("micro-8"), "parent": world.name("units/grid-8"),
        }},
    ]});
    let made = op.ok("org.BatchCreateUnits", batch).await;
    assert_eq!(made["units"][1]["parent"], json!(world.name("units/grid-8")));
    let eight = world.name("units/micro-8");
    let unit = op.ok("org.GetUnit", json!({"name": eight})).await;
    let moved = op.ok("org.MoveUnit", json!({"name": eight, "new_parent": seven, "etag": unit["etag"]})).await;
    assert_eq!(moved["parent"], json!(seven));
    let below = op.ok("org.SummarizeUnit", json!({"name": seven})).await;
    let kinds = below["units"].as_array().expect("kinds").iter().map(|k| k["count"].as_i64().unwrap_or_default());
    assert_eq!(kinds.sum::<i64>(), 2, "the moved unit counts at its new place: {below}");
    let all = op.ok("org.SummarizeArea", json!({"name": PARENT})).await;
    assert_eq!((all["households"].as_i64(), all["people"].as_i64()), (Some(10), Some(20)));
    let gaps = op.ok("org.ListGaps", json!({"parent": PARENT, "unit": seven})).await;
    assert_eq!(
        gaps["total_size"].as_i64().unwrap_or_default(),
        4,
        "two posts of the micro-grid, its households, the grid's worker: {gaps}"
    );
    let link =
        |id: &str| json!({"kind": "built-on", "from_unit": seven, "to_unit": world.name(&format!("units/{id}"))});
    let links = Kind {
        service: "org",
        message: "UnitLink",
        collection: "unitLinks",
        kept: ("branch-2", link("grid-1")),
        gone: ("branch-1", link("grid-2")),
        change: ("kind", json!({"kind": "joint"})),
    };
    links.walk(&op).await;
}

async fn people(world: &World) {
    let op = world.secretary();
    let household =
        json!({"parent": PARENT, "household": {"unit": world.name("units/micro-1"), "import_key": "h-new"}});
    let household = op.ok("org.CreateHousehold", household).await;
    let read = op.ok("org.GetHousehold", json!({"name": household["name"]})).await;
    assert_eq!(read, household);
    let draft = json!({
        "household": {"unit": world.name("units/micro-2"), "import_key": "h-batch"},
        "people": [{"full_name": "张三", "birth_year": 1990}],
    });
    let batch = op.ok("org.BatchCreateHouseholds", json!({"parent": PARENT, "requests": [draft]})).await;
    assert_eq!(batch["households"][0]["people"][0]["full_name"], "张三");
    let listed = op.ok("org.ListHouseholds", json!({"parent": PARENT})).await;
    assert_eq!(listed["households"].as_array().map(Vec::len), Some(12));
    let person = json!({
        "parent": PARENT,
        "person": {"full_name": "李四", "birth_year": 1950, "household": household["name"], "tags": ["living-alone"]},
    });
    let person = op.ok("org.CreatePerson", person).await;
    assert_eq!(person["unit"], json!(world.name("units/micro-1")), "a person lives in the unit of the household");
    assert_eq!(op.ok("org.GetPerson", json!({"name": person["name"]})).await, person);
    let change = json!({"person": {"name": person["name"], "full_name": "李四四"}, "update_mask": "fullName"});
    let changed = op.ok("org.UpdatePerson", change).await;
    assert_eq!((field(&changed, "full_name"), changed["birth_year"].as_i64()), ("李四四", Some(1950)));
    let listed = op.ok("org.ListPeople", json!({"parent": PARENT, "page_size": 1000})).await;
    assert_eq!(listed["people"].as_array().map(Vec::len), Some(22));
    let own = world.caller(field(&person, "name"));
    assert_eq!(own.ok("org.GetPerson", json!({"name": person["name"]})).await["full_name"], "李四四");
    let other = own.refused("org.GetPerson", json!({"name": world.community.adult(0)})).await;
    assert_eq!(other.code, tonic::Code::PermissionDenied, "a resident reads nobody else");
}

async fn appointments(world: &World) {
    let op = world.secretary();
    let appoint = |who: &str, unit: &str, role: &str| {
        let unit = world.name(&format!("units/{unit}"));
        json!({"parent": PARENT, "appointment": {"appointee": who, "unit": unit, "role": role, "basis": "BASIS_ELECTED"}})
    };
    let head = op.ok("org.CreateAppointment", appoint(world.community.adult(0), "micro-1", "head")).await;
    assert_eq!(head["state"], "APPOINTMENT_STATE_ACTIVE");
    assert_eq!(op.ok("org.GetAppointment", json!({"name": head["name"]})).await, head);
    let conflict =
        op.refused("org.CreateAppointment", appoint(world.community.adult(0), "micro-1", "housekeeper")).await;
    assert!(conflict.names("appointment.role"), "posts in conflict: {conflict:?}");
    let batch = json!({"parent": PARENT, "requests": [
        appoint(world.community.adult(6), "micro-2", "head"),
        appoint(world.community.adult(7), "micro-2", "housekeeper"),
    ]});
    let made = op.ok("org.BatchCreateAppointments", batch).await;
    assert_eq!(made["appointments"].as_array().map(Vec::len), Some(2));
    let ended = op.ok("org.EndAppointment", json!({"name": head["name"]})).await;
    assert_eq!(ended["state"], "APPOINTMENT_STATE_ENDED");
    let listed = op.ok("org.ListAppointments", json!({"parent": PARENT})).await;
    assert!(listed["appointments"].as_array().is_some_and(|all| all.len() >= 4), "{listed}");
    op.ok("org.CheckAccess", json!({"name": PARENT})).await;
    let resident = world.caller(world.community.elder(1));
    let refused = resident.refused("org.CheckAccess", json!({"name": PARENT})).await;
    assert_eq!(refused.code, tonic::Code::PermissionDenied);
}

/// Every method that can only validate answers what would be, writes nothing, and leaves the request id free.
async fn trials(world: &World) {
    let op = world.operator();
    let template = world.name("structureTemplates/structure");
    let cases = [
        ("org.UpdateArea", "org.GetArea", "area", json!({"name": PARENT, "division_code": "640104"})),
        (
            "org.UpdateStructureTemplate",
            "org.GetStructureTemplate",
            "structure_template",
            json!({"name": template, "display_name": text("Trial")}),
        ),
        (
            "org.UpdateUnit",
            "org.GetUnit",
            "unit",
            json!({"name": world.name("units/grid-1"), "display_name": text("Trial")}),
        ),
        (
            "org.UpdateUnitLink",
            "org.GetUnitLink",
            "unit_link",
            json!({"name": world.name("unitLinks/branch-2"), "kind": "trial"}),
        ),
        ("org.UpdatePerson", "org.GetPerson", "person", json!({"name": world.community.elder(0), "birth_year": 1946})),
    ];
    let can = rpcs().iter().filter(|rpc| rpc.descriptor.input().get_field_by_name("validate_only").is_some());
    let can: BTreeSet<String> = can.map(|rpc| rpc.short()).filter(|short| short.starts_with("org.")).collect();
    assert_eq!(cases.iter().map(|(update, ..)| (*update).to_owned()).collect::<BTreeSet<_>>(), can);
    for (update, get, resource, change) in cases {
        let name = json!({"name": change["name"]});
        let before = op.ok(get, name.clone()).await;
        let id = linli_harness::seed::request_id();
        let trial = json!({resource: change, "validate_only": true, "request_id": id});
        let would_be = op.call(update, &trial).await.expect("a trial answers");
        assert_ne!(would_be, before, "{update}: what would be");
        assert_eq!(op.ok(get, name).await, before, "{update} wrote something");
        let mut stale = json!({resource: change, "request_id": id});
        stale[resource]["etag"] = "r999".into();
        assert_eq!(op.refused(update, stale).await.reason, "STALE_ETAG", "{update}: the request id is free");
    }
}
