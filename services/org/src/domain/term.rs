//! Terms of appointments: from an instant to an instant, or open.

/// A term in microseconds: the end is not part of it, `None` is open. An end at the start is no time at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// Start.
    pub start_us: i64,
    /// End.
    pub end_us: Option<i64>,
}

impl Term {
    /// Whether both run at some instant.
    pub fn overlaps(&self, other: &Self) -> bool {
        let before = |start: i64, end: Option<i64>| end.is_none_or(|end| start < end);
        let some_time = |term: &Self| before(term.start_us, term.end_us);
        some_time(self)
            && some_time(other)
            && before(self.start_us, other.end_us)
            && before(other.start_us, self.end_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(start_us: i64, end_us: Option<i64>) -> Term {
        Term { start_us, end_us }
    }

    #[test]
    fn terms_overlap_when_they_share_an_instant() {
        for (a, b, shared) in [
            (term(0, None), term(5, None), true),
            (term(0, Some(5)), term(5, None), false),
            (term(0, Some(6)), term(5, None), true),
            (term(3, Some(4)), term(0, Some(10)), true),
            (term(3, Some(3)), term(0, None), false),
            (term(0, Some(1)), term(2, Some(3)), false),
        ] {
            assert_eq!(a.overlaps(&b), shared, "{a:?} {b:?}");
            assert_eq!(b.overlaps(&a), shared, "{b:?} {a:?}");
        }
    }
}
