//! The table of long-running operations.

use crate::store::Migration;

/// Creates `operation`. `state`: 0 waits, 1 runs, 2 succeeded, 3 failed, 4 cancelled. `free_us` is the machine's time from
/// which somebody may run it, `fence` grows with every run. Errors are kept as encoded `google.rpc.Status` per language.
pub(crate) const MIGRATION: Migration = Migration {
    version: 13,
    name: "kit: operations",
    sqlite: &[
        "CREATE TABLE operation (
           area TEXT NOT NULL, id BLOB NOT NULL, kind TEXT NOT NULL, state INTEGER NOT NULL, request BLOB NOT NULL,
           metadata BLOB, result BLOB, error_code INTEGER NOT NULL, error_reason TEXT NOT NULL, error_zh BLOB,
           error_en BLOB, owner TEXT NOT NULL, trace_id TEXT NOT NULL, created_us INTEGER NOT NULL,
           updated_us INTEGER NOT NULL, cancel_requested INTEGER NOT NULL, holder TEXT NOT NULL, fence INTEGER NOT NULL,
           free_us INTEGER NOT NULL, attempts INTEGER NOT NULL,
           PRIMARY KEY (area, id)
         ) STRICT, WITHOUT ROWID",
        "CREATE INDEX operation_open ON operation (free_us) WHERE state < 2",
        "CREATE INDEX operation_over ON operation (updated_us) WHERE state >= 2",
    ],
    postgres: &[
        "CREATE TABLE operation (
           area text NOT NULL, id uuid NOT NULL, kind text NOT NULL, state bigint NOT NULL, request bytea NOT NULL,
           metadata bytea, result bytea, error_code bigint NOT NULL, error_reason text NOT NULL, error_zh bytea,
           error_en bytea, owner text NOT NULL, trace_id text NOT NULL, created_us bigint NOT NULL,
           updated_us bigint NOT NULL, cancel_requested bigint NOT NULL, holder text NOT NULL, fence bigint NOT NULL,
           free_us bigint NOT NULL, attempts bigint NOT NULL,
           PRIMARY KEY (area, id)
         )",
        "CREATE INDEX operation_open ON operation (free_us) WHERE state < 2",
        "CREATE INDEX operation_over ON operation (updated_us) WHERE state >= 2",
    ],
};
