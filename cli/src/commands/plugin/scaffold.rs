//! `linli plugin new`: a rule that builds and passes its cases as it is written, to be changed from there.
//! Never: fetches anything.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};

use super::form::Form;
use crate::commands::output;

const RUST: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("scaffold/rust/Cargo.toml.txt")),
    ("plugin.yaml", include_str!("scaffold/rust/plugin.yaml.txt")),
    ("src/lib.rs", include_str!("scaffold/rust/lib.rs.txt")),
    ("vectors.yaml", include_str!("scaffold/rust/vectors.yaml.txt")),
];
const JS: &[(&str, &str)] = &[
    ("package.json", include_str!("scaffold/js/package.json.txt")),
    ("rule.js", include_str!("scaffold/js/rule.js.txt")),
    ("vectors.yaml", include_str!("scaffold/js/vectors.yaml.txt")),
];
const TABLE: &[(&str, &str)] = &[
    ("rule.yaml", include_str!("scaffold/table/rule.yaml.txt")),
    ("quotas.csv", include_str!("scaffold/table/quotas.csv.txt")),
    ("vectors.yaml", include_str!("scaffold/table/vectors.yaml.txt")),
];

/// Writes the beginnings of a rule.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  linli plugin new queue-by-age                  # Rust: plugins/queue-by-age, a member of the workspace there\n  \
                        linli plugin new monthly-quota --lang table    # a table: no compiler needed\n  \
                        linli plugin new elders-desk --lang js\n\n\
                        Each builds and passes its own vectors.yaml as it is written; nothing is fetched."
)]
pub(super) struct Args {
    /// Name: a-z, 0-9 and hyphen.
    name: String,
    /// Where plugins lie; for Rust the workspace with the SDK in its directory sdk.
    #[arg(long, default_value = "plugins", value_name = "DIR")]
    plugins: PathBuf,
}

pub(super) fn run(args: &Args, lang: Option<&str>) -> Result<ExitCode> {
    let form = form_of(lang);
    let dir = write(&args.name, form, &args.plugins)?;
    let (plugins, shown) = (args.plugins.display(), dir.display());
    output::say(match form {
        Form::Rust => format!(
            "It refuses who is younger than a setting says. Change src/lib.rs, then:\n  (cd {plugins} && cargo test -p linli-plugin-{})",
            args.name
        ),
        Form::Js => "It refuses who is younger than a setting says. Change rule.js, then:".to_owned(),
        Form::Table => "It says who may come how often. Change quotas.csv in any spreadsheet, then:".to_owned(),
    });
    output::say(format!("  linli plugin test {shown}\n  linli plugin build {shown}"));
    output::data(&shown.to_string())?;
    Ok(ExitCode::SUCCESS)
}

/// How the rule is written: said with the argument for the language of answers, of which none is a language of rules.
fn form_of(lang: Option<&str>) -> Form {
    match lang {
        Some("js") => Form::Js,
        Some("table") => Form::Table,
        _ => Form::Rust,
    }
}

fn write(name: &str, form: Form, plugins: &Path) -> Result<PathBuf> {
    linli_kernel::Slug::new(name).map_err(|e| anyhow::anyhow!("{name:?} is no name of a plugin: {e}"))?;
    ensure!(name.starts_with(|c: char| c.is_ascii_lowercase()), "{name:?}: the name of a plugin begins with a letter");
    let files = match form {
        Form::Rust => RUST,
        Form::Js => JS,
        Form::Table => TABLE,
    };
    let joined = if form == Form::Rust { Some(workspace(name, plugins)?) } else { None };
    let dir = plugins.join(name);
    if dir.exists() {
        bail!("{} is there already", dir.display());
    }
    for (file, template) in files {
        let path = dir.join(file);
        let told = || path.display().to_string();
        fs::create_dir_all(path.parent().unwrap_or(&dir)).with_context(told)?;
        fs::write(&path, fill(template, name)).with_context(told)?;
    }
    if let Some((path, text)) = joined {
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(dir)
}

/// The workspace's manifest with the plugin as a member.
fn workspace(name: &str, plugins: &Path) -> Result<(PathBuf, String)> {
    let path = plugins.join("Cargo.toml");
    let text = fs::read_to_string(&path).with_context(|| {
        format!(
            "{}: no workspace of Rust plugins here; say where it is with --plugins, or take --lang table or js",
            path.display()
        )
    })?;
    let joined = with_member(&text, name).with_context(|| format!("{}: no `members = [...]`", path.display()))?;
    Ok((path, joined))
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
        let dir = write("queue-by-age", Form::Rust, root).expect("a plugin");
        let workspace = fs::read_to_string(root.join("Cargo.toml")).expect("read");
        assert!(workspace.contains("\"haircut\", \"queue-by-age\"]"), "{workspace}");
        let source = fs::read_to_string(dir.join("src/lib.rs")).expect("read");
        assert!(source.contains("struct QueueByAge;") && !source.contains("{Type}"), "{source}");
        assert!(fs::read_to_string(dir.join("Cargo.toml")).expect("read").contains("name = \"queue_by_age\""));
        assert!(write("queue-by-age", Form::Rust, root).is_err(), "a plugin is never overwritten");
        assert!(dir.join("vectors.yaml").is_file());
        assert!(write("Queue", Form::Rust, root).is_err() && write("1st", Form::Rust, root).is_err());
    }

    #[test]
    fn the_tutorials_show_what_is_written() {
        let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/plugins");
        let page = |name: &str| fs::read_to_string(pages.join(name)).expect("a tutorial");
        let written = |files: &[(&str, &str)], wanted: &str, name: &str| {
            let (_, template) = files.iter().find(|(file, _)| *file == wanted).expect("a template");
            let text = fill(template, name);
            text.split("#[cfg(test)]").next().unwrap_or_default().trim_end().to_owned()
        };
        let shown = format!("```rust\n{}\n```", written(RUST, "src/lib.rs", "elders-mending"));
        assert!(page("rust.md").contains(&shown), "docs/plugins/rust.md should show\n{shown}");
        let shown = format!("```js\n{}\n```", written(JS, "rule.js", "elders-desk"));
        assert!(page("javascript.md").contains(&shown), "docs/plugins/javascript.md should show\n{shown}");
    }

    #[test]
    fn the_title_of_a_new_rule_is_chinese_for_chinese_readers() {
        for (file, template) in [RUST, JS, TABLE].concat() {
            let text = fill(template, "queue-by-age");
            let english =
                ["zh-CN: Queue by age", "text(\"Queue by age\""].into_iter().find(|title| text.contains(title));
            assert_eq!(english, None, "{file}");
        }
    }

    #[test]
    fn a_new_table_passes_its_own_cases_and_they_notice_every_change() {
        let temporary = tempfile::tempdir().expect("a directory");
        let dir = write("monthly-quota", Form::Table, temporary.path()).expect("a table");
        let bytes = crate::commands::plugin::form::packed(&dir.join("rule.yaml")).expect("packed");
        let rule = linli_authoring::Rule::load(&bytes).expect("a rule");
        let text = fs::read_to_string(dir.join("vectors.yaml")).expect("cases");
        let cases = linli_authoring::parse("vectors.yaml", &text).expect("cases");
        let cases: Vec<_> = cases
            .into_iter()
            .map(|case| (case.clone(), rule.context("vectors.yaml", &case).expect("settings")))
            .collect();
        for (case, context) in &cases {
            let ran = linli_authoring::ask(&rule, context, case);
            assert!(ran.passed, "{}: {}", case.name, ran.told());
        }
        let tried = linli_authoring::try_mutants(&rule, &cases);
        assert!(tried.mutants > 4 && tried.survivors.is_empty(), "{tried:#?}");
    }
}
