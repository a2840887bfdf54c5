//! The service on a store, with its real stack, a manual clock and stub peers.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use linli_access::{Access, AreaRow, GrantRow, Matrix, Snapshot, UnitRow};
use linli_kernel::{ManualClock, Timestamp};
use linli_kit::feed::EventLog;
use linli_kit::identity::{ServiceIdentity, Signer, TokenVerifier, generate_key_pair, issuer_key_id};
use linli_kit::serve::{Backend, Kit, LocalServices, Peers, ServiceParts};
use linli_kit::stack::{self, Limits, Stack, StackParts};
use linli_kit::store::Store;
use linli_kit::testing::{TestStore, keyring, stores_with};
use linli_proto::booking::booking_service_client::BookingServiceClient;
use linli_proto::booking::*;
use linli_proto::common::{Amount, Text, VerifyInvariantsRequest};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status};

use crate::stubs::{Org, Points, Rules, World};

pub const OPERATOR: &str = "systems/operator";
pub const WORKER: &str = "areas/xinhua/people/per-worker";
/// 2026-11-02T08:00 in Shanghai, a Monday.
pub const START: Timestamp = Timestamp::from_secs(1_793_577_600);

type Auth = Box<dyn FnMut(Request<()>) -> Result<Request<()>, Status> + Send>;
pub type Client = BookingServiceClient<InterceptedService<Stack, Auth>>;

pub struct Suite {
    pub world: Arc<World>,
    pub clock: Arc<ManualClock>,
    pub engine: &'static str,
    signer: Signer,
    /// Two replicas of the service on one database; calls go to them in turn.
    stacks: [Stack; 2],
    turn: AtomicUsize,
    cancel: CancellationToken,
    store: TestStore,
}

impl Drop for Suite {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// One suite per engine.
pub async fn suites() -> Vec<Suite> {
    let own: Vec<linli_kit::store::Migration> =
        linli_booking::migrations().into_iter().filter(|m| m.version >= 900).collect();
    let mut suites = Vec::new();
    for store in stores_with("booking", &own).await {
        suites.push(suite(store).await);
    }
    suites
}

fn access() -> Access {
    let access = Access::new(Matrix::shipped().expect("the shipped matrix"), [OPERATOR.to_owned()]);
    let area = |area: &str| AreaRow { area: area.into(), parent: String::new(), time_zone: "Asia/Shanghai".into() };
    let unit = |unit: &str| UnitRow { area: "xinhua".into(), unit: unit.into(), path: format!("{unit}/") };
    let worker = GrantRow {
        appointment: "apt-1".into(),
        subject: WORKER.into(),
        area: "xinhua".into(),
        unit: "grid-1".into(),
        role: "grid-worker".into(),
        access_role: "worker".into(),
        start: Timestamp::from_secs(0),
        end: None,
    };
    access.replace(Snapshot::new(
        vec![area("xinhua"), area("guanba")],
        vec![unit("grid-1"), unit("grid-2")],
        vec![worker],
    ));
    access
}

async fn suite(store: TestStore) -> Suite {
    let (issuer, issuer_public) = generate_key_pair().expect("keys");
    let (own, own_public) = generate_key_pair().expect("keys");
    let verifier = TokenVerifier::new(&issuer_public, &[("booking".to_owned(), own_public)]).expect("a verifier");
    let verifier = Arc::new(verifier);
    let clock = Arc::new(ManualClock::new(START));
    let (local, world) = (LocalServices::default(), Arc::new(World::default()));
    *world.balance.lock() = 100;
    let (cancel, tasks) = (CancellationToken::new(), TaskTracker::new());
    let stack_of = |service: &'static str, routes| {
        let parts = StackParts {
            service,
            texts: linli_booking::texts(),
            verifier: verifier.clone(),
            clock: clock.clone(),
            limits: Limits::default(),
            tasks: tasks.clone(),
        };
        stack::build(&parts, routes)
    };
    local.insert("org", stack_of("org", tonic::service::Routes::new(Org(world.clone()))));
    local.insert("rules", stack_of("rules", tonic::service::Routes::new(Rules(world.clone()))));
    local.insert("points", stack_of("points", tonic::service::Routes::new(Points(world.clone()))));
    let backends: HashMap<_, _> = ["org", "rules", "points"].map(|s| (s, Backend::Local(local.clone(), s))).into();
    let identity = Arc::new(ServiceIdentity::from_pem("booking", &own).expect("an identity"));
    let plain = Store::clone(&store);
    let parts = ServiceParts {
        kit: Kit { service: "booking", texts: linli_booking::texts(), clock: clock.clone() },
        log: EventLog::new(plain.clone()),
        store: plain,
        peers: Peers::new(identity, backends),
        keyring: Arc::new(keyring()),
        cancel: cancel.clone(),
        tasks: tasks.clone(),
        retention: Default::default(),
    };
    let first = stack_of("booking", linli_booking::build(parts.clone(), access()).await.expect("builds"));
    let second = stack_of("booking", linli_booking::build(parts, access()).await.expect("builds"));
    let engine = store.engine().as_str();
    let signer = Signer::from_pem(issuer_key_id(), &issuer).expect("a signer");
    Suite { world, clock, engine, signer, stacks: [first, second], turn: AtomicUsize::default(), cancel, store }
}

/// A resident of xinhua.
pub fn person(id: impl std::fmt::Display) -> String {
    format!("areas/xinhua/people/per-{id}")
}

pub fn text(zh: &str) -> Option<Text> {
    Some(Text { zh_cn: zh.into(), en: String::new() })
}

/// A haircut that everybody may book.
pub fn haircut() -> Offering {
    Offering {
        display_name: text("理发"),
        service_list: ServiceList::SocialWelfare as i32,
        mode: Mode::Seat as i32,
        kind: "haircut".into(),
        ..Offering::default()
    }
}

impl Suite {
    /// A client with the token of a subject.
    pub fn as_(&self, subject: &str) -> Client {
        let token = self.signer.issue(subject, Duration::from_secs(600)).expect("a token");
        let auth: Auth = Box::new(move |mut request| {
            let value = format!("Bearer {token}").parse().expect("a header");
            request.metadata_mut().insert("authorization", value);
            request.set_timeout(Duration::from_secs(30));
            Ok(request)
        });
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.stacks.len();
        BookingServiceClient::with_interceptor(self.stacks[turn].clone(), auth)
    }

    /// Makes an offering, a station and a daily schedule at 14:00; the slots, in order.
    pub async fn open(&self, offering: Offering, capacity: i32, duration_min: i32) -> Vec<Slot> {
        let mut op = self.as_(OPERATOR);
        let parent = "areas/xinhua".to_owned();
        let create = CreateOfferingRequest {
            parent: parent.clone(),
            offering: Some(offering),
            offering_id: "offer".into(),
            request_id: String::new(),
        };
        op.create_offering(create).await.expect("an offering");
        let station = Station { display_name: text("小屋"), kind: "micro-station".into(), ..Station::default() };
        let create = CreateStationRequest {
            parent: parent.clone(),
            station: Some(station),
            station_id: "hut".into(),
            request_id: String::new(),
        };
        op.create_station(create).await.expect("a station");
        let schedule = Schedule {
            offering: "areas/xinhua/offerings/offer".into(),
            station: "areas/xinhua/stations/hut".into(),
            rrule: "FREQ=DAILY".into(),
            start_local: "2026-11-02T14:00".into(),
            duration_min,
            capacity,
            horizon_days: 7,
            ..Schedule::default()
        };
        let create = CreateScheduleRequest {
            parent,
            schedule: Some(schedule),
            schedule_id: "daily".into(),
            request_id: String::new(),
        };
        op.create_schedule(create).await.expect("a schedule");
        self.slots().await
    }

    pub async fn slots(&self) -> Vec<Slot> {
        let list = ListSlotsRequest { parent: "areas/xinhua".into(), page_size: 1000, ..ListSlotsRequest::default() };
        self.as_(OPERATOR).list_slots(list).await.expect("slots").into_inner().slots
    }

    pub async fn book(&self, subject: &str, slot: &str) -> Result<Booking, Status> {
        self.book_as(subject, Booking { slot: slot.into(), ..Booking::default() }).await
    }

    pub async fn book_as(&self, subject: &str, booking: Booking) -> Result<Booking, Status> {
        let request =
            CreateBookingRequest { parent: "areas/xinhua".into(), booking: Some(booking), request_id: String::new() };
        self.as_(subject).create_booking(request).await.map(tonic::Response::into_inner)
    }

    pub async fn get(&self, name: &str) -> Booking {
        self.as_(OPERATOR).get_booking(GetBookingRequest { name: name.into() }).await.expect("a booking").into_inner()
    }

    pub async fn cancel(&self, subject: &str, name: &str) -> Result<Booking, Status> {
        let request = CancelBookingRequest { name: name.into(), ..CancelBookingRequest::default() };
        self.as_(subject).cancel_booking(request).await.map(tonic::Response::into_inner)
    }

    pub async fn complete(&self, subject: &str, name: &str) -> Result<Booking, Status> {
        let request = CompleteBookingRequest { name: name.into(), ..CompleteBookingRequest::default() };
        self.as_(subject).complete_booking(request).await.map(tonic::Response::into_inner)
    }

    /// Waits until a booking is in a state, for at most ten seconds.
    pub async fn until(&self, name: &str, state: BookingState) -> Booking {
        for _ in 0..500 {
            let booking = self.get(name).await;
            if booking.state() == state {
                return booking;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{} on {}: not {state:?}", self.get(name).await.state().as_str_name(), self.engine);
    }

    /// Waits until a condition on the peers holds, for at most ten seconds.
    pub async fn eventually(&self, what: &str, holds: impl Fn(&World) -> bool) {
        for _ in 0..500 {
            if holds(&self.world) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("never: {what} on {}", self.engine);
    }

    /// The newest event about a booking.
    pub async fn last_event(&self, booking: &str) -> BookingChanged {
        use prost::Message as _;
        use sea_orm::{ConnectionTrait as _, Statement};
        let reader = self.store.reader();
        let sql = "SELECT data FROM event WHERE subject = $1 ORDER BY aggregate_version DESC LIMIT 1";
        let statement = Statement::from_sql_and_values(reader.get_database_backend(), sql, [booking.into()]);
        let row = reader.query_one_raw(statement).await.expect("reads").expect("an event");
        let data: Vec<u8> = row.try_get("", "data").expect("bytes");
        BookingChanged::decode(data.as_slice()).expect("a payload")
    }

    /// Every invariant holds.
    pub async fn verify(&self) {
        let request = VerifyInvariantsRequest { parent: "areas/xinhua".into() };
        let checks = self.as_(OPERATOR).verify_invariants(request).await.expect("verifies").into_inner().checks;
        assert_eq!(checks.len(), 5);
        for check in checks {
            assert!(check.violations.is_empty(), "{} on {}: {:?}", check.invariant, self.engine, check.violations);
        }
    }
}

pub fn points(value: i64) -> Option<Amount> {
    Some(Amount { asset: "points".into(), value })
}
