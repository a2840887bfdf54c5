//! Rows as callers see them: in their language, and what residents typed only for those who may read it.

use linli_kernel::Lang;
use linli_kit::check::{etag, timestamp};
use linli_kit::crypto::Aad;
use linli_kit::{Ctx, Error, Result};
use linli_proto::booking::booking::Details;
use linli_proto::booking::{Booking, Receipt, Slot};
use linli_proto::common::answer::Value;
use linli_proto::common::{Amount, Answer, Reason};
use linli_proto::rules::EvaluateRequest;
use prost::Message as _;

use super::{App, events};
use crate::ids::{BookingId, ReceiptId};
use crate::store;
use crate::store::bookings::BookingRow;
use crate::store::receipts::ReceiptRow;
use crate::store::slots::SlotRow;

/// What a receipt keeps, sealed.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Kept {
    /// What residents read of it.
    #[prost(message, optional, tag = "1")]
    pub(super) told: Option<Receipt>,
    /// The question as rules saw it, so that it can be asked again; absent when no rule was asked, or about too many at once.
    #[prost(message, optional, tag = "2")]
    pub(super) asked: Option<EvaluateRequest>,
}

/// A slot as everybody sees it.
pub(super) fn slot(row: &SlotRow) -> Slot {
    Slot {
        name: row.name(),
        schedule: row.schedule.clone(),
        offering: row.offering.clone(),
        station: row.station.clone(),
        start_time: Some(timestamp(row.start)),
        end_time: Some(timestamp(row.end)),
        capacity: row.capacity,
        taken: row.taken,
        waiting: row.waiting,
        state: i32::try_from(row.state).unwrap_or(0),
    }
}

/// The reasons with their message in the caller's language.
fn in_language(mut reasons: Vec<Reason>, lang: Lang) -> Vec<Reason> {
    for reason in &mut reasons {
        let Some(text) = &reason.text else { continue };
        let (first, second) = match lang {
            Lang::ZhCn => (&text.zh_cn, &text.en),
            Lang::En => (&text.en, &text.zh_cn),
        };
        reason.message = if first.is_empty() { second.clone() } else { first.clone() };
    }
    reasons
}

impl App {
    /// A receipt in the caller's language.
    pub(super) fn view_receipt(&self, row: &ReceiptRow, lang: Lang) -> Result<Receipt> {
        let told = self.open_receipt(row)?.told.unwrap_or_default();
        Ok(Receipt {
            name: format!("areas/{}/receipts/{}", row.area, row.id),
            booking: format!("areas/{}/bookings/{}", row.area, row.booking),
            hook: row.hook.clone(),
            verdict: row.verdict.clone(),
            reasons: in_language(told.reasons, lang),
            rules: told.rules,
            facts_json: told.facts_json,
            create_time: Some(timestamp(row.created)),
        })
    }

    fn receipt_place<'a>(area: &'a str, id: &'a [u8]) -> Aad<'a> {
        Aad { table: "receipt", column: "spec_enc", area, id }
    }

    /// Seals what a receipt keeps: facts about a person, though under a pseudonym.
    pub(super) fn seal_receipt(&self, area: &str, id: ReceiptId, kept: &Kept) -> Vec<u8> {
        let id = linli_kernel::Id::uuid(id);
        self.keyring().seal(Self::receipt_place(area, id.as_bytes()), &kept.encode_to_vec())
    }

    /// What a receipt keeps.
    ///
    /// # Errors
    /// INTERNAL when it was sealed otherwise or is no longer what was sealed.
    pub(super) fn open_receipt(&self, row: &ReceiptRow) -> Result<Kept> {
        let id = linli_kernel::Id::uuid(row.id);
        let kept = self.keyring().open(Self::receipt_place(&row.area, id.as_bytes()), &row.spec_enc)?;
        Kept::decode(kept.as_slice()).map_err(Error::internal)
    }

    fn secret_place<'a>(area: &'a str, id: &'a [u8]) -> Aad<'a> {
        Aad { table: "booking", column: "secret_enc", area, id }
    }

    /// Seals what a resident answered and described.
    pub(super) fn seal_secret(&self, area: &str, id: BookingId, secret: &Booking) -> Vec<u8> {
        let id = linli_kernel::Id::uuid(id);
        self.keyring().seal(Self::secret_place(area, id.as_bytes()), &secret.encode_to_vec())
    }

    /// What a resident answered, as it was sealed.
    fn secret_of(&self, row: &BookingRow) -> Result<Booking> {
        let id = linli_kernel::Id::uuid(row.id);
        let secret = self.keyring().open(Self::secret_place(&row.area, id.as_bytes()), &row.secret_enc)?;
        Booking::decode(secret.as_slice()).map_err(Error::internal)
    }

    /// The answers of a booking, texts included.
    pub(super) fn answers_of(&self, row: &BookingRow) -> Result<Vec<Answer>> {
        Ok(self.secret_of(row)?.answers)
    }

    /// What the resident was told about the present state.
    pub(super) fn told(&self, row: &BookingRow) -> Result<Vec<Reason>> {
        Ok(self.secret_of(row)?.reasons)
    }

    /// Tells the resident something else about the present state.
    pub(super) fn tell(&self, row: &mut BookingRow, reasons: Vec<Reason>) -> Result<()> {
        let secret = Booking { reasons, ..self.secret_of(row)? };
        row.secret_enc = self.seal_secret(&row.area, row.id, &secret);
        Ok(())
    }

    /// A booking; `texts`: with what the resident typed.
    pub(super) async fn view_booking(&self, ctx: &Ctx, row: &BookingRow, texts: bool) -> Result<Booking> {
        let places = store::bookings::positions(self.store().reader(), std::slice::from_ref(row)).await?;
        self.view_at(ctx, row, texts, places.get(&row.id).copied())
    }

    /// The same of a booking whose place on the waitlist is known.
    pub(super) fn view_at(&self, ctx: &Ctx, row: &BookingRow, texts: bool, place: Option<i32>) -> Result<Booking> {
        let mut booking = Booking::decode(row.spec.as_slice()).map_err(Error::internal)?;
        let secret = self.secret_of(row)?;
        booking.answers = secret.answers;
        if texts {
            if let (Some(Details::Visit(visit)), Some(Details::Visit(typed))) = (&mut booking.details, secret.details) {
                visit.description = typed.description;
            }
        } else {
            booking.answers.retain(|answer| !matches!(answer.value, Some(Value::Text(_))));
        }
        let price = row.priced().then(|| Amount { asset: row.price_asset.clone(), value: row.price_value });
        Ok(Booking {
            name: row.name(),
            slot: row.slot_name(),
            resident: row.resident.clone(),
            party: row.party,
            state: events::proto_state(row.state),
            reasons: in_language(secret.reasons, ctx.lang),
            offering: row.offering.clone(),
            booked_by: row.booked_by.clone(),
            on_behalf: row.on_behalf,
            price,
            priority: row.priority,
            waitlist_position: place.unwrap_or(0),
            start_time: Some(timestamp(row.window.start)),
            hold: row.hold.clone(),
            settlement: i32::try_from(row.settlement.number()).unwrap_or(0),
            etag: etag(row.version),
            create_time: Some(timestamp(row.created)),
            update_time: Some(timestamp(row.updated)),
            ..booking
        })
    }
}
