//! `cargo xtask ci` and `lint`: what must hold before a change is merged.
//!
//! One target directory and one profile: clippy is the only build beside the one that demo and tests share.

use anyhow::{Context as _, Result};

use crate::fuzz;
use crate::manifests;
use crate::parts::Parts;
use crate::repo::{Repo, run};
use crate::tools::{self, Tool};

/// How long CI runs each fuzz target; by hand it may be hours.
const FUZZ_SECONDS: u32 = 45;

/// Everything: `lint`, then README's two commands, verbatim.
pub(crate) fn ci(repo: &Repo) -> Result<()> {
    let mut parts = Parts::new();
    if !parts.run("tools", || tools::need(repo, &Tool::ALL)) {
        return parts.finish();
    }
    checks(repo, &mut parts);
    parts.run("fuzz", || fuzz::fuzz(repo, FUZZ_SECONDS));
    parts.run("README: demo", || repo.run("tests/readme.sh", &["demo"]));
    parts.run("README: test", || repo.run("tests/readme.sh", &["test"]));
    parts.finish()
}

/// The checks that run no test.
pub(crate) fn lint(repo: &Repo) -> Result<()> {
    let mut parts = Parts::new();
    if parts.run("tools", || tools::need(repo, &[Tool::Buf, Tool::Kubectl, Tool::KubernetesValidate])) {
        checks(repo, &mut parts);
    }
    parts.finish()
}

fn checks(repo: &Repo, parts: &mut Parts) {
    parts.run("format", || in_both(repo, &["fmt", "--all", "--check"]));
    parts.run("contract: buf lint", || repo.run("buf", &["lint"]));
    parts.run("contract: buf breaking", || breaking(repo));
    parts.run("manifests", || manifests::check(repo));
    parts.run("clippy", || {
        in_both(repo, &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])
    });
}

/// Runs cargo in the workspace and in that of the plugins.
fn in_both(repo: &Repo, args: &[&str]) -> Result<()> {
    repo.run("cargo", args)?;
    run(repo.command("cargo").args(args).current_dir(repo.root().join("plugins")))
}

/// Compares the contract with the image of the last release: `proto/releases/v1.2.3.binpb`. Before the first there is none.
fn breaking(repo: &Repo) -> Result<()> {
    let releases = repo.root().join("proto/releases");
    let Ok(entries) = std::fs::read_dir(&releases) else { return Ok(()) };
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let images = names.filter(|name| name.ends_with(".binpb"));
    let Some(last) = images.max_by_key(|name| version(name)) else { return Ok(()) };
    let image = releases.join(last);
    repo.run("buf", &["breaking", "--against", image.to_str().context("the path is UTF-8")?])
}

/// The numbers of a file name, so that v0.10.0 comes after v0.9.0.
fn version(name: &str) -> Vec<u64> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_last_release_is_the_highest_version() {
        let names = ["v0.9.0.binpb", "v0.10.0.binpb", "v0.2.11.binpb"];
        assert_eq!(names.into_iter().max_by_key(|name| super::version(name)), Some("v0.10.0.binpb"));
    }
}
