//! Ids of booking's recorded objects.

use linli_kernel::define_id;

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
