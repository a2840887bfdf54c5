//! The facts of a decision, and the decision: one call to org, one to points when a rule needs it, one to rules.

use std::collections::HashMap;

use chrono::Datelike as _;
use chrono_tz::Tz;
use linli_kernel::Timestamp;
use linli_kit::check::timestamp;
use linli_kit::{Ctx, Error, Result};
use linli_proto::booking::Offering;
use linli_proto::common::Amount;
use linli_proto::org::org_service_client::OrgServiceClient;
use linli_proto::org::{BatchGetResidentFactsRequest, ResidentFacts};
use linli_proto::points::BatchGetBalancesRequest;
use linli_proto::points::points_service_client::PointsServiceClient;
use linli_proto::rules::evaluate_request::Hook;
use linli_proto::rules::rules_service_client::RulesServiceClient;
use linli_proto::rules::{
    BatchEvaluateRequest, EligibilityFacts, EvaluateRequest, EvaluateResponse, Member, PriceFacts, PriorityFacts,
    SlotFacts, Usage, Waiting,
};
use tonic::Status;

use super::request::{Wanted, for_rules};
use super::rules::{BALANCES, Declared, Needs};
use super::{App, area_of, id_of};
use crate::domain::calendar::{local_date, utc_offset_min};
use crate::ids::DecisionId;
use crate::store::bookings::BookingRow;
use crate::store::slots::SlotRow;
use crate::store::usage::Counts;

/// A queue longer than this is not scored anew when somebody joins it; the newcomer alone is. With the newcomer they are as many
/// as org and rules take in one call.
pub(super) const MAX_RESCORED: i32 = 999;

/// What a decision rests on.
pub(super) struct Facts<'a> {
    pub(super) slot: &'a SlotRow,
    pub(super) offering: &'a Offering,
    pub(super) wanted: &'a Wanted,
    pub(super) who: &'a ResidentFacts,
    pub(super) counts: Counts,
    pub(super) balances: Vec<Amount>,
    /// Those who wait already, as rules see them; `None`: the priority is not asked.
    pub(super) queue: Option<Vec<(BookingRow, Waiting)>>,
    pub(super) seed: u32,
    /// People have the same handle in all its questions, and others elsewhere.
    pub(super) decision: DecisionId,
    /// Zone of the slot's area.
    pub(super) tz: Tz,
    /// What the rules in force declare: nothing else is sent.
    pub(super) needs: &'a Needs,
}

impl App {
    /// Facts about residents by name, with one call for each of their areas, which is one for nearly everybody.
    pub(super) async fn residents(&self, ctx: &Ctx, names: &[&str]) -> Result<HashMap<String, ResidentFacts>> {
        let mut by_area: HashMap<&str, Vec<String>> = HashMap::new();
        for name in names {
            let asked = by_area.entry(area_of(name)).or_default();
            if !asked.iter().any(|known| known == name) {
                asked.push((*name).to_owned());
            }
        }
        let mut found = HashMap::with_capacity(names.len());
        for (area, names) in by_area {
            let mut client = OrgServiceClient::new(self.parts.peers.to("org", ctx));
            let request = BatchGetResidentFactsRequest { parent: format!("areas/{area}"), names };
            let answer = client.batch_get_resident_facts(request).await.map_err(Error::from_peer)?.into_inner();
            found.extend(answer.facts.into_iter().map(|facts| (facts.person.clone(), facts)));
        }
        Ok(found)
    }

    /// Balances of residents by name, in the slot's area. Guests keep theirs elsewhere and have none here.
    pub(super) async fn balances(
        &self,
        ctx: &Ctx,
        area: &str,
        residents: &[&str],
    ) -> Result<HashMap<String, Vec<Amount>>> {
        let own = residents.iter().filter(|resident| area_of(resident) == area);
        let holders: Vec<String> = own.map(|resident| (*resident).to_owned()).collect();
        let mut found: HashMap<String, Vec<Amount>> = HashMap::new();
        if holders.is_empty() {
            return Ok(found);
        }
        let mut client = PointsServiceClient::new(self.parts.peers.to("points", ctx));
        let request = BatchGetBalancesRequest { parent: format!("areas/{area}"), holders };
        let answer = client.batch_get_balances(request).await.map_err(Error::from_peer)?.into_inner();
        for account in answer.accounts {
            let amount = Amount { asset: id_of(&account.asset).to_owned(), value: account.available };
            found.entry(account.holder).or_default().push(amount);
        }
        Ok(found)
    }

    /// The resident as rules see one: a number that means nothing beyond the decision, and what they declare.
    pub(super) fn member(
        &self,
        (area, tz, decision): (&str, Tz, DecisionId),
        facts: &ResidentFacts,
        declared: &Declared,
        now: Timestamp,
    ) -> Member {
        let year = local_date(now, tz).year();
        let handle = self.keyring().handle(area, &facts.person, &decision.to_string());
        let mut member = Member { handle, ..Member::default() };
        if declared.has("age") && facts.birth_year > 0 {
            member.age_years = (year - facts.birth_year).max(0);
        }
        if declared.has("standing") {
            member.standing = if area_of(&facts.person) == area { "resident" } else { "guest" }.to_owned();
        }
        if declared.has("joined") {
            member.joined = facts.create_time;
        }
        if declared.has("roles") {
            member.roles.clone_from(&facts.roles);
        }
        if declared.has("tags") {
            member.tags.clone_from(&facts.tags);
        }
        member
    }

    /// Asks the rules in force everything that a booking needs, in one call. The requests come back with the answers, in
    /// the order eligibility, price, priority, as far as they were asked. Once more only where the priority is at fault: asked
    /// again, the fault of another rule would be a second one.
    pub(super) async fn evaluate(
        &self,
        ctx: &Ctx,
        facts: &Facts<'_>,
    ) -> Result<Vec<(EvaluateRequest, EvaluateResponse)>> {
        let (area, mut requests) = (&facts.slot.area, self.requests(ctx, facts));
        let refused = match self.try_rules(ctx, area, &requests).await? {
            Ok(answers) => return Ok(requests.into_iter().zip(answers).collect()),
            Err(refused) => refused,
        };
        let needless = facts.queue.is_some() && facts.needs.blames_priority(&refused);
        let error = Error::from_peer(refused);
        if !needless {
            return Err(error);
        }
        // Without the priority nothing is lost: waiting time alone orders the queue.
        let priority = requests.pop();
        let mut answers = self.ask_rules(ctx, area, requests).await?;
        tracing::warn!(%error, slot = %facts.slot.id, "rules do not order a queue; waiting time does");
        answers.extend(priority.map(|ask| (ask, EvaluateResponse::default())));
        Ok(answers)
    }

    /// Asks the rules in force; each request with its answer.
    pub(super) async fn ask_rules(
        &self,
        ctx: &Ctx,
        area: &str,
        requests: Vec<EvaluateRequest>,
    ) -> Result<Vec<(EvaluateRequest, EvaluateResponse)>> {
        let answers = self.try_rules(ctx, area, &requests).await?.map_err(Error::from_peer)?;
        Ok(requests.into_iter().zip(answers).collect())
    }

    /// The answers of the rules in force, or the refusal as it came.
    async fn try_rules(
        &self,
        ctx: &Ctx,
        area: &str,
        requests: &[EvaluateRequest],
    ) -> Result<Result<Vec<EvaluateResponse>, Status>> {
        let mut client = RulesServiceClient::new(self.parts.peers.to("rules", ctx));
        let request = BatchEvaluateRequest { parent: format!("areas/{area}"), requests: requests.to_vec() };
        match client.batch_evaluate(request).await.map(|answer| answer.into_inner().responses) {
            Ok(answers) if answers.len() != requests.len() => {
                Err(Error::internal("rules answered another number of requests"))
            }
            answered => Ok(answered),
        }
    }

    /// What is asked about one wish: eligibility, its price when the offering has one, the priority when there is a queue.
    pub(super) fn requests(&self, ctx: &Ctx, facts: &Facts<'_>) -> Vec<EvaluateRequest> {
        let (slot, now) = (facts.slot, ctx.now());
        let base = |declared: &Declared, hook| EvaluateRequest {
            parent: format!("areas/{}", slot.area),
            kind: slot.kind.clone(),
            now: Some(timestamp(now)),
            utc_offset_min: utc_offset_min(now, facts.tz),
            seed: facts.seed,
            bucket: self.keyring().bucket(&slot.area, &facts.who.person),
            facts: declared.codes(),
            hook: Some(hook),
        };
        let who =
            |declared: &Declared| Some(self.member((&slot.area, facts.tz, facts.decision), facts.who, declared, now));
        let used = |declared: &Declared| declared.has("usage").then(|| usage(&facts.counts));
        let balances = |declared: &Declared| declared.list(BALANCES, || facts.balances.clone());
        let all = || for_rules(&facts.wanted.answers, facts.offering);
        let answers = |declared: &Declared| declared.list("answers", all);
        let (eligibility, price, priority) = (&facts.needs.eligibility, &facts.needs.price, &facts.needs.priority);
        let seen = Some(slot_facts(slot, facts.offering));
        let mut requests = vec![base(
            eligibility,
            Hook::Eligibility(EligibilityFacts {
                who: who(eligibility),
                balances: balances(eligibility),
                used: used(eligibility),
                slot: seen.clone(),
                party: facts.wanted.party,
                answers: answers(eligibility),
            }),
        )];
        if let Some(base_price) = &facts.offering.base_price {
            let (floor, ceiling) = bounds(facts.offering);
            requests.push(base(
                price,
                Hook::Price(PriceFacts {
                    who: who(price),
                    balances: balances(price),
                    used: used(price),
                    slot: seen.clone(),
                    answers: answers(price),
                    base: Some(base_price.clone()),
                    floor,
                    ceiling,
                }),
            ));
        }
        if let Some(queue) = &facts.queue {
            let mut waiting: Vec<Waiting> = queue.iter().map(|(_, waiting)| waiting.clone()).collect();
            let since = Some(timestamp(now));
            waiting.push(Waiting { who: who(priority), since, used: used(priority), answers: answers(priority) });
            let bucket = self.keyring().bucket(&slot.area, &slot.id.to_string());
            let asked = base(priority, Hook::Priority(PriorityFacts { slot: seen, queue: waiting }));
            requests.push(EvaluateRequest { bucket, ..asked });
        }
        requests
    }

    /// Those who wait, as rules see them in one decision.
    pub(super) fn queue_facts(
        &self,
        (offering, needs): (&Offering, &Needs),
        queue: &[BookingRow],
        residents: &HashMap<String, ResidentFacts>,
        counts: &HashMap<&str, Counts>,
        (tz, decision, now): (Tz, DecisionId, Timestamp),
    ) -> Result<Vec<(BookingRow, Waiting)>> {
        let known = queue.iter().filter_map(|row| residents.get(&row.resident).map(|facts| (row, facts)));
        known
            .map(|(row, facts)| {
                let counts = counts.get(row.resident.as_str()).copied().unwrap_or_default();
                let waiting = Waiting {
                    who: Some(self.member((&row.area, tz, decision), facts, &needs.priority, now)),
                    since: Some(timestamp(row.created)),
                    used: needs.priority.has("usage").then(|| usage(&counts)),
                    answers: match needs.priority.has("answers") {
                        true => for_rules(&self.answers_of(row)?, offering),
                        false => Vec::new(),
                    },
                };
                Ok((row.clone(), waiting))
            })
            .collect()
    }
}

/// Least and greatest price; 0 and 0 stand for "only lower".
pub(super) fn bounds(offering: &Offering) -> (i64, i64) {
    match (offering.price_floor, offering.price_ceiling) {
        (0, 0) => (0, offering.base_price.as_ref().map_or(0, |base| base.value)),
        bounds => bounds,
    }
}

fn usage(counts: &Counts) -> Usage {
    Usage { open: counts.open, this_week: counts.week, this_month: counts.month, no_shows: counts.no_shows }
}

fn slot_facts(slot: &SlotRow, offering: &Offering) -> SlotFacts {
    SlotFacts {
        offering: id_of(&slot.offering).to_owned(),
        kind: slot.kind.clone(),
        start_time: Some(timestamp(slot.start)),
        length_min: i32::try_from((slot.end.micros() - slot.start.micros()) / 60_000_000).unwrap_or(i32::MAX),
        capacity: slot.capacity,
        taken: slot.taken,
        tags: offering.tags.clone(),
    }
}
