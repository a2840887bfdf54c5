//! What deliberation asks rules: which way a topic goes, and how strict its ballot is. Always before a transaction.
//!
//! Never trusts an answer: the way must be one of those offered, and a threshold never makes a ballot easier to pass.

use std::sync::Arc;
use std::time::Duration;

use chrono::Offset as _;
use linli_kernel::{AreaId, Timestamp};
use linli_kit::check::timestamp;
use linli_kit::crypto::Purpose;
use linli_kit::{Ctx, Error, ErrorCode, Result};
use linli_proto::common::Reason;
use linli_proto::rules::evaluate_request::Hook;
use linli_proto::rules::evaluate_response::Answer;
use linli_proto::rules::rules_service_client::RulesServiceClient;
use linli_proto::rules::{EvaluateRequest, EvaluateResponse, GetEffectiveRulesRequest, ThresholdsFacts, TrackFacts};
use uuid::Uuid;

use super::{App, convert};
use crate::domain::{Rule, Thresholds};
use crate::ids;
use crate::store::entity::topic;

/// The hooks that deliberation asks.
pub(super) const TRACK: &str = "deliberation-track";
pub(super) const THRESHOLDS: &str = "deliberation-thresholds";

/// How long it is believed that an area has no rule for a kind of topic, or has one. A rule made meanwhile counts for what is
/// raised or opened after that time; what a rule says is always asked anew.
const FRESH: Duration = Duration::from_secs(5);

/// Whether a rule is in force, by area, hook and kind.
#[derive(Clone)]
pub(super) struct InForce(moka::future::Cache<(String, &'static str, String), bool>);

impl Default for InForce {
    fn default() -> Self {
        Self(moka::future::Cache::builder().max_capacity(10_000).time_to_live(FRESH).build())
    }
}

/// A question to rules and what they said.
pub(super) struct Said {
    /// The question.
    pub(super) ask: EvaluateRequest,
    /// The answer.
    pub(super) answer: EvaluateResponse,
}

/// The error when rules give no usable answer: nothing is decided without them.
fn unusable() -> Error {
    Error::new(ErrorCode::Unavailable, "PEER_UNAVAILABLE").with("service", "rules").retry_after(Duration::from_secs(1))
}

/// An answer of rules that is an error: whatever went wrong there, the caller may try again.
fn fault(status: tonic::Status) -> Error {
    tracing::warn!(%status, "rules gave no answer");
    match status.code() {
        tonic::Code::Unavailable | tonic::Code::DeadlineExceeded => Error::from_peer(status),
        _ => unusable(),
    }
}

impl App {
    fn rules_client(&self, ctx: &Ctx) -> RulesServiceClient<linli_kit::serve::PeerService> {
        RulesServiceClient::new(self.parts.peers.to("rules", ctx))
    }

    /// Whether a rule of the hook is in force for topics of a kind; asks once for all callers that wait.
    async fn in_force(&self, ctx: &Ctx, area: &AreaId, hook: &'static str, kind: &str) -> Result<bool> {
        let ask = async {
            let (parent, kind) = (area.name(), kind.to_owned());
            let request = GetEffectiveRulesRequest { parent, hook: hook.to_owned(), kind, any_kind: false };
            let answer = self.rules_client(ctx).get_effective_rules(request).await.map_err(fault)?;
            Ok::<bool, Error>(!answer.into_inner().rules.is_empty())
        };
        let known = self.rules.0.try_get_with((area.to_string(), hook, kind.to_owned()), ask).await;
        known.map_err(|shared: Arc<Error>| Arc::try_unwrap(shared).unwrap_or_else(|_| unusable()))
    }

    /// Asks the rules in force; `None` when there are none.
    async fn ask(&self, ctx: &Ctx, (area, topic): (&AreaId, Uuid), kind: &str, hook: Hook) -> Result<Option<Said>> {
        let named = if matches!(hook, Hook::Track(_)) { TRACK } else { THRESHOLDS };
        if !self.in_force(ctx, area, named, kind).await? {
            return Ok(None);
        }
        let (seed, bucket) = self.lot(area, topic);
        let ask = EvaluateRequest {
            parent: area.name(),
            kind: kind.to_owned(),
            now: Some(timestamp(ctx.now())),
            utc_offset_min: self.utc_offset_min(area, ctx.now()),
            seed,
            bucket,
            // Of a topic everything is told: nothing is to be declared.
            facts: Vec::new(),
            hook: Some(hook),
        };
        let answer = self.rules_client(ctx).evaluate(ask.clone()).await.map_err(fault)?.into_inner();
        Ok(Some(Said { ask, answer }))
    }

    /// Seed and bucket of a topic: the same whenever it is asked about, and not to be guessed from its name.
    fn lot(&self, area: &AreaId, topic: Uuid) -> (u32, i32) {
        let parts = [b"rules".as_slice(), area.as_str().as_bytes(), topic.as_bytes()];
        let hash = self.parts.keyring.hmac(Purpose::Pseudonym, &parts);
        let seed = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
        (seed, self.parts.keyring.bucket(area.as_str(), &topic.to_string()))
    }

    fn utc_offset_min(&self, area: &AreaId, at: Timestamp) -> i32 {
        at.to_chrono().with_timezone(&self.zone(area.as_str())).offset().fix().local_minus_utc() / 60
    }

    /// Asks which of some processes a topic takes; `None` when no rule chooses one.
    ///
    /// # Errors
    /// UNAVAILABLE when rules do not answer, or choose what was not offered.
    pub(super) async fn ask_track(
        &self,
        ctx: &Ctx,
        at: (&AreaId, Uuid),
        facts: TrackFacts,
    ) -> Result<Option<(String, Reason, Said)>> {
        let (kind, offered) = (facts.kind.clone(), facts.tracks.clone());
        let Some(said) = self.ask(ctx, at, &kind, Hook::Track(facts)).await? else { return Ok(None) };
        let Some(Answer::Track(choice)) = &said.answer.answer else { return Err(unusable()) };
        if choice.track.is_empty() {
            return Ok(None);
        }
        if !offered.contains(&choice.track) {
            tracing::warn!(track = choice.track, "rules chose a process that was not offered");
            return Err(unusable());
        }
        Ok(Some((choice.track.clone(), choice.reason.clone().unwrap_or_default(), said)))
    }

    /// Asks how strict the ballot of a topic's stage is; the stage's own rule when no rule is in force.
    ///
    /// # Errors
    /// UNAVAILABLE when rules do not answer or answer no thresholds: a ballot never opens with looser ones than they ask for.
    pub(super) async fn ask_thresholds(
        &self,
        ctx: &Ctx,
        area: &AreaId,
        (topic, lawful): (&topic::Model, Rule),
        electors: usize,
    ) -> Result<(Rule, Vec<Reason>, Option<Said>)> {
        let facts = ThresholdsFacts {
            kind: topic.kind.clone(),
            track: topic.template.rsplit('/').next().unwrap_or_default().to_owned(),
            eligible: i32::try_from(electors).map_err(Error::internal)?,
            affected_households: topic.affected_households,
            cost_fen: topic.cost_fen,
            tags: convert::tags(&topic.tags),
            lawful: Some(convert::thresholds_message(&lawful)),
        };
        let hook = Hook::Thresholds(facts);
        let Some(said) = self.ask(ctx, (area, topic.id), &topic.kind, hook).await? else {
            return Ok((lawful, Vec::new(), None));
        };
        let Some(Answer::Thresholds(answer)) = &said.answer.answer else { return Err(unusable()) };
        let asked: Option<Thresholds> = answer.thresholds.as_ref().and_then(convert::thresholds);
        let Some(asked) = asked else {
            tracing::warn!(topic = %ids::topic(&topic.area, topic.id), "rules answered no thresholds that a ballot could have");
            return Err(unusable());
        };
        let rule = lawful.tightened(asked);
        let reasons = if rule == lawful { Vec::new() } else { answer.reasons.clone() };
        Ok((rule, reasons, Some(said)))
    }
}
