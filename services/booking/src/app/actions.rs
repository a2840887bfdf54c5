//! What is done with a booking once it exists: approve, refuse, cancel, check in, complete, mark; and cancelling a slot.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use linli_access::{Permit, Target};
use linli_kernel::{AreaId, Name};
use linli_kit::check::{Violations, check_etag, recorded};
use linli_kit::idempotency::Once;
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, FieldViolation, Result};
use linli_proto::booking::{Booking, CancelSlotRequest, Mode, Receipt, Server, Slot};
use linli_proto::common::{Reason, Text};
use prost::Message as _;

use super::decide::opening;
use super::promote::Heads;
use super::request::check_reason;
use super::rules::APPROVAL;
use super::transition::{By, Turn, wrong};
use super::{App, area_id, area_of, id_of, split};
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
    /// Whether the caller may do to this booking what the method declares: at the resident's unit, about themselves, at the
    /// station's unit; and for a guest, as far as a booking on behalf goes, at the unit where the guest lives.
    pub(super) fn authorise_booking(&self, ctx: &Ctx, row: &BookingRow) -> Result<Permit> {
        let area = area_id(&row.area)?;
        let mut target = Target::area(&area).about(row.resident.as_str());
        if !row.unit.is_empty() {
            target = target.at_unit(row.unit.as_str());
        }
        let denied = match self.access.authorise(ctx, &target) {
            Ok(permit) => return Ok(permit),
            Err(denied) => denied,
        };
        if !row.station_unit.is_empty()
            && let Ok(permit) = self.access.authorise(ctx, &Target::area(&area).at_unit(row.station_unit.as_str()))
        {
            return Ok(permit);
        }
        match home_of(row)? {
            Some(home) if FOR_GUESTS.contains(&ctx.method.permission.as_str()) => {
                self.access.authorise(ctx, &home).map_err(|_| denied)
            }
            _ => Err(denied),
        }
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
        let (row, _) = self.authorised(ctx, name).await?;
        let mut servers = Vec::new();
        match action {
            Action::Complete(named) => servers = self.check_servers(ctx, named, &row).await?,
            Action::Refuse(reason) => {
                let mut v = Violations::new();
                check_reason(&mut v, reason.as_ref());
                v.finish()?;
            }
            Action::Approve | Action::Cancel { .. } | Action::CheckIn | Action::NoShow => {}
        }
        let by = self.canceller(ctx, &row).await?;
        let heads = match action {
            Action::Refuse(_) | Action::Cancel { .. } => self.heads(ctx, &row).await,
            Action::Approve | Action::Complete(_) | Action::CheckIn | Action::NoShow => Heads::default(),
        };
        let (area, id, servers, heads) = (row.area.as_str(), row.id, &servers, &heads);
        let call: &Ctx = ctx;
        let once = self.store().write_once(call, area, request_id, hash, "booking.act", |tx| {
            Box::pin(async move {
                let (mut slot, mut row) = self.lock_booking(tx, area, id).await?;
                if let Action::Cancel { etag } = action {
                    check_etag(etag, row.version, name)?;
                }
                let step = step_of(action, &row, by, call).map_err(|problem| wrong(problem, name))?;
                self.record_decision(tx, call, action, &row).await?;
                if matches!(action, Action::Complete(_)) {
                    let mut spec = Booking::decode(row.spec.as_slice()).map_err(Error::internal)?;
                    spec.servers.clone_from(servers);
                    row.spec = spec.encode_to_vec();
                }
                let turn = Turn { step, reasons: self.reasons_of(action), by: by_of(action, call, &row) };
                let row = self.take_step(tx, call, &mut slot, row, turn, heads).await?;
                Ok((row.name(), row))
            })
        });
        match once.await? {
            Once::Done(row) => self.view_booking(ctx, &row, self.serves(ctx, &row)).await,
            Once::Repeat(name) => self.booking_by_name(ctx, &name).await,
        }
    }

    /// In whose name it is given up: residents have a time limit, offices have none.
    async fn canceller(&self, ctx: &Ctx, row: &BookingRow) -> Result<Canceller> {
        // Whoever has an office as well is a resident here all the same.
        if ctx.caller.subject() != Some(row.resident.as_str()) {
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

    /// The receipt of what a person has decided. It has the code only: what a person typed stays with the booking.
    async fn record_decision(&self, tx: &Tx<'_>, ctx: &Ctx, action: &Action, row: &BookingRow) -> Result<()> {
        let of = (row.area.as_str(), row.id);
        let receipt = match action {
            Action::Approve => {
                let told = Receipt { facts_json: "{}".to_owned(), ..Receipt::default() };
                self.receipt_row(of, (APPROVAL, "approved"), (told, None), ctx.now())
            }
            Action::Refuse(_) => {
                let why = self.reason("refused-by-person", "REASON_REFUSED_BY_PERSON", &[]);
                self.refusal(of, APPROVAL, &why, ctx.now())
            }
            Action::Cancel { .. } | Action::CheckIn | Action::Complete(_) | Action::NoShow => return Ok(()),
        };
        store::insert_receipts(tx, &[&receipt]).await
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
        let mut v = Violations::new();
        check_reason(&mut v, request.reason.as_ref());
        v.finish()?;
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
                            let turn = Turn { step, reasons: Some(vec![why.clone()]), by: By::caller(call) };
                            self.change(tx, call, &mut slot, row, turn).await?;
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
        let home = || match home_of(row) {
            Ok(Some(home)) => self.access.authorise_as(ctx, "booking.bookings.serve", &home).is_ok(),
            Ok(None) | Err(_) => false,
        };
        ctx.caller.subject() == Some(row.resident.as_str()) || at(&row.unit) || at(&row.station_unit) || home()
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

/// What those who care for a guest at home may do with a booking elsewhere: make it, read it, give it up.
const FOR_GUESTS: [&str; 4] =
    ["booking.bookings.create", "booking.bookings.get", "booking.bookings.cancel", "booking.receipts.get"];

/// Where a guest lives, when that is known.
fn home_of(row: &BookingRow) -> Result<Option<Target>> {
    if row.home_unit.is_empty() {
        return Ok(None);
    }
    Ok(Some(Target::area(&area_id(area_of(&row.resident))?).at_unit(row.home_unit.as_str())))
}

/// Who acts, and whether in the resident's name.
fn by_of(action: &Action, ctx: &Ctx, row: &BookingRow) -> By {
    match action {
        Action::Cancel { .. } => By::for_resident(ctx, &row.resident),
        Action::Approve | Action::Refuse(_) | Action::CheckIn | Action::Complete(_) | Action::NoShow => By::caller(ctx),
    }
}

impl App {
    /// Who served, with minutes and a shift's role filled in: people who exist. A shift is served by its resident.
    async fn check_servers(&self, ctx: &Ctx, servers: &[Server], row: &BookingRow) -> Result<Vec<Server>> {
        let mut v = Violations::new();
        v.max_items("servers", servers.len(), 20);
        let names = servers.iter().take(20).map(|server| server.person.as_str());
        let mut valid: Vec<&str> = names.filter(|name| Name::parse(name, "people").is_ok()).collect();
        valid.dedup();
        let known = if valid.is_empty() { HashMap::new() } else { self.residents(ctx, &valid).await? };
        let minutes = (row.window.end.micros() - row.window.start.micros()) / 60_000_000;
        let minutes = i32::try_from(minutes.clamp(1, 1440)).unwrap_or(1440);
        let mut seen = HashSet::new();
        let mut served = Vec::with_capacity(servers.len() + 1);
        let shift = row.mode == i64::from(Mode::Shift as i32);
        if shift && servers.iter().all(|server| server.person != row.resident) {
            let role = VOLUNTEER.to_owned();
            served.push(Server { person: row.resident.clone(), minutes, role });
        }
        for (i, server) in servers.iter().enumerate() {
            let at = format!("servers[{i}]");
            match Name::parse(&server.person, "people") {
                Err(problem) => {
                    v.push(FieldViolation::new(format!("{at}.person"), "NAME_INVALID").arg("detail", problem));
                }
                Ok(_) if i < 20 && !known.contains_key(&server.person) => {
                    let missing = FieldViolation::new(format!("{at}.person"), "REFERENCE_NOT_FOUND");
                    v.push(missing.arg("value", &server.person));
                }
                Ok(_) => {}
            }
            if !seen.insert(&server.person) {
                let duplicate = FieldViolation::new(format!("{at}.person"), "FIELD_DUPLICATE");
                v.push(duplicate.arg("value", &server.person));
            }
            v.range(format_args!("{at}.minutes"), i64::from(server.minutes), 0, 1440);
            let mut server =
                Server { minutes: if server.minutes == 0 { minutes } else { server.minutes }, ..server.clone() };
            if !server.role.is_empty() {
                v.code(format_args!("{at}.role"), &server.role);
            } else if shift && server.person == row.resident {
                VOLUNTEER.clone_into(&mut server.role);
            }
            served.push(server);
        }
        v.finish()?;
        Ok(served)
    }
}
