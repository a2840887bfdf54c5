//! The tables of rule changes. Never: a query.

use linli_kit::ErrorCode;
use linli_kit::store::{Constraint, Migration};

/// Creates them.
pub(crate) const MIGRATION: Migration = Migration {
    version: 1001,
    name: "rules: changes of bindings and what trials would have said",
    sqlite: &[
        "CREATE TABLE rule_change (
           area TEXT NOT NULL, id BLOB NOT NULL, binding TEXT NOT NULL, wanted BLOB NOT NULL, previous BLOB NOT NULL,
           stage INTEGER NOT NULL, permille INTEGER NOT NULL, effective_us INTEGER NOT NULL, state INTEGER NOT NULL,
           run_stage INTEGER NOT NULL, run_permille INTEGER NOT NULL, before BLOB, is_undoable INTEGER NOT NULL,
           steps TEXT NOT NULL, revision INTEGER NOT NULL, create_us INTEGER NOT NULL, update_us INTEGER NOT NULL,
           PRIMARY KEY (area, id)) STRICT, WITHOUT ROWID",
        "CREATE UNIQUE INDEX rule_change_open ON rule_change (area, binding) WHERE state IN (1, 2, 3)",
        "CREATE UNIQUE INDEX rule_change_active ON rule_change (area, binding) WHERE state = 4",
        "CREATE INDEX rule_change_trial ON rule_change (area) WHERE run_stage > 0",
        "CREATE INDEX rule_change_due ON rule_change (effective_us) WHERE state = 2",
        "CREATE TABLE rule_outcome (
           change BLOB NOT NULL, was TEXT NOT NULL, would TEXT NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL,
           PRIMARY KEY (change, was, would, reason)) STRICT, WITHOUT ROWID",
    ],
    postgres: &[
        "CREATE TABLE rule_change (
           area text NOT NULL, id uuid NOT NULL, binding text NOT NULL, wanted bytea NOT NULL, previous bytea NOT NULL,
           stage integer NOT NULL, permille integer NOT NULL, effective_us bigint NOT NULL, state integer NOT NULL,
           run_stage integer NOT NULL, run_permille integer NOT NULL, before uuid, is_undoable boolean NOT NULL,
           steps text NOT NULL, revision bigint NOT NULL, create_us bigint NOT NULL, update_us bigint NOT NULL,
           PRIMARY KEY (area, id))",
        "CREATE UNIQUE INDEX rule_change_open ON rule_change (area, binding) WHERE state IN (1, 2, 3)",
        "CREATE UNIQUE INDEX rule_change_active ON rule_change (area, binding) WHERE state = 4",
        "CREATE INDEX rule_change_trial ON rule_change (area) WHERE run_stage > 0",
        "CREATE INDEX rule_change_due ON rule_change (effective_us) WHERE state = 2",
        "CREATE TABLE rule_outcome (
           change uuid NOT NULL, was text NOT NULL, would text NOT NULL, reason text NOT NULL, count bigint NOT NULL,
           PRIMARY KEY (change, was, would, reason))",
    ],
};

/// Two writers at one binding: the area's lock orders them, and these hold if it ever did not.
pub(crate) const OPEN_ONCE: Constraint = Constraint {
    name: "rule_change_open",
    sqlite: "rule_change.area, rule_change.binding",
    code: ErrorCode::Aborted,
    reason: "CONFLICT",
    field: None,
};

/// Changes of bindings.
pub(crate) mod change {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "rule_change")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) area: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        /// Id of the binding.
        pub(crate) binding: String,
        /// The binding as it is to be; only its name when it is to go.
        pub(crate) wanted: Vec<u8>,
        /// The binding as it was before this came into force; empty when there was none.
        pub(crate) previous: Vec<u8>,
        /// What was asked for last.
        pub(crate) stage: i32,
        pub(crate) permille: i32,
        /// 0: at once.
        pub(crate) effective_us: i64,
        pub(crate) state: i32,
        /// What runs of it beside the active rule; 0: nothing.
        pub(crate) run_stage: i32,
        pub(crate) run_permille: i32,
        /// The change that was in force before.
        pub(crate) before: Option<Uuid>,
        /// Whether it can be rolled back.
        pub(crate) is_undoable: bool,
        /// JSON.
        pub(crate) steps: String,
        pub(crate) revision: i64,
        pub(crate) create_us: i64,
        pub(crate) update_us: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// How often one answer of a trial stood beside what was obeyed.
pub(crate) mod outcome {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "rule_outcome")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) change: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) was: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) would: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) reason: String,
        pub(crate) count: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
