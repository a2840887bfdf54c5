//! Places that areas take in turn: whoever waits longest of the next area comes first, and no area has them all, so that none
//! starves another.
//! Never: a place that stays taken; a turn gives it back when it is dropped.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// So many places; cheap to clone.
#[derive(Clone)]
pub(super) struct Turns(Arc<Mutex<State>>);

struct State {
    free: usize,
    /// Places that one area has at once at most.
    most: usize,
    /// Places that areas have; no area without any.
    taken: HashMap<String, usize>,
    /// Each waiting area once, the next one first.
    order: VecDeque<String>,
    /// Those who wait, by area; no area without any.
    waiting: HashMap<String, VecDeque<oneshot::Sender<Turn>>>,
}

/// A place that an area has.
pub(super) struct Turn(Option<(Turns, String)>);

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some((turns, area)) = self.0.take() {
            turns.pass_on(area);
        }
    }
}

impl Turns {
    /// So many places, of which an area has so many at once at most.
    pub(super) fn new(places: usize, most: usize) -> Self {
        let (order, taken, waiting) = (VecDeque::new(), HashMap::new(), HashMap::new());
        Self(Arc::new(Mutex::new(State { free: places, most, taken, order, waiting })))
    }

    /// Waits for a place. Whoever gives up waiting loses nothing but its place in the queue.
    pub(super) async fn take(&self, area: &str) -> Turn {
        let called = {
            let mut state = self.0.lock();
            if state.free > 0 && state.may_have(area) {
                state.free -= 1;
                *state.taken.entry(area.to_owned()).or_default() += 1;
                return Turn(Some((self.clone(), area.to_owned())));
            }
            let (call, called) = oneshot::channel();
            if !state.waiting.contains_key(area) {
                state.order.push_back(area.to_owned());
            }
            state.waiting.entry(area.to_owned()).or_default().push_back(call);
            called
        };
        match called.await {
            Ok(turn) => turn,
            // The caller is in the queue until it is called; nobody drops it there.
            Err(_) => Turn(None),
        }
    }

    /// Hands an area's place to the next that still waits.
    fn pass_on(&self, mut area: String) {
        loop {
            let next = {
                let mut state = self.0.lock();
                state.give_back(&area);
                let next = state.next();
                if next.is_none() {
                    state.free += 1;
                }
                next
            };
            let Some((to, next)) = next else { return };
            match next.send(Turn(Some((self.clone(), to.clone())))) {
                Ok(()) => return,
                // Gone meanwhile: the place is still ours to hand on.
                Err(mut turn) => drop(turn.0.take()),
            }
            area = to;
        }
    }
}

impl State {
    fn may_have(&self, area: &str) -> bool {
        self.taken.get(area).is_none_or(|taken| *taken < self.most)
    }

    fn give_back(&mut self, area: &str) {
        if let Some(taken) = self.taken.get_mut(area) {
            *taken -= 1;
            if *taken == 0 {
                self.taken.remove(area);
            }
        }
    }

    /// The next whose area may have a place, which it has now.
    fn next(&mut self) -> Option<(String, oneshot::Sender<Turn>)> {
        let at = self.order.iter().position(|area| self.may_have(area))?;
        let area = self.order.remove(at)?;
        let mut queue = self.waiting.remove(&area)?;
        let next = queue.pop_front()?;
        if !queue.is_empty() {
            self.waiting.insert(area.clone(), queue);
            self.order.push_back(area.clone());
        }
        *self.taken.entry(area.clone()).or_default() += 1;
        Some((area, next))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use futures::future::BoxFuture;

    use super::*;

    /// Somebody of an area who waits already.
    fn queued<'a>(turns: &'a Turns, area: &'a str) -> BoxFuture<'a, Turn> {
        let mut waiting = turns.take(area).boxed();
        assert!((&mut waiting).now_or_never().is_none(), "{area} must wait");
        waiting
    }

    fn is_called(waiting: &mut BoxFuture<'_, Turn>) -> Option<Turn> {
        waiting.now_or_never()
    }

    #[test]
    fn a_single_area_gets_every_place() {
        let turns = Turns::new(2, 2);
        let taken: Vec<Turn> = (0..2).filter_map(|_| turns.take("a").now_or_never()).collect();
        assert_eq!(taken.len(), 2);
        let mut third = queued(&turns, "a");
        drop(taken);
        assert!(is_called(&mut third).is_some());
    }

    #[test]
    fn a_crowd_leaves_a_place_to_its_neighbours() {
        let turns = Turns::new(2, 1);
        let held = turns.take("crowd").now_or_never().expect("free");
        let mut second = queued(&turns, "crowd");
        let neighbour = turns.take("neighbour").now_or_never().expect("one place is left");
        drop(neighbour);
        assert!(is_called(&mut second).is_none(), "the crowd has what it may have");
        assert!(turns.take("another").now_or_never().is_some());
        drop(held);
        assert!(is_called(&mut second).is_some());
    }

    #[test]
    fn an_area_that_asks_once_waits_for_one_turn_of_a_crowd() {
        let turns = Turns::new(1, 1);
        let held = turns.take("crowd").now_or_never().expect("free");
        let mut crowd: Vec<_> = (0..3).map(|_| queued(&turns, "crowd")).collect();
        let mut neighbour = queued(&turns, "neighbour");
        drop(held);
        let first = is_called(&mut crowd[0]).expect("it waited longest");
        assert!(is_called(&mut neighbour).is_none());
        drop(first);
        assert!(is_called(&mut crowd[1]).is_none(), "not again before the neighbour");
        assert!(is_called(&mut neighbour).is_some());
    }

    #[test]
    fn who_gives_up_leaves_the_place_to_the_next() {
        let turns = Turns::new(1, 1);
        let held = turns.take("a").now_or_never().expect("free");
        let gone = queued(&turns, "a");
        let mut stays = queued(&turns, "b");
        let called_and_gone = queued(&turns, "c");
        drop(gone);
        drop(held);
        drop(is_called(&mut stays).expect("the first that still waits"));
        // It was called in the very moment in which it left.
        drop(called_and_gone);
        assert!(turns.take("d").now_or_never().is_some(), "no place was lost");
    }
}
