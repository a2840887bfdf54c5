//! linli-gateway.
