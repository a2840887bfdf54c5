//! The seats of one slot, and where a decided wish for some of them goes.

use super::state::{Claim, State};

/// What the rules say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody objects.
    Allow,
    /// A person must approve.
    NeedsApproval,
    /// Refused.
    Deny,
}

/// The seats of a slot. Invariant: `0 <= taken <= capacity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seats {
    capacity: i32,
    taken: i32,
    waiting: i32,
    next_seq: i64,
}

/// A wish that the rules have decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// Seats.
    pub party: i32,
    /// What the rules say.
    pub verdict: Verdict,
    /// Whether it costs something.
    pub priced: bool,
    /// Whether its priority was evaluated.
    pub scored: bool,
    /// Whether a full slot keeps a waitlist.
    pub waitlist: bool,
}

/// Where a wish goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// To this state; `seq` is its place in the order of the waitlist when it waits.
    State {
        /// The state.
        state: State,
        /// Order of arrival on the waitlist; 0 otherwise.
        seq: i64,
    },
    /// Nowhere: the slot is full and keeps no waitlist.
    Full,
    /// It must be decided again: it has to wait and its priority is not known.
    Unscored,
}

impl Seats {
    /// Seats as they are stored.
    pub fn new(capacity: i32, taken: i32, waiting: i32, next_seq: i64) -> Self {
        Self { capacity, taken, waiting, next_seq }
    }

    /// Seats that nobody has.
    pub fn free(&self) -> i32 {
        (self.capacity - self.taken).max(0)
    }

    /// Seats reserved or taken.
    pub fn taken(&self) -> i32 {
        self.taken
    }

    /// Bookings that wait.
    pub fn waiting(&self) -> i32 {
        self.waiting
    }

    /// Next number on the waitlist.
    pub fn next_seq(&self) -> i64 {
        self.next_seq
    }

    /// Finds the place of a wish and takes it.
    pub fn place(&mut self, wish: &Wish) -> Fit {
        if wish.verdict == Verdict::Deny {
            return Fit::State { state: State::Refused, seq: 0 };
        }
        let approval = wish.verdict == Verdict::NeedsApproval;
        if self.take(wish.party) {
            return Fit::State { state: Claim::seated(approval, wish.priced).to, seq: 0 };
        }
        // A party that no slot of this size could ever seat must not wait for ever.
        if !wish.waitlist || wish.party > self.capacity {
            return Fit::Full;
        }
        if !wish.scored {
            return Fit::Unscored;
        }
        self.waiting += 1;
        self.next_seq += 1;
        Fit::State { state: State::Waitlisted { approval }, seq: self.next_seq - 1 }
    }

    /// Takes seats when there are enough.
    pub fn take(&mut self, party: i32) -> bool {
        let fits = party > 0 && party <= self.free();
        if fits {
            self.taken += party;
        }
        fits
    }

    /// Gives seats back.
    pub fn give_back(&mut self, party: i32) {
        self.taken = (self.taken - party).max(0);
    }

    /// One booking leaves the waitlist.
    pub fn leave(&mut self) {
        self.waiting = (self.waiting - 1).max(0);
    }
}
