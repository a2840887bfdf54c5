//! The service on a store, with its real stack, a manual clock and a small community.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use linli_access::{Access, Matrix};
use linli_kernel::{Lang, ManualClock, Timestamp};
use linli_kit::feed::EventLog;
use linli_kit::identity::{ServiceIdentity, Signer, TokenVerifier, generate_key_pair, issuer_key_id};
use linli_kit::serve::{Backend, Kit, LocalServices, PeerService, Peers, ServiceParts};
use linli_kit::stack::{self, Limits, Stack, StackParts};
use linli_kit::store::{Engine, Migration, Store};
use linli_kit::testing::{TestStore, keyring, stores_with};
use linli_kit::{Caller, Ctx};
use linli_proto::common::{Text, VerifyInvariantsRequest};
use linli_proto::org::org_service_client::OrgServiceClient;
use linli_proto::org::*;
use sea_orm::ConnectionTrait as _;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Response, Status};
use tonic_types::StatusExt as _;

pub(crate) const OPERATOR: &str = "systems/operator";
pub(crate) const PARENT: &str = "areas/xinhua";
/// 2026-11-02T08:00 in Shanghai.
pub(crate) const START: Timestamp = Timestamp::from_secs(1_793_577_600);

type Auth = Box<dyn FnMut(Request<()>) -> Result<Request<()>, Status> + Send>;
pub(crate) type Client = OrgServiceClient<InterceptedService<Stack, Auth>>;

pub(crate) struct Suite {
    pub(crate) clock: Arc<ManualClock>,
    signer: Signer,
    deliberation: Peers,
    /// Two replicas of the service on one database; calls go to them in turn.
    stacks: [Stack; 2],
    turn: AtomicUsize,
    cancel: CancellationToken,
    pub(crate) store: TestStore,
}

impl Drop for Suite {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// One suite per engine, with the community in it.
pub(crate) async fn suites() -> Vec<Suite> {
    let own: Vec<Migration> = linli_org::migrations().into_iter().filter(|m| m.version >= 900).collect();
    let mut suites = Vec::new();
    for store in stores_with(linli_org::SERVICE, &own).await {
        let suite = suite(store).await;
        suite.community().await;
        suites.push(suite);
    }
    suites
}

async fn suite(store: TestStore) -> Suite {
    let (issuer, issuer_public) = generate_key_pair().expect("keys");
    let (own, own_public) = generate_key_pair().expect("keys");
    let verifier = TokenVerifier::new(&issuer_public, &[("deliberation".to_owned(), own_public)]).expect("a verifier");
    let clock = Arc::new(ManualClock::new(START));
    let (cancel, tasks, local) = (CancellationToken::new(), TaskTracker::new(), LocalServices::default());
    let identity = Arc::new(ServiceIdentity::from_pem("deliberation", &own).expect("an identity"));
    let backends: HashMap<_, _> = [("org", Backend::Local(local.clone(), "org"))].into();
    let peers = Peers::new(identity, backends);
    let plain = Store::clone(&store).with_constraints(linli_org::CONSTRAINTS);
    let parts = ServiceParts {
        kit: Kit { service: linli_org::SERVICE, texts: linli_org::texts(), clock: clock.clone() },
        log: EventLog::new(plain.clone()),
        store: plain,
        peers: peers.clone(),
        keyring: Arc::new(keyring()),
        cancel: cancel.clone(),
        tasks: tasks.clone(),
        retention: linli_kit::retention::Settings::default(),
    };
    let stack_parts = StackParts {
        service: linli_org::SERVICE,
        texts: linli_org::texts(),
        verifier: Arc::new(verifier),
        clock: clock.clone(),
        limits: Limits::default(),
        tasks,
    };
    let mut stacks = Vec::new();
    for _ in 0..2 {
        let access = Access::new(Matrix::shipped().expect("the shipped matrix"), [OPERATOR.to_owned()]);
        stacks.push(stack::build(&stack_parts, linli_org::build(parts.clone(), access).await.expect("builds")));
    }
    local.insert("org", stacks[0].clone());
    let stacks = stacks.try_into().unwrap_or_else(|_| panic!("two replicas"));
    let signer = Signer::from_pem(issuer_key_id(), &issuer).expect("a signer");
    Suite { clock, signer, deliberation: peers, stacks, turn: AtomicUsize::default(), cancel, store }
}

pub(crate) fn text(text: &str) -> Option<Text> {
    Some(Text { zh_cn: text.into(), en: String::new() })
}

pub(crate) fn unit_name(id: &str) -> String {
    format!("{PARENT}/units/{id}")
}

pub(crate) fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// A unit; an empty parent is the root.
pub(crate) fn unit(kind: &str, parent: &str) -> Unit {
    let parent = if parent.is_empty() { String::new() } else { unit_name(parent) };
    Unit { kind: kind.into(), display_name: text(kind), parent, ..Unit::default() }
}

pub(crate) fn named(id: &str, unit: Unit) -> Unit {
    Unit { name: unit_name(id), ..unit }
}

pub(crate) fn create(id: &str, unit: Unit) -> CreateUnitRequest {
    CreateUnitRequest { unit_id: id.into(), unit: Some(unit), parent: PARENT.into(), request_id: String::new() }
}

pub(crate) fn area(slug: &str, parent: &str) -> Area {
    Area {
        name: format!("areas/{slug}"),
        display_name: text(slug),
        kind: AreaKind::Community.into(),
        parent: if parent.is_empty() { String::new() } else { format!("areas/{parent}") },
        time_zone: "Asia/Shanghai".into(),
        ..Area::default()
    }
}

pub(crate) fn person(full_name: &str, birth_year: i32) -> Person {
    Person { full_name: full_name.into(), birth_year, ..Person::default() }
}

/// A household at a unit.
pub(crate) fn draft(unit: &str, import_key: &str, people: Vec<Person>) -> HouseholdDraft {
    let household = Household { unit: unit_name(unit), import_key: import_key.into(), ..Household::default() };
    HouseholdDraft { household: Some(household), people, request_id: String::new() }
}

pub(crate) fn template() -> StructureTemplate {
    let kind = |code: &str, tree: Tree, parents: &[&str], posts: &[&str]| UnitKind {
        code: code.into(),
        display_name: text(code),
        tree: tree.into(),
        parent_kinds: parents.iter().map(|p| (*p).to_owned()).collect(),
        required_posts: posts.iter().map(|p| PostRequirement { role: (*p).into(), min: 1, max: 1 }).collect(),
        ..UnitKind::default()
    };
    let post = |role: &str, access_role: &str, conflicts: &[&str]| Post {
        role: role.into(),
        display_name: text(role),
        access_role: access_role.into(),
        conflicts_with: conflicts.iter().map(|p| (*p).to_owned()).collect(),
    };
    StructureTemplate {
        name: format!("{PARENT}/structureTemplates/structure"),
        display_name: text("structure"),
        unit_kinds: vec![
            kind("compound", Tree::Residents, &[], &[]),
            kind("grid", Tree::Residents, &["compound"], &["grid-worker"]),
            kind("micro", Tree::Residents, &["grid", "micro"], &["head", "housekeeper"]),
            kind("branch", Tree::Party, &[], &[]),
        ],
        posts: vec![
            post("grid-worker", "worker", &[]),
            post("head", "viewer", &["housekeeper"]),
            post("housekeeper", "", &[]),
        ],
        ..StructureTemplate::default()
    }
}

/// Reason and fields with their reasons of a refusal.
pub(crate) fn refusal(status: &Status) -> (String, Vec<String>) {
    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    let fields = status.get_details_bad_request().map(|bad| bad.field_violations).unwrap_or_default();
    let named = fields.into_iter().map(|violation| {
        let reason = violation.description.rsplit_once('[').map_or("", |(_, rest)| rest.trim_end_matches(']'));
        format!("{}: {reason}", violation.field)
    });
    (reason, named.collect())
}

/// The fields with their reasons of a call that must be refused.
pub(crate) fn fields<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> Vec<String> {
    refusal(&answer.expect_err("a refusal")).1
}

/// The reason of a call that must be refused.
pub(crate) fn reason<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> String {
    refusal(&answer.expect_err("a refusal")).0
}

impl Suite {
    pub(crate) fn is_postgres(&self) -> bool {
        self.store.engine() == Engine::Postgres
    }

    /// A client with the token of a subject. A file of SQLite has one process, a database of PostgreSQL several.
    pub(crate) fn as_(&self, subject: &str) -> Client {
        let replicas = if self.is_postgres() { self.stacks.len() } else { 1 };
        self.of_replica(self.turn.fetch_add(1, Ordering::Relaxed) % replicas, subject)
    }

    /// The same for one replica.
    pub(crate) fn of_replica(&self, replica: usize, subject: &str) -> Client {
        let token = self.signer.issue(subject, Duration::from_secs(600)).expect("a token");
        let auth: Auth = Box::new(move |mut request| {
            let value = format!("Bearer {token}").parse().expect("a header");
            request.metadata_mut().insert("authorization", value);
            request.set_timeout(Duration::from_secs(30));
            Ok(request)
        });
        OrgServiceClient::with_interceptor(self.stacks[replica].clone(), auth)
    }

    pub(crate) fn op(&self) -> Client {
        self.as_(OPERATOR)
    }

    /// A client with the token of the deliberation service.
    pub(crate) fn deliberation(&self) -> OrgServiceClient<PeerService> {
        let method = linli_proto::methods().get("/linli.org.v1.OrgService/ListElectors").expect("a method");
        let mut ctx = Ctx::background("deliberation", method, self.clock.clone(), Duration::from_secs(30));
        (ctx.lang, ctx.caller) = (Lang::En, Caller::Service { service: "deliberation".into(), actor: None });
        OrgServiceClient::new(self.deliberation.to("org", &ctx))
    }

    /// litong above xinhua; compound-1 with grid-1 and grid-2, micro-1 in grid-1.
    async fn community(&self) {
        for area in [area("litong", ""), area("xinhua", "litong")] {
            let request = UpdateAreaRequest { area: Some(area), allow_missing: true, ..Default::default() };
            self.op().update_area(request).await.expect("an area");
        }
        let request = UpdateStructureTemplateRequest {
            structure_template: Some(template()),
            allow_missing: true,
            ..Default::default()
        };
        self.op().update_structure_template(request).await.expect("a template");
        let requests = vec![
            create("compound-1", unit("compound", "")),
            create("grid-1", unit("grid", "compound-1")),
            create("grid-2", unit("grid", "compound-1")),
            create("micro-1", unit("micro", "grid-1")),
        ];
        let request = BatchCreateUnitsRequest { parent: PARENT.into(), requests };
        self.op().batch_create_units(request).await.expect("units");
    }

    pub(crate) async fn unit(&self, id: &str) -> Unit {
        self.op().get_unit(GetUnitRequest { name: unit_name(id) }).await.expect("a unit").into_inner()
    }

    /// Records a household; its name and those of its people.
    pub(crate) async fn home(&self, unit: &str, people: Vec<Person>) -> (String, Vec<Person>) {
        let request = BatchCreateHouseholdsRequest { parent: PARENT.into(), requests: vec![draft(unit, "", people)] };
        let made = self.op().batch_create_households(request).await.expect("a household").into_inner();
        let made = made.households.into_iter().next().expect("one");
        (made.household.expect("a household").name, made.people)
    }

    /// Gives somebody a post at a unit from a number of days from now to another, or open.
    pub(crate) async fn appoint(
        &self,
        who: &str,
        (unit, role): (&str, &str),
        (from, to): (i64, Option<i64>),
    ) -> Result<Response<Appointment>, Status> {
        let appointment = Appointment {
            appointee: who.into(),
            unit: unit_name(unit),
            role: role.into(),
            start_time: Some(self.day(from)),
            end_time: to.map(|to| self.day(to)),
            ..Appointment::default()
        };
        let request = CreateAppointmentRequest {
            parent: PARENT.into(),
            appointment: Some(appointment),
            ..CreateAppointmentRequest::default()
        };
        self.op().create_appointment(request).await
    }

    /// So many days from the start.
    pub(crate) fn day(&self, days: i64) -> prost_types::Timestamp {
        prost_types::Timestamp { seconds: START.secs() + days * 86_400, nanos: 0 }
    }

    /// Events about a subject, oldest first.
    pub(crate) async fn events<M: prost::Message + Default>(&self, subject: &str) -> Vec<M> {
        let reader = self.store.reader();
        let sql = "SELECT data FROM event WHERE subject = $1 ORDER BY aggregate_version";
        let statement = sea_orm::Statement::from_sql_and_values(reader.get_database_backend(), sql, [subject.into()]);
        let rows = reader.query_all_raw(statement).await.expect("reads");
        let data = rows.iter().map(|row| row.try_get::<Vec<u8>>("", "data").expect("bytes"));
        data.map(|data| M::decode(data.as_slice()).expect("a payload")).collect()
    }

    /// Runs a statement past the service.
    pub(crate) async fn tamper(&self, sql: &str) {
        let done = self.store.write("test.tamper", |tx| {
            Box::pin(async move { Ok(tx.conn().execute_unprepared(sql).await?.rows_affected()) })
        });
        assert!(done.await.expect("runs") > 0, "{sql} changes something");
    }

    /// What is violated: invariant and violations of each.
    pub(crate) async fn violations(&self) -> Vec<(String, Vec<String>)> {
        let request = VerifyInvariantsRequest { parent: PARENT.into() };
        let checks = self.op().verify_invariants(request).await.expect("verifies").into_inner().checks;
        assert_eq!(checks.len(), 4);
        let found = checks.into_iter().filter(|check| !check.violations.is_empty());
        found.map(|check| (check.invariant, check.violations)).collect()
    }

    /// Runs calls at once. On PostgreSQL a lock that they all come to is held until each of them waits for one, so that
    /// none has finished when the last has read what it decides on.
    pub(crate) async fn race<T: Send + 'static>(&self, lock: &str, calls: Vec<Call<T>>) -> Vec<T> {
        if !self.is_postgres() {
            return futures::future::join_all(calls).await;
        }
        let (held, release, wanted) = (Arc::new(Notify::new()), Arc::new(Notify::new()), calls.len());
        let holder = {
            let (store, lock) = (self.store.clone(), format!("{lock} FOR NO KEY UPDATE"));
            let (held, release) = (held.clone(), release.clone());
            tokio::spawn(async move {
                let (lock, held, release) = (&lock, &held, &release);
                let hold = store.write("test.hold", |tx| {
                    Box::pin(async move {
                        let statement = tx.statement(lock, []);
                        let rows = tx.conn().query_all_raw(statement).await?;
                        held.notify_one();
                        release.notified().await;
                        Ok(rows.len())
                    })
                });
                hold.await.expect("holds")
            })
        };
        held.notified().await;
        let calls: Vec<_> = calls.into_iter().map(tokio::spawn).collect();
        self.until_waiting(wanted).await;
        release.notify_one();
        assert!(holder.await.expect("lets go") > 0, "{lock} finds a row");
        let answers = futures::future::join_all(calls).await;
        answers.into_iter().map(|answer| answer.expect("answers")).collect()
    }

    /// Waits until so many transactions wait for a lock, for at most ten seconds.
    async fn until_waiting(&self, wanted: usize) {
        let sql = "SELECT count(*) AS n FROM pg_stat_activity \
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let mut waiting = 0;
        for _ in 0..500 {
            let reader = self.store.reader();
            let statement = sea_orm::Statement::from_string(reader.get_database_backend(), sql);
            let row = reader.query_one_raw(statement).await.expect("reads").expect("a row");
            waiting = row.try_get::<i64>("", "n").expect("a number");
            if usize::try_from(waiting) == Ok(wanted) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{waiting} instead of {wanted} wait for a lock");
    }
}

/// A call that is about to be made.
pub(crate) type Call<T> = futures::future::BoxFuture<'static, T>;
