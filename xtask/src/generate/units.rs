//! The units of a profile, as far as people need them: kind and parent.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

/// Units by id, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Units {
    list: Vec<Unit>,
    parents: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Unit {
    id: String,
    kind: String,
}

#[derive(Deserialize)]
struct Document {
    name: String,
    kind: String,
    #[serde(default)]
    parent: String,
}

impl Units {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("in {}", path.display()))
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut units = Self::default();
        for document in serde_norway::Deserializer::from_str(text) {
            let Some(unit) = Option::<Document>::deserialize(document)? else { continue };
            let id = last(&unit.name).to_owned();
            if !unit.parent.is_empty() {
                units.parents.insert(id.clone(), last(&unit.parent).to_owned());
            }
            units.list.push(Unit { id, kind: unit.kind });
        }
        Ok(units)
    }

    /// Ids of the units of a kind.
    pub(super) fn of_kind(&self, kind: &str) -> Result<Vec<&str>> {
        let ids: Vec<_> = self.list.iter().filter(|unit| unit.kind == kind).map(|unit| unit.id.as_str()).collect();
        if ids.is_empty() {
            bail!("no unit is a {kind}");
        }
        Ok(ids)
    }

    pub(super) fn exists(&self, id: &str) -> bool {
        self.list.iter().any(|unit| unit.id == id)
    }

    /// Whether `unit` is `above` or hangs below it.
    pub(super) fn is_within(&self, unit: &str, above: &str) -> bool {
        let mut at = Some(unit);
        // A cycle in the file would never end; no tree is deeper than the list is long.
        for _ in 0..=self.list.len() {
            match at {
                Some(id) if id == above => return true,
                Some(id) => at = self.parents.get(id).map(String::as_str),
                None => return false,
            }
        }
        false
    }
}

fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}
