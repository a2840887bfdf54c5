//! Where things are, and how commands are started there.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// The repository on this machine.
pub(crate) struct Repo {
    root: PathBuf,
    target: PathBuf,
}

impl Repo {
    /// The repository of which this binary was built.
    pub(crate) fn find() -> Result<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.parent().context("xtask lies below the root")?.to_owned();
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
        Ok(Self { root, target })
    }

    /// Root of the repository.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where everything goes that is made and not committed.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Where tools go that xtask installs.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// A command that runs at the root, finds xtask's tools, and reads nothing from the terminal.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).env("PATH", self.path()).stdin(Stdio::null());
        // What `cargo run` set for xtask would reach build scripts of an inner cargo and make them run again.
        for (name, _) in std::env::vars_os() {
            if is_of_outer_cargo(&name) {
                command.env_remove(name);
            }
        }
        command
    }

    fn path(&self) -> OsString {
        let tools = [self.tools().join("python/bin"), self.tools().join("cargo/bin")];
        let path = std::env::var_os("PATH").unwrap_or_default();
        let all = tools.into_iter().chain(std::env::split_paths(&path));
        std::env::join_paths(all).unwrap_or(path)
    }

    /// Runs a command, with its words said first; fails when it does.
    pub(crate) fn run(&self, program: &str, args: &[&str]) -> Result<()> {
        let mut command = self.command(program);
        command.args(args);
        run(&mut command)
    }
}

fn is_of_outer_cargo(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let prefixes = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
    prefixes.iter().any(|prefix| name.starts_with(prefix)) || name == "CARGO_PRIMARY_PACKAGE" || name == "OUT_DIR"
}

/// Says what a command is, runs it, and fails when it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    say(&format!("$ {}", words(command)));
    let status = command.status().with_context(|| format!("start {}", command.get_program().display()))?;
    if !status.success() {
        bail!("`{}` failed ({status})", words(command));
    }
    Ok(())
}

/// The output of a command that exists and succeeds.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Tells the person at the terminal. Talk goes to stderr.
pub(crate) fn say(text: &str) {
    eprintln!("xtask: {text}");
}

fn words(command: &Command) -> String {
    let all = std::iter::once(command.get_program()).chain(command.get_args());
    all.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
