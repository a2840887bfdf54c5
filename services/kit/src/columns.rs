//! How private a column is, declared beside the migrations and checked against the live schema.
//!
//! A service lists every column of its tables; [`assert_all_classified`] names those that are missing, gone, or hold personal data in the
//! open. Sealing itself is [`crate::crypto`]'s.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::ConnectionTrait as _;

use crate::Result;
use crate::store::{Engine, Store, statement};

/// How private the content of a column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Anybody may read it: ids, codes, counters, instants of the system.
    Public,
    /// Says something about one person.
    Personal,
    /// Could hurt the person when it gets out.
    Sensitive,
}

/// One column: table, column, class.
pub type Column = (&'static str, &'static str, Class);

/// The columns of kit's own tables. What a person typed never stands in them in the open: request ids keep hashes, events carry
/// none of it, and who stores a durable call or an operation with personal data in its request seals that field first.
pub const KIT: &[Column] = &[
    ("schema_version", "version", Class::Public),
    ("schema_version", "name", Class::Public),
    ("schema_version", "release", Class::Public),
    ("schema_version", "digest", Class::Public),
    ("schema_version", "applied_us", Class::Public),
    ("idempotency", "area", Class::Public),
    ("idempotency", "caller", Class::Public),
    ("idempotency", "method", Class::Public),
    ("idempotency", "request_id", Class::Public),
    ("idempotency", "request_hash", Class::Public),
    ("idempotency", "resource", Class::Public),
    ("idempotency", "created_us", Class::Public),
    ("event", "seq", Class::Public),
    ("event", "id", Class::Public),
    ("event", "area", Class::Public),
    ("event", "position", Class::Public),
    ("event", "event_type", Class::Public),
    ("event", "subject", Class::Public),
    ("event", "aggregate_version", Class::Public),
    ("event", "data", Class::Public),
    ("event", "time_us", Class::Public),
    ("event", "trace_id", Class::Public),
    ("event", "cause", Class::Public),
    ("catalogue", "area", Class::Public),
    ("catalogue", "collection", Class::Public),
    ("catalogue", "id", Class::Public),
    ("catalogue", "revision", Class::Public),
    ("catalogue", "spec", Class::Public),
    ("catalogue", "create_us", Class::Public),
    ("catalogue", "update_us", Class::Public),
    ("lease", "name", Class::Public),
    ("lease", "holder", Class::Public),
    ("lease", "fence", Class::Public),
    ("lease", "expires_us", Class::Public),
    ("feed_head", "id", Class::Public),
    ("feed_head", "newest", Class::Public),
    ("feed_head", "oldest", Class::Public),
    ("consumer", "name", Class::Public),
    ("consumer", "stream", Class::Public),
    ("consumer", "position", Class::Public),
    ("consumer", "fence", Class::Public),
    ("parked_event", "consumer", Class::Public),
    ("parked_event", "position", Class::Public),
    ("parked_event", "event_id", Class::Public),
    ("parked_event", "reason", Class::Public),
    ("parked_event", "attempts", Class::Public),
    ("parked_event", "next_us", Class::Public),
    ("parked_event", "data", Class::Public),
    ("parked_key", "consumer", Class::Public),
    ("parked_key", "position", Class::Public),
    ("parked_key", "blocking_key", Class::Public),
    ("durable_call", "seq", Class::Public),
    ("durable_call", "area", Class::Public),
    ("durable_call", "target", Class::Public),
    ("durable_call", "subject", Class::Public),
    ("durable_call", "request", Class::Public),
    ("durable_call", "request_id", Class::Public),
    ("durable_call", "trace_id", Class::Public),
    ("durable_call", "cause", Class::Public),
    ("durable_call", "state", Class::Public),
    ("durable_call", "attempts", Class::Public),
    ("durable_call", "next_us", Class::Public),
    ("durable_call", "answer", Class::Public),
    ("durable_call", "reason", Class::Public),
    ("durable_call", "created_us", Class::Public),
    ("durable_call", "updated_us", Class::Public),
    ("operation", "area", Class::Public),
    ("operation", "id", Class::Public),
    ("operation", "kind", Class::Public),
    ("operation", "state", Class::Public),
    ("operation", "request", Class::Public),
    ("operation", "metadata", Class::Public),
    ("operation", "result", Class::Public),
    ("operation", "error_code", Class::Public),
    ("operation", "error_reason", Class::Public),
    ("operation", "error_zh", Class::Public),
    ("operation", "error_en", Class::Public),
    ("operation", "owner", Class::Public),
    ("operation", "trace_id", Class::Public),
    ("operation", "created_us", Class::Public),
    ("operation", "updated_us", Class::Public),
    ("operation", "cancel_requested", Class::Public),
    ("operation", "holder", Class::Public),
    ("operation", "fence", Class::Public),
    ("operation", "free_us", Class::Public),
    ("operation", "attempts", Class::Public),
];

/// Compares the declared columns with the live schema; every problem is one sentence, and none is what a test wants.
///
/// Personal and sensitive columns must be bytes and end in `_enc` (sealed) or `_idx` (a blind index).
///
/// # Errors
/// Those of the store.
pub async fn assert_all_classified(store: &Store, declared: &[Column]) -> Result<Vec<String>> {
    let live = live(store).await?;
    let mut found = Vec::new();
    let mut seen: BTreeSet<(&str, &str)> = BTreeSet::new();
    for (table, column, class) in declared {
        if !seen.insert((table, column)) {
            found.push(format!("{table}.{column} is declared twice"));
        }
        let Some(kind) = live.get(&((*table).to_owned(), (*column).to_owned())) else {
            found.push(format!("{table}.{column} is declared and does not exist"));
            continue;
        };
        let is_sealed = column.ends_with("_enc") || column.ends_with("_idx");
        match class {
            Class::Public if column.ends_with("_enc") => {
                found.push(format!("{table}.{column} is named as sealed and declared public"));
            }
            Class::Public => {}
            Class::Personal | Class::Sensitive if !is_sealed => {
                found.push(format!("{table}.{column} is {class:?} and must be sealed: name it {column}_enc"));
            }
            Class::Personal | Class::Sensitive if !matches!(kind.as_str(), "blob" | "bytea") => {
                found.push(format!("{table}.{column} is {class:?} and must be bytes, not {kind}"));
            }
            Class::Personal | Class::Sensitive => {}
        }
    }
    for (table, column) in live.keys() {
        if !seen.contains(&(table.as_str(), column.as_str())) {
            found.push(format!("{table}.{column} has no class"));
        }
    }
    Ok(found)
}

/// Every column of the schema with its type in lower case.
async fn live(store: &Store) -> Result<BTreeMap<(String, String), String>> {
    let sql = match store.engine() {
        Engine::Sqlite => {
            "SELECT t.name AS tab, c.name AS col, lower(c.type) AS kind \
             FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c \
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'"
        }
        Engine::Postgres => {
            "SELECT c.table_name::text AS tab, c.column_name::text AS col, c.data_type::text AS kind \
             FROM information_schema.columns AS c JOIN information_schema.tables AS t USING (table_schema, table_name) \
             WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE'"
        }
    };
    let rows = store.reader().query_all_raw(statement(store.engine(), sql, [])).await?;
    let mut columns = BTreeMap::new();
    for row in &rows {
        columns.insert((row.try_get("", "tab")?, row.try_get("", "col")?), row.try_get("", "kind")?);
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Migration;
    use crate::testing::stores_with;

    const TABLE: &[Migration] = &[Migration {
        version: 1000,
        name: "test: people",
        sqlite: &[
            "CREATE TABLE person (id BLOB NOT NULL, name_enc BLOB NOT NULL, phone_idx BLOB, nick_enc TEXT, note TEXT, born INTEGER) STRICT",
        ],
        postgres: &[
            "CREATE TABLE person (id uuid NOT NULL, name_enc bytea NOT NULL, phone_idx bytea, nick_enc text, note text, born bigint)",
        ],
    }];

    #[tokio::test(flavor = "multi_thread")]
    async fn unclassed_open_and_vanished_columns_are_named_on_both_engines() {
        for store in stores_with("test", TABLE).await {
            let declared = [
                ("person", "id", Class::Public),
                ("person", "name_enc", Class::Personal),
                ("person", "phone_idx", Class::Personal),
                ("person", "nick_enc", Class::Personal),
                ("person", "note", Class::Sensitive),
                ("person", "gone", Class::Public),
            ];
            let found = assert_all_classified(&store, &declared).await.expect("reads");
            let of_person: Vec<&String> = found.iter().filter(|p| p.starts_with("person")).collect();
            assert_eq!(of_person.len(), 4, "{found:?}");
            for part in [
                "nick_enc is Personal and must be bytes",
                "note is Sensitive and must be sealed",
                "gone is declared",
                "born has no class",
            ] {
                assert!(found.iter().any(|p| p.contains(part)), "{part}: {found:?}");
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn kits_own_columns_are_all_classed() {
        for store in stores_with("test", &[]).await {
            let found = assert_all_classified(&store, KIT).await.expect("reads");
            assert!(found.is_empty(), "{:?}: {found:#?}", store.engine());
        }
    }
}
