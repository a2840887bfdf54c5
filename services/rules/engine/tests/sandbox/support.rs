//! Where plugins of the tests come from: components that were built, and guests that are made from text.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use linli_rules_engine::types::{Setting, SettingValue};
use linli_rules_engine::validate::ValidateLimits;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const SKELETON: &str = include_str!("../hostile/guests/skeleton.wat");

pub(crate) fn root() -> PathBuf {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    // The service's tests use this file too.
    if own.join("tests/hostile").is_dir() { own } else { own.join("engine") }
}

/// A plugin of this repository, built beforehand.
pub(crate) fn built(name: &str) -> Vec<u8> {
    let path = root().join("../../../plugins/target/components").join(format!("{name}.wasm"));
    fs::read(&path).unwrap_or_else(|error| {
        panic!("{} cannot be read ({error}): build the plugins first with `cargo xtask plugins`", path.display())
    })
}

/// A component of the corpus, as it stands.
pub(crate) fn hostile(name: &str) -> Vec<u8> {
    wat::parse_file(root().join("tests/hostile").join(format!("{name}.wat"))).expect("the corpus is valid text")
}

/// A guest of the corpus: the skeleton with its body, made a component of the award hook.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let body = fs::read_to_string(root().join("tests/hostile/guests").join(format!("{name}.wat")))
        .expect("the corpus has this guest");
    guest_of(&body)
}

/// A guest of the award hook with a body that a test wrote itself.
pub(crate) fn guest_of(body: &str) -> Vec<u8> {
    component(&SKELETON.replace(";; BODY", body), &wit(), "award-rule")
}

/// A harmless guest whose skeleton or contract a test changed.
pub(crate) fn harmless_with(skeleton: impl Fn(&str) -> String, contract: impl Fn(&str) -> String) -> Vec<u8> {
    let body = include_str!("../hostile/guests/harmless.wat");
    component(&skeleton(&SKELETON.replace(";; BODY", body)), &contract(&wit()), "award-rule")
}

pub(crate) fn wit() -> String {
    fs::read_to_string(root().join("../../../plugins/wit/rules.wit")).expect("the contract is in the repository")
}

pub(crate) fn component(module: &str, wit: &str, world: &str) -> Vec<u8> {
    let mut module = wat::parse_str(module).expect("the guest is valid text");
    let mut resolve = Resolve::default();
    let package = resolve.push_str("rules.wit", wit).expect("the contract is valid");
    let world = resolve.select_world(&[package], Some(world)).expect("the contract has this world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("the metadata fits");
    ComponentEncoder::default()
        .module(&module)
        .and_then(|mut encoder| encoder.encode())
        .unwrap_or_else(|error| panic!("the guest does not fit its world: {error:#}"))
}

/// A debug build on a busy machine compiles slowly; the limits themselves have their own tests.
pub(crate) fn patient() -> ValidateLimits {
    let wall = Duration::from_secs(60);
    ValidateLimits { wall, cpu_seconds: 30, compile_seconds: 30, ..ValidateLimits::default() }
}

pub(crate) fn number(key: &str, value: i32) -> Setting {
    Setting { key: key.to_owned(), value: SettingValue::Number(value) }
}

pub(crate) fn choice(key: &str, value: &str) -> Setting {
    Setting { key: key.to_owned(), value: SettingValue::Choice(value.to_owned()) }
}
