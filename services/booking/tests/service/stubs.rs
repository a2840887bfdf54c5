//! Small peers in this process: org, rules and points, as far as booking asks them.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use linli_proto::common::{Amount, Reason, Text};
use linli_proto::rules::evaluate_request::Hook;
use linli_proto::rules::evaluate_response::Answer;
use linli_proto::{org, points, rules};
use parking_lot::Mutex;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt as _;

/// Every fact but balances.
const ALL: [&str; 7] = ["age", "standing", "joined", "roles", "tags", "usage", "answers"];

/// What the peers know and have done.
#[derive(Default)]
pub struct World {
    /// Calls by method.
    pub calls: Mutex<HashMap<String, usize>>,
    /// Bookings of a month that the rule allows; 0: no rule.
    pub per_month: Mutex<i32>,
    /// Whether the rule sends every booking to a person.
    pub approval: Mutex<bool>,
    /// Whether a rule needs balances, and denies whom it sees without.
    pub wants_balances: Mutex<bool>,
    /// Facts that the rules of a hook declare instead of all but balances.
    pub declared: Mutex<HashMap<String, Vec<String>>>,
    /// Every question that was answered.
    pub asked: Mutex<Vec<rules::EvaluateRequest>>,
    /// Hooks whose rules give no answer, which spoils the batch; a name that is no hook's: a binding that nobody was told of.
    pub faults: Mutex<Vec<String>>,
    /// What stands in every answer as the rules that took part.
    pub parts: Mutex<Vec<rules::RulePart>>,
    /// Revision of the rules.
    pub revision: Mutex<String>,
    /// So many questions about what rules need are still answered by a replica that knows the first rules only.
    pub behind: Mutex<usize>,
    /// Residents older than this are denied; 0: no rule.
    pub denied_above: Mutex<i32>,
    /// Whether everybody who waits is scored with how many wait.
    pub scored_by_length: Mutex<bool>,
    /// Whether rules do not answer at the moment.
    pub rules_down: Mutex<bool>,
    /// So many captures and voids are refused, though the hold stands.
    pub refusals: Mutex<usize>,
    /// Whether the ledger places no holds at the moment.
    pub ledger_down: Mutex<bool>,
    /// Units that every resident has.
    pub balance: Mutex<i64>,
    /// Holds by name with their state, and their causes.
    pub holds: Mutex<HashMap<String, (points::HoldState, String)>>,
}

impl World {
    pub fn count(&self) -> usize {
        self.calls.lock().values().sum()
    }

    pub fn holds_in(&self, state: points::HoldState) -> usize {
        self.holds.lock().values().filter(|(s, _)| *s == state).count()
    }

    fn facts(request: &org::BatchGetResidentFactsRequest) -> Result<org::BatchGetResidentFactsResponse, tonic::Status> {
        if request.names.len() > 1000 {
            return Err(tonic::Status::invalid_argument("FIELD_TOO_MANY"));
        }
        if request.names.iter().any(|name| !of_area(name, &request.parent)) {
            return Err(tonic::Status::invalid_argument("AREA_MISMATCH"));
        }
        let facts = request.names.iter().filter(|name| !name.ends_with("nobody")).map(|name| {
            // `per-old-80` was born 80 years before 2026.
            let age = name.rsplit('-').next().and_then(|n| n.parse::<i32>().ok()).filter(|_| name.contains("old"));
            org::ResidentFacts {
                person: name.clone(),
                birth_year: 2026 - age.unwrap_or(30),
                unit: format!("{}/units/grid-1", &name[..name.find("/people").unwrap_or(0)]),
                household: format!("{}/households/hh-1", &name[..name.find("/people").unwrap_or(0)]),
                ..org::ResidentFacts::default()
            }
        });
        Ok(org::BatchGetResidentFactsResponse { facts: facts.collect() })
    }

    fn household(request: &org::GetHouseholdRequest) -> Result<org::Household, tonic::Status> {
        if request.name.ends_with("hh-none") {
            return Err(tonic::Status::not_found("RESOURCE_NOT_FOUND"));
        }
        Ok(org::Household { name: request.name.clone(), ..org::Household::default() })
    }

    fn evaluate(&self, request: &rules::EvaluateRequest) -> rules::EvaluateResponse {
        let answer = match request.hook.as_ref().expect("a hook") {
            Hook::Eligibility(facts) => {
                let limit = *self.per_month.lock();
                let used = facts.used.as_ref().map_or(0, |used| used.this_month);
                let reason = |code: &str, zh: &str| Reason {
                    code: code.into(),
                    text: Some(Text { zh_cn: zh.into(), en: code.into() }),
                    ..Reason::default()
                };
                let above = *self.denied_above.lock();
                let age = facts.who.as_ref().map_or(0, |who| who.age_years);
                let resident = facts.who.as_ref().is_some_and(|who| who.standing == "resident");
                let blind = resident && *self.wants_balances.lock() && facts.balances.is_empty();
                let (verdict, reasons) = if blind {
                    (rules::Verdict::Deny, vec![reason("no-balances", "看不到积分")])
                } else if above > 0 && age > above {
                    (rules::Verdict::Deny, vec![reason("too-old", "年龄不符")])
                } else if limit > 0 && used >= limit {
                    (rules::Verdict::Deny, vec![reason("already-this-month", "本月已约")])
                } else if *self.approval.lock() {
                    (rules::Verdict::NeedsApproval, vec![reason("ask-first", "需审批")])
                } else {
                    (rules::Verdict::Allow, Vec::new())
                };
                Answer::Eligibility(rules::EligibilityAnswer { verdict: verdict as i32, reasons })
            }
            Hook::Price(facts) => Answer::Price(rules::PriceAnswer { price: facts.base.clone(), reasons: Vec::new() }),
            Hook::Priority(facts) => {
                let length = i32::try_from(facts.queue.len()).unwrap_or(i32::MAX);
                let by_length = *self.scored_by_length.lock();
                let age = |w: &rules::Waiting| w.who.as_ref().map_or(0, |who| who.age_years);
                // As the repairs rule has it: who answered that it is urgent comes first.
                let urgent = |w: &rules::Waiting| {
                    let yes = Some(linli_proto::common::answer::Value::Flag(true));
                    i32::from(w.answers.iter().any(|answer| answer.key == "urgent" && answer.value == yes)) * 1_000
                };
                let score = |w| if by_length { length } else { age(w) + urgent(w) };
                Answer::Priority(rules::PriorityAnswer { scores: facts.queue.iter().map(score).collect() })
            }
            Hook::Award(_) | Hook::Track(_) | Hook::Thresholds(_) => unreachable!("booking never asks"),
        };
        rules::EvaluateResponse {
            answer: Some(answer),
            parts: self.parts.lock().clone(),
            revision: self.revision.lock().clone(),
        }
    }

    fn effective(&self, request: &rules::GetEffectiveRulesRequest) -> rules::EffectiveRules {
        let mut facts: Vec<String> = ALL.iter().map(|fact| (*fact).to_owned()).collect();
        let mut behind = self.behind.lock();
        if *behind > 0 {
            *behind -= 1;
            return rules::EffectiveRules { facts, ..rules::EffectiveRules::default() };
        }
        if *self.wants_balances.lock() {
            facts.push("balances".into());
        }
        if let Some(declared) = self.declared.lock().get(&request.hook) {
            facts.clone_from(declared);
        }
        let rule_binding = rules::RuleBinding { name: binding_of(&request.hook), ..rules::RuleBinding::default() };
        let rule = rules::EffectiveRule { rule_binding: Some(rule_binding), ..rules::EffectiveRule::default() };
        rules::EffectiveRules { rules: vec![rule], facts, revision: self.revision.lock().clone() }
    }

    fn evaluate_all(
        &self,
        request: &rules::BatchEvaluateRequest,
    ) -> Result<rules::BatchEvaluateResponse, tonic::Status> {
        if *self.rules_down.lock() {
            return Err(tonic::Status::unavailable("STORAGE_UNAVAILABLE"));
        }
        let asked: Vec<&str> = request.requests.iter().map(hook_of).collect();
        if let Some(faulty) = self.faults.lock().iter().find(|hook| asked.contains(&hook.as_str()) || *hook == "new") {
            let named = HashMap::from([("rule_binding".to_owned(), binding_of(faulty))]);
            let details = tonic_types::ErrorDetails::with_error_info("RULE_FAULT", "rules.linli", named);
            return Err(tonic::Status::with_error_details(tonic::Code::Unavailable, "RULE_FAULT", details));
        }
        self.asked.lock().extend(request.requests.iter().cloned());
        let responses = request.requests.iter().map(|r| self.evaluate(r)).collect();
        Ok(rules::BatchEvaluateResponse { responses })
    }

    fn balances(
        &self,
        request: &points::BatchGetBalancesRequest,
    ) -> Result<points::BatchGetBalancesResponse, tonic::Status> {
        if request.holders.iter().any(|holder| !of_area(holder, &request.parent)) {
            return Err(tonic::Status::invalid_argument("AREA_MISMATCH"));
        }
        let account = |holder: &String| points::Account {
            asset: "points".into(),
            holder: holder.clone(),
            available: *self.balance.lock(),
            ..points::Account::default()
        };
        Ok(points::BatchGetBalancesResponse { accounts: request.holders.iter().map(account).collect() })
    }

    fn hold(&self, request: points::CreateHoldRequest) -> Result<points::Hold, tonic::Status> {
        if *self.ledger_down.lock() {
            return Err(tonic::Status::unavailable("STORAGE_UNAVAILABLE"));
        }
        let hold = request.hold.unwrap_or_default();
        if !of_area(&hold.from, &request.parent) {
            return Err(tonic::Status::invalid_argument("AREA_MISMATCH"));
        }
        let value = hold.amount.as_ref().map_or(0, |amount: &Amount| amount.value);
        if value > *self.balance.lock() {
            return Err(refused("INSUFFICIENT_BALANCE"));
        }
        let name = format!("{}/holds/hld-{}", request.parent, request.request_id);
        self.holds.lock().entry(name.clone()).or_insert((points::HoldState::Placed, hold.cause.clone()));
        Ok(points::Hold { name, state: points::HoldState::Placed as i32, ..hold })
    }

    fn settle(&self, name: &str, to: points::HoldState) -> Result<points::Hold, tonic::Status> {
        let mut refusals = self.refusals.lock();
        if *refusals > 0 {
            *refusals -= 1;
            return Err(refused("HOLDER_CAP_REACHED"));
        }
        match self.holds.lock().get_mut(name) {
            Some((state, _)) if *state == points::HoldState::Placed => {
                *state = to;
                Ok(points::Hold { name: name.into(), state: to as i32, ..points::Hold::default() })
            }
            _ => Err(refused("HOLD_NOT_OPEN")),
        }
    }

    fn get_hold(&self, name: &str) -> Result<points::Hold, tonic::Status> {
        match self.holds.lock().get(name) {
            Some((state, cause)) => Ok(points::Hold {
                name: name.into(),
                state: *state as i32,
                cause: cause.clone(),
                ..points::Hold::default()
            }),
            None => Err(tonic::Status::not_found("RESOURCE_NOT_FOUND")),
        }
    }

    fn list_holds(&self) -> points::ListHoldsResponse {
        let holds = self.holds.lock();
        let hold = |(name, (state, cause)): (&String, &(points::HoldState, String))| points::Hold {
            name: name.clone(),
            state: *state as i32,
            cause: cause.clone(),
            ..points::Hold::default()
        };
        points::ListHoldsResponse { holds: holds.iter().map(hold).collect(), next_page_token: String::new() }
    }
}

/// The binding of a hook: there is one of each.
fn binding_of(hook: &str) -> String {
    format!("areas/xinhua/ruleBindings/{hook}")
}

fn hook_of(ask: &rules::EvaluateRequest) -> &'static str {
    match ask.hook.as_ref().expect("a hook") {
        Hook::Eligibility(_) => "booking-eligibility",
        Hook::Price(_) => "booking-price",
        Hook::Priority(_) => "booking-priority",
        Hook::Award(_) | Hook::Track(_) | Hook::Thresholds(_) => unreachable!("booking never asks"),
    }
}

/// Whether a name belongs to `areas/...`.
fn of_area(name: &str, area: &str) -> bool {
    name.strip_prefix(area).is_some_and(|rest| rest.starts_with('/'))
}

/// A refusal with its reason, as a ledger gives it.
fn refused(reason: &str) -> tonic::Status {
    let details = tonic_types::ErrorDetails::with_error_info(reason, "points.linli", HashMap::new());
    tonic::Status::with_error_details(tonic::Code::FailedPrecondition, reason, details)
}

/// A handler of one method.
struct Handler<F>(F);

impl<F, Req, Res> UnaryService<Req> for Handler<F>
where
    F: Fn(Req) -> Result<Res, tonic::Status>,
{
    type Response = Res;
    type Future = Ready<Result<tonic::Response<Res>, tonic::Status>>;

    fn call(&mut self, request: tonic::Request<Req>) -> Self::Future {
        ready((self.0)(request.into_inner()).map(tonic::Response::new))
    }
}

async fn unary<Req, Res, F>(request: Request<Body>, f: F) -> Response<Body>
where
    Req: prost::Message + Default + 'static,
    Res: prost::Message + Default + 'static,
    F: Fn(Req) -> Result<Res, tonic::Status> + Send + 'static,
{
    Grpc::new(ProstCodec::<Res, Req>::default()).unary(Handler(f), request).await
}

async fn answer(world: Arc<World>, request: Request<Body>) -> Response<Body> {
    let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    *world.calls.lock().entry(method.clone()).or_default() += 1;
    match method.as_str() {
        "BatchGetResidentFacts" => unary(request, |m| World::facts(&m)).await,
        "GetHousehold" => unary(request, |m| World::household(&m)).await,
        "GetEffectiveRules" => unary(request, move |m| Ok(world.effective(&m))).await,
        "BatchEvaluate" => unary(request, move |m| world.evaluate_all(&m)).await,
        "BatchGetBalances" => unary(request, move |m| world.balances(&m)).await,
        "CreateHold" => unary(request, move |m| world.hold(m)).await,
        "CaptureHold" => {
            unary(request, move |m: points::CaptureHoldRequest| world.settle(&m.name, points::HoldState::Captured))
                .await
        }
        "VoidHold" => {
            unary(request, move |m: points::VoidHoldRequest| world.settle(&m.name, points::HoldState::Voided)).await
        }
        "GetHold" => unary(request, move |m: points::GetHoldRequest| world.get_hold(&m.name)).await,
        "ListHolds" => unary(request, move |_: points::ListHoldsRequest| Ok(world.list_holds())).await,
        other => panic!("booking is not expected to call {other}"),
    }
}

macro_rules! stub {
    ($name:ident, $service:literal) => {
        /// A peer.
        #[derive(Clone)]
        pub struct $name(pub Arc<World>);

        impl NamedService for $name {
            const NAME: &'static str = $service;
        }

        impl tower::Service<Request<Body>> for $name {
            type Response = Response<Body>;
            type Error = Infallible;
            type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

            fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
                Poll::Ready(Ok(()))
            }

            fn call(&mut self, request: Request<Body>) -> Self::Future {
                let world = self.0.clone();
                Box::pin(async move { Ok(answer(world, request).await) })
            }
        }
    };
}

stub!(Org, "linli.org.v1.OrgService");
stub!(Rules, "linli.rules.v1.RulesService");
stub!(Points, "linli.points.v1.PointsService");
