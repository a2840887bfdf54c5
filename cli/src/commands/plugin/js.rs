//! Builds a JavaScript rule: the package's own `npm run build` bundles it and freezes it together with QuickJS.
//! Never: runs an install script of a package, or looks at the rule.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::form;
use crate::plugin_build::{self, Built};

/// What builds a script.
const TOOLCHAIN: &str = "QuickJS, by componentize-qjs";
/// Where a package's build leaves its component.
const COMPONENT: &str = "dist/rule.wasm";

/// Has the tools at hand that build the rule in `dir`: the SDK's packages, fetched by the first build.
pub(super) fn ready(dir: &Path) -> Result<()> {
    let dir = dir.canonicalize().with_context(|| dir.display().to_string())?;
    let sdk = dir.parent().unwrap_or(&dir).join("sdk-js");
    ensure!(sdk.is_dir(), "{}: a JavaScript rule lies beside the SDK, plugins/sdk-js", dir.display());
    // Written by npm when it has come to its end.
    if sdk.join("node_modules/.package-lock.json").is_file() {
        return Ok(());
    }
    npm(&sdk, &["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
}

/// Builds the package in `dir` into `out`; what is newer there than all that it is made of is kept, since the same source
/// would give other bytes, and what was tested and signed would not be what is uploaded.
pub(super) fn build(dir: &Path, out: &Path) -> Result<Built> {
    let name = form::name_of(dir)?;
    let built = out.join(format!("{name}.wasm"));
    if is_newer(&built, dir).unwrap_or(false) {
        let bytes = std::fs::read(&built).with_context(|| built.display().to_string())?;
        return plugin_build::keep(&name, "wasm", &bytes, out, TOOLCHAIN.to_owned());
    }
    ready(dir)?;
    npm(dir, &["run", "--silent", "build"])?;
    let told = || format!("{}: `npm run build` left no {COMPONENT}", dir.display());
    let bytes = std::fs::read(dir.join(COMPONENT)).with_context(told)?;
    plugin_build::keep(&name, "wasm", &bytes, out, TOOLCHAIN.to_owned())
}

/// Whether a file is newer than the sources in a rule's directory, the SDK and the contract.
fn is_newer(built: &Path, dir: &Path) -> Option<bool> {
    let changed = |path: &Path| std::fs::metadata(path).and_then(|about| about.modified()).ok();
    let since = changed(built)?;
    let plugins = dir.canonicalize().ok()?.parent()?.to_owned();
    let files = [dir.to_owned(), plugins.join("sdk-js"), plugins.join("wit")];
    let files = files.iter().filter_map(|dir| std::fs::read_dir(dir).ok()).flatten().flatten();
    let mut sources = files.map(|entry| entry.path()).filter(|path| is_source(path));
    Some(sources.all(|path| changed(&path).is_some_and(|at| at < since)))
}

/// Directories of a rule's own count too: something was put into them or taken out.
fn is_source(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let source = ["js", "mjs", "ts", "json", "wit"].iter().any(|end| path.extension().is_some_and(|it| it == *end));
    source || (path.is_dir() && name != "dist" && name != "node_modules")
}

fn npm(dir: &Path, args: &[&str]) -> Result<()> {
    // What npm says of its progress is no output of ours.
    let output = Command::new("npm").args(args).current_dir(dir).output();
    let output = output.context("start npm: are Node.js 20 or later and npm installed and on the path?")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: npm {} failed; {}\n{said}", dir.display(), args.join(" "), output.status);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn what_was_built_is_kept_until_a_source_is_newer() {
        let plugins = tempfile::tempdir().expect("a directory");
        let dir = plugins.path().join("rule");
        fs::create_dir(&dir).expect("a directory");
        let (source, cases, built) = (dir.join("rule.js"), dir.join("vectors.yaml"), plugins.path().join("rule.wasm"));
        for file in [&source, &cases, &built] {
            fs::write(file, "x").expect("a file");
        }
        let touch = |file: &Path, secs: u64| {
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
            fs::File::options().write(true).open(file).and_then(|file| file.set_modified(at)).expect("a time");
        };
        for (file, secs) in [(&source, 10), (&built, 20), (&cases, 30)] {
            touch(file, secs);
        }
        assert_eq!(is_newer(&built, &dir), Some(true), "cases are no source");
        touch(&source, 20);
        assert_eq!(is_newer(&built, &dir), Some(false));
        assert_eq!(is_newer(&plugins.path().join("none.wasm"), &dir), None);
    }
}
