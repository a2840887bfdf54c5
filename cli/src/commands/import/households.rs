//! Importing households with their people, in batches.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use anyhow::{Context as _, Result};
use linli_proto::org::{BatchCreateHouseholdsRequest, CreatePersonRequest, Household, HouseholdDraft, Person};
use prost::Message as _;

use super::rows::{HouseholdRow, PersonRow};
use super::{BATCH, ImportReport, ids, refuse_batch};
use crate::client::Connection;
use crate::commands::output;
use crate::commands::resources::read::{self, Query};
use crate::commands::resources::types;

/// Creates the households that are not there, and people that a household lacks.
pub(super) async fn import(
    connection: &Connection,
    area: &str,
    path: &Path,
    rows: Vec<HouseholdRow>,
) -> Result<ImportReport> {
    let known = keys(connection, "household", area).await.context("looking for households of earlier imports")?;
    let (old, new): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| known.contains_key(&row.key));
    let mut report = ImportReport::default();
    let bar = output::progress(new.iter().map(|h| h.people.len()).sum(), "importing people");
    for batch in new.chunks(BATCH) {
        let request = batch_request(area, batch);
        let made = connection.repeat("BatchCreateHouseholds", || {
            let (mut client, request) = (connection.org(), request.clone());
            Box::pin(async move { client.batch_create_households(request).await })
        });
        let lines = || batch.iter().map(|household| household.line).collect::<Vec<_>>();
        let made = made.await.or_else(|error| refuse_batch(path, error, &lines()))?;
        let people: usize = batch.iter().map(|h| h.people.len()).sum();
        report.households += made.households.len();
        report.people += people;
        bar.inc(people as u64);
    }
    bar.finish_and_clear();
    if !old.is_empty() {
        complete(connection, area, path, &old, &known, &mut report).await?;
    }
    Ok(report)
}

/// Import keys of what is recorded, with the names of the resources.
pub(super) async fn keys(connection: &Connection, resource: &str, area: &str) -> Result<HashMap<String, String>> {
    let kind = types::find(resource)?;
    let (found, _) = read::list(connection, kind, &Query { parent: area, ..Query::default() }).await?;
    let pairs = found.iter().map(|one| (read::text(one, "import_key"), read::text(one, "name")));
    Ok(pairs.filter(|(key, _)| !key.is_empty()).collect())
}

fn batch_request(area: &str, batch: &[HouseholdRow]) -> BatchCreateHouseholdsRequest {
    let drafts = batch.iter().map(|row| HouseholdDraft {
        household: Some(Household { unit: row.unit.clone(), import_key: row.key.clone(), ..Household::default() }),
        people: row.people.iter().map(person).collect(),
        request_id: String::new(),
    });
    let mut request = BatchCreateHouseholdsRequest { parent: area.to_owned(), requests: drafts.collect() };
    let content = ids::content_digest(&request.encode_to_vec());
    for (draft, row) in request.requests.iter_mut().zip(batch) {
        draft.request_id = ids::request_id("household", area, &row.key, &content);
    }
    request
}

fn person(row: &PersonRow) -> Person {
    Person {
        full_name: row.full_name.clone(),
        birth_year: row.birth_year,
        tags: row.tags.clone(),
        import_key: row.key.clone(),
        ..Person::default()
    }
}

/// Adds people to households of earlier imports.
async fn complete(
    connection: &Connection,
    area: &str,
    path: &Path,
    old: &[HouseholdRow],
    households: &HashMap<String, String>,
    report: &mut ImportReport,
) -> Result<()> {
    let known: HashSet<String> = keys(connection, "person", area).await?.into_keys().collect();
    for household in old {
        for row in &household.people {
            if known.contains(&row.key) {
                report.skipped += 1;
                continue;
            }
            let home = households.get(&household.key).cloned().unwrap_or_default();
            let newcomer = Person { household: home, ..person(row) };
            let content = ids::content_digest(&newcomer.encode_to_vec());
            let request = CreatePersonRequest {
                parent: area.to_owned(),
                request_id: ids::request_id("person", area, &row.key, &content),
                person: Some(newcomer),
            };
            let made = connection.repeat("CreatePerson", || {
                let (mut client, request) = (connection.org(), request.clone());
                Box::pin(async move { client.create_person(request).await })
            });
            made.await.with_context(|| format!("{}:{}", path.display(), row.line))?;
            report.people += 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: &str) -> HouseholdRow {
        let person =
            PersonRow { line: 2, key: format!("p-{key}"), full_name: "A".into(), birth_year: 1950, tags: vec![] };
        HouseholdRow { line: 2, key: key.into(), unit: "areas/x/units/a".into(), people: vec![person] }
    }

    #[test]
    fn a_batch_has_the_same_ids_whenever_it_is_made_of_the_same_rows() {
        let first = batch_request("areas/x", &[row("a"), row("b")]);
        assert_eq!(first, batch_request("areas/x", &[row("a"), row("b")]));
        assert_ne!(first.requests[0].request_id, first.requests[1].request_id);
        let shorter = batch_request("areas/x", &[row("a")]);
        assert_ne!(first.requests[0].request_id, shorter.requests[0].request_id, "another batch is another request");
    }
}
