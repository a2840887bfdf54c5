//! Rows as sea-orm entities; private to the store.

/// Versions of plugins.
pub(crate) mod version {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "plugin_version")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) area: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        /// Full name of the plugin.
        pub(crate) plugin: String,
        pub(crate) digest: String,
        pub(crate) size_bytes: i64,
        pub(crate) state: i32,
        /// JSON.
        pub(crate) problems: String,
        /// JSON.
        pub(crate) hooks: String,
        /// JSON; empty until validation got so far.
        pub(crate) manifest: String,
        /// Name of the operation that validates or validated it.
        pub(crate) operation: String,
        /// A `PluginForm`.
        pub(crate) form: i32,
        /// Subject that uploaded it.
        pub(crate) author: String,
        /// Name of the key that signed it; empty when unsigned.
        pub(crate) author_key: String,
        /// In hexadecimal digits; empty when nobody signed.
        pub(crate) signature: String,
        /// Percent of its budget that its most expensive validated call took.
        pub(crate) peak_fuel: i32,
        /// JSON; empty unless quarantined.
        pub(crate) quarantine: String,
        pub(crate) revision: i64,
        pub(crate) create_us: i64,
        pub(crate) update_us: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What an area's charter asks of its rules.
pub(crate) mod policy {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "rules_policy")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) area: String,
        pub(crate) signature_required: bool,
        pub(crate) second_person_required: bool,
        pub(crate) quarantine_faults: i32,
        pub(crate) quarantine_window_min: i32,
        pub(crate) source: String,
        pub(crate) revision: i64,
        pub(crate) create_us: i64,
        pub(crate) update_us: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What authors are told.
pub(crate) mod notice {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "plugin_notice")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) area: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        /// Full name of the version.
        pub(crate) plugin_version: String,
        pub(crate) author: String,
        pub(crate) code: String,
        /// JSON.
        pub(crate) args: String,
        pub(crate) create_us: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Faults of versions, gathered for a moment each.
pub(crate) mod fault {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "rule_fault")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) area: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) version: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) at_us: i64,
        pub(crate) faults: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
