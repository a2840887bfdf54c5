//! What a completed service is worth: bindings of the area, facts from org, grants from rules. Asks, never writes.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{Datelike as _, Offset as _};
use linli_kernel::{AreaId, Timestamp};
use linli_kit::catalogue::Scope;
use linli_kit::check::{instant, timestamp};
use linli_kit::page::PageRequest;
use linli_kit::{Ctx, Error, ErrorCode, Result};
use linli_proto::booking::{BookingChanged, Server};
use linli_proto::common::{Amount, Reason};
use linli_proto::events::Event;
use linli_proto::org::org_service_client::OrgServiceClient;
use linli_proto::org::{BatchGetResidentFactsRequest, ResidentFacts};
use linli_proto::points::AwardBinding;
use linli_proto::rules::evaluate_request::Hook;
use linli_proto::rules::evaluate_response::Answer;
use linli_proto::rules::rules_service_client::RulesServiceClient;
use linli_proto::rules::{AwardFacts, BatchEvaluateRequest, EvaluateRequest, EvaluateResponse, Member};

use super::App;
use super::awards::recipient;
use crate::domain::{CardTerms, PersonId};
use crate::store::finders;

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
}

/// One question: somebody who served, under one binding.
struct Case<'a> {
    server: &'a Server,
    recipient: PersonId,
    binding: &'a (String, AwardBinding),
}

impl App {
    /// What a completed booking is worth: one question to org, one to rules (more only beyond 100 cases).
    pub(crate) async fn thanks_for(
        &self,
        ctx: &Ctx,
        event: &Event,
        booking: &BookingChanged,
        area: &AreaId,
    ) -> Result<Vec<Thanks>> {
        let bindings = self.bindings_for(area, &booking.kind).await?;
        let mut seen = HashSet::new();
        let served = booking.servers.iter().filter_map(|server| Some((server, recipient(area, &server.person)?)));
        let served: Vec<_> = served.filter(|(_, recipient)| seen.insert(*recipient)).collect();
        if bindings.is_empty() || served.is_empty() {
            return Ok(Vec::new());
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
        let balances = self.balances_of(area, &served).await?;
        let requests: Vec<EvaluateRequest> = cases
            .iter()
            .filter_map(|case| {
                let facts = facts.get(&case.server.person)?;
                let balances = balances.get(&case.recipient).cloned().unwrap_or_default();
                Some(self.request(event, booking, area, case, facts, balances))
            })
            .collect();
        let answers = self.evaluate(ctx, area, requests).await?;
        Ok(cases.iter().zip(answers).filter_map(|(case, answer)| granted(case, answer)).collect())
    }

    /// The bindings that count for a kind: of each id the nearest up the tree, when it is on.
    async fn bindings_for(&self, area: &AreaId, kind: &str) -> Result<Vec<(String, AwardBinding)>> {
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
            !binding.disabled && (binding.kinds.is_empty() || binding.kinds.iter().any(|own| own == kind))
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

    async fn balances_of(
        &self,
        area: &AreaId,
        served: &[(&Server, PersonId)],
    ) -> Result<HashMap<PersonId, Vec<Amount>>> {
        let holders: Vec<String> = served.iter().map(|(_, id)| id.to_string()).collect();
        let mut balances: HashMap<PersonId, Vec<Amount>> = HashMap::new();
        for (key, account) in finders::accounts_of(&self.parts.store, area.as_str(), &holders).await? {
            if let crate::domain::Holder::Person(id) = key.holder {
                let amount = Amount { asset: key.asset, value: account.available() };
                balances.entry(id).or_default().push(amount);
            }
        }
        Ok(balances)
    }

    fn request(
        &self,
        event: &Event,
        booking: &BookingChanged,
        area: &AreaId,
        case: &Case<'_>,
        facts: &ResidentFacts,
        balances: Vec<Amount>,
    ) -> EvaluateRequest {
        // The instant of the event, not of the question: the same event asks the same.
        let now = event.time.as_ref().map_or_else(|| self.parts.kit.clock.now(), instant);
        let (binding_id, binding) = case.binding;
        let minutes = if case.server.minutes > 0 { case.server.minutes } else { booking.slot_min };
        let award = AwardFacts {
            actor: Some(self.member(area, facts, now)),
            balances,
            kind: booking.kind.clone(),
            minutes,
            role: case.server.role.clone(),
            tags: booking.tags.clone(),
            cap: Some(Amount { asset: binding.asset.clone(), value: binding.cap }),
        };
        EvaluateRequest {
            parent: area.name(),
            kind: binding_id.clone(),
            now: Some(timestamp(now)),
            utc_offset_min: self.local(area, now).offset().fix().local_minus_utc() / 60,
            seed: seed(&event.id),
            hook: Some(Hook::Award(award)),
        }
    }

    /// The recipient as rules see one: a pseudonym and facts.
    fn member(&self, area: &AreaId, facts: &ResidentFacts, now: Timestamp) -> Member {
        let year = self.local(area, now).year();
        let pseudonym = self.parts.keyring.pseudonym(area.as_str(), &facts.person);
        Member {
            handle: u32::from_str_radix(pseudonym.get(..8).unwrap_or_default(), 16).unwrap_or_default(),
            age_years: if facts.birth_year > 0 { (year - facts.birth_year).max(0) } else { 0 },
            standing: "resident".to_owned(),
            joined: facts.create_time,
            roles: facts.roles.clone(),
            tags: facts.tags.clone(),
        }
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
            let answer = client.batch_evaluate(request).await.map_err(|status| rule_fault(Error::from_peer(status)))?;
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

/// A rule that gave no answer answers UNAVAILABLE, as a service that is away does. The consumer waits for the latter; the
/// former must park the event, or one broken rule holds up everybody's thanks.
fn rule_fault(error: Error) -> Error {
    if error.code() != ErrorCode::Unavailable || PASSING.contains(&error.reason().as_str()) {
        return error;
    }
    Error::new(ErrorCode::FailedPrecondition, "RULE_FAULT").with("reason", error.reason()).caused_by(error)
}

/// The grants of an answer in the binding's asset, together, within the binding's cap.
fn granted(case: &Case<'_>, answer: EvaluateResponse) -> Option<Thanks> {
    let Some(Answer::Award(award)) = answer.answer else { return None };
    let (_, binding) = case.binding;
    let mut thanks = Thanks {
        binding: binding.name.clone(),
        recipient: case.recipient,
        asset: binding.asset.clone(),
        value: 0,
        reasons: Vec::new(),
        digest: String::new(),
    };
    for grant in award.grants {
        let units = grant.amount.filter(|amount| amount.asset == binding.asset).map_or(0, |amount| amount.value);
        if units <= 0 {
            continue;
        }
        thanks.value = thanks.value.saturating_add(units).min(binding.cap);
        thanks.reasons.extend(grant.reason);
        if thanks.digest.is_empty() {
            thanks.digest = grant.digest;
        }
    }
    (thanks.value > 0).then_some(thanks)
}

/// The last four bytes of the event's id: the same event draws the same lots.
fn seed(event: &str) -> u32 {
    let id = uuid::Uuid::parse_str(event).unwrap_or_default().as_u128();
    u32::try_from(id & u128::from(u32::MAX)).unwrap_or_default()
}
