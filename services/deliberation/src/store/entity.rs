//! The rows as sea-orm entities; private to the service.

#![expect(unreachable_pub, reason = "sea-orm derives want public models; the modules are private to the crate")]

/// Topics.
pub(crate) mod topic {
    use sea_orm::entity::prelude::*;

    /// A topic: texts sealed, the process frozen as it was when the topic was raised.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "topic")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub area: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub template: String,
        pub process: Vec<u8>,
        pub unit: String,
        pub kind: String,
        pub source: String,
        pub title_enc: Vec<u8>,
        pub body_enc: Vec<u8>,
        pub raised_by_enc: Vec<u8>,
        pub raised_by_idx: Vec<u8>,
        pub ordinal: i32,
        pub stage: String,
        pub state: i32,
        pub supports: i32,
        pub assisted_supports: i32,
        /// Roles of a confidential topic's readers, each between commas; empty: public.
        pub readers: String,
        pub file_bytes: i64,
        pub affected_households: Option<i32>,
        pub cost_fen: Option<i64>,
        /// Tag codes between commas.
        pub tags: String,
        /// Why rules chose the process, encoded; empty when it was named.
        pub track_reason: Vec<u8>,
        pub stage_us: i64,
        pub revision: i64,
        pub create_us: i64,
        pub update_us: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// When topics came to their stages.
pub(crate) mod topic_stage {
    use sea_orm::entity::prelude::*;

    /// The entry into one stage.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "topic_stage")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub area: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub topic: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub ordinal: i32,
        pub stage: String,
        pub entered_us: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// What was recorded at the stages.
pub(crate) mod stage_record {
    use sea_orm::entity::prelude::*;

    /// One record.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "stage_record")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub area: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub topic: Uuid,
        pub unit: String,
        pub stage: String,
        pub kind: String,
        pub text_enc: Vec<u8>,
        pub outcome: i32,
        pub attendance: i32,
        pub role: String,
        pub recorded_by: String,
        pub create_us: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// Ballots.
pub(crate) mod ballot {
    use sea_orm::entity::prelude::*;

    /// A ballot; rule and result as encoded messages of the contract.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "ballot")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub area: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub topic: Uuid,
        pub unit: String,
        pub stage: String,
        pub question_zh: String,
        pub question_en: String,
        pub rule: Vec<u8>,
        /// Why rules made it stricter, encoded.
        pub rule_reasons: Vec<u8>,
        pub electors: i32,
        pub state: i32,
        pub result: Option<Vec<u8>>,
        pub open_us: i64,
        pub close_us: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// Electors.
pub(crate) mod roll {
    use sea_orm::entity::prelude::*;

    /// One elector, whether it voted, and who cast the vote for it when it did not itself.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "roll")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub area: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub ballot: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub elector: String,
        pub voted: bool,
        pub assisted_by: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// Published votes.
pub(crate) mod vote {
    use sea_orm::entity::prelude::*;

    /// One vote of a closed ballot.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "vote")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub area: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub ballot: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub receipt: String,
        pub choice: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// Archives.
pub(crate) mod archive {
    use sea_orm::entity::prelude::*;

    /// A topic's whole file.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "archive")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub area: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub topic: Uuid,
        pub unit: String,
        pub digest: String,
        pub document_enc: Vec<u8>,
        pub create_us: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// Receipts of what rules said.
pub(crate) mod topic_receipt {
    use sea_orm::entity::prelude::*;

    /// One receipt: what it tells, and the request that can be asked again, sealed.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "topic_receipt")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub area: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub topic: Uuid,
        pub ballot: Option<Uuid>,
        pub unit: String,
        pub hook: String,
        pub kind: String,
        pub verdict: String,
        pub spec_enc: Vec<u8>,
        pub request_enc: Vec<u8>,
        pub create_us: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}
