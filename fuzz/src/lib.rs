//! What both targets share: the engine, and guests that answer whatever they are told.
//! Never: part of the suite; see `cargo xtask fuzz`.

use std::sync::{Arc, OnceLock};

use linli_rules_engine::deliberation::{Share, Thresholds, ThresholdsRequest, Topic, TrackRequest};
use linli_rules_engine::types::{
    Amount, AwardEvent, AwardRequest, EligibilityRequest, Member, PriceRequest, PriorityRequest, Setting, SettingValue,
    Slot, Usage, Waiting,
};
use linli_rules_engine::{Engine, EngineConfig, Hook, Plugin, Question};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The one engine of the process.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        Engine::new(EngineConfig { cached_bytes: 1 << 20, ..EngineConfig::embedded() }).expect("it starts")
    })
}

/// A guest of the hook that answers with the bytes of the first setting, a list of numbers.
pub fn parrot(hook: Hook) -> Arc<Plugin> {
    static PARROTS: OnceLock<Vec<Arc<Plugin>>> = OnceLock::new();
    let all = PARROTS.get_or_init(|| {
        let load = |(hook, world, function)| engine().load(&guest(hook, world, function)).expect("a parrot loads");
        WORLDS.into_iter().map(load).collect()
    });
    let at = WORLDS.iter().position(|(code, ..)| *code == hook.code()).expect("every hook has a world");
    Arc::clone(&all[at])
}

const WORLDS: [(&str, &str, &str); 6] = [
    ("booking-eligibility", "eligibility-rule", "decide"),
    ("booking-price", "price-rule", "quote"),
    ("booking-priority", "priority-rule", "prioritise"),
    ("points-award", "award-rule", "grant"),
    ("deliberation-track", "track-rule", "choose"),
    ("deliberation-thresholds", "thresholds-rule", "tighten"),
];

/// 0: the manifest: every fact, no settings, one reason, "t". The settings of the context: a pointer at 12 of what is
/// asked; the first one's value: a pointer at 12 of it.
fn guest(hook: &str, world: &str, function: &str) -> Vec<u8> {
    let facts = ["age", "standing", "joined", "roles", "tags", "usage", "balances", "answers"];
    let le = |n: usize| u32::try_from(n).expect("small").to_le_bytes().map(|byte| format!("\\{byte:02x}")).concat();
    let (mut texts, mut list) = (String::new(), String::new());
    for fact in facts {
        list += &(le(400 + texts.len()) + &le(fact.len()));
        texts += fact;
    }
    let t = le(80) + &le(1);
    let module = format!(
        r#"(module
          (memory (export "memory") 4)
          (global $next (mut i32) (i32.const 4096))
          (data (i32.const 0) "{t}{t}{t}{t}{facts}{none}{messages}")
          (data (i32.const 80) "t")
          (data (i32.const 88) "{t}{t}{t}")
          (data (i32.const 200) "{list}")
          (data (i32.const 400) "{texts}")
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
            (local $at i32)
            (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
            (global.set $next (i32.add (local.get $at) (local.get 3)))
            (local.get $at))
          (func (export "linli:rules/meta@1.0.0#describe") (result i32) (i32.const 0))
          (func (export "linli:rules/meta@1.0.0#check-settings") (param i32 i32) (result i32) (i32.const 64))
          (func (export "linli:rules/{hook}@1.0.0#{function}") (param i32) (result i32)
            (i32.load offset=12 (i32.load offset=12 (local.get 0)))))"#,
        facts = le(200) + &le(facts.len()),
        none = le(0) + &le(0),
        messages = le(88) + &le(1),
    );
    let mut module = wat::parse_str(module).expect("the guest is text");
    let mut resolve = Resolve::default();
    let package = resolve.push_str("rules.wit", include_str!("../../plugins/wit/rules.wit")).expect("the contract");
    let world = resolve.select_world(&[package], Some(world)).expect("a world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("the metadata fits");
    let encoded = ComponentEncoder::default().module(&module).and_then(|mut encoder| encoder.encode());
    encoded.expect("the guest fits its world")
}

/// Writes the seeds, and lets a panic that the engine catches be caught: the fuzzer's own hook would end the process
/// before. One that nobody catches ends it all the same.
pub fn prepare() {
    drop(std::panic::take_hook());
    write_seeds();
}

/// Puts a well-formed component of every hook into the first directory that the command line names, so that there is
/// something to break.
fn write_seeds() {
    let Some(dir) = std::env::args().skip(1).find(|arg| !arg.starts_with('-')) else { return };
    for (hook, world, function) in WORLDS {
        let path = std::path::Path::new(&dir).join(format!("seed-{hook}.wasm"));
        std::fs::write(path, guest(hook, world, function)).expect("the corpus can be written");
    }
}

/// Questions made of bytes; what is used up reads as zeros.
pub struct Chance<'a>(pub &'a [u8]);

impl Chance<'_> {
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn word(&mut self) -> u32 {
        u32::from_le_bytes([(); 4].map(|()| self.byte()))
    }

    fn number(&mut self) -> i32 {
        self.word().cast_signed()
    }

    fn some<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.byte() & 1 == 1).then(|| make(self))
    }

    fn list<T>(&mut self, make: impl Fn(&mut Self) -> T) -> Vec<T> {
        (0..self.byte() % 5).map(|_| make(self)).collect()
    }

    fn text(&mut self) -> String {
        let len = usize::from(self.byte() % 12).min(self.0.len());
        let (text, rest) = self.0.split_at(len);
        self.0 = rest;
        String::from_utf8_lossy(text).into_owned()
    }

    fn amount(&mut self) -> Amount {
        Amount { asset: self.text(), value: self.number() }
    }

    fn member(&mut self) -> Member {
        Member {
            handle: self.word(),
            age_years: self.some(Self::byte),
            standing: self.some(Self::text),
            joined: self.some(Self::word),
            roles: self.list(Self::text),
            tags: self.list(Self::text),
        }
    }

    fn usage(&mut self) -> Usage {
        Usage { open: u16::from(self.byte()), this_month: u16::from(self.byte()), ..Usage::default() }
    }

    fn slot(&mut self) -> Slot {
        Slot { offering: self.text(), starts: self.word(), tags: self.list(Self::text), ..Slot::default() }
    }

    fn setting(&mut self) -> Setting {
        let value = match self.byte() % 5 {
            0 => SettingValue::Flag(self.byte() & 1 == 1),
            1 => SettingValue::Number(self.number()),
            2 => SettingValue::Choice(self.text()),
            3 => SettingValue::Numbers(self.list(Self::number)),
            _ => SettingValue::Codes(self.list(Self::text)),
        };
        Setting { key: self.text(), value }
    }

    fn share(&mut self) -> Share {
        Share { numerator: self.word(), denominator: self.word(), exclusive: self.byte() & 1 == 1 }
    }

    fn waiting(&mut self) -> Waiting {
        let (who, since) = (self.member(), self.word());
        Waiting { who, since, used: self.some(Self::usage), answers: self.list(Self::setting) }
    }

    /// A question to a hook.
    pub fn question(&mut self, hook: Hook) -> Question {
        match hook {
            Hook::Eligibility => Question::Eligibility(EligibilityRequest {
                who: self.member(),
                balances: self.list(Self::amount),
                used: self.some(Self::usage),
                slot: self.slot(),
                party: self.byte(),
                answers: self.list(Self::setting),
            }),
            Hook::Price => Question::Price(PriceRequest {
                who: self.member(),
                balances: self.list(Self::amount),
                used: self.some(Self::usage),
                slot: self.slot(),
                answers: self.list(Self::setting),
                base: self.amount(),
                floor: self.amount(),
                ceiling: self.amount(),
            }),
            Hook::Priority => {
                Question::Priority(PriorityRequest { slot: self.slot(), queue: self.list(Self::waiting) })
            }
            Hook::Award => Question::Award(AwardRequest {
                actor: self.member(),
                balances: self.list(Self::amount),
                event: AwardEvent { kind: self.text(), minutes: self.word(), ..AwardEvent::default() },
                caps: self.list(Self::amount),
            }),
            Hook::Track => Question::Track(TrackRequest {
                topic: Topic { kind: self.text(), cost_fen: self.some(Self::number), ..Topic::default() },
                tracks: self.list(Self::text),
            }),
            Hook::Thresholds => Question::Thresholds(ThresholdsRequest {
                kind: self.text(),
                lawful: Thresholds { quorum: self.some(Self::share), pass: None, open_hours: self.word() },
                ..ThresholdsRequest::default()
            }),
        }
    }
}
