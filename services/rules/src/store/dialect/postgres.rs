//! PostgreSQL's own statements.

/// Takes the lock of a version's row; SQLite has one writer and needs none.
pub(in crate::store) const LOCK_VERSION: &str =
    "SELECT 1 AS one FROM plugin_version WHERE area = $1 AND id = $2 FOR UPDATE";

/// Takes the lock of what an area has of versions and bindings, until the end of the transaction.
pub(in crate::store) const LOCK_AREA: &str =
    "SELECT pg_advisory_xact_lock(hashtextextended('linli-rules-' || $1, 0))::text";
