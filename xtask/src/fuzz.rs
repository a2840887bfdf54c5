//! `cargo xtask fuzz`: the fuzz targets of `fuzz/`, on the stable toolchain.
//! Never: sanitizers; what is looked for are panics and broken promises, and the coverage counters are all that it needs.

use anyhow::{Context as _, Result};

use crate::repo::{Repo, run};

/// The targets, with directories of examples to begin with.
const TARGETS: [(&str, &[&str]); 2] = [("upload", &["services/rules/engine/tests/tables"]), ("boundary", &[])];

/// What cargo-fuzz passes without a sanitizer: code that counts where it was.
const FLAGS: [&str; 6] = [
    "--cfg fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// The largest input: a small plugin.
const MAX_BYTES: u32 = 16 << 10;

/// Builds the targets and runs each for so many seconds.
pub(crate) fn fuzz(repo: &Repo, seconds: u32) -> Result<()> {
    let host = host(repo)?;
    let dir = repo.root().join("fuzz");
    let target = dir.join("target");
    // With a target named, build scripts and macros go without the counters, which only the fuzzer itself can count.
    let mut build = repo.command("cargo");
    build.args(["build", "--release", "--locked", "--bins", "--target", &host]).current_dir(&dir);
    run(build.env("CARGO_TARGET_DIR", &target).env("RUSTFLAGS", FLAGS.join(" ")))?;
    for (name, seeds) in TARGETS {
        let (corpus, artefacts) = (dir.join("corpus").join(name), dir.join("artifacts").join(name));
        for made in [&corpus, &artefacts] {
            std::fs::create_dir_all(made).with_context(|| format!("create {}", made.display()))?;
        }
        let mut fuzzer = repo.command(target.join(&host).join("release").join(name));
        fuzzer.arg(corpus).args(seeds.iter().map(|seeds| repo.root().join(seeds)));
        fuzzer.args([format!("-max_total_time={seconds}"), format!("-max_len={MAX_BYTES}"), "-timeout=20".to_owned()]);
        fuzzer.args(["-verbosity=0", "-print_final_stats=1"]);
        run(fuzzer.arg(format!("-artifact_prefix={}/", artefacts.display())))?;
    }
    Ok(())
}

/// The platform of this machine, as rustc names it.
fn host(repo: &Repo) -> Result<String> {
    let about = crate::repo::output(repo.command("rustc").arg("-vV")).context("ask rustc for its platform")?;
    let line = about.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(line.context("rustc names its platform")?.to_owned())
}
