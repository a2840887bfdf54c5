//! What several stories need: a barber with slots, many residents, a rule that is bound.

use linli_harness::seed::{request_id, text};
use linli_harness::{Actor, plugin_validator, until};
use linli_proto::booking as pb;
use linli_proto::{org, rules};

const PARENT: &str = "areas/xinhua";

/// An offering that is free and for everybody.
pub(crate) fn haircut() -> pb::Offering {
    pb::Offering {
        display_name: text("义剪", "Haircut"),
        service_list: pb::ServiceList::SocialWelfare.into(),
        mode: pb::Mode::Seat.into(),
        kind: "haircut".into(),
        ..Default::default()
    }
}

/// Makes the offering `haircut` at a station with a daily slot of so many chairs; answers the slots in order of time.
pub(crate) async fn barber(op: &Actor, offering: pb::Offering, chairs: i32) -> Vec<pb::Slot> {
    let request = pb::CreateOfferingRequest {
        parent: PARENT.into(),
        offering: Some(offering),
        offering_id: "haircut".into(),
        request_id: request_id(),
    };
    let offering = op.booking().create_offering(request).await.expect("an offering").into_inner();
    let station =
        pb::Station { display_name: text("驿站", "Hut"), kind: "micro-station".into(), ..Default::default() };
    let request = pb::CreateStationRequest {
        parent: PARENT.into(),
        station: Some(station),
        station_id: "hut".into(),
        request_id: request_id(),
    };
    let station = op.booking().create_station(request).await.expect("a station").into_inner();
    let schedule = pb::Schedule {
        offering: offering.name,
        station: station.name,
        rrule: "FREQ=DAILY".into(),
        start_local: "2026-11-03T09:00".into(),
        duration_min: 60,
        capacity: chairs,
        horizon_days: 25,
        ..Default::default()
    };
    let request = pb::CreateScheduleRequest {
        parent: PARENT.into(),
        schedule: Some(schedule),
        schedule_id: "daily".into(),
        request_id: request_id(),
    };
    op.booking().create_schedule(request).await.expect("a schedule");
    let request = pb::ListSlotsRequest { parent: PARENT.into(), page_size: 1000, ..Default::default() };
    let mut slots = until("slots", || async {
        let slots = op.booking().list_slots(request.clone()).await.ok()?.into_inner().slots;
        (slots.len() >= 20).then_some(slots)
    })
    .await;
    slots.sort_by_key(|slot| slot.start_time.map(|t| t.seconds));
    slots
}

/// So many more residents, two in a household.
pub(crate) async fn residents(op: &Actor, count: usize) -> Vec<String> {
    let person = |birth_year: i32| org::Person { full_name: "赵一".into(), birth_year, ..Default::default() };
    let draft = |n: usize| org::HouseholdDraft {
        household: Some(org::Household {
            unit: format!("{PARENT}/units/grid-2"),
            import_key: format!("more-{n}"),
            ..Default::default()
        }),
        people: vec![person(1950), person(1990)],
        request_id: request_id(),
    };
    let request = org::BatchCreateHouseholdsRequest {
        parent: PARENT.into(),
        requests: (0..count.div_ceil(2)).map(draft).collect(),
    };
    let made = op.org().batch_create_households(request).await.expect("households").into_inner();
    made.households.into_iter().flat_map(|h| h.people).map(|p| p.name).take(count).collect()
}

/// A booking by its resident.
pub(crate) async fn book(resident: &Actor, slot: &str, request_id: String) -> Result<pb::Booking, tonic::Status> {
    let booking = Some(pb::Booking { slot: slot.into(), ..Default::default() });
    let request = pb::CreateBookingRequest { parent: PARENT.into(), booking, request_id };
    resident.booking().create_booking(request).await.map(tonic::Response::into_inner)
}

/// Uploads, validates and binds the haircut rule: one a month.
pub(crate) async fn one_a_month(op: &Actor) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/target/components/haircut.wasm");
    let component = std::fs::read(path).unwrap_or_else(|e| panic!("{path}: {e}: build it with `cargo xtask plugins`"));
    assert!(plugin_validator().exists(), "build it first: cargo build -p linli-rules --bin linli-validate-worker");
    let plugin = Some(rules::Plugin { display_name: text("义剪", "Haircut"), ..Default::default() });
    let request = rules::CreatePluginRequest {
        parent: PARENT.into(),
        plugin,
        plugin_id: "haircut".into(),
        request_id: request_id(),
    };
    let plugin = op.rules().create_plugin(request).await.expect("a plugin").into_inner();
    let header = rules::UploadHeader { parent: plugin.name, digest: String::new(), request_id: request_id() };
    let message = |data| rules::UploadPluginVersionRequest { data: Some(data) };
    let mut messages = vec![message(rules::upload_plugin_version_request::Data::Header(header))];
    let chunks = component.chunks(60 << 10).map(|c| rules::upload_plugin_version_request::Data::Chunk(c.to_vec()));
    messages.extend(chunks.map(message));
    let version =
        op.rules().upload_plugin_version(futures::stream::iter(messages)).await.expect("an upload").into_inner();
    let request = rules::ValidatePluginVersionRequest { name: version.name.clone(), request_id: request_id() };
    op.rules().validate_plugin_version(request).await.expect("a validation");
    let get = rules::GetPluginVersionRequest { name: version.name.clone() };
    until("a valid version", || async {
        let found = op.rules().get_plugin_version(get.clone()).await.ok()?.into_inner();
        (found.state() == rules::PluginVersionState::Valid).then_some(())
    })
    .await;
    let binding = rules::RuleBinding {
        hook: "booking-eligibility".into(),
        plugin_version: version.name,
        kinds: vec!["haircut".into()],
        ..Default::default()
    };
    let request = rules::CreateRuleBindingRequest {
        parent: PARENT.into(),
        rule_binding: Some(binding),
        rule_binding_id: "monthly".into(),
        request_id: request_id(),
    };
    op.rules().create_rule_binding(request).await.expect("a binding");
}

/// Waits until booking knows the area and its people may book.
pub(crate) async fn known_to_booking(who: &Actor) {
    let request = pb::ListOfferingsRequest { parent: PARENT.into(), ..Default::default() };
    until("booking knows the area", || async { who.booking().list_offerings(request.clone()).await.ok() }).await;
}
