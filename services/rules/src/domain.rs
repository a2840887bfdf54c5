//! What the rules service decides, as pure functions and types. Never: a row, a message, a clock.

pub(crate) mod effective;
pub(crate) mod version;
