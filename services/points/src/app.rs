//! Use cases: names, permission, checks, one transaction, the answer.

mod accounts;
mod awards;
mod cards;
mod catalogues;
mod contributions;
mod convert;
mod expiry;
mod fence;
mod holds;
mod ledger;
mod pages;
mod people;
mod receipts;
mod redemptions;
mod refuse;
mod rewards;
mod thanks;
mod transfers;
mod verify;

use std::sync::Arc;

use linli_access::Access;
use linli_kernel::{AreaId, Id};
use linli_kit::catalogue::Catalogue;
use linli_kit::combiner::{Combiner, CombinerConfig};
use linli_kit::idempotency::request_hash;
use linli_kit::serve::ServiceParts;
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result};
use linli_proto::points as pb;

use crate::domain::Outcome;
use ledger::{Answer, Job, Ledger, Step};

#[cfg(test)]
pub(crate) use awards::Awards;

/// The service's use cases.
pub(crate) struct App {
    pub(crate) parts: ServiceParts,
    pub(crate) access: Access,
    pub(crate) assets: Catalogue<pb::Asset>,
    pub(crate) card_types: Catalogue<pb::CardType>,
    pub(crate) rewards: Catalogue<pb::Reward>,
    pub(crate) bindings: Catalogue<pb::AwardBinding>,
    ledger: Combiner<Ledger>,
}

impl App {
    /// Builds the use cases and starts the ledger's combiner; no timers, no consumers.
    pub(crate) fn new(parts: ServiceParts, access: Access) -> Arc<Self> {
        let store = &parts.store;
        let ledger = Combiner::new(store.clone(), Ledger::new(access.clone()), CombinerConfig::default());
        Arc::new(Self {
            assets: Catalogue::new(store.clone(), "assets", "linli/Asset"),
            card_types: Catalogue::new(store.clone(), "cardTypes", "linli/CardType"),
            rewards: Catalogue::new(store.clone(), "rewards", "linli/Reward").filterable(&["state"]),
            bindings: Catalogue::new(store.clone(), "awardBindings", "linli/AwardBinding"),
            ledger,
            parts,
            access,
        })
    }

    /// Starts what runs beside the calls: the expiry of holds, the awards.
    pub(crate) fn start(self: &Arc<Self>) {
        expiry::start(self.clone());
        awards::start(self);
    }

    /// The keyed hash of a request whose `request_id` is cleared.
    fn hash(&self, ctx: &Ctx, request: &impl prost::Message) -> [u8; 32] {
        request_hash(&self.parts.keyring, &ctx.method.path, request)
    }

    /// A step with the claim of its request id; `resource` is the name that the step's resource will have.
    fn step(
        &self,
        ctx: &Ctx,
        area: &AreaId,
        (request_id, hash): (&str, [u8; 32]),
        path: impl Into<String>,
        resource: String,
        command: crate::domain::Command,
    ) -> Result<Step> {
        let id = linli_kit::idempotency::parse_request_id(request_id)?;
        let claim = id.map(|id| linli_kit::idempotency::Claim::new(ctx, area.as_str(), id, hash).of_resource(resource));
        Ok(Step { command, claim, path: path.into() })
    }

    /// Runs one command through the ledger.
    async fn one(&self, ctx: &Arc<Ctx>, area: &AreaId, step: Step) -> Result<Answer> {
        let mut answers = self.all(ctx, area, vec![step]).await?;
        answers.pop().ok_or_else(|| Error::internal("a step without an answer"))
    }

    /// Runs commands through the ledger: all, or none.
    async fn all(&self, ctx: &Arc<Ctx>, area: &AreaId, steps: Vec<Step>) -> Result<Vec<Answer>> {
        let job = Job { ctx: ctx.clone(), area: area.as_str().to_owned(), steps };
        self.ledger.submit_until(ctx.deadline, job).await
    }
}

/// The id at the end of a resource's name.
fn id_at_end<I: Id>(name: &str) -> Result<I> {
    I::parse(name.rsplit('/').next().unwrap_or_default()).map_err(Error::internal)
}

/// The error for an outcome of another kind than the command's.
fn unexpected(outcome: &Outcome) -> Error {
    Error::internal(format!("an outcome of another kind: {outcome:?}"))
}

/// Something is still used.
fn still_referenced(resource: impl std::fmt::Display, by: impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::FailedPrecondition, "STILL_REFERENCED").with("resource", resource).with("by", by)
}

/// A number outside its range.
fn out_of_range(field: impl Into<String>, min: impl std::fmt::Display, max: impl std::fmt::Display) -> FieldViolation {
    FieldViolation::new(field, "FIELD_OUT_OF_RANGE").arg("min", min).arg("max", max)
}
