//! PostgreSQL's own statements.

/// Takes the lock of an area's row; SQLite has one writer and needs none.
pub(in crate::store) const LOCK_AREA: &str = "SELECT 1 AS one FROM area WHERE area = $1 FOR UPDATE";

/// Takes the lock of the tree of areas: the one row that every change of it writes anyway.
pub(in crate::store) const LOCK_AREA_TREE: &str = "SELECT version FROM roles_version WHERE one = 1 FOR UPDATE";
