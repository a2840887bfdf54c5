//! Ids of what the ledger records.

use linli_kernel::{Id, define_id};

define_id!(
    /// A person; org's.
    PersonId,
    "per"
);
define_id!(
    /// A transfer. The last bit is always zero: it tells its two entries apart.
    TransferId,
    "trf"
);
define_id!(
    /// One side of a transfer.
    EntryId,
    "ent"
);
define_id!(
    /// A hold.
    HoldId,
    "hld"
);
define_id!(
    /// A card.
    CardId,
    "crd"
);
define_id!(
    /// A redemption.
    RedemptionId,
    "rdm"
);
define_id!(
    /// An award.
    AwardId,
    "awd"
);

define_id!(
    /// A receipt of an award's decision.
    AwardReceiptId,
    "arc"
);
define_id!(
    /// Something that was done without a booking.
    ContributionId,
    "con"
);

impl TransferId {
    /// The same id with the last bit cleared, as every recorded transfer's is.
    #[must_use]
    pub fn even(self) -> Self {
        let mut bytes = *self.uuid().as_bytes();
        bytes[15] &= 0xfe;
        Self::from_uuid(uuid::Uuid::from_bytes(bytes))
    }

    /// Ids of its two entries: the giving side, the getting side.
    pub fn entries(self) -> [EntryId; 2] {
        let mut bytes = *self.uuid().as_bytes();
        let gives = EntryId::from_uuid(uuid::Uuid::from_bytes(bytes));
        bytes[15] |= 1;
        [gives, EntryId::from_uuid(uuid::Uuid::from_bytes(bytes))]
    }
}

impl EntryId {
    /// The transfer of which it is one side.
    pub fn transfer(self) -> TransferId {
        TransferId::from_uuid(self.uuid()).even()
    }
}
