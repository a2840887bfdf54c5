//! What a plugin must not be or have. Never: a text; see `validate::Problem`.

/// Something that a plugin must not be or have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The bytes are no component but something else.
    NotAComponent(Mistaken),
    /// The bytes break off or contradict themselves.
    Malformed(String),
    /// An import other than the types.
    ForbiddenImport(String),
    /// An export that the contract does not know.
    UnknownExport(String),
    /// No manifest.
    NoMeta,
    /// No hook.
    NoHook,
    /// A construct that a plugin has no use for.
    Forbidden(Construct),
    /// More of something than its cap.
    Exceeds {
        /// What is capped.
        cap: Cap,
        /// Where: the index of a function, or zero.
        index: u32,
        /// How much there is.
        got: u64,
        /// How much there may be.
        max: u64,
    },
}

/// What the bytes are instead of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistaken {
    /// WebAssembly, but a core module.
    CoreModule,
    /// Anything else.
    NoWasm,
}

/// A construct that a plugin has no use for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Construct {
    /// Code in a component that only should carry types.
    NestedModule,
    /// A component in a component in a component.
    NestedTwice,
    /// A function of a nested component.
    NestedFunction,
    /// Exceptions.
    Exceptions,
    /// A memory of another kind.
    OddMemory,
    /// A function that runs at instantiation.
    Start,
    /// A built-in of the component model.
    BuiltIn,
}

/// What is capped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cap {
    /// Size of the file, in bytes.
    Bytes,
    /// Number of functions.
    Functions,
    /// Code of one function, in bytes.
    Body,
    /// Local variables of one function.
    Locals,
    /// Initial memory, in pages.
    Memory,
    /// Number of memories.
    Memories,
    /// Initial table.
    Table,
    /// Number of tables.
    Tables,
    /// Number of data segments.
    DataSegments,
    /// Number of element segments.
    ElementSegments,
    /// Number of globals.
    Globals,
    /// Number of types.
    Types,
    /// Number of core modules.
    Modules,
    /// Number of nested components.
    Nested,
}
