//! The vocabulary every crate shares: ids, resource names, clocks, amounts and two-language texts.
//!
//! Owns pure values only. Never: tokio, tonic, sea-orm, input or output.

#[doc(hidden)]
pub use uuid::Uuid as __Uuid;

pub mod amount;
pub mod clock;
pub mod id;
pub mod lang;
pub mod name;

pub use amount::Amount;
pub use clock::{Clock, ManualClock, SharedClock, SystemClock, Timestamp};
pub use id::{Id, IdError, RawId};
pub use lang::{Lang, Text};
pub use name::{AreaId, Name, NameError, Slug};
