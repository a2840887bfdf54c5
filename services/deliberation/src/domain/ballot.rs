//! What a ballot's votes amount to under its rule.

use std::cmp::Ordering;

/// Age from which a person votes when the rule states none: full civil capacity (Civil Code art. 17).
pub(crate) const ADULT_AGE: u32 = 18;

/// By whom a ballot is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Basis {
    /// Each person has a vote.
    Person,
    /// Each household has a vote, cast by any adult member.
    Household,
}

/// What an elector chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Yes.
    Yes,
    /// No.
    No,
    /// Abstention: the elector takes part and says neither.
    Abstain,
}

/// An exact share of a whole, such as two of three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    numerator: u32,
    denominator: u32,
    exclusive: bool,
}

/// Most parts that a whole is divided into.
pub(crate) const MAX_PARTS: u32 = 1_000;

impl Share {
    /// No share at all: nothing is needed.
    pub(crate) const NONE: Self = Self { numerator: 0, denominator: 1, exclusive: false };

    /// A share that must be reached, or exceeded; `None` when nobody could: a part of nothing, or more than the whole.
    pub(crate) fn new(numerator: u32, denominator: u32, exclusive: bool) -> Option<Self> {
        let possible = denominator > 0 && (numerator < denominator || (numerator == denominator && !exclusive));
        (possible && denominator <= MAX_PARTS).then_some(Self { numerator, denominator, exclusive })
    }

    /// Parts, parts of the whole, whether they must be exceeded.
    pub(crate) fn parts(self) -> (u32, u32, bool) {
        (self.numerator, self.denominator, self.exclusive)
    }

    /// Whether this share asks for at least as much as another, of every whole that is not empty.
    ///
    /// Fractions are compared exactly; of equal ones the one that must be exceeded asks for more.
    pub(crate) fn at_least(self, other: Self) -> bool {
        let product = |a: Self, b: Self| u64::from(a.numerator) * u64::from(b.denominator);
        match product(self, other).cmp(&product(other, self)) {
            Ordering::Greater => true,
            Ordering::Equal => self.exclusive || !other.exclusive,
            Ordering::Less => false,
        }
    }

    /// The one of two shares that asks for more.
    fn stricter(self, other: Self) -> Self {
        if self.at_least(other) { self } else { other }
    }

    /// The least whole number that holds the share of `of`.
    fn least(self, of: u32) -> u32 {
        let (product, whole) = (u64::from(of) * u64::from(self.numerator), u64::from(self.denominator));
        let count = if self.exclusive { product / whole + 1 } else { product.div_ceil(whole) };
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

/// Thresholds of a ballot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Who votes.
    pub(crate) basis: Basis,
    /// Share of the electors who must take part.
    pub(crate) quorum: Share,
    /// Share of the participants who must say yes.
    pub(crate) pass: Share,
    /// Least hours that the ballot stays open.
    pub(crate) open_hours: u32,
    /// Least age of a voter in years.
    pub(crate) min_age: u32,
}

/// Counted votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    /// Yes votes.
    pub(crate) yes: u32,
    /// No votes.
    pub(crate) no: u32,
    /// Abstentions.
    pub(crate) abstain: u32,
}

impl Tally {
    /// Electors who took part; abstentions count.
    pub(crate) fn participants(self) -> u32 {
        self.yes + self.no + self.abstain
    }

    /// Counts one more vote.
    pub(crate) fn add(&mut self, choice: Choice) {
        match choice {
            Choice::Yes => self.yes += 1,
            Choice::No => self.no += 1,
            Choice::Abstain => self.abstain += 1,
        }
    }
}

impl FromIterator<Choice> for Tally {
    fn from_iter<I: IntoIterator<Item = Choice>>(choices: I) -> Self {
        let mut tally = Self::default();
        choices.into_iter().for_each(|choice| tally.add(choice));
        tally
    }
}

/// What a counted ballot amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The votes.
    pub(crate) tally: Tally,
    /// Electors who had to take part.
    pub(crate) quorum_needed: u32,
    /// Yes votes that were needed of these participants; at least one, for nobody's yes decides nothing.
    pub(crate) yes_needed: u32,
    /// Whether enough took part.
    pub(crate) quorum_met: bool,
    /// Whether it passed.
    pub(crate) passed: bool,
}

/// What a rule asks for, apart from who votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Thresholds {
    /// Share of the electors who must take part.
    pub(crate) quorum: Share,
    /// Share of the participants who must say yes.
    pub(crate) pass: Share,
    /// Least hours that the ballot stays open.
    pub(crate) open_hours: u32,
}

impl Rule {
    /// The same rule where each threshold is the stricter one of its own and another: it never gets looser.
    pub(crate) fn tightened(&self, by: Thresholds) -> Self {
        Self {
            quorum: self.quorum.stricter(by.quorum),
            pass: self.pass.stricter(by.pass),
            open_hours: self.open_hours.max(by.open_hours),
            ..*self
        }
    }

    /// Whether this rule asks the same voters for at least as much as another in every respect.
    pub(crate) fn at_least(&self, other: &Self) -> bool {
        let strict = self.quorum.at_least(other.quorum) && self.pass.at_least(other.pass);
        strict && self.open_hours >= other.open_hours && (self.basis, self.min_age) == (other.basis, other.min_age)
    }

    /// Decides a ballot among `electors`.
    pub(crate) fn outcome(&self, electors: u32, tally: Tally) -> Outcome {
        let quorum_needed = self.quorum.least(electors);
        let yes_needed = self.pass.least(tally.participants()).max(1);
        let quorum_met = tally.participants() >= quorum_needed;
        Outcome { tally, quorum_needed, yes_needed, quorum_met, passed: quorum_met && tally.yes >= yes_needed }
    }

    /// The year in which, or before which, a voter must have been born, for a ballot in `year`.
    pub(crate) fn born_by(&self, year: i32) -> i32 {
        year - i32::try_from(self.min_age).unwrap_or(i32::MAX / 2)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn share(numerator: u32, denominator: u32) -> Share {
        Share::new(numerator, denominator, false).expect("a share")
    }

    fn more_than(numerator: u32, denominator: u32) -> Share {
        Share::new(numerator, denominator, true).expect("a share")
    }

    /// Civil Code art. 278: two thirds take part; ordinary matters pass with more than half of the participants.
    fn ordinary() -> Rule {
        Rule { basis: Basis::Household, quorum: share(2, 3), pass: more_than(1, 2), open_hours: 72, min_age: ADULT_AGE }
    }

    /// The same article, items 6 to 8: three quarters of the participants.
    fn major() -> Rule {
        Rule { pass: share(3, 4), ..ordinary() }
    }

    fn tally(yes: u32, no: u32, abstain: u32) -> Tally {
        Tally { yes, no, abstain }
    }

    #[test]
    fn an_ordinary_matter_needs_two_thirds_present_and_more_than_half_of_them() {
        let outcome = ordinary().outcome(100, tally(34, 33, 0));
        assert_eq!((outcome.quorum_needed, outcome.yes_needed), (67, 34));
        assert!(outcome.quorum_met && outcome.passed);
        assert!(!ordinary().outcome(100, tally(33, 33, 0)).quorum_met, "66 of 100 are too few");
        assert!(!ordinary().outcome(100, tally(35, 35, 0)).passed, "half is not more than half");
    }

    #[test]
    fn two_thirds_are_exact() {
        assert_eq!(ordinary().outcome(3_000, tally(0, 2_000, 0)).quorum_needed, 2_000, "not 2,001 of 3,000");
        assert!(ordinary().outcome(3_000, tally(2_000, 0, 0)).passed);
        assert!(!ordinary().outcome(3_000, tally(1_999, 0, 0)).quorum_met);
    }

    #[test]
    fn a_share_that_nobody_could_hold_is_none() {
        for (numerator, denominator, exclusive) in [(0, 0, false), (3, 2, false), (2, 2, true), (1, 1_001, false)] {
            assert_eq!(Share::new(numerator, denominator, exclusive), None, "{numerator}/{denominator} {exclusive}");
        }
        assert!(Share::new(2, 2, false).is_some(), "everybody");
    }

    #[test]
    fn a_major_matter_needs_three_quarters_and_reaching_them_is_enough() {
        let outcome = major().outcome(100, tally(60, 20, 0));
        assert_eq!(outcome.yes_needed, 60);
        assert!(outcome.passed);
        assert!(!major().outcome(100, tally(59, 21, 0)).passed);
        assert_eq!(major().outcome(100, tally(0, 67, 0)).yes_needed, 51, "50.25 is rounded up to whole electors");
    }

    #[test]
    fn abstentions_take_part_and_raise_what_is_needed() {
        let outcome = ordinary().outcome(90, tally(40, 0, 40));
        assert!(outcome.quorum_met);
        assert!(!outcome.passed, "40 of 80 is half, not more");
        assert_eq!(outcome.yes_needed, 41);
    }

    #[test]
    fn a_quorum_that_must_be_exceeded_is_not_met_by_reaching_it() {
        let meeting = Rule { quorum: more_than(1, 2), ..ordinary() };
        assert!(!meeting.outcome(10, tally(5, 0, 0)).quorum_met);
        assert!(meeting.outcome(10, tally(6, 0, 0)).passed);
        assert_eq!(meeting.outcome(11, tally(0, 0, 0)).quorum_needed, 6);
    }

    #[test]
    fn nobodys_yes_decides_nothing() {
        let lax = Rule { quorum: Share::NONE, pass: Share::NONE, ..ordinary() };
        assert!(!lax.outcome(10, tally(0, 3, 0)).passed);
        assert!(!lax.outcome(0, Tally::default()).passed);
        assert!(lax.outcome(10, tally(1, 9, 0)).passed);
    }

    prop_compose! {
        fn shares()(
            (numerator, denominator) in (1..=MAX_PARTS).prop_flat_map(|whole| (0..whole, Just(whole))), exclusive: bool,
        ) -> Share {
            Share::new(numerator, denominator, exclusive).expect("less than the whole")
        }
    }

    prop_compose! {
        fn rules()(quorum in shares(), pass in shares()) -> Rule {
            Rule { quorum, pass, ..ordinary() }
        }
    }

    proptest! {
        #[test]
        fn what_is_needed_is_the_least_number_that_holds(of in 0..100_000_u32, share in shares()) {
            let (numerator, denominator, exclusive) = share.parts();
            let holds = |n: u64| {
                let (part, wanted) = (n * u64::from(denominator), u64::from(of) * u64::from(numerator));
                if exclusive { part > wanted } else { part >= wanted }
            };
            let least = u64::from(share.least(of));
            prop_assert!(holds(least));
            prop_assert!(least == 0 || !holds(least - 1));
        }

        #[test]
        fn another_yes_never_turns_a_passed_ballot_down(
            rule in rules(), yes in 0..500_u32, no in 0..500_u32, abstain in 0..500_u32, spare in 1..500_u32,
        ) {
            let electors = yes + no + abstain + spare;
            let before = rule.outcome(electors, tally(yes, no, abstain));
            let after = rule.outcome(electors, tally(yes + 1, no, abstain));
            prop_assert!(!before.passed || after.passed);
        }

        #[test]
        fn a_passed_ballot_has_its_quorum_and_its_yes(
            rule in rules(), yes in 0..500_u32, no in 0..500_u32, abstain in 0..500_u32, spare in 0..500_u32,
        ) {
            let outcome = rule.outcome(yes + no + abstain + spare, tally(yes, no, abstain));
            prop_assert_eq!(outcome.passed, outcome.quorum_met && yes >= outcome.yes_needed);
            prop_assert_eq!(outcome.quorum_met, outcome.tally.participants() >= outcome.quorum_needed);
        }

        #[test]
        fn a_share_that_asks_for_more_asks_for_more_of_every_whole(a in shares(), b in shares(), of in 1..20_000_u32) {
            prop_assert!(a.at_least(b) || b.at_least(a));
            if a.at_least(b) {
                prop_assert!(a.least(of) >= b.least(of));
            }
        }

        #[test]
        fn a_tightened_rule_never_lets_pass_what_the_rule_refuses(
            rule in rules(), by in rules(), yes in 0..500_u32, no in 0..500_u32, spare in 0..500_u32,
        ) {
            let tight = rule.tightened(Thresholds { quorum: by.quorum, pass: by.pass, open_hours: by.open_hours });
            prop_assert!(tight.at_least(&rule));
            let (electors, votes) = (yes + no + spare, tally(yes, no, 0));
            prop_assert!(!tight.outcome(electors, votes).passed || rule.outcome(electors, votes).passed);
        }

        #[test]
        fn art_278_is_never_undercut(electors in 1..20_000_u64, part in 0.0..1.0_f64, share in 0.0..1.0_f64) {
            let present = (electors as f64 * part) as u64;
            let yes = (present as f64 * share) as u64;
            let votes = tally(yes as u32, (present - yes) as u32, 0);
            if ordinary().outcome(electors as u32, votes).passed {
                prop_assert!(3 * present >= 2 * electors && 2 * yes > present);
            }
            if major().outcome(electors as u32, votes).passed {
                prop_assert!(3 * present >= 2 * electors && 4 * yes >= 3 * present);
            }
        }
    }
}
