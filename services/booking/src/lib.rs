//! linli-booking.
