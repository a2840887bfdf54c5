//! Who may call what, for every RPC: the requests are made from the descriptors, so that a new RPC is tested unasked.

use linli_harness::{engines, refusal};
use prost_reflect::{Kind, MessageDescriptor};
use serde_json::{Value, json};
use tonic::Code;

use crate::caller::Caller;
use crate::wire::{self, Rpc, rpcs};
use crate::world::World;

/// What anybody with a token may call: areas are no secret.
const FOR_ANYBODY: [&str; 2] = ["org.GetArea", "org.ListAreas"];

/// Collections whose ids the service makes, with their prefix.
const RECORDED: [(&str, &str); 23] = [
    ("people", "per"),
    ("households", "hh"),
    ("appointments", "apt"),
    ("slots", "slt"),
    ("bookings", "bkg"),
    ("receipts", "rcp"),
    ("transfers", "trf"),
    ("entries", "ent"),
    ("holds", "hld"),
    ("cards", "crd"),
    ("redemptions", "rdm"),
    ("awards", "awd"),
    ("topics", "top"),
    ("stageRecords", "rec"),
    ("ballots", "bal"),
    ("archives", "arc"),
    ("pluginVersions", "pv"),
    ("ruleChanges", "rc"),
    ("pluginNotices", "pn"),
    ("contributions", "con"),
    ("awardReceipts", "arc"),
    ("topicReceipts", "trc"),
    ("operations", "rules-op"),
];

/// A request that names something of `xinhua` and nothing else.
fn request(rpc: &Rpc) -> Value {
    let mut body = json!({});
    let parts: Vec<&str> = rpc.info.resource_field.split('.').filter(|part| !part.is_empty()).collect();
    let Some((last, outer)) = parts.split_last() else { return body };
    let (mut at, mut message) = (&mut body, rpc.descriptor.input());
    for part in outer {
        let field = message.get_field_by_name(part).unwrap_or_else(|| panic!("{}: {part}", rpc.short()));
        let Kind::Message(inner) = field.kind() else { panic!("{}: {part} is a message", rpc.short()) };
        at[*part] = json!({});
        at = &mut at[*part];
        message = inner;
    }
    at[*last] = name(rpc, &message, last).into();
    let somebody = of_collection("people");
    // What residents do for themselves is asked here for a resident of xinhua.
    match rpc.short().as_str() {
        "booking.CreateBooking" => body["booking"] = json!({"resident": somebody, "slot": of_collection("slots")}),
        "points.CreateRedemption" => {
            body["redemption"] = json!({"holder": somebody, "reward": of_collection("rewards")});
        }
        _ => {}
    }
    body
}

/// A well-formed name for a field.
fn name(rpc: &Rpc, message: &MessageDescriptor, field: &str) -> String {
    match (rpc.short().as_str(), field) {
        ("events.ListEvents", _) => return "streams/booking".to_owned(),
        ("operations.ListOperations", _) => return "areas/xinhua/operations".to_owned(),
        (short, _) if short.starts_with("operations.") => return of_collection("operations"),
        ("rules.UploadPluginVersion", _) => return of_collection("plugins"),
        ("points.GetAccount", _) => return "areas/xinhua/accounts/points.redeemed".to_owned(),
        (_, "parent") => return "areas/xinhua".to_owned(),
        _ => {}
    }
    let pattern = pattern(message).or_else(|| referenced(message, field));
    match pattern.as_deref().and_then(|pattern| pattern.split('/').nth(2)) {
        Some(collection) => of_collection(collection),
        None => "areas/xinhua".to_owned(),
    }
}

fn of_collection(collection: &str) -> String {
    if collection == "rulesPolicy" {
        return "areas/xinhua/rulesPolicy".to_owned();
    }
    if collection == "uploads" {
        return format!("areas/xinhua/uploads/{}", "0".repeat(64));
    }
    match RECORDED.iter().find(|(known, _)| *known == collection) {
        Some((_, prefix)) => format!("areas/xinhua/{collection}/{prefix}-00000000000000000000000001"),
        None => format!("areas/xinhua/{collection}/some"),
    }
}

fn option_text(options: &prost_reflect::DynamicMessage, extension: &str, field: &str) -> Option<String> {
    let extension = linli_proto::pool().get_extension_by_name(extension)?;
    let value = options.get_extension(&extension);
    let value = value.as_message()?.get_field_by_name(field)?;
    match value.as_list() {
        Some(list) => list.first()?.as_str().map(str::to_owned),
        None => value.as_str().map(str::to_owned),
    }
}

/// The pattern of a resource's own names.
fn pattern(message: &MessageDescriptor) -> Option<String> {
    option_text(&message.options(), "google.api.resource", "pattern")
}

/// The pattern of the resource that a field refers to.
fn referenced(message: &MessageDescriptor, field: &str) -> Option<String> {
    let options = message.get_field_by_name(field)?.options();
    let wanted = option_text(&options, "google.api.resource_reference", "type")?;
    let of_type =
        |m: &MessageDescriptor| option_text(&m.options(), "google.api.resource", "type").as_deref() == Some(&wanted);
    pattern(&linli_proto::pool().all_messages().find(of_type)?)
}

async fn code(by: &Caller, rpc: &Rpc) -> Result<Value, linli_harness::Refusal> {
    let messages = vec![rpc.encode(&request(rpc))];
    let answer = wire::call(&by.channel, &rpc.info.path, messages, &by.terms).await;
    answer.map(|answer| rpc.decode(&answer)).map_err(|status| refusal(&status))
}

#[test]
fn requests_name_what_each_rpc_is_about() {
    assert_eq!(request(Rpc::of("booking.CancelBooking")), json!({"name": of_collection("bookings")}));
    assert_eq!(
        request(Rpc::of("points.UpdateCardType")),
        json!({"card_type": {"name": "areas/xinhua/cardTypes/some"}})
    );
    assert_eq!(request(Rpc::of("org.UpdateArea")), json!({"area": {"name": "areas/xinhua"}}));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_no_rpc_answers() {
    for engine in engines() {
        let world = World::start(engine, false).await;
        let mut wrong = Vec::new();
        for rpc in rpcs().iter().filter(|rpc| !rpc.info.internal_only) {
            match code(&world.nobody(), rpc).await {
                Err(refused)
                    if (refused.code, refused.reason.as_str()) == (Code::Unauthenticated, "UNAUTHENTICATED") => {}
                other => wrong.push(format!("{}: {other:?}", rpc.short())),
            }
        }
        assert!(wrong.is_empty(), "{engine:?}: {wrong:#?}");
        world.suite.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resident_of_another_area_is_refused_by_every_rpc() {
    for engine in engines() {
        let world = World::start(engine, false).await;
        world.roles_known().await;
        linli_harness::seed::area(&world.suite.operator(), "guanba").await;
        let before = world.census().await;
        let stranger = world.caller("areas/guanba/people/per-00000000000000000000000001");
        let mut wrong = Vec::new();
        for rpc in rpcs().iter().filter(|rpc| !FOR_ANYBODY.contains(&rpc.short().as_str())) {
            match code(&stranger, rpc).await {
                Err(refused) if refused.code == Code::PermissionDenied => {}
                // A page of what the caller may see: of another area that is nothing.
                Ok(page) if rpc.descriptor.name().starts_with("List") && crate::world::items(&page) == 0 => {}
                other => wrong.push(format!("{} {}: {other:?}", rpc.short(), request(rpc))),
            }
        }
        assert!(wrong.is_empty(), "{engine:?}: {wrong:#?}");
        assert_eq!(world.census().await, before, "refusals change nothing");
        world.suite.stop().await;
    }
}
