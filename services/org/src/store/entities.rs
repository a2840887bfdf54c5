//! Rows as sea-orm entities; private to the store.

/// Administrative areas.
pub(crate) mod area {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "area")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) area: String,
        pub(crate) parent: String,
        pub(crate) kind: i32,
        pub(crate) zh_cn: String,
        pub(crate) en: String,
        pub(crate) division_code: String,
        pub(crate) time_zone: String,
        pub(crate) revision: i64,
        pub(crate) create_us: i64,
        pub(crate) update_us: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Units.
pub(crate) mod unit {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "unit")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) area: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: String,
        pub(crate) parent: String,
        pub(crate) kind: String,
        pub(crate) tree: i32,
        pub(crate) path: String,
        pub(crate) zh_cn: String,
        pub(crate) en: String,
        pub(crate) labels: String,
        pub(crate) households: i64,
        pub(crate) people: i64,
        pub(crate) revision: i64,
        pub(crate) create_us: i64,
        pub(crate) update_us: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Households.
pub(crate) mod household {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "household")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) area: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) unit: String,
        pub(crate) import_key: String,
        pub(crate) people: i64,
        pub(crate) revision: i64,
        pub(crate) create_us: i64,
        pub(crate) update_us: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// People.
pub(crate) mod person {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "person")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) area: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) household: Option<Uuid>,
        pub(crate) unit: String,
        pub(crate) full_name_enc: Vec<u8>,
        pub(crate) birth_year: i32,
        pub(crate) tags_enc: Vec<u8>,
        pub(crate) import_key: String,
        pub(crate) revision: i64,
        pub(crate) create_us: i64,
        pub(crate) update_us: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Blind index of people's tags.
pub(crate) mod person_tag {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "person_tag")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) area: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) tag_idx: Vec<u8>,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) person: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Appointments.
pub(crate) mod appointment {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "appointment")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) area: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) appointee: String,
        pub(crate) unit: String,
        pub(crate) role: String,
        pub(crate) access_role: String,
        pub(crate) basis: i32,
        pub(crate) start_us: i64,
        pub(crate) end_us: Option<i64>,
        pub(crate) revision: i64,
        pub(crate) create_us: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
