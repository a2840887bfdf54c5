//! The tables of deliberation, per engine.
//!
//! # What is kept apart about a vote
//!
//! `roll` says who voted, `vote_pending` and `vote` say what was voted; beside the ballot they have no column in common, and
//! none of them holds a time or a number in order.
//!
//! - `roll` is written whole when the ballot opens; a vote turns one flag. On SQLite all three tables are WITHOUT ROWID, so
//!   rows lie by their random or given keys. On PostgreSQL a row that changes gets a new place and the transaction's number.
//! - While the ballot is open a vote lies in `vote_pending` under a random id, with choice and receipt code sealed: whoever
//!   reads tables or backups without the key learns neither, nor how the ballot stands.
//! - When the ballot closes, votes are opened, written to `vote` in one statement in the order of their random receipt codes,
//!   the pending ones are deleted, and on PostgreSQL the roll is written anew in the order of its electors: places and
//!   transaction numbers then say nothing about who voted when or what.
//!
//! Protected: against every reader of the tables, during and after the ballot, and against a reader of backups without the
//! key. Not protected: against somebody who holds the sealing key and while the ballot is open also watches PostgreSQL's
//! system columns (`xmin`, `ctid`), the write-ahead log, or the pages of the file as they change: roll and pending vote are
//! written by one transaction, so that neither is ever without the other. Pages and log keep such traces until the engine
//! has vacuumed or overwritten them. The row of a request id says that a subject voted and when it asked, never what; a
//! unanimous result tells everybody's choice.

use linli_kit::ErrorCode;
use linli_kit::store::{Constraint, Migration};

/// What violated constraints mean; those that are not listed are conflicts.
pub(crate) const CONSTRAINTS: &[Constraint] = &[Constraint {
    name: "archive_area_topic_key",
    sqlite: "archive.area, archive.topic",
    code: ErrorCode::FailedPrecondition,
    reason: "ARCHIVED_ALREADY",
    field: None,
}];

/// Migrations of these tables.
pub(crate) const MIGRATIONS: &[Migration] = &[TOPICS, BALLOTS, ARCHIVES];

const TOPICS: Migration = Migration {
    version: 1000,
    name: "deliberation: topics and their records",
    sqlite: &[
        "CREATE TABLE topic (
           area TEXT NOT NULL, id BLOB NOT NULL, template TEXT NOT NULL, process BLOB NOT NULL, unit TEXT NOT NULL,
           kind TEXT NOT NULL, source TEXT NOT NULL, title_enc BLOB NOT NULL, body_enc BLOB NOT NULL,
           raised_by_enc BLOB NOT NULL, raised_by_idx BLOB NOT NULL, ordinal INTEGER NOT NULL, stage TEXT NOT NULL,
           state INTEGER NOT NULL, supports INTEGER NOT NULL, file_bytes INTEGER NOT NULL, stage_us INTEGER NOT NULL,
           revision INTEGER NOT NULL, create_us INTEGER NOT NULL, update_us INTEGER NOT NULL, PRIMARY KEY (area, id)
         ) STRICT",
        "CREATE INDEX topic_template ON topic (template)",
        "CREATE INDEX topic_raised_by ON topic (area, raised_by_idx)",
        "CREATE TABLE topic_stage (
           area TEXT NOT NULL, topic BLOB NOT NULL, ordinal INTEGER NOT NULL, stage TEXT NOT NULL,
           entered_us INTEGER NOT NULL, PRIMARY KEY (area, topic, ordinal)
         ) STRICT, WITHOUT ROWID",
        "CREATE TABLE support (
           area TEXT NOT NULL, topic BLOB NOT NULL, supporter_idx BLOB NOT NULL,
           PRIMARY KEY (area, topic, supporter_idx)
         ) STRICT, WITHOUT ROWID",
        "CREATE TABLE stage_record (
           area TEXT NOT NULL, id BLOB NOT NULL, topic BLOB NOT NULL, unit TEXT NOT NULL, stage TEXT NOT NULL,
           kind TEXT NOT NULL, text_enc BLOB NOT NULL, outcome INTEGER NOT NULL, attendance INTEGER NOT NULL,
           role TEXT NOT NULL, recorded_by TEXT NOT NULL, create_us INTEGER NOT NULL, PRIMARY KEY (area, id)
         ) STRICT",
        "CREATE INDEX stage_record_topic ON stage_record (area, topic, id)",
    ],
    postgres: &[
        "CREATE TABLE topic (
           area text NOT NULL, id uuid NOT NULL, template text NOT NULL, process bytea NOT NULL, unit text NOT NULL,
           kind text NOT NULL, source text NOT NULL, title_enc bytea NOT NULL, body_enc bytea NOT NULL,
           raised_by_enc bytea NOT NULL, raised_by_idx bytea NOT NULL, ordinal integer NOT NULL, stage text NOT NULL,
           state integer NOT NULL, supports integer NOT NULL, file_bytes bigint NOT NULL, stage_us bigint NOT NULL,
           revision bigint NOT NULL, create_us bigint NOT NULL, update_us bigint NOT NULL, PRIMARY KEY (area, id)
         )",
        "CREATE INDEX topic_template ON topic (template)",
        "CREATE INDEX topic_raised_by ON topic (area, raised_by_idx)",
        "CREATE TABLE topic_stage (
           area text NOT NULL, topic uuid NOT NULL, ordinal integer NOT NULL, stage text NOT NULL,
           entered_us bigint NOT NULL, PRIMARY KEY (area, topic, ordinal)
         )",
        "CREATE TABLE support (
           area text NOT NULL, topic uuid NOT NULL, supporter_idx bytea NOT NULL,
           PRIMARY KEY (area, topic, supporter_idx)
         )",
        "CREATE TABLE stage_record (
           area text NOT NULL, id uuid NOT NULL, topic uuid NOT NULL, unit text NOT NULL, stage text NOT NULL,
           kind text NOT NULL, text_enc bytea NOT NULL, outcome integer NOT NULL, attendance integer NOT NULL,
           role text NOT NULL, recorded_by text NOT NULL, create_us bigint NOT NULL, PRIMARY KEY (area, id)
         )",
        "CREATE INDEX stage_record_topic ON stage_record (area, topic, id)",
    ],
};

const BALLOTS: Migration = Migration {
    version: 1001,
    name: "deliberation: ballots",
    sqlite: &[
        "CREATE TABLE ballot (
           area TEXT NOT NULL, id BLOB NOT NULL, topic BLOB NOT NULL, unit TEXT NOT NULL, stage TEXT NOT NULL,
           question_zh TEXT NOT NULL, question_en TEXT NOT NULL, rule BLOB NOT NULL, electors INTEGER NOT NULL,
           state INTEGER NOT NULL, result BLOB, open_us INTEGER NOT NULL, close_us INTEGER NOT NULL,
           PRIMARY KEY (area, id)
         ) STRICT, WITHOUT ROWID",
        "CREATE INDEX ballot_topic ON ballot (area, topic)",
        "CREATE TABLE roll (
           area TEXT NOT NULL, ballot BLOB NOT NULL, elector TEXT NOT NULL, voted INTEGER NOT NULL,
           PRIMARY KEY (area, ballot, elector)
         ) STRICT, WITHOUT ROWID",
        "CREATE TABLE vote_pending (
           area TEXT NOT NULL, ballot BLOB NOT NULL, id BLOB NOT NULL, vote_enc BLOB NOT NULL,
           PRIMARY KEY (area, ballot, id)
         ) STRICT, WITHOUT ROWID",
        "CREATE TABLE vote (
           area TEXT NOT NULL, ballot BLOB NOT NULL, receipt TEXT NOT NULL, choice INTEGER NOT NULL,
           PRIMARY KEY (area, ballot, receipt)
         ) STRICT, WITHOUT ROWID",
    ],
    postgres: &[
        "CREATE TABLE ballot (
           area text NOT NULL, id uuid NOT NULL, topic uuid NOT NULL, unit text NOT NULL, stage text NOT NULL,
           question_zh text NOT NULL, question_en text NOT NULL, rule bytea NOT NULL, electors integer NOT NULL,
           state integer NOT NULL, result bytea, open_us bigint NOT NULL, close_us bigint NOT NULL,
           PRIMARY KEY (area, id)
         )",
        "CREATE INDEX ballot_topic ON ballot (area, topic)",
        "CREATE TABLE roll (
           area text NOT NULL, ballot uuid NOT NULL, elector text NOT NULL, voted boolean NOT NULL,
           PRIMARY KEY (area, ballot, elector)
         )",
        "CREATE TABLE vote_pending (
           area text NOT NULL, ballot uuid NOT NULL, id uuid NOT NULL, vote_enc bytea NOT NULL,
           PRIMARY KEY (area, ballot, id)
         )",
        "CREATE TABLE vote (
           area text NOT NULL, ballot uuid NOT NULL, receipt text NOT NULL, choice integer NOT NULL,
           PRIMARY KEY (area, ballot, receipt)
         )",
    ],
};

const ARCHIVES: Migration = Migration {
    version: 1002,
    name: "deliberation: archives",
    sqlite: &["CREATE TABLE archive (
           area TEXT NOT NULL, id BLOB NOT NULL, topic BLOB NOT NULL, unit TEXT NOT NULL, digest TEXT NOT NULL,
           document_enc BLOB NOT NULL, create_us INTEGER NOT NULL, PRIMARY KEY (area, id), UNIQUE (area, topic)
         ) STRICT"],
    postgres: &["CREATE TABLE archive (
           area text NOT NULL, id uuid NOT NULL, topic uuid NOT NULL, unit text NOT NULL, digest text NOT NULL,
           document_enc bytea NOT NULL, create_us bigint NOT NULL, PRIMARY KEY (area, id), UNIQUE (area, topic)
         )"],
};
