//! The validation child alone, for tests of this crate; what ships is the same code behind the one binary.
//! Never: shipped.

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(linli_rules::validate::ARGUMENT) {
        return linli_rules::validate::child_main();
    }
    ExitCode::FAILURE
}
