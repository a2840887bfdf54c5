//! The tables of rules.

use linli_kit::ErrorCode;
use linli_kit::columns::Class;
use linli_kit::store::{Constraint, Migration};

use super::changes;

/// Rules' own migrations.
pub(crate) const MIGRATIONS: &[Migration] = &[FIRST, changes::tables::MIGRATION, FAULTS];

const FIRST: Migration = Migration {
    version: 1000,
    name: "rules: plugin versions, policies and notices",
    sqlite: &[
        "CREATE TABLE plugin_version (
           area TEXT NOT NULL, id BLOB NOT NULL, plugin TEXT NOT NULL, digest TEXT NOT NULL,
           size_bytes INTEGER NOT NULL, state INTEGER NOT NULL, problems TEXT NOT NULL, hooks TEXT NOT NULL,
           manifest TEXT NOT NULL, operation TEXT NOT NULL, form INTEGER NOT NULL, author TEXT NOT NULL,
           author_key TEXT NOT NULL, peak_fuel INTEGER NOT NULL, quarantine TEXT NOT NULL, revision INTEGER NOT NULL,
           create_us INTEGER NOT NULL, update_us INTEGER NOT NULL, PRIMARY KEY (area, id)) STRICT, WITHOUT ROWID",
        "CREATE UNIQUE INDEX plugin_version_digest ON plugin_version (area, plugin, digest)",
        "CREATE INDEX plugin_version_bytes ON plugin_version (digest)",
        "CREATE TABLE rules_policy (
           area TEXT PRIMARY KEY, signature_required INTEGER NOT NULL, second_person_required INTEGER NOT NULL,
           quarantine_faults INTEGER NOT NULL, quarantine_window_min INTEGER NOT NULL, source TEXT NOT NULL,
           revision INTEGER NOT NULL, create_us INTEGER NOT NULL, update_us INTEGER NOT NULL) STRICT, WITHOUT ROWID",
        "CREATE TABLE plugin_notice (
           area TEXT NOT NULL, id BLOB NOT NULL, plugin_version TEXT NOT NULL, author TEXT NOT NULL, code TEXT NOT NULL,
           args TEXT NOT NULL, create_us INTEGER NOT NULL, PRIMARY KEY (area, id)) STRICT, WITHOUT ROWID",
    ],
    postgres: &[
        "CREATE TABLE plugin_version (
           area text NOT NULL, id uuid NOT NULL, plugin text NOT NULL, digest text NOT NULL,
           size_bytes bigint NOT NULL, state integer NOT NULL, problems text NOT NULL, hooks text NOT NULL,
           manifest text NOT NULL, operation text NOT NULL, form integer NOT NULL, author text NOT NULL,
           author_key text NOT NULL, peak_fuel integer NOT NULL, quarantine text NOT NULL, revision bigint NOT NULL,
           create_us bigint NOT NULL, update_us bigint NOT NULL, PRIMARY KEY (area, id))",
        "CREATE UNIQUE INDEX plugin_version_digest ON plugin_version (area, plugin, digest)",
        "CREATE INDEX plugin_version_bytes ON plugin_version (digest)",
        "CREATE TABLE rules_policy (
           area text PRIMARY KEY, signature_required boolean NOT NULL, second_person_required boolean NOT NULL,
           quarantine_faults integer NOT NULL, quarantine_window_min integer NOT NULL, source text NOT NULL,
           revision bigint NOT NULL, create_us bigint NOT NULL, update_us bigint NOT NULL)",
        "CREATE TABLE plugin_notice (
           area text NOT NULL, id uuid NOT NULL, plugin_version text NOT NULL, author text NOT NULL, code text NOT NULL,
           args text NOT NULL, create_us bigint NOT NULL, PRIMARY KEY (area, id))",
    ],
};

const FAULTS: Migration = Migration {
    version: 1002,
    name: "rules: faults of versions, counted for all processes together; signatures are kept",
    sqlite: &[
        "ALTER TABLE plugin_version ADD COLUMN signature TEXT NOT NULL DEFAULT ''",
        "CREATE TABLE rule_fault (
           area TEXT NOT NULL, version BLOB NOT NULL, at_us INTEGER NOT NULL, faults INTEGER NOT NULL,
           PRIMARY KEY (area, version, at_us)) STRICT, WITHOUT ROWID",
    ],
    postgres: &[
        "ALTER TABLE plugin_version ADD COLUMN signature text NOT NULL DEFAULT ''",
        "CREATE TABLE rule_fault (
           area text NOT NULL, version uuid NOT NULL, at_us bigint NOT NULL, faults integer NOT NULL,
           PRIMARY KEY (area, version, at_us))",
    ],
};

/// Two uploads of the same bytes at once: the second finds the version on its next attempt.
pub(crate) const CONSTRAINTS: &[Constraint] = &[
    changes::tables::OPEN_ONCE,
    Constraint {
        name: "plugin_version_digest",
        sqlite: "plugin_version.area, plugin_version.plugin, plugin_version.digest",
        code: ErrorCode::Aborted,
        reason: "CONFLICT",
        field: None,
    },
];

macro_rules! classed {
    ($($table:literal: $($column:literal $class:ident),+;)+) => {
        &[$($(($table, $column, Class::$class)),+),+]
    };
}

/// Every column of rules' own tables, classed: a plugin is public, and facts are never stored.
pub(crate) const COLUMNS: &[(&str, &str, Class)] = classed! {
    "plugin_version": "area" Public, "id" Public, "plugin" Public, "digest" Public, "size_bytes" Public,
        "state" Public, "problems" Public, "hooks" Public, "manifest" Public, "operation" Public, "form" Public,
        "author" Public, "author_key" Public, "signature" Public, "peak_fuel" Public, "quarantine" Public, "revision" Public,
        "create_us" Public, "update_us" Public;
    "rules_policy": "area" Public, "signature_required" Public, "second_person_required" Public,
        "quarantine_faults" Public, "quarantine_window_min" Public, "source" Public, "revision" Public,
        "create_us" Public, "update_us" Public;
    "rule_change": "area" Public, "id" Public, "binding" Public, "wanted" Public, "previous" Public, "stage" Public,
        "permille" Public, "effective_us" Public, "state" Public, "run_stage" Public, "run_permille" Public,
        "before" Public, "is_undoable" Public, "steps" Public, "revision" Public, "create_us" Public, "update_us" Public;
    "rule_outcome": "change" Public, "was" Public, "would" Public, "reason" Public, "count" Public;
    "rule_fault": "area" Public, "version" Public, "at_us" Public, "faults" Public;
    "plugin_notice": "area" Public, "id" Public, "plugin_version" Public, "author" Public, "code" Public,
        "args" Public, "create_us" Public;
};
