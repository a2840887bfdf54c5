//! PostgreSQL's own statements.

/// Takes the lock of a version's row; SQLite has one writer and needs none.
pub(in crate::store) const LOCK_VERSION: &str =
    "SELECT 1 AS one FROM plugin_version WHERE area = $1 AND id = $2 FOR UPDATE";
