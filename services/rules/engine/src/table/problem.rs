//! What is wrong with a table document, told to its author in Chinese and English, with the place and the remedy.
//! Never: stops at the first problem.

/// The kind of a problem; stable, for machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TableCode {
    /// Larger than a document may be.
    TooLarge,
    /// No UTF-8, no YAML, or YAML with what a document may not use.
    Malformed,
    /// A key, column, code, name or function that does not exist here.
    Unknown,
    /// Something twice.
    Repeated,
    /// Something that has to be there is not.
    Missing,
    /// A value of another form than asked for.
    BadValue,
    /// An expression that does not parse.
    Syntax,
    /// An expression of another type than its place takes.
    Type,
    /// Could take longer than a decision may take.
    TooCostly,
}

impl TableCode {
    /// Its name; stable.
    pub const fn code(self) -> &'static str {
        match self {
            TableCode::TooLarge => "TOO_LARGE",
            TableCode::Malformed => "MALFORMED",
            TableCode::Unknown => "UNKNOWN",
            TableCode::Repeated => "REPEATED",
            TableCode::Missing => "MISSING",
            TableCode::BadValue => "BAD_VALUE",
            TableCode::Syntax => "SYNTAX",
            TableCode::Type => "TYPE",
            TableCode::TooCostly => "TOO_COSTLY",
        }
    }
}

/// A place in the document; both count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
pub(super) struct Place {
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

/// One thing that is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableProblem {
    /// The kind.
    pub code: TableCode,
    /// For a Chinese reader, with the remedy.
    pub message_zh: String,
    /// For an English reader, with the remedy.
    pub message_en: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// The hook and the row, or the key; may be empty.
    pub where_: String,
}

/// More than an author reads at once.
const MAX_PROBLEMS: usize = 100;

/// The problems found so far, and where the reader is.
#[derive(Debug, Default)]
pub(super) struct Problems {
    list: Vec<TableProblem>,
    context: String,
}

impl Problems {
    /// Says where in the rules the reader is.
    pub(super) fn enter(&mut self, context: String) {
        self.context = context;
    }

    pub(super) fn push(&mut self, code: TableCode, at: Place, zh: impl Into<String>, en: impl Into<String>) {
        if self.list.len() < MAX_PROBLEMS {
            self.list.push(TableProblem {
                code,
                message_zh: zh.into(),
                message_en: en.into(),
                line: at.line,
                column: at.column,
                where_: self.context.clone(),
            });
        }
    }

    pub(super) fn unknown<'a>(
        &mut self,
        at: Place,
        (zh, en): (&str, &str),
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) {
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        let name = shorten(name);
        let (zh_known, en_known) = if known.is_empty() { ("无", "none") } else { (known.as_str(), known.as_str()) };
        self.push(
            TableCode::Unknown,
            at,
            format!("没有{zh}“{name}”；可用的有：{zh_known}"),
            format!("there is no {en} {name:?}; there are: {en_known}"),
        );
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn into_sorted(mut self) -> Vec<TableProblem> {
        self.list.sort_by_key(|problem| (problem.line, problem.column));
        self.list.dedup();
        self.list
    }
}

/// At most 64 characters of what an author wrote.
pub(super) fn shorten(text: &str) -> String {
    text.chars().take(64).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
