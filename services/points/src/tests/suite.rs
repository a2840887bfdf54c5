//! A points service of one test: its calls in the process, a clock of its own, org and rules as stand-ins.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use linli_access::{Access, AreaRow, GrantRow, Matrix, Snapshot, UnitRow};
use linli_kernel::{ManualClock, Timestamp};
use linli_kit::call::Ctx;
use linli_kit::feed::EventLog;
use linli_kit::identity::{ServiceIdentity, TokenVerifier, generate_key_pair};
use linli_kit::serve::{Backend, Kit, LocalServices, Peers, ServiceParts};
use linli_kit::stack::{Limits, StackParts};
use linli_kit::testing::{TestStore, keyring, stores_with};
use linli_kit::{Caller, Error};
use linli_proto::common::{Amount, Text, VerifyInvariantsRequest};
use linli_proto::org::{BatchGetResidentFactsRequest, BatchGetResidentFactsResponse, ResidentFacts};
use linli_proto::points as pb;
use linli_proto::points::points_service_server::PointsService as _;
use linli_proto::rules::evaluate_response::Answer;
use linli_proto::rules::{
    AwardAnswer, BatchEvaluateRequest, BatchEvaluateResponse, EffectiveRules, EvaluateResponse,
    GetEffectiveRulesRequest, Grant,
};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::server::{NamedService, UnaryService};
use tonic::{Request, Response, Status};

use crate::api::Api;
use crate::app::App;

pub(crate) const KEEPER: &str = "areas/a/people/per-00000000000000000000000099";
pub(crate) const OPERATOR: &str = "systems/operator";
const START: Timestamp = Timestamp::from_secs(1_790_000_000);

/// What happens while rules think, by how many questions they were asked so far.
pub(crate) type Meanwhile = Arc<dyn Fn(usize) -> BoxFuture<'static, ()> + Send + Sync>;

/// What the stand-in for rules grants for each case, and how often it and org were asked.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) grant: i64,
    pub(crate) digest: String,
    pub(crate) fault: bool,
    /// Whether rules cannot be reached.
    pub(crate) away: bool,
    /// Facts that the rules declare.
    pub(crate) declared: Vec<String>,
    /// Every question that was answered.
    pub(crate) questions: Vec<linli_proto::rules::EvaluateRequest>,
    /// What stands in every answer as the rules that took part.
    pub(crate) parts: Vec<linli_proto::rules::RulePart>,
    /// Who has so many units of all assets is granted nothing.
    pub(crate) below: Option<i64>,
    pub(crate) meanwhile: Option<Meanwhile>,
    pub(crate) asked_org: usize,
    pub(crate) asked_rules: usize,
    /// Units of people whom org knows; others live in `grid-1`.
    pub(crate) units: HashMap<String, String>,
    /// People whom org does not know.
    pub(crate) unknown: HashSet<String>,
}

pub(crate) struct Suite {
    pub(crate) app: Arc<App>,
    pub(crate) api: Api,
    pub(crate) store: TestStore,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) world: Arc<Mutex<World>>,
}

/// A person's full name in the area `a`.
pub(crate) fn person(n: u32) -> String {
    format!("areas/a/people/per-{n:026}")
}

/// A purpose code as a holder.
pub(crate) fn purpose_free(code: &str) -> &str {
    code
}

/// Runs a claim on a fresh service per engine.
pub(crate) async fn each(claim: impl AsyncFn(&Suite)) {
    let own: Vec<_> = crate::migrations().into_iter().filter(|m| m.version >= 900).collect();
    for store in stores_with("points", &own).await {
        let suite = Suite::new(store);
        suite.asset("points", true, 0).await;
        claim(&suite).await;
    }
}

pub(crate) fn request_id(n: u128) -> String {
    uuid::Uuid::from_u128((0x4 << 76) | n).to_string()
}

/// Reason and metadata text of a refusal.
pub(crate) type Refused = (String, String);

fn refused(status: Status) -> Refused {
    let text = format!("{status:?}");
    (Error::from_peer(status).reason(), text)
}

impl Suite {
    fn new(store: TestStore) -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let world = Arc::new(Mutex::new(World { grant: 1, digest: "d1".to_owned(), ..World::default() }));
        let access = Access::new(Matrix::shipped().expect("the matrix"), [OPERATOR.to_owned()]);
        access.replace(snapshot());
        let kit = Kit { service: "points", texts: crate::texts(), clock: clock.clone() };
        let parts = ServiceParts {
            kit,
            store: linli_kit::store::Store::clone(&store).with_constraints(crate::CONSTRAINTS),
            peers: peers(&world, clock.clone()),
            keyring: Arc::new(keyring()),
            log: EventLog::new(linli_kit::store::Store::clone(&store)),
            cancel: CancellationToken::new(),
            tasks: TaskTracker::new(),
            retention: Default::default(),
        };
        let app = App::new(parts, access);
        Self { api: Api::new(app.clone()), app, store, clock, world }
    }

    /// A second process on the same store: calls of its own, a combiner of its own.
    pub(crate) fn beside(&self) -> Api {
        Api::new(App::new(self.app.parts.clone(), self.app.access.clone()))
    }

    /// A request of a subject, as the stack would hand it over.
    pub(crate) fn ask<M>(&self, method: &str, subject: &str, message: M) -> Request<M> {
        let path = format!("/linli.points.v1.PointsService/{method}");
        let info = linli_proto::methods().get(&path).unwrap_or_else(|| panic!("no method {path}"));
        let mut ctx = Ctx::background("points", info, self.clock.clone(), Duration::from_secs(20));
        ctx.caller = match subject.strip_prefix("services/") {
            Some(service) => Caller::Service { service: service.to_owned(), actor: None },
            None => Caller::Subject(subject.to_owned()),
        };
        let mut request = Request::new(message);
        request.extensions_mut().insert(Arc::new(ctx));
        request
    }

    pub(crate) async fn asset(&self, id: &str, transferable: bool, holder_cap: i64) {
        let text = Text { zh_cn: id.to_owned(), en: String::new() };
        let asset = pb::Asset { display_name: Some(text), transferable, holder_cap, ..pb::Asset::default() };
        let request = pb::CreateAssetRequest {
            parent: "areas/a".to_owned(),
            asset: Some(asset),
            asset_id: id.to_owned(),
            request_id: String::new(),
        };
        self.api.create_asset(self.ask("CreateAsset", OPERATOR, request)).await.expect("an asset");
    }

    pub(crate) fn order(from: &str, to: &str, value: i64, request_id: String) -> pb::CreateTransferRequest {
        let amount = Some(Amount { asset: "points".to_owned(), value });
        let transfer = pb::Transfer { amount, from: from.to_owned(), to: to.to_owned(), ..pb::Transfer::default() };
        pb::CreateTransferRequest { parent: "areas/a".to_owned(), transfer: Some(transfer), request_id }
    }

    pub(crate) async fn send(
        &self,
        subject: &str,
        request: pb::CreateTransferRequest,
    ) -> Result<pb::Transfer, Refused> {
        let answer = self.api.create_transfer(self.ask("CreateTransfer", subject, request)).await;
        answer.map(Response::into_inner).map_err(refused)
    }

    pub(crate) async fn transfer(
        &self,
        subject: &str,
        from: &str,
        to: &str,
        value: i64,
    ) -> Result<pb::Transfer, Refused> {
        self.send(subject, Self::order(from, to, value, String::new())).await
    }

    pub(crate) async fn grant(&self, to: &str, value: i64) -> pb::Transfer {
        self.transfer(KEEPER, "issuance", to, value).await.expect("issuance owes")
    }

    /// Balance and units that can be spent, as the operator sees them.
    pub(crate) async fn balance(&self, asset: &str, holder: &str) -> Option<(i64, i64)> {
        let short = holder.rsplit('/').next().unwrap_or_default();
        let request = pb::GetAccountRequest { name: format!("areas/a/accounts/{asset}.{short}") };
        match self.api.get_account(self.ask("GetAccount", OPERATOR, request)).await {
            Ok(account) => Some((account.get_ref().balance, account.get_ref().available)),
            Err(status) if status.code() == tonic::Code::NotFound => None,
            Err(status) => panic!("{status:?}"),
        }
    }

    /// All invariants hold.
    pub(crate) async fn verify(&self) {
        let broken = self.recount().await;
        assert!(broken.is_empty(), "{:?}: {broken:?}", self.store.engine());
    }

    /// Ids of the invariants that do not hold.
    pub(crate) async fn broken(&self) -> Vec<String> {
        self.recount().await.into_iter().map(|check| check.invariant).collect()
    }

    async fn recount(&self) -> Vec<linli_proto::common::InvariantCheck> {
        let request = VerifyInvariantsRequest { parent: "areas/a".to_owned() };
        let answer =
            self.api.verify_invariants(self.ask("VerifyInvariants", OPERATOR, request)).await.expect("recounts");
        answer.into_inner().checks.into_iter().filter(|check| !check.violations.is_empty()).collect()
    }
}

/// Area `a` with two grids below a street; a keeper over the area, a worker of the first grid.
fn snapshot() -> Snapshot {
    let area = |area: &str, parent: &str| AreaRow {
        area: area.to_owned(),
        parent: parent.to_owned(),
        time_zone: "Asia/Shanghai".to_owned(),
    };
    let unit = |unit: &str| UnitRow { area: "a".to_owned(), unit: unit.to_owned(), path: format!("{unit}/") };
    let grant = |subject: &str, unit: &str, role: &str| GrantRow {
        appointment: format!("apt-{role}"),
        subject: subject.to_owned(),
        area: "a".to_owned(),
        unit: unit.to_owned(),
        role: role.to_owned(),
        access_role: role.to_owned(),
        start: Timestamp::from_secs(0),
        end: None,
    };
    let grants = vec![grant(KEEPER, "", "keeper"), grant(&person(50), "grid-1", "worker")];
    Snapshot::new(
        vec![area("street", ""), area("a", "street"), area("b", "street")],
        vec![unit("grid-1"), unit("grid-2")],
        grants,
    )
}

/// Org and rules as far as points asks them.
#[derive(Clone)]
struct StandIn<const ORG: bool>(Arc<Mutex<World>>);

impl NamedService for StandIn<true> {
    const NAME: &'static str = "linli.org.v1.OrgService";
}

impl NamedService for StandIn<false> {
    const NAME: &'static str = "linli.rules.v1.RulesService";
}

impl UnaryService<BatchGetResidentFactsRequest> for StandIn<true> {
    type Response = BatchGetResidentFactsResponse;
    type Future = BoxFuture<'static, Result<Response<Self::Response>, Status>>;

    fn call(&mut self, request: Request<BatchGetResidentFactsRequest>) -> Self::Future {
        let mut world = self.0.lock();
        world.asked_org += 1;
        let unit = |person: &str| world.units.get(person).map_or("grid-1", String::as_str).to_owned();
        let facts = |person: &String| ResidentFacts {
            person: person.clone(),
            birth_year: 1950,
            unit: format!("areas/a/units/{}", unit(person)),
            ..ResidentFacts::default()
        };
        let known = request.get_ref().names.iter().filter(|person| !world.unknown.contains(*person));
        let answer = BatchGetResidentFactsResponse { facts: known.map(facts).collect() };
        Box::pin(async move { Ok(Response::new(answer)) })
    }
}

impl UnaryService<BatchEvaluateRequest> for StandIn<false> {
    type Response = BatchEvaluateResponse;
    type Future = BoxFuture<'static, Result<Response<Self::Response>, Status>>;

    fn call(&mut self, request: Request<BatchEvaluateRequest>) -> Self::Future {
        use linli_proto::rules::evaluate_request::Hook;
        let mut world = self.0.lock();
        world.asked_rules += 1;
        let granted = |asset: String| Grant {
            amount: Some(Amount { asset, value: world.grant }),
            reason: Some(linli_proto::common::Reason { code: "thanks".to_owned(), ..Default::default() }),
            digest: world.digest.clone(),
            rule_binding: String::new(),
        };
        let answer = |case: &linli_proto::rules::EvaluateRequest| {
            let Some(Hook::Award(facts)) = &case.hook else { panic!("another hook") };
            let asset = facts.cap.clone().unwrap_or_default().asset;
            let has: i64 = facts.balances.iter().map(|amount| amount.value).sum();
            let grants = if world.below.is_some_and(|below| has >= below) { Vec::new() } else { vec![granted(asset)] };
            EvaluateResponse {
                answer: Some(Answer::Award(AwardAnswer { grants })),
                parts: world.parts.clone(),
                ..EvaluateResponse::default()
            }
        };
        let responses = request.get_ref().requests.iter().map(answer).collect();
        let (fault, away) = (world.fault, world.away);
        if !fault && !away {
            world.questions.extend(request.get_ref().requests.iter().cloned());
        }
        let meanwhile = world.meanwhile.as_ref().map(|meanwhile| meanwhile(world.asked_rules));
        Box::pin(async move {
            if let Some(meanwhile) = meanwhile {
                meanwhile.await;
            }
            if away {
                let error = Error::new(linli_kit::ErrorCode::Unavailable, "PEER_UNAVAILABLE");
                return Err(error.into_status(&crate::texts(), linli_kernel::Lang::En, "rules.linli"));
            }
            if fault {
                let error = Error::new(linli_kit::ErrorCode::Unavailable, "RULE_FAULT");
                return Err(error.into_status(&crate::texts(), linli_kernel::Lang::En, "rules.linli"));
            }
            Ok(Response::new(BatchEvaluateResponse { responses }))
        })
    }
}

impl UnaryService<GetEffectiveRulesRequest> for StandIn<false> {
    type Response = EffectiveRules;
    type Future = BoxFuture<'static, Result<Response<Self::Response>, Status>>;

    fn call(&mut self, _: Request<GetEffectiveRulesRequest>) -> Self::Future {
        let facts = self.0.lock().declared.clone();
        Box::pin(async move { Ok(Response::new(EffectiveRules { facts, ..EffectiveRules::default() })) })
    }
}

macro_rules! serve {
    ($org:literal, $own:ident, $request:ident => $answer:expr) => {
        impl tower_service::Service<http::Request<Body>> for StandIn<$org> {
            type Response = http::Response<Body>;
            type Error = Infallible;
            type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

            fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
                Poll::Ready(Ok(()))
            }

            fn call(&mut self, $request: http::Request<Body>) -> Self::Future {
                let $own = self.clone();
                Box::pin(async move { Ok($answer) })
            }
        }
    };
}

/// Answers one method.
async fn answer<Q, S>(own: S, request: http::Request<Body>) -> http::Response<Body>
where
    Q: prost::Message + Default + Send + 'static,
    S: UnaryService<Q>,
    S::Response: prost::Message + Send + 'static,
{
    tonic::server::Grpc::new(tonic_prost::ProstCodec::<S::Response, Q>::default()).unary(own, request).await
}

serve!(true, own, request => answer::<BatchGetResidentFactsRequest, _>(own, request).await);
serve!(false, own, request => match request.uri().path().ends_with("/GetEffectiveRules") {
    true => answer::<GetEffectiveRulesRequest, _>(own, request).await,
    false => answer::<BatchEvaluateRequest, _>(own, request).await,
});

fn peers(world: &Arc<Mutex<World>>, clock: Arc<ManualClock>) -> Peers {
    let (private, public) = generate_key_pair().expect("keys");
    let verifier = TokenVerifier::new(&public, &[("points".to_owned(), public.clone())]).expect("a verifier");
    let parts = |service| StackParts {
        service,
        texts: crate::texts(),
        verifier: Arc::new(TokenVerifier::new(&public, &[("points".to_owned(), public.clone())]).expect("a verifier")),
        clock: clock.clone(),
        limits: Limits::default(),
        tasks: TaskTracker::new(),
    };
    drop(verifier);
    let services = LocalServices::default();
    let org = tonic::service::Routes::new(StandIn::<true>(world.clone()));
    let rules = tonic::service::Routes::new(StandIn::<false>(world.clone()));
    services.insert("org", linli_kit::stack::build(&parts("org"), org));
    services.insert("rules", linli_kit::stack::build(&parts("rules"), rules));
    let identity = Arc::new(ServiceIdentity::from_pem("points", &private).expect("an identity"));
    let backends = ["org", "rules"].map(|name| (name, Backend::Local(services.clone(), name)));
    Peers::new(identity, HashMap::from(backends))
}
