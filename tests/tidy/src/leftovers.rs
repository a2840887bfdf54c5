//! What must not stay behind in sources: long files and notes to oneself.

use crate::repo::{has_word, holds, text, tracked_with};

const LINES_MAX: usize = 500;

#[test]
fn no_rust_file_is_longer_than_500_lines() {
    let files = tracked_with(&[".rs"]).into_iter().map(|file| (text(&file).lines().count(), file));
    holds(files.filter(|(n, _)| *n > LINES_MAX).map(|(n, file)| format!("{file}: {n} lines")).collect());
}

#[test]
fn no_source_holds_a_note_to_oneself() {
    // Spelt in two parts, because this file is a source too.
    let notes = [concat!("FIX", "ME"), concat!("XX", "X"), concat!("TO", "DO")];
    let calls = [concat!("todo", "!"), concat!("unimplemented", "!"), concat!("dbg", "!")];
    let mut found = Vec::new();
    for file in tracked_with(&[".rs", ".proto", ".py", ".sh", ".ftl", ".wit", ".yaml", ".toml"]) {
        for (number, line) in text(&file).lines().enumerate() {
            let words = notes.iter().chain(calls.iter().filter(|_| file.ends_with(".rs")));
            for note in words.filter(|note| has_word(line, note)) {
                found.push(format!("{file}:{}: {note}", number + 1));
            }
        }
    }
    holds(found);
}

#[test]
fn a_test_that_is_switched_off_says_why() {
    let mut found = Vec::new();
    for file in tracked_with(&[".rs"]) {
        for (number, line) in text(&file).lines().enumerate() {
            if line.trim_start().starts_with(concat!("#[", "ignore]")) {
                found.push(format!("{file}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    holds(found);
}
