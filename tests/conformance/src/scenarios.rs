//! One scenario per service; together they call every RPC.

mod booking;
mod deliberation;
mod org;
mod points;
mod rule_life;
mod rules;

use serde_json::{Value, json};

use crate::world::World;

/// Plays every scenario, in the order in which later ones need what earlier ones made.
pub(crate) async fn play(world: &World) {
    world.roles_known().await;
    org::play(world).await;
    rules::play(world).await;
    points::play(world).await;
    booking::play(world).await;
    deliberation::play(world).await;
    rule_life::play(world).await;
    common(world).await;
}

/// What every service has: internal RPCs that the gateway keeps, invariants that hold.
async fn common(world: &World) {
    let operator = world.operator();
    for rpc in crate::wire::rpcs().iter().filter(|rpc| rpc.info.internal_only) {
        operator.internal_only(&rpc.short()).await;
    }
    for service in crate::world::SERVICES {
        let body = json!({"parent": "areas/xinhua"});
        let answer = operator.ok(&format!("{service}.VerifyInvariants"), body).await;
        let checks = answer["checks"].as_array().cloned().unwrap_or_default();
        assert!(!checks.is_empty(), "{service} has invariants");
        for check in checks {
            assert_eq!(check["violations"], json!([]), "{check}");
            assert_ne!(check["title"], json!(""), "{check}");
        }
    }
}

/// A text in both languages.
fn text(en: &str) -> Value {
    json!({"zh_cn": format!("{en} 中文"), "en": en})
}

/// A text field of an answer.
fn field<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer[name].as_str().unwrap_or_else(|| panic!("{name} is a text: {answer}"))
}

/// The only entry of a list, or the first.
fn first<'a>(answer: &'a Value, list: &str) -> &'a Value {
    answer[list].as_array().and_then(|all| all.first()).unwrap_or_else(|| panic!("{list} has an entry: {answer}"))
}
