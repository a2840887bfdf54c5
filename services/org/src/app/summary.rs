//! Counts below a unit or in an area, and the gaps against the template.

use std::collections::{BTreeMap, HashMap};

use linli_access::Target;
use linli_kernel::{AreaId, Lang};
use linli_kit::check::{self, Violations};
use linli_kit::page::{KeyPart, PageRequest};
use linli_kit::{Ctx, Error, Result};
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
        let found = self.gaps(ctx, &area, &path).await?;
        let total_size = i32::try_from(found.len()).unwrap_or(i32::MAX);
        // Gaps are computed in the order of paths; the key is the ordinal, which belongs to this query only.
        let from = match page.after() {
            Some([KeyPart::Int(n)]) => usize::try_from(*n).unwrap_or(0),
            _ => 0,
        };
        let limit = usize::try_from(page.limit()).unwrap_or(usize::MAX);
        let rows: Vec<(usize, gaps::Gap)> = found.into_iter().enumerate().skip(from).take(limit).collect();
        let (rows, next_page_token) =
            page.cut(rows, |(i, _)| vec![KeyPart::Int(i64::try_from(i + 1).unwrap_or(i64::MAX))]);
        let gaps = rows.into_iter().map(|(_, gap)| self.gap_proto(ctx.lang, &area, gap)).collect();
        Ok(pb::ListGapsResponse { gaps, next_page_token, total_size })
    }

    async fn gaps(&self, ctx: &Ctx, area: &AreaId, path: &str) -> Result<Vec<gaps::Gap>> {
        let Some(template) = self.template(area).await? else { return Ok(Vec::new()) };
        let units = subtree(self.parts.store.reader(), area.as_str(), path).await?;
        let mut held: HashMap<String, Vec<(String, u32)>> = HashMap::new();
        for h in holders(self.parts.store.reader(), area.as_str(), ctx.now().micros()).await? {
            held.entry(h.unit).or_default().push((h.code, u32::try_from(h.n).unwrap_or(u32::MAX)));
        }
        let counts: Vec<UnitCounts> = units.iter().map(|u| counts_of(u, &units, &mut held)).collect();
        Ok(gaps::find(&template, &counts))
    }

    fn gap_proto(&self, lang: Lang, area: &AreaId, gap: gaps::Gap) -> pb::Gap {
        let (kind, role, text) = match gap.kind {
            GapKind::PostVacant(role) => (pb::GapKind::PostVacant, role, "GAP_POST_VACANT"),
            GapKind::PostOverfilled(role) => (pb::GapKind::PostOverfilled, role, "GAP_POST_OVERFILLED"),
            GapKind::TooFewHouseholds => (pb::GapKind::TooFewHouseholds, String::new(), "GAP_TOO_FEW_HOUSEHOLDS"),
            GapKind::TooManyHouseholds => (pb::GapKind::TooManyHouseholds, String::new(), "GAP_TOO_MANY_HOUSEHOLDS"),
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
