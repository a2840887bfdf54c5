//! How neighbours decide: process templates, topics on their way through stages, ballots, archives, and the receipts of
//! what rules said about them.
//!
//! Owns all of that and its feed. Never: who lives where or holds which post (org says), or what a decision sets in motion
//! elsewhere (others follow the feed).

mod api;
mod app;
mod columns;
mod domain;
mod ids;
mod store;

use linli_access::Access;
use linli_kit::feed::FeedService;
use linli_kit::retention::{Instants, Kept};
use linli_kit::serve::{ServiceParts, start_retention};
use linli_kit::store::{Constraint, Migration, kit_migrations};
use linli_kit::{Result, Texts};
use linli_proto::deliberation::deliberation_service_server::DeliberationServiceServer;
use tonic::service::Routes;

pub use columns::COLUMNS;
pub use ids::{ArchiveId, BallotId, StageRecordId, TopicId, TopicReceiptId};

/// The service's name.
pub const SERVICE: &str = "deliberation";

/// What violated constraints of the own tables mean.
pub const CONSTRAINTS: &[Constraint] = store::tables::CONSTRAINTS;

/// Rows that grow and may go: the receipts of decisions by rules.
const KEPT: &[Kept] = &[Kept::Rows {
    table: "topic_receipt",
    key: "area, id",
    over: "create_us < $1",
    clock: Instants::Suite,
    keep: |settings| settings.receipts,
}];

/// Texts of the service's own reasons, in Fluent: zh-CN, then en.
pub const TEXTS: (&str, &str) = (include_str!("../locales/zh-CN.ftl"), include_str!("../locales/en.ftl"));

/// The texts of all errors that the service answers.
pub fn texts() -> Texts {
    Texts::with(TEXTS.0, TEXTS.1)
}

/// All migrations of the service's schema: kit's, access's, its own.
pub fn migrations() -> Vec<Migration> {
    let mut all = kit_migrations();
    all.extend(linli_access::migrations());
    all.extend_from_slice(store::tables::MIGRATIONS);
    all
}

/// Builds the service: its own API and its feed.
///
/// # Errors
/// None today; other services check their tables here.
pub async fn build(parts: ServiceParts, access: Access) -> Result<Routes> {
    start_retention(&parts, KEPT);
    let feed = FeedService::new(parts.log.clone(), access.clone(), parts.kit.texts.clone());
    let api = api::Api::new(parts.kit.clone(), app::App::new(parts, access));
    Ok(Routes::new(DeliberationServiceServer::new(api)).add_service(feed.into_server()))
}
