//! linli-harness.
