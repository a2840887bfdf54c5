//! Rows as sea-orm entities; private to the store.

/// Bytes of components, once per area and digest.
pub(crate) mod artifact {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "plugin_artifact")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) area: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) digest: String,
        pub(crate) bytes: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

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
        pub(crate) revision: i64,
        pub(crate) create_us: i64,
        pub(crate) update_us: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
