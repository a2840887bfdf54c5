//! Thanks that can be counted: a double-entry ledger per area and asset, holds, cards, rewards, awards.
//!
//! Owns every unit of every asset and what is done with it. Never: who served (booking tells), what service is worth
//! (rules tell), anybody's name.

pub mod domain;
