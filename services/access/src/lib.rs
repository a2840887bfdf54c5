//! linli-access.
