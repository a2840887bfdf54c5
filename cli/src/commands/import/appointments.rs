//! Importing appointments, in batches.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use linli_proto::org::{
    Appointment, AppointmentState, BatchCreateAppointmentsRequest, CreateAppointmentRequest, ListAppointmentsRequest,
};
use prost::Message as _;

use super::households::keys;
use super::rows::{AppointmentRow, RowProblem};
use super::{BATCH, ImportReport, ids, refuse, refuse_batch};
use crate::client::Connection;
use crate::commands::output;

/// Who holds what where, since when; an appointment without a start begins when it is made.
type Held = (String, String, String, Option<i64>);

/// Creates the appointments that are not there.
pub(super) async fn import(
    connection: &Connection,
    area: &str,
    path: &Path,
    rows: Vec<AppointmentRow>,
) -> Result<ImportReport> {
    let people = keys(connection, "person", area).await.context("looking for the people of earlier imports")?;
    let wanted = resolve(&rows, &people).or_else(|bad| refuse(path, &bad))?;
    let held = held(connection, area).await.context("looking for appointments of earlier imports")?;
    let total = wanted.len();
    let lines = rows.iter().map(|row| row.line);
    let new: Vec<(u64, Appointment)> = lines.zip(wanted).filter(|(_, one)| !held.contains(&held_as(one))).collect();
    let mut report = ImportReport { skipped: total - new.len(), ..ImportReport::default() };
    let bar = output::progress(new.len(), "importing appointments");
    for batch in new.chunks(BATCH) {
        let request = batch_request(area, batch);
        let made = connection.repeat("BatchCreateAppointments", || {
            let (mut client, request) = (connection.org(), request.clone());
            Box::pin(async move { client.batch_create_appointments(request).await })
        });
        let lines = || batch.iter().map(|(line, _)| *line).collect::<Vec<_>>();
        let made = made.await.or_else(|error| refuse_batch(path, error, &lines()))?;
        report.appointments += made.appointments.len();
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    Ok(report)
}

/// Puts people's names in the place of their keys.
fn resolve(rows: &[AppointmentRow], people: &HashMap<String, String>) -> Result<Vec<Appointment>, Vec<RowProblem>> {
    let (mut found, mut bad) = (Vec::new(), Vec::new());
    for row in rows {
        let Some(appointee) = people.get(&row.person_key) else {
            let message =
                format!("person_key: nobody was imported as {:?}; import the households first", row.person_key);
            bad.push(RowProblem { line: row.line, message });
            continue;
        };
        found.push(Appointment {
            appointee: appointee.clone(),
            unit: row.unit.clone(),
            role: row.role.clone(),
            basis: row.basis.into(),
            start_time: row.start.map(timestamp),
            end_time: row.end.map(timestamp),
            ..Appointment::default()
        });
    }
    if bad.is_empty() { Ok(found) } else { Err(bad) }
}

fn timestamp(at: DateTime<Utc>) -> prost_types::Timestamp {
    let nanos = i32::try_from(at.timestamp_subsec_micros()).unwrap_or(0) * 1000;
    prost_types::Timestamp { seconds: at.timestamp(), nanos }
}

fn held_as(one: &Appointment) -> Held {
    (one.appointee.clone(), one.unit.clone(), one.role.clone(), one.start_time.as_ref().map(|t| t.seconds))
}

/// What is held or was; an appointment that runs also counts without its start.
async fn held(connection: &Connection, area: &str) -> Result<HashSet<Held>> {
    let mut found = HashSet::new();
    let mut page_token = String::new();
    loop {
        let request =
            ListAppointmentsRequest { parent: area.to_owned(), page_size: 1000, page_token, ..Default::default() };
        let page = connection.repeat("ListAppointments", || {
            let (mut client, request) = (connection.org(), request.clone());
            Box::pin(async move { client.list_appointments(request).await })
        });
        let page = page.await?;
        for one in &page.appointments {
            let held = held_as(one);
            if one.state() != AppointmentState::Ended {
                found.insert((held.0.clone(), held.1.clone(), held.2.clone(), None));
            }
            found.insert(held);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(found);
        }
    }
}

fn batch_request(area: &str, batch: &[(u64, Appointment)]) -> BatchCreateAppointmentsRequest {
    let one = |(_, appointment): &(u64, Appointment)| CreateAppointmentRequest {
        parent: area.to_owned(),
        appointment: Some(appointment.clone()),
        request_id: String::new(),
    };
    let mut request =
        BatchCreateAppointmentsRequest { parent: area.to_owned(), requests: batch.iter().map(one).collect() };
    let content = ids::content_digest(&request.encode_to_vec());
    for (one, (_, appointment)) in request.requests.iter_mut().zip(batch) {
        let key = [&*appointment.appointee, &*appointment.unit, &*appointment.role].join(" ");
        one.request_id = ids::request_id("appointment", area, &key, &content);
    }
    request
}

#[cfg(test)]
mod tests {
    use linli_proto::org::Basis;

    use super::*;

    fn row(line: u64, person_key: &str) -> AppointmentRow {
        AppointmentRow {
            line,
            person_key: person_key.into(),
            unit: String::new(),
            role: "secretary".into(),
            basis: Basis::Elected,
            start: DateTime::from_timestamp(1_700_000_000, 0),
            end: None,
        }
    }

    #[test]
    fn people_are_named_by_their_keys_and_strangers_are_told() {
        let people = HashMap::from([("p1".to_owned(), "areas/x/people/per-1".to_owned())]);
        let found = resolve(&[row(2, "p1")], &people).expect("p1 is known");
        assert_eq!(found[0].appointee, "areas/x/people/per-1");
        assert_eq!(held_as(&found[0]).3, Some(1_700_000_000));
        let bad = resolve(&[row(2, "p1"), row(3, "p2"), row(4, "p3")], &people).expect_err("two are strangers");
        assert_eq!(bad.iter().map(|b| b.line).collect::<Vec<_>>(), [3, 4]);
    }
}
