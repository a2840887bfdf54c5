//! Claims about the booking service through its tonic edge, on SQLite and, with LINLI_TEST_PG_URL, on PostgreSQL.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test; its stubs answer as tonic services do"
)]

mod catalogue;
mod concurrency;
mod decisions;
mod guests;
mod handles;
mod households;
mod life;
mod privacy;
mod promote;
mod schedules;
mod settle;
mod stubs;
mod suite;
mod verify;
