//! The org service: who belongs where and who is responsible.
//!
//! Owns administrative areas, unit trees, households, people and appointments, and tells everybody else of them through
//! its feed. Never: what people book, earn or decide.

mod api;
mod app;
pub mod domain;
mod store;

use linli_access::Access;
use linli_kit::Result;
use linli_kit::columns::Class;
use linli_kit::serve::ServiceParts;
use linli_kit::store::{Constraint, Migration, kit_migrations};
use linli_kit::texts::Texts;
use tonic::service::Routes;

/// Name of the service.
pub const SERVICE: &str = "org";

/// Every migration of the service's schema.
pub fn migrations() -> Vec<Migration> {
    let mut all = kit_migrations();
    all.extend(store::tables::MIGRATIONS);
    all
}

/// Every column of the service's own tables, classed.
pub const COLUMNS: &[(&str, &str, Class)] = store::tables::COLUMNS;

/// Personal columns that stand in the open all the same: table, column, why.
pub const OPEN_COLUMNS: &[(&str, &str, &str)] = store::tables::OPEN_COLUMNS;

/// What a violated constraint of the service's tables means. Writers look for these before; this is what is left.
pub const CONSTRAINTS: &[Constraint] = store::tables::CONSTRAINTS;

/// Texts of the service's errors.
pub fn texts() -> Texts {
    Texts::with(include_str!("../locales/zh-CN.ftl"), include_str!("../locales/en.ftl"))
}

/// Builds the service and starts its tasks on `parts.tasks`.
///
/// # Errors
/// When the tables cannot be read.
pub async fn build(parts: ServiceParts, access: Access) -> Result<Routes> {
    let app = app::App::start(parts, access).await?;
    Ok(api::routes(app))
}
