//! linli-conformance.
