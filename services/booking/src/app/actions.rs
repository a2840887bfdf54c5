//! What is done with a booking once it exists: approve, refuse, cancel, check in, complete, mark; and cancelling a slot.

use std::collections::HashSet;
use std::sync::Arc;

use linli_access::{Permit, Target};
use linli_kernel::AreaId;
use linli_kit::check::{Violations, check_etag, recorded};
use linli_kit::idempotency::Once;
use linli_kit::{Ctx, Error, Result};
use linli_proto::booking::{Booking, CancelSlotRequest, Mode, Server, Slot};
use linli_proto::common::{Reason, Text};
use prost::Message as _;

use super::create::opening;
use super::transition::wrong;
use super::{App, area_id, id_of, split};
use crate::domain::state::Canceller;
use crate::domain::{Opening, Step, WrongState};
use crate::ids::{BookingId, SlotId};
use crate::store;
use crate::store::bookings::BookingRow;
use crate::store::slots::CANCELLED;

/// What is asked of a booking.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    Approve,
    Refuse(Option<Text>),
    Cancel { etag: String },
    CheckIn,
    Complete(Vec<Server>),
    NoShow,
}

impl App {
    /// Whether the caller may do to this booking what the method declares: at the resident's unit, about themselves, or at
    /// the station's unit.
    pub(super) fn authorise_booking(&self, ctx: &Ctx, row: &BookingRow) -> Result<Permit> {
        let area = area_id(&row.area)?;
        let mut target = Target::area(&area).about(row.resident.as_str());
        if !row.unit.is_empty() {
            target = target.at_unit(row.unit.as_str());
        }
        self.access.authorise(ctx, &target).or_else(|denied| {
            if row.station_unit.is_empty() {
                return Err(denied);
            }
            self.access.authorise(ctx, &Target::area(&area).at_unit(row.station_unit.as_str())).map_err(|_| denied)
        })
    }

    /// The booking of a name, when the caller may do to it what the method declares.
    pub(super) async fn authorised(&self, ctx: &Ctx, name: &str) -> Result<(BookingRow, Permit)> {
        let (area, id) = recorded::<BookingId>("name", name, "bookings")?;
        match store::bookings::find(self.store().reader(), area.as_str(), id).await? {
            Some(row) => self.authorise_booking(ctx, &row).map(|permit| (row, permit)),
            None => {
                self.access.authorise(ctx, &Target::area(&area))?;
                Err(Error::not_found(name))
            }
        }
    }

    pub(crate) async fn act(
        &self,
        ctx: &Arc<Ctx>,
        name: &str,
        action: &Action,
        (request_id, hash): (&str, [u8; 32]),
    ) -> Result<Booking> {
        let (row, permit) = self.authorised(ctx, name).await?;
        let servers = match action {
            Action::Complete(servers) => check_servers(servers, &row)?,
            _ => Vec::new(),
        };
        let by = self.canceller(&permit, &row).await?;
        let (area, id, servers) = (row.area.as_str(), row.id, &servers);
        let call: &Ctx = ctx;
        let once = self.store().write_once(call, area, request_id, hash, "booking.act", |tx| {
            Box::pin(async move {
                let (mut slot, mut row) = self.lock_booking(tx, area, id).await?;
                if let Action::Cancel { etag } = action {
                    check_etag(etag, row.version, name)?;
                }
                let step = step_of(action, &row, by, call).map_err(|problem| wrong(problem, name))?;
                let reasons = self.reasons_of(action);
                if matches!(action, Action::Refuse(_)) {
                    // The receipt has the code only: what a person typed stays with the booking.
                    let why = self.reason("refused-by-person", "REASON_REFUSED_BY_PERSON", &[]);
                    self.write_refusal(tx, call, &row, &why).await?;
                }
                if matches!(action, Action::Complete(_)) {
                    let mut spec = Booking::decode(row.spec.as_slice()).map_err(Error::internal)?;
                    spec.servers.clone_from(servers);
                    row.spec = spec.encode_to_vec();
                }
                let row = self.take_step(tx, call, &mut slot, row, step, reasons).await?;
                Ok((row.name(), row))
            })
        });
        match once.await? {
            Once::Done(row) => self.view_booking(ctx, &row, permit.as_self() || self.serves(ctx, &row)).await,
            Once::Repeat(name) => self.booking_by_name(ctx, &name).await,
        }
    }

    /// In whose name it is given up: residents have a time limit, offices have none.
    async fn canceller(&self, permit: &Permit, row: &BookingRow) -> Result<Canceller> {
        if !permit.as_self() {
            return Ok(Canceller::Office);
        }
        let (area, id) = split(&row.offering);
        let offering = self.offerings.find(area, id).await?;
        Ok(Canceller::Resident(offering.map_or_else(Opening::default, |entry| opening(&entry.resource))))
    }

    /// What is told about the new state; `None` leaves what was told before.
    fn reasons_of(&self, action: &Action) -> Option<Vec<Reason>> {
        match action {
            Action::Approve | Action::Cancel { .. } => Some(Vec::new()),
            Action::Refuse(Some(text)) if !(text.zh_cn.is_empty() && text.en.is_empty()) => {
                let text = Some(text.clone());
                Some(vec![Reason { code: "refused-by-person".to_owned(), text, ..Reason::default() }])
            }
            Action::Refuse(_) => Some(vec![self.reason("refused-by-person", "REASON_REFUSED_BY_PERSON", &[])]),
            Action::CheckIn | Action::Complete(_) | Action::NoShow => None,
        }
    }

    pub(crate) async fn cancel_slot(
        &self,
        ctx: &Arc<Ctx>,
        request: &CancelSlotRequest,
        hash: [u8; 32],
    ) -> Result<Slot> {
        let (area, id) = recorded::<SlotId>("name", &request.name, "slots")?;
        let found = store::slots::find(self.store().reader(), area.as_str(), id).await?;
        let mut target = Target::area(&area);
        if let Some(slot) = &found {
            let (station_area, station) = split(&slot.station);
            let station = self.stations.find(station_area, station).await?;
            if let Some(station) = station.filter(|station| !station.resource.unit.is_empty()) {
                target = target.at_unit(id_of(&station.resource.unit));
            }
        }
        self.access.authorise(ctx, &target)?;
        found.ok_or_else(|| Error::not_found(&request.name))?;
        let why = match &request.reason {
            Some(text) if !(text.zh_cn.is_empty() && text.en.is_empty()) => {
                Reason { code: "slot-cancelled".to_owned(), text: Some(text.clone()), ..Reason::default() }
            }
            _ => self.reason("slot-cancelled", "REASON_SLOT_CANCELLED", &[]),
        };
        let (call, area, why): (&Ctx, &AreaId, &Reason) = (ctx, &area, &why);
        let once =
            self.store().write_once(call, area.as_str(), &request.request_id, hash, "booking.cancel_slot", |tx| {
                Box::pin(async move {
                    let slot = store::slots::lock(tx, area.as_str(), id).await?;
                    let mut slot = slot.ok_or_else(|| Error::not_found(&request.name))?;
                    if slot.state == CANCELLED {
                        return Ok((slot.name(), ()));
                    }
                    slot.state = CANCELLED;
                    let mut open = store::bookings::open_of_slot(tx.conn(), area.as_str(), id).await?;
                    // Usage rows are locked in the order in which batches lock them.
                    open.sort_by(|a, b| (&a.kind, &a.resident).cmp(&(&b.kind, &b.resident)));
                    for row in open {
                        // Those who have come already are served.
                        if let Ok(step) = row.claim().cancel(Canceller::Office, call.now()) {
                            self.change(tx, call, &mut slot, row, step, Some(vec![why.clone()])).await?;
                        }
                    }
                    super::events::slot_cancelled(tx, call, &slot);
                    store::slots::update(tx, &slot).await?;
                    Ok((slot.name(), ()))
                })
            });
        once.await?;
        let slot = store::slots::find(self.store().reader(), area.as_str(), id).await?;
        slot.map(|slot| super::view::slot(&slot)).ok_or_else(|| Error::not_found(&request.name))
    }

    /// Whether the caller serves at the booking, and so may read what the resident typed.
    pub(super) fn serves(&self, ctx: &Ctx, row: &BookingRow) -> bool {
        let Ok(area) = area_id(&row.area) else { return false };
        let at = |unit: &str| {
            let target = Target::area(&area);
            let target = if unit.is_empty() { target } else { target.at_unit(unit) };
            self.access.authorise_as(ctx, "booking.bookings.serve", &target).is_ok()
        };
        ctx.caller.subject() == Some(row.resident.as_str()) || at(&row.unit) || at(&row.station_unit)
    }
}

fn step_of(action: &Action, row: &BookingRow, by: Canceller, ctx: &Ctx) -> Result<Step, WrongState> {
    let (claim, now) = (row.claim(), ctx.now());
    match action {
        Action::Approve => claim.approve(now),
        Action::Refuse(_) => claim.refuse(),
        Action::Cancel { .. } => claim.cancel(by, now),
        Action::CheckIn => claim.check_in(now),
        Action::Complete(_) => claim.complete(now),
        Action::NoShow => claim.no_show(now),
    }
}

/// What whoever takes a shift is there, for rules of thanks.
const VOLUNTEER: &str = "volunteer";

/// Who served, with the minutes filled in; a shift is served by its resident as a volunteer.
fn check_servers(servers: &[Server], row: &BookingRow) -> Result<Vec<Server>> {
    let mut v = Violations::new();
    v.max_items("servers", servers.len(), 20);
    let minutes = (row.window.end.micros() - row.window.start.micros()) / 60_000_000;
    let minutes = i32::try_from(minutes.clamp(1, 1440)).unwrap_or(1440);
    let mut seen = HashSet::new();
    let mut served = Vec::with_capacity(servers.len() + 1);
    if row.mode == i64::from(Mode::Shift as i32) && servers.iter().all(|server| server.person != row.resident) {
        let role = VOLUNTEER.to_owned();
        served.push(Server { person: row.resident.clone(), minutes, role });
    }
    for (i, server) in servers.iter().enumerate() {
        let at = format!("servers[{i}]");
        if let Err(problem) = linli_kernel::Name::parse(&server.person, "people") {
            v.push(linli_kit::FieldViolation::new(format!("{at}.person"), "NAME_INVALID").arg("detail", problem));
        }
        if !seen.insert(&server.person) {
            let duplicate = linli_kit::FieldViolation::new(format!("{at}.person"), "FIELD_DUPLICATE");
            v.push(duplicate.arg("value", &server.person));
        }
        v.range(&format!("{at}.minutes"), i64::from(server.minutes), 0, 1440);
        if !server.role.is_empty() {
            v.code(&format!("{at}.role"), &server.role);
        }
        let minutes = if server.minutes == 0 { minutes } else { server.minutes };
        served.push(Server { minutes, ..server.clone() });
    }
    v.finish()?;
    Ok(served)
}
