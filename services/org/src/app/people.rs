//! People. Names and tags are stored sealed; a blind index finds people by tag.

use std::sync::Arc;

use linli_access::{Target, Within};
use linli_kernel::{AreaId, Id as _, Name, define_id};
use linli_kit::check::{self, Violations};
use linli_kit::crypto::Aad;
use linli_kit::idempotency::{Once, request_hash};
use linli_kit::page::{KeyPart, PageRequest};
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, FieldViolation, Result, filter, ids};
use linli_proto::org as pb;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, EntityTrait as _, IntoActiveModel as _, Order,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use uuid::Uuid;

use super::App;
use super::households::{HouseholdId, household_name};
use crate::store::entities::{household, person, person_tag};
use crate::store::{INSERT_CHUNK, add_counts, household_of, units_of};

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
        let query = [r.parent.as_str(), &r.filter, &r.order_by];
        let page = PageRequest::parse(&self.parts.keyring, &ctx.method.path, &query, r.page_size, &r.page_token)?;
        let (tags, rest) = split_tags(&r.filter);
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
        let mut hashed = request.clone();
        hashed.request_id.clear();
        let hash = request_hash(&self.parts.keyring, &ctx.method.path, &hashed);
        let unit = unit.map(|u| u.id().to_owned()).unwrap_or_default();
        let draft = self.new_person(ctx, &area, &wanted, household.map(HouseholdId::uuid), &unit);
        let done = self
            .parts
            .store
            .write_once(ctx, area.as_str(), &request.request_id, hash, "org.create_person", |tx| {
                let (area, draft) = (&area, &draft);
                Box::pin(async move {
                    let mut draft = draft.clone();
                    if let Some(id) = draft.0.household {
                        let row = household_of(tx.conn(), area.as_str(), id).await?;
                        let row =
                            row.ok_or_else(|| reference("person.household", household_name(area.as_str(), id)))?;
                        draft.0.unit.clone_from(&row.unit);
                        household::Entity::update_many()
                            .col_expr(household::Column::People, Expr::col(household::Column::People).add(1))
                            .col_expr(household::Column::Revision, Expr::col(household::Column::Revision).add(1))
                            .filter(household::Column::Area.eq(area.as_str()))
                            .filter(household::Column::Id.eq(id))
                            .exec(tx.conn())
                            .await?;
                    }
                    if !draft.0.unit.is_empty() {
                        let units = units_of(tx.conn(), area.as_str(), vec![draft.0.unit.clone()]).await?;
                        if units.is_empty() {
                            return Err(reference("person.unit", unit_name(area.as_str(), &draft.0.unit)));
                        }
                        add_counts(tx, area.as_str(), &draft.0.unit, 0, 1).await?;
                    }
                    self.insert_people(tx, area, &[&draft]).await?;
                    Ok((person_name(area.as_str(), draft.0.id), draft.0))
                })
            })
            .await?;
        match done {
            Once::Done(row) => self.person_proto(row),
            Once::Repeat(name) => {
                let (area, id) = check::recorded::<PersonId>("name", &name, "people")?;
                self.read_person(ctx, &area, id).await
            }
        }
    }

    /// Changes a person's name, birth year or tags.
    pub(crate) async fn update_person(&self, ctx: &Arc<Ctx>, request: pb::UpdatePersonRequest) -> Result<pb::Person> {
        let wanted = request.person.clone().unwrap_or_default();
        let (area, id) = check::recorded::<PersonId>("person.name", &wanted.name, "people")?;
        self.roles.current(ctx).await?;
        let key = (area.as_str().to_owned(), id.uuid());
        let existing = person::Entity::find_by_id(key.clone()).one(self.parts.store.reader()).await?;
        let unit = existing.as_ref().map(|r| r.unit.clone()).unwrap_or_default();
        self.access.authorise(ctx, &Self::unit_target(&area, &unit))?;
        let paths = check_mask(&request, ctx, &wanted)?;
        let mut hashed = request.clone();
        hashed.request_id.clear();
        let hash = request_hash(&self.parts.keyring, &ctx.method.path, &hashed);
        let done = self
            .parts
            .store
            .write_once(ctx, area.as_str(), &request.request_id, hash, "org.update_person", |tx| {
                let (area, key, wanted, paths, request) = (&area, &key, &wanted, &paths, &request);
                Box::pin(async move {
                    let row = person::Entity::find_by_id(key.clone()).one(tx.conn()).await?;
                    let mut row = row.ok_or_else(|| Error::not_found(&wanted.name))?;
                    check::check_etag(&wanted.etag, row.revision, &wanted.name)?;
                    if request.validate_only {
                        return Ok((wanted.name.clone(), row));
                    }
                    for path in paths {
                        match path.as_str() {
                            "full_name" => {
                                row.full_name_enc =
                                    self.seal("full_name_enc", area.as_str(), row.id, &wanted.full_name);
                            }
                            "birth_year" => row.birth_year = wanted.birth_year,
                            _ => self.replace_tags(tx, area, &mut row, &wanted.tags).await?,
                        }
                    }
                    row.revision += 1;
                    row.update_us = ctx.now().micros();
                    row.clone().into_active_model().reset_all().update(tx.conn()).await?;
                    Ok((wanted.name.clone(), row))
                })
            })
            .await?;
        match done {
            Once::Done(row) => self.person_proto(row),
            Once::Repeat(_) => self.read_person(ctx, &area, id).await,
        }
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
        bad.range(&format!("{at}.birth_year"), p.birth_year.into(), 1900, ctx.now().to_chrono().year().into());
    }
    bad.max_items(&format!("{at}.tags"), p.tags.len(), MAX_TAGS);
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
    bad.max_chars(&format!("{at}.import_key"), &p.import_key, 100);
}

fn check_mask(request: &pb::UpdatePersonRequest, ctx: &Ctx, wanted: &pb::Person) -> Result<Vec<String>> {
    let mut bad = Violations::new();
    let mut paths = Vec::new();
    if request.allow_missing {
        bad.bad("allow_missing", "PERSON_NOT_BY_UPDATE");
    }
    for path in request.update_mask.iter().flat_map(|m| &m.paths) {
        match path.as_str() {
            "full_name" | "birth_year" | "tags" => paths.push(path.clone()),
            "household" | "unit" | "import_key" => bad.bad(format!("update_mask.{path}"), "FIELD_IMMUTABLE"),
            "name" | "etag" | "create_time" | "update_time" => {
                bad.bad(format!("update_mask.{path}"), "FIELD_OUTPUT_ONLY")
            }
            _ => bad.bad(format!("update_mask.{path}"), "FIELD_UNKNOWN"),
        }
    }
    if request.update_mask.as_ref().is_none_or(|m| m.paths.is_empty()) {
        paths = ["full_name", "birth_year", "tags"].map(str::to_owned).to_vec();
    }
    let checked = pb::Person {
        full_name: if paths.iter().any(|p| p == "full_name") { wanted.full_name.clone() } else { "-".to_owned() },
        ..wanted.clone()
    };
    check_person(&mut bad, ctx, "person", &checked);
    bad.finish()?;
    Ok(paths)
}

/// Takes `tags:code` tests, joined by AND at the top level, out of a filter: tags are found by their blind index.
fn split_tags(filter: &str) -> (Vec<String>, String) {
    let mut tags = Vec::new();
    let rest = filter.split(" AND ").filter(|part| match part.trim().strip_prefix("tags:") {
        Some(tag) => {
            tags.push(tag.trim().trim_matches('"').to_owned());
            false
        }
        None => true,
    });
    let rest = rest.collect::<Vec<_>>().join(" AND ");
    (tags, rest)
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
