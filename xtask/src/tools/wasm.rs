//! A Rust compiler for wasm32-unknown-unknown: rustup's target, or Debian's compiler with its library's source.
//! Which of them builds is decided by `linli plugin build`; this file only sees to it that there is one.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::repo::{Repo, output};
use crate::tools::{apt, on_path};

const TARGET: &str = "wasm32-unknown-unknown";
const PACKAGES: [&str; 4] = ["rustc-web", "rust-web-src", "libstd-rust-web-dev", "lld-19"];

/// What was found, in words.
pub(crate) fn find(repo: &Repo) -> Option<String> {
    let compilers: Vec<PathBuf> = [Some(PathBuf::from("rustc")), debian_rustc(repo)].into_iter().flatten().collect();
    let sysroots: Vec<PathBuf> = compilers.iter().filter_map(|rustc| sysroot(repo, rustc)).collect();
    if sysroots.iter().any(|root| has_target(root)) {
        return Some(format!("rustc with {TARGET}"));
    }
    let source = sysroots.iter().any(|root| root.join("lib/rustlib/src/rust/library/std/Cargo.toml").is_file());
    (source && has_linker(&sysroots)).then(|| "rustc with its library from source".to_owned())
}

/// Adds the target with rustup, else Debian's packages.
pub(crate) fn install(repo: &Repo) -> Result<()> {
    if on_path("rustup").is_some() && repo.run("rustup", &["target", "add", TARGET]).is_ok() {
        return Ok(());
    }
    apt::install(repo, &PACKAGES)
}

fn sysroot(repo: &Repo, rustc: &Path) -> Option<PathBuf> {
    output(repo.command(rustc).args(["--print", "sysroot"])).map(PathBuf::from)
}

fn debian_rustc(repo: &Repo) -> Option<PathBuf> {
    let listing = output(repo.command("dpkg").args(["-L", "rustc-web"]))?;
    listing.lines().find(|line| line.ends_with("/bin/rustc")).map(PathBuf::from)
}

fn has_target(sysroot: &Path) -> bool {
    let library = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    std::fs::read_dir(library)
        .is_ok_and(|entries| entries.flatten().any(|e| e.file_name().to_string_lossy().starts_with("libstd-")))
}

fn has_linker(sysroots: &[PathBuf]) -> bool {
    let mut names = (15..=30).map(|version| format!("wasm-ld-{version}")).chain(["wasm-ld".to_owned()]);
    names.any(|name| on_path(&name).is_some())
        || sysroots.iter().any(|root| {
            let hosts = std::fs::read_dir(root.join("lib/rustlib"));
            hosts.is_ok_and(|hosts| hosts.flatten().any(|host| host.path().join("bin/rust-lld").is_file()))
        })
}
