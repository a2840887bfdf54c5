//! The tables of rules.

use linli_kit::ErrorCode;
use linli_kit::columns::Class;
use linli_kit::store::{Constraint, Migration};

/// Rules' own migrations.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1000,
    name: "rules: plugin versions and their artefacts",
    sqlite: &[
        "CREATE TABLE plugin_artifact (
           area TEXT NOT NULL, digest TEXT NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (area, digest)) STRICT",
        "CREATE TABLE plugin_version (
           area TEXT NOT NULL, id BLOB NOT NULL, plugin TEXT NOT NULL, digest TEXT NOT NULL,
           size_bytes INTEGER NOT NULL, state INTEGER NOT NULL, problems TEXT NOT NULL, hooks TEXT NOT NULL,
           manifest TEXT NOT NULL, operation TEXT NOT NULL, revision INTEGER NOT NULL, create_us INTEGER NOT NULL,
           update_us INTEGER NOT NULL, PRIMARY KEY (area, id)) STRICT, WITHOUT ROWID",
        "CREATE UNIQUE INDEX plugin_version_digest ON plugin_version (area, plugin, digest)",
    ],
    postgres: &[
        "CREATE TABLE plugin_artifact (
           area text NOT NULL, digest text NOT NULL, bytes bytea NOT NULL, PRIMARY KEY (area, digest))",
        "CREATE TABLE plugin_version (
           area text NOT NULL, id uuid NOT NULL, plugin text NOT NULL, digest text NOT NULL,
           size_bytes bigint NOT NULL, state integer NOT NULL, problems text NOT NULL, hooks text NOT NULL,
           manifest text NOT NULL, operation text NOT NULL, revision bigint NOT NULL, create_us bigint NOT NULL,
           update_us bigint NOT NULL, PRIMARY KEY (area, id))",
        "CREATE UNIQUE INDEX plugin_version_digest ON plugin_version (area, plugin, digest)",
    ],
}];

/// Two uploads of the same bytes at once: the second finds the version on its next attempt.
pub(crate) const CONSTRAINTS: &[Constraint] = &[Constraint {
    name: "plugin_version_digest",
    sqlite: "plugin_version.area, plugin_version.plugin, plugin_version.digest",
    code: ErrorCode::Aborted,
    reason: "CONFLICT",
    field: None,
}];

macro_rules! classed {
    ($($table:literal: $($column:literal $class:ident),+;)+) => {
        &[$($(($table, $column, Class::$class)),+),+]
    };
}

/// Every column of rules' own tables, classed: a plugin is public, and facts are never stored.
pub(crate) const COLUMNS: &[(&str, &str, Class)] = classed! {
    "plugin_artifact": "area" Public, "digest" Public, "bytes" Public;
    "plugin_version": "area" Public, "id" Public, "plugin" Public, "digest" Public, "size_bytes" Public,
        "state" Public, "problems" Public, "hooks" Public, "manifest" Public, "operation" Public, "revision" Public,
        "create_us" Public, "update_us" Public;
};
