//! What README promises a newcomer, and what the scripts of CI may rely on.

use crate::repo::{holds, text, tracked};

/// The two commands, as they stand in README.
const COMMANDS: [&str; 2] = ["cargo xtask demo", "cargo xtask test"];

/// Absolute paths that exist on every machine.
const EVERYWHERE: [&str; 2] = ["/dev/null", "/usr/bin/env"];

#[test]
fn readme_has_its_two_commands_verbatim() {
    let readme = text("README.md");
    let block = readme.split("<!-- commands -->").nth(1).expect("README marks its commands");
    let block = block.split("```").nth(1).expect("a code block follows the mark");
    let lines: Vec<&str> = block.lines().skip(1).filter(|line| !line.trim().is_empty()).collect();
    assert_eq!(lines, COMMANDS);
}

#[test]
fn scripts_name_no_path_outside_the_repository() {
    let scripts = tracked().into_iter().filter(|path| {
        path.starts_with(".ci/") || (path.starts_with("tests/") && (path.ends_with(".sh") || path.ends_with(".py")))
    });
    let mut found = Vec::new();
    for script in scripts {
        for (number, line) in text(&script).lines().enumerate() {
            for path in outside(line) {
                found.push(format!("{script}:{}: {path}", number + 1));
            }
        }
    }
    holds(found);
}

/// Absolute paths and paths of a home directory in a line.
fn outside(line: &str) -> Vec<&str> {
    let ends = |c: char| c.is_whitespace() || "\"'`=();<>|&#!,:[]{}".contains(c);
    let words = line.split(ends).filter(|word| {
        let absolute = word.starts_with('/') && word.len() > 1 && word.as_bytes()[1].is_ascii_alphanumeric();
        (absolute || word.starts_with("~/") || word.contains("$HOME")) && !is_method(word)
    });
    words.filter(|word| !EVERYWHERE.contains(word)).collect()
}

/// `/linli.booking.v1.BookingService/GetSlot` is the path of a method, not of a file.
fn is_method(word: &str) -> bool {
    word.starts_with("/linli.") || word.starts_with("/grpc.")
}

#[test]
fn a_path_of_one_machine_is_noticed() {
    assert_eq!(outside("cd /opt/build && exec < /dev/null"), ["/opt/build"]);
    assert_eq!(outside("cp x ~/bin; dir/sub/file"), ["~/bin"]);
}
