//! Appointments: who holds which post where, from when until when.

mod posts;

use std::sync::Arc;

use linli_access::{Target, Within};
use linli_kernel::{AreaId, Id as _, Name, Timestamp, define_id};
use linli_kit::check::{self, Violations};
use linli_kit::idempotency::{ClaimOutcome, Once};
use linli_kit::page::{KeyPart, PageRequest};
use linli_kit::store::{EventDraft, Tx};
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result, filter, ids};
use linli_proto::org as pb;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, IntoActiveModel as _, Order, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use super::batch::{Items, at, fresh};
use super::change::{Change, was_current};
use super::people::unit_name;
use super::{App, by_name};
use crate::store::entities::appointment;
use crate::store::{INSERT_CHUNK, lock_area, roles_changed};
use posts::{check_conflicts, check_places};

define_id!(
    /// Id of an appointment.
    AppointmentId,
    "apt"
);

/// Appointments of one batch.
const MAX_BATCH: usize = 1000;

/// An appointment to be made.
struct Draft {
    /// What stands before its fields in the request.
    at: String,
    row: appointment::Model,
}

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
        by_name(&r.order_by)?;
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
        let (drafts, items) = self.check_appointments(ctx, &area, &request, prefix)?;
        let (of, new, claims) = (&area, &drafts, &items);
        let done = self.parts.store.write_until("org.create_appointments", ctx.deadline, |tx| {
            Box::pin(async move {
                let outcomes = claims.claim(tx).await?;
                lock_area(tx, of.as_str()).await?;
                let rows = self.appoint(tx, ctx, of, &fresh(new, &outcomes)).await?;
                Ok((outcomes, rows))
            })
        });
        let (outcomes, rows) = done.await?;
        self.roles.refresh().await?;
        let (now, mut rows) = (ctx.now().micros(), rows.into_iter());
        let mut answers: Vec<pb::Appointment> = Vec::with_capacity(drafts.len());
        for outcome in outcomes {
            answers.push(match outcome {
                ClaimOutcome::SameAs(earlier) => answers[earlier].clone(),
                ClaimOutcome::Repeat(name) => {
                    let (area, id) = check::recorded::<AppointmentId>("name", &name, "appointments")?;
                    let row = self.appointment_row(&area, id).await?;
                    proto(row.ok_or_else(|| Error::not_found(name))?, now)
                }
                ClaimOutcome::New | ClaimOutcome::Reused => {
                    proto(rows.next().ok_or_else(|| Error::internal("a new appointment without a row"))?, now)
                }
            });
        }
        Ok(answers)
    }

    /// Writes new appointments with the access roles of their posts; the area is locked.
    async fn appoint(
        &self,
        tx: &Tx<'_>,
        ctx: &Ctx,
        area: &AreaId,
        drafts: &[&Draft],
    ) -> Result<Vec<appointment::Model>> {
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        let template = self.template(tx.conn(), area).await?.unwrap_or_default();
        let mut bad = check_places(tx, area, drafts).await?;
        let mut rows = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let Some(access_role) = self.access_role(&template, &draft.row.role) else {
                let violation = FieldViolation::new(format!("{}appointment.role", draft.at), "POST_UNKNOWN");
                bad.push(violation.arg("post", &draft.row.role));
                continue;
            };
            rows.push(appointment::Model { access_role, ..draft.row.clone() });
        }
        Error::check(bad)?;
        let fields = drafts.iter().map(|draft| format!("{}appointment.role", draft.at));
        check_conflicts(tx, area, &fields.zip(&rows).collect::<Vec<_>>(), &template).await?;
        for chunk in rows.chunks(INSERT_CHUNK) {
            let models = chunk.iter().map(|row| row.clone().into_active_model());
            appointment::Entity::insert_many(models).exec_without_returning(tx.conn()).await?;
        }
        for row in &rows {
            tx.emit(event(ctx, area, row));
        }
        roles_changed(tx).await?;
        Ok(rows)
    }

    fn check_appointments(
        &self,
        ctx: &Ctx,
        area: &AreaId,
        request: &pb::BatchCreateAppointmentsRequest,
        prefix: &str,
    ) -> Result<(Vec<Draft>, Items)> {
        let mut bad = Violations::new();
        let (mut drafts, mut items) = (Vec::new(), Items::default());
        bad.max_items("requests", request.requests.len(), MAX_BATCH);
        bad.ensure(!request.requests.is_empty(), "requests", "FIELD_REQUIRED");
        for (i, one) in request.requests.iter().enumerate().take(MAX_BATCH) {
            let at = at(prefix, i);
            if !one.parent.is_empty() && one.parent != area.name() {
                bad.push(FieldViolation::new(format!("{at}parent"), "AREA_MISMATCH").arg("area", area.name()));
            }
            let wanted = one.appointment.clone().unwrap_or_default();
            let row = check_appointment(ctx, &mut bad, area, &format!("{at}appointment."), &wanted);
            let bare = pb::CreateAppointmentRequest { parent: area.name(), request_id: String::new(), ..one.clone() };
            items.push(self, (ctx, area), (&mut bad, &at), &one.request_id, &bare, appointment_name(area, row.id));
            drafts.push(Draft { at, row });
        }
        bad.finish()?;
        Ok((drafts, items))
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
        let change = Change {
            ctx,
            area: &area,
            request_id: &request.request_id,
            hash: self.hash(ctx, &pb::EndAppointmentRequest { request_id: String::new(), ..request.clone() }),
            name: "org.end_appointment",
            validate_only: false,
        };
        let (of, request) = (&area, &request);
        let done = self.change(change, |tx| {
            Box::pin(async move {
                lock_area(tx, of.as_str()).await?;
                let key = (of.as_str().to_owned(), id.uuid());
                let row = appointment::Entity::find_by_id(key).one(tx.conn()).await?;
                let row = row.ok_or_else(|| Error::not_found(&request.name))?;
                let row = self.end(tx, ctx, of, row, request).await?;
                Ok((request.name.clone(), proto(row, ctx.now().micros())))
            })
        });
        let done = done.await?;
        self.roles.refresh().await?;
        match done {
            Once::Done(appointment) => Ok(appointment),
            Once::Repeat(_) => {
                let row = self.appointment_row(&area, id).await?.ok_or_else(|| Error::not_found(&request.name))?;
                Ok(proto(row, ctx.now().micros()))
            }
        }
    }

    async fn end(
        &self,
        tx: &Tx<'_>,
        ctx: &Ctx,
        area: &AreaId,
        before: appointment::Model,
        request: &pb::EndAppointmentRequest,
    ) -> Result<appointment::Model> {
        let end = request.end_time.as_ref().map_or_else(|| ctx.now(), check::instant).micros();
        if end < before.start_us {
            return Err(Error::field(FieldViolation::new("end_time", "TERM_EMPTY")));
        }
        if before.end_us.is_some_and(|already| already <= ctx.now().micros()) {
            let ended = Error::new(ErrorCode::FailedPrecondition, "APPOINTMENT_ENDED");
            return Err(ended.with("resource", &request.name));
        }
        if before.end_us == Some(end) {
            return Ok(before);
        }
        let after = appointment::Model { end_us: Some(end), revision: before.revision + 1, ..before.clone() };
        if before.end_us.is_some_and(|already| already < end) {
            let template = self.template(tx.conn(), area).await?.unwrap_or_default();
            check_conflicts(tx, area, &[("end_time".to_owned(), &after)], &template).await?;
        }
        replace(tx, &before, &after).await?;
        tx.emit(event(ctx, area, &after));
        roles_changed(tx).await?;
        Ok(after)
    }
}

fn check_appointment(
    ctx: &Ctx,
    bad: &mut Violations,
    area: &AreaId,
    at: &str,
    wanted: &pb::Appointment,
) -> appointment::Model {
    let unit = bad.optional_name_in(&format!("{at}unit"), &wanted.unit, "units", area);
    if !wanted.appointee.starts_with("systems/") {
        bad.name_in(&format!("{at}appointee"), &wanted.appointee, "people", area);
    } else if wanted.appointee.len() > 80 {
        bad.push(FieldViolation::new(format!("{at}appointee"), "FIELD_TOO_LONG").arg("max", 80));
    }
    bad.code(format_args!("{at}role"), &wanted.role);
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
        access_role: String::new(),
        basis: wanted.basis,
        start_us: start.micros(),
        end_us: end.map(Timestamp::micros),
        revision: 1,
        create_us: ctx.now().micros(),
    }
}

/// Writes the end and the access role of an appointment that is at the revision it was read at.
pub(super) async fn replace(tx: &Tx<'_>, before: &appointment::Model, after: &appointment::Model) -> Result<()> {
    let done = appointment::Entity::update_many()
        .set(appointment::ActiveModel {
            end_us: Set(after.end_us),
            access_role: Set(after.access_role.clone()),
            revision: Set(after.revision),
            ..Default::default()
        })
        .filter(appointment::Column::Area.eq(&before.area))
        .filter(appointment::Column::Id.eq(before.id))
        .filter(appointment::Column::Revision.eq(before.revision))
        .exec(tx.conn())
        .await?;
    was_current(
        done.rows_affected,
        format!("areas/{}/appointments/{}", before.area, AppointmentId::from_uuid(before.id)),
    )
}

fn appointment_name(area: &AreaId, id: uuid::Uuid) -> String {
    format!("areas/{area}/appointments/{}", AppointmentId::from_uuid(id))
}

pub(super) fn event(ctx: &Ctx, area: &AreaId, row: &appointment::Model) -> EventDraft {
    let name = appointment_name(area, row.id);
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
