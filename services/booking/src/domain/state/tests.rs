use proptest::prelude::*;

use super::*;

const WINDOW: Window = Window { start: Timestamp::from_secs(10_000), end: Timestamp::from_secs(13_600) };
const BEFORE: Timestamp = Timestamp::from_secs(9_000);
const WITHIN: Timestamp = Timestamp::from_secs(10_000);

const STATES: [State; 10] = [
    State::Pending(Awaits::Approval),
    State::Pending(Awaits::Hold),
    State::Waitlisted { approval: false },
    State::Waitlisted { approval: true },
    State::Confirmed,
    State::CheckedIn,
    State::Completed,
    State::Cancelled,
    State::NoShow,
    State::Refused,
];

fn claim(state: State, priced: bool) -> Claim {
    Claim { state, priced, window: WINDOW }
}

#[test]
fn a_priced_booking_goes_from_hold_to_capture() {
    let step = Claim::seated(false, true);
    assert_eq!((step.to, step.effects), (State::Pending(Awaits::Hold), vec![Effect::PlaceHold]));
    let step = claim(State::Pending(Awaits::Hold), true).hold_placed();
    assert_eq!(step.to, State::Confirmed);
    let step = claim(State::Confirmed, true).complete(WITHIN).expect("completes");
    assert_eq!((step.to, step.effects), (State::Completed, vec![Effect::Capture]));
}

#[test]
fn an_approved_priced_booking_is_held_after_the_approval() {
    let step = claim(State::Pending(Awaits::Approval), true).approve(BEFORE).expect("approves");
    assert_eq!((step.to, step.effects), (State::Pending(Awaits::Hold), vec![Effect::PlaceHold]));
    let step = claim(State::Pending(Awaits::Approval), false).approve(BEFORE).expect("approves");
    assert_eq!(step.to, State::Confirmed);
}

#[test]
fn a_hold_that_comes_after_the_cancellation_is_given_back() {
    let cancelled = claim(State::Pending(Awaits::Hold), true).cancel(Canceller::Office, BEFORE).expect("cancels");
    assert!(cancelled.effects.contains(&Effect::Void) && cancelled.effects.contains(&Effect::FreeSeats));
    let late = claim(State::Cancelled, true).hold_placed();
    assert_eq!((late.to, late.effects), (State::Cancelled, vec![Effect::Void]));
}

#[test]
fn nothing_is_completed_or_missed_before_the_slot_begins() {
    for state in [State::Confirmed, State::CheckedIn] {
        assert_eq!(claim(state, false).complete(BEFORE), Err(WrongState::TooEarly(WINDOW.start)));
    }
    assert_eq!(claim(State::Confirmed, false).no_show(BEFORE), Err(WrongState::TooEarly(WINDOW.start)));
}

#[test]
fn residents_cancel_in_time_and_offices_at_any_time() {
    let opening = Opening { cancel_before_min: 120, ..Opening::default() };
    let confirmed = claim(State::Confirmed, false);
    assert!(matches!(confirmed.cancel(Canceller::Resident(opening), BEFORE), Err(WrongState::TooLate(_))));
    assert!(confirmed.cancel(Canceller::Office, BEFORE).is_ok());
    assert!(claim(State::Waitlisted { approval: false }, false).cancel(Canceller::Resident(opening), BEFORE).is_ok());
}

proptest! {
    #[test]
    fn ended_bookings_never_come_back_and_seats_are_freed_exactly_when_lost(
        start in prop::sample::select(STATES.to_vec()), priced: bool, ops in prop::collection::vec(0_u8..10, 1..12), late: bool,
    ) {
        let now = if late { WITHIN } else { BEFORE };
        let mut state = start;
        for op in ops {
            let claim = claim(state, priced);
            let step = match op {
                0 => claim.approve(now),
                1 => claim.refuse(),
                2 => Ok(claim.hold_placed()),
                3 => Ok(claim.hold_refused()),
                4 => claim.cancel(Canceller::Office, now),
                5 => claim.check_in(now),
                6 => claim.complete(now),
                7 => claim.no_show(now),
                8 => claim.turn_down(),
                _ => claim.promote(now),
            };
            let Ok(step) = step else { continue };
            if !state.open() {
                prop_assert_eq!(step.to, state);
            }
            prop_assert_eq!(step.effects.contains(&Effect::FreeSeats), state.seated() && !step.to.seated());
            if !priced {
                let touches = |e: &Effect| matches!(e, Effect::PlaceHold | Effect::Capture);
                prop_assert!(!step.effects.iter().any(touches));
            }
            state = step.to;
        }
    }
}
