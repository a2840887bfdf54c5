//! linli-org.
