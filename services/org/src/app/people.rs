//! People. Names and tags are stored sealed; a blind index finds people by tag.

use std::sync::Arc;

use linli_access::{Target, Within};
use linli_kernel::{AreaId, Id as _, Name, define_id};
use linli_kit::check::{self, Violations};
use linli_kit::crypto::Aad;
use linli_kit::idempotency::Once;
use linli_kit::page::{KeyPart, PageRequest};
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, FieldViolation, Result, filter, ids};
use linli_proto::org as pb;
use prost_types::FieldMask;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, IntoActiveModel as _, Order, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use uuid::Uuid;

use super::change::{Change, was_current};
use super::households::{HouseholdId, household_name, taken};
use super::mask::{Field, chosen};
use super::{App, by_name};
use crate::domain::tag_filter;
use crate::store::entities::{person, person_tag};
use crate::store::{INSERT_CHUNK, add_counts, add_member, household_of, lock_area, person_keys, unit_of};

define_id!(
    /// Id of a person.
    PersonId,
    "per"
);

/// Tags of one person.
const MAX_TAGS: usize = 16;

/// The full name of a person's resource.
pub(super) fn person_name(area: &str, id: Uuid) -> String {
    format!("areas/{area}/people/{}", PersonId::from_uuid(id))
}

impl App {
    fn seal(&self, column: &'static str, area: &str, id: Uuid, text: &str) -> Vec<u8> {
        self.parts.keyring.seal_text(Aad { table: "person", column, area, id: id.as_bytes() }, text)
    }

    fn open(&self, column: &'static str, row: &person::Model) -> Result<String> {
        let sealed = if column == "full_name_enc" { &row.full_name_enc } else { &row.tags_enc };
        self.parts.keyring.open_text(Aad { table: "person", column, area: &row.area, id: row.id.as_bytes() }, sealed)
    }

    pub(super) fn tags_of(&self, row: &person::Model) -> Result<Vec<String>> {
        let text = self.open("tags_enc", row)?;
        Ok(text.split(' ').filter(|t| !t.is_empty()).map(str::to_owned).collect())
    }

    pub(super) fn person_proto(&self, row: person::Model) -> Result<pb::Person> {
        Ok(pb::Person {
            name: person_name(&row.area, row.id),
            full_name: self.open("full_name_enc", &row)?,
            tags: self.tags_of(&row)?,
            birth_year: row.birth_year,
            household: row.household.map(|h| household_name(&row.area, h)).unwrap_or_default(),
            unit: unit_name(&row.area, &row.unit),
            import_key: row.import_key,
            etag: check::etag(row.revision),
            create_time: Some(check::timestamp_us(row.create_us)),
            update_time: Some(check::timestamp_us(row.update_us)),
        })
    }

    pub(super) fn new_person(
        &self,
        ctx: &Ctx,
        area: &AreaId,
        p: &pb::Person,
        household: Option<Uuid>,
        unit: &str,
    ) -> (person::Model, Vec<String>) {
        let id = ids::new_v7::<PersonId>(ctx.now()).uuid();
        let now = ctx.now().micros();
        let row = person::Model {
            area: area.as_str().to_owned(),
            id,
            household,
            unit: unit.to_owned(),
            full_name_enc: self.seal("full_name_enc", area.as_str(), id, &p.full_name),
            birth_year: p.birth_year,
            tags_enc: self.seal("tags_enc", area.as_str(), id, &p.tags.join(" ")),
            import_key: p.import_key.clone(),
            revision: 1,
            create_us: now,
            update_us: now,
        };
        (row, p.tags.clone())
    }

    pub(super) async fn insert_people(
        &self,
        tx: &Tx<'_>,
        area: &AreaId,
        people: &[&(person::Model, Vec<String>)],
    ) -> Result<()> {
        for chunk in people.chunks(INSERT_CHUNK) {
            let rows = chunk.iter().map(|(row, _)| row.clone().into_active_model());
            person::Entity::insert_many(rows).exec_without_returning(tx.conn()).await?;
        }
        let tags: Vec<person_tag::Model> =
            people.iter().flat_map(|(row, tags)| tags.iter().map(|tag| self.tag_row(area, row.id, tag))).collect();
        for chunk in tags.chunks(INSERT_CHUNK) {
            let rows = chunk.iter().map(|row| row.clone().into_active_model());
            person_tag::Entity::insert_many(rows).exec_without_returning(tx.conn()).await?;
        }
        Ok(())
    }

    fn tag_row(&self, area: &AreaId, person: Uuid, tag: &str) -> person_tag::Model {
        person_tag::Model {
            area: area.as_str().to_owned(),
            tag_idx: self.parts.keyring.blind_index("person_tag.tag", area.as_str(), tag),
            person,
        }
    }

    /// Returns one person.
    pub(crate) async fn get_person(&self, ctx: &Ctx, request: &pb::GetPersonRequest) -> Result<pb::Person> {
        let (area, id) = check::recorded::<PersonId>("name", &request.name, "people")?;
        self.read_person(ctx, &area, id).await
    }

    async fn read_person(&self, ctx: &Ctx, area: &AreaId, id: PersonId) -> Result<pb::Person> {
        let name = person_name(area.as_str(), id.uuid());
        let row =
            person::Entity::find_by_id((area.as_str().to_owned(), id.uuid())).one(self.parts.store.reader()).await?;
        let unit = row.as_ref().map(|r| r.unit.clone()).unwrap_or_default();
        self.access.authorise(ctx, &Self::unit_target(area, &unit).about(&name))?;
        tracing::info!(target: "linli::reads", subject = ctx.caller.recorded_as(), resource = name, "personal data read");
        row.map(|r| self.person_proto(r)).transpose()?.ok_or_else(|| Error::not_found(name))
    }

    /// Lists people by id.
    pub(crate) async fn list_people(&self, ctx: &Ctx, r: &pb::ListPeopleRequest) -> Result<pb::ListPeopleResponse> {
        let area = check::list_parent(&r.parent)?;
        let scope = self.access.scope(ctx, area.as_ref())?;
        by_name(&r.order_by)?;
        let query = [r.parent.as_str(), &r.filter, &r.order_by];
        let page = PageRequest::parse(&self.parts.keyring, &ctx.method.path, &query, r.page_size, &r.page_token)?;
        let (tags, rest) = tag_filter::split(&r.filter).ok_or_else(tags_misplaced)?;
        let fields = [
            filter::FilterField::new("unit", filter::Kind::Ref(unit_value), Expr::col(person::Column::Unit)),
            filter::FilterField::new(
                "household",
                filter::Kind::Ref(household_value),
                Expr::col(person::Column::Household),
            ),
            filter::FilterField::new("birth_year", filter::Kind::Int, Expr::col(person::Column::BirthYear)),
            filter::FilterField::new("import_key", filter::Kind::Text, Expr::col(person::Column::ImportKey)),
        ];
        let visible = scope.condition(|area, within| {
            let here = Condition::all().add(person::Column::Area.eq(area));
            let here = match within {
                Within::All => here,
                Within::Units(units) => here.add(person::Column::Unit.is_in(units.iter().cloned())),
                Within::Person(name) => here.add(person::Column::Id.eq(person_id(name)?)),
            };
            Some(tags.iter().fold(here, |here, tag| here.add(self.tagged(area, tag))))
        });
        let key = [(Expr::col(person::Column::Area), Order::Asc), (Expr::col(person::Column::Id), Order::Asc)];
        let rows = person::Entity::find()
            .filter(visible)
            .filter(filter::condition(&rest, &fields)?)
            .filter(page.condition(&key)?)
            .order_by_asc(person::Column::Area)
            .order_by_asc(person::Column::Id)
            .limit(page.limit())
            .all(self.parts.store.reader())
            .await?;
        tracing::info!(target: "linli::reads", subject = ctx.caller.recorded_as(), resource = r.parent, rows = rows.len(), "personal data read");
        let (rows, next_page_token) = page.cut(rows, |row| vec![KeyPart::Text(row.area.clone()), KeyPart::Id(row.id)]);
        let people = rows.into_iter().map(|p| self.person_proto(p)).collect::<Result<_>>()?;
        Ok(pb::ListPeopleResponse { people, next_page_token })
    }

    /// The condition "carries this tag".
    fn tagged(&self, area: &str, tag: &str) -> sea_orm::sea_query::SimpleExpr {
        let holders = person_tag::Entity::find()
            .select_only()
            .column(person_tag::Column::Person)
            .filter(person_tag::Column::Area.eq(area))
            .filter(person_tag::Column::TagIdx.eq(self.parts.keyring.blind_index("person_tag.tag", area, tag)));
        person::Column::Id.in_subquery(sea_orm::QueryTrait::into_query(holders))
    }

    /// Creates one person, in a household or at a unit.
    pub(crate) async fn create_person(&self, ctx: &Arc<Ctx>, request: pb::CreatePersonRequest) -> Result<pb::Person> {
        let area = check::area("parent", &request.parent)?;
        self.roles.current(ctx).await?;
        let wanted = request.person.clone().unwrap_or_default();
        self.access.authorise(ctx, &Target::area(&area))?;
        self.must_be_area(&area).await?;
        let mut bad = Violations::new();
        check_person(&mut bad, ctx, "person", &wanted);
        let household = bad.optional_name_in("person.household", &wanted.household, "households", &area);
        let unit = bad.optional_name_in("person.unit", &wanted.unit, "units", &area);
        bad.finish()?;
        let household = household.map(|h| h.typed::<HouseholdId>()).transpose();
        let household = household
            .map_err(|e| Error::field(FieldViolation::new("person.household", "NAME_INVALID").arg("detail", e)))?;
        let unit = unit.map(|u| u.id().to_owned()).unwrap_or_default();
        let draft = self.new_person(ctx, &area, &wanted, household.map(HouseholdId::uuid), &unit);
        let change = Change {
            ctx,
            area: &area,
            request_id: &request.request_id,
            hash: self.hash(ctx, &pb::CreatePersonRequest { request_id: String::new(), ..request.clone() }),
            name: "org.create_person",
            validate_only: false,
        };
        let (of, draft) = (&area, &draft);
        let done = self.change(change, |tx| {
            Box::pin(async move {
                lock_area(tx, of.as_str()).await?;
                let row = self.insert_person(tx, ctx, of, draft.clone()).await?;
                Ok((person_name(of.as_str(), row.id), self.person_proto(row)?))
            })
        });
        match done.await? {
            Once::Done(person) => Ok(person),
            Once::Repeat(name) => {
                let (area, id) = check::recorded::<PersonId>("name", &name, "people")?;
                self.read_person(ctx, &area, id).await
            }
        }
    }

    /// Writes a new person; the area is locked.
    async fn insert_person(
        &self,
        tx: &Tx<'_>,
        ctx: &Ctx,
        area: &AreaId,
        mut draft: (person::Model, Vec<String>),
    ) -> Result<person::Model> {
        let slug = area.as_str();
        if let Some(id) = draft.0.household {
            let row = household_of(tx.conn(), slug, id).await?;
            let row = row.ok_or_else(|| reference("person.household", household_name(slug, id)))?;
            draft.0.unit.clone_from(&row.unit);
        }
        let unit = &draft.0.unit;
        if !unit.is_empty() && unit_of(tx.conn(), slug, unit).await?.is_none() {
            return Err(reference("person.unit", unit_name(slug, unit)));
        }
        if !draft.0.import_key.is_empty() {
            let key = draft.0.import_key.clone();
            let in_use = person_keys(tx, slug, std::slice::from_ref(&key)).await?;
            Error::check(taken(&[("person.import_key".to_owned(), key)], in_use))?;
        }
        if let Some(id) = draft.0.household {
            add_member(tx, slug, id, ctx.now().micros()).await?;
        }
        if !unit.is_empty() {
            add_counts(tx, slug, unit, 0, 1).await?;
        }
        self.insert_people(tx, area, &[&draft]).await?;
        Ok(draft.0)
    }

    /// Changes a person's name, birth year or tags.
    pub(crate) async fn update_person(&self, ctx: &Arc<Ctx>, request: pb::UpdatePersonRequest) -> Result<pb::Person> {
        let wanted = request.person.clone().unwrap_or_default();
        let (area, id) = check::recorded::<PersonId>("person.name", &wanted.name, "people")?;
        self.roles.current(ctx).await?;
        let key = (area.as_str().to_owned(), id.uuid());
        let existing = person::Entity::find_by_id(key.clone()).one(self.parts.store.reader()).await?;
        let unit = existing.map(|r| r.unit).unwrap_or_default();
        self.access.authorise(ctx, &Self::unit_target(&area, &unit))?;
        if request.allow_missing {
            return Err(Error::field(FieldViolation::new("allow_missing", "PERSON_NOT_BY_UPDATE")));
        }
        let change = Change {
            ctx,
            area: &area,
            request_id: &request.request_id,
            hash: self.hash(ctx, &pb::UpdatePersonRequest { request_id: String::new(), ..request.clone() }),
            name: "org.update_person",
            validate_only: request.validate_only,
        };
        let (of, key, request) = (&area, &key, &request);
        let done = self.change(change, |tx| {
            Box::pin(async move {
                lock_area(tx, of.as_str()).await?;
                let row = person::Entity::find_by_id(key.clone()).one(tx.conn()).await?;
                let name = person_name(of.as_str(), key.1);
                let row = row.ok_or_else(|| Error::not_found(&name))?;
                let row = self.change_person(tx, ctx, of, row, request).await?;
                Ok((name, self.person_proto(row)?))
            })
        });
        match done.await? {
            Once::Done(person) => Ok(person),
            Once::Repeat(_) => self.read_person(ctx, &area, id).await,
        }
    }

    async fn change_person(
        &self,
        tx: &Tx<'_>,
        ctx: &Ctx,
        area: &AreaId,
        before: person::Model,
        request: &pb::UpdatePersonRequest,
    ) -> Result<person::Model> {
        let wanted = request.person.clone().unwrap_or_default();
        check::check_etag(&wanted.etag, before.revision, &wanted.name)?;
        let old = self.person_proto(before.clone())?;
        let new = merge(ctx, &old, &wanted, request.update_mask.as_ref())?;
        if new == old {
            return Ok(before);
        }
        let mut after = before.clone();
        if new.full_name != old.full_name {
            after.full_name_enc = self.seal("full_name_enc", area.as_str(), before.id, &new.full_name);
        }
        if new.tags != old.tags {
            self.replace_tags(tx, area, &mut after, &new.tags).await?;
        }
        after.birth_year = new.birth_year;
        after.revision += 1;
        after.update_us = ctx.now().micros();
        let row = after.clone();
        let done = person::Entity::update_many()
            .set(person::ActiveModel {
                full_name_enc: Set(row.full_name_enc),
                birth_year: Set(row.birth_year),
                tags_enc: Set(row.tags_enc),
                revision: Set(row.revision),
                update_us: Set(row.update_us),
                ..Default::default()
            })
            .filter(person::Column::Area.eq(area.as_str()))
            .filter(person::Column::Id.eq(before.id))
            .filter(person::Column::Revision.eq(before.revision))
            .exec(tx.conn())
            .await?;
        was_current(done.rows_affected, &old.name)?;
        Ok(after)
    }

    async fn replace_tags(&self, tx: &Tx<'_>, area: &AreaId, row: &mut person::Model, tags: &[String]) -> Result<()> {
        person_tag::Entity::delete_many()
            .filter(person_tag::Column::Area.eq(area.as_str()))
            .filter(person_tag::Column::Person.eq(row.id))
            .exec(tx.conn())
            .await?;
        let rows = tags.iter().map(|tag| self.tag_row(area, row.id, tag).into_active_model());
        if !tags.is_empty() {
            person_tag::Entity::insert_many(rows).exec_without_returning(tx.conn()).await?;
        }
        row.tags_enc = self.seal("tags_enc", area.as_str(), row.id, &tags.join(" "));
        Ok(())
    }
}

/// The id in a person's name.
pub(super) fn person_id(name: &str) -> Option<Uuid> {
    Name::parse(name, "people").ok()?.typed::<PersonId>().ok().map(PersonId::uuid)
}

fn reference(field: &str, value: String) -> Error {
    Error::field(FieldViolation::new(field, "REFERENCE_NOT_FOUND").arg("value", value))
}

pub(super) fn check_person(bad: &mut Violations, ctx: &Ctx, at: &str, p: &pb::Person) {
    bad.text(&format!("{at}.full_name"), &p.full_name, 60);
    if p.birth_year != 0 {
        use chrono::Datelike as _;
        bad.range(format_args!("{at}.birth_year"), p.birth_year.into(), 1900, ctx.now().to_chrono().year().into());
    }
    bad.max_items(format_args!("{at}.tags"), p.tags.len(), MAX_TAGS);
    for (i, tag) in p.tags.iter().enumerate() {
        // Tags are personal: the error says where, never which.
        let place = format!("{at}.tags[{i}]");
        if linli_kernel::Slug::new(tag).is_err() {
            bad.push(FieldViolation::new(&place, "FIELD_FORMAT").arg("expected", "a code such as living-alone"));
        }
        if p.tags[..i].contains(tag) {
            bad.push(FieldViolation::new(&place, "FIELD_DUPLICATE").arg("value", &place));
        }
    }
    bad.max_chars(format_args!("{at}.import_key"), &p.import_key, 100);
}

/// The person as the update wants it, checked.
fn merge(ctx: &Ctx, old: &pb::Person, wanted: &pb::Person, mask: Option<&FieldMask>) -> Result<pb::Person> {
    let fixed = |name, of: fn(&pb::Person) -> &String| {
        let (wanted, old) = (of(wanted), of(old));
        Field::fixed(name, !wanted.is_empty(), wanted != old)
    };
    let fields = [
        Field::free("full_name", !wanted.full_name.is_empty()),
        Field::free("birth_year", wanted.birth_year != 0),
        Field::free("tags", !wanted.tags.is_empty()),
        fixed("household", |p| &p.household),
        fixed("unit", |p| &p.unit),
        fixed("import_key", |p| &p.import_key),
    ];
    let mut bad = Violations::new();
    let mut new = old.clone();
    for path in chosen(&mut bad, "person", mask, &fields) {
        match path {
            "full_name" => new.full_name.clone_from(&wanted.full_name),
            "birth_year" => new.birth_year = wanted.birth_year,
            _ => new.tags.clone_from(&wanted.tags),
        }
    }
    check_person(&mut bad, ctx, "person", &new);
    bad.finish()?;
    Ok(new)
}

fn tags_misplaced() -> Error {
    let detail = "\"tags:code\" stands alone or is joined to the rest by AND, outside parentheses";
    let violation = FieldViolation::new("filter", "FILTER_INVALID").arg("detail", detail);
    Error::field(violation.arg("allowed", "unit, household, birth_year, tags, import_key"))
}

pub(super) fn unit_value(text: &str) -> Option<sea_orm::Value> {
    Name::parse(text, "units").ok().map(|n| n.id().into())
}

fn household_value(text: &str) -> Option<sea_orm::Value> {
    Name::parse(text, "households").ok()?.typed::<HouseholdId>().ok().map(|id| id.uuid().into())
}

pub(super) fn unit_name(area: &str, unit: &str) -> String {
    if unit.is_empty() { String::new() } else { format!("areas/{area}/units/{unit}") }
}
