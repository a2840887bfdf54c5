//! docs/permissions.md: who may do what, for readers who read no YAML and no protos.
//!
//! `cargo xtask matrix` runs the test below with `LINLI_WRITE` set, which writes the page instead of comparing it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use linli_access::Matrix;

use crate::repo::root;

const PAGE: &str = "docs/permissions.md";

const HEAD: &str = "# Who may do what

Made by `cargo xtask matrix` from `services/access/matrix.yaml` and the contract; do not edit.

A role is held through an appointment: at a unit and what is below it, or for a whole area, from one day to another. The roles
`anyone`, `resident` and `self` come of themselves. A ✓ says that the role holds the permission where it is held, and nowhere else.

| role | 角色 | in English | permissions |
|---|---|---|--:|
";

/// Names of methods by the permission that they need.
fn methods() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for method in linli_proto::methods().values() {
        let name = method.path.rsplit('/').next().unwrap_or_default();
        found.entry(&method.permission).or_default().insert(name);
    }
    found
}

fn page(matrix: &Matrix) -> String {
    let methods = methods();
    let holds = |role: &str, permission: &str| {
        let bit = matrix.bit(role).expect("a role of the matrix");
        matrix.holders(permission) & bit != 0
    };
    let mut out = HEAD.to_owned();
    let roles = matrix.roles();
    for role in roles {
        let held = methods.keys().filter(|permission| holds(&role.code, permission)).count();
        let _ = writeln!(out, "| `{}` | {} | {} | {held} |", role.code, role.title_zh, role.title_en);
    }
    let areas: BTreeSet<&str> = methods.keys().filter_map(|permission| permission.split('.').next()).collect();
    for area in areas {
        let codes: Vec<&str> = roles.iter().map(|role| role.code.as_str()).collect();
        let _ = write!(out, "\n## {area}\n\n| permission | methods | {} |\n|---|---|", codes.join(" | "));
        let _ = writeln!(out, "{}", ":-:|".repeat(codes.len()));
        for (permission, names) in methods.iter().filter(|(p, _)| p.split('.').next() == Some(area)) {
            let names: Vec<&str> = names.iter().copied().collect();
            let marks: Vec<&str> = codes.iter().map(|code| if holds(code, permission) { "✓" } else { "" }).collect();
            let _ = writeln!(out, "| `{permission}` | {} | {} |", names.join(", "), marks.join(" | "));
        }
    }
    out
}

#[test]
fn the_page_about_permissions_is_up_to_date() {
    let page = page(&Matrix::shipped().expect("the shipped matrix is valid"));
    let path = root().join(PAGE);
    if std::env::var_os("LINLI_WRITE").is_some() {
        std::fs::write(&path, page).unwrap_or_else(|e| panic!("write {PAGE}: {e}"));
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page, "{PAGE} is not up to date; run `cargo xtask matrix` and commit it");
}
