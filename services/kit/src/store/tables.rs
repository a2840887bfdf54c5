//! Kit's own tables that every service has: request ids, events, catalogue resources.

use super::Migration;

/// Migrations of these tables; versions below 1000 are kit's.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "kit: request ids",
        sqlite: &[
            "CREATE TABLE idempotency (
               area TEXT NOT NULL, caller TEXT NOT NULL, method TEXT NOT NULL, request_id BLOB NOT NULL,
               request_hash BLOB NOT NULL, resource TEXT NOT NULL, created_us INTEGER NOT NULL,
               PRIMARY KEY (area, caller, method, request_id)
             ) STRICT, WITHOUT ROWID",
            "CREATE INDEX idempotency_created ON idempotency (created_us)",
        ],
        postgres: &[
            "CREATE TABLE idempotency (
               area text NOT NULL, caller text NOT NULL, method text NOT NULL, request_id uuid NOT NULL,
               request_hash bytea NOT NULL, resource text NOT NULL, created_us bigint NOT NULL,
               PRIMARY KEY (area, caller, method, request_id)
             )",
            "CREATE INDEX idempotency_created ON idempotency (created_us)",
        ],
    },
    Migration {
        version: 2,
        name: "kit: events",
        sqlite: &[
            "CREATE TABLE event (
               seq INTEGER NOT NULL PRIMARY KEY, id BLOB NOT NULL UNIQUE, area TEXT NOT NULL, position INTEGER,
               event_type TEXT NOT NULL, subject TEXT NOT NULL, aggregate_version INTEGER NOT NULL, data BLOB NOT NULL,
               time_us INTEGER NOT NULL, trace_id TEXT NOT NULL, cause TEXT NOT NULL
             ) STRICT",
            "CREATE UNIQUE INDEX event_position ON event (position) WHERE position IS NOT NULL",
            "CREATE INDEX event_unplaced ON event (position) WHERE position IS NULL",
            "CREATE INDEX event_area ON event (area, position)",
        ],
        postgres: &[
            "CREATE TABLE event (
               id uuid NOT NULL PRIMARY KEY, seq bigint GENERATED ALWAYS AS IDENTITY, area text NOT NULL, position bigint,
               event_type text NOT NULL, subject text NOT NULL, aggregate_version bigint NOT NULL, data bytea NOT NULL,
               time_us bigint NOT NULL, trace_id text NOT NULL, cause text NOT NULL
             )",
            "CREATE UNIQUE INDEX event_position ON event (position) WHERE position IS NOT NULL",
            "CREATE INDEX event_unplaced ON event (seq) WHERE position IS NULL",
            "CREATE INDEX event_area ON event (area, position)",
        ],
    },
    Migration {
        version: 3,
        name: "kit: catalogue",
        sqlite: &["CREATE TABLE catalogue (
               area TEXT NOT NULL, collection TEXT NOT NULL, id TEXT NOT NULL, revision INTEGER NOT NULL,
               spec BLOB NOT NULL, create_us INTEGER NOT NULL, update_us INTEGER NOT NULL,
               PRIMARY KEY (area, collection, id)
             ) STRICT"],
        postgres: &["CREATE TABLE catalogue (
               area text NOT NULL, collection text NOT NULL, id text NOT NULL, revision bigint NOT NULL,
               spec bytea NOT NULL, create_us bigint NOT NULL, update_us bigint NOT NULL,
               PRIMARY KEY (area, collection, id)
             )"],
    },
];
