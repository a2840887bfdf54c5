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
use serde_json::{Value, json};
use std::sync::Arc;

use super::super::create::{Asked, secret_of, unit_in};
use super::super::facts::{Facts, bounds};
use super::super::rules::{ELIGIBILITY, PRICE, PRIORITY};
use super::super::transition::SLOT_FULL;
use super::super::view::Kept;
use super::super::{App, split};
use super::Place;
use crate::domain::{LocalKey, Settlement, State, Verdict, Wish};
use crate::ids::BookingId;
use crate::store::bookings::BookingRow;
use crate::store::receipts::ReceiptRow;
use crate::store::usage::{Counts, Key};

/// A queue of more than so many is not kept in a receipt.
const MOST_KEPT: usize = 32;

/// What the write checks beside the facts, and where the booking stands.
pub(in crate::app) struct Fence<'a> {
    /// Usage that the rules saw, with its version.
    pub(in crate::app) counts: Counts,
    /// Revision of the offering.
    pub(in crate::app) revision: i64,
    /// Week and month of the slot.
    pub(in crate::app) local: LocalKey,
    pub(in crate::app) station_unit: &'a str,
    pub(in crate::app) key: Key,
    pub(in crate::app) claim: Option<Claim>,
}

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
        fence: Fence<'_>,
    ) -> Result<Place> {
        let mut decision = decision_of(facts, answers)?;
        let (slot, offering, now) = (facts.slot, facts.offering, ctx.now());
        let mut receipts = Vec::with_capacity(answers.len());
        for (ask, answer) in answers {
            receipts.push(self.receipt((&slot.area, asked.id), ask, answer, now)?);
        }
        let guest = asked.home.as_str() != slot.area;
        if guest && decision.verdict != Verdict::Deny && decision.price.as_ref().is_some_and(|price| price.value > 0) {
            // A guest's points are kept in another area, whose ledger sets nothing aside for this one.
            let why = self.reason("guest-cannot-pay", "REASON_GUEST_CANNOT_PAY", &[]);
            receipts.push(self.refusal((&slot.area, asked.id), PRICE, &why, now));
            decision.verdict = Verdict::Deny;
            decision.reasons.push(why);
        }
        let price = decision.price.clone().filter(|price| price.value > 0 && decision.verdict != Verdict::Deny);
        let wish = Wish {
            party: facts.wanted.party,
            verdict: decision.verdict,
            priced: price.is_some(),
            scored: facts.queue.is_some(),
            waitlist: offering.waitlist,
        };
        let (owner, offering_id) = split(&slot.offering);
        let spec = Booking { details: public_details(facts), ..Booking::default() };
        let mut secret = Booking { reasons: decision.reasons.clone(), ..secret_of(facts.wanted) };
        let secret_enc = self.seal_secret(&slot.area, asked.id, &secret);
        let mut waiting_enc = Vec::new();
        if facts.queue.is_some() {
            secret.reasons.push(self.reason(SLOT_FULL, "REASON_SLOT_FULL", &[]));
            waiting_enc = self.seal_secret(&slot.area, asked.id, &secret);
        }
        let mut row = row_of(asked, facts, &fence, now);
        row.priority = decision.scores.last().copied().unwrap_or(0);
        if let Some(price) = price {
            (row.price_asset, row.price_value) = (price.asset, price.value);
        }
        row.secret_enc = secret_enc;
        let queue = facts.queue.as_deref().unwrap_or_default();
        Ok(Place {
            ctx: ctx.clone(),
            usage: fence.key,
            usage_version: fence.counts.version,
            offering: (owner.to_owned(), offering_id.to_owned(), fence.revision),
            wish,
            spec,
            waiting_enc,
            receipts,
            scores: queue.iter().map(|(row, _)| row.id).zip(decision.scores.iter().copied()).collect(),
            next_seq: slot.next_seq,
            claim: fence.claim,
            row,
        })
    }

    /// The receipt of one answer of the rules.
    fn receipt(
        &self,
        of: (&str, BookingId),
        ask: &EvaluateRequest,
        answer: &EvaluateResponse,
        now: Timestamp,
    ) -> Result<ReceiptRow> {
        let (hook, verdict, reasons) = match (&ask.hook, &answer.answer) {
            (Some(Hook::Eligibility(_)), Some(Answer::Eligibility(said))) => {
                (ELIGIBILITY, verdict_of(said.verdict()).1.to_owned(), said.reasons.clone())
            }
            (Some(Hook::Price(_)), Some(Answer::Price(said))) => {
                let price = said.price.as_ref().map_or_else(|| "0".to_owned(), |p| format!("{} {}", p.value, p.asset));
                (PRICE, price, said.reasons.clone())
            }
            (Some(Hook::Priority(_)), Some(Answer::Priority(said))) => {
                (PRIORITY, said.scores.last().copied().unwrap_or(0).to_string(), Vec::new())
            }
            // Nobody answered: waiting time alone orders the queue.
            (Some(Hook::Priority(_)), None) => (PRIORITY, "fault".to_owned(), Vec::new()),
            _ => return Err(Error::internal("rules answered another question")),
        };
        let facts_json = facts_json(ask, answer).to_string();
        let told = Receipt { reasons, rules: rules_of(answer), facts_json, ..Receipt::default() };
        Ok(self.receipt_row(of, (hook, &verdict), (told, replayable(ask)), now))
    }

    /// The receipt of a refusal that no rule has made.
    pub(in crate::app) fn refusal(
        &self,
        of: (&str, BookingId),
        hook: &str,
        why: &Reason,
        now: Timestamp,
    ) -> ReceiptRow {
        let told = Receipt { reasons: vec![why.clone()], facts_json: "{}".to_owned(), ..Receipt::default() };
        self.receipt_row(of, (hook, "refused"), (told, None), now)
    }

    /// A receipt with what it tells sealed.
    pub(in crate::app) fn receipt_row(
        &self,
        (area, booking): (&str, BookingId),
        (hook, verdict): (&str, &str),
        (told, asked): (Receipt, Option<EvaluateRequest>),
        now: Timestamp,
    ) -> ReceiptRow {
        let id = new_v7(now);
        let kept = Kept { told: Some(told), asked };
        ReceiptRow {
            area: area.to_owned(),
            id,
            booking,
            hook: hook.to_owned(),
            verdict: verdict.to_owned(),
            spec_enc: self.seal_receipt(area, id, &kept),
            created: now,
        }
    }
}

/// The question as a receipt keeps it; that about a long queue is not kept.
pub(in crate::app) fn replayable(ask: &EvaluateRequest) -> Option<EvaluateRequest> {
    match &ask.hook {
        Some(Hook::Priority(facts)) if facts.queue.len() > MOST_KEPT => None,
        _ => Some(ask.clone()),
    }
}

/// The booking before anything is decided: free, refused, with nothing told.
fn row_of(asked: &Asked, facts: &Facts<'_>, fence: &Fence<'_>, now: Timestamp) -> BookingRow {
    let (slot, offering) = (facts.slot, facts.offering);
    let (unit, home_unit) = unit_in(&slot.area, facts.who);
    BookingRow {
        area: slot.area.clone(),
        id: asked.id,
        slot: slot.id,
        offering: slot.offering.clone(),
        kind: slot.kind.clone(),
        mode: i64::from(offering.mode),
        tags: offering.tags.join(","),
        resident: asked.resident.clone(),
        unit,
        station_unit: fence.station_unit.to_owned(),
        booked_by: asked.booked_by.clone(),
        on_behalf: asked.on_behalf,
        party: facts.wanted.party,
        state: State::Refused,
        priority: 0,
        seq: 0,
        price_asset: String::new(),
        price_value: 0,
        hold: String::new(),
        settlement: Settlement::None,
        tries: 0,
        window: slot.window(),
        week: fence.local.week,
        month: fence.local.month,
        expires: None,
        used: fence.counts,
        home_unit,
        spec: Vec::new(),
        secret_enc: Vec::new(),
        created: now,
        updated: now,
        version: 1,
    }
}

/// What a verdict of the rules means here, and its code in a receipt. One that says nothing denies: nobody gets in by a fault.
pub(in crate::app) fn verdict_of(said: linli_proto::rules::Verdict) -> (Verdict, &'static str) {
    match said {
        linli_proto::rules::Verdict::Allow => (Verdict::Allow, "allow"),
        linli_proto::rules::Verdict::NeedsApproval => (Verdict::NeedsApproval, "needs-approval"),
        linli_proto::rules::Verdict::Deny | linli_proto::rules::Verdict::Unspecified => (Verdict::Deny, "deny"),
    }
}

/// The rules that took part in an answer.
pub(in crate::app) fn rules_of(answer: &EvaluateResponse) -> Vec<RuleUse> {
    let rules = answer.parts.iter().map(|part| RuleUse {
        rule_binding: part.rule_binding.clone(),
        plugin_version: part.plugin_version.clone(),
        digest: part.digest.clone(),
        fuel_used: part.fuel_used,
        fuel_budget: part.fuel_budget,
        verdict: part.verdict.clone(),
        stage: part.stage,
    });
    rules.collect()
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
                decision.verdict = verdict_of(said.verdict()).0;
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
            (Some(Hook::Priority(asked)), None) => decision.scores = vec![0; asked.queue.len()],
            _ => return Err(Error::internal("rules answered another question")),
        }
    }
    Ok(decision)
}

fn member(who: Option<&Member>) -> Value {
    let Some(who) = who else { return Value::Null };
    json!({
        "handle": who.handle, "age_years": who.age_years, "standing": who.standing,
        "joined": who.joined.as_ref().map(|t| t.seconds), "roles": who.roles, "tags": who.tags,
    })
}

/// The facts that the rules saw. A resident is a handle there; the others who wait are counted, not listed.
pub(in crate::app) fn facts_json(ask: &EvaluateRequest, answer: &EvaluateResponse) -> Value {
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
                "answers": own.map(|w| answers(&w.answers)).unwrap_or_default(),
            })
        }
        Some(Hook::Award(_) | Hook::Track(_) | Hook::Thresholds(_)) | None => Value::Null,
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
