//! Any bytes as an upload: walked, read as a table, compiled, described, asked. Nothing of it may panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use linli_fuzz::{Chance, engine, prepare};
use linli_rules_engine::types::Context;

fuzz_target!(init: prepare(), |bytes: &[u8]| {
    let Ok(plugin) = engine().load(bytes) else { return };
    let _problems = engine().check_settings(&plugin, &[]);
    for hook in plugin.hooks() {
        let question = Chance(bytes).question(hook);
        let ask = || engine().evaluate(&plugin, &Context::default(), &question);
        assert_eq!(ask(), ask(), "the same question has one answer");
    }
});
