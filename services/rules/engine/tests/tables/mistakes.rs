//! Every kind of mistake is told, at its place, in both languages, with the remedy.

use linli_rules_engine::table::{TableCode, TableProblem};

use crate::support::*;

/// The problems of a condition.
fn of_when(condition: &str) -> Vec<TableProblem> {
    problems(&when(condition))
}

#[track_caller]
fn told(problems: &[TableProblem], code: TableCode, words: &str) {
    let found = problems.iter().any(|problem| problem.code == code && problem.message_en.contains(words));
    assert!(found, "{code:?} {words:?}: {problems:#?}");
    for problem in problems {
        assert!(problem.line > 0 && problem.column > 0, "{problem:?}");
        assert!(problem.message_zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{problem:?}");
        assert!(!problem.message_en.is_empty(), "{problem:?}");
    }
}

#[test]
fn an_unknown_name_is_told_with_those_that_exist() {
    told(&of_when("who.name == \"x\""), TableCode::Unknown, "used.this_month");
    told(&of_when("event.score > 3"), TableCode::Unknown, "who.age_years");
    told(&of_when("settings.m > 3"), TableCode::Unknown, "n, list, tiers");
    told(&of_when("answers.size > 3"), TableCode::Unknown, "mode, urgent");
    told(&of_when("caps.points > 3"), TableCode::Unknown, "who.age_years");
    told(&of_when("matches(slot.kind, \"a.*\")"), TableCode::Unknown, "weekday");
    told(&of_when("slot.kind.startsWith(\"a\")"), TableCode::Unknown, "tier");
    told(&of_when("who.tags.map(t, t) == []"), TableCode::Unknown, "exists");
    told(&of_when("timestamp(\"2026\") > now"), TableCode::Unknown, "weekday");
    told(&of_when("min(1) > 0"), TableCode::Unknown, "min");
}

#[test]
fn a_wrong_type_is_told() {
    told(&of_when("party"), TableCode::Type, "must be yes/no, and is a number");
    told(&of_when("who.tags > 3"), TableCode::Type, "must be a number, and is a list of codes");
    told(&of_when("party == \"2\""), TableCode::Type, "must be a number, and is a code");
    told(&of_when("\"a\" + \"b\" == \"ab\""), TableCode::Type, "must be a number");
    told(&of_when("1 in who.tags"), TableCode::Type, "must be a list of numbers");
    told(&of_when("party > 1.5"), TableCode::Type, "whole numbers");
    told(&of_when("party > 1u"), TableCode::Type, "whole numbers");
    told(&of_when("who.tags == who.roles"), TableCode::Type, "must be a number");
    told(&of_when("has(slot.kind)"), TableCode::Type, "always there");
    told(&of_when("default(party, 1) == 1"), TableCode::Type, "always there");
    told(&of_when("[1, \"a\"].exists(x, true)"), TableCode::Type, "numbers only or codes only");
    told(&of_when("{1: 2}[1] == 2"), TableCode::Type, "brackets are for settings");
    told(&of_when("T{a: 1} == 1"), TableCode::Type, "maps and structures");
    told(&of_when("who.tags.filter(t, true) == \"a\""), TableCode::Type, "must be");
    told(&of_when("(party > 1 ? 1 : \"a\") == 1"), TableCode::Type, "must be a number, and is a code");
}

#[test]
fn nested_loops_huge_numbers_and_long_expressions_are_refused() {
    told(
        &of_when("who.tags.exists(t, who.roles.exists(r, r == t))"),
        TableCode::TooCostly,
        "list function within another",
    );
    told(&of_when("party > 4294967296"), TableCode::BadValue, "32 bits");
    told(&of_when("party > 99999999999999999999"), TableCode::Syntax, "expression");
    told(&of_when(&format!("party > {}", "1 + ".repeat(49) + "1")), TableCode::TooCostly, "more than 48 operators");
    told(&of_when(&format!("party > {}", "1 + ".repeat(200) + "1")), TableCode::TooCostly, "500 characters");
    told(&of_when(&format!("{}true{}", "(".repeat(13), ")".repeat(13))), TableCode::TooCostly, "nested too deeply");
}

#[test]
fn a_problem_in_an_expression_stands_at_its_character() {
    let text = when("party > 1 && nobody > 2");
    let problem = &problems(&text)[0];
    let line = text.lines().nth(problem.line as usize - 1).unwrap();
    assert!(line.chars().skip(problem.column as usize - 1).collect::<String>().starts_with("nobody"), "{problem:?}");
    assert_eq!(problem.where_, "booking-eligibility row 1");
}

#[test]
fn a_problem_in_pasted_rows_stands_at_its_cell() {
    let text = document(
        "  booking-eligibility:\n    columns: {age: who.age_years}\n    rows: |\n      age, then\n      80..60, allow\n      \"> nobody\", perhaps\n",
    );
    let all = problems(&text);
    told(&all, TableCode::BadValue, "holds nothing");
    told(&all, TableCode::Unknown, "allow, deny, needs-approval, abstain");
    for (words, cell) in [("holds nothing", "80..60"), ("nobody", "nobody"), ("perhaps", "perhaps")] {
        let problem = all.iter().find(|problem| problem.message_en.contains(words)).unwrap();
        let line = text.lines().nth(problem.line as usize - 1).unwrap();
        let rest: String = line.chars().skip(problem.column as usize - 1).collect();
        assert!(rest.starts_with(cell), "{problem:?} {rest:?}");
    }
}

#[test]
fn all_problems_are_told_at_once_in_the_order_of_the_document() {
    let text = document(
        "  booking-eligibility:\n    - {when: who.name, then: allow}\n    - {then: deny}\n    - {then: maybe}\n  parking: []\n",
    );
    let all = problems(&text);
    assert_eq!(all.len(), 4, "{all:#?}");
    assert!(all.windows(2).all(|pair| pair[0].line <= pair[1].line));
    told(&all, TableCode::Missing, "`reason`");
    told(&all, TableCode::Unknown, "booking-price");
}

#[test]
fn keys_columns_and_kinds_are_checked() {
    let rules = "  booking-eligibility:\n    - {then: allow}\n";
    let with = |from: &str, to: &str| problems(&document(rules).replace(from, to));
    told(&with("answers:", "answer:"), TableCode::Unknown, "linli, title, summary");
    told(&with("table/1", "table/9"), TableCode::Missing, "linli: table/1");
    told(&with("title:", "linli: again\ntitle:"), TableCode::Repeated, "twice");
    told(&with("number(0..100)", "number(0-100)"), TableCode::BadValue, "number(MIN..MAX)");
    told(&with("number(0..100)", "number(9..1)"), TableCode::BadValue, "n");
    told(&with("default: 3", "default: 300"), TableCode::BadValue, "out of bounds");
    told(&with("default: 3", "default: three"), TableCode::BadValue, "number(0..100)");
    told(&with("en: N}", "fr: N}"), TableCode::Unknown, "zh-CN, en");
    told(&with("mode: choice", "mode: text"), TableCode::Unknown, "flag, number, choice");
    told(&with("  because:", "  no:"), TableCode::Repeated, "\"no\"");
    told(&with("then: allow", "then: deny, reason: other"), TableCode::Unknown, "no, because");
    told(&with("then: allow", "then: deny, reason: because"), TableCode::BadValue, "takes 1 values");
    told(&with("then: allow", "then: allow, colour: red"), TableCode::Unknown, "when, then, reason, args");
    told(&with("- {then: allow}", "{hit: most, rows: [{then: allow}]}"), TableCode::Unknown, "first");
    told(&with("- {then: allow}", "{columns: {}}"), TableCode::Missing, "`rows`");
    told(&with("- {then: allow}", "{rows: quotas.csv}"), TableCode::BadValue, "linli plugin build");
    told(&with("- {then: allow}", "[]"), TableCode::Missing, "at least one");
    told(&with("answers:", "facts: [age]\nanswers:"), TableCode::BadValue, "declared and not used");
}

#[test]
fn declared_facts_must_be_those_that_are_used() {
    let rules = "  booking-eligibility:\n    - {when: who.age_years > 3, then: allow}\n";
    let declared = |facts: &str| document(rules).replace("answers:", &format!("facts: {facts}\nanswers:"));
    assert_eq!(table(&declared("[age]")).manifest().facts, ["age"]);
    told(&problems(&declared("[]")), TableCode::Missing, "\"age\"");
    told(&problems(&declared("[age, name]")), TableCode::Unknown, "standing");
}

#[test]
fn cells_that_do_not_fit_their_column_are_told() {
    told(&problems(&cell("slot.kind", "Hair Cut")), TableCode::BadValue, "lower-case");
    told(&problems(&cell("has(who.age_years)", "70")), TableCode::BadValue, "yes, no or -");
    told(&problems(&cell("settings.tiers", "3")), TableCode::Type, "`= CONDITION`");
    told(&problems(&cell("who.age_years", "any of [a]")), TableCode::Unknown, "who.age_years");
    told(&problems(&cell("party", "> \"a\"")), TableCode::Type, "must be a number");
    let shares = "  deliberation-thresholds:\n    - {quorum: 3/2, pass: half}\n";
    assert_eq!(problems(&document(shares)).len(), 2);
    told(&problems(&document(shares)), TableCode::BadValue, "2/3");
}

#[test]
fn a_document_whose_decisions_could_take_too_long_is_refused() {
    let when = "who.tags.exists(t, t in settings.list || t in who.roles || t in slot.tags)";
    let row = format!("    - {{when: '{when}', then: abstain}}\n");
    told(
        &problems(&document(&format!("  booking-eligibility:\n{}", row.repeat(50)))),
        TableCode::TooCostly,
        "at most 100000",
    );
    assert!(
        problems(&document(&format!("  booking-eligibility:\n{}", "    - {then: allow}\n".repeat(501))))[0]
            .message_en
            .contains("at most 500")
    );
}
