//! `linli plugin test`: the author's cases and the mutation check, with the server's own evaluator. Never: a server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use linli_authoring::{Case, Mistake, Ran, Rule, Tried};
use linli_kernel::Lang;
use linli_rules_engine::types::Context;
use linli_rules_engine::{Fault, Kind};

use super::{check, form, thrown};
use crate::commands::output;

/// Runs the cases of a rule.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  linli plugin test plugins/haircut\n  linli plugin test                      # the rule in this directory\n  \
    linli plugin test plugins/haircut --file plugins/target/components/haircut.wasm   # without building\n\n\
    Cases stand in vectors.yaml beside the rule:\n\n  \
    - name: the second haircut of a month is refused\n    hook: booking-eligibility\n    settings: {per-month: 1}        # the rest are the rule's defaults\n    \
    facts: {who: {age-years: 75}, used: {this-month: 1}}\n    expect: {deny: {code: already-this-month, args: [1, 1]}}\n\n\
    Then each number among the settings is moved by one, each flag turned: what no case notices is told.\n\
    Exit code: 0 all pass; 1 a case fails; with --strict also 1 when a changed setting goes unnoticed."
)]
pub(super) struct Args {
    /// Directory of the rule.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// The built rule; left out: it is built first.
    #[arg(long)]
    file: Option<PathBuf>,
    /// The cases; left out: vectors.yaml beside the rule.
    #[arg(long, value_name = "FILE")]
    cases: Option<PathBuf>,
    /// Where a component goes that is built; left out: target/components beside the rule's directory.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Fails when a changed setting goes unnoticed.
    #[arg(long)]
    strict: bool,
}

pub(super) fn run(args: &Args, lang: Lang) -> Result<ExitCode> {
    let path = args.cases.clone().unwrap_or_else(|| args.dir.join("vectors.yaml"));
    let text = fs::read_to_string(&path).with_context(|| {
        format!("{}: no cases there; begin with the example in `linli plugin test --help`", path.display())
    })?;
    let file = path.display().to_string();
    let cases = linli_authoring::parse(&file, &text).map_err(|wrong| mistakes(&wrong))?;
    let rule = load(&bytes(args, lang)?, lang)?;
    let cases = with_contexts(&rule, &file, cases)?;

    let ran: Vec<Ran> = cases.iter().map(|(case, context)| linli_authoring::ask(&rule, context, case)).collect();
    let failed = ran.iter().filter(|ran| !ran.passed).count();
    let mut lines: Vec<String> =
        cases.iter().zip(&ran).map(|(asked, ran)| line((&file, &text), (args, &rule), asked, ran)).collect();
    if failed > 0 {
        lines.push(format!("\n{failed} of {} cases failed", cases.len()));
        output::data(&lines.join("\n"))?;
        return Ok(ExitCode::FAILURE);
    }
    lines.push(format!("\n{} cases pass", cases.len()));
    let tried = linli_authoring::try_mutants(&rule, &cases);
    lines.push(mutation(&tried));
    output::data(&lines.join("\n"))?;
    Ok(if args.strict && !tried.survivors.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn bytes(args: &Args, lang: Lang) -> Result<Vec<u8>> {
    match &args.file {
        Some(file) => form::packed(file),
        None => form::packed(&form::build(&args.dir, &form::out(args.out.as_deref(), &args.dir), lang)?.path),
    }
}

/// Loads a rule as the server would.
pub(super) fn load(bytes: &[u8], lang: Lang) -> Result<Rule> {
    Rule::load(bytes).map_err(|error| {
        anyhow::anyhow!(
            "the rule cannot be loaded:\n{}\nSee everything that speaks against it: linli plugin validate FILE",
            check::problems(&error, lang)
        )
    })
}

/// All mistakes in one message.
pub(super) fn mistakes(wrong: &[Mistake]) -> anyhow::Error {
    let told: Vec<String> = wrong.iter().map(Mistake::to_string).collect();
    anyhow::anyhow!("{}", told.join("\n"))
}

/// The cases with their settings typed, and all that is wrong with them at once.
pub(super) fn with_contexts(rule: &Rule, file: &str, cases: Vec<Case>) -> Result<Vec<(Case, Context)>> {
    let (mut found, mut wrong) = (Vec::new(), Vec::new());
    for case in cases {
        match rule.context(file, &case) {
            Ok(context) => found.push((case, context)),
            Err(mistakes) => wrong.extend(mistakes),
        }
    }
    if wrong.is_empty() { Ok(found) } else { bail!("{}", mistakes(&wrong)) }
}

fn line(
    (file, text): (&str, &str),
    (args, rule): (&Args, &Rule),
    (case, context): &(Case, Context),
    ran: &Ran,
) -> String {
    let fuel = fuel(ran);
    let mut lines = vec![if ran.passed {
        format!("✓ {}{fuel}", case.name)
    } else {
        let expected = expected(text, case.line);
        format!("✗ {}  ({file}:{}){fuel}\n    expected {expected}\n    got      {}", case.name, case.line, ran.told())
    }];
    if let Some(told) = trap_of_script(rule, ran).filter(|_| !ran.passed) {
        let message = thrown::message(&args.dir, case, context, rule.plugin().facts());
        lines.push(message.map_or_else(|| format!("    {told}"), |message| format!("    the script threw: {message}")));
    }
    lines.extend(linli_authoring::undeclared(rule, case).into_iter().map(|given| {
        let fact = given.fact.code();
        format!("    ! the case gives {}, but the rule does not declare `{fact}`, so it is not told", given.path)
    }));
    lines.join("\n")
}

/// What a trap of a script means, whose engine says no more.
pub(super) fn trap_of_script(rule: &Rule, ran: &Ran) -> Option<&'static str> {
    let trapped = matches!(ran.came, Err(Fault::Trap(_))) && rule.plugin().kind() == Kind::Script;
    trapped.then_some("the script threw an exception that is no refusal; `linli plugin test DIR` has Node.js say which")
}

/// What a call took of its budget, with a word of warning from half of it on.
pub(super) fn fuel(ran: &Ran) -> String {
    if ran.fuel_budget == 0 {
        return String::new();
    }
    let percent = ran.fuel_percent();
    let warning = match percent {
        80.. => "  ! close to the limit: do less for each entry of a list",
        50.. => "  ! more than half: mind larger cases",
        _ => "",
    };
    format!("  {} of {} fuel ({percent} %){warning}", ran.fuel_used, ran.fuel_budget)
}

/// The author's own words after `expect:` of the case that begins on a line.
fn expected(text: &str, line: usize) -> String {
    let mut rest = text
        .lines()
        .skip(line - 1)
        .skip_while(|line| !line.trim_start().trim_start_matches("- ").starts_with("expect:"));
    let Some(first) = rest.next() else { return String::new() };
    let indent = |line: &str| line.len() - line.trim_start().len();
    let more = rest.take_while(|line| {
        !line.trim().is_empty() && indent(line) > indent(first) && !line.trim_start().starts_with("- name")
    });
    let words: Vec<&str> = std::iter::once(first.trim().trim_start_matches("- ").trim_start_matches("expect:").trim())
        .chain(more.map(str::trim))
        .filter(|part| !part.is_empty())
        .collect();
    words.join(" ")
}

fn mutation(tried: &Tried) -> String {
    let unnoticed = tried.survivors.len();
    let mut lines = vec![match (tried.mutants, unnoticed) {
        (0, _) => "no thresholds to move: the rule has no numbers or flags among its settings".to_owned(),
        (all, 0) => format!("each of {all} changed thresholds would be noticed by a case"),
        (all, _) => format!("{unnoticed} of {all} changed thresholds would go unnoticed:"),
    }];
    for survivor in &tried.survivors {
        lines.push(format!("  ! {}\n      {}", survivor.what, survivor.remedy));
    }
    lines.join("\n")
}

/// The cases beside a built rule or in its source directory, if there are any.
pub(super) fn cases_beside(path: &Path) -> Option<PathBuf> {
    let dir = if path.is_dir() { path } else { path.parent()? };
    Some(dir.join("vectors.yaml")).filter(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use linli_authoring::Survivor;

    use super::*;

    #[test]
    fn the_authors_own_words_are_found_again() {
        let text = "- name: a\n  expect: {allow: true}\n- name: b\n  expect:\n    deny: {code: x}\n";
        assert_eq!(expected(text, 1), "{allow: true}");
        assert_eq!(expected(text, 3), "deny: {code: x}");
    }

    #[test]
    fn what_goes_unnoticed_is_told_with_the_remedy() {
        let survivor = Survivor { what: "elder-age 60 -> 61".into(), remedy: "add a case".into() };
        let told = mutation(&Tried { mutants: 4, survivors: vec![survivor] });
        assert!(told.starts_with("1 of 4 changed thresholds") && told.contains("! elder-age 60 -> 61"), "{told}");
    }
}
