//! What a community brings to its residents, when and where, and who comes.
//!
//! Owns offerings, stations, schedules, menus, slots, bookings and the receipts of the decisions about them. Never: who
//! people are (org tells), what a rule says (rules tell), what points are worth (points keep them).

mod api;
mod app;
pub mod domain;
mod ids;
mod store;

use linli_access::Access;
use linli_kit::columns::Class;
use linli_kit::retention::{Instants, Kept};
use linli_kit::serve::{ServiceParts, start_retention};
use linli_kit::store::{Constraint, Migration, kit_migrations};
use linli_kit::texts::Texts;
use linli_kit::{ErrorCode, Result};
use tonic::service::Routes;

pub use ids::{BookingId, ReceiptId, SlotId};

/// Name of the service.
pub const SERVICE: &str = "booking";

/// Every migration of the service's schema.
pub fn migrations() -> Vec<Migration> {
    let mut all = kit_migrations();
    all.extend(linli_access::migrations());
    all.extend_from_slice(store::tables::MIGRATIONS);
    all
}

/// Every column of the service's own tables, classed.
pub const COLUMNS: &[(&str, &str, Class)] = store::tables::COLUMNS;

/// What a violated constraint of the service's tables means.
pub const CONSTRAINTS: &[Constraint] = &[
    Constraint {
        name: "slot_seats",
        sqlite: "slot_seats",
        code: ErrorCode::FailedPrecondition,
        reason: "SLOT_FULL",
        field: None,
    },
    Constraint {
        name: "slot_once",
        sqlite: "slot.area, slot.schedule, slot.start_us",
        code: ErrorCode::Aborted,
        reason: "CONFLICT",
        field: None,
    },
];

/// Rows that grow and may go: the receipts of decisions.
const KEPT: &[Kept] = &[Kept::Rows {
    table: "receipt",
    key: "area, id",
    over: "create_us < $1",
    clock: Instants::Suite,
    keep: |settings| settings.receipts,
}];

/// Texts of the service's errors.
pub fn texts() -> Texts {
    Texts::with(include_str!("../locales/zh-CN.ftl"), include_str!("../locales/en.ftl"))
}

/// Builds the service and starts its tasks on `parts.tasks`.
///
/// # Errors
/// None today; the signature is that of every service.
pub async fn build(parts: ServiceParts, access: Access) -> Result<Routes> {
    start_retention(&parts, KEPT);
    let app = app::App::new(parts, access);
    app::start(&app);
    Ok(api::routes(app))
}
