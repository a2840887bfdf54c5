//! From the rows of a hook and a request to the answer.
//! Never: checks the answer; the host does so for both forms of a rule.

use super::expr::{Machine, Node, Value, saturate};
use super::facts::{Asked, View};
use super::rows::{Output, Row, Rules, Then};
use crate::Fault;
use crate::deliberation::{Tightened, TrackChoice};
use crate::manifest::Manifest;
use crate::question::Outcome;
use crate::types::{Amount, Award, AwardRequest, Context, PriceRequest, Reason, Refusal, SettingValue, Terms, Verdict};

/// As many reasons as a receipt takes.
const MAX_REASONS: usize = 16;

pub(super) fn decide(
    manifest: &Manifest,
    rules: &Rules,
    ctx: &Context,
    asked: Asked<'_>,
    budget: u64,
) -> Result<(Outcome, u64), Fault> {
    let given = |key: &str| ctx.settings.iter().find(|setting| setting.key == key).map(|setting| &setting.value);
    let mut settings: Vec<&SettingValue> = Vec::with_capacity(manifest.settings.len());
    for decl in &manifest.settings {
        let value = given(&decl.key).unwrap_or(&decl.default);
        if !decl.kind.admits(value) {
            return Err(Fault::Refused(Refusal::BadSettings(decl.key.clone())));
        }
        settings.push(value);
    }
    let view = View::new(ctx, asked);
    let mut machine = Machine::new(view, &settings, budget);
    let outcome = match asked {
        Asked::Eligibility(_) => Outcome::Eligibility(verdict(&mut machine, rules)?),
        Asked::Price(req) => Outcome::Price(price(&mut machine, rules, req)?),
        Asked::Priority(req) => {
            let mut scores = Vec::with_capacity(req.queue.len());
            for waiting in &req.queue {
                machine.view = view.of(waiting);
                scores.push(total(&mut machine, rules)?);
            }
            Outcome::Priority(scores)
        }
        Asked::Award(req) => Outcome::Award(awards(&mut machine, rules, req)?),
        Asked::Track(req) => {
            let mut choice = None;
            for row in &rules.rows {
                let Output::Track(track) = &row.output else { continue };
                if !holds(&mut machine, row)? {
                    continue;
                }
                let Value::Code(track) = machine.eval(track)? else { continue };
                if req.tracks.iter().any(|other| other == track) {
                    let why = reason(&mut machine, row)?.unwrap_or_else(unnamed);
                    choice = Some(TrackChoice { track: track.to_owned(), why });
                    break;
                }
            }
            Outcome::Track(choice.ok_or_else(|| Fault::Refused(Refusal::Unsupported("track".to_owned())))?)
        }
        Asked::Thresholds(req) => Outcome::Thresholds(thresholds(&mut machine, rules, req.lawful)?),
    };
    Ok((outcome, machine.used))
}

fn holds<'a>(machine: &mut Machine<'a>, row: &'a Row) -> Result<bool, Fault> {
    // As `&&` in CEL: a cell that does not hold outweighs a fact that another cell misses.
    machine.spend(1)?;
    let mut missing = None;
    for condition in &row.when {
        match machine.bool(condition) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(fault @ Fault::OutOfFuel { .. }) => return Err(fault),
            Err(fault) => missing = missing.or(Some(fault)),
        }
    }
    missing.map_or(Ok(true), Err)
}

fn first<'a>(machine: &mut Machine<'a>, rules: &'a Rules) -> Result<Option<&'a Row>, Fault> {
    for row in &rules.rows {
        if holds(machine, row)? {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

fn reason<'a>(machine: &mut Machine<'a>, row: &'a Row) -> Result<Option<Reason>, Fault> {
    let Some(code) = &row.reason else { return Ok(None) };
    let mut args = Vec::with_capacity(row.args.len());
    for arg in &row.args {
        args.push(match machine.eval(arg)? {
            Value::Int(n) => n.to_string(),
            Value::Code(code) => code.to_owned(),
            Value::Bool(yes) => yes.to_string(),
            Value::Ints(_) | Value::Codes(_) => String::new(),
        });
    }
    Ok(Some(Reason { code: code.clone(), args }))
}

/// Unreachable after the check, which asks for a reason; the host refuses it.
fn unnamed() -> Reason {
    Reason { code: String::new(), args: Vec::new() }
}

fn verdict<'a>(machine: &mut Machine<'a>, rules: &'a Rules) -> Result<Verdict, Fault> {
    let Some(row) = first(machine, rules)? else { return Ok(Verdict::Abstain) };
    let Output::Verdict(then) = row.output else { return Ok(Verdict::Abstain) };
    Ok(match then {
        Then::Allow => Verdict::Allow,
        Then::Abstain => Verdict::Abstain,
        Then::Deny => Verdict::Deny(reason(machine, row)?.unwrap_or_else(unnamed)),
        Then::NeedsApproval => Verdict::NeedsApproval(reason(machine, row)?.unwrap_or_else(unnamed)),
    })
}

fn number(row: &Row) -> Option<&Node> {
    match &row.output {
        Output::Number(node) => Some(node),
        _ => None,
    }
}

fn price<'a>(machine: &mut Machine<'a>, rules: &'a Rules, req: &PriceRequest) -> Result<Terms, Fault> {
    let (mut value, mut why) = (i64::from(req.base.value), Vec::new());
    for row in &rules.rows {
        let Some(node) = number(row).filter(|_| why.len() < MAX_REASONS) else { continue };
        if !holds(machine, row)? {
            continue;
        }
        let n = i64::from(machine.narrow(node)?);
        value = if rules.sum { value.saturating_add(n) } else { n };
        why.extend(reason(machine, row)?);
        if !rules.sum {
            break;
        }
    }
    Ok(Terms { price: Amount { asset: req.base.asset.clone(), value: saturate(value) }, why })
}

fn total<'a>(machine: &mut Machine<'a>, rules: &'a Rules) -> Result<i32, Fault> {
    let mut sum = 0_i64;
    for row in &rules.rows {
        let Some(node) = number(row) else { continue };
        if holds(machine, row)? {
            sum = sum.saturating_add(machine.narrow(node)?.into());
            if !rules.sum {
                break;
            }
        }
    }
    Ok(saturate(sum))
}

fn awards<'a>(machine: &mut Machine<'a>, rules: &'a Rules, req: &AwardRequest) -> Result<Vec<Award>, Fault> {
    let mut granted: Vec<Award> = Vec::new();
    for row in &rules.rows {
        let Output::Award { asset, amount } = &row.output else { continue };
        if !holds(machine, row)? {
            continue;
        }
        let Value::Code(asset) = machine.eval(asset)? else { continue };
        let value = machine.narrow(amount)?;
        let capped = req.caps.iter().any(|cap| cap.asset == asset);
        if value > 0 && capped {
            match granted.iter_mut().find(|award| award.amount.asset == asset) {
                Some(award) => award.amount.value = award.amount.value.saturating_add(value),
                None => granted.push(Award {
                    to: req.actor.handle,
                    amount: Amount { asset: asset.to_owned(), value },
                    why: reason(machine, row)?.unwrap_or_else(unnamed),
                }),
            }
        }
        if !rules.sum {
            break;
        }
    }
    Ok(granted)
}

fn thresholds<'a>(
    machine: &mut Machine<'a>,
    rules: &'a Rules,
    lawful: crate::deliberation::Thresholds,
) -> Result<Tightened, Fault> {
    let mut tightened = Tightened { thresholds: lawful, why: Vec::new() };
    if let Some(row) = first(machine, rules)?
        && let Output::Thresholds { quorum, pass, open_hours } = &row.output
    {
        let to = &mut tightened.thresholds;
        to.quorum = quorum.or(to.quorum);
        to.pass = pass.or(to.pass);
        if let Some(hours) = open_hours {
            to.open_hours = u32::try_from(machine.int(hours)?.max(0)).unwrap_or(u32::MAX);
        }
        tightened.why.extend(reason(machine, row)?);
    }
    Ok(tightened)
}
