//! linli's contract: messages, clients, servers and descriptors generated from `proto/`.
//!
//! Owns the generated code and the typed view of the method options. Never: logic.

pub mod method;

/// Encoded `FileDescriptorSet` of every linli file and its imports, custom options included.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/linli.bin"));

pub use method::{MethodInfo, methods, pool};

macro_rules! generated {
    ($($(#[$doc:meta])* $module:ident = $package:literal;)*) => {$(
        $(#[$doc])*
        pub mod $module {
            /// Version 1.
            #[allow(missing_docs, clippy::all, clippy::large_futures, unreachable_pub, rust_2018_idioms, rustdoc::all, reason = "generated")]
            pub mod v1 {
                tonic::include_proto!($package);
            }
        }
    )*};
}

/// Packages `linli.*`.
pub mod linli {
    generated! {
        /// Messages that several services share.
        common = "linli.common.v1";
        /// Method and field options.
        options = "linli.options.v1";
        /// Areas, units, people, appointments.
        org = "linli.org.v1";
        /// Offerings, slots, bookings.
        booking = "linli.booking.v1";
        /// Ledger, cards, rewards, awards.
        points = "linli.points.v1";
        /// Processes, topics, ballots.
        deliberation = "linli.deliberation.v1";
        /// Plugins, bindings, evaluation.
        rules = "linli.rules.v1";
        /// Feeds.
        events = "linli.events.v1";
        /// The manual clock.
        dev = "linli.dev.v1";
    }
}

/// Packages `google.*` that the contract uses.
pub mod google {
    /// Long-running operations (AIP-151).
    #[allow(missing_docs, clippy::all, unreachable_pub, rust_2018_idioms, rustdoc::all, reason = "generated")]
    pub mod longrunning {
        tonic::include_proto!("google.longrunning");
    }
    /// Status and error details.
    #[allow(missing_docs, clippy::all, unreachable_pub, rust_2018_idioms, rustdoc::all, reason = "generated")]
    pub mod rpc {
        tonic::include_proto!("google.rpc");
    }
    /// Common types.
    #[allow(missing_docs, clippy::all, unreachable_pub, rust_2018_idioms, rustdoc::all, reason = "generated")]
    pub mod r#type {
        tonic::include_proto!("google.r#type");
    }
    /// API annotations.
    #[allow(missing_docs, clippy::all, unreachable_pub, rust_2018_idioms, rustdoc::all, reason = "generated")]
    pub mod api {
        tonic::include_proto!("google.api");
    }
}

pub use linli::{
    booking::v1 as booking, common::v1 as common, deliberation::v1 as deliberation, dev::v1 as dev,
    events::v1 as events, options::v1 as options, org::v1 as org, points::v1 as points, rules::v1 as rules,
};
