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
use linli_proto::common::{Amount, InvariantCheck, Text, VerifyInvariantsRequest};
use linli_proto::rules::{ReadDecisionsRequest, ReadDecisionsResponse};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status};

use crate::stubs::{Org, Points, Rules, World};

pub const OPERATOR: &str = "systems/operator";
pub const WORKER: &str = "areas/xinhua/people/per-worker";
/// Manages one unit only.
pub const GRID_MANAGER: &str = "areas/xinhua/people/per-manager";
pub const GUANBA_WORKER: &str = "areas/guanba/people/per-worker";
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
    /// Calls booking as rules does.
    rules: Peers,
    cancel: CancellationToken,
    pub store: TestStore,
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
    let area = |area: &str, zone: &str| AreaRow { area: area.into(), parent: String::new(), time_zone: zone.into() };
    let unit = |area: &str, unit: &str| UnitRow { area: area.into(), unit: unit.into(), path: format!("{unit}/") };
    let post = |subject: &str, area: &str, role: &str| GrantRow {
        appointment: format!("apt-{area}-{role}"),
        subject: subject.into(),
        area: area.into(),
        unit: "grid-1".into(),
        role: format!("grid-{role}"),
        access_role: role.into(),
        start: Timestamp::from_secs(0),
        end: None,
    };
    let china = "Asia/Shanghai";
    access.replace(Snapshot::new(
        vec![
            area("xinhua", china),
            area("guanba", china),
            area("spandau", "Europe/Berlin"),
            area("atlantis", "Atlantic/Atlantis"),
        ],
        vec![unit("xinhua", "grid-1"), unit("xinhua", "grid-2"), unit("guanba", "grid-1")],
        vec![
            post(WORKER, "xinhua", "worker"),
            post(GUANBA_WORKER, "guanba", "worker"),
            post(GRID_MANAGER, "xinhua", "manager"),
        ],
    ));
    access
}

async fn suite(store: TestStore) -> Suite {
    let (issuer, issuer_public) = generate_key_pair().expect("keys");
    let (own, own_public) = generate_key_pair().expect("keys");
    let (rules, rules_public) = generate_key_pair().expect("keys");
    let verifier =
        TokenVerifier::new(&issuer_public, &[("booking".to_owned(), own_public), ("rules".to_owned(), rules_public)])
            .expect("a verifier");
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
    local.insert("booking", first.clone());
    let rules = Arc::new(ServiceIdentity::from_pem("rules", &rules).expect("an identity"));
    let rules = Peers::new(rules, HashMap::from([("booking", Backend::Local(local.clone(), "booking"))]));
    let engine = store.engine().as_str();
    let signer = Signer::from_pem(issuer_key_id(), &issuer).expect("a signer");
    Suite { world, clock, engine, signer, stacks: [first, second], turn: AtomicUsize::default(), rules, cancel, store }
}

/// The reason of a refusal, or of its only bad field.
pub fn reason(status: &Status) -> String {
    use tonic_types::StatusExt as _;
    let fields = status.get_details_bad_request().map(|bad| bad.field_violations).unwrap_or_default();
    match fields.as_slice() {
        [field] => field.description.rsplit('[').next().unwrap_or_default().trim_end_matches(']').to_owned(),
        _ => status.get_details_error_info().map(|info| info.reason).unwrap_or_default(),
    }
}

/// The decisions of a hook within a day of the suite's beginning.
pub fn window(hook: &str) -> ReadDecisionsRequest {
    ReadDecisionsRequest {
        parent: "areas/xinhua".into(),
        hook: hook.into(),
        start_time: Some(linli_kit::check::timestamp(START)),
        end_time: Some(linli_kit::check::timestamp(START.plus_secs(86_400))),
        ..ReadDecisionsRequest::default()
    }
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

    /// What rules read of the decisions of a hook since the suite began.
    pub async fn decisions(&self, hook: &str, page_size: i32, page_token: String) -> ReadDecisionsResponse {
        let ctx = linli_kit::testing::ctx("areas/xinhua/people/per-rules");
        let ctx = linli_kit::Ctx { caller: linli_kit::Caller::Service { service: "rules".into(), actor: None }, ..ctx };
        let mut client = BookingServiceClient::new(self.rules.to("booking", &ctx));
        let request = ReadDecisionsRequest { page_size, page_token, ..window(hook) };
        client.read_decisions(request).await.expect("rules may").into_inner()
    }

    /// Makes an offering, a station and a daily schedule at 14:00; the slots, in order.
    pub async fn open(&self, offering: Offering, capacity: i32, duration_min: i32) -> Vec<Slot> {
        self.open_in("areas/xinhua", offering, capacity, duration_min).await.expect("a schedule");
        self.slots().await
    }

    /// The same in an area of choice.
    pub async fn open_in(
        &self,
        area: &str,
        offering: Offering,
        capacity: i32,
        duration_min: i32,
    ) -> Result<Schedule, Status> {
        let mut op = self.as_(OPERATOR);
        let parent = area.to_owned();
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
            offering: format!("{area}/offerings/offer"),
            station: format!("{area}/stations/hut"),
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
        op.create_schedule(create).await.map(tonic::Response::into_inner)
    }

    /// One more schedule of the offering at the same place: an hour a time, one seat.
    pub async fn schedule(
        &self,
        area: &str,
        id: &str,
        (rrule, start_local): (&str, &str),
        horizon_days: i32,
    ) -> Schedule {
        let schedule = Schedule {
            offering: format!("{area}/offerings/offer"),
            station: format!("{area}/stations/hut"),
            rrule: rrule.into(),
            start_local: start_local.into(),
            duration_min: 60,
            capacity: 1,
            horizon_days,
            ..Schedule::default()
        };
        let create = CreateScheduleRequest {
            parent: area.into(),
            schedule: Some(schedule),
            schedule_id: id.into(),
            request_id: String::new(),
        };
        self.as_(OPERATOR).create_schedule(create).await.expect("a schedule").into_inner()
    }

    /// The slots of one schedule, in order.
    pub async fn slots_of(&self, schedule: &Schedule) -> Vec<Slot> {
        let parent = schedule.name.split("/schedules").next().unwrap_or_default().to_owned();
        let filter = format!("schedule = \"{}\"", schedule.name);
        let list = ListSlotsRequest { parent, page_size: 1000, filter, ..ListSlotsRequest::default() };
        self.as_(OPERATOR).list_slots(list).await.expect("slots").into_inner().slots
    }

    /// Changes rows behind the service's back.
    pub async fn tamper(&self, sql: &str) {
        use sea_orm::ConnectionTrait as _;
        let done = self.store.write("test.tamper", |tx| {
            Box::pin(async move { Ok(tx.conn().execute_raw(tx.statement(sql, [])).await?.rows_affected()) })
        });
        assert!(done.await.expect("writes") > 0, "nothing was changed by {sql}");
    }

    /// The offering, changed.
    pub async fn change_offering(&self, change: impl FnOnce(&mut Offering)) -> Result<Offering, Status> {
        let get = GetOfferingRequest { name: "areas/xinhua/offerings/offer".into() };
        let mut offering = self.as_(OPERATOR).get_offering(get).await.expect("an offering").into_inner();
        change(&mut offering);
        let update = UpdateOfferingRequest { offering: Some(offering), ..UpdateOfferingRequest::default() };
        self.as_(OPERATOR).update_offering(update).await.map(tonic::Response::into_inner)
    }

    /// Receipts of a booking by hook, as the operator reads them.
    pub async fn receipts(&self, booking: &str, hook: &str) -> Vec<Receipt> {
        let filter = format!("booking = \"{booking}\" AND hook = \"{hook}\"");
        let list = ListReceiptsRequest { parent: "areas/xinhua".into(), filter, ..ListReceiptsRequest::default() };
        self.as_(OPERATOR).list_receipts(list).await.expect("receipts").into_inner().receipts
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

    /// Types of the events about a resource, in their order.
    pub async fn events_about(&self, subject: &str) -> Vec<String> {
        use sea_orm::{ConnectionTrait as _, Statement};
        let reader = self.store.reader();
        let sql = "SELECT event_type FROM event WHERE subject = $1 ORDER BY aggregate_version";
        let statement = Statement::from_sql_and_values(reader.get_database_backend(), sql, [subject.into()]);
        let rows = reader.query_all_raw(statement).await.expect("reads");
        rows.iter().map(|row| row.try_get("", "event_type").expect("a text")).collect()
    }

    /// Waits until so many transactions wait for a lock; SQLite has one writer, and nobody can be seen waiting for it.
    pub async fn until_locks_wait(&self, wanted: i64) {
        use sea_orm::{ConnectionTrait as _, Statement};
        if self.engine != "postgres" {
            return;
        }
        let sql = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        for _ in 0..500 {
            let reader = self.store.reader();
            let statement = Statement::from_string(reader.get_database_backend(), sql);
            let row = reader.query_one_raw(statement).await.expect("reads").expect("a count");
            if row.try_get::<i64>("", "n").expect("a number") == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never: {wanted} wait for a lock");
    }

    /// Everything that stands in a column of a table, as bytes.
    pub async fn bytes_of(&self, table: &str, column: &str) -> Vec<u8> {
        use sea_orm::{ConnectionTrait as _, Statement};
        let reader = self.store.reader();
        let statement =
            Statement::from_string(reader.get_database_backend(), format!("SELECT {column} AS b FROM {table}"));
        let rows = reader.query_all_raw(statement).await.expect("reads");
        assert!(!rows.is_empty(), "{table} is empty");
        rows.iter().flat_map(|row| row.try_get::<Vec<u8>>("", "b").expect("bytes")).collect()
    }

    /// The invariants that do not hold.
    pub async fn broken(&self) -> Vec<String> {
        let checks = self.checks().await;
        checks.into_iter().filter(|check| !check.violations.is_empty()).map(|check| check.invariant).collect()
    }

    pub async fn checks(&self) -> Vec<InvariantCheck> {
        let request = VerifyInvariantsRequest { parent: "areas/xinhua".into() };
        self.as_(OPERATOR).verify_invariants(request).await.expect("verifies").into_inner().checks
    }

    /// Every invariant holds.
    pub async fn verify(&self) {
        let checks = self.checks().await;
        assert_eq!(checks.len(), 7);
        for check in checks {
            assert!(check.violations.is_empty(), "{} on {}: {:?}", check.invariant, self.engine, check.violations);
        }
    }
}

pub fn points(value: i64) -> Option<Amount> {
    Some(Amount { asset: "points".into(), value })
}
