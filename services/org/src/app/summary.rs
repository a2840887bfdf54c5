//! Counts below a unit or in an area, and the gaps against the template.

use std::collections::{BTreeMap, HashMap};

use linli_access::Target;
use linli_kernel::{AreaId, Lang};
use linli_kit::check::{self, Violations};
use linli_kit::page::{KeyPart, PageRequest};
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result};
use linli_proto::org as pb;

use super::App;
use super::people::unit_name;
use crate::domain::gaps::{self, GapKind, UnitCounts};
use crate::domain::tree;
use crate::store::entities::unit;
use crate::store::{holders, subtree, unit_of};

impl App {
    /// Counts what is below a unit.
    pub(crate) async fn summarize_unit(
        &self,
        ctx: &Ctx,
        request: &pb::SummarizeUnitRequest,
    ) -> Result<pb::UnitSummary> {
        let name = check::name("name", &request.name, "units")?;
        self.access.authorise(ctx, &Self::unit_target(name.area(), name.id()))?;
        let row = unit_of(self.parts.store.reader(), name.area().as_str(), name.id()).await?;
        let row = row.ok_or_else(|| Error::not_found(&name))?;
        self.summary(ctx, name.area(), &row.path, name.to_string()).await
    }

    /// Counts what is in an area.
    pub(crate) async fn summarize_area(
        &self,
        ctx: &Ctx,
        request: &pb::SummarizeAreaRequest,
    ) -> Result<pb::UnitSummary> {
        let area = check::area("name", &request.name)?;
        self.access.authorise(ctx, &Target::area(&area))?;
        self.must_be_area(&area).await?;
        self.summary(ctx, &area, "", area.name()).await
    }

    async fn summary(&self, ctx: &Ctx, area: &AreaId, path: &str, name: String) -> Result<pb::UnitSummary> {
        let units = subtree(self.parts.store.reader(), area.as_str(), path).await?;
        let holders = holders(self.parts.store.reader(), area.as_str(), ctx.now().micros()).await?;
        let mut kinds: BTreeMap<&str, i64> = BTreeMap::new();
        for unit in &units {
            *kinds.entry(&unit.kind).or_default() += 1;
        }
        let inside: std::collections::HashSet<&str> = units.iter().map(|u| u.id.as_str()).collect();
        let mut roles: BTreeMap<&str, i64> = BTreeMap::new();
        for held in holders.iter().filter(|h| path.is_empty() || inside.contains(h.unit.as_str())) {
            *roles.entry(&held.code).or_default() += held.n;
        }
        let counts = |map: BTreeMap<&str, i64>| {
            map.into_iter().map(|(code, count)| pb::KindCount { code: code.to_owned(), count }).collect()
        };
        Ok(pb::UnitSummary {
            name,
            households: units.iter().map(|u| u.households).sum(),
            people: units.iter().map(|u| u.people).sum(),
            units: counts(kinds),
            appointments: counts(roles),
        })
    }

    /// Lists the gaps of an area or below a unit.
    pub(crate) async fn list_gaps(&self, ctx: &Ctx, r: &pb::ListGapsRequest) -> Result<pb::ListGapsResponse> {
        let area = check::area("parent", &r.parent)?;
        let mut bad = Violations::new();
        let unit = bad.optional_name_in("unit", &r.unit, "units", &area);
        let target = Self::unit_target(&area, unit.as_ref().map(linli_kernel::Name::id).unwrap_or_default());
        self.access.authorise(ctx, &target)?;
        bad.finish()?;
        let query = [r.parent.as_str(), &r.unit];
        let page = PageRequest::parse(&self.parts.keyring, &ctx.method.path, &query, r.page_size, &r.page_token)?;
        let path = match &unit {
            None => String::new(),
            Some(name) => {
                let row = unit_of(self.parts.store.reader(), area.as_str(), name.id()).await?;
                row.ok_or_else(|| Error::not_found(name))?.path
            }
        };
        let mut found = self.gaps(ctx, &area, &path).await?;
        let total_size = i32::try_from(found.len()).unwrap_or(i32::MAX);
        // What was behind a gap stays behind it, whatever is filled or falls vacant between two pages.
        match page.after() {
            None => {}
            Some([KeyPart::Text(path), KeyPart::Int(kind), KeyPart::Text(role)]) => {
                found.retain(|gap| gap.key() > (path.as_str(), *kind, role.as_str()));
            }
            Some(_) => return Err(page_token_invalid()),
        }
        found.truncate(usize::try_from(page.limit()).unwrap_or(usize::MAX));
        let (rows, next_page_token) = page.cut(found, |gap| {
            let (path, kind, role) = gap.key();
            vec![KeyPart::Text(path.to_owned()), KeyPart::Int(kind), KeyPart::Text(role.to_owned())]
        });
        let gaps = rows.into_iter().map(|found| self.gap_proto(ctx.lang, &area, found.gap)).collect();
        Ok(pb::ListGapsResponse { gaps, next_page_token, total_size })
    }

    /// The gaps at and below a path, in the order of their keys.
    async fn gaps(&self, ctx: &Ctx, area: &AreaId, path: &str) -> Result<Vec<Found>> {
        let conn = self.parts.store.reader();
        let Some(template) = self.template(conn, area).await? else { return Ok(Vec::new()) };
        let units = subtree(conn, area.as_str(), path).await?;
        let mut held: HashMap<String, Vec<(String, u32)>> = HashMap::new();
        for h in holders(conn, area.as_str(), ctx.now().micros()).await? {
            held.entry(h.unit).or_default().push((h.code, u32::try_from(h.n).unwrap_or(u32::MAX)));
        }
        let paths: HashMap<&str, &str> = units.iter().map(|u| (u.id.as_str(), u.path.as_str())).collect();
        let counts: Vec<UnitCounts> = units.iter().map(|u| counts_of(u, &units, &mut held)).collect();
        let path_of = |gap: &gaps::Gap| paths.get(gap.unit.as_str()).copied().unwrap_or_default().to_owned();
        let gaps = gaps::find(&template, &counts).into_iter();
        let mut found: Vec<Found> = gaps.map(|gap| Found { path: path_of(&gap), gap }).collect();
        found.sort_by(|a, b| a.key().cmp(&b.key()));
        Ok(found)
    }

    fn gap_proto(&self, lang: Lang, area: &AreaId, gap: gaps::Gap) -> pb::Gap {
        let (kind, role) = kind_of(&gap);
        let role = role.to_owned();
        let text = match kind {
            pb::GapKind::PostVacant | pb::GapKind::Unspecified => "GAP_POST_VACANT",
            pb::GapKind::PostOverfilled => "GAP_POST_OVERFILLED",
            pb::GapKind::TooFewHouseholds => "GAP_TOO_FEW_HOUSEHOLDS",
            pb::GapKind::TooManyHouseholds => "GAP_TOO_MANY_HOUSEHOLDS",
        };
        let unit = unit_name(area.as_str(), &gap.unit);
        let args = [
            ("unit", unit.clone()),
            ("post", role.clone()),
            ("min", gap.wanted_min.to_string()),
            ("max", gap.wanted_max.map_or_else(|| "-".to_owned(), |max| max.to_string())),
            ("actual", gap.actual.to_string()),
        ];
        let number = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
        pb::Gap {
            message: self.parts.kit.texts.render(lang, text, &args),
            unit,
            kind: kind.into(),
            role,
            wanted_min: number(gap.wanted_min),
            wanted_max: number(gap.wanted_max.unwrap_or(0)),
            actual: number(gap.actual),
        }
    }
}

/// A gap with the path of its unit.
struct Found {
    path: String,
    gap: gaps::Gap,
}

impl Found {
    /// Where it stands in the list; no two gaps have one key.
    fn key(&self) -> (&str, i64, &str) {
        let (kind, role) = kind_of(&self.gap);
        (&self.path, i64::from(i32::from(kind)), role)
    }
}

/// A gap's kind in the contract, and its role for posts.
fn kind_of(gap: &gaps::Gap) -> (pb::GapKind, &str) {
    match &gap.kind {
        GapKind::PostVacant(role) => (pb::GapKind::PostVacant, role),
        GapKind::PostOverfilled(role) => (pb::GapKind::PostOverfilled, role),
        GapKind::TooFewHouseholds => (pb::GapKind::TooFewHouseholds, ""),
        GapKind::TooManyHouseholds => (pb::GapKind::TooManyHouseholds, ""),
    }
}

fn page_token_invalid() -> Error {
    Error::new(ErrorCode::InvalidArgument, "PAGE_TOKEN_INVALID")
        .with_fields(vec![FieldViolation::new("page_token", "PAGE_TOKEN_INVALID")])
}

/// Units are sorted by path, so a subtree is the run of rows that begins with the unit itself.
fn counts_of(unit: &unit::Model, all: &[unit::Model], held: &mut HashMap<String, Vec<(String, u32)>>) -> UnitCounts {
    let begin = all.partition_point(|u| u.path < unit.path);
    let below = all[begin..].iter().take_while(|u| tree::is_below(&u.path, &unit.path));
    let households: i64 = below.map(|u| u.households).sum();
    UnitCounts {
        unit: unit.id.clone(),
        kind: unit.kind.clone(),
        households: u32::try_from(households).unwrap_or(u32::MAX),
        holders: held.remove(&unit.id).unwrap_or_default(),
    }
}
