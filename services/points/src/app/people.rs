//! Who may see and act for whom: the person themselves, a role over the area, a worker of the person's unit.
//!
//! Points stores no unit of a person; it asks org, and only for callers whose roles end at a unit.

use std::collections::{BTreeMap, HashMap, HashSet};

use linli_access::{Permit, Scope, Target, Within};
use linli_kernel::AreaId;
use linli_kit::{Caller, Ctx, Error, Result};
use linli_proto::org::BatchGetResidentFactsRequest;
use linli_proto::org::org_service_client::OrgServiceClient;

use super::App;
use crate::store::list::Listed;

/// Names in one question to org at most.
const NAMES: usize = 1000;

impl App {
    /// Checks the method's permission about one of these people (full names), or over the area.
    ///
    /// # Errors
    /// PERMISSION_DENIED; what org answers when the caller's roles end at a unit.
    pub(crate) async fn authorise_about(&self, ctx: &Ctx, area: &AreaId, people: &[String]) -> Result<Permit> {
        let target = Target::area(area);
        let mut denied = None;
        for person in people {
            match self.access.authorise(ctx, &target.clone().about(person.as_str())) {
                Ok(permit) => return Ok(permit),
                Err(error) => denied = Some(error),
            }
        }
        let denied = match denied {
            Some(denied) => denied,
            None => match self.access.authorise(ctx, &target) {
                Ok(permit) => return Ok(permit),
                Err(denied) => denied,
            },
        };
        if people.is_empty() || !self.has_unit_role(ctx, area) {
            return Err(denied);
        }
        for unit in self.units_of(ctx, area.as_str(), people).await?.into_values() {
            if let Ok(permit) = self.access.authorise(ctx, &target.clone().at_unit(unit)) {
                return Ok(permit);
            }
        }
        Err(denied)
    }

    /// Checks that the caller may read a resource about these people; `None`: there is no such resource.
    ///
    /// # Errors
    /// PERMISSION_DENIED when the caller sees nothing of the kind in the area; otherwise RESOURCE_NOT_FOUND.
    pub(crate) async fn may_see(
        &self,
        ctx: &Ctx,
        area: &AreaId,
        name: &str,
        people: Option<Vec<String>>,
    ) -> Result<()> {
        let own = ctx.caller.subject().filter(|own| own.starts_with(&format!("{}/", area.name()))).unwrap_or_default();
        let somewhere = self.access.authorise(ctx, &Target::area(area).about(own));
        if somewhere.is_err() && !self.has_unit_role(ctx, area) {
            return somewhere.map(|_| ());
        }
        let Some(people) = people else { return Err(Error::not_found(name)) };
        match self.authorise_about(ctx, area, &people).await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == linli_kit::ErrorCode::PermissionDenied => Err(Error::not_found(name)),
            Err(error) => Err(error),
        }
    }

    fn has_unit_role(&self, ctx: &Ctx, area: &AreaId) -> bool {
        let subject = ctx.caller.subject().unwrap_or_default();
        let snapshot = self.access.snapshot();
        snapshot.grants(subject).iter().any(|g| g.area == area.as_str() && !g.unit.is_empty() && g.active(ctx.now()))
    }

    /// The units (ids) of people (full names) of one area; people whom org does not know are left out.
    async fn units_of(&self, ctx: &Ctx, area: &str, people: &[String]) -> Result<HashMap<String, String>> {
        let mut units = HashMap::new();
        for names in people.chunks(NAMES) {
            let mut client = OrgServiceClient::new(self.parts.peers.to("org", ctx));
            let request = BatchGetResidentFactsRequest { parent: format!("areas/{area}"), names: names.to_vec() };
            let answer = client.batch_get_resident_facts(request).await.map_err(Error::from_peer)?;
            for facts in answer.into_inner().facts {
                let unit = facts.unit.rsplit('/').next().unwrap_or_default().to_owned();
                units.insert(facts.person, unit);
            }
        }
        Ok(units)
    }

    /// Takes out of a page the rows about people whose units the caller does not see. The page may become shorter.
    pub(crate) async fn visible<T>(&self, ctx: &Ctx, scope: &Scope, rows: Vec<Listed<T>>) -> Result<Vec<Listed<T>>> {
        let limited: HashMap<&str, &HashSet<String>> = scope
            .areas
            .iter()
            .filter_map(|(area, within)| match within {
                Within::Units(units) => Some((area.as_str(), units)),
                Within::All | Within::Person(_) => None,
            })
            .collect();
        let own = scope.areas.iter().filter_map(|(_, within)| match within {
            Within::Person(own) => Some(own.clone()),
            Within::All | Within::Units(_) => None,
        });
        let mut seen: HashSet<String> = own.collect();
        if limited.is_empty() || matches!(ctx.caller, Caller::Service { actor: None, .. }) {
            return Ok(rows);
        }
        let mut people: BTreeMap<String, HashSet<String>> = BTreeMap::new();
        for row in rows.iter().filter(|row| limited.contains_key(row.area.as_str())) {
            let names = row.holders.iter().filter(|h| h.starts_with("per-"));
            let names = names.map(|holder| format!("areas/{}/people/{holder}", row.area));
            people.entry(row.area.clone()).or_default().extend(names);
        }
        for (area, names) in people {
            let names: Vec<String> = names.into_iter().collect();
            let own = limited.get(area.as_str());
            let units = self.units_of(ctx, &area, &names).await?;
            seen.extend(
                units.into_iter().filter(|(_, unit)| own.is_some_and(|own| own.contains(unit))).map(|(p, _)| p),
            );
        }
        let is_seen = |row: &Listed<T>| {
            !limited.contains_key(row.area.as_str())
                || row.holders.iter().any(|holder| seen.contains(&format!("areas/{}/people/{holder}", row.area)))
        };
        Ok(rows.into_iter().filter(is_seen).collect())
    }
}
