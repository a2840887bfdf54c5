//! linli-tidy.
