//! What becomes of the price that was set aside for a booking.

/// Where the hold of a booking stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// Nothing is held.
    None,
    /// The price is set aside.
    Held,
    /// The ledger was asked to take it.
    Capturing,
    /// It was taken.
    Captured,
    /// The ledger was asked to give it back.
    Voiding,
    /// It was given back.
    Voided,
    /// The ledger has refused.
    Failed,
}

const ALL: [Settlement; 7] = [
    Settlement::None,
    Settlement::Held,
    Settlement::Capturing,
    Settlement::Captured,
    Settlement::Voiding,
    Settlement::Voided,
    Settlement::Failed,
];

impl Settlement {
    /// The contract's number.
    pub fn number(self) -> i64 {
        match self {
            Self::None => 0,
            Self::Held => 1,
            Self::Capturing => 2,
            Self::Captured => 3,
            Self::Voiding => 4,
            Self::Voided => 5,
            Self::Failed => 6,
        }
    }

    /// The state of a number; `None` for one that is no state.
    pub fn from_number(number: i64) -> Self {
        ALL.into_iter().find(|state| state.number() == number).unwrap_or(Self::None)
    }

    /// Whether the ledger is to be asked again about a hold that still stands, though the booking is over.
    pub fn stuck(self) -> bool {
        match self {
            Self::None | Self::Held | Self::Failed => true,
            Self::Capturing | Self::Captured | Self::Voiding | Self::Voided => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back() {
        assert!(ALL.into_iter().all(|state| Settlement::from_number(state.number()) == state));
    }
}
