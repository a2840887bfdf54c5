//! From the answers of the rules to a booking that can be written: verdict, price, score, receipts.

use linli_kernel::Timestamp;
use linli_kit::idempotency::Claim;
use linli_kit::ids::new_v7;
use linli_kit::{Ctx, Error, Result};
use linli_proto::booking::booking::Details;
use linli_proto::booking::{Booking, Receipt, RuleUse, VisitDetails};
use linli_proto::common::{Amount, Reason};
use linli_proto::rules::evaluate_request::Hook;
use linli_proto::rules::evaluate_response::Answer;
use linli_proto::rules::{EvaluateRequest, EvaluateResponse, Member};
use prost::Message as _;
use serde_json::{Value, json};
use std::sync::Arc;

use super::super::create::{Asked, secret_of, unit_in};
use super::super::facts::{Facts, bounds};
use super::super::rules::{ELIGIBILITY, PRICE, PRIORITY};
use super::super::{App, split};
use super::Place;
use crate::domain::{LocalKey, State, Verdict, Wish};
use crate::store::bookings::BookingRow;
use crate::store::receipts::ReceiptRow;
use crate::store::usage::{Counts, Key};

/// What the write checks beside the facts: usage and offering revision; and where the booking stands in the calendar.
pub(in crate::app) type Fence<'a> = ((Counts, i64), LocalKey, &'a str, Key, Option<Claim>);

/// What the rules say about one booking.
struct Decision {
    verdict: Verdict,
    reasons: Vec<Reason>,
    price: Option<Amount>,
    /// Scores of the queue, the newcomer's last; empty when they were not asked.
    scores: Vec<i32>,
}

impl App {
    /// Writes down what follows from the answers.
    pub(in crate::app) fn place_of(
        &self,
        ctx: &Arc<Ctx>,
        asked: &Asked,
        facts: &Facts<'_>,
        answers: &[(EvaluateRequest, EvaluateResponse)],
        ((counts, revision), local, station_unit, usage, claim): Fence<'_>,
    ) -> Result<Place> {
        let decision = decision_of(facts, answers)?;
        let (slot, offering, now) = (facts.slot, facts.offering, ctx.now());
        let price = decision.price.clone().filter(|price| price.value > 0 && decision.verdict != Verdict::Deny);
        let wish = Wish {
            party: facts.wanted.party,
            verdict: decision.verdict,
            priced: price.is_some(),
            scored: facts.queue.is_some(),
            waitlist: offering.waitlist,
        };
        let (owner, offering_id) = split(&slot.offering);
        let reasons = decision.reasons.clone();
        let spec = Booking { details: public_details(facts), reasons, ..Booking::default() };
        let row = BookingRow {
            area: slot.area.clone(),
            id: asked.id,
            slot: slot.id,
            offering: slot.offering.clone(),
            kind: slot.kind.clone(),
            mode: i64::from(offering.mode),
            tags: offering.tags.join(","),
            resident: asked.resident.clone(),
            unit: unit_in(&slot.area, facts.who),
            station_unit: station_unit.to_owned(),
            booked_by: asked.permit.subject().to_owned(),
            on_behalf: !asked.permit.as_self(),
            party: facts.wanted.party,
            state: State::Refused,
            priority: decision.scores.last().copied().unwrap_or(0),
            seq: 0,
            price_asset: price.as_ref().map(|p| p.asset.clone()).unwrap_or_default(),
            price_value: price.as_ref().map_or(0, |p| p.value),
            hold: String::new(),
            window: slot.window(),
            week: local.week,
            month: local.month,
            expires: None,
            spec: Vec::new(),
            secret_enc: self.seal_secret(&slot.area, asked.id, &secret_of(facts.wanted)),
            created: now,
            updated: now,
            version: 1,
        };
        let queue = facts.queue.as_deref().unwrap_or_default();
        Ok(Place {
            ctx: ctx.clone(),
            usage,
            usage_version: counts.version,
            offering: (owner.to_owned(), offering_id.to_owned(), revision),
            wish,
            spec,
            waits_because: self.reason("slot-full", "REASON_SLOT_FULL", &[]),
            receipts: answers.iter().map(|(ask, answer)| receipt(&row, ask, answer, now)).collect::<Result<_>>()?,
            scores: queue.iter().map(|(row, ..)| row.id).zip(decision.scores.iter().copied()).collect(),
            claim,
            row,
        })
    }
}

/// The details without what the resident typed.
fn public_details(facts: &Facts<'_>) -> Option<Details> {
    match &facts.wanted.details {
        Some(Details::Visit(visit)) => {
            Some(Details::Visit(VisitDetails { household: visit.household.clone(), description: String::new() }))
        }
        other => other.clone(),
    }
}

fn decision_of(facts: &Facts<'_>, answers: &[(EvaluateRequest, EvaluateResponse)]) -> Result<Decision> {
    let base = facts.offering.base_price.clone();
    let mut decision = Decision { verdict: Verdict::Allow, reasons: Vec::new(), price: base, scores: Vec::new() };
    for (ask, answer) in answers {
        match (&ask.hook, &answer.answer) {
            (Some(Hook::Eligibility(_)), Some(Answer::Eligibility(said))) => {
                decision.verdict = match said.verdict() {
                    linli_proto::rules::Verdict::Allow => Verdict::Allow,
                    linli_proto::rules::Verdict::NeedsApproval => Verdict::NeedsApproval,
                    // An answer that says nothing is none: nobody gets in by a fault.
                    linli_proto::rules::Verdict::Deny | linli_proto::rules::Verdict::Unspecified => Verdict::Deny,
                };
                decision.reasons.clone_from(&said.reasons);
            }
            (Some(Hook::Price(_)), Some(Answer::Price(said))) => {
                let (floor, ceiling) = bounds(facts.offering);
                decision.price =
                    said.price.clone().map(|price| Amount { value: price.value.max(floor).min(ceiling), ..price });
            }
            (Some(Hook::Priority(asked)), Some(Answer::Priority(said))) if said.scores.len() == asked.queue.len() => {
                decision.scores.clone_from(&said.scores);
            }
            _ => return Err(Error::internal("rules answered another question")),
        }
    }
    Ok(decision)
}

fn receipt(row: &BookingRow, ask: &EvaluateRequest, answer: &EvaluateResponse, now: Timestamp) -> Result<ReceiptRow> {
    let (hook, verdict, reasons) = match (&ask.hook, &answer.answer) {
        (Some(Hook::Eligibility(_)), Some(Answer::Eligibility(said))) => {
            let verdict = match said.verdict() {
                linli_proto::rules::Verdict::Allow => "allow",
                linli_proto::rules::Verdict::NeedsApproval => "needs-approval",
                linli_proto::rules::Verdict::Deny | linli_proto::rules::Verdict::Unspecified => "deny",
            };
            (ELIGIBILITY, verdict.to_owned(), said.reasons.clone())
        }
        (Some(Hook::Price(_)), Some(Answer::Price(said))) => {
            let price = said.price.as_ref().map_or_else(|| "0".to_owned(), |p| format!("{} {}", p.value, p.asset));
            (PRICE, price, said.reasons.clone())
        }
        (Some(Hook::Priority(_)), Some(Answer::Priority(said))) => {
            (PRIORITY, said.scores.last().copied().unwrap_or(0).to_string(), Vec::new())
        }
        _ => return Err(Error::internal("rules answered another question")),
    };
    let rules = answer.parts.iter().map(|part| RuleUse {
        rule_binding: part.rule_binding.clone(),
        plugin_version: part.plugin_version.clone(),
        digest: part.digest.clone(),
        fuel_used: part.fuel_used,
        fuel_budget: part.fuel_budget,
        verdict: part.verdict.clone(),
    });
    let facts_json = facts_json(ask, answer).to_string();
    let spec = Receipt { reasons, rules: rules.collect(), facts_json, ..Receipt::default() };
    Ok(ReceiptRow {
        area: row.area.clone(),
        id: new_v7(now),
        booking: row.id,
        hook: hook.to_owned(),
        verdict,
        spec: spec.encode_to_vec(),
        created: now,
    })
}

fn member(who: Option<&Member>) -> Value {
    let Some(who) = who else { return Value::Null };
    json!({
        "handle": who.handle, "age_years": who.age_years, "standing": who.standing,
        "joined": who.joined.as_ref().map(|t| t.seconds), "roles": who.roles, "needs": who.needs, "tags": who.tags,
    })
}

/// The facts that the rules saw. A resident is a handle there; the others who wait are counted, not listed.
fn facts_json(ask: &EvaluateRequest, answer: &EvaluateResponse) -> Value {
    let usage = |used: Option<&linli_proto::rules::Usage>| {
        used.map(
            |u| json!({"open": u.open, "this_week": u.this_week, "this_month": u.this_month, "no_shows": u.no_shows}),
        )
    };
    let slot = |slot: Option<&linli_proto::rules::SlotFacts>| {
        slot.map(|s| {
            json!({"offering": s.offering, "kind": s.kind, "start": s.start_time.as_ref().map(|t| t.seconds),
                "length_min": s.length_min, "capacity": s.capacity, "taken": s.taken, "tags": s.tags})
        })
    };
    let amounts = |all: &[Amount]| all.iter().map(|a| json!({"asset": a.asset, "value": a.value})).collect::<Vec<_>>();
    let answers = |all: &[linli_proto::common::Answer]| all.iter().map(answer_json).collect::<Vec<_>>();
    let facts = match &ask.hook {
        Some(Hook::Eligibility(f)) => json!({
            "who": member(f.who.as_ref()), "used": usage(f.used.as_ref()), "slot": slot(f.slot.as_ref()),
            "balances": amounts(&f.balances), "party": f.party, "answers": answers(&f.answers),
        }),
        Some(Hook::Price(f)) => json!({
            "who": member(f.who.as_ref()), "used": usage(f.used.as_ref()), "slot": slot(f.slot.as_ref()),
            "balances": amounts(&f.balances), "base": f.base.as_ref().map(|b| b.value), "floor": f.floor,
            "ceiling": f.ceiling, "answers": answers(&f.answers),
        }),
        Some(Hook::Priority(f)) => {
            let own = f.queue.last();
            json!({
                "who": member(own.and_then(|w| w.who.as_ref())), "used": usage(own.and_then(|w| w.used.as_ref())),
                "slot": slot(f.slot.as_ref()), "queue": f.queue.len(),
            })
        }
        Some(Hook::Award(_)) | None => Value::Null,
    };
    json!({
        "now": ask.now.as_ref().map(|t| t.seconds), "utc_offset_min": ask.utc_offset_min, "seed": ask.seed,
        "revision": answer.revision, "facts": facts,
    })
}

fn answer_json(answer: &linli_proto::common::Answer) -> Value {
    use linli_proto::common::answer::Value as Said;
    match &answer.value {
        Some(Said::Flag(flag)) => json!({"key": answer.key, "flag": flag}),
        Some(Said::Number(number)) => json!({"key": answer.key, "number": number}),
        Some(Said::Choice(choice)) => json!({"key": answer.key, "choice": choice}),
        // Text is sealed and never stands in a receipt.
        Some(Said::Text(_)) | None => json!({"key": answer.key}),
    }
}
