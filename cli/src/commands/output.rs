//! Where output goes: data to stdout, talk and progress to stderr. Never: what is said.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

/// The form of a command's data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// Proto JSON, for programs.
    Json,
    /// Proto JSON as YAML documents, as `linli apply` reads them.
    Yaml,
}

/// Writes text to stdout and ends it with a line break; a reader that has gone away is no error.
///
/// # Errors
/// When stdout is full or broken.
pub fn data(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    match write!(out, "{text}{end}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error).context("write the output"),
        _ => Ok(()),
    }
}

/// Prints one line of data, for a command that ends with it.
#[expect(clippy::print_stdout, reason = "the one place where a line goes to stdout as it is")]
pub fn line(text: &str) {
    println!("{text}");
}

/// Writes one value as JSON or YAML.
///
/// # Errors
/// As [`data`].
pub fn structured(format: Format, value: &impl Serialize) -> Result<()> {
    match format {
        Format::Yaml => data(&serde_norway::to_string(value)?),
        Format::Json | Format::Table => data(&serde_json::to_string_pretty(value)?),
    }
}

/// Says something to the person at the terminal.
pub fn say(text: impl AsRef<str>) {
    // Nobody is left to tell when stderr is closed.
    let _closed = writeln!(std::io::stderr(), "{}", text.as_ref());
}

/// A table without rules, with these headings, as wide as the terminal.
pub fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(headings.iter().map(|heading| heading.to_uppercase()));
    table
}

/// A progress bar on stderr; it does not show where stderr is no terminal.
pub fn progress(len: usize, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(len as u64);
    if let Ok(style) = ProgressStyle::with_template("{msg:24} [{bar:32}] {pos}/{len}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_message(what.to_owned());
    bar
}
