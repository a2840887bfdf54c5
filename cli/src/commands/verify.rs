//! `linli verify`: the invariants of a live suite, recounted by each service and between them. Reads only.

mod cross;
mod queue;
mod settled;
mod thanked;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use prost_reflect::{DynamicMessage, MethodDescriptor, Value};
use serde::Serialize;

use super::output::{self, Format};
use super::resources::read;
use crate::client::Connection;

/// How often what lies between services is looked at again before it counts as broken, and the pause before: what one has
/// done reaches the others within moments.
const LOOKS: u32 = 6;
const PAUSE: Duration = Duration::from_millis(500);
/// Violations of one invariant that are kept.
const MAX_VIOLATIONS: usize = 100;

/// Recounts the invariants.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  linli verify\n  linli verify --area areas/xinhua --area areas/bayi -o json\n\n\
                        The exit code is 1 when an invariant is broken.\n\n\
                        What rows and feeds cannot tell is not looked at; tests show it:\n  \
                        whether something acknowledged was lost, or a request_id acted twice\n  \
                        whether deadlines were kept, and transactions ended with them\n  \
                        whether an ended role is refused everywhere (services tell nobody which roles they know)\n  \
                        whether one community sees another's rows\n  \
                        whether a consumer lags whose effects nobody can look up\n  \
                        gaps in the positions of a feed, of which a caller may see only a part\n  \
                        thanks by rules that look at the person, and the first of their kind")]
pub struct Args {
    /// Areas that are checked.
    #[arg(long, default_value = "areas/-", value_name = "areas/AREA")]
    pub area: Vec<String>,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// One invariant, recounted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Stable id, such as `booking.no-oversell`.
    pub invariant: String,
    /// What it says, in the caller's language.
    pub title: String,
    /// How many rows or groups were looked at.
    pub checked: i64,
    /// What breaks it; empty when it holds.
    pub violations: Vec<String>,
}

/// Recounts every invariant in these areas; one of several areas is counted together.
///
/// # Errors
/// What a service answered instead of a count.
pub async fn verify_all(connection: &Connection, areas: &[String]) -> Result<Vec<Check>> {
    let mut found: Vec<Check> = Vec::new();
    let bar = output::progress(areas.len(), "verifying");
    // An event is looked up by its id, whatever its area.
    let (mut served, feeds) = cross::Served::read(connection).await.context("the feeds")?;
    merge(&mut found, feeds);
    for area in areas {
        for method in methods() {
            let checks = recount(connection, &method, area).await;
            let checks = checks.with_context(|| format!("{}: {area}", method.parent_service().full_name()))?;
            checks.into_iter().for_each(|check| merge(&mut found, check));
        }
        between(connection, area, &mut served)
            .await
            .with_context(|| area.clone())?
            .into_iter()
            .for_each(|check| merge(&mut found, check));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(found)
}

/// What must hold between services; broken only when it stays so.
async fn between(connection: &Connection, area: &str, served: &mut cross::Served) -> Result<Vec<Check>> {
    let mut checks = cross::checks(connection, area, served).await?;
    for _ in 1..LOOKS {
        if checks.iter().all(|check| check.violations.is_empty()) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        served.follow(connection).await?;
        checks = cross::checks(connection, area, served).await?;
    }
    Ok(checks)
}

/// The method by which each service recounts its own invariants.
fn methods() -> Vec<MethodDescriptor> {
    let all = linli_proto::pool().services().flat_map(|service| service.methods().collect::<Vec<_>>());
    all.filter(|method| method.name() == "VerifyInvariants").collect()
}

async fn recount(connection: &Connection, method: &MethodDescriptor, area: &str) -> Result<Vec<Check>> {
    let mut request = DynamicMessage::new(method.input());
    request.set_field_by_name("parent", Value::String(area.to_owned()));
    let answer = connection.call(method, request).await?;
    let checks = answer.get_field_by_name("checks").map(|v| v.into_owned());
    let listed = checks.as_ref().and_then(Value::as_list).unwrap_or_default();
    Ok(listed.iter().filter_map(Value::as_message).map(check_of).collect())
}

fn check_of(message: &DynamicMessage) -> Check {
    let violations = message.get_field_by_name("violations").map(|v| v.into_owned());
    let violations = violations.as_ref().and_then(Value::as_list).unwrap_or_default();
    Check {
        invariant: read::text(message, "invariant"),
        title: read::text(message, "title"),
        checked: message.get_field_by_name("checked").and_then(|v| v.as_i64()).unwrap_or_default(),
        violations: violations.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
    }
}

/// Adds a check to those of other areas.
fn merge(found: &mut Vec<Check>, check: Check) {
    match found.iter_mut().find(|known| known.invariant == check.invariant) {
        Some(known) => {
            known.checked += check.checked;
            let room = MAX_VIOLATIONS.saturating_sub(known.violations.len());
            known.violations.extend(check.violations.into_iter().take(room));
        }
        None => found.push(check),
    }
}

/// Runs the command.
///
/// # Errors
/// What a service answered; broken invariants are printed, with exit code 1.
pub async fn run(args: Args, connection: &Connection) -> Result<ExitCode> {
    let checks = verify_all(connection, &args.area).await?;
    let broken: Vec<&Check> = checks.iter().filter(|check| !check.violations.is_empty()).collect();
    if args.output == Format::Table {
        let mut table = output::table(&["invariant", "checked", "result", "what it says"]);
        for check in &checks {
            let result = match check.violations.len() {
                0 => "ok".to_owned(),
                1 => "1 violation".to_owned(),
                n => format!("{n} violations"),
            };
            table.add_row([&check.invariant, &check.checked.to_string(), &result, &check.title]);
        }
        output::data(&table.to_string())?;
    } else {
        output::structured(args.output, &checks)?;
    }
    for check in &broken {
        for violation in &check.violations {
            output::say(format!("✗ {}: {violation}", check.invariant));
        }
    }
    Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_five_services_recount_their_own() {
        assert_eq!(methods().len(), 5, "{:?}", methods().iter().map(|m| m.full_name().to_owned()).collect::<Vec<_>>());
    }

    #[test]
    fn an_invariant_of_two_areas_is_counted_together() {
        let check = |checked, violations: &[&str]| Check {
            invariant: "a.b".into(),
            checked,
            violations: violations.iter().map(|v| (*v).to_owned()).collect(),
            ..Check::default()
        };
        let mut found = Vec::new();
        merge(&mut found, check(2, &["x"]));
        merge(&mut found, check(3, &["y"]));
        assert_eq!((found.len(), found[0].checked, found[0].violations.len()), (1, 5, 2));
    }
}
