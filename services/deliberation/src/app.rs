//! The use cases: authorise, one transaction, the domain, events.

mod archives;
mod ballots;
mod conditions;
mod convert;
mod lists;
mod people;
mod privacy;
mod receipts;
mod records;
mod rules;
mod stages;
mod templates;
mod topics;
mod tracks;
mod verify;
mod votes;

use std::sync::Arc;

use linli_access::{Access, Permit, Target};
use linli_kernel::AreaId;
use linli_kit::crypto::Aad;
use linli_kit::idempotency::request_hash;
use linli_kit::serve::ServiceParts;
use linli_kit::store::{EventDraft, Tx};
use linli_kit::{Ctx, Result};
use linli_proto::deliberation as pb;
use sea_orm::DatabaseConnection;
use uuid::Uuid;

use crate::domain::Process;
use crate::ids;
use crate::store::entity::{ballot, topic};

/// Permission that lets a caller see who raised a topic.
const RUNS_PROCESS: &str = "deliberation.topics.advance";
/// Roles that everybody has; they are no posts.
const NO_POSTS: [&str; 3] = ["anyone", "resident", "self"];

/// Role of those who run the installation; it lets nobody speak for a resident.
const OPERATOR: &str = "operator";

/// The use cases of the service; cheap to clone.
#[derive(Clone)]
pub(crate) struct App {
    parts: ServiceParts,
    access: Access,
    templates: templates::Templates,
    rules: rules::InForce,
}

impl App {
    /// The use cases over these parts.
    pub(crate) fn new(parts: ServiceParts, access: Access) -> Arc<Self> {
        let templates = templates::catalogue(&parts);
        Arc::new(Self { parts, access, templates, rules: rules::InForce::default() })
    }

    fn reader(&self) -> &DatabaseConnection {
        self.parts.store.reader()
    }

    /// Hash of a request whose `request_id` is cleared.
    fn hash(&self, ctx: &Ctx, request: &impl prost::Message) -> [u8; 32] {
        request_hash(&self.parts.keyring, &ctx.method.path, request)
    }

    /// Checks the method's permission where a topic is; over the whole area when the topic does not exist.
    fn authorise(&self, ctx: &Ctx, area: &AreaId, unit: Option<&str>) -> Result<(Permit, Target)> {
        let target = Target::area(area).at_unit(unit.unwrap_or_default());
        Ok((self.access.authorise(ctx, &target)?, target))
    }

    /// Posts that the caller holds at the target, each once.
    fn posts(&self, ctx: &Ctx, target: &Target) -> Vec<String> {
        let mut posts = self.access.roles_at(ctx.caller.subject().unwrap_or_default(), target, ctx.now());
        posts.sort_unstable();
        posts.dedup();
        posts
    }

    /// The post in which the caller acts when none is named: the only one; empty when there are several or none.
    fn only_post(&self, ctx: &Ctx, target: &Target) -> String {
        let posts = self.posts(ctx, target);
        if let [only] = posts.as_slice() { only.clone() } else { String::new() }
    }

    /// Posts and access roles in which the caller acts at the target.
    fn held_roles(&self, ctx: &Ctx, permit: &Permit, target: &Target) -> Vec<String> {
        let mut roles = self.posts(ctx, target);
        roles.extend(permit.roles().iter().filter(|role| !NO_POSTS.contains(&role.as_str())).cloned());
        roles.sort_unstable();
        roles.dedup();
        roles
    }

    fn seal(&self, place: Place<'_>, text: &str) -> Vec<u8> {
        self.parts.keyring.seal_text(place.aad(), text)
    }

    fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<String> {
        self.parts.keyring.open_text(place.aad(), sealed)
    }

    /// The blind index under which a person is found among raisers.
    fn raiser_index(&self, area: &str, subject: &str) -> Vec<u8> {
        self.parts.keyring.blind_index("topic.raised_by", area, subject)
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("App")
    }
}

/// Whether the permission rests on a post for the people there: neither on being a resident nor on running the installation.
fn by_post(permit: &Permit) -> bool {
    let roles = permit.roles();
    roles.iter().any(|role| !NO_POSTS.contains(&role.as_str())) && !roles.iter().any(|role| role == OPERATOR)
}

/// The place of a sealed text: column and row.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    table: &'static str,
    column: &'static str,
    area: &'a str,
    id: &'a Uuid,
}

impl<'a> Place<'a> {
    const fn new(table: &'static str, column: &'static str, area: &'a str, id: &'a Uuid) -> Self {
        Self { table, column, area, id }
    }

    fn aad(self) -> Aad<'a> {
        Aad { table: self.table, column: self.column, area: self.area, id: self.id.as_bytes() }
    }
}

/// The process that a topic follows, as it was when the topic was raised.
fn process_of(row: &topic::Model) -> Result<(pb::ProcessTemplate, Process)> {
    convert::stored_process(&row.process)
}

/// Tells the others that a topic came to a stage or to its end; nothing about a confidential one.
fn tell(ctx: &Ctx, tx: &Tx<'_>, row: &topic::Model) {
    if !row.readers.is_empty() {
        return;
    }
    let name = ids::topic(&row.area, row.id);
    let payload =
        pb::TopicChanged { topic: name.clone(), kind: row.kind.clone(), stage: row.stage.clone(), state: row.state };
    let event_type = "linli.deliberation.v1.TopicChanged";
    tx.emit(EventDraft::new(ctx, event_type, row.area.clone(), name, row.revision, &payload));
}

/// The event of a ballot that opened (version 1), closed (version 2) or was voided (version 3).
fn ballot_changed(ctx: &Ctx, row: &ballot::Model, result: Option<pb::BallotResult>) -> EventDraft {
    let name = ids::ballot(&row.area, row.id);
    let version = i64::from(row.state);
    let payload =
        pb::BallotChanged { ballot: name.clone(), topic: ids::topic(&row.area, row.topic), state: row.state, result };
    EventDraft::new(ctx, "linli.deliberation.v1.BallotChanged", row.area.clone(), name, version, &payload)
}
