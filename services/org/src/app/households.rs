//! Households: created with their people, all or none.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use linli_access::{Target, Within};
use linli_kernel::{AreaId, Id as _, define_id};
use linli_kit::check::{self, Violations};
use linli_kit::idempotency::ClaimOutcome;
use linli_kit::page::{KeyPart, PageRequest};
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, FieldViolation, Result, filter, ids};
use linli_proto::org as pb;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, IntoActiveModel as _, Order, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use uuid::Uuid;

use super::batch::{Items, at, fresh};
use super::people::{check_person, unit_name, unit_value};
use super::{App, by_name};
use crate::store::entities::{household, person};
use crate::store::{INSERT_CHUNK, add_counts, household_keys, household_of, lock_area, person_keys, units_of};

define_id!(
    /// Id of a household.
    HouseholdId,
    "hh"
);

/// Households of one batch.
const MAX_BATCH: usize = 1000;
/// People of one household draft.
const MAX_PEOPLE: usize = 20;

/// The full name of a household's resource.
pub(super) fn household_name(area: &str, id: Uuid) -> String {
    format!("areas/{area}/households/{}", HouseholdId::from_uuid(id))
}

/// A household with its people, to be written together.
struct Draft {
    /// What stands before its fields in the request.
    at: String,
    household: household::Model,
    people: Vec<(person::Model, Vec<String>)>,
}

impl App {
    /// Returns one household.
    pub(crate) async fn get_household(&self, ctx: &Ctx, request: &pb::GetHouseholdRequest) -> Result<pb::Household> {
        let (area, id) = check::recorded::<HouseholdId>("name", &request.name, "households")?;
        let row = household_of(self.parts.store.reader(), area.as_str(), id.uuid()).await?;
        let unit = row.as_ref().map(|r| r.unit.clone()).unwrap_or_default();
        self.access.authorise(ctx, &Self::unit_target(&area, &unit))?;
        row.map(household_proto).ok_or_else(|| Error::not_found(&request.name))
    }

    /// Lists households by id.
    pub(crate) async fn list_households(
        &self,
        ctx: &Ctx,
        r: &pb::ListHouseholdsRequest,
    ) -> Result<pb::ListHouseholdsResponse> {
        let area = check::list_parent(&r.parent)?;
        let scope = self.access.scope(ctx, area.as_ref())?;
        by_name(&r.order_by)?;
        let query = [r.parent.as_str(), &r.filter, &r.order_by];
        let page = PageRequest::parse(&self.parts.keyring, &ctx.method.path, &query, r.page_size, &r.page_token)?;
        let fields =
            [filter::FilterField::new("unit", filter::Kind::Ref(unit_value), Expr::col(household::Column::Unit))];
        let visible = scope.condition(|area, within| {
            let here = Condition::all().add(household::Column::Area.eq(area));
            match within {
                Within::All => Some(here),
                Within::Units(units) => Some(here.add(household::Column::Unit.is_in(units.iter().cloned()))),
                Within::Person(_) => None,
            }
        });
        let key = [(Expr::col(household::Column::Area), Order::Asc), (Expr::col(household::Column::Id), Order::Asc)];
        let rows = household::Entity::find()
            .filter(visible)
            .filter(filter::condition(&r.filter, &fields)?)
            .filter(page.condition(&key)?)
            .order_by_asc(household::Column::Area)
            .order_by_asc(household::Column::Id)
            .limit(page.limit())
            .all(self.parts.store.reader())
            .await?;
        let (rows, next_page_token) = page.cut(rows, |row| vec![KeyPart::Text(row.area.clone()), KeyPart::Id(row.id)]);
        let households = rows.into_iter().map(household_proto).collect();
        Ok(pb::ListHouseholdsResponse { households, next_page_token })
    }

    /// Creates one household without people.
    pub(crate) async fn create_household(
        &self,
        ctx: &Arc<Ctx>,
        request: pb::CreateHouseholdRequest,
    ) -> Result<pb::Household> {
        let draft =
            pb::HouseholdDraft { household: request.household, people: Vec::new(), request_id: request.request_id };
        let batch = pb::BatchCreateHouseholdsRequest { parent: request.parent, requests: vec![draft] };
        let made = self.create_households(ctx, batch, "").await?;
        let first = made.into_iter().next().and_then(|r| r.household);
        first.ok_or_else(|| Error::internal("a batch of one answered nothing"))
    }

    /// Creates households with their people, all or none.
    pub(crate) async fn batch_create_households(
        &self,
        ctx: &Arc<Ctx>,
        request: pb::BatchCreateHouseholdsRequest,
    ) -> Result<pb::BatchCreateHouseholdsResponse> {
        Ok(pb::BatchCreateHouseholdsResponse { households: self.create_households(ctx, request, "requests").await? })
    }

    async fn create_households(
        &self,
        ctx: &Arc<Ctx>,
        request: pb::BatchCreateHouseholdsRequest,
        prefix: &str,
    ) -> Result<Vec<pb::HouseholdResult>> {
        let area = check::area("parent", &request.parent)?;
        self.roles.current(ctx).await?;
        self.access.authorise(ctx, &Target::area(&area))?;
        self.must_be_area(&area).await?;
        let (drafts, items) = self.check_households(ctx, &area, &request, prefix)?;
        let (of, new, claims) = (&area, &drafts, &items);
        let done = self.parts.store.write_until("org.create_households", ctx.deadline, |tx| {
            Box::pin(async move {
                let outcomes = claims.claim(tx).await?;
                lock_area(tx, of.as_str()).await?;
                self.insert_households(tx, ctx, of, &fresh(new, &outcomes)).await?;
                Ok(outcomes)
            })
        });
        let outcomes = done.await?;
        let mut answers: Vec<pb::HouseholdResult> = Vec::with_capacity(drafts.len());
        for (draft, outcome) in drafts.into_iter().zip(outcomes) {
            answers.push(match outcome {
                ClaimOutcome::SameAs(earlier) => answers[earlier].clone(),
                ClaimOutcome::Repeat(name) => self.read_household(&name).await?,
                ClaimOutcome::New | ClaimOutcome::Reused => {
                    let people = draft.people.into_iter().map(|(row, _)| self.person_proto(row));
                    pb::HouseholdResult {
                        household: Some(household_proto(draft.household)),
                        people: people.collect::<Result<_>>()?,
                    }
                }
            });
        }
        Ok(answers)
    }

    /// A household of an earlier call, with its people as they are now.
    async fn read_household(&self, name: &str) -> Result<pb::HouseholdResult> {
        let (area, id) = check::recorded::<HouseholdId>("name", name, "households")?;
        let row = household_of(self.parts.store.reader(), area.as_str(), id.uuid()).await?;
        let people = person::Entity::find()
            .filter(person::Column::Area.eq(area.as_str()))
            .filter(person::Column::Household.eq(id.uuid()))
            .order_by_asc(person::Column::Id)
            .all(self.parts.store.reader())
            .await?;
        Ok(pb::HouseholdResult {
            household: Some(row.map(household_proto).ok_or_else(|| Error::not_found(name))?),
            people: people.into_iter().map(|p| self.person_proto(p)).collect::<Result<_>>()?,
        })
    }

    fn check_households(
        &self,
        ctx: &Ctx,
        area: &AreaId,
        request: &pb::BatchCreateHouseholdsRequest,
        prefix: &str,
    ) -> Result<(Vec<Draft>, Items)> {
        let mut bad = Violations::new();
        let (mut drafts, mut items) = (Vec::new(), Items::default());
        bad.max_items("requests", request.requests.len(), MAX_BATCH);
        bad.ensure(!request.requests.is_empty(), "requests", "FIELD_REQUIRED");
        for (i, one) in request.requests.iter().enumerate().take(MAX_BATCH) {
            let draft = self.check_household(ctx, &mut bad, area, at(prefix, i), one);
            let bare = pb::HouseholdDraft { request_id: String::new(), ..one.clone() };
            let name = household_name(area.as_str(), draft.household.id);
            items.push(self, (ctx, area), (&mut bad, &draft.at), &one.request_id, &bare, name);
            drafts.push(draft);
        }
        bad.finish()?;
        Ok((drafts, items))
    }

    fn check_household(
        &self,
        ctx: &Ctx,
        bad: &mut Violations,
        area: &AreaId,
        at: String,
        one: &pb::HouseholdDraft,
    ) -> Draft {
        let now = ctx.now();
        let wanted = one.household.clone().unwrap_or_default();
        let unit = bad.name_in(&format!("{at}household.unit"), &wanted.unit, "units", area);
        bad.max_chars(format_args!("{at}household.import_key"), &wanted.import_key, 100);
        bad.max_items(format_args!("{at}people"), one.people.len(), MAX_PEOPLE);
        let unit = unit.map(|u| u.id().to_owned()).unwrap_or_default();
        let id = ids::new_v7::<HouseholdId>(now).uuid();
        let mut people = Vec::new();
        for (j, p) in one.people.iter().enumerate().take(MAX_PEOPLE) {
            check_person(bad, ctx, &format!("{at}people[{j}]"), p);
            people.push(self.new_person(ctx, area, p, Some(id), &unit));
        }
        let household = household::Model {
            area: area.as_str().to_owned(),
            id,
            unit,
            import_key: wanted.import_key,
            people: i64::try_from(people.len()).unwrap_or(0),
            revision: 1,
            create_us: now.micros(),
            update_us: now.micros(),
        };
        Draft { at, household, people }
    }

    /// Writes new households with their people; the area is locked.
    async fn insert_households(&self, tx: &Tx<'_>, ctx: &Ctx, area: &AreaId, drafts: &[&Draft]) -> Result<()> {
        let mut counts: HashMap<&str, (i64, i64)> = HashMap::new();
        for draft in drafts {
            let count = counts.entry(&draft.household.unit).or_default();
            *count = (count.0 + 1, count.1 + draft.household.people);
        }
        let mut bad = check_units(tx, area, counts.keys().map(|u| (*u).to_owned()).collect(), drafts).await?;
        bad.extend(check_keys(tx, area, drafts).await?);
        Error::check(bad)?;
        for chunk in drafts.chunks(INSERT_CHUNK) {
            let rows = chunk.iter().map(|d| d.household.clone().into_active_model());
            household::Entity::insert_many(rows).exec_without_returning(tx.conn()).await?;
        }
        let people: Vec<&(person::Model, Vec<String>)> = drafts.iter().flat_map(|d| &d.people).collect();
        self.insert_people(tx, area, &people).await?;
        let mut sorted: Vec<_> = counts.into_iter().collect();
        sorted.sort_unstable();
        for (unit, (households, people)) in sorted {
            add_counts(tx, area.as_str(), unit, households, people).await?;
        }
        for draft in drafts {
            let name = household_name(area.as_str(), draft.household.id);
            let payload =
                pb::HouseholdChanged { household: name.clone(), unit: unit_name(area.as_str(), &draft.household.unit) };
            tx.emit(Self::event(ctx, "linli.org.v1.HouseholdChanged", area, &name, 1, &payload));
        }
        Ok(())
    }
}

/// Every unit that drafts name must exist.
async fn check_units(tx: &Tx<'_>, area: &AreaId, units: Vec<String>, drafts: &[&Draft]) -> Result<Vec<FieldViolation>> {
    let mut found = HashSet::new();
    for chunk in units.chunks(INSERT_CHUNK) {
        found.extend(units_of(tx.conn(), area.as_str(), chunk.to_vec()).await?.into_iter().map(|u| u.id));
    }
    let missing = drafts.iter().filter(|d| !found.contains(&d.household.unit));
    let bad = missing.map(|d| {
        FieldViolation::new(format!("{}household.unit", d.at), "REFERENCE_NOT_FOUND")
            .arg("value", unit_name(area.as_str(), &d.household.unit))
    });
    Ok(bad.collect())
}

/// No import key may be in use, nor stand twice in the batch.
async fn check_keys(tx: &Tx<'_>, area: &AreaId, drafts: &[&Draft]) -> Result<Vec<FieldViolation>> {
    let homes: Vec<(String, String)> = drafts
        .iter()
        .map(|d| (format!("{}household.import_key", d.at), d.household.import_key.clone()))
        .filter(|(_, key)| !key.is_empty())
        .collect();
    let people: Vec<(String, String)> = drafts
        .iter()
        .flat_map(|d| d.people.iter().enumerate().map(move |(j, p)| (d, j, &p.0.import_key)))
        .map(|(d, j, key)| (format!("{}people[{j}].import_key", d.at), key.clone()))
        .filter(|(_, key)| !key.is_empty())
        .collect();
    let keys = |of: &[(String, String)]| of.iter().map(|(_, key)| key.clone()).collect::<Vec<_>>();
    let mut bad = taken(&homes, household_keys(tx, area.as_str(), &keys(&homes)).await?);
    bad.extend(taken(&people, person_keys(tx, area.as_str(), &keys(&people)).await?));
    Ok(bad)
}

/// The violations of keys that are in use, or stand twice.
pub(super) fn taken(wanted: &[(String, String)], in_use: Vec<String>) -> Vec<FieldViolation> {
    let mut seen: HashSet<String> = in_use.into_iter().collect();
    let twice = wanted.iter().filter(|(_, key)| !seen.insert(key.clone()));
    twice.map(|(field, _)| FieldViolation::new(field.clone(), "IMPORT_KEY_TAKEN")).collect()
}

fn household_proto(row: household::Model) -> pb::Household {
    pb::Household {
        name: household_name(&row.area, row.id),
        unit: unit_name(&row.area, &row.unit),
        import_key: row.import_key,
        people_count: i32::try_from(row.people).unwrap_or(i32::MAX),
        etag: check::etag(row.revision),
        create_time: Some(check::timestamp_us(row.create_us)),
        update_time: Some(check::timestamp_us(row.update_us)),
    }
}
