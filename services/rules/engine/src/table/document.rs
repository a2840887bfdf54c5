//! From the tree of a document to its manifest: title, settings, reasons, answers.
//! Never: the rows; those are read by `rows`.

use super::facts::Ty;
use super::problem::{Place, Problems, TableCode, shorten};
use super::yaml::{Cell, Node};
use crate::manifest::{Manifest, ManifestProblem, Message, SettingDecl, SettingKind, Text};
use crate::types::SettingValue;

pub(super) const FORMAT: &str = "table/1";
const KEYS: [&str; 8] = ["linli", "title", "summary", "facts", "answers", "settings", "reasons", "rules"];

/// What stands before the rows.
pub(super) struct Head<'a> {
    pub(super) manifest: Manifest,
    pub(super) answers: Vec<(String, Ty)>,
    pub(super) rules: &'a [(Cell, Node)],
    /// The facts that the document declares, with their place.
    pub(super) declared: Option<(Place, Vec<String>)>,
    pub(super) settings_at: Place,
}

pub(super) fn head<'a>(root: &'a Node, problems: &mut Problems) -> Option<Head<'a>> {
    let entries = map(root, "document", problems)?;
    known(entries, &KEYS, problems);
    let find = |key: &str| entries.iter().find(|(cell, _)| cell.text == key).map(|(_, node)| node);
    match find("linli") {
        Some(Node::Scalar(cell)) if cell.text == FORMAT => {}
        other => {
            let at = other.map_or(root.at(), Node::at);
            let en = format!("the document must begin with `linli: {FORMAT}`");
            problems.push(TableCode::Missing, at, format!("文档须以 linli: {FORMAT} 开头"), en);
        }
    }
    let mut required = |key: &str| {
        let found = find(key);
        if found.is_none() {
            problems.push(TableCode::Missing, root.at(), format!("缺少 {key}"), format!("`{key}` is missing; add it"));
        }
        found
    };
    let (title, summary, rules) = (required("title"), required("summary"), required("rules"));
    let mut manifest = Manifest {
        title: title.map(|node| text(node, problems)).unwrap_or_default(),
        summary: summary.map(|node| text(node, problems)).unwrap_or_default(),
        ..Manifest::default()
    };
    if let Some(node) = find("settings") {
        let decls = map(node, "settings", problems).unwrap_or_default();
        manifest.settings = decls.iter().filter_map(|(key, node)| setting(key, node, problems)).collect();
    }
    if let Some(node) = find("reasons") {
        let reasons = map(node, "reasons", problems).unwrap_or_default();
        manifest.messages =
            reasons.iter().map(|(key, node)| Message { code: key.text.clone(), text: text(node, problems) }).collect();
    }
    let answers = find("answers").map(|node| answers(node, problems)).unwrap_or_default();
    let declared = find("facts").and_then(|node| Some((node.at(), words(node, problems)?)));
    for problem in manifest.check() {
        of_manifest(&problem, root.at(), problems);
    }
    let rules = rules.and_then(|node| map(node, "rules", problems)).unwrap_or_default();
    let settings_at = find("settings").map_or(root.at(), Node::at);
    Some(Head { manifest, answers, rules, declared, settings_at })
}

pub(super) fn of_manifest(problem: &ManifestProblem, at: Place, problems: &mut Problems) {
    let (zh, en, what) = match problem {
        ManifestProblem::Text(at) => (
            "缺少中文或英文，或文字过长",
            "a text is missing in one language, or longer than 500 characters",
            at.as_str(),
        ),
        ManifestProblem::Code(code) => {
            ("代码应为小写字母、数字和连字符", "codes are kebab-case, at most 64 characters", code.as_str())
        }
        ManifestProblem::Repeated(code) => ("重复声明", "declared twice; remove one", code.as_str()),
        ManifestProblem::UnknownFact(code) => ("没有这种事实", "the host knows no such fact", code.as_str()),
        ManifestProblem::Default(key) => ("默认值不在范围内", "the default is out of bounds", key.as_str()),
        ManifestProblem::TooMany(what) => ("声明过多", "too many declarations", *what),
    };
    problems.push(TableCode::BadValue, at, format!("{what}：{zh}"), format!("{what}: {en}"));
}

pub(super) fn map<'a>(node: &'a Node, what: &str, problems: &mut Problems) -> Option<&'a [(Cell, Node)]> {
    match node {
        Node::Map(_, entries) => Some(entries),
        _ => {
            let en = format!("{what} must be `key: value` lines");
            problems.push(TableCode::BadValue, node.at(), format!("{what} 应由“键: 值”组成"), en);
            None
        }
    }
}

pub(super) fn known(entries: &[(Cell, Node)], keys: &[&str], problems: &mut Problems) {
    for (cell, _) in entries {
        if !keys.contains(&cell.text.as_str()) {
            problems.unknown(cell.at, ("这个键", "key"), &cell.text, keys.iter().copied());
        }
    }
}

pub(super) fn scalar<'a>(node: &'a Node, problems: &mut Problems) -> Option<&'a Cell> {
    match node {
        Node::Scalar(cell) => Some(cell),
        _ => {
            problems.push(
                TableCode::BadValue,
                node.at(),
                "这里应是一个值",
                "one value belongs here, no list and no map",
            );
            None
        }
    }
}

fn words(node: &Node, problems: &mut Problems) -> Option<Vec<String>> {
    match node {
        Node::List(_, items) => items.iter().map(|item| scalar(item, problems).map(|cell| cell.text.clone())).collect(),
        _ => {
            problems.push(
                TableCode::BadValue,
                node.at(),
                "这里应是列表，如 [a, b]",
                "a list belongs here, such as [a, b]",
            );
            None
        }
    }
}

fn text(node: &Node, problems: &mut Problems) -> Text {
    let mut text = Text::default();
    for (key, node) in map(node, "text", problems).unwrap_or_default() {
        let Some(cell) = scalar(node, problems) else { continue };
        match key.text.as_str() {
            "zh-CN" => text.zh_cn.clone_from(&cell.text),
            "en" => text.en.clone_from(&cell.text),
            other => problems.unknown(key.at, ("这种语言", "language"), other, ["zh-CN", "en"]),
        }
        if cell.text.contains('\0') {
            problems.push(TableCode::BadValue, cell.at, "文字含有空字符", "the text holds a NUL character; remove it");
        }
    }
    text
}

fn answers(node: &Node, problems: &mut Problems) -> Vec<(String, Ty)> {
    let mut answers = Vec::new();
    for (key, node) in map(node, "answers", problems).unwrap_or_default() {
        let Some(cell) = scalar(node, problems) else { continue };
        let ty = match cell.text.as_str() {
            "flag" => Ty::Bool,
            "number" => Ty::Int,
            "choice" => Ty::Code,
            "numbers" => Ty::Ints,
            "codes" => Ty::Codes,
            other => {
                problems.unknown(
                    cell.at,
                    ("这种答复", "kind of answer"),
                    other,
                    ["flag", "number", "choice", "numbers", "codes"],
                );
                continue;
            }
        };
        if !crate::manifest::is_code(&key.text) {
            of_manifest(&ManifestProblem::Code(shorten(&key.text)), key.at, problems);
        }
        answers.push((key.text.clone(), ty));
    }
    answers
}

fn setting(key: &Cell, node: &Node, problems: &mut Problems) -> Option<SettingDecl> {
    let entries = map(node, "setting", problems)?;
    known(entries, &["kind", "default", "label", "help"], problems);
    let find = |key: &str| entries.iter().find(|(cell, _)| cell.text == key).map(|(_, node)| node);
    let mut required = |name: &str| {
        let found = find(name);
        if found.is_none() {
            let en = format!("the setting {:?} lacks `{name}`", shorten(&key.text));
            problems.push(TableCode::Missing, key.at, format!("设置“{}”缺少 {name}", shorten(&key.text)), en);
        }
        found
    };
    let (kind, default, label) = (required("kind"), required("default"), required("label"));
    let label = label.map(|node| text(node, problems)).unwrap_or_default();
    let help = find("help").map(|node| text(node, problems)).unwrap_or_default();
    let kind_cell = scalar(kind?, problems)?;
    let Some(kind) = kind_of(&kind_cell.text) else {
        let en = "a kind is flag, number(MIN..MAX), choice(a|b), numbers(MOST) or codes(MOST)";
        let zh = "类型应为 flag、number(最小..最大)、choice(a|b)、numbers(个数) 或 codes(个数)";
        problems.push(TableCode::BadValue, kind_cell.at, zh, en);
        return None;
    };
    let default = default?;
    let Some(value) = value_of(&kind, default) else {
        let kind = crate::manifest::kind_text(&kind);
        problems.push(
            TableCode::BadValue,
            default.at(),
            format!("默认值应为 {kind}"),
            format!("the default must be {kind}"),
        );
        return None;
    };
    Some(SettingDecl { key: key.text.clone(), kind, default: value, label, help })
}

fn kind_of(text: &str) -> Option<SettingKind> {
    let text = text.trim();
    if text == "flag" {
        return Some(SettingKind::Flag);
    }
    let (name, rest) = text.split_once('(')?;
    let inner = rest.strip_suffix(')')?.trim();
    match name.trim() {
        "number" => {
            let (min, max) = inner.split_once("..")?;
            Some(SettingKind::Number((min.trim().parse().ok()?, max.trim().parse().ok()?)))
        }
        "choice" => Some(SettingKind::Choice(inner.split('|').map(|code| code.trim().to_owned()).collect())),
        "numbers" => inner.trim_start_matches("at most ").parse().ok().map(SettingKind::Numbers),
        "codes" => inner.trim_start_matches("at most ").parse().ok().map(SettingKind::Codes),
        _ => None,
    }
}

fn value_of(kind: &SettingKind, node: &Node) -> Option<SettingValue> {
    let items = |node: &Node| match node {
        Node::List(_, items) => items
            .iter()
            .map(|item| match item {
                Node::Scalar(cell) => Some(cell.text.clone()),
                _ => None,
            })
            .collect::<Option<Vec<String>>>(),
        _ => None,
    };
    match (kind, node) {
        (SettingKind::Flag, Node::Scalar(cell)) => match cell.text.as_str() {
            "true" | "yes" => Some(SettingValue::Flag(true)),
            "false" | "no" => Some(SettingValue::Flag(false)),
            _ => None,
        },
        (SettingKind::Number(_), Node::Scalar(cell)) => cell.text.trim().parse().ok().map(SettingValue::Number),
        (SettingKind::Choice(_), Node::Scalar(cell)) => Some(SettingValue::Choice(cell.text.clone())),
        (SettingKind::Numbers(_), node) => {
            let numbers = items(node)?.iter().map(|text| text.trim().parse().ok()).collect::<Option<Vec<i32>>>();
            numbers.map(SettingValue::Numbers)
        }
        (SettingKind::Codes(_), node) => items(node).map(SettingValue::Codes),
        _ => None,
    }
}
