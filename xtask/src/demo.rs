//! Tasks that build something and run it: `demo`, `plugins`, `bench`, `matrix`.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::generate;
use crate::repo::{Repo, output, run, say};
use crate::tools::{self, Tool};

/// Argument of `bench`: the profile of demo and tests, to see that it works.
const DEV: &str = "--dev";

/// Starts the suite and plays a day in each community.
pub(crate) fn demo(repo: &Repo, args: &[String]) -> Result<()> {
    prepare(repo)?;
    build(repo)?;
    run(linli(repo).arg("demo").args(args))
}

/// What demo and tests both need beforehand: the profiles' people and the plugins.
pub(crate) fn prepare(repo: &Repo) -> Result<()> {
    say("inventing the people of the profiles (profiles/*/generated)");
    generate::run(repo.root())?;
    plugins(repo)
}

/// Builds every rule plugin to a component.
pub(crate) fn plugins(repo: &Repo) -> Result<()> {
    tools::need(repo, &[Tool::Wasm])?;
    build(repo)?;
    say("building the rule plugins (plugins/target/components)");
    run(linli(repo).args(["plugin", "build", "--all"]))
}

/// Builds the binary, with the features that the whole workspace asks for: `-p linli` would choose others, and the
/// tests would compile everything a second time.
pub(crate) fn build(repo: &Repo) -> Result<()> {
    repo.run("cargo", &["build", "--workspace", "--bin", "linli"])
}

/// The binary that [`build`] made.
pub(crate) fn linli(repo: &Repo) -> Command {
    repo.command(repo.target().join("debug/linli"))
}

/// Runs the load tests, optimised unless told `--dev`, whose figures say nothing. The first build takes minutes.
pub(crate) fn bench(repo: &Repo, args: &[String]) -> Result<()> {
    tools::need(repo, &[Tool::Postgres])?;
    prepare(repo)?;
    let dev = args.iter().any(|arg| arg == DEV);
    let args = args.iter().filter(|arg| *arg != DEV);
    if args.clone().any(|arg| arg == "extism") {
        anyhow::ensure!(args.count() == 1, "extism is measured by itself: cargo xtask bench extism");
        return extism(repo);
    }
    let (profile, dir) = if dev { ("dev", "debug") } else { ("bench", "release") };
    repo.run("cargo", &["build", "--profile", profile, "-p", "linli-load", "-p", "linli", "-p", "linli-rules"])?;
    if args.clone().all(|arg| arg.starts_with('-')) || args.clone().any(|arg| arg == "plugins") {
        let advisory = args.clone().any(|arg| arg == "--advisory").then_some("--advisory");
        for name in ["evaluate", "many"] {
            let bench = ["bench", "--profile", profile, "-p", "linli-rules-engine", "--bench", name, "--"];
            repo.run("cargo", &bench.into_iter().chain(advisory).collect::<Vec<_>>())?;
        }
    }
    let mut load = repo.command(repo.target().join(dir).join("linli-load"));
    if let Some(bin) = tools::postgres_bin_dir(repo) {
        load.env("LINLI_TEST_PG_BIN", bin);
    }
    run(load.args(args))
}

/// The same rule under Extism. It brings a wasmtime of its own, so that the first build takes minutes more.
fn extism(repo: &Repo) -> Result<()> {
    let dir = repo.root().join("tests/extism");
    let guest = output(linli(repo).args(["plugin", "build", "--core"]).arg(dir.join("guest")))
        .context("the guest does not build")?;
    let mut cargo = repo.command("cargo");
    run(cargo.args(["run", "--release", "--quiet", "--", guest.trim()]).current_dir(dir))
}

/// Writes docs/permissions.md. The test that compares it knows the contract and the matrix; told to, it writes.
pub(crate) fn matrix(repo: &Repo) -> Result<()> {
    say("writing docs/permissions.md");
    let mut test = repo.command("cargo");
    test.args(["test", "--quiet", "-p", "linli-tidy", "the_page_about_permissions_is_up_to_date"]);
    run(test.env("LINLI_WRITE", "1"))
}
