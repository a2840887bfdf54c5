//! What other services may ask: facts about residents, electors, and whether a caller holds a permission.

use std::collections::HashMap;

use linli_access::Target;
use linli_kernel::{Id as _, Name};
use linli_kit::check::{self, Violations};
use linli_kit::page::{KeyPart, PageRequest};
use linli_kit::{Ctx, Error, FieldViolation, Result};
use linli_proto::org as pb;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, Order, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use uuid::Uuid;

use super::App;
use super::households::household_name;
use super::people::{PersonId, person_name, unit_name};
use crate::domain::tree;
use crate::store::entities::{appointment, household, person, unit};
use crate::store::{INSERT_CHUNK, people_of, running, unit_of};

/// People of one request for facts.
const MAX_FACTS: usize = 1000;

impl App {
    /// Answers OK when the caller holds the permission on the resource.
    pub(crate) async fn check_access(
        &self,
        ctx: &Ctx,
        request: &pb::CheckAccessRequest,
    ) -> Result<pb::CheckAccessResponse> {
        let area = check::area("name", &request.name)?;
        self.access.authorise(ctx, &Target::area(&area))?;
        Ok(pb::CheckAccessResponse {})
    }

    /// Facts about residents, for services.
    pub(crate) async fn batch_get_resident_facts(
        &self,
        ctx: &Ctx,
        r: &pb::BatchGetResidentFactsRequest,
    ) -> Result<pb::BatchGetResidentFactsResponse> {
        let area = check::area("parent", &r.parent)?;
        self.access.authorise(ctx, &Target::area(&area))?;
        let mut bad = Violations::new();
        bad.max_items("names", r.names.len(), MAX_FACTS);
        let mut ids = Vec::with_capacity(r.names.len());
        for (i, name) in r.names.iter().enumerate().take(MAX_FACTS) {
            let field = format!("names[{i}]");
            match bad.name_in(&field, name, "people", &area).map(|n| n.typed::<PersonId>()) {
                Some(Ok(id)) => ids.push(id.uuid()),
                Some(Err(e)) => bad.push(FieldViolation::new(field, "NAME_INVALID").arg("detail", e)),
                None => {}
            }
        }
        bad.finish()?;
        let conn = self.parts.store.reader();
        let mut rows: HashMap<Uuid, person::Model> = HashMap::new();
        let mut roles: HashMap<String, Vec<String>> = HashMap::new();
        for chunk in ids.chunks(INSERT_CHUNK) {
            rows.extend(people_of(conn, area.as_str(), chunk.to_vec()).await?.into_iter().map(|p| (p.id, p)));
            let names: Vec<String> = chunk.iter().map(|id| person_name(area.as_str(), *id)).collect();
            let held = appointment::Entity::find()
                .filter(appointment::Column::Area.eq(area.as_str()))
                .filter(appointment::Column::Appointee.is_in(names))
                .filter(running(ctx.now().micros()))
                .all(conn)
                .await?;
            for row in held {
                roles.entry(row.appointee).or_default().push(row.role);
            }
        }
        let facts = ids.iter().filter_map(|id| rows.get(id)).map(|row| {
            let name = person_name(area.as_str(), row.id);
            let mut roles = roles.get(&name).cloned().unwrap_or_default();
            roles.sort();
            roles.dedup();
            Ok(pb::ResidentFacts {
                birth_year: row.birth_year,
                unit: unit_name(area.as_str(), &row.unit),
                household: row.household.map(|h| household_name(area.as_str(), h)).unwrap_or_default(),
                tags: self.tags_of(row)?,
                roles,
                create_time: Some(check::timestamp_us(row.create_us)),
                person: name,
            })
        });
        Ok(pb::BatchGetResidentFactsResponse { facts: facts.collect::<Result<_>>()? })
    }

    /// Lists who may vote under a unit.
    pub(crate) async fn list_electors(
        &self,
        ctx: &Ctx,
        r: &pb::ListElectorsRequest,
    ) -> Result<pb::ListElectorsResponse> {
        let name = check::name("unit", &r.unit, "units")?;
        self.access.authorise(ctx, &Self::unit_target(name.area(), name.id()))?;
        let mut bad = Violations::new();
        let basis = bad.declared("basis", pb::ElectorBasis::try_from(r.basis), r.basis);
        bad.finish()?;
        let size = if r.page_size == 0 { 1000 } else { r.page_size };
        let query = [r.unit.as_str(), &r.basis.to_string(), &r.born_by_year.to_string()];
        let page = PageRequest::parse(&self.parts.keyring, &ctx.method.path, &query, size, &r.page_token)?;
        let row = unit_of(self.parts.store.reader(), name.area().as_str(), name.id()).await?;
        let row = row.ok_or_else(|| Error::not_found(&name))?;
        let (electors, next_page_token) = match basis {
            Some(pb::ElectorBasis::Household) => self.household_electors(&name, &row, r.born_by_year, &page).await?,
            _ => self.person_electors(&name, &row, r.born_by_year, &page).await?,
        };
        Ok(pb::ListElectorsResponse { electors, next_page_token })
    }

    async fn household_electors(
        &self,
        name: &Name,
        top: &unit::Model,
        born_by_year: i32,
        page: &PageRequest,
    ) -> Result<(Vec<String>, String)> {
        let area = name.area().as_str();
        let rows = household::Entity::find()
            .filter(household::Column::Area.eq(area))
            .filter(household::Column::Unit.in_subquery(units_below(area, &top.path)))
            .filter(Expr::exists(members(area, born_by_year)))
            .filter(page.condition(&[(Expr::col(household::Column::Id), Order::Asc)])?)
            .order_by_asc(household::Column::Id)
            .limit(page.limit())
            .all(self.parts.store.reader())
            .await?;
        let (rows, token) = page.cut(rows, |row| vec![KeyPart::Id(row.id)]);
        Ok((rows.into_iter().map(|row| household_name(area, row.id)).collect(), token))
    }

    async fn person_electors(
        &self,
        name: &Name,
        top: &unit::Model,
        born_by_year: i32,
        page: &PageRequest,
    ) -> Result<(Vec<String>, String)> {
        let area = name.area().as_str();
        let query = person::Entity::find()
            .filter(person::Column::Area.eq(area))
            .filter(person::Column::Unit.in_subquery(units_below(area, &top.path)))
            .filter(born_by(born_by_year))
            .filter(page.condition(&[(Expr::col(person::Column::Id), Order::Asc)])?);
        let rows = query.order_by_asc(person::Column::Id).limit(page.limit()).all(self.parts.store.reader()).await?;
        let (rows, token) = page.cut(rows, |row| vec![KeyPart::Id(row.id)]);
        Ok((rows.into_iter().map(|row| person_name(area, row.id)).collect(), token))
    }
}

/// The condition "old enough to vote"; an unknown birth year (0) does not make an adult.
fn born_by(year: i32) -> Condition {
    let all = Condition::all();
    if year == 0 { all } else { all.add(person::Column::BirthYear.between(1, year)) }
}

/// The people of a household, as a condition on it, who are old enough to vote for it.
fn members(area: &str, born_by_year: i32) -> sea_orm::sea_query::SelectStatement {
    let home = Expr::col((person::Entity, person::Column::Household));
    sea_orm::QueryTrait::into_query(
        person::Entity::find()
            .select_only()
            .column(person::Column::Id)
            .filter(person::Column::Area.eq(area))
            .filter(home.equals((household::Entity, household::Column::Id)))
            .filter(born_by(born_by_year)),
    )
}

/// Ids of the units at or below a path.
fn units_below(area: &str, path: &str) -> sea_orm::sea_query::SelectStatement {
    sea_orm::QueryTrait::into_query(
        unit::Entity::find()
            .select_only()
            .column(unit::Column::Id)
            .filter(unit::Column::Area.eq(area))
            .filter(unit::Column::Path.gte(path))
            .filter(unit::Column::Path.lt(tree::upper_bound(path))),
    )
}
