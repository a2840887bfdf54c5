//! The three forms of a rule on disk (Rust crate, JavaScript package, table) and the bytes that become a version.
//! Never: decides whether the bytes are acceptable.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use linli_kernel::Lang;
use linli_rules_engine::LoadError;
use linli_rules_engine::table::Table;

use super::check;
use crate::commands::output;
use crate::plugin_build::{self, Built};

/// More than any rule.
const MOST_BYTES: u64 = 16 << 20;
/// The table of a directory.
const TABLE: &str = "rule.yaml";

/// How the rule in a directory is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Rust,
    Js,
    Table,
}

impl Form {
    /// Looks at the files of a directory.
    pub(super) fn of(dir: &Path) -> Result<Self> {
        let has = |file: &str| dir.join(file).is_file();
        if has("Cargo.toml") {
            Ok(Form::Rust)
        } else if has("package.json") {
            Ok(Form::Js)
        } else if has(TABLE) {
            Ok(Form::Table)
        } else {
            bail!(
                "{}: there is no rule here: neither Cargo.toml, package.json nor {TABLE}. Begin one with `linli plugin new NAME`",
                dir.display()
            )
        }
    }
}

/// Where the built rule of a directory goes unless said otherwise: beside what is built of its neighbours.
pub(super) fn out(said: Option<&Path>, dir: &Path) -> PathBuf {
    let neighbours = || dir.canonicalize().ok()?.parent().map(|plugins| plugins.join("target/components"));
    let shown = |out: PathBuf| {
        let here = std::env::current_dir().ok().and_then(|here| here.canonicalize().ok());
        here.and_then(|here| out.strip_prefix(here).ok().map(Path::to_owned)).unwrap_or(out)
    };
    said.map(Path::to_owned).or_else(|| neighbours().map(shown)).unwrap_or_else(|| "plugins/target/components".into())
}

/// Builds the rule of a directory into `out`; a table that would not be accepted is not.
pub(super) fn build(dir: &Path, out: &Path, lang: Lang) -> Result<Built> {
    match Form::of(dir)? {
        Form::Rust => plugin_build::build(dir, out),
        Form::Js => super::js::build(dir, out),
        Form::Table => {
            let path = dir.join(TABLE);
            let bytes = pack(&path)?;
            Table::parse(&bytes).map_err(|problems| {
                let error = LoadError::Table(problems);
                anyhow::anyhow!("{}: this table is not built\n{}", path.display(), check::problems(&error, lang))
            })?;
            let name = name_of(dir)?;
            plugin_build::keep(&name, "yaml", &bytes, out, "the table's own text".to_owned())
        }
    }
}

/// Builds every rule below `plugins`: the Rust crates in one run of cargo, then the others, sorted by name.
pub(super) fn build_all(plugins: &Path, out: &Path, lang: Lang) -> Result<Vec<Built>> {
    let mut built = plugin_build::build_all(plugins, out)?;
    let entries = fs::read_dir(plugins).with_context(|| plugins.display().to_string())?;
    for dir in entries.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
        // What tests are written for is a rule; the SDK and its tools are none.
        if !dir.join("vectors.yaml").is_file() {
            continue;
        }
        match Form::of(&dir)? {
            Form::Rust => {}
            Form::Table => built.push(build(&dir, out, lang)?),
            // Nothing else waits for the tools of scripts: a machine without them builds the rest.
            Form::Js => match super::js::ready(&dir) {
                Ok(()) => built.push(build(&dir, out, lang)?),
                Err(error) => output::say(format!("! left out: {error:#}")),
            },
        }
    }
    built.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(built)
}

/// The name of a rule: that of its directory.
pub(super) fn name_of(dir: &Path) -> Result<String> {
    let dir = dir.canonicalize().with_context(|| dir.display().to_string())?;
    Ok(dir.file_name().context("a rule has a directory of its own")?.to_string_lossy().into_owned())
}

/// The bytes of a component as they are, and of a table with its rows.
pub(super) fn packed(path: &Path) -> Result<Vec<u8>> {
    let table = path.extension().is_some_and(|end| end == "yaml" || end == "yml");
    if table { pack(path) } else { component(path) }
}

/// Reads a component; what is larger than any is not read.
fn component(path: &Path) -> Result<Vec<u8>> {
    let told = || format!("{}: no component there; build one with `linli plugin build`", path.display());
    let about = fs::metadata(path).with_context(told)?;
    ensure!(about.is_file(), "{}: a file is wanted: build the rule with `linli plugin build`", path.display());
    ensure!(about.len() <= MOST_BYTES, "{}: {} bytes are no plugin", path.display(), about.len());
    fs::read(path).with_context(told)
}

/// A table with the text of its CSV files in place of their names.
fn pack(path: &Path) -> Result<Vec<u8>> {
    let text = fs::read_to_string(path).with_context(|| format!("{}: no table can be read", path.display()))?;
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut packed = String::with_capacity(text.len());
    for (number, line) in text.lines().enumerate() {
        match rows_file(line) {
            Some((indent, file)) => {
                let rows = rows(&dir.join(file))
                    .with_context(|| format!("{}:{}: rows: {file}", path.display(), number + 1))?;
                let head = &line[..line.find("rows:").unwrap_or(0)];
                packed.push_str(&format!("{head}rows: |\n"));
                for row in rows.lines().filter(|row| !row.trim().is_empty()) {
                    packed.push_str(&format!("{:1$}{row}\n", "", indent + 2));
                }
            }
            None => {
                packed.push_str(line);
                packed.push('\n');
            }
        }
    }
    Ok(packed.into_bytes())
}

/// The indent of `rows: FILE.csv` and the file, where a line is that.
fn rows_file(line: &str) -> Option<(usize, &str)> {
    let indent = line.len() - line.trim_start_matches([' ', '-']).len();
    let value = line.get(indent..)?.strip_prefix("rows:")?;
    let value = value.split(" #").next()?.trim().trim_matches(['"', '\'']);
    value.to_ascii_lowercase().ends_with(".csv").then_some((indent, value))
}

/// What a spreadsheet saved, without its byte order mark.
fn rows(path: &PathBuf) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("{}: the rows cannot be read", path.display()))?;
    let text = String::from_utf8(bytes)
        .ok()
        .with_context(|| format!("{}: not UTF-8: save it in the spreadsheet as \"CSV UTF-8\"", path.display()))?;
    Ok(text.trim_start_matches('\u{feff}').replace('\r', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_a_spreadsheet_take_the_place_of_its_name() {
        let dir = tempfile::tempdir().expect("a directory");
        let table = dir.path().join(TABLE);
        fs::write(&table, "rules:\n  booking-price:\n    hit: first\n    rows: quotas.csv # of May\n")
            .expect("a table");
        assert!(packed(&table).expect_err("no rows yet").to_string().contains("rows: quotas.csv"));
        fs::write(dir.path().join("quotas.csv"), "\u{feff}who.age_years,then\r\n80..,300\r\n").expect("rows");
        let text = String::from_utf8(packed(&table).expect("packed")).expect("text");
        assert!(text.ends_with("    rows: |\n      who.age_years,then\n      80..,300\n"), "{text}");
    }

    #[test]
    fn rows_in_another_encoding_are_told_with_the_remedy() {
        let dir = tempfile::tempdir().expect("a directory");
        let table = dir.path().join(TABLE);
        fs::write(&table, "rows: gbk.csv\n").expect("a table");
        fs::write(dir.path().join("gbk.csv"), [0xc4, 0xea, 0xc1, 0xe4]).expect("rows");
        assert!(format!("{:#}", packed(&table).expect_err("GBK")).contains("CSV UTF-8"));
    }

    #[test]
    fn a_directory_without_a_rule_says_how_to_begin() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(Form::of(dir.path()).expect_err("empty").to_string().contains("linli plugin new"));
    }
}
