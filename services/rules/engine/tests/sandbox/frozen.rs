//! `linli:rules@1.0.0` is frozen: no interface of it changes. And how 1.1 stands beside it: it adds interfaces, a host of
//! 1.1 takes plugins of both, and a record that changed is refused in so many words.
//! Never: comments; those may be improved.

use std::collections::BTreeMap;

use linli_rules_engine::types::{Award, AwardRequest, Context, Refusal};
use linli_rules_engine::{Digest, Engine, EngineConfig, LoadError};
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Store};

use crate::support::{component, guest, harmless_with, wit};

const FROZEN: &str = include_str!("../frozen/linli-rules-1.0.0.txt");

/// Every interface and world of a contract, without comments and with single spaces.
fn canonical(wit: &str) -> BTreeMap<String, String> {
    let code = wit.lines().map(|line| line.split("//").next().unwrap_or_default());
    let words: Vec<&str> = code.flat_map(str::split_whitespace).collect();
    let text = words.join(" ");
    let mut parts = BTreeMap::new();
    let mut rest = text.as_str();
    while let Some(open) = rest.find('{') {
        let mut depth = 0;
        let ends = |byte: char| {
            depth += i32::from(byte == '{') - i32::from(byte == '}');
            byte == '}' && depth == 0
        };
        let close = rest.find(ends).expect("brackets close");
        let name = rest[..open].rsplit(';').next().unwrap_or_default().trim();
        parts.insert(name.to_owned(), rest[open..=close].to_owned());
        rest = &rest[close + 1..];
    }
    parts
}

#[test]
fn no_interface_of_the_published_version_changes() {
    let mut now = String::new();
    for (name, text) in canonical(&wit()) {
        now += &format!("{name} {}\n", Digest::of(text.as_bytes()));
    }
    assert_eq!(
        now, FROZEN,
        "an interface of linli:rules@1.0.0 changed: add a new interface in 1.x, or a new major version with a shim"
    );
    assert!(wit().contains("package linli:rules@1.0.0;"));
}

#[test]
fn a_comment_may_be_improved_and_nothing_else() {
    let same = wit().replace("interface types {", "// Better words.\ninterface types {\n");
    assert_eq!(canonical(&same), canonical(&wit()));
    let other = wit().replace("party: u8", "party: u16");
    let changed: Vec<_> = canonical(&wit())
        .into_iter()
        .filter(|part| !canonical(&other).iter().any(|new| new == (&part.0, &part.1)))
        .map(|part| part.0)
        .collect();
    assert_eq!(changed, ["interface booking-eligibility"]);
}

/// The next version: everything of 1.0 as it is, and an interface more.
fn next() -> String {
    let added = "
        interface case-routing {
          use types.{context, code, refusal};
          route: func(ctx: context, kind: code) -> result<code, refusal>;
        }
        world routing-rule { include base; export points-award; export case-routing; }
    ";
    wit().replace("@1.0.0", "@1.1.0") + added
}

/// What a host of 1.1 finds in a component: whether its award answers, and whether it routes cases.
fn host_of_1_1(bytes: &[u8]) -> wasmtime::Result<(bool, bool)> {
    let engine = wasmtime::Engine::new(Config::new().wasm_component_model(true))?;
    let component = Component::new(&engine, bytes)?;
    let mut store = Store::new(&engine, ());
    let instance = Linker::new(&engine).instantiate(&mut store, &component)?;
    let of = |interface: &str, function: &str| {
        let interface = component.get_export_index(None, interface)?;
        component.get_export_index(Some(&interface), function)
    };
    let Some(grant) = of("linli:rules/points-award@1.1.0", "grant") else { return Ok((false, false)) };
    type Answer = (Result<Vec<Award>, Refusal>,);
    let grant = instance.get_typed_func::<(&Context, &AwardRequest), Answer>(&mut store, &grant)?;
    let (granted,) = grant.call(&mut store, (&Context::default(), &AwardRequest::default()))?;
    Ok((granted.is_ok(), of("linli:rules/case-routing@1.1.0", "route").is_some()))
}

fn plugin_of_1_1() -> Vec<u8> {
    let route = r#"(func (export "linli:rules/case-routing@1.1.0#route")
        (param i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 64))"#;
    let skeleton = include_str!("../hostile/guests/skeleton.wat");
    let body = format!("{} {route}", include_str!("../hostile/guests/harmless.wat"));
    component(&skeleton.replace(";; BODY", &body).replace("@1.0.0", "@1.1.0"), &next(), "routing-rule")
}

#[test]
fn a_host_of_the_next_version_takes_plugins_of_both() {
    assert_eq!(host_of_1_1(&guest("harmless")).unwrap(), (true, false));
    assert_eq!(host_of_1_1(&plugin_of_1_1()).unwrap(), (true, true));
}

#[test]
fn the_next_version_adds_and_changes_nothing() {
    let (old, new) = (canonical(&wit()), canonical(&next()));
    assert!(old.iter().all(|(name, text)| new.get(name) == Some(text)));
    assert_eq!(new.len(), old.len() + 2);
}

#[test]
fn a_host_of_this_version_names_what_it_does_not_know_yet() {
    let engine = Engine::new(EngineConfig::validation()).unwrap();
    let refused = engine.load(&plugin_of_1_1()).unwrap_err().to_string();
    assert!(refused.contains("linli:rules/case-routing@1.1.0"), "{refused}");
}

#[test]
fn a_record_that_changed_is_refused_by_the_name_of_its_interface() {
    let changed = |wit: &str| wit.replace("quantity: s32,", "quantity: s32, weight: u32,");
    let engine = Engine::new(EngineConfig::validation()).unwrap();
    let refused = engine.load(&harmless_with(str::to_owned, changed)).unwrap_err();
    let LoadError::Compile(why) = refused else { panic!("{refused}") };
    assert!(why.starts_with("linli:rules/points-award@1.0.0 is not that of the contract"), "{why}");
}
