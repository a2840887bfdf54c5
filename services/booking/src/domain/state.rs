//! The states of a booking. A transition consumes the old state and says what must follow from it.

use linli_kernel::Timestamp;

use super::window::{Gate, Opening, Window};

/// What a pending booking waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaits {
    /// A person's approval; when it is priced, the hold comes after it.
    Approval,
    /// The ledger's answer.
    Hold,
}

/// Where a booking stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// A seat is reserved.
    Pending(Awaits),
    /// It waits for a seat; `approval` says that a person must still approve it then.
    Waitlisted {
        /// See above.
        approval: bool,
    },
    /// The seat is the resident's.
    Confirmed,
    /// The resident has come.
    CheckedIn,
    /// It was served.
    Completed,
    /// It was given up.
    Cancelled,
    /// The resident did not come.
    NoShow,
    /// It was refused.
    Refused,
}

impl State {
    /// Whether a seat of the slot is taken by it. A seat that was used stays taken.
    pub fn seated(self) -> bool {
        match self {
            Self::Pending(_) | Self::Confirmed | Self::CheckedIn | Self::Completed | Self::NoShow => true,
            Self::Waitlisted { .. } | Self::Cancelled | Self::Refused => false,
        }
    }

    /// Whether it is still ahead.
    pub fn open(self) -> bool {
        match self {
            Self::Pending(_) | Self::Waitlisted { .. } | Self::Confirmed | Self::CheckedIn => true,
            Self::Completed | Self::Cancelled | Self::NoShow | Self::Refused => false,
        }
    }

    /// The name in the contract, without its prefix.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending(_) => "PENDING",
            Self::Waitlisted { .. } => "WAITLISTED",
            Self::Confirmed => "CONFIRMED",
            Self::CheckedIn => "CHECKED_IN",
            Self::Completed => "COMPLETED",
            Self::Cancelled => "CANCELLED",
            Self::NoShow => "NO_SHOW",
            Self::Refused => "REFUSED",
        }
    }
}

/// Why a transition is not possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WrongState {
    /// The booking is in another state.
    #[error("is {state}, must be {wanted}")]
    State {
        /// The state.
        state: &'static str,
        /// Those from which it would be possible.
        wanted: &'static str,
    },
    /// Not before this instant.
    #[error("too early")]
    TooEarly(Timestamp),
    /// Not since this instant.
    #[error("too late")]
    TooLate(Timestamp),
}

/// What must follow from a transition, in the same transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The seats go back to the slot; the waitlist moves up.
    FreeSeats,
    /// The booking leaves the waitlist.
    LeaveWaitlist,
    /// The price is to be held.
    PlaceHold,
    /// The held price is to be taken.
    Capture,
    /// The held price, or the one that is being held, is to be given back.
    Void,
}

/// What is known of a booking when its state changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Where it stands.
    pub state: State,
    /// Whether it costs something.
    pub priced: bool,
    /// When its slot takes place.
    pub window: Window,
}

/// A new state and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The new state.
    pub to: State,
    /// What follows.
    pub effects: Vec<Effect>,
}

/// Who gives a booking up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Canceller {
    /// The resident, within the time that the offering allows.
    Resident(Opening),
    /// A worker on the resident's behalf, or the timer, or the slot's cancellation.
    Office,
}

impl Claim {
    /// Where a booking goes that has got its seat.
    pub fn seated(approval: bool, priced: bool) -> Step {
        match (approval, priced) {
            (true, _) => Step { to: State::Pending(Awaits::Approval), effects: Vec::new() },
            (false, true) => Step { to: State::Pending(Awaits::Hold), effects: vec![Effect::PlaceHold] },
            (false, false) => Step { to: State::Confirmed, effects: Vec::new() },
        }
    }

    fn wrong(self, wanted: &'static str) -> WrongState {
        WrongState::State { state: self.state.name(), wanted }
    }

    /// A person approves.
    ///
    /// # Errors
    /// [`WrongState`] unless it awaits approval and its slot has not ended.
    pub fn approve(self, now: Timestamp) -> Result<Step, WrongState> {
        match self.state {
            State::Pending(Awaits::Approval) if now >= self.window.end => Err(WrongState::TooLate(self.window.end)),
            State::Pending(Awaits::Approval) => Ok(Self::seated(false, self.priced)),
            _ => Err(self.wrong("PENDING (approval)")),
        }
    }

    /// A person refuses.
    ///
    /// # Errors
    /// [`WrongState`] unless it awaits approval.
    pub fn refuse(self) -> Result<Step, WrongState> {
        match self.state {
            State::Pending(Awaits::Approval) => Ok(Step { to: State::Refused, effects: vec![Effect::FreeSeats] }),
            _ => Err(self.wrong("PENDING (approval)")),
        }
    }

    /// The ledger has set the price aside. A booking that was given up meanwhile gives it back.
    pub fn hold_placed(self) -> Step {
        match self.state {
            State::Pending(Awaits::Hold) => Step { to: State::Confirmed, effects: Vec::new() },
            State::Cancelled | State::Refused | State::NoShow => Step { to: self.state, effects: vec![Effect::Void] },
            state => Step { to: state, effects: Vec::new() },
        }
    }

    /// The ledger has refused; nothing happens to a booking that no longer waits for it.
    pub fn hold_refused(self) -> Step {
        match self.state {
            State::Pending(Awaits::Hold) => Step { to: State::Refused, effects: vec![Effect::FreeSeats] },
            state => Step { to: state, effects: Vec::new() },
        }
    }

    /// It is given up.
    ///
    /// # Errors
    /// [`WrongState`] when it is over, the resident has come, or it is too late for the resident.
    pub fn cancel(self, by: Canceller, now: Timestamp) -> Result<Step, WrongState> {
        let mut effects = Vec::new();
        match self.state {
            State::Pending(_) | State::Confirmed => effects.push(Effect::FreeSeats),
            State::Waitlisted { .. } => effects.push(Effect::LeaveWaitlist),
            _ => return Err(self.wrong("PENDING, WAITLISTED or CONFIRMED")),
        }
        if let (Canceller::Resident(opening), State::Pending(_) | State::Confirmed) = (by, self.state)
            && let Gate::Over(until) = self.window.cancelling(&opening, now)
        {
            return Err(WrongState::TooLate(until));
        }
        if self.priced && matches!(self.state, State::Confirmed | State::Pending(Awaits::Hold)) {
            effects.push(Effect::Void);
        }
        Ok(Step { to: State::Cancelled, effects })
    }

    /// The resident has come.
    ///
    /// # Errors
    /// [`WrongState`] unless confirmed, or too early.
    pub fn check_in(self, now: Timestamp) -> Result<Step, WrongState> {
        match (self.state, self.window.check_in(now)) {
            (State::Confirmed, Gate::NotYet(from)) => Err(WrongState::TooEarly(from)),
            (State::Confirmed, _) => Ok(Step { to: State::CheckedIn, effects: Vec::new() }),
            _ => Err(self.wrong("CONFIRMED")),
        }
    }

    /// It was served.
    ///
    /// # Errors
    /// [`WrongState`] unless confirmed or checked in, or before the slot begins.
    pub fn complete(self, now: Timestamp) -> Result<Step, WrongState> {
        match (self.state, self.window.serving(now)) {
            (State::Confirmed | State::CheckedIn, Gate::NotYet(from)) => Err(WrongState::TooEarly(from)),
            (State::Confirmed | State::CheckedIn, _) => {
                let effects = if self.priced { vec![Effect::Capture] } else { Vec::new() };
                Ok(Step { to: State::Completed, effects })
            }
            _ => Err(self.wrong("CONFIRMED or CHECKED_IN")),
        }
    }

    /// The resident did not come. What was held is given back: a community that wants to charge does so by its rules.
    ///
    /// # Errors
    /// [`WrongState`] unless confirmed, or before the slot begins.
    pub fn no_show(self, now: Timestamp) -> Result<Step, WrongState> {
        match (self.state, self.window.serving(now)) {
            (State::Confirmed, Gate::NotYet(from)) => Err(WrongState::TooEarly(from)),
            (State::Confirmed, _) => {
                let effects = if self.priced { vec![Effect::Void] } else { Vec::new() };
                Ok(Step { to: State::NoShow, effects })
            }
            _ => Err(self.wrong("CONFIRMED")),
        }
    }

    /// A seat has become free for a waiting booking.
    ///
    /// # Errors
    /// [`WrongState`] unless waitlisted, or after the slot began.
    pub fn promote(self, now: Timestamp) -> Result<Step, WrongState> {
        match self.state {
            State::Waitlisted { .. } if self.window.begun(now) => Err(WrongState::TooLate(self.window.start)),
            State::Waitlisted { approval } => Ok(Self::seated(approval, self.priced)),
            _ => Err(self.wrong("WAITLISTED")),
        }
    }

    /// One who waits can no longer have a seat: the decision that let them wait does not hold any more.
    ///
    /// # Errors
    /// [`WrongState`] unless waitlisted.
    pub fn turn_down(self) -> Result<Step, WrongState> {
        match self.state {
            State::Waitlisted { .. } => Ok(Step { to: State::Refused, effects: vec![Effect::LeaveWaitlist] }),
            _ => Err(self.wrong("WAITLISTED")),
        }
    }
}

#[cfg(test)]
mod tests;
