//! Applying documents to a suite, wave by wave: one update each, several at once within a wave.

use std::collections::{HashMap, HashSet};

use futures::stream::{self, StreamExt as _};
use prost_reflect::{DynamicMessage, Value};
use sha2::{Digest as _, Sha256};
use tonic::Code;
use uuid::Uuid;

use super::document::area_of;
use super::report::{Change, Outcome, Report};
use super::{Document, Options, Problem, diff, plan};
use crate::client::{CallError, Connection};
use crate::commands::output;
use crate::commands::resources::read::{self, Query};
use crate::commands::resources::types::ResourceType;

/// Updates in flight at once.
const AT_ONCE: usize = 8;

/// Resources of one type and area, as they were before.
type Existing = HashMap<String, DynamicMessage>;

struct Run<'a> {
    connection: &'a Connection,
    dry_run: bool,
    id: Uuid,
    existing: HashMap<(String, String), Existing>,
    /// Names that failed, or that depend on one that did.
    failed: HashSet<String>,
    /// Of a dry run: what would change, by name, and by area and package.
    pending: HashSet<String>,
    report: Report,
}

/// Applies all documents; what goes wrong stands in the report.
pub(super) async fn execute(connection: &Connection, documents: Vec<Document>, options: &Options) -> Report {
    let mut run = Run {
        connection,
        dry_run: options.dry_run,
        id: Uuid::new_v4(),
        existing: HashMap::new(),
        failed: HashSet::new(),
        pending: HashSet::new(),
        report: Report { dry_run: options.dry_run, ..Report::default() },
    };
    let described: HashSet<String> = documents.iter().map(|d| d.name.clone()).collect();
    let waves = plan::waves(documents);
    let bar = output::progress(described.len(), if options.dry_run { "checking" } else { "applying" });
    for wave in &waves {
        run.wave(wave, &bar).await;
    }
    bar.finish_and_clear();
    if options.prune {
        if run.report.problems.is_empty() {
            run.prune(&waves, &described).await;
        } else {
            output::say("nothing is pruned while there are problems");
        }
    }
    run.report
}

impl Run<'_> {
    async fn wave(&mut self, wave: &[Document], bar: &indicatif::ProgressBar) {
        let mut ready = Vec::new();
        for document in wave {
            if let Some(cause) = self.failed_before(document) {
                self.fail(document, format!("left out: it depends on {cause}"));
                bar.inc(1);
            } else if let Err(error) = self.look(document.kind, &document.area()).await {
                self.fail(document, error.to_string());
                bar.inc(1);
            } else {
                ready.push(document);
            }
        }
        let (connection, dry_run, id) = (self.connection, self.dry_run, self.id);
        let mut answers = stream::iter(ready.into_iter().map(|document| async move {
            let answer = update(connection, document, dry_run, id).await;
            bar.inc(1);
            (document, answer)
        }))
        .buffered(AT_ONCE);
        let mut answered = Vec::new();
        while let Some(answer) = answers.next().await {
            answered.push(answer);
        }
        drop(answers);
        // What stands in the same wave is independent: it is pending for later waves only.
        let pending_before = self.pending.clone();
        for (document, answer) in answered {
            self.note(document, answer, &pending_before);
        }
    }

    /// A resource that failed and that this one needs.
    fn failed_before(&self, document: &Document) -> Option<String> {
        let area = document.area();
        let needs = std::iter::once(&area).filter(|area| **area != document.name).chain(&document.references);
        needs.into_iter().find(|name| self.failed.contains(*name)).cloned()
    }

    fn fail(&mut self, document: &Document, message: String) {
        self.failed.insert(document.name.clone());
        self.report.problems.push(document.problem(message));
    }

    /// Reads what there is of a type in an area, once.
    async fn look(&mut self, kind: &ResourceType, area: &str) -> Result<(), CallError> {
        let area = if kind.has_parent() { area } else { "" };
        let key = (kind.name.clone(), area.to_owned());
        if self.existing.contains_key(&key) {
            return Ok(());
        }
        let found = match read::pages(self.connection, kind, &Query { parent: area, ..Query::default() }).await {
            Ok((found, _)) => found,
            // An area that is about to be made has nothing in it.
            Err(error) if error.code() == Code::NotFound || self.pending.contains(area) => Vec::new(),
            Err(error) => return Err(error),
        };
        self.existing.insert(key, found.into_iter().map(|one| (read::text(&one, "name"), one)).collect());
        Ok(())
    }

    fn before(&self, document: &Document) -> Option<&DynamicMessage> {
        let area = if document.kind.has_parent() { document.area() } else { String::new() };
        self.existing.get(&(document.kind.name.clone(), area))?.get(&document.name)
    }

    fn note(&mut self, document: &Document, answer: Result<DynamicMessage, CallError>, pending: &HashSet<String>) {
        let before = self.before(document);
        let diff = diff::lines(before, &document.message, &document.mask);
        let was = before.map(|message| read::text(message, "etag"));
        let unchecked = match &answer {
            Ok(_) => false,
            Err(_) if self.dry_run && depends_on(document, pending) => true,
            Err(error) => return self.fail(document, error.to_string()),
        };
        let now = answer.map(|message| read::text(&message, "etag"));
        let outcome = match (was, now) {
            (None, _) => Outcome::Created,
            (Some(_), _) if self.dry_run && diff.is_empty() => Outcome::Unchanged,
            (Some(_), _) if self.dry_run => Outcome::Updated,
            (Some(was), Ok(now)) if was == now => Outcome::Unchanged,
            (Some(_), _) => Outcome::Updated,
        };
        if self.dry_run && outcome != Outcome::Unchanged {
            self.pending.insert(document.name.clone());
            self.pending.insert(package_of(document));
        }
        self.report.add(Change { name: document.name.clone(), outcome, diff, unchecked });
    }

    /// Deletes what no file describes, children and dependants first.
    async fn prune(&mut self, waves: &[Vec<Document>], described: &HashSet<String>) {
        let mut done: HashSet<(String, String)> = HashSet::new();
        for document in waves.iter().rev().flatten() {
            let Some(method) = &document.kind.delete else { continue };
            let key = (document.kind.name.clone(), document.area());
            if !done.insert(key.clone()) {
                continue;
            }
            let existing = self.existing.get(&key).map(|all| all.values().cloned().collect::<Vec<_>>());
            for name in children_first(existing.unwrap_or_default()) {
                if described.contains(&name) {
                    continue;
                }
                let mut request = DynamicMessage::new(method.input());
                request.set_field_by_name("name", Value::String(name.clone()));
                let id = request_id(self.id, &name, b"delete");
                request.set_field_by_name("request_id", Value::String(id.to_string()));
                let deleted = if self.dry_run { Ok(()) } else { self.connection.call(method, request).await.map(drop) };
                match deleted {
                    Ok(()) => {
                        let change = Change { name, outcome: Outcome::Deleted, diff: Vec::new(), unchecked: false };
                        self.report.add(change);
                    }
                    Err(error) => self.report.problems.push(Problem {
                        file: "--prune".into(),
                        document: 0,
                        name,
                        field: String::new(),
                        message: error.to_string(),
                    }),
                }
            }
        }
    }
}

/// Whether a document needs something that the same dry run would bring.
fn depends_on(document: &Document, pending: &HashSet<String>) -> bool {
    let area = area_of(&document.name);
    [area, package_of(document)].iter().chain(&document.references).any(|name| pending.contains(name))
}

/// What a service's resources of one area have in common: a unit's kind stands in the area's template.
fn package_of(document: &Document) -> String {
    format!("{} {}", document.message_package(), document.area())
}

impl Document {
    fn message_package(&self) -> &str {
        self.kind.message.package_name()
    }
}

/// Names in an order in which children come before their parents.
fn children_first(existing: Vec<DynamicMessage>) -> Vec<String> {
    let parents: HashMap<String, String> =
        existing.iter().map(|one| (read::text(one, "name"), read::text(one, "parent"))).collect();
    let depth = |name: &String| {
        let above = std::iter::successors(Some(name), |at| parents.get(*at));
        above.take(parents.len() + 1).count()
    };
    let mut names: Vec<String> = parents.keys().cloned().collect();
    names.sort_by_key(|name| (std::cmp::Reverse(depth(name)), name.clone()));
    names
}

async fn update(
    connection: &Connection,
    document: &Document,
    validate_only: bool,
    run: Uuid,
) -> Result<DynamicMessage, CallError> {
    let (Some(method), Some(field)) = (&document.kind.update, document.kind.update_field()) else {
        return Err(CallError::new("apply", tonic::Status::unimplemented("the type has no update")));
    };
    let mut request = DynamicMessage::new(method.input());
    request.set_field(&field, Value::Message(document.message.clone()));
    if let Some(mask) = method.input().get_field_by_name("update_mask").and_then(|f| f.kind().as_message().cloned()) {
        let mut paths = DynamicMessage::new(mask);
        paths.set_field_by_name("paths", Value::List(document.mask.iter().cloned().map(Value::String).collect()));
        request.set_field_by_name("update_mask", Value::Message(paths));
    }
    request.set_field_by_name("allow_missing", Value::Bool(true));
    request.set_field_by_name("validate_only", Value::Bool(validate_only));
    let content = prost::Message::encode_to_vec(&request);
    request.set_field_by_name("request_id", Value::String(request_id(run, &document.name, &content).to_string()));
    connection.call(method, request).await
}

/// The request id of one change: the same for each attempt of a run.
///
/// It holds the run, for an id is remembered for a week: without it, going back to an earlier content within that week
/// would count as a repeat of the earlier request, and nothing would be written.
fn request_id(run: Uuid, name: &str, content: &[u8]) -> Uuid {
    let digest = Sha256::new().chain_update(run.as_bytes()).chain_update(name).chain_update([0]).chain_update(content);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.finalize()[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::resources::types;

    #[test]
    fn a_request_id_tells_runs_names_and_contents_apart() {
        let run = Uuid::from_u128(7);
        let id = request_id(run, "areas/x", b"a");
        assert_eq!(id, request_id(run, "areas/x", b"a"));
        assert_eq!(id.get_version_num(), 4);
        for other in [
            request_id(run, "areas/y", b"a"),
            request_id(run, "areas/x", b"b"),
            request_id(Uuid::nil(), "areas/x", b"a"),
        ] {
            assert_ne!(id, other);
        }
    }

    #[test]
    fn children_are_deleted_before_their_parents() {
        let unit = |name: &str, parent: &str| {
            let mut one = DynamicMessage::new(types::find("unit").expect("a type").message.clone());
            one.set_field_by_name("name", Value::String(name.to_owned()));
            one.set_field_by_name("parent", Value::String(parent.to_owned()));
            one
        };
        assert_eq!(children_first(vec![unit("a", ""), unit("b", "a"), unit("c", "b")]), ["c", "b", "a"]);
    }
}
