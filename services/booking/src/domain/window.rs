//! Times around a slot: from when until when it can be booked, cancelled, attended.

use linli_kernel::Timestamp;

/// Check-in is possible so long before the slot begins.
const CHECK_IN_BEFORE_US: i64 = 30 * 60 * 1_000_000;

/// When a slot takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Begin.
    pub start: Timestamp,
    /// End.
    pub end: Timestamp,
}

/// What an offering says about the times around its slots, in minutes before the begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Opening {
    /// Bookings open; 0: at once.
    pub opens_before_min: i64,
    /// Bookings close.
    pub closes_before_min: i64,
    /// Residents may cancel until then.
    pub cancel_before_min: i64,
}

/// Whether something may be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// It may.
    Open,
    /// Not before this instant.
    NotYet(Timestamp),
    /// Not since this instant.
    Over(Timestamp),
}

fn before(at: Timestamp, minutes: i64) -> Timestamp {
    at.plus_secs(-60 * minutes)
}

impl Window {
    /// Whether the slot can be booked.
    pub fn booking(&self, opening: &Opening, now: Timestamp) -> Gate {
        let (opens, closes) = (before(self.start, opening.opens_before_min), self.closes(opening));
        if opening.opens_before_min > 0 && now < opens {
            return Gate::NotYet(opens);
        }
        if now >= closes { Gate::Over(closes) } else { Gate::Open }
    }

    fn closes(&self, opening: &Opening) -> Timestamp {
        before(self.start, opening.closes_before_min.max(0))
    }

    /// Whether a resident may give the booking up.
    pub fn cancelling(&self, opening: &Opening, now: Timestamp) -> Gate {
        let until = before(self.start, opening.cancel_before_min.max(0));
        if now >= until { Gate::Over(until) } else { Gate::Open }
    }

    /// Whether the resident may check in.
    pub fn check_in(&self, now: Timestamp) -> Gate {
        let from = Timestamp::from_micros(self.start.micros() - CHECK_IN_BEFORE_US);
        if now < from { Gate::NotYet(from) } else { Gate::Open }
    }

    /// Whether the booking may be completed or marked as no-show.
    pub fn serving(&self, now: Timestamp) -> Gate {
        if now < self.start { Gate::NotYet(self.start) } else { Gate::Open }
    }

    /// Whether the slot has begun.
    pub fn begun(&self, now: Timestamp) -> bool {
        now >= self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { start: Timestamp::from_secs(100_000), end: Timestamp::from_secs(103_600) };

    #[test]
    fn booking_opens_and_closes_at_the_minute() {
        let opening = Opening { opens_before_min: 100, closes_before_min: 10, cancel_before_min: 60 };
        let gate = |secs| WINDOW.booking(&opening, Timestamp::from_secs(secs));
        assert_eq!(gate(93_999), Gate::NotYet(Timestamp::from_secs(94_000)));
        assert_eq!(gate(94_000), Gate::Open);
        assert_eq!(gate(99_399), Gate::Open);
        assert_eq!(gate(99_400), Gate::Over(Timestamp::from_secs(99_400)));
        assert_eq!(WINDOW.cancelling(&opening, Timestamp::from_secs(96_400)), Gate::Over(Timestamp::from_secs(96_400)));
    }

    #[test]
    fn check_in_begins_half_an_hour_before_and_serving_with_the_slot() {
        assert_eq!(WINDOW.check_in(Timestamp::from_secs(98_199)), Gate::NotYet(Timestamp::from_secs(98_200)));
        assert_eq!(WINDOW.check_in(Timestamp::from_secs(98_200)), Gate::Open);
        assert_eq!(WINDOW.serving(Timestamp::from_secs(99_999)), Gate::NotYet(WINDOW.start));
        assert_eq!(WINDOW.serving(WINDOW.start), Gate::Open);
    }
}
