//! Ids of booking's recorded objects.

use linli_kernel::{Id as _, define_id};

define_id!(
    /// Id of a slot.
    SlotId,
    "slt"
);
define_id!(
    /// Id of a booking.
    BookingId,
    "bkg"
);
define_id!(
    /// Id of a receipt.
    ReceiptId,
    "rcp"
);
define_id!(
    /// Id of a decision of rules: one of a booking for all that is asked about it, one more whenever somebody may move up.
    /// Recorded nowhere.
    DecisionId,
    "dec"
);

impl DecisionId {
    /// The decision by which a booking is made.
    pub(crate) fn of_booking(booking: BookingId) -> Self {
        Self::from_uuid(booking.uuid())
    }
}
