//! Appointments: who holds which post where, from when until when.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use linli_access::{Target, Within};
use linli_kernel::{AreaId, Id as _, Name, Timestamp, define_id};
use linli_kit::check::{self, Violations};
use linli_kit::idempotency::{Once, request_hash};
use linli_kit::page::{KeyPart, PageRequest};
use linli_kit::store::{EventDraft, Tx};
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result, filter, ids};
use linli_proto::org as pb;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, EntityTrait as _, IntoActiveModel as _, Order,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use uuid::Uuid;

use super::App;
use super::people::{person_id, unit_name};
use crate::domain::template::Template;
use crate::store::entities::{appointment, person};
use crate::store::{INSERT_CHUNK, people_of, roles_changed, running, units_of};

define_id!(
    /// Id of an appointment.
    AppointmentId,
    "apt"
);

/// Appointments of one batch.
const MAX_BATCH: usize = 1000;

impl App {
    /// Returns one appointment.
    pub(crate) async fn get_appointment(
        &self,
        ctx: &Ctx,
        request: &pb::GetAppointmentRequest,
    ) -> Result<pb::Appointment> {
        let (area, id) = check::recorded::<AppointmentId>("name", &request.name, "appointments")?;
        let row = self.appointment_row(&area, id).await?;
        let unit = row.as_ref().map(|r| r.unit.clone()).unwrap_or_default();
        self.access.authorise(ctx, &Self::unit_target(&area, &unit))?;
        row.map(|r| proto(r, ctx.now().micros())).ok_or_else(|| Error::not_found(&request.name))
    }

    async fn appointment_row(&self, area: &AreaId, id: AppointmentId) -> Result<Option<appointment::Model>> {
        let key = (area.as_str().to_owned(), id.uuid());
        Ok(appointment::Entity::find_by_id(key).one(self.parts.store.reader()).await?)
    }

    /// Lists appointments by id, with their state as of an instant.
    pub(crate) async fn list_appointments(
        &self,
        ctx: &Ctx,
        r: &pb::ListAppointmentsRequest,
    ) -> Result<pb::ListAppointmentsResponse> {
        let area = check::list_parent(&r.parent)?;
        let scope = self.access.scope(ctx, area.as_ref())?;
        let as_of = r.as_of_time.as_ref().map_or_else(|| ctx.now(), check::instant).micros();
        let as_of_text = r.as_of_time.as_ref().map(|_| as_of.to_string()).unwrap_or_default();
        let query = [r.parent.as_str(), &r.filter, &r.order_by, &as_of_text];
        let page = PageRequest::parse(&self.parts.keyring, &ctx.method.path, &query, r.page_size, &r.page_token)?;
        let ended =
            Condition::all().add(appointment::Column::EndUs.is_not_null()).add(appointment::Column::EndUs.lte(as_of));
        let state: sea_orm::sea_query::CaseStatement =
            Expr::case(appointment::Column::StartUs.gt(as_of), pb::AppointmentState::Upcoming as i32)
                .case(ended, pb::AppointmentState::Ended as i32)
                .finally(pb::AppointmentState::Active as i32);
        let fields = [
            filter::FilterField::new("unit", filter::Kind::Ref(unit_value), Expr::col(appointment::Column::Unit)),
            filter::FilterField::new("role", filter::Kind::Text, Expr::col(appointment::Column::Role)),
            filter::FilterField::new("appointee", filter::Kind::Text, Expr::col(appointment::Column::Appointee)),
            filter::FilterField::new(
                "state",
                filter::Kind::proto_enum("linli.org.v1.AppointmentState"),
                Expr::Case(Box::new(state)),
            ),
        ];
        let visible = scope.condition(|area, within| {
            let here = Condition::all().add(appointment::Column::Area.eq(area));
            Some(match within {
                Within::All => here,
                Within::Units(units) => here.add(appointment::Column::Unit.is_in(units.iter().cloned())),
                Within::Person(name) => here.add(appointment::Column::Appointee.eq(name)),
            })
        });
        let key =
            [(Expr::col(appointment::Column::Area), Order::Asc), (Expr::col(appointment::Column::Id), Order::Asc)];
        let rows = appointment::Entity::find()
            .filter(visible)
            .filter(filter::condition(&r.filter, &fields)?)
            .filter(page.condition(&key)?)
            .order_by_asc(appointment::Column::Area)
            .order_by_asc(appointment::Column::Id)
            .limit(page.limit())
            .all(self.parts.store.reader())
            .await?;
        let (rows, next_page_token) = page.cut(rows, |row| vec![KeyPart::Text(row.area.clone()), KeyPart::Id(row.id)]);
        let appointments = rows.into_iter().map(|row| proto(row, as_of)).collect();
        Ok(pb::ListAppointmentsResponse { appointments, next_page_token })
    }

    /// Creates one appointment.
    pub(crate) async fn create_appointment(
        &self,
        ctx: &Arc<Ctx>,
        request: pb::CreateAppointmentRequest,
    ) -> Result<pb::Appointment> {
        let batch = pb::BatchCreateAppointmentsRequest { parent: request.parent.clone(), requests: vec![request] };
        let mut made = self.create_appointments(ctx, batch, "").await?;
        made.pop().ok_or_else(|| Error::internal("a batch of one answered nothing"))
    }

    /// Creates up to a thousand appointments, all or none.
    pub(crate) async fn batch_create_appointments(
        &self,
        ctx: &Arc<Ctx>,
        request: pb::BatchCreateAppointmentsRequest,
    ) -> Result<pb::BatchCreateAppointmentsResponse> {
        let appointments = self.create_appointments(ctx, request, "requests").await?;
        Ok(pb::BatchCreateAppointmentsResponse { appointments })
    }

    async fn create_appointments(
        &self,
        ctx: &Arc<Ctx>,
        request: pb::BatchCreateAppointmentsRequest,
        prefix: &str,
    ) -> Result<Vec<pb::Appointment>> {
        let area = check::area("parent", &request.parent)?;
        self.roles.current(ctx).await?;
        self.access.authorise(ctx, &Target::area(&area))?;
        self.must_be_area(&area).await?;
        let template = self.template(&area).await?.unwrap_or_default();
        let rows = self.check_appointments(ctx, &area, &request, &template, prefix)?;
        let request_id = request.requests.first().map(|r| r.request_id.clone()).unwrap_or_default();
        let mut hashed = request.clone();
        hashed.requests.iter_mut().for_each(|r| r.request_id.clear());
        let hash = request_hash(&self.parts.keyring, &ctx.method.path, &hashed);
        let resource = rows.iter().map(|r| AppointmentId::from_uuid(r.id).to_string()).collect::<Vec<_>>().join(",");
        let done = self
            .parts
            .store
            .write_once(ctx, area.as_str(), &request_id, hash, "org.create_appointments", |tx| {
                let (area, rows, template, resource) = (&area, &rows, &template, &resource);
                Box::pin(async move {
                    self.check_places(tx, area, rows, prefix).await?;
                    check_conflicts(tx, ctx, area, rows, template, prefix).await?;
                    for chunk in rows.chunks(INSERT_CHUNK) {
                        let models = chunk.iter().map(|row| row.clone().into_active_model());
                        appointment::Entity::insert_many(models).exec_without_returning(tx.conn()).await?;
                    }
                    for row in rows {
                        tx.emit(event(ctx, area, row));
                    }
                    roles_changed(tx).await?;
                    Ok((resource.clone(), ()))
                })
            })
            .await?;
        self.roles.refresh().await?;
        let now = ctx.now().micros();
        match done {
            Once::Done(()) => Ok(rows.into_iter().map(|row| proto(row, now)).collect()),
            Once::Repeat(resource) => {
                let mut again = Vec::new();
                for id in resource.split(',') {
                    let id = AppointmentId::parse(id).map_err(Error::internal)?;
                    let row = self.appointment_row(&area, id).await?;
                    again.push(proto(row.ok_or_else(|| Error::not_found(id))?, now));
                }
                Ok(again)
            }
        }
    }

    fn check_appointments(
        &self,
        ctx: &Ctx,
        area: &AreaId,
        request: &pb::BatchCreateAppointmentsRequest,
        template: &Template,
        prefix: &str,
    ) -> Result<Vec<appointment::Model>> {
        let mut bad = Violations::new();
        bad.max_items("requests", request.requests.len(), MAX_BATCH);
        bad.ensure(!request.requests.is_empty(), "requests", "FIELD_REQUIRED");
        if request.requests.len() > MAX_BATCH {
            return bad.finish().map(|()| Vec::new());
        }
        let mut rows = Vec::with_capacity(request.requests.len());
        for (i, one) in request.requests.iter().enumerate() {
            let at = if prefix.is_empty() { String::new() } else { format!("{prefix}[{i}].") };
            if !one.parent.is_empty() && one.parent != area.name() {
                bad.push(FieldViolation::new(format!("{at}parent"), "AREA_MISMATCH").arg("area", area.name()));
            }
            let wanted = one.appointment.clone().unwrap_or_default();
            rows.push(self.check_appointment(ctx, &mut bad, area, template, &format!("{at}appointment."), &wanted));
        }
        bad.finish()?;
        Ok(rows)
    }

    fn check_appointment(
        &self,
        ctx: &Ctx,
        bad: &mut Violations,
        area: &AreaId,
        template: &Template,
        at: &str,
        wanted: &pb::Appointment,
    ) -> appointment::Model {
        let unit = bad.optional_name_in(&format!("{at}unit"), &wanted.unit, "units", area);
        if !wanted.appointee.starts_with("systems/") {
            bad.name_in(&format!("{at}appointee"), &wanted.appointee, "people", area);
        } else if wanted.appointee.len() > 80 {
            bad.push(FieldViolation::new(format!("{at}appointee"), "FIELD_TOO_LONG").arg("max", 80));
        }
        bad.code(&format!("{at}role"), &wanted.role);
        let access_role = match template.post(&wanted.role) {
            Some(post) => post.access_role.clone(),
            None if self.access.matrix().bit(&wanted.role).is_some() && wanted.role != "operator" => {
                wanted.role.clone()
            }
            None => {
                bad.push(FieldViolation::new(format!("{at}role"), "POST_UNKNOWN").arg("post", &wanted.role));
                String::new()
            }
        };
        if pb::Basis::try_from(wanted.basis).is_err() {
            bad.bad(format!("{at}basis"), "FIELD_ENUM");
        }
        let start = wanted.start_time.as_ref().map_or_else(|| ctx.now(), check::instant);
        let end = wanted.end_time.as_ref().map(check::instant);
        if end.is_some_and(|end| end <= start) {
            bad.bad(format!("{at}end_time"), "TERM_EMPTY");
        }
        appointment::Model {
            area: area.as_str().to_owned(),
            id: ids::new_v7::<AppointmentId>(ctx.now()).uuid(),
            appointee: wanted.appointee.clone(),
            unit: unit.map(|u| u.id().to_owned()).unwrap_or_default(),
            role: wanted.role.clone(),
            access_role,
            basis: wanted.basis,
            start_us: start.micros(),
            end_us: end.map(Timestamp::micros),
            revision: 1,
            create_us: ctx.now().micros(),
        }
    }

    /// Units and people of the rows must exist.
    async fn check_places(&self, tx: &Tx<'_>, area: &AreaId, rows: &[appointment::Model], prefix: &str) -> Result<()> {
        let mut units: Vec<String> = rows.iter().map(|r| r.unit.clone()).filter(|u| !u.is_empty()).collect();
        units.sort();
        units.dedup();
        let mut known_units = HashSet::new();
        for chunk in units.chunks(INSERT_CHUNK) {
            known_units.extend(units_of(tx.conn(), area.as_str(), chunk.to_vec()).await?.into_iter().map(|u| u.id));
        }
        let people: Vec<Uuid> = rows.iter().filter_map(|r| person_id(&r.appointee)).collect();
        let mut known_people = HashSet::new();
        for chunk in people.chunks(INSERT_CHUNK) {
            let found = people_of(tx.conn(), area.as_str(), chunk.to_vec()).await?;
            known_people.extend(found.into_iter().map(|p: person::Model| p.id));
        }
        let mut bad = Vec::new();
        for (i, row) in rows.iter().enumerate() {
            let at = if prefix.is_empty() { "appointment.".to_owned() } else { format!("{prefix}[{i}].appointment.") };
            if !row.unit.is_empty() && !known_units.contains(&row.unit) {
                let violation = FieldViolation::new(format!("{at}unit"), "REFERENCE_NOT_FOUND");
                bad.push(violation.arg("value", unit_name(area.as_str(), &row.unit)));
            }
            if person_id(&row.appointee).is_some_and(|id| !known_people.contains(&id)) {
                let violation = FieldViolation::new(format!("{at}appointee"), "REFERENCE_NOT_FOUND");
                bad.push(violation.arg("value", &row.appointee));
            }
        }
        Error::check(bad)
    }

    /// Ends an appointment.
    pub(crate) async fn end_appointment(
        &self,
        ctx: &Arc<Ctx>,
        request: pb::EndAppointmentRequest,
    ) -> Result<pb::Appointment> {
        let (area, id) = check::recorded::<AppointmentId>("name", &request.name, "appointments")?;
        self.roles.current(ctx).await?;
        let row = self.appointment_row(&area, id).await?;
        let unit = row.map(|r| r.unit).unwrap_or_default();
        self.access.authorise(ctx, &Self::unit_target(&area, &unit))?;
        let end = request.end_time.as_ref().map_or_else(|| ctx.now(), check::instant).micros();
        let mut hashed = request.clone();
        hashed.request_id.clear();
        let hash = request_hash(&self.parts.keyring, &ctx.method.path, &hashed);
        let done = self
            .parts
            .store
            .write_once(ctx, area.as_str(), &request.request_id, hash, "org.end_appointment", |tx| {
                let (area, request) = (&area, &request);
                Box::pin(async move {
                    let key = (area.as_str().to_owned(), id.uuid());
                    let row = appointment::Entity::find_by_id(key).one(tx.conn()).await?;
                    let mut row = row.ok_or_else(|| Error::not_found(&request.name))?;
                    if end < row.start_us {
                        return Err(Error::field(FieldViolation::new("end_time", "TERM_EMPTY")));
                    }
                    if row.end_us.is_some_and(|already| already <= ctx.now().micros()) {
                        return Err(Error::new(ErrorCode::FailedPrecondition, "APPOINTMENT_ENDED")
                            .with("resource", &request.name));
                    }
                    row.end_us = Some(end);
                    row.revision += 1;
                    row.clone().into_active_model().reset_all().update(tx.conn()).await?;
                    tx.emit(event(ctx, area, &row));
                    roles_changed(tx).await?;
                    Ok((request.name.clone(), row))
                })
            })
            .await?;
        self.roles.refresh().await?;
        let row = match done {
            Once::Done(row) => row,
            Once::Repeat(_) => self.appointment_row(&area, id).await?.ok_or_else(|| Error::not_found(&request.name))?,
        };
        Ok(proto(row, ctx.now().micros()))
    }
}

/// The same person must not hold two posts at one unit that the template keeps apart.
async fn check_conflicts(
    tx: &Tx<'_>,
    ctx: &Ctx,
    area: &AreaId,
    rows: &[appointment::Model],
    template: &Template,
    prefix: &str,
) -> Result<()> {
    let mut held: HashMap<(String, String), Vec<String>> = HashMap::new();
    let mut appointees: Vec<String> = rows.iter().map(|r| r.appointee.clone()).collect();
    appointees.sort();
    appointees.dedup();
    for chunk in appointees.chunks(INSERT_CHUNK) {
        let existing = appointment::Entity::find()
            .filter(appointment::Column::Area.eq(area.as_str()))
            .filter(appointment::Column::Appointee.is_in(chunk.to_vec()))
            .filter(running(ctx.now().micros()))
            .all(tx.conn())
            .await?;
        for row in existing {
            held.entry((row.appointee, row.unit)).or_default().push(row.role);
        }
    }
    let mut bad = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        let roles = held.entry((row.appointee.clone(), row.unit.clone())).or_default();
        let field =
            if prefix.is_empty() { "appointment.role".to_owned() } else { format!("{prefix}[{i}].appointment.role") };
        if roles.contains(&row.role) {
            bad.push(FieldViolation::new(field, "POST_HELD_ALREADY").arg("post", &row.role));
        } else if let Some(other) = template.conflict(&row.role, roles) {
            bad.push(FieldViolation::new(field, "POSTS_CONFLICT").arg("post", &row.role).arg("other", other));
        }
        roles.push(row.role.clone());
    }
    Error::check(bad)
}

fn event(ctx: &Ctx, area: &AreaId, row: &appointment::Model) -> EventDraft {
    let name = format!("areas/{area}/appointments/{}", AppointmentId::from_uuid(row.id));
    let payload = pb::AppointmentChanged {
        appointment: name.clone(),
        appointee: row.appointee.clone(),
        unit: unit_name(area.as_str(), &row.unit),
        role: row.role.clone(),
        access_role: row.access_role.clone(),
        start_time: Some(check::timestamp_us(row.start_us)),
        end_time: row.end_us.map(check::timestamp_us),
    };
    App::event(ctx, "linli.org.v1.AppointmentChanged", area, &name, row.revision, &payload)
}

fn unit_value(text: &str) -> Option<sea_orm::Value> {
    if text.is_empty() {
        return Some("".into());
    }
    Name::parse(text, "units").ok().map(|n| n.id().into())
}

fn proto(row: appointment::Model, as_of_us: i64) -> pb::Appointment {
    let state = if row.start_us > as_of_us {
        pb::AppointmentState::Upcoming
    } else if row.end_us.is_some_and(|end| end <= as_of_us) {
        pb::AppointmentState::Ended
    } else {
        pb::AppointmentState::Active
    };
    pb::Appointment {
        name: format!("areas/{}/appointments/{}", row.area, AppointmentId::from_uuid(row.id)),
        unit: unit_name(&row.area, &row.unit),
        appointee: row.appointee,
        role: row.role,
        basis: row.basis,
        start_time: Some(check::timestamp_us(row.start_us)),
        end_time: row.end_us.map(check::timestamp_us),
        state: state.into(),
        etag: check::etag(row.revision),
        create_time: Some(check::timestamp_us(row.create_us)),
    }
}
