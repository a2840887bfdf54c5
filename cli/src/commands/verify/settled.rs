//! Holds and bookings say the same: what was served is paid, what is over holds nothing.

use std::collections::{HashMap, HashSet};

use linli_kernel::Lang;
use linli_proto::booking::{Booking, BookingState, Settlement};
use linli_proto::points::{Hold, HoldState};

use super::Check;
use super::cross::check;

/// Joins holds with the bookings that caused them.
pub(super) fn settled(bookings: &[Booking], holds: &[Hold], lang: Lang) -> Check {
    let known: HashMap<&str, &Booking> = bookings.iter().map(|b| (b.name.as_str(), b)).collect();
    let caused: Vec<&Hold> = holds.iter().filter(|hold| hold.cause.contains("/bookings/")).collect();
    let mut wrong: Vec<String> = caused
        .iter()
        .filter_map(|hold| match known.get(hold.cause.as_str()) {
            None => Some(format!("{}: {} does not exist", hold.name, hold.cause)),
            Some(booking) if fits(booking, hold) => None,
            Some(booking) => Some(format!(
                "{} is {}, and {} is {}",
                hold.name,
                hold.state().as_str_name(),
                booking.name,
                booking.state().as_str_name()
            )),
        })
        .collect();
    let names: HashSet<&str> = holds.iter().map(|hold| hold.name.as_str()).collect();
    let priced = |b: &&Booking| b.price.as_ref().is_some_and(|price| price.value > 0);
    let unpaid = bookings.iter().filter(priced).filter(|b| {
        let served = b.state() == BookingState::Completed;
        !b.hold.is_empty() && !names.contains(b.hold.as_str()) || served && b.hold.is_empty()
    });
    wrong.extend(unpaid.map(|booking| format!("{} has a price and not the hold {:?}", booking.name, booking.hold)));
    let title =
        ("完成的付费预约已扣款，结束的预约不再冻结", "What was served is captured, and what is over holds nothing");
    check("suite.holds-follow-bookings", title, lang, caused.len(), wrong)
}

/// Whether a hold stands where its booking's state wants it.
fn fits(booking: &Booking, hold: &Hold) -> bool {
    use BookingState as B;
    let own = booking.hold == hold.name;
    // The ledger has refused, and booking says so itself.
    let failed = booking.settlement() == Settlement::Failed;
    match hold.state() {
        // The name of a hold reaches its booking a moment after the hold is placed.
        HoldState::Placed => {
            matches!(booking.state(), B::Pending) || own && matches!(booking.state(), B::Confirmed | B::CheckedIn)
        }
        HoldState::Captured => own && booking.state() == B::Completed,
        HoldState::Voided => !own || failed || matches!(booking.state(), B::Cancelled | B::Refused | B::NoShow),
        HoldState::Expired => !own || failed || booking.state() != B::Completed,
        HoldState::Unspecified => false,
    }
}

#[cfg(test)]
mod tests {
    use linli_proto::common::Amount;

    use super::*;

    const NAME: &str = "areas/x/bookings/b";

    fn judged(state: BookingState, hold: HoldState, settlement: Settlement) -> usize {
        let booking = Booking {
            name: NAME.into(),
            state: state.into(),
            hold: "h".into(),
            settlement: settlement.into(),
            price: Some(Amount { asset: "points".into(), value: 10 }),
            ..Booking::default()
        };
        let hold = Hold { name: "h".into(), cause: NAME.into(), state: hold.into(), ..Hold::default() };
        settled(&[booking], &[hold], Lang::En).violations.len()
    }

    #[test]
    fn completed_is_captured_and_what_is_over_is_not_placed() {
        let plain = Settlement::Unspecified;
        for (state, hold) in [
            (BookingState::Confirmed, HoldState::Placed),
            (BookingState::Completed, HoldState::Captured),
            (BookingState::Cancelled, HoldState::Voided),
            (BookingState::NoShow, HoldState::Voided),
            (BookingState::Refused, HoldState::Expired),
        ] {
            assert_eq!(judged(state, hold, plain), 0, "{state:?} {hold:?}");
        }
        for (state, hold) in [
            (BookingState::Completed, HoldState::Placed),
            (BookingState::Completed, HoldState::Voided),
            (BookingState::Completed, HoldState::Expired),
            (BookingState::Cancelled, HoldState::Placed),
            (BookingState::Cancelled, HoldState::Captured),
            (BookingState::Confirmed, HoldState::Voided),
        ] {
            assert_eq!(judged(state, hold, plain), 1, "{state:?} {hold:?}");
        }
        assert_eq!(
            judged(BookingState::Completed, HoldState::Expired, Settlement::Failed),
            0,
            "booking says so itself"
        );
    }

    #[test]
    fn a_hold_without_its_booking_and_a_booking_without_its_hold_are_seen() {
        let hold = Hold { name: "h".into(), cause: NAME.into(), state: HoldState::Voided.into(), ..Hold::default() };
        assert_eq!(settled(&[], &[hold], Lang::En).violations.len(), 1);
        let booking = Booking {
            name: NAME.into(),
            state: BookingState::Completed.into(),
            price: Some(Amount { asset: "points".into(), value: 10 }),
            ..Booking::default()
        };
        assert_eq!(settled(&[booking], &[], Lang::En).violations.len(), 1);
    }
}
