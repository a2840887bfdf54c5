//! What authors of rules work with: cases written in YAML, a runner with the server's own evaluator, a mutation check.
//! Never: a service, a network or a second opinion about what a rule answers; the engine alone decides that.
//!
//! ```yaml
//! - name: the second haircut of a month is refused
//!   hook: booking-eligibility
//!   settings: {per-month: 1}
//!   facts:
//!     who: {age-years: 75}
//!     used: {this-month: 1}
//!   expect: {deny: {code: already-this-month, args: [1, 1]}}
//! ```

mod case;
mod declared;
mod expect;
mod facts;
mod mutate;
mod place;
mod run;
mod settings;
mod tell;

pub use case::{Case, parse, parse_one};
pub use declared::{Given, forgotten, undeclared};
pub use expect::Expect;
pub use mutate::{Mutant, Survivor, Tried, mutants, try_mutants};
pub use place::Mistake;
pub use run::{Ran, Rule, ask};
pub use settings::{fill, typed};
pub use tell::{fault, outcome};
