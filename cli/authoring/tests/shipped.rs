//! The rules in plugins/ against their own cases. Never: a rule of its own.
//! Rust rules come from plugins/target/components (`cargo xtask plugins`); a script only where Node.js has built it.

use std::fs;
use std::path::{Path, PathBuf};

use linli_authoring::{Rule, ask, parse, try_mutants};

fn plugins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins")
}

/// The bytes of a rule; none for a script that could not be built here.
fn bytes(dir: &Path, name: &str) -> Option<Vec<u8>> {
    if let Ok(table) = fs::read(dir.join("rule.yaml")) {
        return Some(table);
    }
    let component = plugins().join(format!("target/components/{name}.wasm"));
    match fs::read(&component) {
        Ok(bytes) => Some(bytes),
        Err(_) if dir.join("package.json").is_file() => None,
        Err(error) => panic!("{}: {error}; build it with `cargo xtask plugins`", component.display()),
    }
}

#[test]
fn every_shipped_rule_does_what_its_cases_claim_and_no_moved_threshold_goes_unnoticed() {
    let (mut wrong, mut tried) = (Vec::new(), 0);
    for entry in fs::read_dir(plugins()).expect("plugins") {
        let dir = entry.expect("an entry").path();
        let vectors = dir.join("vectors.yaml");
        let Ok(text) = fs::read_to_string(&vectors) else { continue };
        let name = dir.file_name().expect("a name").to_string_lossy().into_owned();
        let Some(bytes) = bytes(&dir, &name) else { continue };
        let rule = Rule::load(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let cases = parse(&name, &text).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
        let cases: Vec<_> = cases
            .into_iter()
            .map(|case| {
                let context = rule.context(&name, &case).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
                (case, context)
            })
            .collect();
        let forgotten = linli_authoring::forgotten(&rule);
        assert!(forgotten.is_empty(), "{name} declines for want of a fact that it does not declare: {forgotten:?}");
        for (case, context) in &cases {
            let undeclared = linli_authoring::undeclared(&rule, case);
            wrong.extend(undeclared.iter().map(|given| format!("{name}: {}: gives {}", case.name, given.path)));
            let ran = ask(&rule, context, case);
            if !ran.passed {
                wrong.push(format!("{name}: {}: got {}", case.name, ran.told()));
            }
        }
        let unnoticed = try_mutants(&rule, &cases).survivors;
        wrong.extend(unnoticed.iter().map(|survivor| format!("{name}: unnoticed: {}", survivor.what)));
        tried += 1;
    }
    assert!(tried >= 8, "only {tried} rules were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
