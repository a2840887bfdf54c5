//! YAML as a tree with places, read from the events of the parser.
//! Never: anchors, aliases, tags, repeated keys or more than one document; the tree is as large as its text at most.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::problem::{Place, Problems, TableCode, shorten};

/// Deeper than any rule needs.
const MAX_DEPTH: usize = 12;

/// A piece of text and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) at: Place,
    /// Whether it was written in quotes.
    pub(super) quoted: bool,
    /// Whether it is a block of lines.
    pub(super) block: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Node {
    Scalar(Cell),
    List(Place, Vec<Node>),
    Map(Place, Vec<(Cell, Node)>),
}

impl Node {
    pub(super) fn at(&self) -> Place {
        match self {
            Node::Scalar(cell) => cell.at,
            Node::List(at, _) | Node::Map(at, _) => *at,
        }
    }
}

fn place(span: Span) -> Place {
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Place { line: narrow(span.start.line()), column: narrow(span.start.col() + 1) }
}

/// A list or map that is not closed yet.
enum Open {
    List(Place, Vec<Node>),
    Map { at: Place, entries: Vec<(Cell, Node)>, key: Option<Cell> },
}

/// The tree of a document; nothing where it cannot be read at all.
pub(super) fn read(text: &str, problems: &mut Problems) -> Option<Node> {
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    for next in Parser::new_from_str(text) {
        let (event, span) = match next {
            Ok(next) => next,
            Err(error) => {
                let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
                let at = Place { line: narrow(error.marker().line()), column: narrow(error.marker().col() + 1) };
                let en = format!("this is not YAML: {}; check indentation, quotes and colons", error.info());
                problems.push(TableCode::Malformed, at, "不是合格的 YAML：请检查缩进、引号和冒号", en);
                return None;
            }
        };
        let at = place(span);
        if marked(&event) {
            let en =
                "anchors (&), aliases (*) and tags (!) may not be used; quote a text that begins with one of these";
            problems.push(
                TableCode::Malformed,
                at,
                "不能使用锚点（&）、别名（*）和标签（!）；以这些符号开头的文字请加引号",
                en,
            );
            return None;
        }
        match event {
            Event::Scalar(text, style, ..) => {
                let quoted = matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted);
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let at = if quoted { Place { column: at.column + 1, ..at } } else { at };
                let cell = Cell { text: text.into_owned(), at, quoted, block };
                place_node(Node::Scalar(cell), &mut open, &mut root, problems);
            }
            Event::SequenceStart(..) => open.push(Open::List(at, Vec::new())),
            Event::MappingStart(..) => open.push(Open::Map { at, entries: Vec::new(), key: None }),
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(at, items)) => place_node(Node::List(at, items), &mut open, &mut root, problems),
                Some(Open::Map { at, entries, .. }) => {
                    place_node(Node::Map(at, entries), &mut open, &mut root, problems);
                }
                None => return None,
            },
            Event::DocumentStart(_) if root.is_some() => {
                problems.push(
                    TableCode::Malformed,
                    at,
                    "一个文件只能有一份文档",
                    "a file holds one document; remove `---`",
                );
                return None;
            }
            _ => {}
        }
        if open.len() > MAX_DEPTH {
            let en = format!("nested deeper than {MAX_DEPTH} levels; no part of a table is");
            problems.push(TableCode::Malformed, at, format!("嵌套超过 {MAX_DEPTH} 层"), en);
            return None;
        }
    }
    root
}

fn marked(event: &Event<'_>) -> bool {
    match event {
        Event::Alias(_) => true,
        Event::Scalar(_, _, anchor, tag) => *anchor != 0 || tag.is_some(),
        Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => *anchor != 0 || tag.is_some(),
        _ => false,
    }
}

fn place_node(node: Node, open: &mut [Open], root: &mut Option<Node>, problems: &mut Problems) {
    match open.last_mut() {
        None => *root = Some(node),
        Some(Open::List(_, items)) => items.push(node),
        Some(Open::Map { entries, key, .. }) => match (key.take(), node) {
            (None, Node::Scalar(cell)) => {
                if entries.iter().any(|(other, _)| other.text == cell.text) {
                    let name = shorten(&cell.text);
                    let en = format!("the key {name:?} stands twice; remove one");
                    problems.push(TableCode::Repeated, cell.at, format!("“{name}”重复，请删去一个"), en);
                }
                *key = Some(cell);
            }
            (None, node) => {
                problems.push(TableCode::Malformed, node.at(), "键必须是文字", "a key is a text, no list and no map");
                let (text, at) = (String::new(), node.at());
                *key = Some(Cell { text, at, quoted: false, block: false });
            }
            (Some(key), node) => entries.push((key, node)),
        },
    }
}

/// The cells of a block of comma-separated lines, each with its place in the document.
pub(super) fn csv(block: &Cell, document: &str) -> Vec<Vec<Cell>> {
    // A block begins on the line after its `|`, which is where the parser puts it unless comments come between.
    let opening = block.text.lines().next().unwrap_or_default().trim();
    let is_opening =
        |line: &usize| document.lines().nth(line.saturating_sub(1)).is_some_and(|text| text.trim() == opening);
    let at = block.at.line as usize;
    let first = if block.block { (at..at + 8).find(is_opening).unwrap_or(at) } else { at };
    let indent = if block.block {
        document.lines().nth(first.saturating_sub(1)).map_or(0, |line| line.chars().take_while(|c| *c == ' ').count())
    } else {
        block.at.column.saturating_sub(1) as usize
    };
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let mut rows = Vec::new();
    for (at, line) in block.text.lines().enumerate() {
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let cells = split(line).into_iter();
        let cells = cells.map(|(column, text, quoted)| Cell {
            text,
            at: Place { line: narrow(first + at), column: narrow(indent + column + 1) },
            quoted,
            block: false,
        });
        rows.push(cells.collect());
    }
    rows
}

/// The cells of a line with the character that each begins at. Spaces around a cell do not count.
fn split(line: &str) -> Vec<(usize, String, bool)> {
    let chars: Vec<char> = line.chars().collect();
    let mut cells = Vec::new();
    let mut at = 0;
    loop {
        while chars.get(at).is_some_and(|c| c.is_whitespace()) {
            at += 1;
        }
        let mut text = String::new();
        let quoted = chars.get(at) == Some(&'"');
        let start = if quoted { at + 1 } else { at };
        if quoted {
            at += 1;
            while let Some(&c) = chars.get(at) {
                at += 1;
                if c != '"' {
                    text.push(c);
                } else if chars.get(at) == Some(&'"') {
                    text.push('"');
                    at += 1;
                } else {
                    break;
                }
            }
        }
        while let Some(&c) = chars.get(at).filter(|c| **c != ',') {
            text.push(c);
            at += 1;
        }
        cells.push((start, text.trim_end().to_owned(), quoted));
        if at >= chars.len() {
            return cells;
        }
        at += 1;
    }
}
