//! The same story with each service in a process of its own, over sockets: a caller cannot tell.

use linli_harness::seed::{self, Community, request_id, text};
use linli_harness::{Actor, Processes, START, Spread, engines, rules, until};
use linli_proto::booking::{
    Booking, BookingState, CompleteBookingRequest, CreateBookingRequest, GetBookingRequest, ListOfferingsRequest,
    Server,
};
use linli_proto::points::{
    Asset, Award, AwardBinding, CreateAssetRequest, CreateAwardBindingRequest, ListAwardsRequest,
};
use linli_proto::rules::{Codes, Setting, setting};

use crate::books::{units, verify};

const PARENT: &str = "areas/xinhua";

/// Volunteers are thanked for haircuts with hearts.
async fn thanks(operator: &Actor) {
    let asset = Some(Asset { display_name: text("爱心", "Hearts"), ..Default::default() });
    let request =
        CreateAssetRequest { parent: PARENT.into(), asset, asset_id: "hearts".into(), request_id: request_id() };
    operator.points().create_asset(request).await.expect("an asset");
    let binding = AwardBinding { kinds: vec!["haircut".into()], asset: "hearts".into(), cap: 10, ..Default::default() };
    let request = CreateAwardBindingRequest {
        parent: PARENT.into(),
        award_binding: Some(binding),
        award_binding_id: "haircuts".into(),
        request_id: request_id(),
    };
    operator.points().create_award_binding(request).await.expect("a binding");
    let kinds = setting::Value::Codes(Codes { values: vec!["haircut".into()] });
    let settings = vec![Setting { key: "kinds".into(), value: Some(kinds) }];
    rules::bind(operator, "xinhua", "thanks", "points-award", &[], settings).await;
}

/// Roles and units reach the other services through org's feed.
async fn known(resident: &Actor) {
    let request = || ListOfferingsRequest { parent: PARENT.into(), ..Default::default() };
    until("booking knows the community", || async { resident.booking().list_offerings(request()).await.ok() }).await;
}

/// A priced haircut whose price is held.
async fn booked(suite: &Processes, resident: &Actor) -> String {
    let slot = seed::offering(&suite.operator(), "xinhua", "haircut", 2, 10).await;
    let request = CreateBookingRequest {
        parent: PARENT.into(),
        booking: Some(Booking { slot: slot.name, ..Default::default() }),
        request_id: request_id(),
    };
    let name = resident.booking().create_booking(request).await.expect("booked").into_inner().name;
    until("the booking is confirmed", || async {
        let request = GetBookingRequest { name: name.clone() };
        let now = resident.booking().get_booking(request).await.ok()?.into_inner();
        (now.state() == BookingState::Confirmed).then_some(())
    })
    .await;
    name
}

async fn completed(suite: &Processes, community: &Community, booking: &str, volunteer: &str) {
    let secretary = suite.actor(&community.secretary);
    let server = Server { person: volunteer.to_owned(), role: "volunteer".into(), ..Default::default() };
    let request = CompleteBookingRequest { name: booking.to_owned(), servers: vec![server], request_id: request_id() };
    let complete = || async { secretary.booking().complete_booking(request.clone()).await.ok() };
    until("booking knows the roles again", complete).await;
}

async fn awarded(volunteer: &Actor) -> Award {
    let request = || ListAwardsRequest { parent: PARENT.into(), ..Default::default() };
    until("the volunteer is thanked", || async {
        volunteer.points().list_awards(request()).await.ok()?.into_inner().awards.pop()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_haircut_is_booked_paid_completed_and_thanked_for_across_processes_that_die_in_between() {
    for engine in engines() {
        let suite = Processes::start(engine, Spread::Each, "").await.expect("six processes start");
        let operator = suite.operator();
        let community = seed::community(&operator, "xinhua").await;
        let (resident, volunteer) = (community.adult(0), community.adult(1));
        known(&suite.actor(resident)).await;
        seed::points(&operator, "xinhua", resident, 25).await;
        thanks(&operator).await;
        let booking = booked(&suite, &suite.actor(resident)).await;
        assert_eq!(units(&operator, "points", resident).await, (25, 10), "{engine:?}: the price is held");

        let during = START.secs() + 2 * 3600 + 60;
        let suite = suite.kill_and_restart("", during).await.expect("six processes start again");
        completed(&suite, &community, &booking, volunteer).await;
        let award = awarded(&suite.actor(volunteer)).await;
        assert_eq!((award.recipient.as_str(), award.source.as_str()), (volunteer, booking.as_str()));
        let operator = suite.operator();
        let hearts = units(&operator, "hearts", volunteer).await.0;
        assert_eq!(Some(hearts), award.amount.map(|amount| amount.value), "{engine:?}");
        until("the price is paid", || async { (units(&operator, "points", resident).await == (15, 0)).then_some(()) })
            .await;
        verify(&operator, &format!("{engine:?}")).await;
    }
}
