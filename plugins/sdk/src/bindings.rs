//! The generated bindings, one world per interface, so that a plugin exports exactly the hooks it has.
//! Never: code written by hand.

/// The shared records, generated once and used by every hook.
pub mod types_world {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package linli:sdk; world records { import linli:rules/types@1.0.0; }",
        world: "records",
        generate_all,
        generate_unused_types: true,
        additional_derives: [PartialEq],
    });
}

pub use types_world::linli::rules::types;

macro_rules! interface {
    ($module:ident, $short:ident, $export:literal, $interface:ident, $world:literal, $wit:literal) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "../wit",
                inline: $wit,
                world: $world,
                pub_export_macro: true,
                export_macro_name: $export,
                with: { "linli:rules/types@1.0.0": crate::bindings::types },
                additional_derives: [PartialEq],
            });
        }
        pub use $module::exports::linli::rules::$interface as $short;
    };
}

interface!(
    meta_world,
    meta,
    "export_meta",
    meta,
    "meta-guest",
    "package linli:sdk; world meta-guest { export linli:rules/meta@1.0.0; }"
);
interface!(
    eligibility_world,
    eligibility,
    "export_eligibility",
    booking_eligibility,
    "eligibility-guest",
    "package linli:sdk; world eligibility-guest { export linli:rules/booking-eligibility@1.0.0; }"
);
interface!(
    price_world,
    price,
    "export_price",
    booking_price,
    "price-guest",
    "package linli:sdk; world price-guest { export linli:rules/booking-price@1.0.0; }"
);
interface!(
    priority_world,
    priority,
    "export_priority",
    booking_priority,
    "priority-guest",
    "package linli:sdk; world priority-guest { export linli:rules/booking-priority@1.0.0; }"
);
interface!(
    award_world,
    award,
    "export_award",
    points_award,
    "award-guest",
    "package linli:sdk; world award-guest { export linli:rules/points-award@1.0.0; }"
);
interface!(
    track_world,
    track,
    "export_track",
    deliberation_track,
    "track-guest",
    "package linli:sdk; world track-guest { export linli:rules/deliberation-track@1.0.0; }"
);
interface!(
    thresholds_world,
    thresholds,
    "export_thresholds",
    deliberation_thresholds,
    "thresholds-guest",
    "package linli:sdk; world thresholds-guest { export linli:rules/deliberation-thresholds@1.0.0; }"
);
