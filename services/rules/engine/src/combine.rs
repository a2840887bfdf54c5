//! How the answers of several rules become one: pure functions, the same for every service.
//! Never: calls a plugin or reads a clock.

use super::types::{Amount, Award, Reason, Terms, Verdict};

/// The decision about a booking; every reason of the deciding kind is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nobody objected.
    Allow,
    /// Nobody denied, and at least one rule asks for approval.
    NeedsApproval(Vec<Reason>),
    /// At least one rule denied; the reasons of those that ask for approval follow.
    Deny(Vec<Reason>),
}

/// Combines verdicts: deny before needs-approval before allow; abstentions do not count.
pub fn eligibility(verdicts: impl IntoIterator<Item = Verdict>) -> Decision {
    let (mut denials, mut approvals) = (Vec::new(), Vec::new());
    for verdict in verdicts {
        match verdict {
            Verdict::Allow | Verdict::Abstain => {}
            Verdict::Deny(reason) => denials.push(reason),
            Verdict::NeedsApproval(reason) => approvals.push(reason),
        }
    }
    if !denials.is_empty() {
        denials.append(&mut approvals);
        return Decision::Deny(denials);
    }
    if approvals.is_empty() { Decision::Allow } else { Decision::NeedsApproval(approvals) }
}

/// A price within its bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// The price.
    pub price: Amount,
    /// How it came about.
    pub why: Vec<Reason>,
    /// Whether floor or ceiling changed what the rule asked for.
    pub clamped: bool,
}

/// The price of the nearest rule that quoted one, clamped; without any quote the base, clamped. Where floor and
/// ceiling contradict each other, the ceiling holds: a resident never pays more than was announced.
pub fn price(nearest_first: impl IntoIterator<Item = Terms>, base: Amount, floor: i32, ceiling: i32) -> Price {
    let terms = nearest_first.into_iter().next().unwrap_or(Terms { price: base, why: Vec::new() });
    let value = terms.price.value.max(floor).min(ceiling);
    let clamped = value != terms.price.value;
    Price { price: Amount { asset: terms.price.asset, value }, why: terms.why, clamped }
}

/// Clamps every award to the cap of its asset; what has no cap or no positive amount is dropped.
pub fn awards(granted: impl IntoIterator<Item = Award>, caps: &[Amount]) -> Vec<Award> {
    let clamp = |award: Award| {
        let cap = caps.iter().find(|cap| cap.asset == award.amount.asset)?;
        let value = award.amount.value.min(cap.value);
        (value > 0).then_some(Award { amount: Amount { value, ..award.amount }, ..award })
    };
    granted.into_iter().filter_map(clamp).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(code: &str) -> Reason {
        Reason { code: code.to_owned(), args: vec![] }
    }

    fn points(value: i32) -> Amount {
        Amount { asset: "points".to_owned(), value }
    }

    fn award(asset: &str, value: i32) -> Award {
        let amount = Amount { asset: asset.to_owned(), value };
        Award { to: 1, amount, why: reason("thanks") }
    }

    #[test]
    fn one_denial_outweighs_everything_and_every_reason_is_told() {
        let verdicts = [
            Verdict::Allow,
            Verdict::NeedsApproval(reason("a")),
            Verdict::Deny(reason("b")),
            Verdict::Deny(reason("c")),
        ];
        assert_eq!(eligibility(verdicts), Decision::Deny(vec![reason("b"), reason("c"), reason("a")]));
    }

    #[test]
    fn a_request_for_approval_outweighs_permission() {
        let verdicts = [Verdict::Allow, Verdict::NeedsApproval(reason("a")), Verdict::Abstain];
        assert_eq!(eligibility(verdicts), Decision::NeedsApproval(vec![reason("a")]));
    }

    #[test]
    fn without_an_objection_a_booking_is_allowed() {
        assert_eq!(eligibility([Verdict::Abstain, Verdict::Allow]), Decision::Allow);
        assert_eq!(eligibility([]), Decision::Allow);
    }

    #[test]
    fn the_nearest_price_wins_and_stays_within_its_bounds() {
        let terms = |value| Terms { price: points(value), why: vec![] };
        assert_eq!(price([terms(5), terms(9)], points(7), 0, 10).price, points(5));
        assert_eq!(price([], points(7), 0, 10).price, points(7));
        let low = price([terms(-3)], points(7), 0, 10);
        assert_eq!((low.price, low.clamped), (points(0), true));
        assert_eq!(price([terms(i32::MAX)], points(7), 0, 10).price, points(10));
        assert_eq!(price([terms(5)], points(7), 8, 6).price, points(6));
    }

    #[test]
    fn an_award_never_exceeds_its_cap() {
        let granted = [award("hearts", 9), award("points", 3), award("flowers", -1)];
        let caps = [Amount { asset: "hearts".to_owned(), value: 5 }, Amount { asset: "flowers".to_owned(), value: 5 }];
        assert_eq!(awards(granted, &caps), [award("hearts", 5)]);
    }
}
