//! What a plugin says about itself: the manifest, its checks, and the rendering of reasons from its catalogue.
//! Never: trusted before it was checked.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift};

use super::facts::{Fact, FactSet};
use super::types::{Reason, SettingValue};

/// A text in both languages.
#[derive(Debug, Clone, Default, PartialEq, Eq, ComponentType, Lift, Serialize, Deserialize)]
#[component(record)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Text {
    /// Chinese.
    #[component(name = "zh-cn")]
    pub zh_cn: String,
    /// English.
    pub en: String,
}

/// The bounds of a setting.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift, Serialize, Deserialize)]
#[component(variant)]
#[serde(rename_all = "kebab-case")]
pub enum SettingKind {
    /// Yes or no.
    #[component(name = "flag")]
    Flag,
    /// A number from the first to the second.
    #[component(name = "number")]
    Number((i32, i32)),
    /// One of these codes.
    #[component(name = "choice")]
    Choice(Vec<String>),
    /// At most so many numbers.
    #[component(name = "numbers")]
    Numbers(u16),
    /// At most so many codes.
    #[component(name = "codes")]
    Codes(u16),
}

impl SettingKind {
    /// Whether a value is of this kind and within its bounds.
    pub fn admits(&self, value: &SettingValue) -> bool {
        match (self, value) {
            (SettingKind::Flag, SettingValue::Flag(_)) => true,
            (SettingKind::Number((min, max)), SettingValue::Number(n)) => (min..=max).contains(&n),
            (SettingKind::Choice(options), SettingValue::Choice(code)) => options.contains(code),
            (SettingKind::Numbers(max), SettingValue::Numbers(list)) => list.len() <= usize::from(*max),
            (SettingKind::Codes(max), SettingValue::Codes(list)) => list.len() <= usize::from(*max),
            _ => false,
        }
    }
}

/// A setting that a community may give.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift, Serialize, Deserialize)]
#[component(record)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SettingDecl {
    /// The key, kebab-case.
    pub key: String,
    /// Its bounds.
    pub kind: SettingKind,
    /// What holds where nothing is given.
    pub default: SettingValue,
    /// A short name for forms.
    pub label: Text,
    /// One sentence for forms.
    pub help: Text,
}

/// One entry of the catalogue of reasons.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift, Serialize, Deserialize)]
#[component(record)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Message {
    /// The reason's code.
    pub code: String,
    /// Its text, with placeholders `{0}`, `{1}`...
    pub text: Text,
}

/// What a plugin is, needs, can be told and may answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, ComponentType, Lift, Serialize, Deserialize)]
#[component(record)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Manifest {
    /// A name for people.
    pub title: Text,
    /// One sentence for people.
    pub summary: Text,
    /// Codes of [`Fact`].
    pub facts: Vec<String>,
    /// Settings.
    pub settings: Vec<SettingDecl>,
    /// Reasons.
    pub messages: Vec<Message>,
}

/// A setting that the plugin itself does not accept.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift, Serialize, Deserialize)]
#[component(record)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SettingProblem {
    /// The setting.
    pub key: String,
    /// Why.
    pub why: Reason,
}

/// A setting that the manifest does not admit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit<'a> {
    /// Its place in the list.
    pub at: usize,
    /// Its key.
    pub key: String,
    /// What is wrong.
    pub what: WrongSetting<'a>,
}

/// What is wrong with a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WrongSetting<'a> {
    /// The manifest does not declare it.
    Unknown,
    /// It was given before.
    Repeated,
    /// It should be of this kind, and is not, or is out of its bounds.
    Kind(&'a SettingKind),
}

/// What is wrong with a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManifestProblem {
    /// A text is missing in one language, or longer than a form takes.
    Text(String),
    /// A code or key is not kebab-case of at most 64 characters.
    Code(String),
    /// A code or key stands twice.
    Repeated(String),
    /// The host does not know the fact.
    UnknownFact(String),
    /// A setting's bounds are empty, or its default lies outside.
    Default(String),
    /// More settings, messages or options than a manifest may have.
    TooMany(&'static str),
}

const MAX_TEXT_CHARS: usize = 500;
const MAX_SETTINGS: usize = 64;
const MAX_MESSAGES: usize = 256;
const MAX_CODE_BYTES: usize = 64;

impl Manifest {
    /// The facts that the host knows among the declared ones.
    pub fn fact_set(&self) -> FactSet {
        self.facts.iter().filter_map(|code| Fact::from_code(code)).collect()
    }

    /// The text of a reason in a language: English for `en`, Chinese otherwise; the bare code where the catalogue
    /// lacks it.
    pub fn render(&self, reason: &Reason, lang: &str) -> String {
        let Some(message) = self.messages.iter().find(|message| message.code == reason.code) else {
            return reason.code.clone();
        };
        let text = if lang.starts_with("en") { &message.text.en } else { &message.text.zh_cn };
        fill(text, &reason.args)
    }

    /// Every problem of the manifest.
    pub fn check(&self) -> Vec<ManifestProblem> {
        let mut problems = Vec::new();
        check_text("title", &self.title, true, &mut problems);
        check_text("summary", &self.summary, true, &mut problems);
        if self.settings.len() > MAX_SETTINGS {
            problems.push(ManifestProblem::TooMany("settings"));
        }
        if self.messages.len() > MAX_MESSAGES {
            problems.push(ManifestProblem::TooMany("messages"));
        }
        let unknown = self.facts.iter().filter(|code| Fact::from_code(code).is_none());
        problems.extend(unknown.map(|code| ManifestProblem::UnknownFact(shorten(code))));
        check_codes(self.facts.iter(), &mut problems);
        check_codes(self.settings.iter().map(|decl| &decl.key), &mut problems);
        check_codes(self.messages.iter().map(|message| &message.code), &mut problems);
        for decl in self.settings.iter().take(MAX_SETTINGS) {
            check_text(&decl.key, &decl.label, true, &mut problems);
            check_text(&decl.key, &decl.help, false, &mut problems);
            if !decl.kind.admits(&decl.default) {
                problems.push(ManifestProblem::Default(shorten(&decl.key)));
            }
        }
        for message in self.messages.iter().take(MAX_MESSAGES) {
            check_text(&message.code, &message.text, true, &mut problems);
        }
        problems
    }

    /// What is wrong with the settings of a binding, as far as the host can tell; the plugin's own `check-settings` comes
    /// on top. A setting without a value is of the wrong kind.
    pub fn misfits<'a>(&self, given: impl Iterator<Item = (&'a str, Option<&'a SettingValue>)>) -> Vec<Misfit<'_>> {
        let mut seen = HashSet::new();
        let mut misfits = Vec::new();
        for (at, (key, value)) in given.enumerate() {
            let Some(decl) = self.settings.iter().find(|decl| decl.key == key) else {
                misfits.push(Misfit { at, key: key.to_owned(), what: WrongSetting::Unknown });
                continue;
            };
            if !seen.insert(key) {
                misfits.push(Misfit { at, key: key.to_owned(), what: WrongSetting::Repeated });
            } else if !value.is_some_and(|value| decl.kind.admits(value)) {
                misfits.push(Misfit { at, key: key.to_owned(), what: WrongSetting::Kind(&decl.kind) });
            }
        }
        misfits
    }
}

/// Fills `{0}`, `{1}`... in one pass, so that an argument is never read as a placeholder.
fn fill(text: &str, args: &[String]) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        rest = &rest[open..];
        let filled = rest.find('}').and_then(|close| Some((close, args.get(rest[1..close].parse::<usize>().ok()?)?)));
        match filled {
            Some((close, arg)) => {
                out.push_str(arg);
                rest = &rest[close + 1..];
            }
            None => {
                out.push('{');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn check_text(at: &str, text: &Text, required: bool, problems: &mut Vec<ManifestProblem>) {
    let bad = |text: &str| (required && text.trim().is_empty()) || text.chars().count() > MAX_TEXT_CHARS;
    if bad(&text.zh_cn) || bad(&text.en) {
        problems.push(ManifestProblem::Text(shorten(at)));
    }
}

fn check_codes<'a>(codes: impl Iterator<Item = &'a String>, problems: &mut Vec<ManifestProblem>) {
    let mut seen = HashSet::new();
    for code in codes {
        if !is_code(code) {
            problems.push(ManifestProblem::Code(shorten(code)));
        } else if !seen.insert(code) {
            problems.push(ManifestProblem::Repeated(code.clone()));
        }
    }
}

/// Kebab-case: lower-case ASCII letters, digits and single hyphens, beginning with a letter.
pub(crate) fn is_code(code: &str) -> bool {
    code.len() <= MAX_CODE_BYTES
        && code.starts_with(|c: char| c.is_ascii_lowercase())
        && code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !code.ends_with('-')
        && !code.contains("--")
}

/// At most 64 characters of something that a plugin wrote.
fn shorten(text: &str) -> String {
    text.chars().take(MAX_CODE_BYTES).collect()
}

/// A setting's type as authors read it: `number(0..120)`, `choice(a|b)`, `codes(at most 16)`.
pub fn kind_text(kind: &SettingKind) -> String {
    match kind {
        SettingKind::Flag => "flag".to_owned(),
        SettingKind::Number((min, max)) => format!("number({min}..{max})"),
        SettingKind::Choice(options) => format!("choice({})", options.join("|")),
        SettingKind::Numbers(max) => format!("numbers(at most {max})"),
        SettingKind::Codes(max) => format!("codes(at most {max})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(s: &str) -> Text {
        Text { zh_cn: s.to_owned(), en: s.to_owned() }
    }

    fn manifest() -> Manifest {
        Manifest { title: text("t"), summary: text("s"), ..Manifest::default() }
    }

    #[test]
    fn placeholders_are_filled_once_and_unknown_ones_stay() {
        let args = ["{1}".to_owned(), "b".to_owned()];
        assert_eq!(fill("x {0} y {1} z {2} {", &args), "x {1} y b z {2} {");
        assert_eq!(fill("满 {0} 岁", &args[1..]), "满 b 岁");
    }

    #[test]
    fn a_reason_is_rendered_in_both_languages() {
        let text = Text { zh_cn: "已 {0} 次".to_owned(), en: "{0} times".to_owned() };
        let manifest = Manifest { messages: vec![Message { code: "used".to_owned(), text }], ..manifest() };
        let reason = Reason { code: "used".to_owned(), args: vec!["2".to_owned()] };
        assert_eq!(manifest.render(&reason, "zh-CN"), "已 2 次");
        assert_eq!(manifest.render(&reason, "en"), "2 times");
    }

    #[test]
    fn every_problem_of_a_manifest_is_listed() {
        let message = |code: &str| Message { code: code.to_owned(), text: text("x") };
        let decl = SettingDecl {
            key: "age".to_owned(),
            kind: SettingKind::Number((1, 2)),
            default: SettingValue::Number(3),
            label: text("l"),
            help: text(""),
        };
        let bad = Manifest {
            title: Text { zh_cn: "只有中文".to_owned(), en: String::new() },
            facts: vec!["home-address".to_owned()],
            settings: vec![decl],
            messages: vec![message("a"), message("a"), message("Not A Code")],
            ..manifest()
        };
        let expected = [
            ManifestProblem::Text("title".to_owned()),
            ManifestProblem::UnknownFact("home-address".to_owned()),
            ManifestProblem::Repeated("a".to_owned()),
            ManifestProblem::Code("Not A Code".to_owned()),
            ManifestProblem::Default("age".to_owned()),
        ];
        assert_eq!(bad.check(), expected);
        assert!(manifest().check().is_empty());
    }

    #[test]
    fn types_read_as_the_contract_shows_them() {
        assert_eq!(kind_text(&SettingKind::Number((0, 120))), "number(0..120)");
        assert_eq!(kind_text(&SettingKind::Choice(vec!["a".to_owned(), "b".to_owned()])), "choice(a|b)");
    }
}
