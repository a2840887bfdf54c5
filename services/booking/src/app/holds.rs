//! What a priced booking asks of the ledger, as durable calls: hold, capture, give back.

use std::sync::Arc;

use async_trait::async_trait;
use linli_kernel::{Id as _, Timestamp};
use linli_kit::check::timestamp;
use linli_kit::durable::{CallRow, DurableCalls, NewCall, Outcome, Target, Targets};
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, Result};
use linli_proto::common::Amount;
use linli_proto::points::points_service_client::PointsServiceClient;
use linli_proto::points::{CaptureHoldRequest, CreateHoldRequest, Hold, VoidHoldRequest};
use prost::Message;
use uuid::Uuid;

use super::App;
use crate::ids::BookingId;
use crate::store::bookings::BookingRow;

/// Names of the targets.
pub(super) const PLACE: &str = "points.PlaceHold";
pub(super) const CAPTURE: &str = "points.CaptureHold";
pub(super) const VOID: &str = "points.VoidHold";

/// Purpose that gets what residents pay.
const REDEEMED: &str = "redeemed";
/// A hold outlives its slot by this, so that a booking can be completed some days later.
const MARGIN_SECS: i64 = 7 * 86_400;
/// The ledger keeps no hold longer.
const MOST_SECS: i64 = 100 * 86_400 - 3600;

/// The id under which a step of a booking is asked for: the same for every attempt, another for every step. A UUID of
/// version 8 made from the booking's own.
pub(super) fn step_id(booking: BookingId, step: u8) -> Uuid {
    const VERSION: u128 = 0xf << 76;
    let mixed = booking.uuid().as_u128() ^ (u128::from(step) << 40);
    Uuid::from_u128((mixed & !VERSION) | (8 << 76))
}

fn call(ctx: &Ctx, row: &BookingRow, target: &str, step: u8, request: &impl Message) -> NewCall {
    NewCall {
        area: row.area.clone(),
        target: target.to_owned(),
        subject: row.name(),
        request: request.encode_to_vec(),
        request_id: step_id(row.id, step),
        trace_id: ctx.trace_id.clone(),
        cause: row.name().into(),
    }
}

/// Asks for the price to be set aside.
pub(super) async fn enqueue_place(durable: &DurableCalls, tx: &Tx<'_>, ctx: &Ctx, row: &BookingRow) -> Result<()> {
    let expire = row.window.end.plus_secs(MARGIN_SECS).min(ctx.now().plus_secs(MOST_SECS));
    let request = CreateHoldRequest {
        parent: format!("areas/{}", row.area),
        hold: Some(Hold {
            amount: Some(Amount { asset: row.price_asset.clone(), value: row.price_value }),
            from: row.resident.clone(),
            to: REDEEMED.to_owned(),
            expire_time: Some(timestamp(Timestamp::from_micros(expire.micros()))),
            cause: row.name(),
            ..Hold::default()
        }),
        request_id: step_id(row.id, 1).to_string(),
    };
    durable.enqueue(tx, &call(ctx, row, PLACE, 1, &request)).await
}

/// Asks for the held price to be taken.
pub(super) async fn enqueue_capture(durable: &DurableCalls, tx: &Tx<'_>, ctx: &Ctx, row: &BookingRow) -> Result<()> {
    let request = CaptureHoldRequest { name: row.hold.clone(), value: 0, request_id: step_id(row.id, 2).to_string() };
    durable.enqueue(tx, &call(ctx, row, CAPTURE, 2, &request)).await
}

/// Asks for the held price to be given back; a hold whose name is not known yet is given back when it arrives.
pub(super) async fn enqueue_void(durable: &DurableCalls, tx: &Tx<'_>, ctx: &Ctx, row: &BookingRow) -> Result<()> {
    if row.hold.is_empty() {
        return Ok(());
    }
    let request = VoidHoldRequest { name: row.hold.clone(), request_id: step_id(row.id, 3).to_string() };
    durable.enqueue(tx, &call(ctx, row, VOID, 3, &request)).await
}

/// What booking calls durably.
pub(super) fn targets(app: &Arc<App>) -> Targets {
    let mut targets = Targets::new();
    targets.insert(PLACE, Arc::new(Ledger { app: app.clone(), step: Step::Place }) as Arc<dyn Target>);
    targets.insert(CAPTURE, Arc::new(Ledger { app: app.clone(), step: Step::Capture }));
    targets.insert(VOID, Arc::new(Ledger { app: app.clone(), step: Step::Void }));
    targets
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Place,
    Capture,
    Void,
}

struct Ledger {
    app: Arc<App>,
    step: Step,
}

fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M> {
    M::decode(bytes).map_err(Error::internal)
}

#[async_trait]
impl Target for Ledger {
    async fn call(&self, call: &CallRow) -> Result<Vec<u8>> {
        let mut ctx = self.app.parts.background(std::time::Duration::from_secs(10));
        ctx.trace_id = call.trace_id.clone();
        ctx.cause = call.cause.clone();
        let mut client = PointsServiceClient::new(self.app.parts.peers.to("points", &ctx));
        let answer = match self.step {
            Step::Place => client.create_hold(decode::<CreateHoldRequest>(&call.request)?).await,
            Step::Capture => client.capture_hold(decode::<CaptureHoldRequest>(&call.request)?).await,
            Step::Void => client.void_hold(decode::<VoidHoldRequest>(&call.request)?).await,
        };
        answer.map(|hold| hold.into_inner().encode_to_vec()).map_err(Error::from_peer)
    }

    async fn apply(&self, tx: &Tx<'_>, call: &CallRow, outcome: &Outcome) -> Result<()> {
        let mut ctx = self.app.parts.background(std::time::Duration::from_secs(10));
        ctx.trace_id = call.trace_id.clone();
        ctx.cause = call.subject.as_str().into();
        match (self.step, outcome) {
            (Step::Place, Outcome::Answer(bytes)) => {
                let hold: Hold = decode(bytes)?;
                self.app.hold_answered(tx, &ctx, &call.subject, Ok(hold.name)).await
            }
            (Step::Place, Outcome::Refused(refusal)) => {
                self.app.hold_answered(tx, &ctx, &call.subject, Err(refusal.reason.clone())).await
            }
            // A hold that has fallen back by itself cannot be taken or given back any more.
            (Step::Capture | Step::Void, Outcome::Refused(refusal)) => {
                tracing::warn!(
                    target = call.target,
                    subject = call.subject,
                    reason = refusal.reason,
                    "the ledger refused"
                );
                Ok(())
            }
            (Step::Capture | Step::Void, Outcome::Answer(_)) => Ok(()),
        }
    }
}
