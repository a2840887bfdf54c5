//! Who may do what: `authorise(..) -> Permit`, `scope(..) -> Scope`.
//!
//! Owns the role matrix, the decisions and the projections of org's feed on which they rest. The only crate that knows
//! the engine behind them; today a static matrix, later policies. Never: a service's own rows.

mod decide;
mod fresh;
mod matrix;
mod projection;

mod snapshot;

pub use decide::{Access, Permit, Scope, Target, Within};
pub use matrix::{Matrix, MatrixError, Role};

pub use projection::{COLUMNS, PROJECTION_STREAM, migrations, start_projection};
pub use snapshot::{AreaRow, GrantRow, Snapshot, UnitRow};
