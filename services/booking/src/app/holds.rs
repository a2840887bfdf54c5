//! What a priced booking asks of the ledger, as durable calls: hold, capture, give back.

use std::sync::Arc;

use async_trait::async_trait;
use linli_kernel::{Id as _, Timestamp};
use linli_kit::check::timestamp;
use linli_kit::durable::{CallRow, DurableCalls, NewCall, Outcome, Target, Targets};
use linli_kit::ids::new_v7;
use linli_kit::serve::PeerService;
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, Result};
use linli_proto::common::Amount;
use linli_proto::points::points_service_client::PointsServiceClient;
use linli_proto::points::{CaptureHoldRequest, CreateHoldRequest, GetHoldRequest, Hold, HoldState, VoidHoldRequest};
use prost::Message;
use tonic::{Code, Status};
use uuid::Uuid;

use super::{App, area_of, id_of};
use crate::domain::{Settlement, State};
use crate::ids::BookingId;
use crate::store;
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

/// Steps of a booking in the ledger.
pub(super) const PLACING: u8 = 1;
pub(super) const CAPTURING: u8 = 2;
pub(super) const VOIDING: u8 = 3;

/// The id under which a step of a booking is asked for: the same for every attempt of one try, another for every step and
/// every try. A UUID of version 8 made from the booking's own.
pub(super) fn step_id(booking: BookingId, step: u8, tries: i64) -> Uuid {
    const VERSION: u128 = 0xf << 76;
    // After 256 tries, one an hour, the rows of the first are gone.
    let tries = u128::from(tries.unsigned_abs() & 0xff);
    let mixed = booking.uuid().as_u128() ^ (u128::from(step) << 40) ^ (tries << 48);
    Uuid::from_u128((mixed & !VERSION) | (8 << 76))
}

fn call(ctx: &Ctx, row: &BookingRow, target: &str, request_id: Uuid, request: &impl Message) -> NewCall {
    NewCall {
        area: row.area.clone(),
        target: target.to_owned(),
        subject: row.name(),
        request: request.encode_to_vec(),
        request_id,
        trace_id: ctx.trace_id.clone(),
        cause: row.name().into(),
    }
}

/// Asks for the price to be set aside.
pub(super) async fn enqueue_place(durable: &DurableCalls, tx: &Tx<'_>, ctx: &Ctx, row: &BookingRow) -> Result<()> {
    let request_id = step_id(row.id, PLACING, 0);
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
        request_id: request_id.to_string(),
    };
    durable.enqueue(tx, &call(ctx, row, PLACE, request_id, &request)).await
}

/// Asks for the held price to be taken; the row says so.
pub(super) async fn capture(durable: &DurableCalls, tx: &Tx<'_>, ctx: &Ctx, row: &mut BookingRow) -> Result<()> {
    row.settlement = Settlement::Capturing;
    let request_id = step_id(row.id, CAPTURING, row.tries);
    let request = CaptureHoldRequest { name: row.hold.clone(), value: 0, request_id: request_id.to_string() };
    durable.enqueue(tx, &call(ctx, row, CAPTURE, request_id, &request)).await
}

/// Asks for the held price to be given back; a hold whose name is not known yet is given back when it arrives.
pub(super) async fn void(durable: &DurableCalls, tx: &Tx<'_>, ctx: &Ctx, row: &mut BookingRow) -> Result<()> {
    if row.hold.is_empty() {
        return Ok(());
    }
    row.settlement = Settlement::Voiding;
    let request_id = step_id(row.id, VOIDING, row.tries);
    let request = VoidHoldRequest { name: row.hold.clone(), request_id: request_id.to_string() };
    durable.enqueue(tx, &call(ctx, row, VOID, request_id, &request)).await
}

/// Asks for a hold to be given back that names the booking and is not the booking's.
pub(super) async fn void_stray(
    durable: &DurableCalls,
    tx: &Tx<'_>,
    ctx: &Ctx,
    row: &BookingRow,
    hold: &str,
) -> Result<()> {
    let request_id = new_v7::<BookingId>(ctx.now()).uuid();
    let request = VoidHoldRequest { name: hold.to_owned(), request_id: request_id.to_string() };
    durable.enqueue(tx, &call(ctx, row, VOID, request_id, &request)).await
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

impl Ledger {
    /// The hold as it is, when it can no longer be settled because it was settled or fell back before; otherwise the refusal.
    async fn ended(&self, client: &mut PointsServiceClient<PeerService>, hold: &str, refusal: Status) -> Result<Hold> {
        if refusal.code() != Code::FailedPrecondition {
            return Err(Error::from_peer(refusal));
        }
        let request = GetHoldRequest { name: hold.to_owned() };
        let found = client.get_hold(request).await.map_err(Error::from_peer)?.into_inner();
        if found.state() == HoldState::Placed { Err(Error::from_peer(refusal)) } else { Ok(found) }
    }

    /// The hold that a call is about.
    fn hold_of(&self, call: &CallRow) -> Result<String> {
        match self.step {
            Step::Place => Ok(String::new()),
            Step::Capture => decode::<CaptureHoldRequest>(&call.request).map(|request| request.name),
            Step::Void => decode::<VoidHoldRequest>(&call.request).map(|request| request.name),
        }
    }
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
        let hold = match (self.step, answer) {
            (_, Ok(hold)) => hold.into_inner(),
            (Step::Place, Err(refusal)) => return Err(Error::from_peer(refusal)),
            (Step::Capture | Step::Void, Err(refusal)) => {
                self.ended(&mut client, &self.hold_of(call)?, refusal).await?
            }
        };
        Ok(hold.encode_to_vec())
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
            (Step::Capture | Step::Void, Outcome::Answer(bytes)) => {
                let hold: Hold = decode(bytes)?;
                self.app.settled(tx, &ctx, &call.subject, &self.hold_of(call)?, hold.state()).await
            }
            (Step::Capture | Step::Void, Outcome::Refused(refusal)) => {
                let (target, subject, reason) = (&call.target, &call.subject, &refusal.reason);
                tracing::warn!(target, subject, reason, "the ledger refused to settle a hold");
                self.app.settled(tx, &ctx, &call.subject, &self.hold_of(call)?, HoldState::Unspecified).await
            }
        }
    }
}

impl App {
    /// The ledger has said what became of a hold.
    async fn settled(&self, tx: &Tx<'_>, ctx: &Ctx, booking: &str, hold: &str, ended: HoldState) -> Result<()> {
        let id: BookingId = id_of(booking).parse().map_err(Error::internal)?;
        let (_, mut row) = self.lock_booking(tx, area_of(booking), id).await?;
        if row.hold != hold {
            // A stray: the booking's own stands somewhere else.
            return Ok(());
        }
        row.settlement = match (row.state, ended) {
            (State::Completed, HoldState::Captured) => Settlement::Captured,
            (State::Completed, _) => Settlement::Failed,
            (_, HoldState::Voided | HoldState::Expired) => Settlement::Voided,
            (_, HoldState::Captured | HoldState::Placed | HoldState::Unspecified) => Settlement::Failed,
        };
        row.version += 1;
        row.updated = ctx.now();
        store::bookings::update(tx, &row).await
    }
}
