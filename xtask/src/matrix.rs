//! `cargo xtask matrix`: docs/permissions.md, for readers who read no YAML and no protos.
//!
//! Made from `services/access/matrix.yaml` and the method options under `proto/linli`. Decides nothing: access does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use crate::repo::{Repo, say};

const MATRIX: &str = "services/access/matrix.yaml";
const PAGE: &str = "docs/permissions.md";

#[derive(Debug, Deserialize)]
struct Matrix {
    roles: BTreeMap<String, Role>,
}

#[derive(Debug, Deserialize)]
struct Role {
    title: Title,
    permissions: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Title {
    zh: String,
    en: String,
}

/// Writes the page, or with `check` fails when the committed one differs.
pub(crate) fn matrix(repo: &Repo, check: bool) -> Result<()> {
    let yaml = std::fs::read_to_string(repo.root().join(MATRIX)).with_context(|| format!("read {MATRIX}"))?;
    let matrix: Matrix = serde_norway::from_str(&yaml).with_context(|| format!("read {MATRIX}"))?;
    let page = page(&matrix, &methods(&repo.root().join("proto/linli"))?)?;
    let path = repo.root().join(PAGE);
    if check {
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        ensure!(committed == page, "{PAGE} is not up to date; run `cargo xtask matrix` and commit it");
        return Ok(());
    }
    say(&format!("writing {PAGE}"));
    std::fs::write(&path, page).with_context(|| format!("write {PAGE}"))
}

/// Methods by permission: `booking.slots.get` -> `BookingService.GetSlot`.
type Methods = BTreeMap<String, BTreeSet<String>>;

fn methods(protos: &Path) -> Result<Methods> {
    let mut found = Methods::new();
    let mut pending = vec![protos.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in std::fs::read_dir(&dir).with_context(|| format!("read {}", dir.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|ending| ending == "proto") {
                let text = std::fs::read_to_string(&path)?;
                scan(&text, &mut found).with_context(|| path.display().to_string())?;
            }
        }
    }
    Ok(found)
}

/// Reads what `buf lint` and the descriptor tests have made regular: one `rpc` line, then one `permission: "..."`.
fn scan(text: &str, found: &mut Methods) -> Result<()> {
    let mut service = "";
    let mut open: Option<&str> = None;
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
        if let Some(rest) = line.strip_prefix("service ") {
            service = rest.split([' ', '{']).next().unwrap_or_default();
        } else if let Some(rest) = line.strip_prefix("rpc ") {
            ensure!(open.is_none(), "{}: no permission", open.unwrap_or_default());
            open = rest.split('(').next();
        } else if let (Some(method), Some((_, rest))) = (open, line.split_once("permission: \"")) {
            let permission = rest.split('"').next().unwrap_or_default();
            found.entry(permission.to_owned()).or_default().insert(format!("{service}.{method}"));
            open = None;
        }
    }
    ensure!(open.is_none(), "{}: no permission", open.unwrap_or_default());
    Ok(())
}

fn page(matrix: &Matrix, methods: &Methods) -> Result<String> {
    let mut out = String::from(
        "# Who may do what\n\n\
         Made by `cargo xtask matrix` from `services/access/matrix.yaml` and the contract; do not edit.\n\n\
         A role is held through an appointment: at a unit (and what is below it) or for a whole area, from a day to a day. \
         Everybody may read and change what is their own besides; that is decided per resource and not shown here.\n\n\
         | role | 角色 | in English | permissions |\n|---|---|---|---|\n",
    );
    for (code, role) in &matrix.roles {
        let held = methods.keys().filter(|permission| role.holds(permission)).count();
        writeln!(out, "| `{code}` | {} | {} | {held} |", role.title.zh, role.title.en)?;
        for pattern in &role.permissions {
            if !methods.keys().any(|permission| matches(pattern, permission)) {
                bail!("{MATRIX}: {code}: {pattern} matches no permission of the contract");
            }
        }
    }
    let mut areas: BTreeMap<&str, Vec<(&String, &BTreeSet<String>)>> = BTreeMap::new();
    for entry in methods {
        areas.entry(entry.0.split('.').next().unwrap_or_default()).or_default().push(entry);
    }
    for (area, permissions) in areas {
        let codes: Vec<&str> = matrix.roles.keys().map(String::as_str).collect();
        write!(out, "\n## {area}\n\n| permission | methods | {} |\n", codes.join(" | "))?;
        writeln!(out, "|---|---|{}", ":-:|".repeat(codes.len()))?;
        for (permission, methods) in permissions {
            let names: Vec<&str> = methods.iter().map(|name| name.rsplit('.').next().unwrap_or(name)).collect();
            let marks = matrix.roles.values().map(|role| if role.holds(permission) { "✓" } else { "" });
            let marks: Vec<&str> = marks.collect();
            writeln!(out, "| `{permission}` | {} | {} |", names.join(", "), marks.join(" | "))?;
        }
    }
    Ok(out)
}

impl Role {
    fn holds(&self, permission: &str) -> bool {
        self.permissions.iter().any(|pattern| matches(pattern, permission))
    }
}

/// As access matches: `*` alone is everything, a `*` segment is any one segment.
fn matches(pattern: &str, permission: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let (pattern, permission): (Vec<&str>, Vec<&str>) = (pattern.split('.').collect(), permission.split('.').collect());
    pattern.len() == permission.len() && pattern.iter().zip(permission).all(|(p, q)| *p == "*" || *p == q)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_without_permission_is_named() {
        let text = "service A {\n  rpc Get(X) returns (Y) {}\n  rpc List(X) returns (Y) {\n    permission: \"a.b\"\n";
        let error = scan(text, &mut Methods::new()).unwrap_err();
        assert_eq!(error.to_string(), "Get: no permission");
    }

    #[test]
    fn a_star_stands_for_one_segment() {
        assert!(matches("org.*.get", "org.units.get"));
        assert!(!matches("org.*", "org.units.get"));
        assert!(matches("*", "org.units.get"));
    }
}
