//! Pure decisions about slots and bookings: recurrence, states, seats, waitlists, the local calendar.
//!
//! Never: tonic, prost, sea-orm, tokio, a clock or randomness; time and ids come in as arguments.

pub mod calendar;
pub mod recurrence;
pub mod seats;
pub mod settlement;
pub mod state;
pub mod waitlist;
pub mod window;

pub use calendar::{LocalKey, local_key};
pub use recurrence::{Series, SeriesError, Span};
pub use seats::{Fit, Seats, Verdict, Wish};
pub use settlement::Settlement;
pub use state::{Awaits, Claim, Effect, State, Step, WrongState};
pub use window::{Gate, Opening, Window};
