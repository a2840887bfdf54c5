//! What a community brings to its residents, when and where, and who comes.
//!
//! Owns offerings, stations, schedules, menus, slots, bookings and the receipts of the decisions about them.

pub mod domain;
