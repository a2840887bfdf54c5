//! Claims about deliberation at its gRPC edge, on SQLite and, with `LINLI_TEST_PG_URL`, on PostgreSQL.

mod access;
mod archives;
mod asking;
mod assist;
mod confidential;
mod lists;
mod org;
mod races;
mod repeats;
mod rules;
mod schema;
mod secrecy;
mod steps;
mod templates;
mod votes;
mod world;
