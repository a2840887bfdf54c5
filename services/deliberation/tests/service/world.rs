//! A small community around the service: areas, units, posts, people, a clock that is moved by hand.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use linli_access::{Access, AreaRow, GrantRow, Matrix, Snapshot, UnitRow};
use linli_deliberation::{CONSTRAINTS, SERVICE, build, migrations, texts};
use linli_kernel::{Clock as _, ManualClock, Timestamp};
use linli_kit::crypto::Keyring;
use linli_kit::feed::EventLog;
use linli_kit::identity::{ServiceIdentity, Signer, TokenVerifier, generate_key_pair, issuer_key_id};
use linli_kit::serve::{Backend, Kit, LocalServices, Peers, ServiceParts};
use linli_kit::stack::{self, Limits, Stack, StackParts};
use linli_kit::testing::{TestStore, keyring, stores_with};
use linli_proto::common::{Text, VerifyInvariantsRequest};
use linli_proto::deliberation as pb;
use linli_proto::deliberation::condition::Condition as Kind;
use linli_proto::deliberation::deliberation_service_client::DeliberationServiceClient;
use tonic::body::Body;
use tonic::service::Routes;

use crate::org::{Org, People};
use crate::rules::Rules;

pub(crate) const AREA: &str = "areas/xinhua";
pub(crate) const UNIT: &str = "areas/xinhua/units/compound-1";
pub(crate) const MANAGER: &str = "areas/xinhua/people/per-manager";
pub(crate) const COUNCIL: &str = "areas/xinhua/people/per-council";
pub(crate) const BRANCH: &str = "areas/xinhua/people/per-branch";
pub(crate) const WORKER: &str = "areas/xinhua/people/per-worker";
pub(crate) const VIEWER: &str = "systems/dashboard";
pub(crate) const OPERATOR: &str = "systems/operator";
/// Households that may vote.
pub(crate) const HOUSEHOLDS: usize = 12;

/// The name of a resident: `member` 0 and 1 are adults, 2 is a child.
pub(crate) fn resident(household: usize, member: usize) -> String {
    format!("{AREA}/people/per-{household:02}-{member}")
}

fn people() -> People {
    let born = [1960, 1975, 2015];
    let homes = (0..HOUSEHOLDS).flat_map(|home| (0..3).map(move |member| (home, member)));
    homes
        .map(|(home, member)| {
            let unit = if home < 6 { "grid-1" } else { "grid-2" };
            (format!("per-{home:02}-{member}"), born[member], format!("hh-{home:02}"), unit.to_owned())
        })
        .collect()
}

fn snapshot() -> Snapshot {
    let area = |area: &str, parent: &str| AreaRow {
        area: area.into(),
        parent: parent.into(),
        time_zone: "Asia/Shanghai".into(),
    };
    let unit = |unit: &str, path: &str| UnitRow { area: "xinhua".into(), unit: unit.into(), path: path.into() };
    let grant = |subject: &str, unit: &str, role: &str, access_role: &str| GrantRow {
        appointment: format!("apt-{role}"),
        subject: subject.into(),
        area: "xinhua".into(),
        unit: unit.into(),
        role: role.into(),
        access_role: access_role.into(),
        start: Timestamp::from_secs(0),
        end: None,
    };
    Snapshot::new(
        vec![area("litong", ""), area("xinhua", "litong"), area("guanba", "litong")],
        vec![
            unit("compound-1", "compound-1/"),
            unit("grid-1", "compound-1/grid-1/"),
            unit("grid-2", "compound-1/grid-2/"),
            unit("compound-2", "compound-2/"),
        ],
        vec![
            grant(MANAGER, "", "secretary", "manager"),
            grant(COUNCIL, "compound-1", "council-member", "council"),
            grant(BRANCH, "compound-1", "branch-secretary", "council"),
            grant(WORKER, "grid-1", "grid-worker", "worker"),
            grant(VIEWER, "", "dashboard", "viewer"),
            grant("systems/elsewhere", "compound-2", "council-member", "council"),
        ],
    )
}

/// The service on one engine, with all that it needs around it.
pub(crate) struct World {
    pub(crate) store: TestStore,
    pub(crate) keys: Arc<Keyring>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) rules: Rules,
    org: Org,
    calls: Arc<ServiceIdentity>,
    issuer: Signer,
    stack: Stack,
}

impl World {
    /// One world per engine.
    pub(crate) async fn all() -> Vec<Self> {
        let own: Vec<_> = migrations().into_iter().filter(|m| m.version >= 900).collect();
        let mut worlds = Vec::new();
        for store in stores_with(SERVICE, &own).await {
            worlds.push(Self::around(store, people()).await);
        }
        worlds
    }

    /// One world per engine with so many adults, each in a household of their own.
    pub(crate) async fn crowded(adults: usize) -> Vec<Self> {
        let own: Vec<_> = migrations().into_iter().filter(|m| m.version >= 900).collect();
        let mut worlds = Vec::new();
        for store in stores_with(SERVICE, &own).await {
            let person = |i| (format!("per-{i:05}"), 1960, format!("hh-{i:05}"), "grid-1".to_owned());
            worlds.push(Self::around(store, (0..adults).map(person).collect()).await);
        }
        worlds
    }

    async fn around(store: TestStore, people: People) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_793_500_000)));
        let (issuer, issuer_public) = generate_key_pair().expect("a key pair");
        let (own, own_public) = generate_key_pair().expect("a key pair");
        let (other, other_public) = generate_key_pair().expect("a key pair");
        let calls = Arc::new(ServiceIdentity::from_pem("rules", &other).expect("a private key"));
        let known = [(SERVICE.to_owned(), own_public), ("rules".to_owned(), other_public)];
        let verifier = TokenVerifier::new(&issuer_public, &known).expect("public keys");
        let verifier = Arc::new(verifier);
        let stack_parts = |service: &'static str| StackParts {
            service,
            texts: texts(),
            verifier: verifier.clone(),
            clock: clock.clone(),
            limits: Limits::default(),
            tasks: Default::default(),
        };
        let services = LocalServices::default();
        let org = Org::new(people);
        services.insert("org", stack::build(&stack_parts("org"), Routes::new(org.clone())));
        let rules = Rules::default();
        services.insert("rules", stack::build(&stack_parts("rules"), Routes::new(rules.clone())));
        let identity = Arc::new(ServiceIdentity::from_pem(SERVICE, &own).expect("a private key"));
        let keys = Arc::new(keyring());
        let local = |service| (service, Backend::Local(services.clone(), service));
        let backends = HashMap::from([local("org"), local("rules")]);
        let parts = ServiceParts {
            kit: Kit { service: SERVICE, texts: texts(), clock: clock.clone() },
            store: store.clone().with_constraints(CONSTRAINTS),
            peers: Peers::new(identity, backends),
            keyring: keys.clone(),
            log: EventLog::new(store.clone()),
            cancel: Default::default(),
            tasks: Default::default(),
            retention: Default::default(),
        };
        let access = Access::new(Matrix::shipped().expect("the shipped matrix"), [OPERATOR.to_owned()]);
        access.replace(snapshot());
        let routes = build(parts, access).await.expect("the service builds");
        let stack = stack::build(&stack_parts(SERVICE), routes);
        let issuer = Signer::from_pem(issuer_key_id(), &issuer).expect("a key");
        Self { store, keys, clock, rules, org, calls, issuer, stack }
    }

    /// The service as `subject` reaches it; answers come in English.
    pub(crate) fn client(&self, subject: &str) -> DeliberationServiceClient<Bearer> {
        self.client_in(subject, "en")
    }

    /// The same in another language.
    pub(crate) fn client_in(&self, subject: &str, lang: &'static str) -> DeliberationServiceClient<Bearer> {
        let token = self.issuer.issue(subject, Duration::from_secs(600)).expect("a token");
        DeliberationServiceClient::new(Bearer { stack: self.stack.clone(), token: format!("Bearer {token}"), lang })
    }

    /// The service as another service of the suite reaches it.
    pub(crate) fn as_service(&self, service: &str) -> DeliberationServiceClient<Bearer> {
        assert_eq!(service, self.calls.service(), "the only other service of this world");
        let token = format!("Bearer {}", self.calls.token().expect("a token"));
        DeliberationServiceClient::new(Bearer { stack: self.stack.clone(), token, lang: "en" })
    }

    /// Somebody is recorded in org now, in a household of the first grid.
    pub(crate) fn arrives(&self, id: &str, birth_year: i32, household: usize) -> String {
        let person = (id.to_owned(), birth_year, format!("hh-{household:02}"), "grid-1".to_owned());
        self.org.record(person, self.clock.now());
        format!("{AREA}/people/{id}")
    }

    /// Moves the clock.
    pub(crate) fn pass_hours(&self, hours: i64) {
        self.clock.advance_to(self.clock.now().plus_secs(3600 * hours));
    }

    /// An instant so many hours from now.
    pub(crate) fn in_hours(&self, hours: i64) -> prost_types::Timestamp {
        linli_kit::check::timestamp(self.clock.now().plus_secs(3600 * hours))
    }

    /// Puts the six steps into the district above the community.
    pub(crate) async fn six_steps(&self) {
        self.template("areas/litong/processTemplates/six-steps", stages()).await;
    }

    /// Puts a template into the catalogue.
    pub(crate) async fn template(&self, name: &str, stages: Vec<pb::Stage>) -> pb::ProcessTemplate {
        let template = pb::ProcessTemplate {
            name: name.to_owned(),
            display_name: text("Six steps"),
            stages,
            ..Default::default()
        };
        self.process(template).await.expect("a template")
    }

    /// The same with all that a template may say.
    pub(crate) async fn process(&self, template: pb::ProcessTemplate) -> Result<pb::ProcessTemplate, tonic::Status> {
        let request = pb::UpdateProcessTemplateRequest {
            process_template: Some(template),
            allow_missing: true,
            ..Default::default()
        };
        self.client(OPERATOR).update_process_template(request).await.map(tonic::Response::into_inner)
    }

    /// Raises a topic that follows the six steps.
    pub(crate) async fn raise(&self, subject: &str) -> pb::Topic {
        let topic = pb::Topic {
            process_template: format!("{AREA}/processTemplates/six-steps"),
            unit: UNIT.to_owned(),
            kind: "parking".to_owned(),
            title: "The roof leaks".to_owned(),
            body: "Above staircase 3".to_owned(),
            ..Default::default()
        };
        let request = pb::CreateTopicRequest { parent: AREA.into(), topic: Some(topic), ..Default::default() };
        self.client(subject).create_topic(request).await.expect("a topic").into_inner()
    }

    /// Raises a topic about the first grid.
    pub(crate) async fn raise_in_grid(&self, subject: &str) -> String {
        let topic = pb::Topic {
            process_template: format!("{AREA}/processTemplates/six-steps"),
            unit: format!("{AREA}/units/grid-1"),
            kind: "x".to_owned(),
            title: "t".to_owned(),
            ..Default::default()
        };
        let request = pb::CreateTopicRequest { parent: AREA.into(), topic: Some(topic), ..Default::default() };
        self.client(subject).create_topic(request).await.expect("a topic").into_inner().name
    }

    /// Raises a topic at the compound that follows a template.
    pub(crate) async fn raise_by(&self, subject: &str, template: &str) -> String {
        let topic = pb::Topic {
            process_template: template.to_owned(),
            unit: UNIT.to_owned(),
            kind: "x".to_owned(),
            title: "t".to_owned(),
            ..Default::default()
        };
        let request = pb::CreateTopicRequest { parent: AREA.into(), topic: Some(topic), ..Default::default() };
        self.client(subject).create_topic(request).await.expect("a topic").into_inner().name
    }

    /// Records something at the present stage of a topic.
    pub(crate) async fn record(&self, subject: &str, topic: &str, kind: &str) -> pb::StageRecord {
        let outcome = if kind == "decision" { pb::Outcome::Approved } else { pb::Outcome::Unspecified };
        let record = pb::StageRecord {
            kind: kind.to_owned(),
            text: format!("What the {kind} says"),
            outcome: outcome.into(),
            ..Default::default()
        };
        let request = pb::RecordStageRequest { name: topic.to_owned(), record: Some(record), ..Default::default() };
        self.client(subject).record_stage(request).await.expect("a record").into_inner()
    }

    /// Moves a topic on.
    pub(crate) async fn advance(&self, subject: &str, topic: &str) -> Result<pb::Topic, tonic::Status> {
        let request = pb::AdvanceTopicRequest { name: topic.to_owned(), ..Default::default() };
        self.client(subject).advance_topic(request).await.map(tonic::Response::into_inner)
    }

    /// Supports a topic as residents of so many households.
    pub(crate) async fn support(&self, topic: &str, households: usize) {
        for home in 0..households {
            let request = pb::SupportTopicRequest { name: topic.to_owned(), ..Default::default() };
            self.client(&resident(home, 0)).support_topic(request).await.expect("a support");
        }
    }

    /// Raises a topic and brings it to the stage of its ballot.
    pub(crate) async fn deliberated(&self) -> String {
        let topic = self.raise(&resident(0, 0)).await.name;
        self.support(&topic, 3).await;
        self.advance(COUNCIL, &topic).await.expect("screened");
        self.record(BRANCH, &topic, "decision").await;
        self.advance(COUNCIL, &topic).await.expect("drafted");
        self.record(COUNCIL, &topic, "survey").await;
        self.record(COUNCIL, &topic, "draft").await;
        self.advance(COUNCIL, &topic).await.expect("deliberated");
        topic
    }

    /// Opens a ballot about a topic for 24 hours.
    pub(crate) async fn ballot(&self, topic: &str) -> pb::Ballot {
        let request =
            pb::CreateBallotRequest { ballot: Some(self.asked(topic, 24)), parent: AREA.into(), ..Default::default() };
        self.client(COUNCIL).create_ballot(request).await.expect("a ballot").into_inner()
    }

    /// A ballot to open.
    pub(crate) fn asked(&self, topic: &str, hours: i64) -> pb::Ballot {
        pb::Ballot {
            topic: topic.to_owned(),
            question: text("Shall the roof be mended?"),
            close_time: Some(self.in_hours(hours)),
            ..Default::default()
        }
    }

    /// Votes.
    pub(crate) async fn cast(
        &self,
        subject: &str,
        ballot: &str,
        choice: pb::Choice,
    ) -> Result<pb::CastVoteResponse, tonic::Status> {
        let request = pb::CastVoteRequest { name: ballot.to_owned(), choice: choice.into(), ..Default::default() };
        self.client(subject).cast_vote(request).await.map(tonic::Response::into_inner)
    }

    /// Votes for somebody.
    pub(crate) async fn assist(
        &self,
        subject: &str,
        ballot: &str,
        voter: &str,
    ) -> Result<pb::CastVoteResponse, tonic::Status> {
        let request = pb::AssistVoteRequest {
            name: ballot.to_owned(),
            choice: pb::Choice::Yes.into(),
            voter: voter.to_owned(),
            ..Default::default()
        };
        self.client(subject).assist_vote(request).await.map(tonic::Response::into_inner)
    }

    /// The roll of a ballot: elector, whether it voted, who helped.
    pub(crate) async fn roll(&self, ballot: &str) -> Vec<pb::RollEntry> {
        let request =
            pb::ListElectorRollRequest { name: ballot.to_owned(), page_size: 1000, page_token: String::new() };
        self.client(COUNCIL).list_elector_roll(request).await.expect("the roll").into_inner().electors
    }

    /// Closes a ballot.
    pub(crate) async fn close(&self, ballot: &str) -> Result<pb::Ballot, tonic::Status> {
        let request = pb::CloseBallotRequest { name: ballot.to_owned(), ..Default::default() };
        self.client(COUNCIL).close_ballot(request).await.map(tonic::Response::into_inner)
    }

    /// What breaks each invariant, by its id.
    pub(crate) async fn violations(&self) -> Vec<(String, Vec<String>)> {
        let request = VerifyInvariantsRequest { parent: AREA.to_owned() };
        let answer = self.client(OPERATOR).verify_invariants(request).await.expect("verifies").into_inner();
        answer.checks.into_iter().map(|check| (check.invariant, check.violations)).collect()
    }

    /// Asserts that every invariant holds.
    pub(crate) async fn sound(&self) {
        let broken: Vec<_> = self.violations().await.into_iter().filter(|(_, found)| !found.is_empty()).collect();
        assert!(broken.is_empty(), "{:?}: {broken:#?}", self.store.engine());
    }
}

/// A text in English.
pub(crate) fn text(en: &str) -> Option<Text> {
    Some(Text { zh_cn: String::new(), en: en.to_owned() })
}

/// A stage.
pub(crate) fn stage(id: &str, conditions: Vec<Kind>, advanced_by: &[&str]) -> pb::Stage {
    pb::Stage {
        id: id.to_owned(),
        display_name: text(id),
        conditions: conditions.into_iter().map(|c| pb::Condition { condition: Some(c) }).collect(),
        advanced_by: advanced_by.iter().map(|role| (*role).to_owned()).collect(),
    }
}

/// More than half of the households, more than half of these.
pub(crate) fn majority() -> pb::BallotRule {
    pb::BallotRule {
        basis: pb::ElectorateBasis::Household.into(),
        quorum: Some(pb::Share { numerator: 1, denominator: 2, exclusive: true }),
        pass: Some(pb::Share { numerator: 1, denominator: 2, exclusive: true }),
        open_hours: 24,
        min_age: 0,
    }
}

/// The six steps of fuqiang's council.
pub(crate) fn stages() -> Vec<pb::Stage> {
    let record = |kind: &str| Kind::RecordKind(kind.to_owned());
    vec![
        stage("collect", vec![Kind::MinSupports(3)], &["council", "worker", "manager"]),
        stage("screen", vec![Kind::ApprovedByRole("branch-secretary".to_owned())], &["council", "manager"]),
        stage("draft", vec![record("survey"), record("draft")], &["council", "manager"]),
        stage("deliberate", vec![record("minutes"), Kind::BallotPassed(majority())], &["council", "manager"]),
        stage("publish", vec![Kind::PublishedHours(48), record("work")], &["council", "manager"]),
        stage("file", vec![record("answer")], &["council", "manager"]),
    ]
}

/// The reason of an error.
pub(crate) fn reason(status: &tonic::Status) -> String {
    use tonic_types::StatusExt as _;
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

/// The stack with a token.
#[derive(Clone)]
pub(crate) struct Bearer {
    stack: Stack,
    token: String,
    lang: &'static str,
}

impl tower::Service<http::Request<Body>> for Bearer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = <Stack as tower::Service<http::Request<Body>>>::Future;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        request.headers_mut().insert("authorization", self.token.parse().expect("a header"));
        request.headers_mut().insert("accept-language", http::HeaderValue::from_static(self.lang));
        self.stack.call(request)
    }
}
