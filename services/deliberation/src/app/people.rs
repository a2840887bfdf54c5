//! What deliberation asks org: who lives where, and who may vote. Always before a transaction, never inside.

use std::collections::BTreeSet;

use chrono::Datelike as _;
use linli_kernel::{AreaId, Name, Timestamp};
use linli_kit::serve::PeerService;
use linli_kit::{Ctx, Error, ErrorCode, Result, check};
use linli_proto::org::org_service_client::OrgServiceClient;
use linli_proto::org::{
    BatchGetResidentFactsRequest, ElectorBasis, GetUnitRequest, ListElectorsRequest, ResidentFacts,
};

use super::App;
use crate::domain::{Basis, Rule};
use crate::ids;

/// Electors of one ballot at most.
pub(super) const MAX_ELECTORS: usize = 20_000;
/// Electors asked for at once.
const PAGE: i32 = 1000;

impl App {
    fn org(&self, ctx: &Ctx) -> OrgServiceClient<PeerService> {
        OrgServiceClient::new(self.parts.peers.to("org", ctx))
    }

    /// What org knows about a person; `None` when there is no such resident.
    pub(super) async fn facts(&self, ctx: &Ctx, area: &AreaId, person: &str) -> Result<Option<ResidentFacts>> {
        let request = BatchGetResidentFactsRequest { parent: area.name(), names: vec![person.to_owned()] };
        let answer = self.org(ctx).batch_get_resident_facts(request).await.map_err(Error::from_peer)?;
        Ok(answer.into_inner().facts.into_iter().find(|facts| facts.person == person))
    }

    /// Whether a unit exists: by the projection, and for one that it has not seen yet by org itself.
    pub(super) async fn unit_exists(&self, ctx: &Ctx, unit: &Name) -> Result<bool> {
        if self.access.snapshot().path(unit.area().as_str(), unit.id()).is_some() {
            return Ok(true);
        }
        match self.org(ctx).get_unit(GetUnitRequest { name: unit.to_string() }).await {
            Ok(_) => Ok(true),
            Err(status) => match Error::from_peer(status) {
                missing if missing.code() == ErrorCode::NotFound => Ok(false),
                error => Err(error),
            },
        }
    }

    /// The time zone of an area.
    pub(super) fn zone(&self, area: &str) -> chrono_tz::Tz {
        let snapshot = self.access.snapshot();
        let zone = snapshot.area(area).and_then(|row| row.time_zone.parse().ok());
        zone.unwrap_or(chrono_tz::Asia::Shanghai)
    }

    /// The year of an instant where the area is.
    fn local_year(&self, at: Timestamp, area: &AreaId) -> i32 {
        at.to_chrono().with_timezone(&self.zone(area.as_str())).year()
    }

    /// Whether somebody could vote for a household when the ballot opened: on record by then, and old enough by the year of
    /// birth, which must be known. Whoever came later, or came of age later, was not among those who were asked.
    pub(super) fn could_vote(&self, opened: Timestamp, area: &AreaId, rule: &Rule, facts: &ResidentFacts) -> bool {
        let recorded = facts.create_time.as_ref().is_some_and(|at| check::instant(at) <= opened);
        recorded && facts.birth_year != 0 && facts.birth_year <= rule.born_by(self.local_year(opened, area))
    }

    /// Ids of everybody who may vote at or below a unit, sorted, each once.
    ///
    /// # Errors
    /// ELECTORATE_TOO_LARGE above [`MAX_ELECTORS`]; what org answers.
    pub(super) async fn electors(&self, ctx: &Ctx, area: &AreaId, unit: &str, rule: &Rule) -> Result<Vec<String>> {
        let (basis, collection) = match rule.basis {
            Basis::Person => (ElectorBasis::Person, ids::PEOPLE),
            Basis::Household => (ElectorBasis::Household, ids::HOUSEHOLDS),
        };
        // A household without anybody of age could never vote, and must not count towards the quorum.
        let born_by_year = rule.born_by(self.local_year(ctx.now(), area));
        let mut request = ListElectorsRequest {
            unit: ids::unit(area.as_str(), unit),
            basis: basis.into(),
            born_by_year,
            page_size: PAGE,
            page_token: String::new(),
        };
        let mut client = self.org(ctx);
        let mut electors = BTreeSet::new();
        loop {
            let answer = client.list_electors(request.clone()).await.map_err(Error::from_peer)?.into_inner();
            for name in answer.electors {
                electors.insert(Name::parse(&name, collection).map_err(Error::internal)?.id().to_owned());
            }
            if electors.len() > MAX_ELECTORS {
                return Err(Error::new(ErrorCode::FailedPrecondition, "ELECTORATE_TOO_LARGE").with("max", MAX_ELECTORS));
            }
            if answer.next_page_token.is_empty() {
                return Ok(electors.into_iter().collect());
            }
            request.page_token = answer.next_page_token;
        }
    }
}
