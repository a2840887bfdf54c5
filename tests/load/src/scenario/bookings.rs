//! BookingService/CreateBooking by residents: on 1,000 slots in turn, or all on one slot until it is full.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use linli_harness::seed::text;
use linli_harness::{Actor, until};
use linli_kernel::{Clock as _, SystemClock};
use linli_proto::booking as pb;
use linli_proto::booking::booking_service_client::BookingServiceClient;
use tonic::Status;
use tonic::transport::Channel;

use super::access::Shape;
use super::{AREA, Counter, Tokens, bearer, hold, operator, people, request, verify};
use crate::drive::{Outcome, Span, Watched, Worker, connect, drive};
use crate::play::Player;

/// Slots of the scenario with many.
const MANY: usize = 1000;
/// Seats of a slot, the most that a schedule allows.
const SEATS: i32 = 10_000;

/// How bookings choose their slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spread {
    /// The next slot for each booking.
    Many,
    /// One slot for all, the next when every resident has a seat there.
    One,
}

/// A suite with slots and residents.
pub(crate) struct Bookings {
    player: Player,
    slots: Arc<Vec<String>>,
    tokens: Tokens,
    spread: Spread,
    counter: Counter,
    channels: Vec<Channel>,
    shape: Shape,
    done: std::sync::atomic::AtomicU64,
}

struct Book {
    client: BookingServiceClient<Channel>,
    slots: Arc<Vec<String>>,
    tokens: Tokens,
    spread: Spread,
    counter: Counter,
}

impl Worker for Book {
    async fn step(&mut self) -> Result<(), Status> {
        let n = usize::try_from(self.counter.next()).unwrap_or(0);
        // Every pair of slot and resident once; neighbours in time are different residents.
        let (slot, resident) = match self.spread {
            Spread::Many => (n % self.slots.len(), (n + n / self.slots.len()) % self.tokens.len()),
            Spread::One => (n / self.tokens.len() % self.slots.len(), n % self.tokens.len()),
        };
        let booking = pb::Booking { slot: self.slots[slot].clone(), ..pb::Booking::default() };
        let create = pb::CreateBookingRequest {
            parent: format!("areas/{AREA}"),
            booking: Some(booking),
            request_id: uuid::Uuid::new_v4().to_string(),
        };
        self.client.create_booking(request(create, &self.tokens[resident])).await.map(drop)
    }
}

impl Bookings {
    /// Starts a suite with an offering that is open to every resident, and its slots.
    pub(crate) async fn start(url: Option<&str>, residents: usize, shape: Shape, spread: Spread) -> Result<Self> {
        let player = Player::suite(url, None)?;
        let operator = operator(&player).await?;
        let (_, names) = people(&operator, residents).await?;
        let slots = open(&operator).await?;
        let tokens = bearer(&player.tokens(names.iter().map(String::as_str))?)?;
        let channels = connect(player.addresses.services, shape.connections).await?;
        let counter = Counter::default();
        Ok(Self { player, slots: slots.into(), tokens, spread, counter, channels, shape, done: Default::default() })
    }

    /// One measured run.
    pub(crate) async fn run(&self, span: Span, database: Option<u32>) -> Result<Outcome> {
        let workers = self.channels.iter().flat_map(|channel| {
            (0..self.shape.streams).map(|_| Book {
                client: BookingServiceClient::new(channel.clone()),
                slots: self.slots.clone(),
                tokens: self.tokens.clone(),
                spread: self.spread,
                counter: self.counter.clone(),
            })
        });
        let watched = Watched { server: Some(self.player.pid()), database };
        let outcome = drive(workers.collect(), span, watched).await?;
        self.done.fetch_add(outcome.done, std::sync::atomic::Ordering::Relaxed);
        Ok(outcome)
    }

    /// Answers = seats taken = bookings, and the service's own invariants; returns the number of bookings.
    pub(crate) async fn books(&self) -> Result<i64> {
        let operator = operator(&self.player).await?;
        let done = i64::try_from(self.done.load(std::sync::atomic::Ordering::Relaxed))?;
        let taken: i64 = slots(&operator).await?.iter().map(|slot| i64::from(slot.taken)).sum();
        ensure!(taken == done, "{done} bookings were answered, {taken} seats are taken");
        hold("booking", operator.booking().verify_invariants(verify()).await?.get_ref())?;
        let events = events(&operator).await?;
        ensure!(events == done, "{done} bookings were answered, {events} are in the feed");
        Ok(done)
    }
}

/// Confirmed bookings in the service's feed, read to its end.
async fn events(operator: &Actor) -> Result<i64> {
    let (mut after, mut found) = (0, std::collections::HashSet::new());
    loop {
        let request = linli_proto::events::ListEventsRequest {
            stream: "streams/booking".into(),
            after_position: after,
            max_events: 1000,
            area: format!("areas/{AREA}"),
            // The sequencer gives positions a moment later.
            wait_ms: 1500,
            ..Default::default()
        };
        let events =
            operator.events().max_decoding_message_size(16 << 20).list_events(request).await?.into_inner().events;
        let Some(last) = events.last() else { break };
        after = last.position;
        found.extend(events.into_iter().filter(|e| e.subject.contains("/bookings/")).map(|e| e.subject));
    }
    Ok(i64::try_from(found.len())?)
}

async fn slots(operator: &Actor) -> Result<Vec<pb::Slot>> {
    let (mut slots, mut page_token) = (Vec::new(), String::new());
    loop {
        let list = pb::ListSlotsRequest {
            parent: format!("areas/{AREA}"),
            page_size: 500,
            page_token,
            ..pb::ListSlotsRequest::default()
        };
        let page = operator.booking().list_slots(list).await?.into_inner();
        slots.extend(page.slots);
        if page.next_page_token.is_empty() {
            return Ok(slots);
        }
        page_token = page.next_page_token;
    }
}

/// Makes offering, station and a schedule with enough slots that have not begun; returns their names.
async fn open(operator: &Actor) -> Result<Vec<String>> {
    let parent = format!("areas/{AREA}");
    let mut client = operator.booking();
    let offering = pb::Offering {
        display_name: text("理发", "haircut"),
        service_list: pb::ServiceList::SocialWelfare.into(),
        mode: pb::Mode::Seat.into(),
        kind: "haircut".into(),
        ..pb::Offering::default()
    };
    let create = pb::CreateOfferingRequest {
        parent: parent.clone(),
        offering: Some(offering),
        offering_id: "haircut".into(),
        ..Default::default()
    };
    client.create_offering(create).await?;
    let station =
        pb::Station { display_name: text("小屋", "hut"), kind: "micro-station".into(), ..Default::default() };
    let create = pb::CreateStationRequest {
        parent: parent.clone(),
        station: Some(station),
        station_id: "hut".into(),
        ..Default::default()
    };
    client.create_station(create).await?;
    let schedule = pb::Schedule {
        offering: format!("{parent}/offerings/haircut"),
        station: format!("{parent}/stations/hut"),
        rrule: "FREQ=DAILY".into(),
        start_local: format!("{}T00:00", SystemClock.now().to_chrono().date_naive()),
        duration_min: 1200,
        slot_min: 10,
        capacity: SEATS,
        horizon_days: 12,
        ..pb::Schedule::default()
    };
    let create = pb::CreateScheduleRequest {
        parent,
        schedule: Some(schedule),
        schedule_id: "daily".into(),
        ..Default::default()
    };
    client.create_schedule(create).await?;
    // Roles and the area's clock reach the booking service by the feed.
    let made = until("slots are made", async || {
        let found = slots(operator).await.ok().filter(|slots| slots.len() >= MANY + 150);
        if found.is_none() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        found
    });
    let mut made = made.await;
    made.sort_by_key(|slot| slot.start_time.map(|t| t.seconds));
    // Not those that begin during the run.
    let last = made.len() - MANY;
    let names: Vec<String> = made.drain(last..).map(|slot| slot.name).collect();
    names.first().context("slots")?;
    Ok(names)
}
