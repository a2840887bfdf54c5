//! Amounts of an asset: whole numbers only, so that no sum ever rounds.

/// A number of units of one asset, such as 12 `hearts`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Amount {
    /// The asset's code within its area, such as `points`.
    pub asset: String,
    /// Units, may be negative in an entry.
    pub value: i64,
}

impl Amount {
    /// Builds an amount.
    pub fn new(asset: impl Into<String>, value: i64) -> Self {
        Self { asset: asset.into(), value }
    }
}
