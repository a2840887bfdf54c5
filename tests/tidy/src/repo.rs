//! The repository as the tests see it: its root, its tracked files, its sources without comments.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Root of the repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("tests/tidy lies two levels below the root").to_owned()
}

/// Paths of all tracked files that exist, relative to the root, with forward slashes.
pub(crate) fn tracked() -> Vec<String> {
    let output = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    let output = output.expect("git is installed: the claims are about what is tracked");
    assert!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let listing = String::from_utf8(output.stdout).expect("tracked paths are UTF-8");
    let files = listing.split('\0').filter(|path| !path.is_empty() && root().join(path).is_file());
    files.map(str::to_owned).collect()
}

/// Tracked files with one of the endings.
pub(crate) fn tracked_with(endings: &[&str]) -> Vec<String> {
    tracked().into_iter().filter(|path| endings.iter().any(|ending| path.ends_with(ending))).collect()
}

/// Text of a file of the repository.
pub(crate) fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("read {path}: {e}"))
}

/// Rust source with line comments blanked out, so that lines keep their numbers. Block comments are not used here.
pub(crate) fn code(source: &str) -> String {
    let lines: Vec<&str> = source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    lines.join("\n")
}

/// The part of a source before its unit tests, which stand last in a file.
pub(crate) fn without_tests(source: &str) -> &str {
    source.find("#[cfg(test)]\nmod tests").map_or(source, |end| &source[..end])
}

/// Whether `word` occurs in `line` as a whole identifier.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word)
        .any(|(at, _)| !part(line[..at].chars().next_back()) && !part(line[at + word.len()..].chars().next()))
}

/// Fails with every violation at once.
#[track_caller]
pub(crate) fn holds(violations: Vec<String>) {
    assert!(violations.is_empty(), "{} violation(s):\n  {}", violations.len(), violations.join("\n  "));
}

#[test]
fn a_word_is_found_only_whole() {
    assert!(has_word("use rand::Rng;", "rand"));
    assert!(!has_word("let brand = random();", "rand"));
}
