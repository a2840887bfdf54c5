//! Parts of a task, how each ended and how long it took.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::repo::say;

/// A run of named parts. A part that fails does not keep the next from running.
pub(crate) struct Parts {
    done: Vec<(String, Duration, bool)>,
}

impl Parts {
    /// No part yet.
    pub(crate) fn new() -> Self {
        Self { done: Vec::new() }
    }

    /// Runs one part; says why it failed, if it did.
    pub(crate) fn run(&mut self, name: &str, part: impl FnOnce() -> Result<()>) -> bool {
        say(&format!("== {name}"));
        let start = Instant::now();
        let result = part();
        if let Err(error) = &result {
            say(&format!("{name}: {error:#}"));
        }
        self.done.push((name.to_owned(), start.elapsed(), result.is_ok()));
        result.is_ok()
    }

    /// Prints the table; fails when a part did.
    pub(crate) fn finish(self) -> Result<()> {
        eprintln!("\n{}", self.table());
        let failed: Vec<&str> = self.done.iter().filter(|(.., ok)| !ok).map(|(name, ..)| name.as_str()).collect();
        if !failed.is_empty() {
            bail!("failed: {}", failed.join(", "));
        }
        Ok(())
    }

    fn table(&self) -> String {
        let total: Duration = self.done.iter().map(|(_, took, _)| *took).sum();
        let width = self.done.iter().map(|(name, ..)| name.len()).max().unwrap_or(0).max("total".len());
        let mut lines: Vec<String> = Vec::new();
        for (name, took, ok) in &self.done {
            lines.push(format!("{name:width$}  {:>8}  {}", minutes(*took), if *ok { "ok" } else { "FAILED" }));
        }
        lines.push(format!("{:width$}  {:>8}", "total", minutes(total)));
        lines.join("\n")
    }
}

/// `12:34.5`: minutes, seconds and tenths.
fn minutes(time: Duration) -> String {
    let tenths = time.as_millis() / 100;
    format!("{}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_part_fails_the_whole_and_lets_the_next_run() {
        let mut parts = Parts::new();
        assert!(!parts.run("first", || bail!("no")));
        assert!(parts.run("second", || Ok(())));
        let error = parts.finish().unwrap_err();
        assert_eq!(error.to_string(), "failed: first");
    }

    #[test]
    fn times_read_as_minutes_seconds_tenths() {
        assert_eq!(minutes(Duration::from_millis(125_460)), "2:05.4");
    }
}
