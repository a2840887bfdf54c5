//! The rules service: the communities' own rules, in versions, bound to hooks and evaluated.
//!
//! Owns plugins, their versions and artefacts, bindings and their changes; a pure evaluator, and simulations, which read past
//! decisions from the services that made them. Never: anything about a person beyond the pseudonymous facts of one call.

pub use linli_rules_engine as engine;

pub use linli_rules_engine::validate;

mod api;
mod app;
mod artefacts;
mod domain;
mod store;

use linli_access::Access;
use linli_kit::Result;
use linli_kit::columns::Class;
use linli_kit::retention::{Instants, Kept};
use linli_kit::serve::{ServiceParts, start_retention};
use linli_kit::store::{Constraint, Migration, kit_migrations};
use linli_kit::texts::Texts;
use tonic::service::Routes;

pub use app::{Compiled, RulesSettings};
pub use artefacts::Artefacts;

/// Name of the service.
pub const SERVICE: &str = "rules";

/// Every migration of the service's schema.
pub fn migrations() -> Vec<Migration> {
    let mut all = kit_migrations();
    all.extend(linli_access::migrations());
    all.extend(store::tables::MIGRATIONS);
    all
}

/// Every column of the service's own tables, classed.
pub const COLUMNS: &[(&str, &str, Class)] = store::tables::COLUMNS;

/// What a violated constraint of the service's tables means.
pub const CONSTRAINTS: &[Constraint] = store::tables::CONSTRAINTS;

/// Texts of the service's errors.
pub fn texts() -> Texts {
    Texts::with(include_str!("../locales/zh-CN.ftl"), include_str!("../locales/en.ftl"))
}

/// What may go after a while. Who changed which rule when stays.
const KEPT: &[Kept] = &[
    Kept::Rows {
        table: "rule_outcome",
        key: "change, was, would, reason",
        over: "change IN (SELECT id FROM rule_change WHERE state NOT IN (1, 2, 3, 4) AND update_us < $1)",
        clock: Instants::Suite,
        keep: |settings| settings.receipts,
    },
    Kept::Rows {
        table: "plugin_notice",
        key: "area, id",
        over: "create_us < $1",
        clock: Instants::Suite,
        keep: |settings| settings.receipts,
    },
    Kept::Rows {
        table: "rule_fault",
        key: "area, version, at_us",
        over: "at_us < $1",
        clock: Instants::Suite,
        // Longer than any charter's window, which is a day at most.
        keep: |settings| settings.request_ids,
    },
];

/// Builds the service and starts its tasks on `parts.tasks`; uploads are validated by the running binary.
///
/// # Errors
/// When the running binary's path is unknown, or the plugin engine does not start.
pub async fn build(parts: ServiceParts, access: Access) -> Result<Routes> {
    build_with(parts, access, RulesSettings::default()).await
}

/// The same with settings of its own: for tests, whose binary knows nothing of the hidden argument.
///
/// # Errors
/// As [`build`].
pub async fn build_with(parts: ServiceParts, access: Access, settings: RulesSettings) -> Result<Routes> {
    start_retention(&parts, KEPT);
    let app = app::App::start(parts, access, settings)?;
    Ok(api::routes(app))
}
