//! What the rules in force need, cached for a few seconds, so that a booking asks for facts only when a rule wants them.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use linli_kit::serve::Peers;
use linli_kit::{Ctx, Error, Result};
use linli_proto::rules::evaluate_request::Hook;
use linli_proto::rules::rules_service_client::RulesServiceClient;
use linli_proto::rules::{EffectiveRules, EvaluateRequest, EvaluateResponse, GetEffectiveRulesRequest};
use tokio::time::Instant;
use tonic::Status;
use tonic_types::StatusExt as _;

use super::App;

/// The hooks that booking asks.
pub(super) const ELIGIBILITY: &str = "booking-eligibility";
pub(super) const PRICE: &str = "booking-price";
pub(super) const PRIORITY: &str = "booking-priority";
/// No hook, but the receipts of what is decided beside them: that a seat goes to one who waits, and by a person.
pub(super) const PROMOTION: &str = "booking-promotion";
pub(super) const APPROVAL: &str = "booking-approval";

/// How long an answer is believed without asking again; a newer revision in an evaluation ends it at once. Then it is asked
/// again beside the bookings, which go on with the old answer: only the first one of a kind ever waits.
const FRESH: Duration = Duration::from_secs(5);
/// How long an answer is kept that nobody needs.
const KEPT: Duration = Duration::from_secs(600);
/// Bound of asking beside the bookings.
const BUDGET: Duration = Duration::from_secs(5);

/// The reason of a refusal because a rule gave no answer.
const RULE_FAULT: &str = "RULE_FAULT";

/// The fact that another service is asked for.
pub(super) const BALANCES: &str = "balances";

/// What the rules of one hook declare.
#[derive(Debug)]
pub(super) struct Declared {
    facts: HashSet<String>,
    /// Revision of the rules that declare it.
    revision: String,
    /// Names of their bindings.
    bindings: HashSet<String>,
}

impl Declared {
    /// Whether a fact is declared.
    pub(super) fn has(&self, fact: &str) -> bool {
        self.facts.contains(fact)
    }

    /// The codes of all that is declared, in their order.
    pub(super) fn codes(&self) -> Vec<String> {
        let mut codes: Vec<String> = self.facts.iter().cloned().collect();
        codes.sort_unstable();
        codes
    }

    /// The values of a fact when it is declared, none otherwise.
    pub(super) fn list<T>(&self, fact: &str, values: impl FnOnce() -> Vec<T>) -> Vec<T> {
        if self.has(fact) { values() } else { Vec::new() }
    }
}

/// What is in force for one area and kind.
#[derive(Debug)]
pub(super) struct Needs {
    /// Of the rules of eligibility.
    pub(super) eligibility: Declared,
    /// Of the rules of price.
    pub(super) price: Declared,
    /// Of the rules of priority.
    pub(super) priority: Declared,
    asked: Instant,
    /// Whether somebody asks again already.
    again: AtomicBool,
}

impl Needs {
    /// Whether a refusal says that it is a rule of priority that gave no answer.
    pub(super) fn blames_priority(&self, refused: &Status) -> bool {
        let info = refused.get_details_error_info().filter(|info| info.reason == RULE_FAULT);
        let binding = info.as_ref().and_then(|info| info.metadata.get("rule_binding"));
        binding.is_some_and(|binding| self.priority.bindings.contains(binding))
    }

    fn revisions(&self) -> [&str; 3] {
        [&self.eligibility, &self.price, &self.priority].map(|declared| declared.revision.as_str())
    }

    /// Whether the rules that answered are those whose needs these are: other rules may have needed other facts.
    pub(super) fn gave(&self, answers: &[(EvaluateRequest, EvaluateResponse)]) -> bool {
        answers.iter().all(|(ask, answer)| match &ask.hook {
            Some(Hook::Eligibility(_)) => answer.revision == self.eligibility.revision,
            Some(Hook::Price(_)) => answer.revision == self.price.revision,
            // One without an answer came from no rules.
            Some(Hook::Priority(_)) => answer.answer.is_none() || answer.revision == self.priority.revision,
            Some(Hook::Award(_) | Hook::Track(_) | Hook::Thresholds(_)) | None => true,
        })
    }
}

/// The cache, by area and kind.
pub(super) struct Effective(moka::future::Cache<(String, String), Arc<Needs>>);

impl Default for Effective {
    fn default() -> Self {
        Self(moka::future::Cache::builder().max_capacity(10_000).time_to_idle(KEPT).build())
    }
}

impl App {
    /// What the rules for a kind need; asks once for all callers that wait.
    pub(super) async fn needs(&self, ctx: &Ctx, area: &str, kind: &str) -> Result<Arc<Needs>> {
        let key = (area.to_owned(), kind.to_owned());
        let ask = async { ask_needs(&self.parts.peers, ctx, area, kind).await.map(Arc::new) };
        let known = self.rules.0.try_get_with(key.clone(), ask).await;
        if let Ok(known) = &known
            && known.asked.elapsed() >= FRESH
            && !known.again.swap(true, Ordering::Relaxed)
        {
            self.ask_again(key, known.clone());
        }
        known.map_err(|shared: Arc<Error>| {
            Arc::try_unwrap(shared).unwrap_or_else(|shared| {
                Error::new(shared.code(), "PEER_UNAVAILABLE")
                    .with("service", "rules")
                    .retry_after(Duration::from_secs(1))
            })
        })
    }

    /// Whether a rule gave no answer because it was asked with what other rules needed, those of a moment ago. What is needed
    /// now is known then.
    pub(super) async fn asked_too_little(
        &self,
        ctx: &Ctx,
        area: &str,
        kind: &str,
        needs: &Needs,
        error: &Error,
    ) -> bool {
        if !matches!(error.reason().as_str(), "RULE_FAULT" | "FACT_MISSING") {
            return false;
        }
        let Ok(now) = ask_needs(&self.parts.peers, ctx, area, kind).await else { return false };
        let moved = now.revisions() != needs.revisions();
        if moved {
            self.rules.0.insert((area.to_owned(), kind.to_owned()), Arc::new(now)).await;
        }
        moved
    }

    /// Forgets what was in force, because an evaluation came from another revision.
    pub(super) async fn forget_needs(&self, area: &str, kind: &str) {
        self.rules.0.invalidate(&(area.to_owned(), kind.to_owned())).await;
    }

    fn ask_again(&self, key: (String, String), known: Arc<Needs>) {
        let (peers, cache, ctx) = (self.parts.peers.clone(), self.rules.0.clone(), self.parts.background(BUDGET));
        self.parts.tasks.spawn(async move {
            match ask_needs(&peers, &ctx, &key.0, &key.1).await {
                Ok(needs) => cache.insert(key, Arc::new(needs)).await,
                Err(error) => {
                    known.again.store(false, Ordering::Relaxed);
                    tracing::warn!(%error, "what rules need could not be asked again");
                }
            }
        });
    }
}

async fn ask_needs(peers: &Peers, ctx: &Ctx, area: &str, kind: &str) -> Result<Needs> {
    let ask = |hook: &'static str| {
        let mut client = RulesServiceClient::new(peers.to("rules", ctx));
        let request = GetEffectiveRulesRequest {
            parent: format!("areas/{area}"),
            hook: hook.to_owned(),
            kind: kind.to_owned(),
            any_kind: false,
        };
        async move { client.get_effective_rules(request).await.map(tonic::Response::into_inner) }
    };
    let asked = Instant::now();
    let all = futures::future::try_join3(ask(ELIGIBILITY), ask(PRICE), ask(PRIORITY)).await;
    let (eligibility, price, priority) = all.map_err(Error::from_peer)?;
    let declared = |rules: EffectiveRules| Declared {
        facts: rules.facts.into_iter().collect(),
        revision: rules.revision,
        bindings: rules.rules.into_iter().filter_map(|rule| Some(rule.rule_binding?.name)).collect(),
    };
    let (eligibility, price, priority) = (declared(eligibility), declared(price), declared(priority));
    Ok(Needs { eligibility, price, priority, asked, again: AtomicBool::new(false) })
}
