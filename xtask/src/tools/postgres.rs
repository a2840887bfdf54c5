//! PostgreSQL's server binaries: on the path, or where Debian puts them.

use std::path::{Path, PathBuf};

use crate::repo::{Repo, output};
use crate::tools::on_path;

/// Oldest release that the suite supports.
const OLDEST: u32 = 15;

/// What was found, in words.
pub(crate) fn find(repo: &Repo) -> Option<String> {
    let dir = bin_dir(repo)?;
    Some(format!("{} in {}", version_text(repo, &dir)?, dir.display()))
}

/// Directory with `initdb`, `pg_ctl` and `postgres` of a release that is new enough.
pub(crate) fn bin_dir(repo: &Repo) -> Option<PathBuf> {
    let on_path = on_path("initdb").into_iter();
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|entry| entry.path().join("bin")).collect())
        .unwrap_or_default();
    debian.sort();
    on_path
        .chain(debian)
        .find(|dir| dir.join("pg_ctl").is_file() && version(repo, dir).is_some_and(|version| version >= OLDEST))
}

fn version_text(repo: &Repo, dir: &Path) -> Option<String> {
    output(repo.command(dir.join("initdb")).arg("--version"))
}

/// Major version: 15 of `initdb (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)`.
fn version(repo: &Repo, dir: &Path) -> Option<u32> {
    major(&version_text(repo, dir)?)
}

fn major(text: &str) -> Option<u32> {
    let number = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_major_version_is_read() {
        assert_eq!(super::major("initdb (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)"), Some(15));
        assert_eq!(super::major("initdb (PostgreSQL) 18beta1"), Some(18));
    }
}
