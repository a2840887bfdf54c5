//! The stricter of two thresholds, each field for itself. Never: a rounded comparison.

use crate::engine::deliberation::{Share, Thresholds};

/// Of each field the stricter.
pub(crate) fn stricter(a: Thresholds, b: Thresholds) -> Thresholds {
    Thresholds {
        quorum: stricter_share(a.quorum, b.quorum),
        pass: stricter_share(a.pass, b.pass),
        open_hours: a.open_hours.max(b.open_hours),
    }
}

/// The greater share; of equal ones that which must be exceeded. Any share is stricter than none.
fn stricter_share(a: Option<Share>, b: Option<Share>) -> Option<Share> {
    let (Some(left), Some(right)) = (a, b) else { return a.or(b) };
    let key = |share: Share, other: Share| (u64::from(share.numerator) * u64::from(other.denominator), share.exclusive);
    Some(if key(left, right) >= key(right, left) { left } else { right })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(numerator: u32, denominator: u32, exclusive: bool) -> Option<Share> {
        Some(Share { numerator, denominator, exclusive })
    }

    #[test]
    fn fractions_are_compared_exactly_and_exceeding_is_stricter_than_reaching() {
        assert_eq!(stricter_share(share(2, 3, false), share(667, 1_000, false)), share(667, 1_000, false));
        assert_eq!(stricter_share(share(2, 3, false), share(666, 1_000, true)), share(2, 3, false));
        assert_eq!(stricter_share(share(1, 2, false), share(2, 4, true)), share(2, 4, true));
        assert_eq!(stricter_share(share(1, 2, true), share(1, 2, false)), share(1, 2, true));
        assert_eq!(stricter_share(None, share(0, 1, false)), share(0, 1, false));
        assert_eq!(stricter_share(None, None), None);
    }

    #[test]
    fn each_field_is_tightened_for_itself() {
        let law = Thresholds { quorum: share(2, 3, false), pass: share(1, 2, true), open_hours: 48 };
        let rule = Thresholds { quorum: share(1, 2, false), pass: share(3, 4, false), open_hours: 24 };
        let both = Thresholds { quorum: share(2, 3, false), pass: share(3, 4, false), open_hours: 48 };
        assert_eq!(stricter(law, rule), both);
    }
}
