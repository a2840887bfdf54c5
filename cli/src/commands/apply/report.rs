//! What applying has done, counted and in words.

use std::fmt;

use serde::Serialize;

use super::Problem;

/// What became of one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It did not exist.
    Created,
    /// It was different.
    Updated,
    /// It was so already; nothing was written.
    Unchanged,
    /// No file describes it.
    Deleted,
}

/// What became of one resource, and how it differs from before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Name of the resource.
    pub name: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Lines `- field: old` and `+ field: new`.
    pub diff: Vec<String>,
    /// Of a dry run: the services could not check it, because it depends on what the same run would bring.
    pub unchecked: bool,
}

/// What applying has done, or would do.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Resources that were created.
    pub created: usize,
    /// Resources that were changed.
    pub updated: usize,
    /// Resources that were so already.
    pub unchanged: usize,
    /// Resources that were deleted.
    pub deleted: usize,
    /// Resources that were created, changed or deleted, in the order in which it happened.
    pub changes: Vec<Change>,
    /// Everything that went wrong.
    pub problems: Vec<Problem>,
}

impl Report {
    /// Counts one resource.
    pub(super) fn add(&mut self, change: Change) {
        let counter = match change.outcome {
            Outcome::Created => &mut self.created,
            Outcome::Updated => &mut self.updated,
            Outcome::Unchanged => &mut self.unchanged,
            Outcome::Deleted => &mut self.deleted,
        };
        *counter += 1;
        if change.outcome != Outcome::Unchanged {
            self.changes.push(change);
        }
    }

    /// The report for a terminal, with or without the differences.
    pub fn to_text(&self, with_diff: bool) -> String {
        let mut text = String::new();
        for change in self.changes.iter().filter(|c| with_diff || c.outcome == Outcome::Deleted) {
            let mark = match change.outcome {
                Outcome::Created => "+",
                Outcome::Updated => "~",
                Outcome::Unchanged => "=",
                Outcome::Deleted => "-",
            };
            let note = if change.unchecked { "  (checked here only: it depends on what is new)" } else { "" };
            text.push_str(&format!("{mark} {}{note}\n", change.name));
            for line in &change.diff {
                text.push_str(&format!("    {line}\n"));
            }
        }
        text.push_str(&self.to_string());
        text
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dry_run {
            write!(f, "dry run, nothing was written: ")?;
        }
        write!(f, "{} created, {} updated, {} unchanged", self.created, self.updated, self.unchanged)?;
        if self.deleted > 0 {
            write!(f, ", {} deleted", self.deleted)?;
        }
        match self.problems.len() {
            0 => Ok(()),
            1 => write!(f, ", 1 problem"),
            n => write!(f, ", {n} problems"),
        }
    }
}
