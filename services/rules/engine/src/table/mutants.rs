//! Documents with one number or one comparison changed: what a good set of vectors notices.
//! Never: offered to a community.

use super::Table;
use super::expr::{Cmp, Node};
use crate::manifest::SettingKind;
use crate::types::SettingValue;

const MAX_MUTANTS: usize = 1_000;

pub(super) fn of(table: &Table) -> Vec<(String, Table)> {
    let mut mutants = Vec::new();
    for (at, rules) in table.rules.iter().enumerate() {
        for (row, written) in rules.rows.iter().enumerate() {
            for (part, node) in written.expressions().into_iter().enumerate() {
                let mut count = 0;
                walk(node, &mut |_| count += 1);
                for step in 0..count {
                    let before = mutants.len();
                    for change in 0..2 {
                        let mut mutant = table.clone();
                        let mut expressions = mutant.rules[at].rows[row].expressions_mut();
                        let mut left = step;
                        let what = expressions.get_mut(part).and_then(|node| change_at(node, &mut left, change));
                        if let Some(what) = what {
                            let text = format!("{} row {} (line {}): {what}", rules.hook.code(), row + 1, written.line);
                            mutants.push((text, mutant));
                        }
                    }
                    if before >= MAX_MUTANTS {
                        return mutants;
                    }
                }
            }
        }
    }
    mutants.extend(of_settings(table));
    mutants.truncate(MAX_MUTANTS);
    mutants
}

fn walk(node: &Node, visit: &mut dyn FnMut(&Node)) {
    visit(node);
    for part in node.children() {
        walk(part, visit);
    }
}

/// Changes the part with this number, counted as [`walk`] does.
fn change_at(node: &mut Node, left: &mut usize, change: usize) -> Option<String> {
    if *left == 0 {
        return change_one(node, change);
    }
    *left -= 1;
    for part in node.children_mut() {
        let mut size = 0;
        walk(part, &mut |_| size += 1);
        if *left < size {
            return change_at(part, left, change);
        }
        *left -= size;
    }
    None
}

fn change_one(node: &mut Node, change: usize) -> Option<String> {
    match node {
        Node::Int(n) => {
            let moved = if change == 0 { *n + 1 } else { *n - 1 };
            let text = format!("{n} becomes {moved}");
            *n = moved;
            Some(text)
        }
        Node::Cmp(op, ..) if change == 0 => {
            let (other, text) = match op {
                Cmp::Lt => (Cmp::Le, "< becomes <="),
                Cmp::Le => (Cmp::Lt, "<= becomes <"),
                Cmp::Gt => (Cmp::Ge, "> becomes >="),
                Cmp::Ge => (Cmp::Gt, ">= becomes >"),
            };
            *op = other;
            Some(text.to_owned())
        }
        _ => None,
    }
}

/// Defaults of numbers, moved by one within their bounds.
fn of_settings(table: &Table) -> Vec<(String, Table)> {
    let mut mutants = Vec::new();
    for (at, decl) in table.manifest.settings.iter().enumerate() {
        let (SettingKind::Number((min, max)), SettingValue::Number(n)) = (&decl.kind, &decl.default) else { continue };
        for moved in [n.checked_add(1), n.checked_sub(1)].into_iter().flatten().filter(|n| (min..=max).contains(&n)) {
            let mut mutant = table.clone();
            mutant.manifest.settings[at].default = SettingValue::Number(moved);
            mutants.push((format!("the default of {}: {n} becomes {moved}", decl.key), mutant));
        }
    }
    mutants
}
