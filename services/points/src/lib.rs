//! linli-points.
