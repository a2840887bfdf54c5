//! Facts for the unit tests of rules: short constructors for a context, a member, a slot.
//! Never: used by a rule.

use crate::types::{Context, Member, Setting, SettingValue, Slot, Usage};

/// 2026-06-01 08:00 in Beijing, with the given settings.
pub fn context(settings: Vec<Setting>) -> Context {
    Context { now: 29_671_200, utc_offset_min: 480, seed: 7, settings }
}

/// A resident of an age.
pub fn member(age_years: u8) -> Member {
    Member {
        handle: 1,
        age_years: Some(age_years),
        standing: Some("resident".to_owned()),
        joined: None,
        roles: Vec::new(),
        tags: Vec::new(),
    }
}

/// A resident of an age with tags.
pub fn member_with_tags(age_years: u8, tags: &[&str]) -> Member {
    Member { tags: owned(tags), ..member(age_years) }
}

/// A slot of an offering that starts so many minutes after the context's now.
pub fn slot(offering: &str, starts_in_min: u32) -> Slot {
    Slot {
        offering: offering.to_owned(),
        kind: offering.to_owned(),
        starts: context(Vec::new()).now + starts_in_min,
        length_min: 30,
        capacity: 12,
        taken: 3,
        tags: Vec::new(),
    }
}

/// What a member used this month, with bookings still open and with no-shows.
pub fn usage(this_month: u16, open: u16, no_shows: u16) -> Usage {
    Usage { open, this_week: this_month.min(1), this_month, no_shows }
}

/// A number setting.
pub fn number(key: &str, value: i32) -> Setting {
    setting(key, SettingValue::Number(value))
}

/// A flag setting.
pub fn flag(key: &str, value: bool) -> Setting {
    setting(key, SettingValue::Flag(value))
}

/// A choice setting.
pub fn choice(key: &str, value: &str) -> Setting {
    setting(key, SettingValue::Choice(value.to_owned()))
}

/// A setting that is a list of numbers.
pub fn numbers(key: &str, value: &[i32]) -> Setting {
    setting(key, SettingValue::Numbers(value.to_vec()))
}

/// A setting that is a list of codes.
pub fn codes(key: &str, value: &[&str]) -> Setting {
    setting(key, SettingValue::Codes(owned(value)))
}

fn setting(key: &str, value: SettingValue) -> Setting {
    Setting { key: key.to_owned(), value }
}

fn owned(codes: &[&str]) -> Vec<String> {
    codes.iter().map(|&code| code.to_owned()).collect()
}
