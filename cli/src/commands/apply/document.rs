//! Reading files of resources: which files, which documents, what each says. Reads only; everything wrong is told at once.

use std::collections::HashMap;
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use prost_reflect::DynamicMessage;
use serde::{Deserialize as _, Serialize};
use serde_json::{Map, Value};

use super::strict;
use crate::commands::resources::{read, types};

/// Files in a directory that describe no resources.
const OTHER_FILES: [&str; 2] = ["seed.yaml", "expected.yaml"];
/// Directories that are passed over: bindings need an uploaded version, generated people are imported.
const OTHER_DIRS: [&str; 3] = ["rules", "generated", "target"];
/// The largest file that is read.
const MAX_BYTES: u64 = 16 << 20;

/// Something wrong with a file, a document or a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// Number of the document in the file, from 1; 0: the whole file.
    pub document: usize,
    /// Name of the resource, when it is known.
    pub name: String,
    /// Path of the field; empty: the whole document.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.document > 0 {
            write!(f, ": document {}", self.document)?;
        }
        if !self.name.is_empty() {
            write!(f, " ({})", self.name)?;
        }
        if !self.field.is_empty() {
            write!(f, ": {}", self.field)?;
        }
        write!(f, ": {}", self.message.replace('\n', "\n  "))
    }
}

/// A resource as a file describes it.
#[derive(Debug, Clone)]
pub struct Document {
    /// The file.
    pub file: PathBuf,
    /// Number of the document in the file, from 1.
    pub index: usize,
    /// Its type.
    pub kind: &'static types::ResourceType,
    /// Name of the resource.
    pub name: String,
    /// The resource.
    pub message: DynamicMessage,
    /// Fields that the document sets, in proto form; neither name nor etag.
    pub mask: Vec<String>,
    /// Names of resources to which it refers.
    pub references: Vec<String>,
}

impl Document {
    /// The area of the resource: `areas/{area}`.
    pub fn area(&self) -> String {
        area_of(&self.name)
    }

    /// A problem with this document.
    pub fn problem(&self, message: impl Into<String>) -> Problem {
        Problem {
            file: self.file.clone(),
            document: self.index,
            name: self.name.clone(),
            field: String::new(),
            message: message.into(),
        }
    }
}

/// The first two parts of a name.
pub(super) fn area_of(name: &str) -> String {
    name.splitn(3, '/').take(2).collect::<Vec<_>>().join("/")
}

/// Reads all documents of files and directories; `-` is stdin.
pub(super) fn read(paths: &[PathBuf]) -> (Vec<Document>, Vec<Problem>) {
    let (mut documents, mut problems) = (Vec::new(), Vec::new());
    for path in paths {
        match files(path) {
            Ok(found) if found.is_empty() => {
                problems.push(in_file(path, 0, "there is no *.yaml in this directory".to_owned()))
            }
            Ok(found) => {
                for file in found {
                    match text_of(&file) {
                        Ok(text) => {
                            let (read, bad) = parse(&file, &text);
                            documents.extend(read);
                            problems.extend(bad);
                        }
                        Err(error) => problems.push(in_file(&file, 0, error.to_string())),
                    }
                }
            }
            Err(error) => problems.push(in_file(path, 0, error.to_string())),
        }
    }
    let mut seen: HashMap<String, (PathBuf, usize)> = HashMap::new();
    for document in &documents {
        if let Some((file, index)) = seen.insert(document.name.clone(), (document.file.clone(), document.index)) {
            problems.push(document.problem(format!("it is described before, in {}: document {index}", file.display())));
        }
    }
    if documents.is_empty() && problems.is_empty() {
        let first = paths.first().cloned().unwrap_or_default();
        problems.push(in_file(&first, 0, "no document describes a resource".to_owned()));
    }
    (documents, problems)
}

fn in_file(file: &Path, document: usize, message: String) -> Problem {
    Problem { file: file.to_owned(), document, name: String::new(), field: String::new(), message }
}

/// The files of resources at a path, in the order of their names; a named file is read whatever it is called.
fn files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if path == Path::new("-") || !std::fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut entries = std::fs::read_dir(path)?.map(|e| e.map(|e| e.path())).collect::<std::io::Result<Vec<_>>>()?;
    entries.sort();
    let mut found = Vec::new();
    let (dirs, plain): (Vec<_>, Vec<_>) = entries.into_iter().partition(|path| path.is_dir());
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let yaml = |path: &PathBuf| path.extension().is_some_and(|e| e == "yaml" || e == "yml");
    found.extend(plain.into_iter().filter(yaml).filter(|path| !OTHER_FILES.contains(&name(path).as_str())));
    for dir in dirs.iter().filter(|dir| !OTHER_DIRS.contains(&name(dir).as_str()) && !name(dir).starts_with('.')) {
        found.extend(files(dir)?);
    }
    Ok(found)
}

fn text_of(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().take(MAX_BYTES).read_to_string(&mut text)?;
    } else {
        let file = std::fs::File::open(path)?;
        if file.metadata()?.len() > MAX_BYTES {
            return Err(std::io::Error::other(format!("the file is larger than {} MiB; split it", MAX_BYTES >> 20)));
        }
        file.take(MAX_BYTES).read_to_string(&mut text)?;
    }
    Ok(text)
}

/// Reads the documents of one file.
pub fn parse(file: &Path, text: &str) -> (Vec<Document>, Vec<Problem>) {
    let (mut documents, mut problems) = (Vec::new(), Vec::new());
    for (i, source) in serde_norway::Deserializer::from_str(text).enumerate() {
        let index = i + 1;
        // Through YAML's own value first: it refuses a key that stands twice.
        let value = serde_norway::Value::deserialize(source).and_then(serde_norway::from_value::<Value>);
        match value {
            Ok(Value::Null) => {}
            Ok(Value::Object(fields)) => match document(file, index, fields) {
                Ok(document) => documents.push(document),
                Err(bad) => problems.extend(bad),
            },
            Ok(_) => problems.push(in_file(
                file,
                index,
                "a document is a resource: `type`, `name` and its fields".to_owned(),
            )),
            Err(error) => {
                problems.push(in_file(file, index, format!("this is no YAML: {error}")));
                // What follows a syntax error is anybody's guess.
                break;
            }
        }
    }
    (documents, problems)
}

fn document(file: &Path, index: usize, mut fields: Map<String, Value>) -> Result<Document, Vec<Problem>> {
    let name = fields.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let problem = |field: &str, message: String| Problem {
        file: file.to_owned(),
        document: index,
        name: name.clone(),
        field: field.to_owned(),
        message,
    };
    let kind = match fields.remove("type") {
        Some(Value::String(word)) => types::find(&word).map_err(|e| vec![problem("type", e.to_string())])?,
        _ => {
            return Err(vec![problem(
                "type",
                "a document says what it describes, such as `type: linli/Offering`".to_owned(),
            )]);
        }
    };
    if !kind.catalogue {
        let told = format!("{} are recorded by the services; they cannot be applied from files", kind.plural);
        return Err(vec![problem("type", told)]);
    }
    if kind.singular() == "RuleBinding" && fields.contains_key("plugin") {
        let told = "a binding names an uploaded version; put this file in force with `linli plugin activate -f`";
        return Err(vec![problem("plugin", told.to_owned())]);
    }
    let message = strict::message_of(&kind.message, &fields);
    let message =
        message.map_err(|bad| bad.into_iter().map(|(field, told)| problem(&field, told)).collect::<Vec<_>>())?;
    if !kind.is_named(&name) {
        let told = if kind.has_parent() {
            format!("areas/{{area}}/{}/{{id}}", kind.plural)
        } else {
            "areas/{area}".to_owned()
        };
        return Err(vec![problem("name", format!("a name such as {told} is wanted"))]);
    }
    let proto_name = |key: &String| {
        let field = kind.message.get_field_by_json_name(key).or_else(|| kind.message.get_field_by_name(key))?;
        Some(field.name().to_owned())
    };
    let mask = fields.keys().filter_map(proto_name).filter(|field| field != "name" && field != "etag").collect();
    let references = types::references(&message);
    debug_assert_eq!(read::text(&message, "name"), name);
    Ok(Document { file: file.to_owned(), index, kind, name, message, mask, references })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_read_with_the_fields_that_they_set() {
        let text = "# a comment\n--- # M09\ntype: linli/Offering\nname: areas/x/offerings/cut\ndisplayName: {zhCn: 剪}\nwaitlist: false\n\
                    --- {type: linli/Unit, name: areas/x/units/a, kind: grid, parent: areas/x/units/b}\n";
        let (documents, problems) = parse(Path::new("a.yaml"), text);
        assert_eq!(problems, []);
        let mut mask = documents[0].mask.clone();
        mask.sort();
        assert_eq!(mask, ["display_name", "waitlist"], "what is set to its default counts too");
        assert_eq!(documents[1].references, ["areas/x/units/b"]);
        assert_eq!(documents[1].area(), "areas/x");
    }

    #[test]
    fn problems_name_file_document_and_field() {
        let text = "---\ntype: linli/Offering\nname: areas/x/offerings/cut\ncolour: red\n---\ntype: linli/Person\nname: areas/x/people/p\n\
                    ---\nname: a\n---\ntype: linli/Unit\nname: areas/x/offerings/u\nkind: a\n---\n[1]\n";
        let (documents, problems) = parse(Path::new("a.yaml"), text);
        assert!(documents.is_empty());
        let told: Vec<String> = problems.iter().map(Problem::to_string).collect();
        assert!(told[0].starts_with("a.yaml: document 1 (areas/x/offerings/cut): colour: "), "{told:?}");
        assert_eq!(
            problems.iter().map(|p| (p.document, p.field.as_str())).collect::<Vec<_>>(),
            [(1, "colour"), (2, "type"), (3, "type"), (4, "name"), (5, "")]
        );
    }

    #[test]
    fn a_key_that_stands_twice_is_refused() {
        let (_, problems) = parse(Path::new("a.yaml"), "type: linli/Unit\nkind: a\nkind: b\n");
        assert!(problems[0].message.contains("duplicate"), "{problems:?}");
    }

    #[test]
    fn the_profiles_of_this_repository_can_be_read() {
        let profiles = Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiles");
        let (documents, problems) = read(&[profiles]);
        let told: Vec<String> = problems.iter().map(Problem::to_string).collect();
        assert!(told.is_empty(), "{}", told.join("\n"));
        assert!(documents.len() > 600, "{} documents", documents.len());
        assert!(!documents.iter().any(|d| d.kind.singular() == "RuleBinding"));
    }
}
