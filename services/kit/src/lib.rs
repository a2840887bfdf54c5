//! linli-kit.
