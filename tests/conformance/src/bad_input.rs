//! Bad input: each has its own typed error that names field and remedy, and changes nothing.

mod plugins;

use std::time::{Duration, Instant};

use linli_harness::{Refusal, engines, refusal, seed::request_id};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::Code;

use crate::caller::Caller;
use crate::wire::{self, Rpc, Terms};
use crate::world::World;

const PARENT: &str = "areas/xinhua";

/// A refusal of one field, with a remedy in words.
fn names_field(refused: &Refusal, field: &str, reason: &str) {
    assert_eq!(refused.code, Code::InvalidArgument, "{refused:?}");
    let found = refused.fields.iter().find(|(name, _)| name == field);
    let (_, description) = found.unwrap_or_else(|| panic!("{field} is named: {refused:?}"));
    assert!(description.contains(reason) || refused.reason == reason, "{reason}: {refused:?}");
    assert!(description.len() > reason.len() + 10, "a remedy in words: {refused:?}");
}

async fn raw(by: &Caller, path: &str, message: Vec<u8>, terms: &Terms) -> Result<Vec<u8>, Refusal> {
    wire::call(&by.channel, path, vec![message], terms).await.map_err(|status| refusal(&status))
}

fn unit(kind: &str, parent: &str) -> Value {
    let parent = if parent.is_empty() { String::new() } else { format!("{PARENT}/units/{parent}") };
    json!({"kind": kind, "display_name": {"zh_cn": "名", "en": "name"}, "parent": parent})
}

fn create(id: &str, unit: Value) -> Value {
    json!({"parent": PARENT, "unit_id": id, "unit": unit, "request_id": request_id()})
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_by_name_and_changes_nothing() {
    for engine in engines() {
        let world = World::start(engine, false).await;
        world.roles_known().await;
        let op = world.operator();
        nestable(&op).await;
        let before = world.census().await;
        trees(&world, &op).await;
        pages(&op).await;
        sizes(&op).await;
        bytes(&op).await;
        callers(&world).await;
        assert_eq!(world.census().await, before, "{engine:?}: what is refused changes nothing");
        world.suite.stop().await;
    }
}

/// Lets units of the kind `box` hang below one another, and hangs two.
async fn nestable(op: &Caller) {
    let name = format!("{PARENT}/structureTemplates/structure");
    let mut template = op.ok("org.GetStructureTemplate", json!({"name": name})).await;
    let kind = json!({
        "code": "box", "display_name": {"zh_cn": "箱", "en": "box"}, "tree": "TREE_RESIDENTS", "parent_kinds": ["grid", "box"],
    });
    template["unit_kinds"].as_array_mut().expect("kinds").push(kind);
    let changed = json!({"name": name, "unit_kinds": template["unit_kinds"]});
    op.ok("org.UpdateStructureTemplate", json!({"structure_template": changed, "update_mask": "unitKinds"})).await;
    op.ok("org.CreateUnit", create("box-1", unit("box", "grid-1"))).await;
    op.ok("org.CreateUnit", create("box-2", unit("box", "box-1"))).await;
}

async fn trees(world: &World, op: &Caller) {
    let (one, two) = (world.name("units/box-1"), world.name("units/box-2"));
    let refused = op.refused("org.MoveUnit", json!({"name": one, "new_parent": two})).await;
    names_field(&refused, "new_parent", "TREE_CYCLE");
    let refused = op.refused("org.MoveUnit", json!({"name": one, "new_parent": one})).await;
    names_field(&refused, "new_parent", "TREE_CYCLE");
    let refused = op.refused("org.CreateUnit", create("micro-9", unit("micro-grid", ""))).await;
    names_field(&refused, "unit.parent", "KIND_DOES_NOT_NEST");
    let refused = op.refused("org.CreateUnit", create("x", unit("castle", ""))).await;
    names_field(&refused, "unit.kind", "KIND_UNKNOWN");
    let body = json!({"name": two, "new_parent": world.name("units/grid-1"), "etag": "r999"});
    let refused = op.refused("org.MoveUnit", body).await;
    assert_eq!((refused.code, refused.reason.as_str()), (Code::Aborted, "STALE_ETAG"));
    assert!(refused.message.contains("Read it again"), "the remedy: {refused:?}");
}

async fn pages(op: &Caller) {
    let page = op.ok("org.ListUnits", json!({"parent": PARENT, "page_size": 1})).await;
    let token = &page["next_page_token"];
    for (rpc, body) in [
        ("org.ListUnits", json!({"parent": PARENT, "filter": "kind = \"grid\"", "page_token": token})),
        ("org.ListPeople", json!({"parent": PARENT, "page_token": token})),
        ("org.ListUnits", json!({"parent": PARENT, "page_token": "made-up"})),
    ] {
        names_field(&op.refused(rpc, body).await, "page_token", "PAGE_TOKEN_INVALID");
    }
    let refused = op.refused("org.ListUnits", json!({"parent": PARENT, "page_size": -1})).await;
    names_field(&refused, "page_size", "FIELD_OUT_OF_RANGE");
    let refused = op.refused("org.ListUnits", json!({"parent": PARENT, "filter": "secret = 1"})).await;
    names_field(&refused, "filter", "FILTER_INVALID");
}

async fn sizes(op: &Caller) {
    let items: Vec<Value> = (0..10_000).map(|n| create(&format!("u{n}"), unit("grid", ""))).collect();
    let refused = op.refused("org.BatchCreateUnits", json!({"parent": PARENT, "requests": items})).await;
    names_field(&refused, "requests", "FIELD_TOO_MANY");
    let transfer =
        json!({"transfer": {"from": "issuance", "to": "redeemed", "amount": {"asset": "points", "value": 1}}});
    let items = vec![transfer; 10_000];
    let refused = op.refused("points.BatchCreateTransfers", json!({"parent": PARENT, "requests": items})).await;
    names_field(&refused, "requests", "FIELD_TOO_MANY");
    let mut large = unit("grid", "");
    large["display_name"]["en"] = "x".repeat(5 << 20).into();
    let refused = op.refused("org.CreateUnit", create("large", large)).await;
    assert_eq!((refused.code, refused.reason.as_str()), (Code::ResourceExhausted, "MESSAGE_TOO_LARGE"), "{refused:?}");
}

async fn bytes(op: &Caller) {
    let terms = &op.terms;
    let get = &Rpc::of("org.GetUnit").info.path;
    for (what, message) in [("invalid UTF-8", vec![0x0a, 0x02, 0xff, 0xfe]), ("a cut message", vec![0x0a, 0x20, 0x41])]
    {
        let refused = raw(op, get, message, terms).await.expect_err(what);
        assert_eq!((refused.code, refused.reason.as_str()), (Code::InvalidArgument, "MALFORMED_MESSAGE"), "{what}");
    }
    for path in ["/linli.org.v1.OrgService/GetMoon", "/linli.moon.v1.MoonService/GetUnit"] {
        let refused = raw(op, path, Vec::new(), terms).await.expect_err("no such method");
        assert_eq!((refused.code, refused.reason.as_str()), (Code::Unimplemented, "NO_SUCH_METHOD"), "{path}");
    }
}

async fn callers(world: &World) {
    let resident = world.caller(world.community.elder(0));
    let refused = resident.refused("org.CreateUnit", create("mine", unit("grid", ""))).await;
    assert_eq!((refused.code, refused.reason.as_str()), (Code::PermissionDenied, "PERMISSION_DENIED"));
    assert!(refused.message.contains("org.units.create"), "it says which permission: {refused:?}");
    let stranger = world.caller("areas/guanba/people/per-00000000000000000000000001");
    let refused = stranger.refused("org.GetUnit", json!({"name": world.name("units/grid-1")})).await;
    let none = stranger.refused("org.GetUnit", json!({"name": world.name("units/none")})).await;
    assert_eq!(
        (refused.code, none.code),
        (Code::PermissionDenied, Code::PermissionDenied),
        "nothing tells what exists"
    );
}

/// Calls as a browser would, over HTTP/1.1: tonic's own client would give up by itself, and hide what the server does.
async fn over_http1(
    world: &World,
    path: &str,
    (token, timeout_ms): (&str, u64),
    message: &[u8],
) -> std::io::Result<String> {
    let address = world.suite.gateway();
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    let length = u32::try_from(message.len()).expect("a small message");
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/grpc-web+proto\r\ngrpc-timeout: {timeout_ms}m\r\n\
         authorization: Bearer {token}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        message.len() + 5
    );
    let frame = [head.as_bytes(), &[0], &length.to_be_bytes(), message].concat();
    stream.write_all(&frame).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_answered_by_its_deadline_also_when_its_work_takes_longer() {
    for engine in engines() {
        let world = World::start(engine, false).await;
        let op = world.operator();
        let rpc = Rpc::of("org.BatchCreateUnits");
        let mut items: Vec<Value> = (0..800).map(|n| create(&format!("late-{n}"), unit("grid", ""))).collect();
        items[0]["request_id"] = request_id().into();
        let body = json!({"parent": PARENT, "requests": items});
        let token = op.terms.token.clone().unwrap_or_default();
        let message = rpc.encode(&body);
        // The first is over before the work begins, the second in the middle of it.
        for timeout_ms in [1, 20] {
            let begun = Instant::now();
            let call = over_http1(&world, &rpc.info.path, (&token, timeout_ms), &message);
            let answer = call.await.expect("an answer").replace(": ", ":");
            let taken = begun.elapsed();
            let in_time = timeout_ms > 1 && answer.contains("grpc-status:0");
            assert!(in_time || answer.contains("grpc-status:4"), "{engine:?}, {timeout_ms} ms: {answer}");
            // The deadline, its grace of 250 ms, and what sending 800 units takes on a busy machine.
            assert!(taken < Duration::from_secs(1), "{engine:?}, {timeout_ms} ms: answered after {taken:?}");
        }
        let done = op.ok("org.BatchCreateUnits", body).await;
        assert_eq!(done["units"].as_array().map(Vec::len), Some(800), "the same request id is answered, or done now");
        world.suite.stop().await;
    }
}
