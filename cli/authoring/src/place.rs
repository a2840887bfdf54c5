//! Where in a file something stands, for messages. Never: a parser; the position is found again by the names of the keys.

use std::fmt;

/// Something that is wrong with a file of cases, with its place and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Mistake {
    /// The file, as the author named it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The field, such as `facts.who.age-years`; empty when it is about a whole case or file.
    pub field: String,
    /// What is wrong and what would be right.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.what)
    }
}

/// A wrong value: the path to it and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) path: Vec<String>,
    pub(crate) what: String,
}

impl Wrong {
    pub(crate) fn new(field: &str, what: impl Into<String>) -> Self {
        Self { path: vec![field.to_owned()], what: what.into() }
    }

    /// The same, seen from one level up.
    pub(crate) fn within(mut self, field: &str) -> Self {
        self.path.insert(0, field.to_owned());
        self
    }
}

/// The text of a file and where its cases begin.
pub(crate) struct Source<'a> {
    pub(crate) file: &'a str,
    text: &'a str,
    items: Vec<usize>,
}

impl<'a> Source<'a> {
    pub(crate) fn new(file: &'a str, text: &'a str) -> Self {
        let dash = |line: &str| line.trim_start().starts_with("- ") || line.trim() == "-";
        let indent = |line: &str| line.len() - line.trim_start().len();
        let first = text.lines().find(|line| dash(line)).map(indent);
        let at = |(n, line): (usize, &str)| (dash(line) && Some(indent(line)) == first).then_some(n);
        Self { file, text, items: text.lines().enumerate().filter_map(at).collect() }
    }

    /// The line of a case, from 1.
    pub(crate) fn line_of(&self, item: usize) -> usize {
        self.items.get(item).map_or(1, |line| line + 1)
    }

    /// The mistake at a path within a case.
    pub(crate) fn mistake(&self, item: usize, wrong: &Wrong) -> Mistake {
        let end = self.items.get(item + 1).copied().unwrap_or(usize::MAX);
        let mut line = self.line_of(item) - 1;
        for key in &wrong.path {
            let found = self.text.lines().enumerate().skip(line).take_while(|(n, _)| *n < end);
            match found.into_iter().find(|(_, text)| names(text, key)) {
                Some((n, _)) => line = n,
                None => break,
            }
        }
        Mistake { file: self.file.to_owned(), line: line + 1, field: wrong.path.join("."), what: wrong.what.clone() }
    }
}

/// Whether a line has `key:` in it, not as the end of another key.
fn names(line: &str, key: &str) -> bool {
    line.match_indices(key).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + key.len()..].trim_start_matches(['"', '\'']);
        before.is_none_or(|c| !c.is_alphanumeric() && c != '-') && after.starts_with(':')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_in_its_own_case() {
        let text = "# cases\n- name: a\n  facts:\n    who: {age-years: 1}\n- name: b\n  facts: {who: {age-years: x}}\n";
        let source = Source::new("v.yaml", text);
        let wrong = Wrong::new("age-years", "no number").within("who").within("facts");
        assert_eq!(source.mistake(0, &wrong).to_string(), "v.yaml:4: facts.who.age-years: no number");
        assert_eq!(source.mistake(1, &wrong).line, 6);
        assert_eq!(source.mistake(1, &Wrong::new("hook", "is missing")).line, 5);
    }

    #[test]
    fn the_end_of_a_longer_key_is_not_the_key() {
        assert!(names("  this-month: 1", "this-month") && !names("  this-month: 1", "month"));
        assert!(names("{used: {open: 1}}", "open"));
    }
}
