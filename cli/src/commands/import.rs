//! `linli import`: people, households and appointments from CSV files. Never acts twice for one key, however often it runs.

mod appointments;
mod households;
mod ids;
mod rows;

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};

use self::rows::{File, RowProblem};
use super::output;
use crate::client::{CallError, Connection};

/// The largest file that is read.
const MAX_BYTES: u64 = 64 << 20;
/// Rows of one batch.
const BATCH: usize = 500;
/// Bad rows that one message names.
const MAX_TOLD: usize = 50;

/// Imports households with their people, and appointments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  linli import households.csv appointments.csv --area areas/xinhua\n\n\
                        The header says what a file holds:\n  \
                        household_key,unit,person_key,full_name,birth_year,tags   one line per person, tags separated by ;\n  \
                        person_key,unit,role,basis,start,end                      an empty unit is the whole area\n\n\
                        Keys are the importing system's: what was imported before is passed over. A file with a bad row\n\
                        is not imported at all; every bad row is named.")]
pub struct Args {
    /// CSV files (UTF-8), imported in this order.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The area to which the people belong.
    #[arg(long, env = "LINLI_AREA", required = false, value_name = "areas/AREA")]
    pub area: String,
}

/// What an import has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Households that were created.
    pub households: usize,
    /// People that were created.
    pub people: usize,
    /// Appointments that were created.
    pub appointments: usize,
    /// Rows of what was imported before.
    pub skipped: usize,
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.households + self.people > 0 {
            parts.push(format!("{} households with {} people", self.households, self.people));
        }
        if self.appointments > 0 {
            parts.push(format!("{} appointments", self.appointments));
        }
        if parts.is_empty() {
            parts.push("nothing new".to_owned());
        }
        if self.skipped > 0 {
            parts.push(format!("{} rows were there already", self.skipped));
        }
        f.write_str(&parts.join(", "))
    }
}

/// Imports one file into an area (`areas/{area}`).
///
/// # Errors
/// Every bad row with its line, and nothing was sent; or what the server answered, and a later run goes on from there.
pub async fn import_file(connection: &Connection, area: &str, path: &Path) -> Result<ImportReport> {
    ensure!(is_area(area), "{area:?} is no area such as areas/xinhua");
    let told = || path.display().to_string();
    let size = std::fs::metadata(path).with_context(told)?.len();
    ensure!(size <= MAX_BYTES, "{}: the file is larger than {} MiB; split it", told(), MAX_BYTES >> 20);
    let bytes = std::fs::read(path).with_context(told)?;
    let file = rows::parse(area, &bytes).or_else(|bad| refuse(path, &bad))?;
    check_units(connection, area, path, &file).await?;
    match file {
        File::Households(households) => households::import(connection, area, path, households).await,
        File::Appointments(appointments) => appointments::import(connection, area, path, appointments).await,
    }
}

fn is_area(name: &str) -> bool {
    name.strip_prefix("areas/").is_some_and(|id| !id.is_empty() && id != "-" && !id.contains('/'))
}

/// Every unit must be there before anything is sent.
async fn check_units(connection: &Connection, area: &str, path: &Path, file: &File) -> Result<()> {
    let listed = connection.list_json("Unit", area).await.with_context(|| format!("the units of {area}"))?;
    let known: HashSet<&str> =
        listed.iter().filter_map(|unit| unit.get("name").and_then(|name| name.as_str())).collect();
    let rows: Vec<(u64, &str)> = match file {
        File::Households(rows) => rows.iter().map(|row| (row.line, row.unit.as_str())).collect(),
        File::Appointments(rows) => rows.iter().map(|row| (row.line, row.unit.as_str())).collect(),
    };
    let strange = rows.into_iter().filter(|(_, unit)| !unit.is_empty() && !known.contains(unit));
    let bad: Vec<RowProblem> = strange
        .map(|(line, unit)| RowProblem { line, message: format!("unit: {unit} does not exist; apply the units first") })
        .collect();
    if bad.is_empty() { Ok(()) } else { refuse(path, &bad) }
}

/// Fails with what the server said about a batch, in lines of the file where it speaks of fields.
fn refuse_batch<T>(path: &Path, error: CallError, lines: &[u64]) -> Result<T> {
    let told: Vec<String> = error
        .fields()
        .into_iter()
        .filter_map(|(field, what)| {
            let (index, rest) = field.strip_prefix("requests[")?.split_once(']')?;
            let line = lines.get(index.parse::<usize>().ok()?)?;
            Some(format!("{}:{line}: {}: {what}", path.display(), rest.trim_start_matches('.')))
        })
        .collect();
    let span = match lines {
        [line] => format!("{}: line {line}", path.display()),
        lines => format!("{}: lines {} to {}", path.display(), lines.first().unwrap_or(&0), lines.last().unwrap_or(&0)),
    };
    let again = "what stands before them is imported; a later run goes on from there";
    if told.is_empty() {
        return Err(error).context(format!("{span} refused, {again}"));
    }
    bail!("{span} refused, {again}\n{}", told.join("\n"))
}

/// Fails with all bad rows of a file.
fn refuse<T>(path: &Path, bad: &[RowProblem]) -> Result<T> {
    let mut lines: Vec<String> =
        bad.iter().take(MAX_TOLD).map(|row| format!("{}:{}: {}", path.display(), row.line, row.message)).collect();
    if bad.len() > MAX_TOLD {
        lines.push(format!("... and {} more", bad.len() - MAX_TOLD));
    }
    let rows = if bad.len() == 1 { "1 bad row".to_owned() } else { format!("{} bad rows", bad.len()) };
    bail!("{}: {rows}, nothing of the file was imported\n{}", path.display(), lines.join("\n"))
}

/// Runs the command.
///
/// # Errors
/// When stdout is broken; files that cannot be imported are told, with exit code 1.
pub async fn run(args: Args, connection: &Connection) -> Result<ExitCode> {
    let mut failed = false;
    for path in &args.files {
        match import_file(connection, &args.area, path).await {
            Ok(report) => output::data(&format!("{}: {report}", path.display()))?,
            Err(error) => {
                failed = true;
                output::say(format!("{error:#}"));
            }
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_is_new_and_what_was_there() {
        let report = ImportReport { households: 2, people: 5, appointments: 0, skipped: 3 };
        assert_eq!(report.to_string(), "2 households with 5 people, 3 rows were there already");
        assert_eq!(ImportReport::default().to_string(), "nothing new");
    }

    #[test]
    fn an_area_is_one_area() {
        assert!(is_area("areas/xinhua"));
        assert!(!is_area("areas/-") && !is_area("xinhua") && !is_area("areas/x/units/y"));
    }
}
