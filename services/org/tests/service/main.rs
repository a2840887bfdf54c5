//! Claims about the org service through its tonic edge, on SQLite and, with `LINLI_TEST_PG_URL`, on PostgreSQL.

mod appointments;
mod areas;
mod batches;
mod concurrency;
mod people;
mod schema;
mod structure;
mod suite;
mod units;
mod validation;
mod verify;
