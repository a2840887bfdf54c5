//! Tools that come as Python packages: taken from the machine when they are there, else from a venv in target/tools.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::repo::{Repo, output, run, say};
use crate::tools::apt;

/// Oldest minor release of kubectl 1.x whose Kustomize renders our manifests.
const KUBECTL_MINOR: u32 = 30;

/// Installs packages into the venv, which is made first when there is none.
pub(crate) fn install(repo: &Repo, packages: &[&str]) -> Result<()> {
    let python = venv_python(repo);
    if output(repo.command(&python).args(["-m", "pip", "--version"])).is_none() {
        make_venv(repo)?;
    }
    run(repo.command(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages))
}

fn venv_python(repo: &Repo) -> PathBuf {
    repo.tools().join("python/bin/python3")
}

fn make_venv(repo: &Repo) -> Result<()> {
    let venv = repo.tools().join("python");
    let make = || run(repo.command("python3").args(["-m", "venv", "--clear"]).arg(&venv));
    if make().is_ok() {
        return Ok(());
    }
    say("this Python cannot make a venv");
    apt::install(repo, &["python3-venv"])
        .context("install python3 with its venv module: apt-get install python3-venv")?;
    make()
}

/// A Python that has grpcio and grpcio-reflection.
pub(crate) fn interpreter(repo: &Repo) -> Option<PathBuf> {
    let candidates = [venv_python(repo), PathBuf::from("python3")];
    candidates.into_iter().find(|python| {
        output(repo.command(python).args(["-c", "import grpc, grpc_reflection.v1alpha.reflection_pb2"])).is_some()
    })
}

/// What was found, in words.
pub(crate) fn grpc(repo: &Repo) -> Option<String> {
    let python = interpreter(repo)?;
    let version = output(repo.command(&python).args(["-c", "import grpc; print(grpc.__version__)"]))?;
    Some(format!("grpcio {version}"))
}

/// kubectl on the path, when it is new enough.
pub(crate) fn kubectl(repo: &Repo) -> Option<String> {
    let json = output(repo.command("kubectl").args(["version", "--client", "--output=json"]))?;
    let version: serde_json::Value = serde_json::from_str(&json).ok()?;
    let version = version["clientVersion"]["gitVersion"].as_str()?;
    let minor: u32 = version.split('.').nth(1)?.parse().ok()?;
    (minor >= KUBECTL_MINOR).then(|| format!("kubectl {version}"))
}
