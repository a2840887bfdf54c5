//! The second form of a rule: decision tables and CEL expressions in one YAML document, checked when it is parsed.
//! Never: reads a clock, depends on chance beyond the context's seed, or panics, whatever the document or the request.
//!
//! Expressions are parsed by the `cel` crate and evaluated here: so every step is counted, a missing fact is told by its
//! name, and the same document answers the same on every machine.

mod cells;
mod compile;
mod decide;
mod document;
mod expr;
mod facts;
mod mutants;
mod parse;
mod problem;
mod rows;
mod yaml;

use std::collections::BTreeSet;

pub use facts::Asked;
pub use problem::{TableCode, TableProblem};

use compile::Names;
use problem::{Place, Problems};
use rows::Rules;

use crate::facts::{Fact, FactSet};
use crate::manifest::{Manifest, SettingKind, SettingProblem};
use crate::question::Outcome;
use crate::types::{Context, Setting};
use crate::{Fault, Hook};

/// The largest document.
pub const MAX_TABLE_BYTES: usize = 64 << 10;

/// The most that one decision, or one entry of a queue, may take; a step is one part of an expression or one item of a
/// list.
pub const MAX_COST: u64 = 100_000;

/// A checked document.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    manifest: Manifest,
    rules: Vec<Rules>,
    facts: FactSet,
    bounds: Vec<(Hook, u64)>,
}

impl Table {
    /// Whether bytes are a table document rather than WebAssembly; says nothing about its correctness.
    pub fn looks_like(bytes: &[u8]) -> bool {
        !bytes.starts_with(b"\0asm") && std::str::from_utf8(bytes).is_ok_and(|text| text.contains("linli:"))
    }

    /// Reads and checks a document; every problem is listed.
    pub fn parse(bytes: &[u8]) -> Result<Self, Vec<TableProblem>> {
        let mut problems = Problems::default();
        let table = Self::read(bytes, &mut problems);
        match table {
            Some(table) if problems.is_empty() => Ok(table),
            _ => Err(problems.into_sorted()),
        }
    }

    fn read(bytes: &[u8], problems: &mut Problems) -> Option<Self> {
        let start = Place { line: 1, column: 1 };
        if bytes.len() > MAX_TABLE_BYTES {
            let (got, max) = (bytes.len(), MAX_TABLE_BYTES);
            let en = format!("the document has {got} bytes, at most {max} are allowed");
            problems.push(TableCode::TooLarge, start, format!("文档 {got} 字节，上限 {max} 字节"), en);
            return None;
        }
        let text = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
        let Some(text) = text else {
            let en = "the document must be UTF-8 text without NUL characters; save it as UTF-8";
            problems.push(TableCode::Malformed, start, "文档须是 UTF-8 文本，不含空字符；请另存为 UTF-8", en);
            return None;
        };
        Self::read_text(text.strip_prefix('\u{feff}').unwrap_or(text), problems)
    }

    fn read_text(text: &str, problems: &mut Problems) -> Option<Self> {
        let start = Place { line: 1, column: 1 };
        let root = yaml::read(text, problems);
        let Some(root) = root else {
            if problems.is_empty() {
                let en = "the document is empty; begin with `linli: table/1`";
                problems.push(TableCode::Missing, start, "文档为空，须以 linli: table/1 开头", en);
            }
            return None;
        };
        let head = document::head(&root, problems)?;
        let mut rules = Vec::new();
        for (key, node) in head.rules {
            let Some(hook) = Hook::from_code(&key.text) else {
                problems.unknown(key.at, ("这个规则接口", "hook"), &key.text, Hook::ALL.map(Hook::code));
                continue;
            };
            problems.enter(hook.code().to_owned());
            let names = Names { hook, settings: &head.manifest.settings, answers: &head.answers };
            let of_hook = rows::read(node, text, &names, &head.manifest, problems);
            problems.enter(hook.code().to_owned());
            let bound = cost(&of_hook, &head.manifest);
            if bound > MAX_COST {
                let zh = format!("一次决定最多可用 {MAX_COST} 步，这里可能达到 {bound} 步；请减少行数或列表");
                let en = format!(
                    "one decision could take {bound} steps, at most {MAX_COST} are allowed; use fewer rows or shorter lists"
                );
                problems.push(TableCode::TooCostly, key.at, zh, en);
            }
            rules.push((of_hook, bound));
        }
        problems.enter(String::new());
        if rules.is_empty() && problems.is_empty() {
            let en = format!("`rules` names no hook; there are: {}", Hook::ALL.map(Hook::code).join(", "));
            problems.push(TableCode::Missing, start, "rules 中没有任何规则接口", en);
        }
        let facts = used_facts(rules.iter().map(|(rules, _)| rules));
        check_declared(head.declared.as_ref(), &facts, problems);
        check_bounds(&head.manifest, head.settings_at, problems);
        let mut manifest = head.manifest;
        manifest.facts =
            Fact::ALL.iter().filter(|fact| facts.contains(fact.code())).map(|f| f.code().to_owned()).collect();
        let bounds = rules.iter().map(|(rules, bound)| (rules.hook, *bound)).collect();
        let rules = rules.into_iter().map(|(rules, _)| rules).collect();
        Some(Self { facts: manifest.fact_set(), manifest, rules, bounds })
    }

    /// What the document says about itself; the facts are those that its expressions use.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The hooks that it has rows for.
    pub fn hooks(&self) -> impl Iterator<Item = Hook> + '_ {
        self.rules.iter().map(|rules| rules.hook)
    }

    /// The facts that it uses.
    pub fn facts(&self) -> FactSet {
        self.facts
    }

    /// A document has no checks beyond the bounds that its manifest declares.
    pub fn check_settings(&self, _settings: &[Setting]) -> Vec<SettingProblem> {
        Vec::new()
    }

    /// The most that a decision takes, for each entry of a queue; lists of requests counted with 64 items.
    pub fn cost_bound(&self, hook: Hook) -> u64 {
        self.bounds.iter().find(|(other, _)| *other == hook).map_or(0, |(_, bound)| *bound)
    }

    /// Answers a question and says how many steps that took.
    pub fn evaluate(&self, ctx: &Context, asked: Asked<'_>, budget: u64) -> Result<(Outcome, u64), Fault> {
        let hook = asked.hook();
        let rules = self.rules.iter().find(|rules| rules.hook == hook).ok_or(Fault::NoHook(hook.code()))?;
        decide::decide(&self.manifest, rules, ctx, asked, budget)
    }

    /// The same document with one number or one comparison changed, each with what was changed.
    pub fn mutants(&self) -> Vec<(String, Table)> {
        mutants::of(self)
    }
}

fn cost(rules: &Rules, manifest: &Manifest) -> u64 {
    let list_of_setting = |at: usize| match manifest.settings.get(at).map(|decl| &decl.kind) {
        Some(SettingKind::Numbers(most) | SettingKind::Codes(most)) => u64::from(*most),
        _ => 1,
    };
    let expressions = rules.rows.iter().flat_map(rows::Row::expressions);
    expressions.map(|node| node.cost(&list_of_setting)).fold(rules.rows.len() as u64, u64::saturating_add)
}

fn used_facts<'a>(rules: impl Iterator<Item = &'a Rules>) -> BTreeSet<&'static str> {
    let mut used = BTreeSet::new();
    let mut left: Vec<&expr::Node> =
        rules.flat_map(|rules| rules.rows.iter().flat_map(rows::Row::expressions)).collect();
    while let Some(node) = left.pop() {
        let fact = match node {
            expr::Node::Answer(..) => Some(Fact::Answers),
            expr::Node::Balance(_) => Some(Fact::Balances),
            expr::Node::Fact(var, _) => {
                facts::KNOWN.iter().find(|known| known.var == *var).and_then(|known| known.fact)
            }
            _ => None,
        };
        used.extend(fact.map(Fact::code));
        left.extend(node.children());
    }
    used
}

fn check_declared(declared: Option<&(Place, Vec<String>)>, used: &BTreeSet<&'static str>, problems: &mut Problems) {
    let Some((at, declared)) = declared else { return };
    for fact in declared {
        if Fact::from_code(fact).is_none() {
            problems.unknown(*at, ("这种事实", "fact"), fact, Fact::ALL.map(Fact::code));
        } else if !used.contains(fact.as_str()) {
            let en = format!("the fact {fact:?} is declared and not used; remove it, so that nobody asks for it");
            problems.push(TableCode::BadValue, *at, format!("声明了“{fact}”却没有用到，请删去"), en);
        }
    }
    for fact in used.iter().filter(|fact| !declared.iter().any(|other| other == *fact)) {
        let en = format!("the fact {fact:?} is used and not declared; add it, or leave `facts` out");
        problems.push(TableCode::Missing, *at, format!("用到“{fact}”却没有声明，请补上，或整段省去 facts"), en);
    }
}

/// Bounds that hold nothing.
fn check_bounds(manifest: &Manifest, at: Place, problems: &mut Problems) {
    for decl in &manifest.settings {
        if let SettingKind::Number((min, max)) = decl.kind
            && min > max
        {
            let en = format!("{}: the bounds {min}..{max} hold nothing", decl.key);
            problems.push(TableCode::BadValue, at, format!("{}：范围 {min}..{max} 为空", decl.key), en);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::question::Question;
    use crate::validate::corpus::{self, Chance};

    const DOCUMENTS: [&str; 5] = [
        include_str!("../tests/tables/haircut.yaml"),
        include_str!("../tests/tables/meals.yaml"),
        include_str!("../tests/tables/peer-score.yaml"),
        include_str!("../tests/tables/hardship-first.yaml"),
        include_str!("../tests/tables/tracks.yaml"),
    ];

    fn question(hook: Hook, chance: &mut Chance) -> Question {
        match hook {
            Hook::Eligibility => Question::Eligibility(corpus::eligibility(chance)),
            Hook::Price => Question::Price(corpus::price(chance)),
            Hook::Priority => Question::Priority(corpus::priority(chance)),
            Hook::Award => Question::Award(corpus::award(chance)),
            Hook::Track => Question::Track(corpus::track(chance)),
            Hook::Thresholds => Question::Thresholds(corpus::thresholds(chance)),
        }
    }

    #[test]
    fn every_question_of_the_corpus_is_answered_twice_alike_and_without_a_fault() {
        let mut answered = 0;
        for text in DOCUMENTS {
            let table = Table::parse(text.as_bytes()).unwrap();
            for hook in table.hooks() {
                for case in 0..corpus::CASES {
                    let mut chance = Chance::new(case);
                    let ctx = chance.context(&[]);
                    let question = question(hook, &mut chance);
                    let entries = match &question {
                        Question::Priority(req) => req.queue.len().max(1) as u64,
                        _ => 1,
                    };
                    let budget = table.cost_bound(hook) * entries;
                    let ask = || table.evaluate(&ctx, Asked::from(&question), budget);
                    let first = ask();
                    assert_eq!(first, ask());
                    match first {
                        Ok((outcome, used)) => {
                            assert!(outcome.hook() == hook && used <= budget);
                            answered += 1;
                        }
                        Err(Fault::Refused(_)) => {}
                        Err(fault) => panic!("{hook:?} {case}: {fault}"),
                    }
                }
            }
        }
        assert!(answered > 100, "{answered}");
    }

    #[test]
    fn the_bound_of_a_document_is_never_below_what_its_mutants_use() {
        for text in DOCUMENTS {
            let table = Table::parse(text.as_bytes()).unwrap();
            let mutants = table.mutants();
            assert!(!mutants.is_empty());
            for (what, mutant) in mutants {
                assert_ne!(mutant, table, "{what}");
                assert_eq!(mutant.bounds, table.bounds, "{what}");
            }
        }
    }
}
