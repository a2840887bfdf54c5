//! The questions that a validation asks: made from a seed, the same for every plugin and every machine.
//! Never: real people; the corpus reaches for the edges instead.

use crate::deliberation::{Share, Thresholds, ThresholdsRequest, Topic, TrackRequest};
use crate::types::{
    Amount, AwardEvent, AwardRequest, Context, EligibilityRequest, Member, PriceRequest, PriorityRequest, Setting,
    SettingValue, Slot, Usage, Waiting,
};

/// How many questions each hook is asked.
pub(crate) const CASES: usize = 32;

const ROLES: [&str; 4] = ["volunteer", "grid-worker", "building-head", "party-member"];
const MARKS: [&str; 5] = ["living-alone", "disability", "hardship", "bedridden", "pilot"];
const TAGS: [&str; 3] = ["indoor", "weekend", "pilot"];
const ASSETS: [&str; 4] = ["points", "hearts", "flowers", "cny-fen"];
const CODES: [&str; 8] =
    ["delivery", "dine-in", "water", "electricity", "shift-completed", "repair-done", "volunteer", "participant"];
const ANSWER_KEYS: [&str; 5] = ["mode", "trade", "urgent", "major", "persons"];

/// The source of the corpus: a xorshift generator.
pub(crate) struct Chance {
    state: u32,
    case: usize,
}

impl Chance {
    pub(crate) fn new(case: usize) -> Self {
        let state = 0x9e37_79b9_u32.wrapping_mul(u32::try_from(case).unwrap_or(0) + 1) | 1;
        Self { state, case }
    }

    fn next(&mut self) -> u32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 17;
        self.state ^= self.state << 5;
        self.state
    }

    fn below(&mut self, bound: usize) -> usize {
        self.next() as usize % bound.max(1)
    }

    fn yes(&mut self) -> bool {
        self.next() & 1 == 1
    }

    /// Zero, the greatest value, or something between: each a third of the time.
    fn edge(&mut self, max: u32) -> u32 {
        match self.below(3) {
            0 => 0,
            1 => max,
            _ => self.next() % max.saturating_add(1).max(1),
        }
    }

    fn short(&mut self) -> u16 {
        u16::try_from(self.edge(u32::from(u16::MAX))).unwrap_or(u16::MAX)
    }

    fn signed(&mut self) -> i32 {
        self.edge(u32::MAX).cast_signed()
    }

    fn some(&mut self, codes: &[&str]) -> Vec<String> {
        codes.iter().filter(|_| self.yes()).map(|&code| code.to_owned()).collect()
    }

    fn one(&mut self, codes: &[&str]) -> String {
        codes[self.below(codes.len())].to_owned()
    }

    /// A context in the 2020s of the settings under test.
    pub(crate) fn context(&mut self, settings: &[Setting]) -> Context {
        let now = 29_000_000 + self.next() % 1_000_000;
        Context { now, utc_offset_min: 480, seed: self.next(), settings: settings.to_vec() }
    }

    fn member(&mut self, handle: u32) -> Member {
        Member {
            handle,
            age_years: self.yes().then(|| u8::try_from(self.edge(120)).unwrap_or(u8::MAX)),
            standing: self.yes().then(|| self.one(&["resident", "tenant", "guest"])),
            joined: self.yes().then(|| self.edge(29_000_000)),
            roles: self.some(&ROLES),
            tags: self.some(&MARKS),
        }
    }

    fn usage(&mut self) -> Option<Usage> {
        let usage = Usage {
            open: self.short() % 8,
            this_week: self.short() % 8,
            this_month: self.short(),
            no_shows: self.short(),
        };
        (self.below(8) > 0).then_some(usage)
    }

    fn slot(&mut self) -> Slot {
        Slot {
            offering: "sample".to_owned(),
            kind: self.one(&CODES),
            starts: self.edge(u32::MAX),
            length_min: self.short(),
            capacity: self.short(),
            taken: self.short(),
            tags: self.some(&TAGS),
        }
    }

    fn answers(&mut self) -> Vec<Setting> {
        let mut answers = Vec::new();
        for key in ANSWER_KEYS {
            let value = match self.below(4) {
                0 => continue,
                1 => SettingValue::Flag(self.yes()),
                2 => SettingValue::Number(self.signed()),
                _ => SettingValue::Choice(self.one(&CODES)),
            };
            answers.push(Setting { key: key.to_owned(), value });
        }
        answers
    }

    fn balances(&mut self) -> Vec<Amount> {
        self.some(&ASSETS).into_iter().map(|asset| Amount { asset, value: self.signed() }).collect()
    }

    fn share(&mut self) -> Option<Share> {
        let denominator = 1 + self.edge(999);
        let numerator = self.edge(denominator - 1);
        let exclusive = self.yes();
        self.yes().then_some(Share { numerator, denominator, exclusive })
    }
}

pub(crate) fn eligibility(chance: &mut Chance) -> EligibilityRequest {
    EligibilityRequest {
        who: chance.member(1),
        balances: chance.balances(),
        used: chance.usage(),
        slot: chance.slot(),
        party: u8::try_from(chance.edge(255)).unwrap_or(u8::MAX),
        answers: chance.answers(),
    }
}

pub(crate) fn price(chance: &mut Chance) -> PriceRequest {
    let asset = chance.one(&ASSETS);
    let amount = |value| Amount { asset: asset.clone(), value };
    let (floor, ceiling) = (amount(0), amount(chance.signed().saturating_abs()));
    let base = amount(chance.signed().saturating_abs());
    PriceRequest {
        who: chance.member(1),
        balances: chance.balances(),
        used: chance.usage(),
        slot: chance.slot(),
        answers: chance.answers(),
        base,
        floor,
        ceiling,
    }
}

/// Queues of none, one and up to two hundred.
pub(crate) fn priority(chance: &mut Chance) -> PriorityRequest {
    let len = match chance.case {
        0 => 0,
        1 => 1,
        2 => 200,
        _ => chance.below(40),
    };
    let waiting = |at: usize| Waiting {
        who: chance.member(u32::try_from(at).unwrap_or(0)),
        since: chance.edge(29_000_000),
        used: chance.usage(),
        answers: chance.answers(),
    };
    let queue = (0..len).map(waiting).collect();
    PriorityRequest { slot: chance.slot(), queue }
}

pub(crate) fn award(chance: &mut Chance) -> AwardRequest {
    let caps = ASSETS.map(|asset| Amount { asset: asset.to_owned(), value: chance.signed().saturating_abs() });
    AwardRequest {
        actor: chance.member(1),
        balances: chance.balances(),
        event: AwardEvent {
            kind: chance.one(&CODES),
            role: chance.one(&["volunteer", "organiser", "participant"]),
            minutes: chance.edge(u32::MAX),
            quantity: chance.signed(),
            score: chance.yes().then(|| u8::try_from(chance.edge(100)).unwrap_or(100)),
            tags: chance.some(&TAGS),
        },
        caps: caps.into_iter().take(1 + chance.below(ASSETS.len())).collect(),
    }
}

pub(crate) fn track(chance: &mut Chance) -> TrackRequest {
    TrackRequest {
        topic: Topic {
            kind: chance.one(&CODES),
            source: chance.yes().then(|| chance.one(&["whiteboard", "hotline", "letterbox"])),
            affected_households: chance.yes().then(|| chance.edge(u32::MAX)),
            cost_fen: chance.yes().then(|| chance.signed()),
            tags: chance.some(&TAGS),
        },
        tracks: ["small", "big", "urgent"].map(str::to_owned).to_vec(),
    }
}

pub(crate) fn thresholds(chance: &mut Chance) -> ThresholdsRequest {
    ThresholdsRequest {
        kind: chance.one(&CODES),
        track: chance.one(&["small", "big", "urgent"]),
        eligible: chance.edge(u32::MAX),
        affected_households: chance.yes().then(|| chance.edge(u32::MAX)),
        cost_fen: chance.yes().then(|| chance.signed()),
        tags: chance.some(&TAGS),
        lawful: Thresholds { quorum: chance.share(), pass: chance.share(), open_hours: chance.edge(720) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_always_the_same() {
        for case in 0..CASES {
            assert_eq!(eligibility(&mut Chance::new(case)), eligibility(&mut Chance::new(case)));
        }
    }

    #[test]
    fn the_corpus_has_young_and_old_known_and_unknown() {
        let ages: Vec<_> = (0..CASES).map(|case| eligibility(&mut Chance::new(case)).who.age_years).collect();
        assert!(ages.contains(&None) && ages.contains(&Some(0)) && ages.contains(&Some(120)), "{ages:?}");
    }
}
