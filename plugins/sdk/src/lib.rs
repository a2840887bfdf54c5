//! What a rule plugin is written against: the bindings of `linli:rules`, settings, reasons, the manifest, `export!`.
//! Never: a rule, a clock, a random source or an import of the host.
//!
//! A plugin is a type that implements [`Rule`] and one trait per hook, and one `export!` line:
//!
//! ```
//! use linli_plugin_sdk::prelude::*;
//!
//! const MIN_AGE: Number = Number::new("min-age", 60, 0, 120);
//!
//! struct Elders;
//!
//! impl Rule for Elders {
//!     fn manifest() -> Manifest {
//!         Manifest::new(text("长者", "Elders"), text("只为长者服务。", "For elders only."))
//!             .fact(Fact::Age)
//!             .number(&MIN_AGE, text("最低年龄", "Minimum age"), text("周岁。", "In years."))
//!             .message("too-young", text("未满 {0} 岁", "Younger than {0}"))
//!     }
//! }
//!
//! impl Eligibility for Elders {
//!     fn decide(ctx: Context, req: EligibilityRequest) -> Result<Verdict, Refusal> {
//!         let min_age = Settings::of(&ctx).number(&MIN_AGE);
//!         Ok(if age_of(&req.who)? >= min_age { Verdict::Allow } else { Verdict::Deny(reason("too-young", [min_age])) })
//!     }
//! }
//!
//! linli_plugin_sdk::export!(Elders: eligibility);
//! ```

#[cfg(target_arch = "wasm32")]
mod alloc;
#[doc(hidden)]
pub mod bindings;
mod check;
pub mod manifest;
pub mod settings;
pub mod testing;

use bindings::meta;

pub use bindings::types;

/// Everything that a plugin needs, under short names.
pub mod prelude {
    pub use crate::bindings::award::{Award, Event, Guest as PointsAward, Request as AwardRequest};
    pub use crate::bindings::eligibility::{Guest as Eligibility, Request as EligibilityRequest, Verdict};
    pub use crate::bindings::price::{Guest as Price, Request as PriceRequest, Terms};
    pub use crate::bindings::priority::{Guest as Priority, Request as PriorityRequest, Waiting};
    pub use crate::bindings::thresholds::{
        Guest as Thresholds, Outcome as Tightened, Request as ThresholdsRequest, Share, Thresholds as ThresholdValues,
    };
    pub use crate::bindings::track::{Choice as TrackChoice, Guest as Track, Request as TrackRequest, Topic};
    pub use crate::manifest::{Fact, Manifest, Text, text};
    pub use crate::settings::{Choice, Codes, Flag, Number, Numbers, Settings};
    pub use crate::types::{Amount, Context, Member, Reason, Refusal, Setting, SettingValue, Slot, Usage};
    pub use crate::{Rule, age_of, amount, has_role, has_tag, reason, usage_of};
}

use types::{Amount, Member, Reason, Refusal, Setting, Usage};

/// What every plugin says about itself.
pub trait Rule {
    /// Declares title, facts, settings and reasons.
    fn manifest() -> manifest::Manifest;

    /// Refuses settings that are each in range and still make no sense together; the ranges, kinds and keys of the
    /// manifest are checked before.
    fn check(_settings: &settings::Settings<'_>) -> Vec<(&'static str, Reason)> {
        Vec::new()
    }
}

impl<T: Rule> meta::Guest for T {
    fn describe() -> meta::Manifest {
        T::manifest().into_wit()
    }

    fn check_settings(given: Vec<Setting>) -> Result<(), Vec<meta::SettingProblem>> {
        let mut problems = check::against(&T::manifest().into_wit().settings, &given);
        if problems.is_empty() {
            let own = T::check(&settings::Settings::new(&given));
            problems.extend(own.into_iter().map(|(key, why)| meta::SettingProblem { key: key.to_owned(), why }));
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

/// A reason of the manifest's catalogue, with the values of its `{0}`, `{1}`...
pub fn reason<const N: usize>(code: &str, args: [i32; N]) -> Reason {
    Reason { code: code.to_owned(), args: args.iter().map(i32::to_string).collect() }
}

/// A quantity of an asset.
pub fn amount(asset: &str, value: i32) -> Amount {
    Amount { asset: asset.to_owned(), value }
}

/// The member's age in years, or the refusal that names the missing fact.
pub fn age_of(who: &Member) -> Result<i32, Refusal> {
    who.age_years.map(i32::from).ok_or_else(|| Refusal::MissingFact(manifest::Fact::Age.code().to_owned()))
}

/// The member's usage, or the refusal that names the missing fact.
pub fn usage_of(used: &Option<Usage>) -> Result<&Usage, Refusal> {
    used.as_ref().ok_or_else(|| Refusal::MissingFact(manifest::Fact::Usage.code().to_owned()))
}

/// Whether the member is marked with a tag, such as a registered need.
pub fn has_tag(who: &Member, tag: &str) -> bool {
    who.tags.iter().any(|t| t == tag)
}

/// Whether the member holds an office.
pub fn has_role(who: &Member, role: &str) -> bool {
    who.roles.iter().any(|r| r == role)
}

/// Exports a rule's hooks from the component: `export!(Haircut: eligibility, priority);`.
///
/// Expands to nothing off wasm32, so that rules are tested natively.
#[macro_export]
macro_rules! export {
    ($rule:ident: $($hook:ident),+ $(,)?) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            $crate::bindings::meta_world::export_meta!($rule with_types_in $crate::bindings::meta_world);
            $($crate::__export_hook!($hook, $rule);)+
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_hook {
    (eligibility, $rule:ident) => {
        $crate::bindings::eligibility_world::export_eligibility!($rule with_types_in $crate::bindings::eligibility_world);
    };
    (price, $rule:ident) => {
        $crate::bindings::price_world::export_price!($rule with_types_in $crate::bindings::price_world);
    };
    (priority, $rule:ident) => {
        $crate::bindings::priority_world::export_priority!($rule with_types_in $crate::bindings::priority_world);
    };
    (award, $rule:ident) => {
        $crate::bindings::award_world::export_award!($rule with_types_in $crate::bindings::award_world);
    };
    (track, $rule:ident) => {
        $crate::bindings::track_world::export_track!($rule with_types_in $crate::bindings::track_world);
    };
    (thresholds, $rule:ident) => {
        $crate::bindings::thresholds_world::export_thresholds!($rule with_types_in $crate::bindings::thresholds_world);
    };
}
