//! The table of durable calls.

use crate::store::Migration;

/// Creates `durable_call`. `state`: 0 pending, 1 answered, 2 refused. `seq` is the order of decision within a subject:
/// whoever decides next has waited for the subject's row lock.
pub(crate) const MIGRATION: Migration = Migration {
    version: 12,
    name: "kit: durable calls",
    sqlite: &[
        "CREATE TABLE durable_call (
           seq INTEGER PRIMARY KEY AUTOINCREMENT, area TEXT NOT NULL, target TEXT NOT NULL, subject TEXT NOT NULL,
           request BLOB NOT NULL, request_id BLOB NOT NULL, trace_id TEXT NOT NULL, cause TEXT NOT NULL,
           state INTEGER NOT NULL, attempts INTEGER NOT NULL, next_us INTEGER NOT NULL, answer BLOB,
           reason TEXT NOT NULL, created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL,
           UNIQUE (target, request_id)
         ) STRICT",
        "CREATE INDEX durable_call_subject ON durable_call (subject, seq) WHERE state = 0",
        "CREATE INDEX durable_call_pending ON durable_call (seq) WHERE state = 0",
        "CREATE INDEX durable_call_over ON durable_call (updated_us) WHERE state <> 0",
    ],
    postgres: &[
        "CREATE TABLE durable_call (
           seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, area text NOT NULL, target text NOT NULL,
           subject text NOT NULL, request bytea NOT NULL, request_id uuid NOT NULL, trace_id text NOT NULL,
           cause text NOT NULL, state bigint NOT NULL, attempts bigint NOT NULL, next_us bigint NOT NULL, answer bytea,
           reason text NOT NULL, created_us bigint NOT NULL, updated_us bigint NOT NULL,
           UNIQUE (target, request_id)
         )",
        "CREATE INDEX durable_call_subject ON durable_call (subject, seq) WHERE state = 0",
        "CREATE INDEX durable_call_pending ON durable_call (seq) WHERE state = 0",
        "CREATE INDEX durable_call_over ON durable_call (updated_us) WHERE state <> 0",
    ],
};
