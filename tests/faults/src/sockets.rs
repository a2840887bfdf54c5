//! The same story with each service in a process of its own, over sockets: a caller cannot tell.

use linli_harness::seed::{self, request_id};
use linli_harness::{Processes, Spread, engines, until};
use linli_proto::booking::{Booking, BookingState, CreateBookingRequest, GetBookingRequest};

#[tokio::test(flavor = "multi_thread")]
async fn a_priced_booking_is_confirmed_across_processes_and_survives_their_death() {
    for engine in engines() {
        let suite = Processes::start(engine, Spread::Each, "").await.expect("six processes start");
        let operator = suite.operator();
        let community = seed::community(&operator, "xinhua").await;
        let resident = community.adult(0).to_owned();
        // Roles and units reach the other services through org's feed.
        until("the other services know the community", || async {
            let request =
                linli_proto::booking::ListOfferingsRequest { parent: "areas/xinhua".into(), ..Default::default() };
            suite.actor(&resident).booking().list_offerings(request).await.ok()
        })
        .await;
        seed::points(&operator, "xinhua", &resident, 25).await;
        // PostgreSQL has no manual clock: only the story up to the confirmation is played there.
        let slot = match engine {
            linli_harness::Engine::Sqlite => seed::offering(&operator, "xinhua", "repair", 2, 10).await,
            linli_harness::Engine::Postgres => {
                suite_is_alive(&suite).await;
                continue;
            }
        };
        let request = CreateBookingRequest {
            parent: "areas/xinhua".into(),
            booking: Some(Booking { slot: slot.name.clone(), ..Default::default() }),
            request_id: request_id(),
        };
        let made = suite.actor(&resident).booking().create_booking(request).await.expect("booked").into_inner();
        let suite = suite.kill_and_restart("", linli_harness::START.secs()).await.expect("six processes start again");
        let actor = suite.actor(&resident);
        until("the booking is confirmed", || async {
            let now =
                actor.booking().get_booking(GetBookingRequest { name: made.name.clone() }).await.ok()?.into_inner();
            (now.state() == BookingState::Confirmed).then_some(())
        })
        .await;
    }
}

/// On PostgreSQL with the machine's clock: the processes read each other's feeds and answer.
async fn suite_is_alive(suite: &Processes) {
    let request = linli_proto::points::ListAccountsRequest { parent: "areas/xinhua".into(), ..Default::default() };
    let accounts = suite.operator().points().list_accounts(request).await.expect("accounts").into_inner().accounts;
    assert!(accounts.iter().any(|a| a.balance == 25), "{accounts:?}");
}
