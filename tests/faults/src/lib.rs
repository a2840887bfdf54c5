//! linli-faults.
