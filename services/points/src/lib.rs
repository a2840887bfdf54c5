//! Thanks that can be counted: a double-entry ledger per area and asset, holds, cards, rewards, awards.
//!
//! Owns every unit of every asset and what is done with it. Never: who served (booking tells), what service is worth
//! (rules tell), anybody's name.

mod api;
mod app;
pub mod domain;
mod store;

use linli_access::Access;
use linli_kit::columns::Column;
use linli_kit::feed::FeedService;
use linli_kit::retention::{Instants, Kept};
use linli_kit::serve::{ServiceParts, start_retention};
use linli_kit::store::{Constraint, Migration, kit_migrations};
use linli_kit::{Result, Texts};
use linli_proto::points::points_service_server::PointsServiceServer;
use tonic::service::Routes;

/// Name of the service.
pub const SERVICE: &str = "points";

/// The service's texts of errors, beside kit's.
pub fn texts() -> Texts {
    Texts::with(include_str!("../locales/zh-CN.ftl"), include_str!("../locales/en.ftl"))
}

/// All migrations of the service's schema: kit's, access's, its own.
pub fn migrations() -> Vec<Migration> {
    let mut all = kit_migrations();
    all.extend(linli_access::migrations());
    all.extend_from_slice(store::tables::MIGRATIONS);
    all
}

/// Every column of the service's own tables, classed. People stand in it by id only.
pub const COLUMNS: &[Column] = store::tables::COLUMNS;

/// What a violated constraint of the service's tables means: locks keep them from being violated, so another process was
/// quicker than a lock, and a new attempt sees what it did.
pub const CONSTRAINTS: &[Constraint] = store::tables::CONSTRAINTS;

/// Rows that grow and may go: the receipts of awards.
const KEPT: &[Kept] = &[Kept::Rows {
    table: "award_receipt",
    key: "area, id",
    over: "created_us < $1",
    clock: Instants::Suite,
    keep: |settings| settings.receipts,
}];

/// Builds the service: its calls, the timer of holds, the consumer of booking's feed.
///
/// # Errors
/// None at present; building may come to read.
pub async fn build(parts: ServiceParts, access: Access) -> Result<Routes> {
    start_retention(&parts, KEPT);
    let app = app::App::new(parts.clone(), access.clone());
    app.start();
    let feed = FeedService::new(parts.log.clone(), access, parts.kit.texts.clone());
    let api = api::Api::new(app);
    Ok(Routes::new(PointsServiceServer::new(api)).add_service(feed.into_server()))
}

#[cfg(test)]
mod tests;
