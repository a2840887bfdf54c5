//! The process is killed between every pair of steps of a priced booking; nothing is lost, doubled or left half done.

use linli_harness::seed::{self, Community, request_id};
use linli_harness::{Actor, Engine, Processes, START, Spread, until};
use linli_proto::booking::{
    Booking, BookingState, CancelBookingRequest, CreateBookingRequest, GetBookingRequest, Slot,
};
use linli_proto::common::VerifyInvariantsRequest;
use linli_proto::points::{Account, GetAccountRequest};

const PRICE: i64 = 10;
const OPENING: i64 = 25;

struct Scene {
    suite: Processes,
    community: Community,
    slot: Slot,
}

async fn scene(fail_points: &str) -> Scene {
    let suite = Processes::start(Engine::Sqlite, Spread::One, fail_points).await.expect("the suite starts");
    let operator = suite.operator();
    let community = seed::community(&operator, "xinhua").await;
    seed::points(&operator, "xinhua", community.adult(0), OPENING).await;
    let slot = seed::offering(&operator, "xinhua", "repair", 3, PRICE).await;
    Scene { suite, community, slot }
}

fn create(scene: &Scene, id: &str) -> CreateBookingRequest {
    CreateBookingRequest {
        parent: "areas/xinhua".into(),
        booking: Some(Booking {
            slot: scene.slot.name.clone(),
            resident: scene.community.adult(0).to_owned(),
            ..Default::default()
        }),
        request_id: id.to_owned(),
    }
}

async fn booking(actor: &Actor, name: &str) -> Booking {
    let request = GetBookingRequest { name: name.to_owned() };
    actor.booking().get_booking(request).await.expect("the booking is there").into_inner()
}

async fn account(operator: &Actor, community: &Community) -> Account {
    let holder = community.adult(0).rsplit('/').next().expect("an id");
    let request = GetAccountRequest { name: format!("areas/xinhua/accounts/points.{holder}") };
    operator.points().get_account(request).await.expect("the account is there").into_inner()
}

/// The books of both services hold.
async fn verify(operator: &Actor) {
    let request = || VerifyInvariantsRequest { parent: "areas/xinhua".into() };
    let booking = operator.booking().verify_invariants(request()).await.expect("booking verifies").into_inner();
    let points = operator.points().verify_invariants(request()).await.expect("points verifies").into_inner();
    for check in booking.checks.into_iter().chain(points.checks) {
        assert!(check.violations.is_empty(), "{}: {:?}", check.invariant, check.violations);
    }
}

async fn settled(actor: &Actor, name: &str, wanted: BookingState) -> Booking {
    until("the booking settles", || async {
        let now = booking(actor, name).await;
        (now.state() == wanted).then_some(now)
    })
    .await
}

/// Books while the process stands still at `point`, kills it there, starts it again without the stop.
async fn killed_while_holding(point: &str) {
    let scene = scene(&format!("{point}=pause")).await;
    let id = request_id();
    let resident = scene.suite.actor(scene.community.adult(0));
    let made = resident.booking().create_booking(create(&scene, &id)).await.expect("booked").into_inner();
    assert_eq!(made.state(), BookingState::Pending, "the hold is not settled while the process stands at {point}");
    let Scene { suite, community, slot } = scene;
    let suite = suite.kill_and_restart("", START.secs()).await.expect("the suite starts again");
    let scene = Scene { suite, community, slot };
    let resident = scene.suite.actor(scene.community.adult(0));
    let now = settled(&resident, &made.name, BookingState::Confirmed).await;
    assert!(!now.hold.is_empty(), "a confirmed priced booking names its hold");
    // A process that has just begun refuses changes until it has heard of the roles.
    let again =
        until("a repeat is answered", || async { resident.booking().create_booking(create(&scene, &id)).await.ok() })
            .await
            .into_inner();
    assert_eq!(again.name, made.name, "a repeat names the same booking");
    let operator = scene.suite.operator();
    let held = account(&operator, &scene.community).await;
    assert_eq!((held.balance, held.held), (OPENING, PRICE), "exactly one hold, killed at {point}");
    verify(&operator).await;

    let cancel = CancelBookingRequest { name: made.name.clone(), ..Default::default() };
    resident.booking().cancel_booking(cancel).await.expect("cancelled");
    until("the hold is given back", || async {
        let now = account(&operator, &scene.community).await;
        (now.held == 0 && now.balance == OPENING).then_some(())
    })
    .await;
    verify(&operator).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_hold_is_asked_for_the_booking_is_confirmed_with_one_hold() {
    killed_while_holding("durable::before_call").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_hold_was_placed_the_booking_is_confirmed_with_one_hold() {
    killed_while_holding("durable::after_call").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_answer_is_committed_the_booking_is_confirmed_with_one_hold() {
    killed_while_holding("durable::after_apply").await;
}

/// Completes while the process stands still at `point`, kills it there, starts it again.
async fn killed_while_capturing(point: &str) {
    let scene = scene("").await;
    let resident = scene.suite.actor(scene.community.adult(0));
    let made = resident.booking().create_booking(create(&scene, &request_id())).await.expect("booked").into_inner();
    settled(&resident, &made.name, BookingState::Confirmed).await;
    let Scene { suite, community, slot } = scene;
    let during = START.secs() + 2 * 3600 + 60;
    let suite = suite.kill_and_restart(&format!("{point}=pause"), during).await.expect("starts again");
    let secretary = suite.actor(&community.secretary);
    let complete = linli_proto::booking::CompleteBookingRequest { name: made.name.clone(), ..Default::default() };
    // A process that has just begun refuses changes until it has heard of the roles.
    until("booking knows the roles again", || async {
        secretary.booking().complete_booking(complete.clone()).await.ok()
    })
    .await;
    let suite = suite.kill_and_restart("", during).await.expect("starts again");
    let scene = Scene { suite, community, slot };
    let operator = scene.suite.operator();
    until("the hold is captured", || async {
        let now = account(&operator, &scene.community).await;
        (now.held == 0 && now.balance == OPENING - PRICE).then_some(())
    })
    .await;
    verify(&operator).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_capture_the_price_is_paid_once() {
    killed_while_capturing("durable::before_call").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_capture_the_price_is_paid_once() {
    killed_while_capturing("durable::after_call").await;
}
