//! The stated figures of a community (`expected.yaml`), compared with what the suite counts through public RPCs.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use linli_proto::org::{Appointment, Gap, ListAppointmentsRequest, ListGapsRequest, SummarizeAreaRequest, UnitSummary};
use serde::Deserialize;

use super::stage::Stage;
use crate::client::Connection;

/// One stated figure.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    mechanism: String,
    figure: String,
    check: String,
    #[serde(rename = "where", default)]
    filter: BTreeMap<String, serde_json::Value>,
    equals: Option<i64>,
    at_least: Option<i64>,
    at_most: Option<i64>,
    min: Option<i64>,
    max: Option<i64>,
    under: Option<i32>,
    /// How many there are in all, for a share.
    of: Option<i64>,
}

/// What is read once per community.
pub(super) struct Counted {
    pub(super) summary: UnitSummary,
    pub(super) gaps: Vec<Gap>,
    appointments: Vec<Appointment>,
}

/// Reads a community's counts through the gateway.
pub(super) async fn count(stage: &Stage<'_>, area: &str) -> Result<Counted> {
    let name = format!("areas/{area}");
    let mut org = stage.operator.org();
    let summary = org.summarize_area(SummarizeAreaRequest { name: name.clone() }).await.context("counting")?;
    let gaps = ListGapsRequest { parent: name.clone(), page_size: 1000, ..Default::default() };
    let gaps = org.list_gaps(gaps).await.context("gaps")?.into_inner().gaps;
    let mut appointments = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListAppointmentsRequest {
            parent: name.clone(),
            filter: "state = APPOINTMENT_STATE_ACTIVE".to_owned(),
            page_size: 1000,
            page_token,
            ..Default::default()
        };
        let page = org.list_appointments(request).await.context("appointments")?.into_inner();
        appointments.extend(page.appointments);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    Ok(Counted { summary: summary.into_inner(), gaps, appointments })
}

/// Compares every line of a community's file; returns how many there are.
pub(super) async fn compare(
    stage: &mut Stage<'_>,
    connection: &Connection,
    area: &str,
    file: &Path,
    counted: &Counted,
) -> Result<usize> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let lines: Vec<Line> = serde_norway::from_str(&text).with_context(|| file.display().to_string())?;
    for line in &lines {
        let actual = actual(stage, connection, area, line, counted)
            .await
            .with_context(|| format!("{}: {} ({})", file.display(), line.check, line.mechanism))?;
        let bounds = [
            line.equals.map(|n| (actual == n, format!("exactly {n}"))),
            line.at_least.map(|n| (actual >= n, format!("at least {n}"))),
            line.at_most.map(|n| (actual <= n, format!("at most {n}"))),
        ];
        if bounds.iter().all(Option::is_none) {
            bail!("{}: {} expects nothing: give equals, at_least or at_most", file.display(), line.check);
        }
        for (ok, wanted) in bounds.into_iter().flatten() {
            let what =
                format!("{area} {} {}: {} is {actual}, {wanted} wanted", line.mechanism, line.figure, line.check);
            stage.expect(ok, what);
        }
    }
    Ok(lines.len())
}

async fn actual(
    stage: &mut Stage<'_>,
    connection: &Connection,
    area: &str,
    line: &Line,
    counted: &Counted,
) -> Result<i64> {
    let (what, of) = line.check.split_once('/').unwrap_or((&line.check, ""));
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    Ok(match what {
        "units" => code(&counted.summary.units, of),
        "appointments" => code(&counted.summary.appointments, of),
        "households" => counted.summary.households,
        "people" => counted.summary.people,
        "people-tagged" => count(stage.people(area).await?.iter().filter(|p| p.tags.iter().any(|t| t == of)).count()),
        "households-per" => households_per(stage, connection, area, of, line).await?,
        "gaps" => count(gaps_of(connection, area, of, counted).await?),
        "appointments-age" => {
            let year = super::bookings::YEAR;
            let people = stage.people(area).await?;
            let under = line.under.context("appointments-age needs `under`")?;
            if let Some(wanted) = line.of {
                let all = code(&counted.summary.appointments, of);
                stage.expect(all == wanted, format!("{area} {}: {all} {of} in all, {wanted} wanted", line.mechanism));
            }
            let young = |a: &&Appointment| {
                people.iter().any(|p| p.name == a.appointee && p.birth_year != 0 && year - p.birth_year < under)
            };
            count(counted.appointments.iter().filter(|a| a.role == of).filter(young).count())
        }
        "resources" => {
            let found = connection.list_json(of, &format!("areas/{area}")).await?;
            count(found.iter().filter(|r| line.filter.iter().all(|(k, v)| has(r, k, v))).count())
        }
        other => bail!("there is no check {other:?}"),
    })
}

fn code(counts: &[linli_proto::org::KindCount], code: &str) -> i64 {
    counts.iter().find(|c| c.code == code).map_or(0, |c| c.count)
}

/// A field equals the value, or a list field contains it.
fn has(resource: &serde_json::Value, key: &str, wanted: &serde_json::Value) -> bool {
    match resource.get(key) {
        Some(serde_json::Value::Array(list)) => list.contains(wanted),
        Some(found) => found == wanted,
        None => false,
    }
}

/// Units of a kind whose households lie outside the line's bounds.
async fn households_per(
    stage: &Stage<'_>,
    connection: &Connection,
    area: &str,
    kind: &str,
    line: &Line,
) -> Result<i64> {
    let mut outside = 0;
    for unit in units_of(connection, area, kind).await? {
        let request = linli_proto::org::SummarizeUnitRequest { name: unit };
        let households = stage.operator.org().summarize_unit(request).await?.into_inner().households;
        let fits = line.min.is_none_or(|min| households >= min) && line.max.is_none_or(|max| households <= max);
        outside += i64::from(!fits);
    }
    Ok(outside)
}

async fn units_of(connection: &Connection, area: &str, kind: &str) -> Result<Vec<String>> {
    let units = connection.list_json("Unit", &format!("areas/{area}")).await?;
    let of_kind = units.iter().filter(|u| u.get("kind").and_then(|k| k.as_str()) == Some(kind));
    Ok(of_kind.filter_map(|u| u.get("name").and_then(|n| n.as_str()).map(str::to_owned)).collect())
}

/// Gaps of a post by its role, or of households by the kind of unit.
async fn gaps_of(connection: &Connection, area: &str, of: &str, counted: &Counted) -> Result<usize> {
    let by_role = counted.gaps.iter().filter(|g| g.role == of).count();
    if by_role > 0 {
        return Ok(by_role);
    }
    let units = units_of(connection, area, of).await?;
    Ok(counted.gaps.iter().filter(|g| g.role.is_empty() && units.contains(&g.unit)).count())
}
