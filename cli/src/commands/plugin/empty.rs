//! The rule that does nothing: what every evaluation costs at least. Never: uploaded.

use anyhow::{Context as _, Result};
use linli_authoring::{Case, Rule};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const WIT: &str = include_str!("../../../../plugins/wit/rules.wit");
const GUEST: &str = include_str!("empty.wat");

/// The rule on the engine of another.
pub(super) fn rule(beside: &Rule) -> Result<Rule> {
    beside.sibling(&component()?).map_err(|error| anyhow::anyhow!("the empty rule does not load: {error}"))
}

/// What it is asked.
pub(super) fn case() -> Result<Case> {
    let text = "name: nothing\nhook: points-award\nfacts: {}";
    linli_authoring::parse_one("(empty)", text, None).map_err(|wrong| super::test::mistakes(&wrong))
}

fn component() -> Result<Vec<u8>> {
    let mut module = wat::parse_str(GUEST).context("the guest's text")?;
    let mut resolve = Resolve::default();
    let package = resolve.push_str("rules.wit", WIT)?;
    let world = resolve.select_world(&[package], Some("award-rule"))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    ComponentEncoder::default().module(&module).and_then(|mut encoder| encoder.encode())
}
