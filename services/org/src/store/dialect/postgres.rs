//! PostgreSQL's own statements.

/// Takes the lock of an area's row; SQLite has one writer and needs none.
pub(in crate::store) const LOCK_AREA: &str = "SELECT 1 AS one FROM area WHERE area = $1 FOR UPDATE";
