//! The tables that the feed adds to a service's schema; the table `event` itself is the store's.

use crate::store::Migration;

/// Creates `feed_head`, `consumer`, `parked_event` and `parked_key`.
pub(crate) const MIGRATION: Migration = Migration {
    version: 11,
    name: "kit: feed",
    sqlite: &[
        // One row. The newest position outlives its event, so that positions are never given twice.
        "CREATE TABLE feed_head (
           id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), newest INTEGER NOT NULL, oldest INTEGER NOT NULL
         ) STRICT",
        "INSERT INTO feed_head (id, newest, oldest) VALUES (1, 0, 1)",
        "CREATE TABLE consumer (
           name TEXT NOT NULL PRIMARY KEY, stream TEXT NOT NULL, position INTEGER NOT NULL, fence INTEGER NOT NULL
         ) STRICT",
        "CREATE TABLE parked_event (
           consumer TEXT NOT NULL, position INTEGER NOT NULL, event_id TEXT NOT NULL,
           reason TEXT NOT NULL, attempts INTEGER NOT NULL, next_us INTEGER NOT NULL, data BLOB NOT NULL,
           PRIMARY KEY (consumer, position)
         ) STRICT",
        "CREATE TABLE parked_key (
           consumer TEXT NOT NULL, position INTEGER NOT NULL, blocking_key TEXT NOT NULL,
           PRIMARY KEY (consumer, position, blocking_key)
         ) STRICT, WITHOUT ROWID",
        "CREATE INDEX parked_key_first ON parked_key (consumer, blocking_key, position)",
    ],
    postgres: &[
        "CREATE TABLE feed_head (
           id bigint NOT NULL PRIMARY KEY CHECK (id = 1), newest bigint NOT NULL, oldest bigint NOT NULL
         )",
        "INSERT INTO feed_head (id, newest, oldest) VALUES (1, 0, 1)",
        "CREATE TABLE consumer (
           name text NOT NULL PRIMARY KEY, stream text NOT NULL, position bigint NOT NULL, fence bigint NOT NULL
         )",
        "CREATE TABLE parked_event (
           consumer text NOT NULL, position bigint NOT NULL, event_id text NOT NULL,
           reason text NOT NULL, attempts bigint NOT NULL, next_us bigint NOT NULL, data bytea NOT NULL,
           PRIMARY KEY (consumer, position)
         )",
        "CREATE TABLE parked_key (
           consumer text NOT NULL, position bigint NOT NULL, blocking_key text NOT NULL,
           PRIMARY KEY (consumer, position, blocking_key)
         )",
        "CREATE INDEX parked_key_first ON parked_key (consumer, blocking_key, position)",
    ],
};
