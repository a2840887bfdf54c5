//! The process is killed between every pair of steps of a priced booking, on both engines; nothing is lost, doubled or left
//! half done.

use std::fmt::Display;

use linli_harness::seed::{self, Community, request_id};
use linli_harness::{Actor, Engine, START, engines, until};
use linli_proto::booking::{
    Booking, BookingState, CancelBookingRequest, CompleteBookingRequest, CreateBookingRequest, GetBookingRequest,
    Settlement, Slot,
};

use crate::books::{units, verify};
use crate::stand::{PLACES, Standing};

const PRICE: i64 = 10;
const OPENING: i64 = 25;
/// A moment within the slot, when it can be completed.
const DURING: i64 = START.secs() + 2 * 3600 + 60;

/// Balance and held units: before the ledger was asked, while the price is held, once it was paid.
const UNTOUCHED: (i64, i64) = (OPENING, 0);
const HELD: (i64, i64) = (OPENING, PRICE);
const PAID: (i64, i64) = (OPENING - PRICE, 0);

/// A community with a priced slot; its residents have points.
struct Scene {
    standing: Standing,
    community: Community,
    slot: Slot,
}

impl Scene {
    async fn new(engine: Engine, more: &str) -> Self {
        let standing = Standing::start(engine, more).await;
        let operator = standing.suite().operator();
        let community = seed::community(&operator, "xinhua").await;
        for n in 0..PLACES.len() {
            seed::points(&operator, "xinhua", community.adult(n), OPENING).await;
        }
        let slot = seed::offering(&operator, "xinhua", "repair", 3, PRICE).await;
        Self { standing, community, slot }
    }

    async fn killed(self) -> Self {
        Self { standing: self.standing.killed().await, ..self }
    }

    fn operator(&self) -> Actor {
        self.standing.suite().operator()
    }

    fn resident(&self, n: usize) -> Actor {
        self.standing.suite().actor(self.community.adult(n))
    }

    /// Books for the n-th resident; a process that has just begun refuses until it has heard of the roles.
    async fn book(&self, n: usize, id: &str) -> Booking {
        let resident = self.resident(n);
        let booking = Booking { slot: self.slot.name.clone(), ..Default::default() };
        let request =
            CreateBookingRequest { parent: "areas/xinhua".into(), booking: Some(booking), request_id: id.to_owned() };
        let booked = || async { resident.booking().create_booking(request.clone()).await.ok() };
        until("booked", booked).await.into_inner()
    }

    /// Bookings of three residents, whose price is held.
    async fn confirmed(&self) -> Vec<Booking> {
        let mut all = Vec::new();
        for n in 0..PLACES.len() {
            let made = self.book(n, &request_id()).await;
            self.settled(n, &made.name, BookingState::Confirmed).await;
            all.push(made);
        }
        all
    }

    async fn state(&self, n: usize, name: &str) -> BookingState {
        let request = GetBookingRequest { name: name.to_owned() };
        self.resident(n).booking().get_booking(request).await.expect("the booking is there").into_inner().state()
    }

    async fn settled(&self, n: usize, name: &str, wanted: BookingState) {
        until(wanted.as_str_name(), || async { (self.state(n, name).await == wanted).then_some(()) }).await;
    }

    /// Balance and held units of the n-th resident.
    async fn units(&self, n: usize) -> (i64, i64) {
        units(&self.operator(), "points", self.community.adult(n)).await
    }

    /// Waits until booking has taken in the ledger's answer: from here on nothing of this booking passes a place again.
    async fn closed(&self, n: usize, name: &str, wanted: Settlement) {
        let resident = self.resident(n);
        let look = || async {
            let request = GetBookingRequest { name: name.to_owned() };
            let found = resident.booking().get_booking(request).await.ok()?.into_inner();
            (found.settlement() == wanted).then_some(())
        };
        until(wanted.as_str_name(), look).await;
    }

    async fn until_units(&self, n: usize, wanted: (i64, i64), cell: &impl Display) {
        until(&format!("{cell}: {wanted:?}"), || async { (self.units(n).await == wanted).then_some(()) }).await;
    }

    async fn verify(&self, cell: &impl Display) {
        verify(&self.operator(), cell).await;
    }
}

/// What the account shows while the process stands at a place: the ledger acts when it is called.
fn seen_at(place: &str, before: (i64, i64), after: (i64, i64)) -> (i64, i64) {
    if place == PLACES[0] { before } else { after }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_around_the_hold_the_booking_is_confirmed_with_one_hold() {
    for engine in engines() {
        let mut scene = Scene::new(engine, "").await;
        for (n, place) in PLACES.into_iter().enumerate() {
            let cell = format!("{engine:?}, {place}");
            scene.standing.arm(place);
            let id = request_id();
            let made = scene.book(n, &id).await;
            scene.standing.reached(place).await;
            assert_eq!(scene.state(n, &made.name).await, BookingState::Pending, "{cell}: nobody knows the answer yet");
            assert_eq!(scene.units(n).await, seen_at(place, UNTOUCHED, HELD), "{cell}: where it stands");

            scene = scene.killed().await;
            scene.settled(n, &made.name, BookingState::Confirmed).await;
            assert_eq!(scene.units(n).await, HELD, "{cell}: exactly one hold");
            assert_eq!(scene.book(n, &id).await.name, made.name, "{cell}: a repeat names the same booking");
            scene.verify(&cell).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_around_the_capture_the_price_is_paid_once() {
    for engine in engines() {
        let mut scene = Scene::new(engine, "").await;
        let bookings = scene.confirmed().await;
        scene.standing.advance_to(DURING).await;
        for (n, place) in PLACES.into_iter().enumerate() {
            let cell = format!("{engine:?}, {place}");
            scene.standing.arm(place);
            let secretary = scene.standing.suite().actor(&scene.community.secretary);
            let request = CompleteBookingRequest {
                name: bookings[n].name.clone(),
                request_id: request_id(),
                ..Default::default()
            };
            let complete = || async { secretary.booking().complete_booking(request.clone()).await.ok() };
            until("completed", complete).await;
            scene.standing.reached(place).await;
            assert_eq!(scene.units(n).await, seen_at(place, HELD, PAID), "{cell}: where it stands");

            scene = scene.killed().await;
            scene.until_units(n, PAID, &cell).await;
            scene.closed(n, &bookings[n].name, Settlement::Captured).await;
            assert_eq!(scene.state(n, &bookings[n].name).await, BookingState::Completed, "{cell}");
            scene.verify(&cell).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_around_the_void_of_a_cancelled_booking_the_price_is_given_back_once() {
    for engine in engines() {
        let mut scene = Scene::new(engine, "").await;
        let bookings = scene.confirmed().await;
        for (n, place) in PLACES.into_iter().enumerate() {
            let cell = format!("{engine:?}, {place}");
            scene.standing.arm(place);
            let resident = scene.resident(n);
            let request =
                CancelBookingRequest { name: bookings[n].name.clone(), request_id: request_id(), ..Default::default() };
            let cancel = || async { resident.booking().cancel_booking(request.clone()).await.ok() };
            until("cancelled", cancel).await;
            scene.standing.reached(place).await;
            assert_eq!(scene.units(n).await, seen_at(place, HELD, UNTOUCHED), "{cell}: where it stands");

            scene = scene.killed().await;
            scene.until_units(n, UNTOUCHED, &cell).await;
            scene.closed(n, &bookings[n].name, Settlement::Voided).await;
            assert_eq!(scene.state(n, &bookings[n].name).await, BookingState::Cancelled, "{cell}");
            scene.verify(&cell).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_around_a_hold_that_comes_after_the_reservation_ended_nothing_stays_held() {
    for engine in engines() {
        // Before the answer is committed its transaction has the booking: no reservation ends meanwhile.
        for place in &PLACES[..2] {
            let cell = format!("{engine:?}, {place}");
            let mut scene = Scene::new(engine, "").await;
            scene.standing.arm(place);
            let made = scene.book(0, &request_id()).await;
            scene.standing.reached(place).await;
            scene.standing.advance_to(DURING).await;
            scene.settled(0, &made.name, BookingState::Cancelled).await;
            assert_eq!(scene.units(0).await, seen_at(place, UNTOUCHED, HELD), "{cell}: where it stands");

            scene = scene.killed().await;
            let voided = linli_proto::points::ListHoldsRequest {
                parent: "areas/xinhua".into(),
                filter: "state = HOLD_STATE_VOIDED".into(),
                ..Default::default()
            };
            let operator = scene.operator();
            until(&format!("{cell}: the hold that came too late is given back"), || async {
                let holds = operator.points().list_holds(voided.clone()).await.ok()?.into_inner().holds;
                (holds.len() == 1).then_some(())
            })
            .await;
            assert_eq!(scene.units(0).await, UNTOUCHED, "{cell}");
            assert_eq!(scene.state(0, &made.name).await, BookingState::Cancelled, "{cell}");
            scene.verify(&cell).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_forgets_request_ids_holds_the_price_twice_and_these_tests_see_it() {
    for engine in engines() {
        let mut scene = Scene::new(engine, "idempotency::forget=return").await;
        let place = "durable::after_call";
        scene.standing.arm(place);
        let made = scene.book(0, &request_id()).await;
        scene.standing.reached(place).await;
        scene = scene.killed().await;
        scene.settled(0, &made.name, BookingState::Confirmed).await;
        assert_eq!(scene.units(0).await, (OPENING, 2 * PRICE), "{engine:?}: broken on purpose, and not unseen");
    }
}
