//! The tables of org.

use linli_kit::ErrorCode;
use linli_kit::columns::Class;
use linli_kit::store::{Constraint, Migration};

/// Org's own migrations.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1000,
    name: "org: areas, units, households, people, appointments",
    sqlite: &[
        "CREATE TABLE area (
           area TEXT NOT NULL PRIMARY KEY, parent TEXT NOT NULL, kind INTEGER NOT NULL, zh_cn TEXT NOT NULL,
           en TEXT NOT NULL, division_code TEXT NOT NULL, time_zone TEXT NOT NULL, revision INTEGER NOT NULL,
           create_us INTEGER NOT NULL, update_us INTEGER NOT NULL) STRICT",
        "CREATE INDEX area_parent ON area (parent)",
        "CREATE TABLE unit (
           area TEXT NOT NULL, id TEXT NOT NULL, parent TEXT NOT NULL, kind TEXT NOT NULL, tree INTEGER NOT NULL,
           path TEXT NOT NULL, zh_cn TEXT NOT NULL, en TEXT NOT NULL, labels TEXT NOT NULL,
           households INTEGER NOT NULL, people INTEGER NOT NULL, revision INTEGER NOT NULL,
           create_us INTEGER NOT NULL, update_us INTEGER NOT NULL, PRIMARY KEY (area, id)) STRICT, WITHOUT ROWID",
        "CREATE UNIQUE INDEX unit_path ON unit (area, path)",
        "CREATE TABLE household (
           area TEXT NOT NULL, id BLOB NOT NULL, unit TEXT NOT NULL, import_key TEXT NOT NULL,
           people INTEGER NOT NULL, revision INTEGER NOT NULL, create_us INTEGER NOT NULL,
           update_us INTEGER NOT NULL, PRIMARY KEY (area, id)) STRICT, WITHOUT ROWID",
        "CREATE UNIQUE INDEX household_import_key ON household (area, import_key) WHERE import_key <> ''",
        "CREATE INDEX household_unit ON household (area, unit)",
        "CREATE TABLE person (
           area TEXT NOT NULL, id BLOB NOT NULL, household BLOB, unit TEXT NOT NULL, full_name_enc BLOB NOT NULL,
           birth_year INTEGER NOT NULL, tags_enc BLOB NOT NULL, import_key TEXT NOT NULL, revision INTEGER NOT NULL,
           create_us INTEGER NOT NULL, update_us INTEGER NOT NULL, PRIMARY KEY (area, id)) STRICT, WITHOUT ROWID",
        "CREATE UNIQUE INDEX person_import_key ON person (area, import_key) WHERE import_key <> ''",
        "CREATE INDEX person_household ON person (area, household)",
        "CREATE INDEX person_unit ON person (area, unit)",
        "CREATE TABLE person_tag (
           area TEXT NOT NULL, tag_idx BLOB NOT NULL, person BLOB NOT NULL,
           PRIMARY KEY (area, tag_idx, person)) STRICT, WITHOUT ROWID",
        "CREATE INDEX person_tag_person ON person_tag (area, person)",
        "CREATE TABLE appointment (
           area TEXT NOT NULL, id BLOB NOT NULL, appointee TEXT NOT NULL, unit TEXT NOT NULL, role TEXT NOT NULL,
           access_role TEXT NOT NULL, basis INTEGER NOT NULL, start_us INTEGER NOT NULL, end_us INTEGER,
           revision INTEGER NOT NULL, create_us INTEGER NOT NULL, PRIMARY KEY (area, id)) STRICT, WITHOUT ROWID",
        "CREATE INDEX appointment_unit ON appointment (area, unit, role)",
        "CREATE INDEX appointment_appointee ON appointment (appointee)",
        "CREATE TABLE roles_version (one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL) STRICT",
        "INSERT INTO roles_version VALUES (1, 0)",
    ],
    postgres: &[
        "CREATE TABLE area (
           area text NOT NULL PRIMARY KEY, parent text NOT NULL, kind integer NOT NULL, zh_cn text NOT NULL,
           en text NOT NULL, division_code text NOT NULL, time_zone text NOT NULL, revision bigint NOT NULL,
           create_us bigint NOT NULL, update_us bigint NOT NULL)",
        "CREATE INDEX area_parent ON area (parent)",
        "CREATE TABLE unit (
           area text NOT NULL, id text NOT NULL, parent text NOT NULL, kind text NOT NULL, tree integer NOT NULL,
           path text COLLATE \"C\" NOT NULL, zh_cn text NOT NULL, en text NOT NULL, labels text NOT NULL,
           households bigint NOT NULL, people bigint NOT NULL, revision bigint NOT NULL,
           create_us bigint NOT NULL, update_us bigint NOT NULL, PRIMARY KEY (area, id))",
        "CREATE UNIQUE INDEX unit_path ON unit (area, path)",
        "CREATE TABLE household (
           area text NOT NULL, id uuid NOT NULL, unit text NOT NULL, import_key text NOT NULL,
           people bigint NOT NULL, revision bigint NOT NULL, create_us bigint NOT NULL,
           update_us bigint NOT NULL, PRIMARY KEY (area, id))",
        "CREATE UNIQUE INDEX household_import_key ON household (area, import_key) WHERE import_key <> ''",
        "CREATE INDEX household_unit ON household (area, unit)",
        "CREATE TABLE person (
           area text NOT NULL, id uuid NOT NULL, household uuid, unit text NOT NULL, full_name_enc bytea NOT NULL,
           birth_year integer NOT NULL, tags_enc bytea NOT NULL, import_key text NOT NULL, revision bigint NOT NULL,
           create_us bigint NOT NULL, update_us bigint NOT NULL, PRIMARY KEY (area, id))",
        "CREATE UNIQUE INDEX person_import_key ON person (area, import_key) WHERE import_key <> ''",
        "CREATE INDEX person_household ON person (area, household)",
        "CREATE INDEX person_unit ON person (area, unit)",
        "CREATE TABLE person_tag (
           area text NOT NULL, tag_idx bytea NOT NULL, person uuid NOT NULL, PRIMARY KEY (area, tag_idx, person))",
        "CREATE INDEX person_tag_person ON person_tag (area, person)",
        "CREATE TABLE appointment (
           area text NOT NULL, id uuid NOT NULL, appointee text NOT NULL, unit text NOT NULL, role text NOT NULL,
           access_role text NOT NULL, basis integer NOT NULL, start_us bigint NOT NULL, end_us bigint,
           revision bigint NOT NULL, create_us bigint NOT NULL, PRIMARY KEY (area, id))",
        "CREATE INDEX appointment_unit ON appointment (area, unit, role)",
        "CREATE INDEX appointment_appointee ON appointment (appointee)",
        "CREATE TABLE roles_version (one integer NOT NULL PRIMARY KEY CHECK (one = 1), version bigint NOT NULL)",
        "INSERT INTO roles_version VALUES (1, 0)",
    ],
}];

macro_rules! classed {
    ($($table:literal: $($column:literal $class:ident),+;)+) => {
        &[$($(($table, $column, Class::$class)),+),+]
    };
}

/// Every column of org's own tables, classed.
pub(crate) const COLUMNS: &[(&str, &str, Class)] = classed! {
    "area": "area" Public, "parent" Public, "kind" Public, "zh_cn" Public, "en" Public, "division_code" Public,
        "time_zone" Public, "revision" Public, "create_us" Public, "update_us" Public;
    "unit": "area" Public, "id" Public, "parent" Public, "kind" Public, "tree" Public, "path" Public, "zh_cn" Public,
        "en" Public, "labels" Public, "households" Public, "people" Public, "revision" Public, "create_us" Public,
        "update_us" Public;
    "household": "area" Public, "id" Public, "unit" Public, "import_key" Public, "people" Public, "revision" Public,
        "create_us" Public, "update_us" Public;
    "person": "area" Public, "id" Public, "household" Public, "unit" Public, "full_name_enc" Personal,
        "birth_year" Personal, "tags_enc" Personal, "import_key" Public, "revision" Public, "create_us" Public,
        "update_us" Public;
    "person_tag": "area" Public, "tag_idx" Public, "person" Public;
    "appointment": "area" Public, "id" Public, "appointee" Public, "unit" Public, "role" Public, "access_role" Public,
        "basis" Public, "start_us" Public, "end_us" Public, "revision" Public, "create_us" Public;
    "roles_version": "one" Public, "version" Public;
};

/// Personal columns that stand in the open all the same, and why.
///
/// The year of birth is what ages are counted by: ListPeople filters on it, electorates are chosen by it, in ranges that
/// neither a sealed column nor a blind index can answer. It is a number out of some hundred that most residents share with
/// others of the area, no text that somebody typed, and it names nobody without the name, which is sealed beside it.
pub(crate) const OPEN_COLUMNS: &[(&str, &str, &str)] =
    &[("person", "birth_year", "compared in ranges: ages, electorates; a number, shared by many, no text")];

/// What a violated constraint means.
pub(crate) const CONSTRAINTS: &[Constraint] = &[
    Constraint {
        name: "household_import_key",
        sqlite: "household.area, household.import_key",
        code: ErrorCode::InvalidArgument,
        reason: "IMPORT_KEY_TAKEN",
        field: Some("household.import_key"),
    },
    Constraint {
        name: "person_import_key",
        sqlite: "person.area, person.import_key",
        code: ErrorCode::InvalidArgument,
        reason: "IMPORT_KEY_TAKEN",
        field: Some("person.import_key"),
    },
];
