//! linli-deliberation.
