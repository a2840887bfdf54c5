//! Documents that mean harm, and documents damaged at random: a typed refusal, in bounded time.

use linli_rules_engine::table::{Table, TableCode};

use crate::support::*;

fn refused(bytes: &[u8]) -> TableCode {
    Table::parse(bytes).expect_err("it was accepted")[0].code
}

#[test]
fn anchors_aliases_and_tags_are_refused() {
    let laughs = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n";
    assert_eq!(refused(laughs.as_bytes()), TableCode::Malformed);
    assert_eq!(refused(b"linli: *a\n"), TableCode::Malformed);
    assert_eq!(refused(b"linli: !!binary aGk=\n"), TableCode::Malformed);
}

#[test]
fn deep_nesting_is_refused() {
    for open in ["[", "{a: ", "- ", "? ", "("] {
        let bytes = open.repeat(60_000 / open.len());
        assert!(Table::parse(bytes.as_bytes()).is_err(), "{open}");
    }
    let parentheses = when(&"(".repeat(60_000));
    assert_eq!(refused(parentheses.as_bytes()), TableCode::TooCostly);
}

#[test]
fn what_is_no_text_is_refused() {
    assert_eq!(refused(b""), TableCode::Missing);
    assert_eq!(refused(b"\xff\xfe"), TableCode::Malformed);
    assert_eq!(refused(b"linli: table/1\0"), TableCode::Malformed);
    assert_eq!(refused(&vec![b' '; 70_000]), TableCode::TooLarge);
    assert_eq!(refused(b"a: 1\n---\nb: 2\n"), TableCode::Malformed);
    assert!(!Table::looks_like(b"\0asm\x0d\0\x01\0"));
    assert!(Table::looks_like(HAIRCUT.as_bytes()));
}

#[test]
fn damaged_documents_never_panic() {
    let mut state = 0x9e37_79b9_u32;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as usize
    };
    let noise = b"[]{}()-:,|>&*!#'\"=<.%\n 0a\\\xe5";
    for text in ALL {
        for _ in 0..150 {
            let mut bytes = text.as_bytes().to_vec();
            for _ in 0..1 + next() % 4 {
                let at = next() % bytes.len();
                match next() % 3 {
                    0 => bytes[at] = noise[next() % noise.len()],
                    1 => bytes.insert(at, noise[next() % noise.len()]),
                    _ => drop(bytes.drain(at..(at + next() % 9).min(bytes.len()))),
                }
            }
            let _either = Table::parse(&bytes);
        }
    }
}
