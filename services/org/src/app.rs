//! Use cases: authorise, check, one transaction, events.

mod appointments;
mod areas;
mod batch;
mod change;
mod facts;
mod fit;
mod households;
mod links;
mod mask;
mod people;
mod roles;
mod state;
mod structure;
mod summary;
mod units;
mod verify;

use std::sync::Arc;

use linli_access::{Access, Target};
use linli_kernel::AreaId;
use linli_kit::catalogue::Catalogue;
use linli_kit::filter::{OrderField, order_by};
use linli_kit::serve::ServiceParts;
use linli_kit::store::EventDraft;
use linli_kit::{Ctx, Error, FieldViolation, Result};
use linli_proto::org as pb;
use sea_orm::Order;
use sea_orm::sea_query::Expr;

use crate::store::entities::unit;

/// The service's use cases.
pub(crate) struct App {
    pub(crate) parts: ServiceParts,
    pub(crate) access: Access,
    roles: roles::Roles,
    templates: Catalogue<pb::StructureTemplate>,
    links: Catalogue<pb::UnitLink>,
}

impl App {
    pub(crate) async fn start(parts: ServiceParts, access: Access) -> Result<Arc<Self>> {
        let roles = roles::Roles::start(&parts, &access).await?;
        let templates = Catalogue::new(parts.store.clone(), "structureTemplates", "linli/StructureTemplate");
        let links = Catalogue::new(parts.store.clone(), "unitLinks", "linli/UnitLink");
        Ok(Arc::new(Self { parts, access, roles, templates, links }))
    }

    /// The area's row must exist.
    async fn must_be_area(&self, area: &AreaId) -> Result<()> {
        match crate::store::area_of(self.parts.store.reader(), area.as_str()).await? {
            Some(_) => Ok(()),
            None => Err(Error::not_found(area.name())),
        }
    }

    /// The target of a unit: its area and id.
    fn unit_target(area: &AreaId, unit: &str) -> Target {
        Target::area(area).at_unit(unit)
    }

    /// An event of this service.
    fn event(
        ctx: &Ctx,
        kind: &'static str,
        area: &AreaId,
        subject: &str,
        version: i64,
        payload: &impl prost::Message,
    ) -> EventDraft {
        EventDraft::new(ctx, kind, area.as_str(), subject, version, payload)
    }

    /// The event of a unit's row.
    fn unit_event(ctx: &Ctx, area: &AreaId, row: &unit::Model, deleted: bool) -> EventDraft {
        let name = format!("areas/{area}/units/{}", row.id);
        let payload = pb::UnitChanged { unit: name.clone(), path: row.path.clone(), kind: row.kind.clone(), deleted };
        Self::event(ctx, "linli.org.v1.UnitChanged", area, &name, row.revision, &payload)
    }
}

/// Refuses every order but the one that these lists have: by name.
fn by_name(order: &str) -> Result<()> {
    match order_by(order, &[OrderField::new("name", Expr::col("id"))])?.as_slice() {
        [] | [(_, Order::Asc)] => Ok(()),
        _ => Err(Error::field(FieldViolation::new("order_by", "ORDER_BY_INVALID").arg("allowed", "name"))),
    }
}
