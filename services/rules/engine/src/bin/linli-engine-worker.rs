//! The validation child alone, for this crate's own tests; what ships is the same code behind the one binary.
//! Never: shipped.

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some(linli_rules_engine::validate::ARGUMENT) => linli_rules_engine::validate::child_main(),
        Some("probe") => probe(),
        _ => ExitCode::FAILURE,
    }
}

/// Prints what a confined child still can do.
#[expect(clippy::print_stdout, reason = "the test that started it reads this")]
fn probe() -> ExitCode {
    let Ok(attempts) = linli_rules_engine::validate::probe() else { return ExitCode::FAILURE };
    for (what, errno) in attempts {
        println!("{what} {}", errno.map_or_else(|| "worked".to_owned(), |errno| errno.to_string()));
    }
    ExitCode::SUCCESS
}
