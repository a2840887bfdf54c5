//! Settings and answers: declared once as constants with bounds and default, looked up with one call.
//! Never: a default that the manifest does not show.

use crate::types::{Context, Setting, SettingValue};

/// A whole number with bounds.
#[derive(Debug, Clone, Copy)]
pub struct Number {
    pub(crate) key: &'static str,
    pub(crate) default: i32,
    pub(crate) min: i32,
    pub(crate) max: i32,
}

impl Number {
    /// Declares a number; the default lies within the bounds.
    pub const fn new(key: &'static str, default: i32, min: i32, max: i32) -> Self {
        assert!(min <= default && default <= max, "the default of a number lies within its bounds");
        Self { key, default, min, max }
    }
}

/// A yes or no.
#[derive(Debug, Clone, Copy)]
pub struct Flag {
    pub(crate) key: &'static str,
    pub(crate) default: bool,
}

impl Flag {
    /// Declares a flag.
    pub const fn new(key: &'static str, default: bool) -> Self {
        Self { key, default }
    }
}

/// One of several codes; the first is the default.
#[derive(Debug, Clone, Copy)]
pub struct Choice {
    pub(crate) key: &'static str,
    pub(crate) options: &'static [&'static str],
}

impl Choice {
    /// Declares a choice.
    pub const fn new(key: &'static str, options: &'static [&'static str]) -> Self {
        assert!(!options.is_empty(), "a choice has at least one option");
        Self { key, options }
    }
}

/// A list of whole numbers.
#[derive(Debug, Clone, Copy)]
pub struct Numbers {
    pub(crate) key: &'static str,
    pub(crate) default: &'static [i32],
    pub(crate) max_len: u16,
}

impl Numbers {
    /// Declares a list of at most `max_len` numbers.
    pub const fn new(key: &'static str, default: &'static [i32], max_len: u16) -> Self {
        assert!(default.len() <= max_len as usize, "the default fits the list");
        Self { key, default, max_len }
    }
}

/// A list of codes.
#[derive(Debug, Clone, Copy)]
pub struct Codes {
    pub(crate) key: &'static str,
    pub(crate) default: &'static [&'static str],
    pub(crate) max_len: u16,
}

impl Codes {
    /// Declares a list of at most `max_len` codes.
    pub const fn new(key: &'static str, default: &'static [&'static str], max_len: u16) -> Self {
        assert!(default.len() <= max_len as usize, "the default fits the list");
        Self { key, default, max_len }
    }
}

/// The settings of a binding, or the answers of a request.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a>(&'a [Setting]);

impl<'a> Settings<'a> {
    /// Reads a list of settings or answers.
    pub fn new(list: &'a [Setting]) -> Self {
        Self(list)
    }

    /// Reads the settings of the binding.
    pub fn of(ctx: &'a Context) -> Self {
        Self(&ctx.settings)
    }

    /// The number that was set, or the default.
    pub fn number(&self, decl: &Number) -> i32 {
        self.answer_number(decl.key).unwrap_or(decl.default)
    }

    /// The flag that was set, or the default.
    pub fn flag(&self, decl: &Flag) -> bool {
        self.answer_flag(decl.key).unwrap_or(decl.default)
    }

    /// The choice that was made, or the first option.
    pub fn choice(&self, decl: &Choice) -> &'a str {
        self.answer_choice(decl.key).unwrap_or(decl.options[0])
    }

    /// The numbers that were set, or the default.
    pub fn numbers(&self, decl: &Numbers) -> &'a [i32] {
        match self.value(decl.key) {
            Some(SettingValue::Numbers(list)) => list,
            _ => decl.default,
        }
    }

    /// Whether the list, or its default, holds a code.
    pub fn codes_contain(&self, decl: &Codes, code: &str) -> bool {
        match self.value(decl.key) {
            Some(SettingValue::Codes(list)) => list.iter().any(|c| c == code),
            _ => decl.default.contains(&code),
        }
    }

    /// The number under a key that no constant declares, such as an offering's question.
    pub fn answer_number(&self, key: &str) -> Option<i32> {
        match self.value(key) {
            Some(SettingValue::Number(n)) => Some(*n),
            _ => None,
        }
    }

    /// The flag under a key that no constant declares.
    pub fn answer_flag(&self, key: &str) -> Option<bool> {
        match self.value(key) {
            Some(SettingValue::Flag(yes)) => Some(*yes),
            _ => None,
        }
    }

    /// The choice under a key that no constant declares.
    pub fn answer_choice(&self, key: &str) -> Option<&'a str> {
        match self.value(key) {
            Some(SettingValue::Choice(code)) => Some(code),
            _ => None,
        }
    }

    fn value(&self, key: &str) -> Option<&'a SettingValue> {
        self.0.iter().find(|s| s.key == key).map(|s| &s.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{codes, flag, number, numbers};

    const AGE: Number = Number::new("age", 60, 0, 120);
    const ON: Flag = Flag::new("on", true);
    const MODE: Choice = Choice::new("mode", &["dine-in", "delivery"]);
    const TIERS: Numbers = Numbers::new("tiers", &[1, 2], 4);
    const KINDS: Codes = Codes::new("kinds", &["shift"], 4);

    #[test]
    fn a_setting_that_is_absent_or_of_another_kind_has_its_default() {
        for given in [vec![], vec![flag("age", true), number("on", 1), number("mode", 1)]] {
            let settings = Settings::new(&given);
            assert_eq!(settings.number(&AGE), 60);
            assert!(settings.flag(&ON));
            assert_eq!(settings.choice(&MODE), "dine-in");
            assert_eq!(settings.numbers(&TIERS), [1, 2]);
            assert!(settings.codes_contain(&KINDS, "shift"));
        }
    }

    #[test]
    fn a_setting_that_was_given_replaces_its_default() {
        let given = [number("age", 80), flag("on", false), numbers("tiers", &[9]), codes("kinds", &["visit"])];
        let settings = Settings::new(&given);
        assert_eq!(settings.number(&AGE), 80);
        assert!(!settings.flag(&ON));
        assert_eq!(settings.numbers(&TIERS), [9]);
        assert!(!settings.codes_contain(&KINDS, "shift"));
        assert!(settings.codes_contain(&KINDS, "visit"));
    }
}
