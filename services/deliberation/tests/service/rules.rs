//! A stand-in for rules: answers what a test tells it to, and counts how often it was asked.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use linli_proto::rules::evaluate_response::Answer;
use linli_proto::rules::{
    EffectiveRule, EffectiveRules, EvaluateRequest, EvaluateResponse, GetEffectiveRulesRequest, RulePart, RuleStage,
};
use parking_lot::Mutex;
use tonic::body::Body;
use tonic::{Code, Status};

use crate::org::unary;

/// The stand-in; without an answer no rule is in force.
#[derive(Clone, Default)]
pub(crate) struct Rules {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// By hook: what an evaluation answers.
    answers: Vec<(&'static str, Result<Answer, Code>)>,
    down: bool,
    effective: usize,
    asked: Vec<EvaluateRequest>,
}

impl Rules {
    /// Puts a rule of a hook in force that answers so, or fails so.
    pub(crate) fn answer(&self, hook: &'static str, answer: Result<Answer, Code>) {
        let mut state = self.state.lock();
        state.answers.retain(|(known, _)| *known != hook);
        state.answers.push((hook, answer));
    }

    /// Nobody answers any more.
    pub(crate) fn down(&self) {
        self.state.lock().down = true;
    }

    /// What was evaluated.
    pub(crate) fn asked(&self) -> Vec<EvaluateRequest> {
        self.state.lock().asked.clone()
    }

    /// How often it was asked what is in force.
    pub(crate) fn effective_calls(&self) -> usize {
        self.state.lock().effective
    }

    fn effective(&self, request: &GetEffectiveRulesRequest) -> Result<EffectiveRules, Status> {
        let mut state = self.state.lock();
        state.effective += 1;
        if state.down {
            return Err(Status::new(Code::Unavailable, "down"));
        }
        let known = state.answers.iter().filter(|(hook, _)| *hook == request.hook);
        let rules = known.map(|_| EffectiveRule { title: "A rule".into(), ..Default::default() }).collect();
        Ok(EffectiveRules { rules, ..Default::default() })
    }

    fn evaluate(&self, request: &EvaluateRequest) -> Result<EvaluateResponse, Status> {
        use linli_proto::rules::evaluate_request::Hook;
        let mut state = self.state.lock();
        state.asked.push(request.clone());
        let hook = match request.hook {
            Some(Hook::Track(_)) => "deliberation-track",
            Some(Hook::Thresholds(_)) => "deliberation-thresholds",
            _ => return Err(Status::new(Code::InvalidArgument, "not a hook of deliberation")),
        };
        let answer = state.answers.iter().find(|(known, _)| *known == hook).map(|(_, answer)| answer.clone());
        match answer {
            Some(Ok(answer)) => Ok(EvaluateResponse {
                answer: Some(answer),
                parts: vec![RulePart {
                    rule_binding: "areas/xinhua/ruleBindings/three-ways".into(),
                    digest: "aa".into(),
                    verdict: "said".into(),
                    stage: RuleStage::Active.into(),
                    ..Default::default()
                }],
                revision: "r1".into(),
            }),
            Some(Err(code)) => Err(Status::new(code, "a fault")),
            None => Err(Status::new(Code::Internal, "nothing to say")),
        }
    }
}

impl tonic::server::NamedService for Rules {
    const NAME: &'static str = "linli.rules.v1.RulesService";
}

impl tower::Service<http::Request<Body>> for Rules {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let evaluates = request.uri().path().ends_with("/Evaluate");
            Ok(match evaluates {
                true => unary(request, move |r: &EvaluateRequest| this.evaluate(r)).await,
                false => unary(request, move |r: &GetEffectiveRulesRequest| this.effective(r)).await,
            })
        })
    }
}
