//! The kinds of plugins. Never: what each may use; see [`Limits`](crate::Limits) and [`Caps`](crate::Caps).

use serde::{Deserialize, Serialize};

/// How a plugin is made, which follows from its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A component that was compiled from Rust, C, AssemblyScript...
    Native,
    /// A component of a script engine with a script in it.
    Script,
    /// Decision tables and expressions, without any code.
    Table,
}

impl Kind {
    /// Its name; stable, for metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Kind::Native => "native",
            Kind::Script => "script",
            Kind::Table => "table",
        }
    }
}
