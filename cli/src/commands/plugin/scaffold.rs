//! `linli plugin new`: a plugin that builds and passes validation as it is written, to be changed from there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};

use crate::commands::output;

const LIB: &str = include_str!("scaffold/lib.rs.txt");
const MANIFEST: &str = include_str!("scaffold/Cargo.toml.txt");
const SHEET: &str = include_str!("scaffold/plugin.yaml.txt");

/// Writes the beginnings of a plugin.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  linli plugin new queue-by-age   # writes plugins/queue-by-age, a member of the workspace there"
)]
pub(super) struct Args {
    /// Name: a-z, 0-9 and hyphen.
    name: String,
    /// Workspace of plugins, with the SDK in its directory sdk.
    #[arg(long, default_value = "plugins", value_name = "DIR")]
    plugins: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let dir = write(&args.name, &args.plugins)?;
    output::say("It refuses who is younger than a setting says. Change src/lib.rs, then:");
    output::say(format!("  (cd {} && cargo test -p linli-plugin-{})", args.plugins.display(), args.name));
    output::say(format!("  linli plugin build {}", dir.display()));
    output::data(&dir.display().to_string())?;
    Ok(ExitCode::SUCCESS)
}

fn write(name: &str, plugins: &Path) -> Result<PathBuf> {
    linli_kernel::Slug::new(name).map_err(|e| anyhow::anyhow!("{name:?} is no name of a plugin: {e}"))?;
    ensure!(name.starts_with(|c: char| c.is_ascii_lowercase()), "{name:?}: the name of a plugin begins with a letter");
    let workspace = plugins.join("Cargo.toml");
    let text = fs::read_to_string(&workspace).with_context(|| {
        format!("{}: no workspace of plugins here; say where it is with --plugins", workspace.display())
    })?;
    let joined = with_member(&text, name).with_context(|| format!("{}: no `members = [...]`", workspace.display()))?;
    let dir = plugins.join(name);
    if dir.exists() {
        bail!("{} is there already", dir.display());
    }
    fs::create_dir_all(dir.join("src")).with_context(|| dir.display().to_string())?;
    for (file, template) in [("Cargo.toml", MANIFEST), ("plugin.yaml", SHEET), ("src/lib.rs", LIB)] {
        let path = dir.join(file);
        fs::write(&path, fill(template, name)).with_context(|| path.display().to_string())?;
    }
    if joined != text {
        fs::write(&workspace, joined).with_context(|| workspace.display().to_string())?;
    }
    Ok(dir)
}

fn fill(template: &str, name: &str) -> String {
    let type_name: String = name.split('-').map(capitalised).collect();
    let title = capitalised(&name.replace('-', " "));
    template
        .replace("{name}", name)
        .replace("{lib}", &name.replace('-', "_"))
        .replace("{Type}", &type_name)
        .replace("{title}", &title)
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
}

/// The workspace's manifest with one more member.
fn with_member(text: &str, name: &str) -> Option<String> {
    let begin = text.find("members = [")?;
    let end = begin + text[begin..].find(']')?;
    if text[begin..end].contains(&format!("\"{name}\"")) {
        return Some(text.to_owned());
    }
    let members = text[..end].trim_end();
    let comma = if members.ends_with('[') || members.ends_with(',') { "" } else { "," };
    Some(format!("{members}{comma} \"{name}\"{}", &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_plugin_is_written_and_joins_the_workspace() {
        let temporary = tempfile::tempdir().expect("a directory");
        let root = temporary.path();
        fs::write(root.join("Cargo.toml"), "[workspace]\nmembers = [\"sdk\", \"haircut\"]\n").expect("written");
        let dir = write("queue-by-age", root).expect("a plugin");
        let workspace = fs::read_to_string(root.join("Cargo.toml")).expect("read");
        assert!(workspace.contains("\"haircut\", \"queue-by-age\"]"), "{workspace}");
        let source = fs::read_to_string(dir.join("src/lib.rs")).expect("read");
        assert!(source.contains("struct QueueByAge;") && !source.contains("{Type}"), "{source}");
        assert!(fs::read_to_string(dir.join("Cargo.toml")).expect("read").contains("name = \"queue_by_age\""));
        assert!(write("queue-by-age", root).is_err(), "a plugin is never overwritten");
        assert!(write("Queue", root).is_err() && write("1st", root).is_err());
    }
}
