//! Seats that become free go to those who wait, in their order, in the same transaction.
//!
//! Whoever waits was let in by a decision of some time ago. Before the transaction the rules are asked again about the first in
//! the queue; within it that answer counts when nothing of what it rests on has moved. Otherwise the old decision counts as
//! far as the rows still bear it out. The receipt says on which of the two it rests.

use std::collections::HashMap;

use linli_kernel::Timestamp;
use linli_kit::ids::new_v7;
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, Result};
use linli_proto::booking::{Offering, OfferingState, Receipt};
use linli_proto::common::Reason;
use linli_proto::rules::evaluate_response::Answer;
use linli_proto::rules::{EvaluateRequest, EvaluateResponse};
use serde_json::json;

use super::facts::Facts;
use super::place::{facts_json, replayable, rules_of, verdict_of};
use super::request::Wanted;
use super::rules::{BALANCES, Needs, PROMOTION};
use super::transition::{By, SLOT_FULL, Turn};
use super::{App, split};
use crate::domain::waitlist::move_up;
use crate::domain::{Claim, State, Verdict, local_key};
use crate::ids::BookingId;
use crate::store;
use crate::store::bookings::BookingRow;
use crate::store::receipts::ReceiptRow;
use crate::store::slots::{CANCELLED, SlotRow};
use crate::store::usage::{Counts, Key};

/// So many of a queue are asked about when a seat becomes free; whoever comes behind them moves up by the old decision.
const MOST_HEADS: i64 = 8;
/// How often the rules are asked when they change meanwhile.
const ATTEMPTS: u32 = 2;

/// What the rules say now about the first of those who wait.
#[derive(Debug, Default)]
pub(super) struct Heads(HashMap<BookingId, Fresh>);

/// A decision of this moment, with the versions of what it rests on.
#[derive(Debug)]
struct Fresh {
    verdict: Verdict,
    reasons: Vec<Reason>,
    receipt: ReceiptRow,
    usage_version: i64,
    offering_revision: i64,
}

/// What becomes of one whose turn it is.
enum Judgement {
    /// A seat; a person must still approve it when `approval`.
    Seat { approval: bool, reasons: Vec<Reason>, receipt: ReceiptRow },
    /// None: it is refused.
    No { reasons: Vec<Reason>, receipt: ReceiptRow },
}

impl App {
    /// Asks the rules again about those who would move up if this booking freed its seats. When nobody answers, nobody is held
    /// up: the old decisions count.
    pub(super) async fn heads(&self, ctx: &Ctx, row: &BookingRow) -> Heads {
        for _ in 0..ATTEMPTS {
            match self.ask_heads(ctx, row).await {
                Ok(Some(heads)) => return heads,
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, "those who wait move up by the decisions that let them wait");
                    break;
                }
            }
        }
        Heads::default()
    }

    /// `None`: the rules have changed meanwhile.
    async fn ask_heads(&self, ctx: &Ctx, row: &BookingRow) -> Result<Option<Heads>> {
        let reader = self.store().reader();
        let slot = match store::slots::find(reader, &row.area, row.slot).await? {
            Some(slot) if row.state.seated() && slot.waiting > 0 && !slot.window().begun(ctx.now()) => slot,
            _ => return Ok(Some(Heads::default())),
        };
        let (owner, id) = split(&slot.offering);
        let Some(offering) = self.offerings.find(owner, id).await? else { return Ok(Some(Heads::default())) };
        let rows = store::bookings::heads(reader, &slot.area, slot.id, MOST_HEADS).await?;
        let needs = self.needs(ctx, &slot.area, &slot.kind).await?;
        let (counts, requests) = self.head_requests(ctx, &slot, &offering.resource, &rows, &needs).await?;
        let answers = match self.ask_rules(ctx, &slot.area, requests).await {
            Err(error) if self.asked_too_little(ctx, &slot.area, &slot.kind, &needs, &error).await => return Ok(None),
            answered => answered?,
        };
        if !needs.gave(&answers) {
            self.forget_needs(&slot.area, &slot.kind).await;
            return Ok(None);
        }
        let mut heads = HashMap::with_capacity(rows.len());
        for ((row, usage_version), (ask, answer)) in counts.into_iter().zip(&answers) {
            let (verdict, reasons, receipt) = self.fresh(row, ask, answer, ctx.now())?;
            let offering_revision = offering.revision;
            heads.insert(row.id, Fresh { verdict, reasons, receipt, usage_version, offering_revision });
        }
        Ok(Some(Heads(heads)))
    }

    /// The questions about those who wait, and the versions of the usage that stands in them; who is unknown to org is left
    /// out.
    async fn head_requests<'r>(
        &self,
        ctx: &Ctx,
        slot: &SlotRow,
        offering: &Offering,
        rows: &'r [BookingRow],
        needs: &Needs,
    ) -> Result<(Vec<(&'r BookingRow, i64)>, Vec<EvaluateRequest>)> {
        let names: Vec<&str> = rows.iter().map(|row| row.resident.as_str()).collect();
        let residents = self.residents(ctx, &names).await?;
        let wanted = needs.eligibility.has(BALANCES);
        let mut balances = if wanted { self.balances(ctx, &slot.area, &names).await? } else { HashMap::new() };
        // Their prices stand: what they were told they would pay.
        let free = Offering { base_price: None, ..offering.clone() };
        // Another decision than those that let them wait.
        let (tz, decision) = (self.tz(&slot.area)?, new_v7(ctx.now()));
        let (mut versions, mut requests) = (Vec::new(), Vec::new());
        for row in rows {
            let Some(who) = residents.get(&row.resident) else { continue };
            let counts = self.present_usage(self.store().reader(), row, ctx.now()).await?;
            let wanted = Wanted { party: row.party, answers: self.answers_of(row)?, details: None };
            let facts = Facts {
                slot,
                offering: &free,
                wanted: &wanted,
                who,
                counts,
                balances: balances.remove(&row.resident).unwrap_or_default(),
                queue: None,
                seed: super::decide::seed(row.id),
                decision,
                tz,
                needs,
            };
            requests.extend(self.requests(ctx, &facts).into_iter().take(1));
            versions.push((row, counts.version));
        }
        Ok((versions, requests))
    }

    /// What the resident of a waiting booking has used beside it.
    async fn present_usage(
        &self,
        conn: &impl sea_orm::ConnectionTrait,
        row: &BookingRow,
        now: Timestamp,
    ) -> Result<Counts> {
        let key = Key { area: row.area.clone(), kind: row.kind.clone(), resident: row.resident.clone() };
        let local = local_key(row.window.start, self.tz(&row.area)?);
        Ok(store::usage::counts(conn, &key, local, now).await?.without_one())
    }

    fn fresh(
        &self,
        row: &BookingRow,
        ask: &EvaluateRequest,
        answer: &EvaluateResponse,
        now: Timestamp,
    ) -> Result<(Verdict, Vec<Reason>, ReceiptRow)> {
        let Some(Answer::Eligibility(said)) = &answer.answer else {
            return Err(Error::internal("rules answered another question"));
        };
        let (verdict, code) = verdict_of(said.verdict());
        let mut facts = facts_json(ask, answer);
        facts["rests_on"] = json!("asked again");
        let told = Receipt {
            reasons: said.reasons.clone(),
            rules: rules_of(answer),
            facts_json: facts.to_string(),
            ..Receipt::default()
        };
        let asked = replayable(ask);
        let receipt = self.receipt_row((&row.area, row.id), (PROMOTION, code), (told, asked), now);
        Ok((verdict, said.reasons.clone(), receipt))
    }

    /// Gives free seats to those who wait, in their order. Whoever may not have one any more is refused, and the next in line
    /// gets it.
    pub(super) async fn move_waitlist_up(
        &self,
        tx: &Tx<'_>,
        ctx: &Ctx,
        slot: &mut SlotRow,
        heads: &Heads,
    ) -> Result<()> {
        if slot.state == CANCELLED || slot.waiting == 0 || slot.window().begun(ctx.now()) {
            return Ok(());
        }
        let rows = store::bookings::queue(tx.conn(), &slot.area, slot.id).await?;
        let mut queue: Vec<_> = rows.iter().map(store::bookings::waiting).collect();
        let (owner, id) = split(&slot.offering);
        let offering = store::catalogue::spec::<Offering>(tx.conn(), owner, "offerings", id).await?;
        loop {
            let up = move_up(slot.seats().free(), &mut queue);
            if up.is_empty() {
                return Ok(());
            }
            queue.retain(|waiting| !up.contains(&waiting.id));
            for row in up.iter().filter_map(|id| rows.iter().find(|row| row.id == *id)) {
                match self.judge(tx, ctx, row, offering.as_ref(), heads).await? {
                    Judgement::Seat { approval, reasons, receipt } => {
                        let claim = Claim { state: State::Waitlisted { approval }, ..row.claim() };
                        let Ok(step) = claim.promote(ctx.now()) else { continue };
                        let mut seats = slot.seats();
                        if seats.take(row.party) {
                            seats.leave();
                            slot.set_seats(&seats);
                            let turn = Turn { step, reasons: Some(reasons), by: By::service() };
                            self.change(tx, ctx, slot, row.clone(), turn).await?;
                            store::insert_receipts(tx, &[&receipt]).await?;
                        }
                    }
                    Judgement::No { reasons, receipt } => {
                        let Ok(step) = row.claim().turn_down() else { continue };
                        let turn = Turn { step, reasons: Some(reasons), by: By::service() };
                        self.change(tx, ctx, slot, row.clone(), turn).await?;
                        store::insert_receipts(tx, &[&receipt]).await?;
                    }
                }
            }
        }
    }

    /// Whether one who waits may have a seat now.
    async fn judge(
        &self,
        tx: &Tx<'_>,
        ctx: &Ctx,
        row: &BookingRow,
        offering: Option<&(Offering, i64)>,
        heads: &Heads,
    ) -> Result<Judgement> {
        let refuse = |code: &str, text: &str| {
            let why = self.reason(code, text, &[]);
            let receipt = self.refusal((&row.area, row.id), PROMOTION, &why, ctx.now());
            Ok(Judgement::No { reasons: vec![why], receipt })
        };
        let Some((_, revision)) = offering.filter(|(offering, _)| offering.state() != OfferingState::Archived) else {
            return refuse("no-longer-offered", "REASON_NO_LONGER_OFFERED");
        };
        if store::bookings::overlaps(tx.conn(), row).await? {
            return refuse("overlapping-booking", "REASON_OVERLAPPING_BOOKING");
        }
        let used = self.present_usage(tx.conn(), row, ctx.now()).await?;
        let holds = |fresh: &&Fresh| fresh.usage_version == used.version && fresh.offering_revision == *revision;
        if let Some(fresh) = heads.0.get(&row.id).filter(holds) {
            let (reasons, receipt) = (fresh.reasons.clone(), fresh.receipt.clone());
            return Ok(match fresh.verdict {
                Verdict::Deny => Judgement::No { reasons, receipt },
                verdict => Judgement::Seat { approval: verdict == Verdict::NeedsApproval, reasons, receipt },
            });
        }
        self.old_decision(tx, ctx, row, used).await
    }

    /// The decision that let somebody wait, as far as it still holds. Every later booking of the resident was decided with this
    /// one counted; only what was missed since has been seen by nobody, and then a person decides.
    async fn old_decision(&self, tx: &Tx<'_>, ctx: &Ctx, row: &BookingRow, used: Counts) -> Result<Judgement> {
        let old = store::receipts::accepting(tx.conn(), &row.area, row.id).await?;
        let rests_on = old.map(|id| format!("areas/{}/receipts/{id}", row.area)).unwrap_or_default();
        let mut reasons = self.told(row)?;
        reasons.retain(|reason| reason.code != SLOT_FULL);
        let outdated = used.no_shows > row.used.no_shows;
        if outdated {
            reasons.push(self.reason("missed-since", "REASON_MISSED_SINCE", &[]));
        }
        let approval = outdated || row.state == State::Waitlisted { approval: true };
        let told = Receipt {
            reasons: reasons.clone(),
            facts_json: json!({ "rests_on": rests_on }).to_string(),
            ..Receipt::default()
        };
        let code = if approval { "needs-approval" } else { "allow" };
        let receipt = self.receipt_row((&row.area, row.id), (PROMOTION, code), (told, None), ctx.now());
        Ok(Judgement::Seat { approval, reasons, receipt })
    }
}
