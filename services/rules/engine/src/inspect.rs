//! The walk over a plugin's bytes before anything is compiled: shape, imports, exports and caps.
//! Never: compiles, runs or trusts; compile bombs are real, one function of 1 MiB takes minutes.

mod caps;
mod finding;

use std::panic;

use wasmparser::component_types::ComponentEntityType;
use wasmparser::{
    CanonicalFunction, ComponentExternalKind, Encoding, FunctionBody, Parser, Payload, TypeRef, Validator,
};

use super::hook::{Hook, META, TYPES};
use super::kind::Kind;
use super::table::Table;

pub use caps::Caps;
pub use finding::{Cap, Construct, Finding, Mistaken};

/// What the walk found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Every problem, in the order of the file.
    pub findings: Vec<Finding>,
    /// The exported hooks.
    pub hooks: Vec<Hook>,
    /// Functions, in all.
    pub functions: u32,
}

/// A hostile file has no end of problems; the list has.
const MAX_FINDINGS: usize = 32;

/// Walks over the bytes and lists all problems at once.
pub fn walk(bytes: &[u8], caps: &Caps) -> Inspection {
    let mut walk = Walk { caps, found: Inspection::default(), nesting: Vec::new(), counts: Counts::default() };
    walk.at_most(Cap::Bytes, bytes.len() as u64, caps.bytes as u64);
    match encoding(bytes) {
        Some(Encoding::Component) => {}
        Some(Encoding::Module) => {
            walk.add(Finding::NotAComponent(Mistaken::CoreModule));
            return walk.found;
        }
        None => {
            walk.add(Finding::NotAComponent(Mistaken::NoWasm));
            return walk.found;
        }
    }
    if !walk.found.findings.is_empty() {
        return walk.found; // Too large to be worth a walk.
    }
    for payload in Parser::new(0).parse_all(bytes) {
        if let Err(error) = payload.and_then(|payload| walk.payload(payload)) {
            walk.add(Finding::Malformed(error.to_string()));
            return walk.found;
        }
    }
    walk.types(bytes);
    walk.finish()
}

/// The kind of plugin that these bytes are, or would be: a script has all its code in nested components.
pub fn kind_of(bytes: &[u8]) -> Kind {
    if Table::looks_like(bytes) {
        return Kind::Table;
    }
    let (mut nesting, mut nested_code, mut meta) = (0_u32, false, false);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload {
            Ok(Payload::ModuleSection { .. }) if nesting == 0 => return Kind::Native,
            Ok(Payload::ModuleSection { .. }) => {
                nested_code = true;
                nesting += 1;
            }
            Ok(Payload::ComponentSection { .. }) => nesting += 1,
            Ok(Payload::End(_)) => nesting = nesting.saturating_sub(1),
            Ok(Payload::ComponentExportSection(exports)) if nesting == 0 => {
                meta |= exports.into_iter().flatten().any(|export| export.name.name == META);
            }
            Ok(_) => {}
            Err(_) => return Kind::Native,
        }
    }
    if nested_code && meta { Kind::Script } else { Kind::Native }
}

fn encoding(bytes: &[u8]) -> Option<Encoding> {
    match Parser::new(0).parse_all(bytes).next()? {
        Ok(Payload::Version { encoding, .. }) => Some(encoding),
        _ => None,
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Nested {
    Module,
    Component,
}

#[derive(Default)]
struct Counts {
    modules: u32,
    nested: u32,
    memories: u32,
    tables: u32,
    types: u32,
    globals: u32,
    elements: u32,
    data: u32,
    bodies: u32,
    meta: bool,
}

struct Walk<'a> {
    caps: &'a Caps,
    found: Inspection,
    /// What the walk is inside of; empty at the top.
    nesting: Vec<Nested>,
    counts: Counts,
}

impl Walk<'_> {
    fn payload(&mut self, payload: Payload<'_>) -> wasmparser::Result<()> {
        match payload {
            Payload::ModuleSection { .. } => {
                self.counts.modules += 1;
                if !self.nesting.is_empty() && !self.caps.nested_code {
                    self.add(Finding::Forbidden(Construct::NestedModule));
                }
                self.nesting.push(Nested::Module);
            }
            Payload::ComponentSection { .. } => {
                self.counts.nested += 1;
                if self.nesting.len() > if self.caps.nested_code { 2 } else { 0 } {
                    self.add(Finding::Forbidden(Construct::NestedTwice));
                }
                self.nesting.push(Nested::Component);
            }
            Payload::End(_) => {
                self.nesting.pop();
            }
            Payload::TypeSection(types) => self.counts.types += types.count(),
            Payload::CoreTypeSection(types) => self.counts.types += types.count(),
            Payload::ComponentTypeSection(types) => self.counts.types += types.count(),
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let import = import?;
                    // A module of a component is satisfied by the component; what it asks for counts as its own.
                    match import.ty {
                        TypeRef::Func(_) | TypeRef::FuncExact(_) => self.found.functions += 1,
                        TypeRef::Memory(_) => self.counts.memories += 1,
                        TypeRef::Table(_) => self.counts.tables += 1,
                        TypeRef::Global(_) => self.counts.globals += 1,
                        TypeRef::Tag(_) => self.add(Finding::Forbidden(Construct::Exceptions)),
                    }
                }
            }
            Payload::FunctionSection(functions) => self.found.functions += functions.count(),
            Payload::MemorySection(memories) => {
                for memory in memories {
                    let memory = memory?;
                    self.counts.memories += 1;
                    self.at_most(Cap::Memory, memory.initial, self.caps.memory_pages);
                    if memory.memory64 || memory.shared || memory.page_size_log2.is_some() {
                        self.add(Finding::Forbidden(Construct::OddMemory));
                    }
                }
            }
            Payload::TableSection(tables) => {
                for table in tables {
                    self.counts.tables += 1;
                    self.at_most(Cap::Table, table?.ty.initial, self.caps.table_elements);
                }
            }
            Payload::GlobalSection(globals) => self.counts.globals += globals.count(),
            Payload::ElementSection(elements) => self.counts.elements += elements.count(),
            Payload::DataSection(data) => self.counts.data += data.count(),
            Payload::TagSection(_) => self.add(Finding::Forbidden(Construct::Exceptions)),
            // The parts of a script engine set themselves up; they use fuel for it.
            Payload::StartSection { .. } if self.caps.nested_code => {}
            Payload::StartSection { .. } | Payload::ComponentStartSection { .. } => {
                self.add(Finding::Forbidden(Construct::Start));
            }
            Payload::CodeSectionEntry(body) => self.body(&body)?,
            Payload::ComponentCanonicalSection(functions) => {
                for function in functions {
                    match function? {
                        CanonicalFunction::Lift { .. } if self.nesting.is_empty() || self.caps.nested_code => {}
                        CanonicalFunction::Lower { .. }
                        | CanonicalFunction::ResourceNew { .. }
                        | CanonicalFunction::ResourceDrop { .. }
                        | CanonicalFunction::ResourceRep { .. }
                            if self.caps.nested_code => {}
                        CanonicalFunction::Lift { .. } => {
                            self.add(Finding::Forbidden(Construct::NestedFunction));
                        }
                        _ => self.add(Finding::Forbidden(Construct::BuiltIn)),
                    }
                }
            }
            Payload::ComponentImportSection(imports) if self.nesting.is_empty() => {
                for import in imports {
                    let name = import?.name.name;
                    if name != TYPES {
                        self.add(Finding::ForbiddenImport(shorten(name)));
                    }
                }
            }
            Payload::ComponentExportSection(exports) if self.nesting.is_empty() => {
                for export in exports {
                    let export = export?;
                    self.export(export.name.name, export.kind);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn body(&mut self, body: &FunctionBody<'_>) -> wasmparser::Result<()> {
        let index = self.counts.bodies;
        self.counts.bodies += 1;
        self.at_most_in(Cap::Body, index, body.range().len() as u64, self.caps.body_bytes as u64);
        let mut locals = 0_u64;
        for group in body.get_locals_reader()? {
            locals += u64::from(group?.0);
        }
        self.at_most_in(Cap::Locals, index, locals, u64::from(self.caps.locals));
        Ok(())
    }

    fn export(&mut self, name: &str, kind: ComponentExternalKind) {
        if kind == ComponentExternalKind::Instance {
            if name == META {
                self.counts.meta = true;
                return;
            }
            if let Some(hook) = Hook::from_interface(name) {
                self.found.hooks.push(hook);
                return;
            }
        }
        // The toolchain of scripts leaves the function that set the script up; nobody calls it.
        if !(self.caps.nested_code && name == "init" && kind == ComponentExternalKind::Func) {
            self.add(Finding::UnknownExport(shorten(name)));
        }
    }

    /// Validates, and looks into the one instance that may be imported: it carries types and nothing else.
    fn types(&mut self, bytes: &[u8]) {
        // Some nestings that are too deep the validator asserts against instead of refusing them.
        let types = match panic::catch_unwind(|| Validator::new().validate_all(bytes)) {
            Ok(Ok(types)) => types,
            Ok(Err(error)) => return self.add(Finding::Malformed(error.message().to_owned())),
            Err(_panic) => return self.add(Finding::Malformed("nested too deeply".to_owned())),
        };
        let types = types.as_ref();
        let Some(item) = types.component_item_for_import(TYPES) else { return };
        let ComponentEntityType::Instance(instance) = item.ty else {
            return self.add(Finding::ForbiddenImport(TYPES.to_owned()));
        };
        for (name, export) in &types[instance].exports {
            if !matches!(export.ty, ComponentEntityType::Type { .. }) {
                self.add(Finding::ForbiddenImport(shorten(&format!("{TYPES}#{name}"))));
            }
        }
    }

    fn finish(mut self) -> Inspection {
        let Counts { modules, nested, memories, tables, types, globals, elements, data, meta, .. } = self.counts;
        let caps = self.caps;
        for (cap, got, max) in [
            (Cap::Functions, self.found.functions, caps.functions),
            (Cap::Modules, modules, caps.modules),
            (Cap::Nested, nested, caps.nested),
            (Cap::Memories, memories, caps.memories),
            (Cap::Tables, tables, caps.memories),
            (Cap::Types, types, caps.types),
            (Cap::Globals, globals, caps.segments),
            (Cap::ElementSegments, elements, caps.segments),
            (Cap::DataSegments, data, caps.data_segments),
        ] {
            self.at_most(cap, u64::from(got), u64::from(max));
        }
        if !meta {
            self.add(Finding::NoMeta);
        }
        if self.found.hooks.is_empty() {
            self.add(Finding::NoHook);
        }
        self.found
    }

    fn at_most(&mut self, cap: Cap, got: u64, max: u64) {
        self.at_most_in(cap, 0, got, max);
    }

    fn at_most_in(&mut self, cap: Cap, index: u32, got: u64, max: u64) {
        if got > max {
            self.add(Finding::Exceeds { cap, index, got, max });
        }
    }

    fn add(&mut self, finding: Finding) {
        if self.found.findings.len() < MAX_FINDINGS && !self.found.findings.contains(&finding) {
            self.found.findings.push(finding);
        }
    }
}

/// At most 80 characters of a name that a plugin wrote.
fn shorten(name: &str) -> String {
    name.chars().take(80).collect()
}
