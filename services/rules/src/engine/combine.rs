//! How the answers of several rules become one: pure functions, the same for every service.
//! Never: calls a plugin or reads a clock.

use super::deliberation::{Share, Thresholds};
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

/// The order of a queue: higher scores first, ties by waiting time, then by place. Returns indices into the queue;
/// an entry without a score counts as zero.
pub fn order(scores: &[i32], waiting_since: &[u32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..waiting_since.len()).collect();
    let key = |at: usize| (std::cmp::Reverse(scores.get(at).copied().unwrap_or(0)), waiting_since[at], at);
    order.sort_by_key(|&at| key(at));
    order
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

/// The strictest of law, charter and plugins, field by field.
pub fn thresholds(lawful: Thresholds, tightened: impl IntoIterator<Item = Thresholds>) -> Thresholds {
    tightened.into_iter().fold(lawful, |strictest, next| Thresholds {
        participation: stricter(strictest.participation, next.participation),
        approval: stricter(strictest.approval, next.approval),
        notice_hours: strictest.notice_hours.max(next.notice_hours),
        open_hours: strictest.open_hours.max(next.open_hours),
    })
}

fn stricter(a: Share, b: Share) -> Share {
    Share { number: a.number.max(b.number), area: a.area.max(b.area) }
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
        Award { to: 1, amount, expires_days: None, why: reason("thanks") }
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
    fn equal_scores_are_served_by_waiting_time() {
        assert_eq!(order(&[1, 5, 1, 5], &[10, 30, 5, 20]), [3, 1, 2, 0]);
        assert_eq!(order(&[], &[2, 1]), [1, 0]);
    }

    #[test]
    fn an_award_never_exceeds_its_cap() {
        let granted = [award("hearts", 9), award("points", 3), award("flowers", -1)];
        let caps = [Amount { asset: "hearts".to_owned(), value: 5 }, Amount { asset: "flowers".to_owned(), value: 5 }];
        assert_eq!(awards(granted, &caps), [award("hearts", 5)]);
    }

    #[test]
    fn a_plugin_tightens_and_never_loosens() {
        let share = |number, area| Share { number, area };
        let lawful =
            Thresholds { participation: share(667, 667), approval: share(501, 501), notice_hours: 72, open_hours: 24 };
        let plugin =
            Thresholds { participation: share(500, 700), approval: share(600, 400), notice_hours: 24, open_hours: 48 };
        let expected =
            Thresholds { participation: share(667, 700), approval: share(600, 501), notice_hours: 72, open_hours: 48 };
        assert_eq!(thresholds(lawful, [plugin]), expected);
        assert_eq!(thresholds(lawful, []), lawful);
    }
}
