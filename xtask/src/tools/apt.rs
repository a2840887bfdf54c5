//! Packages of Debian and its kin.

use anyhow::{Result, bail};

use crate::repo::{Repo, output, run};
use crate::tools::on_path;

/// Whether this process may install packages.
pub(crate) fn is_root(repo: &Repo) -> bool {
    output(repo.command("id").arg("-u")).as_deref() == Some("0")
}

/// Installs packages by name. Only root can; anybody else is told what to type.
pub(crate) fn install(repo: &Repo, packages: &[&str]) -> Result<()> {
    if on_path("apt-get").is_none() {
        bail!("there is no apt-get here; install {} with the package manager of this system", packages.join(" "));
    }
    if !is_root(repo) {
        bail!("only root can: sudo apt-get install {}", packages.join(" "));
    }
    let apt = |args: &[&str]| run(repo.command("apt-get").args(args).env("DEBIAN_FRONTEND", "noninteractive"));
    apt(&["update", "-q"])?;
    apt(&[&["install", "-q", "-y", "--no-install-recommends"], packages].concat())
}
