//! The manifest builder: what a plugin is, needs, can be told and may answer, in zh-CN and en.
//! Never: read while a rule decides; the host asks once, at upload.

use crate::bindings::meta;
use crate::check;
use crate::settings::{Choice, Codes, Flag, Number, Numbers};
use crate::types::SettingValue;

/// A text in both languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    zh_cn: &'static str,
    en: &'static str,
}

/// A text in zh-CN and en.
pub const fn text(zh_cn: &'static str, en: &'static str) -> Text {
    Text { zh_cn, en }
}

impl Text {
    fn into_wit(self) -> meta::Text {
        meta::Text { zh_cn: self.zh_cn.to_owned(), en: self.en.to_owned() }
    }
}

/// A group of facts that the asking service resolves; what is not declared stays empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// `member.age-years`
    Age,
    /// `member.standing`
    Standing,
    /// `member.joined`
    Joined,
    /// `member.roles`
    Roles,
    /// `member.tags`
    Tags,
    /// `usage` of the offering
    Usage,
    /// `balances`
    Balances,
    /// `answers` to the offering's questions
    Answers,
}

impl Fact {
    /// The code of the fact in the manifest.
    pub const fn code(self) -> &'static str {
        match self {
            Fact::Age => "age",
            Fact::Standing => "standing",
            Fact::Joined => "joined",
            Fact::Roles => "roles",
            Fact::Tags => "tags",
            Fact::Usage => "usage",
            Fact::Balances => "balances",
            Fact::Answers => "answers",
        }
    }
}

/// A manifest under construction.
#[derive(Debug)]
pub struct Manifest(meta::Manifest);

impl Manifest {
    /// Starts with title and summary; the reasons of the built-in settings check are declared already.
    pub fn new(title: Text, summary: Text) -> Self {
        Self(meta::Manifest {
            title: title.into_wit(),
            summary: summary.into_wit(),
            facts: Vec::new(),
            settings: Vec::new(),
            messages: check::MESSAGES.iter().map(|&(code, text)| message(code, text)).collect(),
        })
    }

    /// Declares a fact that the rule reads.
    pub fn fact(mut self, fact: Fact) -> Self {
        self.0.facts.push(fact.code().to_owned());
        self
    }

    /// Declares a number.
    pub fn number(self, decl: &Number, label: Text, help: Text) -> Self {
        let kind = meta::SettingKind::Number((decl.min, decl.max));
        self.setting(decl.key, kind, SettingValue::Number(decl.default), label, help)
    }

    /// Declares a flag.
    pub fn flag(self, decl: &Flag, label: Text, help: Text) -> Self {
        self.setting(decl.key, meta::SettingKind::Flag, SettingValue::Flag(decl.default), label, help)
    }

    /// Declares a choice.
    pub fn choice(self, decl: &Choice, label: Text, help: Text) -> Self {
        let kind = meta::SettingKind::Choice(owned(decl.options));
        self.setting(decl.key, kind, SettingValue::Choice(decl.options[0].to_owned()), label, help)
    }

    /// Declares a list of numbers.
    pub fn numbers(self, decl: &Numbers, label: Text, help: Text) -> Self {
        let kind = meta::SettingKind::Numbers(decl.max_len);
        self.setting(decl.key, kind, SettingValue::Numbers(decl.default.to_vec()), label, help)
    }

    /// Declares a list of codes.
    pub fn codes(self, decl: &Codes, label: Text, help: Text) -> Self {
        let kind = meta::SettingKind::Codes(decl.max_len);
        self.setting(decl.key, kind, SettingValue::Codes(owned(decl.default)), label, help)
    }

    /// Declares a reason that the rule may give; `{0}`, `{1}`... stand for its values.
    pub fn message(mut self, code: &str, text: Text) -> Self {
        self.0.messages.push(message(code, text));
        self
    }

    /// The manifest as it crosses to the host.
    pub fn into_wit(self) -> meta::Manifest {
        self.0
    }

    fn setting(mut self, key: &str, kind: meta::SettingKind, default: SettingValue, label: Text, help: Text) -> Self {
        self.0.settings.push(meta::SettingDecl {
            key: key.to_owned(),
            kind,
            default,
            label: label.into_wit(),
            help: help.into_wit(),
        });
        self
    }
}

fn message(code: &str, text: Text) -> meta::Message {
    meta::Message { code: code.to_owned(), text: text.into_wit() }
}

fn owned(codes: &[&str]) -> Vec<String> {
    codes.iter().map(|&code| code.to_owned()).collect()
}
