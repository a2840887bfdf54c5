//! What a completed service is worth: bindings of the area, facts from org, grants from rules. Asks, never writes.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{Datelike as _, Offset as _};
use linli_kernel::{AreaId, Timestamp};
use linli_kit::catalogue::Scope;
use linli_kit::check::timestamp;
use linli_kit::page::PageRequest;
use linli_kit::{Ctx, Error, ErrorCode, Result};
use linli_proto::booking::Server;
use linli_proto::common::{Amount, Reason};
use linli_proto::org::org_service_client::OrgServiceClient;
use linli_proto::org::{BatchGetResidentFactsRequest, ResidentFacts};
use linli_proto::points::AwardBinding;
use linli_proto::rules::evaluate_request::Hook;
use linli_proto::rules::evaluate_response::Answer;
use linli_proto::rules::rules_service_client::RulesServiceClient;
use linli_proto::rules::{
    AwardFacts, BatchEvaluateRequest, EffectiveRules, EvaluateRequest, EvaluateResponse, GetEffectiveRulesRequest,
    Member,
};

use super::App;
use super::awards::recipient;
use super::fence::Fence;
use crate::domain::{CardTerms, PersonId};
use crate::store::finders;
use crate::store::receipts::ReceiptRow;

/// The hook that points asks.
pub(crate) const HOOK: &str = "points-award";
/// The fact that moves with every posting.
const BALANCES: &str = "balances";
/// How often rules are asked when they change meanwhile.
const ATTEMPTS: u32 = 3;
/// Cases in one question to rules at most.
const CASES: usize = 100;
/// Resources of a kind that one chain of areas has at most.
const RESOURCES: i32 = 1000;
/// Reasons by which a peer says that it cannot answer at the moment; anything else is the rule's own fault.
const PASSING: [&str; 6] =
    ["PEER_UNAVAILABLE", "STORAGE_UNAVAILABLE", "OVERLOADED", "SHUTTING_DOWN", "PROJECTION_STALE", ""];

/// What one recipient gets by one binding.
#[derive(Debug, Clone)]
pub(crate) struct Thanks {
    /// Name of the binding.
    pub(crate) binding: String,
    pub(crate) recipient: PersonId,
    pub(crate) asset: String,
    /// Units, within the binding's cap.
    pub(crate) value: i64,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) digest: String,
    /// What was asked and said, also when nothing was granted.
    pub(crate) receipt: ReceiptRow,
}

/// Something done for which rules may thank.
#[derive(Debug, Clone)]
pub(crate) struct Deed {
    /// Id of the event under which its awards are recorded.
    pub(crate) event: String,
    /// Name of the booking or the contribution.
    pub(crate) source: String,
    pub(crate) kind: String,
    /// Whether bindings without kinds count for it.
    pub(crate) any_binding: bool,
    pub(crate) tags: Vec<String>,
    pub(crate) quantity: i32,
    pub(crate) score: Option<i32>,
    /// When: the same deed asks the same, whenever it is asked.
    pub(crate) time: Timestamp,
    /// Draws the same lots for the same deed.
    pub(crate) seed: u32,
    /// Who did it.
    pub(crate) doers: Vec<Server>,
}

/// One question: somebody who served, under one binding.
struct Case<'a> {
    server: &'a Server,
    recipient: PersonId,
    binding: &'a (String, AwardBinding),
}

impl App {
    /// What a completed booking is worth: one question to org, one to rules (more only beyond 100 cases); and the balances
    /// that it rests on.
    pub(crate) async fn thanks_for(&self, ctx: &Ctx, deed: &Deed, area: &AreaId) -> Result<(Vec<Thanks>, Fence)> {
        let bindings = self.bindings_for(area, deed).await?;
        let mut seen = HashSet::new();
        let served = deed.doers.iter().filter_map(|server| Some((server, recipient(area, &server.person)?)));
        let served: Vec<_> = served.filter(|(_, recipient)| seen.insert(*recipient)).collect();
        if bindings.is_empty() || served.is_empty() {
            return Ok((Vec::new(), Fence::default()));
        }
        let facts = self.facts_of(ctx, area, served.iter().map(|(server, _)| server.person.clone()).collect()).await?;
        // Somebody served; thanks that cannot be worked out wait, in sight, and are not forgotten.
        if let Some((unknown, _)) = served.iter().find(|(server, _)| !facts.contains_key(&server.person)) {
            return Err(Error::new(ErrorCode::FailedPrecondition, "RECIPIENT_UNKNOWN").with("person", &unknown.person));
        }
        let cases: Vec<Case<'_>> = served
            .iter()
            .flat_map(|(server, recipient)| {
                bindings.iter().map(|binding| Case { server, recipient: *recipient, binding })
            })
            .collect();
        for _ in 0..ATTEMPTS {
            let declared = self.declared(ctx, area, &bindings).await?;
            let people = served.iter().map(|(_, recipient)| *recipient);
            let fence = match declared.values().any(|rules| declares(rules, BALANCES)) {
                true => Fence::read(&self.parts.store, area, people).await?,
                false => Fence::default(),
            };
            let request = |case: &Case<'_>| {
                let facts = facts.get(&case.server.person).cloned().unwrap_or_default();
                let balances = fence.balances(case.recipient);
                self.request(deed, area, case, &facts, (balances, declared.get(&case.binding.0)))
            };
            let requests: Vec<EvaluateRequest> = cases.iter().map(request).collect();
            let answers = self.evaluate(ctx, area, requests.clone()).await?;
            // Rules that came meanwhile may need what was not asked for.
            let same = |(case, answer): (&Case<'_>, &EvaluateResponse)| {
                declared.get(&case.binding.0).is_some_and(|rules| rules.revision == answer.revision)
            };
            if cases.iter().zip(&answers).all(same) {
                let all = cases.iter().zip(requests.into_iter().zip(answers));
                let granted = all.map(|(case, (ask, answer))| self.granted(ctx, area, deed, case, ask, answer));
                return Ok((granted.collect(), fence));
            }
        }
        Err(Error::new(ErrorCode::Unavailable, "CONFLICT"))
    }

    /// What the rules of each binding (by id) declare.
    async fn declared(
        &self,
        ctx: &Ctx,
        area: &AreaId,
        bindings: &[(String, AwardBinding)],
    ) -> Result<HashMap<String, EffectiveRules>> {
        let ask = |id: &String| {
            let mut client = RulesServiceClient::new(self.parts.peers.to("rules", ctx));
            let (parent, hook, kind) = (area.name(), HOOK.to_owned(), id.clone());
            let request = GetEffectiveRulesRequest { parent, hook, kind, ..GetEffectiveRulesRequest::default() };
            let id = id.clone();
            async move { client.get_effective_rules(request).await.map(|rules| (id, rules.into_inner())) }
        };
        let all = futures::future::try_join_all(bindings.iter().map(|(id, _)| ask(id))).await;
        Ok(all.map_err(Error::from_peer)?.into_iter().collect())
    }

    /// The bindings that count for a kind: of each id the nearest up the tree, when it is on.
    async fn bindings_for(&self, area: &AreaId, deed: &Deed) -> Result<Vec<(String, AwardBinding)>> {
        let chain = self.access.snapshot().ancestors(area.as_str());
        let page = PageRequest::parse(&self.parts.keyring, "points.awards", &[], RESOURCES, "")?;
        let (found, _) = self.bindings.list(Scope::Areas(&chain), &page, "", "").await?;
        let mut nearest: BTreeMap<String, (usize, AwardBinding)> = BTreeMap::new();
        for entry in found {
            let distance = chain.iter().position(|above| *above == entry.area).unwrap_or(usize::MAX);
            if nearest.get(&entry.id).is_none_or(|(known, _)| distance < *known) {
                nearest.insert(entry.id, (distance, entry.resource));
            }
        }
        let counts = |binding: &AwardBinding| {
            let any = deed.any_binding && binding.kinds.is_empty();
            !binding.disabled && (any || binding.kinds.contains(&deed.kind))
        };
        let on = nearest.into_iter().filter(|(_, (_, binding))| counts(binding));
        Ok(on.map(|(id, (_, binding))| (id, binding)).collect())
    }

    async fn facts_of(&self, ctx: &Ctx, area: &AreaId, names: Vec<String>) -> Result<HashMap<String, ResidentFacts>> {
        let mut client = OrgServiceClient::new(self.parts.peers.to("org", ctx));
        let request = BatchGetResidentFactsRequest { parent: area.name(), names };
        let answer = client.batch_get_resident_facts(request).await.map_err(Error::from_peer)?;
        Ok(answer.into_inner().facts.into_iter().map(|facts| (facts.person.clone(), facts)).collect())
    }

    fn request(
        &self,
        deed: &Deed,
        area: &AreaId,
        case: &Case<'_>,
        facts: &ResidentFacts,
        (balances, declared): (Vec<Amount>, Option<&EffectiveRules>),
    ) -> EvaluateRequest {
        let now = deed.time;
        let (binding_id, binding) = case.binding;
        let has = |fact: &str| declared.is_some_and(|rules| declares(rules, fact));
        let award = AwardFacts {
            actor: Some(self.member(area, facts, has, deed)),
            balances: if has(BALANCES) { balances } else { Vec::new() },
            kind: deed.kind.clone(),
            minutes: case.server.minutes,
            quantity: deed.quantity,
            score: deed.score,
            role: case.server.role.clone(),
            tags: deed.tags.clone(),
            cap: Some(Amount { asset: binding.asset.clone(), value: binding.cap }),
        };
        EvaluateRequest {
            parent: area.name(),
            kind: binding_id.clone(),
            now: Some(timestamp(now)),
            utc_offset_min: self.local(area, now).offset().fix().local_minus_utc() / 60,
            seed: deed.seed,
            bucket: self.parts.keyring.bucket(area.as_str(), &facts.person),
            facts: declared.map(|rules| rules.facts.clone()).unwrap_or_default(),
            hook: Some(Hook::Award(award)),
        }
    }

    /// The recipient as rules see one: a number that means nothing beyond the deed, and the facts that they declare.
    fn member(&self, area: &AreaId, facts: &ResidentFacts, has: impl Fn(&str) -> bool, deed: &Deed) -> Member {
        let year = self.local(area, deed.time).year();
        Member {
            handle: self.parts.keyring.handle(area.as_str(), &facts.person, &deed.event),
            age_years: if has("age") && facts.birth_year > 0 { (year - facts.birth_year).max(0) } else { 0 },
            standing: if has("standing") { "resident".to_owned() } else { String::new() },
            joined: facts.create_time.filter(|_| has("joined")),
            roles: if has("roles") { facts.roles.clone() } else { Vec::new() },
            tags: if has("tags") { facts.tags.clone() } else { Vec::new() },
        }
    }

    /// What one answer comes to, with its receipt.
    fn granted(
        &self,
        ctx: &Ctx,
        area: &AreaId,
        deed: &Deed,
        case: &Case<'_>,
        ask: EvaluateRequest,
        answer: EvaluateResponse,
    ) -> Thanks {
        let (_, binding) = case.binding;
        let (value, reasons, digest) = granted(binding, &answer);
        let verdict = if value > 0 { format!("{value} {}", binding.asset) } else { "nothing".to_owned() };
        let receipt = ReceiptRow {
            area: area.as_str().to_owned(),
            id: linli_kit::ids::new_v7(ctx.now()),
            event: deed.event.clone(),
            binding: binding.name.clone(),
            source: deed.source.clone(),
            recipient: case.recipient.to_string(),
            award: None,
            verdict,
            spec_enc: Vec::new(),
            created: ctx.now(),
        };
        let receipt = self.seal_award_receipt(receipt, reasons.clone(), ask, answer);
        let (binding, asset) = (binding.name.clone(), binding.asset.clone());
        Thanks { binding, recipient: case.recipient, asset, value, reasons, digest, receipt }
    }

    fn local(&self, area: &AreaId, now: Timestamp) -> chrono::DateTime<chrono_tz::Tz> {
        let snapshot = self.access.snapshot();
        let zone = snapshot.area(area.as_str()).and_then(|row| row.time_zone.parse().ok());
        now.to_chrono().with_timezone(&zone.unwrap_or(chrono_tz::Asia::Shanghai))
    }

    async fn evaluate(
        &self,
        ctx: &Ctx,
        area: &AreaId,
        requests: Vec<EvaluateRequest>,
    ) -> Result<Vec<EvaluateResponse>> {
        let mut answers = Vec::with_capacity(requests.len());
        for chunk in requests.chunks(CASES) {
            let mut client = RulesServiceClient::new(self.parts.peers.to("rules", ctx));
            let request = BatchEvaluateRequest { parent: area.name(), requests: chunk.to_vec() };
            let answer = client.batch_evaluate(request).await.map_err(Error::from_peer)?;
            answers.extend(answer.into_inner().responses);
        }
        if answers.len() == requests.len() {
            return Ok(answers);
        }
        Err(Error::internal("rules answered another number of cases"))
    }

    /// The area's card types that fill with one of these assets.
    pub(crate) async fn card_terms_of(&self, area: &AreaId, assets: &[&str]) -> Result<Vec<CardTerms>> {
        if assets.is_empty() {
            return Ok(Vec::new());
        }
        let areas = [area.as_str().to_owned()];
        let page = PageRequest::parse(&self.parts.keyring, "points.card-types", &[], RESOURCES, "")?;
        let (found, _) = self.card_types.list(Scope::Areas(&areas), &page, "", "").await?;
        let terms = found.iter().map(|entry| finders::card_terms(&entry.id, &entry.resource));
        Ok(terms.filter(|terms| assets.contains(&terms.asset.as_str())).collect())
    }
}

/// Whether rules need a fact.
fn declares(rules: &EffectiveRules, fact: &str) -> bool {
    rules.facts.iter().any(|known| known == fact)
}

/// A rule that gave no answer answers UNAVAILABLE, as a service that is away does. The consumer waits for the latter; the
/// former must park the event, or one broken rule holds up everybody's thanks.
pub(crate) fn rule_fault(error: Error) -> Error {
    if error.code() != ErrorCode::Unavailable || PASSING.contains(&error.reason().as_str()) {
        return error;
    }
    Error::new(ErrorCode::FailedPrecondition, "RULE_FAULT").with("reason", error.reason()).caused_by(error)
}

/// The grants of an answer in the binding's asset, together, within the binding's cap: units, reasons, the first digest.
pub(crate) fn granted(binding: &AwardBinding, answer: &EvaluateResponse) -> (i64, Vec<Reason>, String) {
    let (mut value, mut reasons, mut digest) = (0_i64, Vec::new(), String::new());
    let Some(Answer::Award(award)) = &answer.answer else { return (value, reasons, digest) };
    for grant in &award.grants {
        let amount = grant.amount.as_ref().filter(|amount| amount.asset == binding.asset);
        let units = amount.map_or(0, |amount| amount.value);
        if units <= 0 {
            continue;
        }
        value = value.saturating_add(units).min(binding.cap);
        reasons.extend(grant.reason.clone());
        if digest.is_empty() {
            digest.clone_from(&grant.digest);
        }
    }
    (value, reasons, digest)
}

/// The last four bytes of the event's id: the same event draws the same lots.
pub(crate) fn seed(event: &str) -> u32 {
    let id = uuid::Uuid::parse_str(event).unwrap_or_default().as_u128();
    u32::try_from(id & u128::from(u32::MAX)).unwrap_or_default()
}
