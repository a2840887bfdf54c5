//! Short ways to documents and requests. Never: an assertion of its own.

use linli_rules_engine::table::{Asked, Table, TableProblem};
use linli_rules_engine::types::{
    Amount, Context, EligibilityRequest, Member, PriceRequest, Setting, SettingValue, Usage, Verdict,
};
use linli_rules_engine::{Fault, Outcome};

pub(crate) const HAIRCUT: &str = include_str!("haircut.yaml");
pub(crate) const MEALS: &str = include_str!("meals.yaml");
pub(crate) const PEER_SCORE: &str = include_str!("peer-score.yaml");
pub(crate) const HARDSHIP: &str = include_str!("hardship-first.yaml");
pub(crate) const TRACKS: &str = include_str!("tracks.yaml");
pub(crate) const ALL: [&str; 5] = [HAIRCUT, MEALS, PEER_SCORE, HARDSHIP, TRACKS];

pub(crate) const BUDGET: u64 = 100_000;

pub(crate) fn table(text: &str) -> Table {
    Table::parse(text.as_bytes()).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"))
}

pub(crate) fn problems(text: &str) -> Vec<TableProblem> {
    Table::parse(text.as_bytes()).expect_err("the document has no problem")
}

/// A document with these rules, settings `n` (number), `list` (codes), `tiers` (numbers), answers `mode`, `urgent`.
pub(crate) fn document(rules: &str) -> String {
    format!(
        "linli: table/1
title: {{zh-CN: 规则, en: Rule}}
summary: {{zh-CN: 规则, en: Rule}}
answers: {{mode: choice, urgent: flag}}
settings:
  n: {{kind: number(0..100), default: 3, label: {{zh-CN: 数, en: N}}}}
  list: {{kind: codes(8), default: [hardship, disability], label: {{zh-CN: 列表, en: List}}}}
  tiers: {{kind: numbers(8), default: [60, 200, 70, 400], label: {{zh-CN: 档, en: Tiers}}}}
reasons:
  no: {{zh-CN: 不行, en: No}}
  because: {{zh-CN: \"因为 {{0}}\", en: \"because {{0}}\"}}
rules:
{rules}"
    )
}

/// A document that allows where the condition holds, and abstains elsewhere.
pub(crate) fn when(condition: &str) -> String {
    document(&format!("  booking-eligibility:\n    - {{when: '{}', then: allow}}\n", condition.replace('\'', "''")))
}

/// A document with one column over a subject and one cell, which allows where the cell holds.
pub(crate) fn cell(subject: &str, cell: &str) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let (subject, cell) = (quoted(subject), quoted(cell));
    document(&format!(
        "  booking-eligibility:\n    columns: {{it: {subject}}}\n    rows:\n      - {{it: {cell}, then: allow}}\n"
    ))
}

pub(crate) fn context() -> Context {
    Context { now: 29_671_200, utc_offset_min: 480, seed: 7, settings: vec![] }
}

pub(crate) fn person(age: Option<u8>, tags: &[&str]) -> Member {
    Member { handle: 1, age_years: age, tags: tags.iter().map(|&tag| tag.to_owned()).collect(), ..Member::default() }
}

pub(crate) fn request(who: Member) -> EligibilityRequest {
    let used = Some(Usage { this_month: 1, ..Usage::default() });
    EligibilityRequest { who, used, party: 2, ..EligibilityRequest::default() }
}

pub(crate) fn decide(table: &Table, req: &EligibilityRequest) -> Result<Verdict, Fault> {
    let (outcome, used) = table.evaluate(&context(), Asked::Eligibility(req), BUDGET)?;
    assert!(used > 0 && used <= BUDGET);
    match outcome {
        Outcome::Eligibility(verdict) => Ok(verdict),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn fen(value: i32) -> Amount {
    Amount { asset: "cny-fen".to_owned(), value }
}

pub(crate) fn price_request(who: Member, answers: Vec<Setting>) -> PriceRequest {
    PriceRequest {
        who,
        balances: vec![],
        used: None,
        slot: linli_rules_engine::types::Slot::default(),
        answers,
        base: fen(1_500),
        floor: fen(0),
        ceiling: fen(2_000),
    }
}

pub(crate) fn choice(key: &str, code: &str) -> Setting {
    Setting { key: key.to_owned(), value: SettingValue::Choice(code.to_owned()) }
}
