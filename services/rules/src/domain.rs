//! Pure parts of the rules service. Never: rows, requests, a clock.

pub(crate) mod change;
pub(crate) mod effective;
pub(crate) mod said;
pub(crate) mod thresholds;
pub(crate) mod version;
