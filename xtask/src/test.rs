//! `cargo xtask test`: every test, on SQLite and on a throw-away PostgreSQL.

use anyhow::{Context as _, Result};

use crate::cluster::Cluster;
use crate::demo;
use crate::parts::Parts;
use crate::repo::{Repo, run};
use crate::story;
use crate::tools::{self, Tool};

/// Runs the workspace's tests, doc tests, the guests' own tests and what clients that are not ours do.
pub(crate) fn test(repo: &Repo, args: &[String]) -> Result<()> {
    let mut parts = Parts::new();
    let wanted = [Tool::Wasm, Tool::Postgres, Tool::Nextest, Tool::Kubectl, Tool::Buf, Tool::PythonGrpc];
    let ready =
        parts.run("tools", || tools::need(repo, &wanted)) && parts.run("profiles and plugins", || demo::prepare(repo));
    if !ready {
        return parts.finish();
    }
    parts.run("tests", || workspace(repo, args));
    parts.run("doc tests", || repo.run("cargo", &["test", "--quiet", "--workspace", "--doc"]));
    parts.run("plugins' own tests", || {
        run(repo.command("cargo").args(["test", "--quiet", "--workspace"]).current_dir(repo.root().join("plugins")))
    });
    parts.run("clients that are not ours", || {
        demo::build(repo)?;
        story::play(repo)
    });
    parts.finish()
}

fn workspace(repo: &Repo, args: &[String]) -> Result<()> {
    let cluster = Cluster::start(repo).context("start a throw-away PostgreSQL")?;
    let mut nextest = repo.command("cargo");
    nextest.args(["nextest", "run", "--workspace", "--no-fail-fast"]).args(args);
    nextest.env("LINLI_TEST_PG_URL", cluster.url()).env("LINLI_TEST_PG_BIN", cluster.bin());
    run(&mut nextest)
}
