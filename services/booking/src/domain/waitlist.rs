//! The order of a waitlist and who moves up when seats become free.

/// One who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting<I> {
    /// Which booking.
    pub id: I,
    /// Score of the priority rule; higher first.
    pub priority: i32,
    /// Order of arrival; lower first among equals.
    pub seq: i64,
    /// Seats wanted.
    pub party: i32,
}

/// Sorts a queue: highest priority first, then the earliest.
pub fn sort<I>(queue: &mut [Waiting<I>]) {
    queue.sort_by_key(|w| (std::cmp::Reverse(w.priority), w.seq));
}

/// Who moves up into `free` seats, in order. A party that does not fit is passed over by those behind it that do, so that no
/// seat stays empty beside somebody who could have it.
pub fn move_up<I: Copy>(free: i32, queue: &mut [Waiting<I>]) -> Vec<I> {
    sort(queue);
    let mut free = free;
    let mut up = Vec::new();
    for waiting in queue.iter() {
        if free == 0 {
            break;
        }
        if waiting.party <= free {
            free -= waiting.party;
            up.push(waiting.id);
        }
    }
    up
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::seats::{Fit, Seats, Verdict, Wish};
    use super::super::state::State;
    use super::*;

    fn waiting(id: u32, priority: i32, seq: i64, party: i32) -> Waiting<u32> {
        Waiting { id, priority, seq, party }
    }

    #[test]
    fn the_highest_priority_moves_up_first_and_the_earliest_among_equals() {
        let mut queue = [waiting(1, 0, 1, 1), waiting(2, 5, 3, 1), waiting(3, 5, 2, 1)];
        assert_eq!(move_up(2, &mut queue), [3, 2]);
    }

    #[test]
    fn a_party_that_does_not_fit_leaves_no_seat_empty() {
        let mut queue = [waiting(1, 9, 1, 3), waiting(2, 0, 2, 1)];
        assert_eq!(move_up(2, &mut queue), [2]);
    }

    #[derive(Debug, Clone)]
    enum Op {
        Book { party: i32, priority: i32 },
        Cancel(prop::sample::Index),
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let book = (1..=3_i32, -2..=2_i32).prop_map(|(party, priority)| Op::Book { party, priority });
        let cancel = any::<prop::sample::Index>().prop_map(Op::Cancel);
        prop::collection::vec(prop_oneof![3 => book, 2 => cancel], 1..60)
    }

    struct Model {
        seats: Seats,
        seated: Vec<(u32, i32)>,
        queue: Vec<Waiting<u32>>,
    }

    impl Model {
        fn book(&mut self, id: u32, party: i32, priority: i32) {
            let wish = Wish { party, verdict: Verdict::Allow, priced: false, scored: true, waitlist: true };
            match self.seats.place(&wish) {
                Fit::State { state: State::Confirmed, .. } => self.seated.push((id, party)),
                Fit::State { state: State::Waitlisted { .. }, seq } => {
                    self.queue.push(Waiting { id, priority, seq, party });
                }
                Fit::Full => assert!(party > 4, "only a party above the capacity is turned away"),
                other => panic!("{other:?}"),
            }
        }

        fn cancel(&mut self, at: &prop::sample::Index) {
            if self.seated.is_empty() {
                return;
            }
            let (_, party) = self.seated.remove(at.index(self.seated.len()));
            self.seats.give_back(party);
            for id in move_up(self.seats.free(), &mut self.queue) {
                let at = self.queue.iter().position(|w| w.id == id).expect("it waits");
                let waiting = self.queue.remove(at);
                assert!(self.seats.take(waiting.party));
                self.seats.leave();
                self.seated.push((id, waiting.party));
            }
        }
    }

    proptest! {
        #[test]
        fn seats_are_never_oversold_and_none_is_free_beside_one_who_fits(ops in ops()) {
            let mut model = Model { seats: Seats::new(4, 0, 0, 1), seated: Vec::new(), queue: Vec::new() };
            for (id, op) in ops.iter().enumerate() {
                match op {
                    Op::Book { party, priority } => model.book(u32::try_from(id).expect("small"), *party, *priority),
                    Op::Cancel(at) => model.cancel(at),
                }
                let taken: i32 = model.seated.iter().map(|(_, party)| party).sum();
                prop_assert!(taken <= 4);
                prop_assert_eq!(taken, model.seats.taken());
                prop_assert_eq!(model.queue.len(), usize::try_from(model.seats.waiting()).expect("not negative"));
                prop_assert!(model.queue.iter().all(|w| w.party > model.seats.free()));
            }
        }
    }
}
