//! linli-rules.
