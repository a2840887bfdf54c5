//! A stand-in for rules: answers what a test tells it to, and counts how often it was asked.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use linli_kernel::Lang;
use linli_kit::{Error, ErrorCode, Texts};
use linli_proto::rules::evaluate_response::Answer;
use linli_proto::rules::{
    EffectiveRule, EffectiveRules, EvaluateRequest, EvaluateResponse, GetEffectiveRulesRequest, RulePart, RuleStage,
};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tonic::Status;
use tonic::body::Body;

use crate::org::unary;

/// The stand-in; without an answer no rule is in force.
#[derive(Clone, Default)]
pub(crate) struct Rules {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// By hook: what an evaluation answers.
    answers: Vec<(&'static str, Result<Answer, ErrorCode>)>,
    down: bool,
    /// The next evaluation says that it came, and waits.
    gate: Option<(oneshot::Sender<()>, oneshot::Receiver<()>)>,
    effective: usize,
    asked: Vec<EvaluateRequest>,
}

impl Rules {
    /// Puts a rule of a hook in force that answers so, or fails so.
    pub(crate) fn answer(&self, hook: &'static str, answer: Result<Answer, ErrorCode>) {
        let mut state = self.state.lock();
        state.answers.retain(|(known, _)| *known != hook);
        state.answers.push((hook, answer));
    }

    /// Nobody answers any more.
    pub(crate) fn down(&self) {
        self.state.lock().down = true;
    }

    /// Holds the next evaluation up: tells when it came, and goes on when told to.
    pub(crate) fn hold(&self) -> (oneshot::Receiver<()>, oneshot::Sender<()>) {
        let (came, waits) = oneshot::channel();
        let (go, told) = oneshot::channel();
        self.state.lock().gate = Some((came, told));
        (waits, go)
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
            return Err(failed(ErrorCode::Unavailable));
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
            _ => return Err(failed(ErrorCode::InvalidArgument)),
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
            Some(Err(code)) => Err(failed(code)),
            None => Err(failed(ErrorCode::Internal)),
        }
    }
}

/// An error of rules.
fn failed(code: ErrorCode) -> Status {
    Error::new(code, "CONFLICT").into_status(&Texts::kit(), Lang::En, "rules.linli")
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
            let gate = this.state.lock().gate.take_if(|_| request.uri().path().ends_with("/Evaluate"));
            if let Some((came, told)) = gate {
                came.send(()).expect("somebody listens");
                told.await.expect("somebody tells");
            }
            let evaluates = request.uri().path().ends_with("/Evaluate");
            Ok(match evaluates {
                true => unary(request, move |r: &EvaluateRequest| this.evaluate(r)).await,
                false => unary(request, move |r: &GetEffectiveRulesRequest| this.effective(r)).await,
            })
        })
    }
}
