//! The short forms of a cell: `>= 80`, `60..69`, `any of [a, b]`, `not x`, `known`, `-`.
//! Never: a meaning that the whole expression would not have.

use super::compile::{Names, may_be_missing};
use super::expr::{Cmp, Node, Quantifier};
use super::facts::Ty;
use super::parse::expression;
use super::problem::{Problems, TableCode, shorten};
use super::yaml::Cell;

/// The condition of a cell over the subject of its column; `None`: any, or a problem was told.
pub(super) fn condition(cell: &Cell, subject: &(Node, Ty), names: &Names<'_>, problems: &mut Problems) -> Option<Node> {
    let text = cell.text.trim();
    if text.is_empty() || text == "-" {
        return None;
    }
    if let Some(rest) = text.strip_prefix('=').filter(|rest| !rest.starts_with('=')) {
        return typed(cell, rest, Ty::Bool, names, problems);
    }
    let (node, _) = subject;
    if (text == "known" || text == "unknown") && may_be_missing(node) {
        let known = Node::Has(Box::new(node.clone()));
        return Some(if text == "known" { known } else { not(known) });
    }
    let held = short_form(cell, text, subject, names, problems)?;
    if !matches!(node, Node::Answer(..)) {
        return Some(held);
    }
    // A question that was not asked has no answer: that is no missing fact, it is none of the values of a cell.
    let known = Box::new(Node::Has(Box::new(node.clone())));
    Some(match held {
        Node::Not(_) => Node::Or(Box::new(Node::Not(known)), Box::new(held)),
        held => Node::And(known, Box::new(held)),
    })
}

fn short_form(
    cell: &Cell,
    text: &str,
    (node, ty): &(Node, Ty),
    names: &Names<'_>,
    problems: &mut Problems,
) -> Option<Node> {
    match ty {
        Ty::Bool => of_flag(cell, text, node, problems),
        Ty::Int => of_number(cell, text, node, names, problems),
        Ty::Code => of_code(cell, text, node, names, problems),
        Ty::Codes => of_codes(cell, text, node, names, problems),
        Ty::Ints => {
            let en = "a column over a list of numbers takes `-` or `= CONDITION` only";
            problems.push(TableCode::Type, cell.at, "整数列表的列只能填“-”或“= 条件”", en);
            None
        }
    }
}

/// The rest of a cell as an expression of a type.
pub(super) fn typed(cell: &Cell, rest: &str, wanted: Ty, names: &Names<'_>, problems: &mut Problems) -> Option<Node> {
    let shift = cell.text.len().saturating_sub(rest.len());
    let shift = cell.text.get(..shift).map_or(0, |before| before.chars().count());
    let leading = rest.len() - rest.trim_start().len();
    let (node, ty) = expression(cell, rest.trim(), shift + leading, names, problems)?;
    if ty != wanted {
        let ((zh_wanted, en_wanted), (zh_got, en_got)) = (wanted.words(), ty.words());
        let en = format!("this must be {en_wanted}, and is {en_got}");
        problems.push(TableCode::Type, cell.at, format!("这里应是{zh_wanted}，却是{zh_got}"), en);
        return None;
    }
    Some(node)
}

fn not(node: Node) -> Node {
    Node::Not(Box::new(node))
}

fn of_flag(cell: &Cell, text: &str, subject: &Node, problems: &mut Problems) -> Option<Node> {
    match text {
        "yes" | "true" => Some(subject.clone()),
        "no" | "false" => Some(not(subject.clone())),
        _ => misfit(cell, "yes、no、-", "yes, no or -", problems),
    }
}

fn of_number(cell: &Cell, text: &str, subject: &Node, names: &Names<'_>, problems: &mut Problems) -> Option<Node> {
    let cmp = |op, right| Node::Cmp(op, Box::new(subject.clone()), Box::new(right));
    let eq = |right| Node::Eq(Box::new(subject.clone()), Box::new(right));
    for (sign, op) in [("<=", Cmp::Le), (">=", Cmp::Ge), ("<", Cmp::Lt), (">", Cmp::Gt)] {
        if let Some(rest) = text.strip_prefix(sign) {
            return typed(cell, rest, Ty::Int, names, problems).map(|right| cmp(op, right));
        }
    }
    if let Some(rest) = text.strip_prefix("==") {
        return typed(cell, rest, Ty::Int, names, problems).map(eq);
    }
    if let Some(rest) = text.strip_prefix("!=") {
        return typed(cell, rest, Ty::Int, names, problems).map(eq).map(not);
    }
    if let Some((from, to)) = text.split_once("..") {
        // The text before `..` is measured from its own end, so the place of the first half is that of the cell.
        let head = Cell { text: from.to_owned(), ..cell.clone() };
        let from = typed(&head, from, Ty::Int, names, problems);
        let to = typed(cell, to, Ty::Int, names, problems);
        let (from, to) = (from?, to?);
        if let (Node::Int(from), Node::Int(to)) = (&from, &to)
            && from > to
        {
            let en = format!("the range {from}..{to} holds nothing; write the smaller number first");
            problems.push(TableCode::BadValue, cell.at, format!("范围 {from}..{to} 为空，小的数写在前面"), en);
            return None;
        }
        return Some(Node::And(Box::new(cmp(Cmp::Ge, from)), Box::new(cmp(Cmp::Le, to))));
    }
    if let Some((negated, rest)) = any_or_none(text) {
        let list = typed(cell, rest, Ty::Ints, names, problems)?;
        let within = Node::In(Box::new(subject.clone()), Box::new(list));
        return Some(if negated { not(within) } else { within });
    }
    typed(cell, text, Ty::Int, names, problems).map(eq)
}

fn of_code(cell: &Cell, text: &str, subject: &Node, names: &Names<'_>, problems: &mut Problems) -> Option<Node> {
    if let Some((negated, rest)) = any_or_none(text) {
        let list = codes(cell, rest, names, problems)?;
        let within = Node::In(Box::new(subject.clone()), Box::new(list));
        return Some(if negated { not(within) } else { within });
    }
    let (negated, rest) = text.strip_prefix("not ").map_or((false, text), |rest| (true, rest.trim()));
    let equal = Node::Eq(Box::new(subject.clone()), Box::new(code(cell, rest, names, problems)?));
    Some(if negated { not(equal) } else { equal })
}

fn of_codes(cell: &Cell, text: &str, subject: &Node, names: &Names<'_>, problems: &mut Problems) -> Option<Node> {
    let all = text.strip_prefix("all of ").map(|rest| (Quantifier::All, false, rest.trim()));
    let any = any_or_none(text).map(|(negated, rest)| (Quantifier::Exists, negated, rest));
    if let Some((quantifier, negated, rest)) = all.or(any) {
        let list = codes(cell, rest, names, problems)?;
        let held = Node::In(Box::new(Node::Item), Box::new(subject.clone()));
        let each = Node::Each(quantifier, Box::new(list), Box::new(held));
        return Some(if negated { not(each) } else { each });
    }
    let (negated, rest) = text.strip_prefix("not ").map_or((false, text), |rest| (true, rest.trim()));
    let held = Node::In(Box::new(code(cell, rest, names, problems)?), Box::new(subject.clone()));
    Some(if negated { not(held) } else { held })
}

fn any_or_none(text: &str) -> Option<(bool, &str)> {
    let any = text.strip_prefix("any of ").map(|rest| (false, rest.trim()));
    any.or_else(|| text.strip_prefix("none of ").map(|rest| (true, rest.trim())))
}

/// A bare code, or an expression after `=`.
pub(super) fn code(cell: &Cell, text: &str, names: &Names<'_>, problems: &mut Problems) -> Option<Node> {
    let text = text.trim();
    if let Some(rest) = text.strip_prefix('=') {
        return typed(cell, rest, Ty::Code, names, problems);
    }
    let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    if !crate::manifest::is_code(bare) {
        return misfit(
            cell,
            "代码（小写字母、数字、连字符）",
            "a code: lower-case letters, digits and single hyphens",
            problems,
        );
    }
    Some(Node::Code(bare.to_owned()))
}

/// `[a, b]` with bare codes, or an expression such as `settings.needs`.
fn codes(cell: &Cell, text: &str, names: &Names<'_>, problems: &mut Problems) -> Option<Node> {
    let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
        return typed(cell, text, Ty::Codes, names, problems);
    };
    let items = inner.split(',').map(|item| match code(cell, item, names, problems)? {
        Node::Code(code) => Some(code),
        _ => None,
    });
    items.collect::<Option<Vec<_>>>().map(Node::Codes)
}

fn misfit(cell: &Cell, zh: &str, en: &str, problems: &mut Problems) -> Option<Node> {
    let text = shorten(&cell.text);
    problems.push(
        TableCode::BadValue,
        cell.at,
        format!("“{text}”不合格：应为{zh}"),
        format!("{text:?} does not fit: write {en}"),
    );
    None
}
