//! The most that a plugin of each kind may bring. Never: what it may use while it runs; see [`Limits`](crate::Limits).

use crate::kind::Kind;
use crate::table::MAX_TABLE_BYTES;

/// The most that a plugin may bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Size of the file.
    pub bytes: usize,
    /// Functions, in all.
    pub functions: u32,
    /// Size of one function's code.
    pub body_bytes: usize,
    /// Local variables of one function.
    pub locals: u32,
    /// The initial memory, in pages of 64 KiB.
    pub memory_pages: u64,
    /// The initial table.
    pub table_elements: u64,
    /// Data segments.
    pub data_segments: u32,
    /// Element segments and globals, each.
    pub segments: u32,
    /// Type definitions, core and component, in all.
    pub types: u32,
    /// Nested components; those of a native guest only carry the types of an export.
    pub nested: u32,
    /// Core modules.
    pub modules: u32,
    /// Memories and tables, each; what modules import from each other counts with each of them.
    pub memories: u32,
    /// Whether nested components may have code and speak to each other, as the parts of a script engine do.
    pub nested_code: bool,
}

impl Caps {
    /// The largest file of all kinds.
    pub const MAX_BYTES: usize = 2 << 20;

    /// Those of a kind of guest.
    pub const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Script => Self::script(),
            Kind::Native => Self::native(),
            Kind::Table => Self { bytes: MAX_TABLE_BYTES, ..Self::native() },
        }
    }

    /// For script engines with a script in them: those are large, and made of parts.
    pub const fn script() -> Self {
        Self {
            bytes: Self::MAX_BYTES,
            functions: 8_000,
            body_bytes: 128 << 10,
            locals: 1_024,
            memory_pages: 384,
            table_elements: 8_192,
            data_segments: 16_384,
            segments: 1_024,
            types: 8_000,
            nested: 32,
            modules: 32,
            memories: 32,
            nested_code: true,
        }
    }

    /// For guests that are compiled to wasm.
    pub const fn native() -> Self {
        Self {
            bytes: 256 << 10,
            functions: 2_000,
            body_bytes: 32 << 10,
            locals: 256,
            memory_pages: 32,
            table_elements: 1_024,
            data_segments: 1_024,
            segments: 1_024,
            types: 4_000,
            nested: 16,
            modules: 1,
            memories: 1,
            nested_code: false,
        }
    }
}
