//! What booking's feed tells is what booking's rows say, and who waits moves up in the order of the rule's scores.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use linli_kernel::Lang;
use linli_proto::booking::{Booking, BookingState};

use super::Check;
use super::cross::{Change, Served, check, order};
use super::thanked::in_force;
use crate::client::Connection;

/// An instant of the feed: position and time.
type Moment = (i64, (i64, i32));

/// The last change that was told of a booking came to its present state, and each began where the one before ended.
pub(super) fn told(bookings: &[Booking], served: &Served, lang: Lang) -> Check {
    let mut last: HashMap<&str, &Change> = HashMap::new();
    let mut wrong = Vec::new();
    for change in &served.changes {
        let before = last.insert(change.told.booking.as_str(), change);
        if before.is_some_and(|before| before.told.state != change.told.previous_state) {
            wrong.push(format!("{}: the change at {} follows another state", change.told.booking, change.position));
        }
    }
    // Events of areas that the caller may not read are not there for anybody's bookings.
    let areas: HashSet<&str> = served.changes.iter().map(|change| change.area.as_str()).collect();
    let mut checked = 0;
    for booking in bookings.iter().filter(|b| areas.contains(area_of(&b.name))) {
        let told = last.get(booking.name.as_str());
        let kept = match (served.kept_from, booking.create_time) {
            (Some(from), Some(at)) => order(at) >= from,
            _ => true,
        };
        match told {
            None if !kept => continue,
            None => wrong.push(format!("{}: the feed does not tell of it", booking.name)),
            Some(change) if change.told.state != booking.state => {
                let (told, is) = (change.told.state().as_str_name(), booking.state().as_str_name());
                wrong.push(format!("{} is {is}, the feed tells {told}", booking.name));
            }
            Some(_) => {}
        }
        checked += 1;
    }
    // Changes of other areas were seen as well; they are judged with their own bookings.
    let own: HashSet<&str> = bookings.iter().map(|b| b.name.as_str()).collect();
    wrong.retain(|text| own.iter().any(|name| text.starts_with(name)));
    let title = ("事件流所述与预约现状一致", "The feed tells every booking as it is");
    check("suite.feed-tells-bookings", title, lang, checked, wrong)
}

fn area_of(name: &str) -> &str {
    name.split("/bookings/").next().unwrap_or_default()
}

/// A stay on a waitlist, and whether it ended with a seat.
#[derive(Debug, Clone)]
struct Stay {
    booking: String,
    from: Moment,
    until: Option<Moment>,
    moved_up: bool,
}

/// The stays on the waitlist of each slot of an area, or of all.
fn stays(served: &Served, known: &HashMap<&str, &Booking>) -> HashMap<String, Vec<Stay>> {
    let mut slots: HashMap<String, Vec<Stay>> = HashMap::new();
    for change in served.changes.iter().filter(|change| known.contains_key(change.told.booking.as_str())) {
        let (told, moment) = (&change.told, (change.position, change.at));
        let stays = slots.entry(told.slot.clone()).or_default();
        if told.previous_state() == BookingState::Waitlisted {
            let open = stays.iter_mut().rev().find(|stay| stay.booking == told.booking && stay.until.is_none());
            if let Some(stay) = open {
                stay.until = Some(moment);
                stay.moved_up = matches!(told.state(), BookingState::Confirmed | BookingState::Pending);
            }
        }
        if told.state() == BookingState::Waitlisted {
            let stay = Stay { booking: told.booking.clone(), from: moment, until: None, moved_up: false };
            stays.push(stay);
        }
    }
    slots
}

/// Nobody moves up past somebody who waited then, had a higher score and fitted into the seats.
pub(super) async fn promoted(connection: &Connection, bookings: &[Booking], served: &Served) -> Result<Check> {
    let known: HashMap<&str, &Booking> = bookings.iter().map(|b| (b.name.as_str(), b)).collect();
    let mut slots = stays(served, &known);
    for stays in slots.values_mut().filter(|stays| stays.iter().any(|stay| stay.moved_up)) {
        let Some(booking) = stays.first().and_then(|stay| known.get(stay.booking.as_str())) else { continue };
        let kind = served.changes.iter().find(|change| change.told.booking == booking.name);
        let kind = kind.map(|change| change.told.kind.as_str()).unwrap_or_default();
        // Scores are those of the rules in force; of a time before them nothing is known.
        let rules = in_force(connection, area_of(&booking.name), "booking-priority", kind).await?;
        let since = rules.iter().filter_map(|rule| rule.update_time).map(order).max().unwrap_or_default();
        stays.retain(|stay| stay.from.1 >= since);
    }
    Ok(overtaken(&slots, &known, connection.lang()))
}

fn overtaken(slots: &HashMap<String, Vec<Stay>>, known: &HashMap<&str, &Booking>, lang: Lang) -> Check {
    let (mut checked, mut wrong) = (0, Vec::new());
    for stays in slots.values() {
        for up in stays.iter().filter(|stay| stay.moved_up) {
            let (Some(when), Some(booking)) = (up.until, known.get(up.booking.as_str())) else { continue };
            checked += 1;
            let passed = stays.iter().filter(|other| waited(other, when)).filter_map(|other| {
                let other = known.get(other.booking.as_str())?;
                let before = other.priority > booking.priority && other.party <= booking.party;
                before.then(|| format!("{} moved up past {}", booking.name, other.name))
            });
            wrong.extend(passed);
        }
    }
    let title = ("候补按优先级递补，无人被越过", "Nobody moves up past one who waited with a higher score");
    check("suite.waitlist-order", title, lang, checked, wrong)
}

/// Whether a stay surely lay around a moment: positions of different bookings and clocks of different replicas both say so.
fn waited(stay: &Stay, when: Moment) -> bool {
    let before = |a: Moment, b: Moment| a.0 < b.0 && a.1 < b.1;
    before(stay.from, when) && stay.until.is_none_or(|until| before(when, until))
}

#[cfg(test)]
mod tests {
    use linli_proto::booking::BookingChanged;

    use super::*;

    fn change(position: i64, booking: &str, previous: BookingState, state: BookingState) -> Change {
        let told = BookingChanged {
            booking: format!("areas/x/bookings/{booking}"),
            slot: "s".into(),
            previous_state: previous.into(),
            state: state.into(),
            ..BookingChanged::default()
        };
        Change { event: position.to_string(), position, at: (position, 0), area: "areas/x".into(), told }
    }

    fn booking(id: &str, state: BookingState, priority: i32) -> Booking {
        let name = format!("areas/x/bookings/{id}");
        Booking { name, state: state.into(), priority, party: 1, ..Booking::default() }
    }

    const NEW: BookingState = BookingState::Unspecified;
    const WAITS: BookingState = BookingState::Waitlisted;
    const SEATED: BookingState = BookingState::Confirmed;

    #[test]
    fn who_moves_up_past_a_higher_score_is_seen() {
        let changes = vec![change(1, "a", NEW, WAITS), change(2, "b", NEW, WAITS), change(3, "a", WAITS, SEATED)];
        let served = Served { changes, ..Served::default() };
        let judged = |a: i32, b: i32| {
            let bookings = [booking("a", SEATED, a), booking("b", WAITS, b)];
            let known = bookings.iter().map(|b| (b.name.as_str(), b)).collect();
            let found = overtaken(&stays(&served, &known), &known, Lang::En);
            (found.checked, found.violations.len())
        };
        assert_eq!(judged(5, 0), (1, 0));
        assert_eq!(judged(0, 0), (1, 0), "among equals the feed does not say who came first");
        assert_eq!(judged(0, 5), (1, 1));
    }

    #[test]
    fn who_had_left_or_came_later_was_not_passed() {
        let changes = vec![
            change(1, "a", NEW, WAITS),
            change(2, "b", NEW, WAITS),
            change(3, "b", WAITS, BookingState::Cancelled),
            change(4, "a", WAITS, SEATED),
            change(5, "c", NEW, WAITS),
        ];
        let served = Served { changes, ..Served::default() };
        let bookings = [booking("a", SEATED, 0), booking("b", BookingState::Cancelled, 9), booking("c", WAITS, 9)];
        let known = bookings.iter().map(|b| (b.name.as_str(), b)).collect();
        assert_eq!(overtaken(&stays(&served, &known), &known, Lang::En).violations, Vec::<String>::new());
    }

    #[test]
    fn an_event_that_is_missing_or_tells_something_else_is_seen() {
        let told_of = |changes: Vec<Change>, bookings: &[Booking]| {
            told(bookings, &Served { changes, ..Served::default() }, Lang::En).violations.len()
        };
        let made = || change(1, "a", NEW, SEATED);
        assert_eq!(told_of(vec![made()], &[booking("a", SEATED, 0)]), 0);
        assert_eq!(told_of(vec![made()], &[booking("a", BookingState::Completed, 0)]), 1, "completed and not told");
        assert_eq!(told_of(vec![made()], &[booking("a", SEATED, 0), booking("b", SEATED, 0)]), 1, "not told at all");
        let skipped = change(2, "a", BookingState::CheckedIn, BookingState::Completed);
        assert_eq!(told_of(vec![made(), skipped], &[booking("a", BookingState::Completed, 0)]), 1, "one is missing");
    }
}
