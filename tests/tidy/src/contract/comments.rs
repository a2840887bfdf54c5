//! Claims about words: whoever reads the contract finds every element explained.

use prost_reflect::prost_types::source_code_info::Location;
use prost_reflect::prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto};

use crate::repo::{holds, root, tracked_with};

/// Compiles the contract anew: what the binary carries for reflection has no comments.
fn files() -> Vec<FileDescriptorProto> {
    let proto = root().join("proto");
    let mut compiler = protox::Compiler::new([proto.join("third_party"), proto]).expect("import paths");
    compiler.include_source_info(true);
    let ours = tracked_with(&[".proto"]).into_iter();
    let ours: Vec<_> = ours.filter(|path| path.starts_with("proto/linli/")).map(|path| root().join(path)).collect();
    assert!(!ours.is_empty(), "the contract is tracked");
    compiler.open_files(ours).unwrap_or_else(|e| panic!("the contract compiles: {e}"));
    compiler.file_descriptor_set().file.into_iter().filter(|f| f.package().starts_with("linli.")).collect()
}

/// One file's comments, and what was found to have none.
struct Reader<'a> {
    file: &'a FileDescriptorProto,
    locations: &'a [Location],
    silent: Vec<String>,
}

impl Reader<'_> {
    /// Notes an element, named by its path of field numbers and indices, that has no comment.
    fn element(&mut self, path: &[i32], name: &str) {
        let location = self.locations.iter().find(|location| location.path == path);
        let comment = location.and_then(|l| l.leading_comments.as_deref().or(l.trailing_comments.as_deref()));
        if comment.is_none_or(|comment| comment.trim().is_empty()) {
            self.silent.push(format!("{}: {name}", self.file.name()));
        }
    }

    fn message(&mut self, path: &[i32], parent: &str, message: &DescriptorProto) {
        if message.options.as_ref().is_some_and(|options| options.map_entry()) {
            return;
        }
        let name = format!("{parent}.{}", message.name());
        self.element(path, &name);
        for (at, field) in (0..).zip(&message.field) {
            self.element(&[path, &[2, at]].concat(), &format!("{name}.{}", field.name()));
        }
        for (at, inner) in (0..).zip(&message.nested_type) {
            self.message(&[path, &[3, at]].concat(), &name, inner);
        }
        for (at, inner) in (0..).zip(&message.enum_type) {
            self.enumeration(&[path, &[4, at]].concat(), &name, inner);
        }
    }

    fn enumeration(&mut self, path: &[i32], parent: &str, it: &EnumDescriptorProto) {
        let name = format!("{parent}.{}", it.name());
        self.element(path, &name);
        for (at, value) in (0..).zip(&it.value) {
            self.element(&[path, &[2, at]].concat(), &format!("{name}.{}", value.name()));
        }
    }

    fn everything(&mut self) {
        let package = self.file.package();
        for (at, message) in (0..).zip(&self.file.message_type) {
            self.message(&[4, at], package, message);
        }
        for (at, it) in (0..).zip(&self.file.enum_type) {
            self.enumeration(&[5, at], package, it);
        }
        for (at, service) in (0..).zip(&self.file.service) {
            let name = format!("{package}.{}", service.name());
            self.element(&[6, at], &name);
            for (index, method) in (0..).zip(&service.method) {
                self.element(&[6, at, 2, index], &format!("{name}.{}", method.name()));
            }
        }
        for (at, extension) in (0..).zip(&self.file.extension) {
            self.element(&[7, at], &format!("{package}.{}", extension.name()));
        }
    }
}

#[test]
fn every_element_of_the_contract_is_explained() {
    let mut silent = Vec::new();
    for file in files() {
        let locations = file.source_code_info.as_ref().map(|info| info.location.as_slice()).unwrap_or_default();
        let mut reader = Reader { file: &file, locations, silent: Vec::new() };
        reader.everything();
        silent.append(&mut reader.silent);
    }
    holds(silent);
}
