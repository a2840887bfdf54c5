//! Builds a JavaScript rule: the package's own `npm run build` bundles it and freezes it together with QuickJS.
//! Never: runs an install script of a package, or looks at the rule.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::form;
use crate::plugin_build::{self, Built};

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

/// Builds the package in `dir` into `out`.
pub(super) fn build(dir: &Path, out: &Path) -> Result<Built> {
    ready(dir)?;
    npm(dir, &["run", "--silent", "build"])?;
    let told = || format!("{}: `npm run build` left no {COMPONENT}", dir.display());
    let bytes = std::fs::read(dir.join(COMPONENT)).with_context(told)?;
    plugin_build::keep(&form::name_of(dir)?, "wasm", &bytes, out, "QuickJS, by componentize-qjs".to_owned())
}

fn npm(dir: &Path, args: &[&str]) -> Result<()> {
    // What npm says of its progress is no output of ours.
    let output = Command::new("npm").args(args).current_dir(dir).output();
    let output = output.context("start npm: are Node.js 20 or later and npm installed and on the path?")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: npm {} failed; {}\n{said}", dir.display(), args.join(" "), output.status);
    Ok(())
}
