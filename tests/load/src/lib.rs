//! linli-load.
