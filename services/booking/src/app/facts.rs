//! The facts of a decision, and the decision: one call to org, one to points when a rule needs it, one to rules.

use std::collections::HashMap;

use chrono::Datelike as _;
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

use super::request::Wanted;
use super::{App, area_of, id_of};
use crate::domain::calendar::{local_date, utc_offset_min};
use crate::store::bookings::BookingRow;
use crate::store::slots::SlotRow;
use crate::store::usage::Counts;

/// A queue longer than this is not scored anew when somebody joins it; the newcomer alone is.
const MAX_RESCORED: usize = 999;

/// What a decision rests on.
pub(super) struct Facts<'a> {
    pub(super) slot: &'a SlotRow,
    pub(super) offering: &'a Offering,
    pub(super) wanted: &'a Wanted,
    pub(super) who: &'a ResidentFacts,
    pub(super) counts: Counts,
    pub(super) balances: Vec<Amount>,
    /// Those who wait already, with their facts and usage; `None`: the priority is not asked.
    pub(super) queue: Option<Vec<(BookingRow, Member, Counts)>>,
    pub(super) seed: u32,
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

    /// Balances of a resident in the slot's area.
    pub(super) async fn balances(&self, ctx: &Ctx, area: &str, resident: &str) -> Result<Vec<Amount>> {
        let mut client = PointsServiceClient::new(self.parts.peers.to("points", ctx));
        let request = BatchGetBalancesRequest { parent: format!("areas/{area}"), holders: vec![resident.to_owned()] };
        let answer = client.batch_get_balances(request).await.map_err(Error::from_peer)?.into_inner();
        let amounts = answer
            .accounts
            .iter()
            .map(|account| Amount { asset: id_of(&account.asset).to_owned(), value: account.available });
        Ok(amounts.collect())
    }

    /// The resident as rules see one.
    pub(super) fn member(&self, area: &str, facts: &ResidentFacts, now: Timestamp) -> Member {
        let year = local_date(now, self.tz(area)).year();
        let pseudonym = self.keyring().pseudonym(area, &facts.person);
        Member {
            handle: u32::from_str_radix(pseudonym.get(..8).unwrap_or_default(), 16).unwrap_or_default(),
            age_years: if facts.birth_year > 0 { (year - facts.birth_year).max(0) } else { 0 },
            standing: if area_of(&facts.person) == area { "resident" } else { "guest" }.to_owned(),
            joined: facts.create_time,
            roles: facts.roles.clone(),
            needs: facts.tags.clone(),
            tags: facts.tags.clone(),
        }
    }

    /// Asks the rules in force everything that a booking needs, in one call. The requests come back with the answers, in
    /// the order eligibility, price, priority, as far as they were asked.
    pub(super) async fn evaluate(
        &self,
        ctx: &Ctx,
        facts: &Facts<'_>,
    ) -> Result<Vec<(EvaluateRequest, EvaluateResponse)>> {
        let requests = self.requests(ctx, facts);
        let mut client = RulesServiceClient::new(self.parts.peers.to("rules", ctx));
        let request = BatchEvaluateRequest { parent: format!("areas/{}", facts.slot.area), requests: requests.clone() };
        let answer = client.batch_evaluate(request).await.map_err(Error::from_peer)?.into_inner();
        if answer.responses.len() != requests.len() {
            return Err(Error::internal("rules answered another number of requests"));
        }
        Ok(requests.into_iter().zip(answer.responses).collect())
    }

    fn requests(&self, ctx: &Ctx, facts: &Facts<'_>) -> Vec<EvaluateRequest> {
        let (slot, now) = (facts.slot, ctx.now());
        let base = |hook| EvaluateRequest {
            parent: format!("areas/{}", slot.area),
            kind: slot.kind.clone(),
            now: Some(timestamp(now)),
            utc_offset_min: utc_offset_min(now, self.tz(&slot.area)),
            seed: facts.seed,
            hook: Some(hook),
        };
        let who = Some(self.member(&slot.area, facts.who, now));
        let (used, answers) = (Some(usage(&facts.counts)), facts.wanted.for_rules());
        let seen = Some(slot_facts(slot, facts.offering));
        let mut requests = vec![base(Hook::Eligibility(EligibilityFacts {
            who: who.clone(),
            balances: facts.balances.clone(),
            used,
            slot: seen.clone(),
            party: facts.wanted.party,
            answers: answers.clone(),
        }))];
        if let Some(price) = &facts.offering.base_price {
            let (floor, ceiling) = bounds(facts.offering);
            requests.push(base(Hook::Price(PriceFacts {
                who: who.clone(),
                balances: facts.balances.clone(),
                used,
                slot: seen.clone(),
                answers,
                base: Some(price.clone()),
                floor,
                ceiling,
            })));
        }
        if let Some(queue) = &facts.queue {
            let mut waiting: Vec<Waiting> = queue
                .iter()
                .map(|(row, member, counts)| Waiting {
                    who: Some(member.clone()),
                    since: Some(timestamp(row.created)),
                    used: Some(usage(counts)),
                })
                .collect();
            waiting.push(Waiting { who, since: Some(timestamp(now)), used });
            requests.push(base(Hook::Priority(PriorityFacts { slot: seen, queue: waiting })));
        }
        requests
    }

    /// Those who wait, as rules see them; empty when they are too many to be scored anew.
    pub(super) fn queue_facts(
        &self,
        area: &str,
        queue: &[BookingRow],
        residents: &HashMap<String, ResidentFacts>,
        counts: &HashMap<&str, Counts>,
        now: Timestamp,
    ) -> Vec<(BookingRow, Member, Counts)> {
        if queue.len() > MAX_RESCORED {
            return Vec::new();
        }
        let known = queue.iter().filter_map(|row| {
            let facts = residents.get(&row.resident)?;
            let counts = counts.get(row.resident.as_str()).copied().unwrap_or_default();
            Some((row.clone(), self.member(area, facts, now), counts))
        });
        known.collect()
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
