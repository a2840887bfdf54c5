//! Any question, and any bytes as the answer: what passes keeps the contract, whatever the guest wrote.

#![no_main]

use libfuzzer_sys::fuzz_target;
use linli_fuzz::{Chance, engine, parrot};
use linli_rules_engine::types::{Context, Setting, SettingValue};
use linli_rules_engine::{Hook, Outcome, Question};

fuzz_target!(|bytes: &[u8]| {
    let mut chance = Chance(bytes);
    let hook = Hook::ALL[usize::from(chance.byte()) % Hook::ALL.len()];
    let question = chance.question(hook);
    let words = chance.0.chunks_exact(4).map(|word| i32::from_le_bytes([word[0], word[1], word[2], word[3]]));
    // A short answer ends in zeros, not outside of what was allocated.
    let told: Vec<i32> = words.chain([0; 16]).collect();
    let settings = vec![Setting { key: "answer".to_owned(), value: SettingValue::Numbers(told) }];
    let ctx = Context { settings, ..Context::default() };
    let plugin = parrot(hook);
    let ask = || engine().evaluate(&plugin, &ctx, &question);
    let came = ask();
    assert_eq!(came, ask(), "the same question has one answer");
    let Ok(evaluated) = came else { return };
    assert!(evaluated.fuel_used <= evaluated.fuel_budget);
    let declared = evaluated.value.reasons().iter().all(|why| why.code == "t" && why.args.len() <= 8);
    assert!(declared, "a reason that nobody declared");
    match (&question, &evaluated.value) {
        (Question::Eligibility(_), Outcome::Eligibility(_)) => {}
        (Question::Price(asked), Outcome::Price(terms)) => assert_eq!(terms.price.asset, asked.base.asset),
        (Question::Priority(asked), Outcome::Priority(scores)) => assert_eq!(scores.len(), asked.queue.len()),
        (Question::Award(asked), Outcome::Award(awards)) => {
            let lawful = |asset: &str| asked.caps.iter().any(|cap| cap.asset == asset);
            for award in awards {
                assert!(award.to == asked.actor.handle && award.amount.value > 0 && lawful(&award.amount.asset));
            }
        }
        (Question::Track(asked), Outcome::Track(choice)) => assert!(asked.tracks.contains(&choice.track)),
        (Question::Thresholds(_), Outcome::Thresholds(tightened)) => {
            let shares = [tightened.thresholds.quorum, tightened.thresholds.pass];
            assert!(shares.into_iter().flatten().all(|share| share.numerator <= share.denominator));
        }
        _ => panic!("an answer of another hook"),
    }
});
