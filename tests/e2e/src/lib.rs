//! linli-e2e.
