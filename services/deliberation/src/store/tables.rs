//! The tables of deliberation, per engine.
//!
//! # What is kept apart about a vote
//!
//! `roll` says who voted, `vote_pending` and `vote` say what was voted; beside the ballot they have no column in common, and
//! none of them holds a time or a number in order.
//!
//! - `roll` is written whole when the ballot opens. On SQLite all three tables are WITHOUT ROWID, so
//!   rows lie by their random or given keys.
//! - While the ballot is open a vote lies in `vote_pending` under a random id, with choice and receipt code sealed: whoever
//!   reads tables or backups without the key learns neither, nor how the ballot stands.
//! - On PostgreSQL a row that changes gets a new place and the transaction's number (`ctid`, `xmin`). So each cast also seals
//!   and writes anew a random handful of the other pending votes, and writes anew an independent random handful of those who
//!   voted: a transaction's number leads from an elector to a set of votes, each as likely as the next to be the elector's.
//!   The first votes of a ballot hide among fewer; a set of one is never left behind by the cast after it.
//! - No row keeps the request id of a cast, its caller or its time. A retry is known because id and receipt code of the vote
//!   are made from the request id with the suite's key: only who knows the request id can find the vote.
//! - When the ballot closes, votes are opened, written to `vote` in one statement in the order of their random receipt codes,
//!   the pending ones are deleted, and the roll is written anew in the order of its electors: places and transaction numbers
//!   then say nothing about who voted when or what.
//!
//! Protected: against every reader of the tables, during and after the ballot, and against a reader of backups without the
//! key. Not protected: against somebody who holds the sealing key and compares the tables before and after one cast, or reads
//! the write-ahead log or the pages of the file: they keep what was written over until the engine has vacuumed it. A vote that
//! somebody else cast for the elector is known to whoever cast it; a unanimous result tells everybody's choice.

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
pub(crate) const MIGRATIONS: &[Migration] = &[TOPICS, BALLOTS, ARCHIVES, RECEIPTS];

const TOPICS: Migration = Migration {
    version: 1000,
    name: "deliberation: topics and their records",
    sqlite: &[
        "CREATE TABLE topic (
           area TEXT NOT NULL, id BLOB NOT NULL, template TEXT NOT NULL, process BLOB NOT NULL, unit TEXT NOT NULL,
           kind TEXT NOT NULL, source TEXT NOT NULL, title_enc BLOB NOT NULL, body_enc BLOB NOT NULL,
           raised_by_enc BLOB NOT NULL, raised_by_idx BLOB NOT NULL, ordinal INTEGER NOT NULL, stage TEXT NOT NULL,
           state INTEGER NOT NULL, supports INTEGER NOT NULL, assisted_supports INTEGER NOT NULL, readers TEXT NOT NULL,
           file_bytes INTEGER NOT NULL, affected_households INTEGER, cost_fen INTEGER, tags TEXT NOT NULL,
           track_reason BLOB NOT NULL, stage_us INTEGER NOT NULL, revision INTEGER NOT NULL, create_us INTEGER NOT NULL, update_us INTEGER NOT NULL, PRIMARY KEY (area, id)
         ) STRICT",
        "CREATE INDEX topic_template ON topic (template)",
        "CREATE INDEX topic_raised_by ON topic (area, raised_by_idx)",
        "CREATE TABLE topic_stage (
           area TEXT NOT NULL, topic BLOB NOT NULL, ordinal INTEGER NOT NULL, stage TEXT NOT NULL,
           entered_us INTEGER NOT NULL, PRIMARY KEY (area, topic, ordinal)
         ) STRICT, WITHOUT ROWID",
        "CREATE TABLE support (
           area TEXT NOT NULL, topic BLOB NOT NULL, supporter_idx BLOB NOT NULL, assisted_by TEXT NOT NULL,
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
           state integer NOT NULL, supports integer NOT NULL, assisted_supports integer NOT NULL, readers text NOT NULL,
           file_bytes bigint NOT NULL, affected_households integer, cost_fen bigint, tags text NOT NULL,
           track_reason bytea NOT NULL, stage_us bigint NOT NULL, revision bigint NOT NULL, create_us bigint NOT NULL, update_us bigint NOT NULL, PRIMARY KEY (area, id)
         )",
        "CREATE INDEX topic_template ON topic (template)",
        "CREATE INDEX topic_raised_by ON topic (area, raised_by_idx)",
        "CREATE TABLE topic_stage (
           area text NOT NULL, topic uuid NOT NULL, ordinal integer NOT NULL, stage text NOT NULL,
           entered_us bigint NOT NULL, PRIMARY KEY (area, topic, ordinal)
         )",
        "CREATE TABLE support (
           area text NOT NULL, topic uuid NOT NULL, supporter_idx bytea NOT NULL, assisted_by text NOT NULL,
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
           question_zh TEXT NOT NULL, question_en TEXT NOT NULL, rule BLOB NOT NULL, rule_reasons BLOB NOT NULL,
           electors INTEGER NOT NULL, state INTEGER NOT NULL, result BLOB, open_us INTEGER NOT NULL, close_us INTEGER NOT NULL,
           PRIMARY KEY (area, id)
         ) STRICT, WITHOUT ROWID",
        "CREATE INDEX ballot_topic ON ballot (area, topic)",
        "CREATE TABLE roll (
           area TEXT NOT NULL, ballot BLOB NOT NULL, elector TEXT NOT NULL, voted INTEGER NOT NULL,
           assisted_by TEXT NOT NULL,
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
           question_zh text NOT NULL, question_en text NOT NULL, rule bytea NOT NULL, rule_reasons bytea NOT NULL,
           electors integer NOT NULL, state integer NOT NULL, result bytea, open_us bigint NOT NULL, close_us bigint NOT NULL,
           PRIMARY KEY (area, id)
         )",
        "CREATE INDEX ballot_topic ON ballot (area, topic)",
        "CREATE TABLE roll (
           area text NOT NULL, ballot uuid NOT NULL, elector text NOT NULL, voted boolean NOT NULL,
           assisted_by text NOT NULL,
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

const RECEIPTS: Migration = Migration {
    version: 1003,
    name: "deliberation: receipts of decisions by rules",
    sqlite: &[
        "CREATE TABLE topic_receipt (
           area TEXT NOT NULL, id BLOB NOT NULL, topic BLOB NOT NULL, ballot BLOB, unit TEXT NOT NULL, hook TEXT NOT NULL,
           kind TEXT NOT NULL, verdict TEXT NOT NULL, spec_enc BLOB NOT NULL, request_enc BLOB NOT NULL,
           create_us INTEGER NOT NULL, PRIMARY KEY (area, id)
         ) STRICT",
        "CREATE INDEX topic_receipt_topic ON topic_receipt (area, topic)",
        "CREATE INDEX topic_receipt_time ON topic_receipt (area, hook, create_us, id)",
    ],
    postgres: &[
        "CREATE TABLE topic_receipt (
           area text NOT NULL, id uuid NOT NULL, topic uuid NOT NULL, ballot uuid, unit text NOT NULL, hook text NOT NULL,
           kind text NOT NULL, verdict text NOT NULL, spec_enc bytea NOT NULL, request_enc bytea NOT NULL,
           create_us bigint NOT NULL, PRIMARY KEY (area, id)
         )",
        "CREATE INDEX topic_receipt_topic ON topic_receipt (area, topic)",
        "CREATE INDEX topic_receipt_time ON topic_receipt (area, hook, create_us, id)",
    ],
};
