//! What is counted of evaluations: metrics of calls, and what trials would have said. Never: who asked.

use std::collections::HashSet;
use std::sync::LazyLock;
use std::time::Duration;

use linli_proto::rules as pb;
use parking_lot::Mutex;
use uuid::Uuid;

use crate::domain::said::Said;
use crate::engine::Hook;

/// Plugins that have metrics of their own; those beyond share one label.
const NAMED: usize = 2_000;

/// What came up while cases were answered.
#[derive(Debug, Default)]
pub(super) struct Noted {
    pub(super) calls: Vec<Call>,
    pub(super) tallies: Vec<Tally>,
}

/// One call of a plugin.
#[derive(Debug)]
pub(super) struct Call {
    /// Name of the plugin.
    pub(super) plugin: String,
    /// Name of the version.
    pub(super) version: String,
    pub(super) hook: Hook,
    pub(super) stage: pb::RuleStage,
    /// Share of its budget.
    pub(super) fuel: f64,
    pub(super) took: Duration,
    pub(super) fault: Option<&'static str>,
    /// Whether the fault speaks against the version.
    pub(super) blamed: bool,
}

/// What a trial said beside what was obeyed.
#[derive(Debug)]
pub(super) struct Tally {
    /// Id of the change.
    pub(super) change: Uuid,
    pub(super) was: Said,
    pub(super) would: Said,
}

impl Noted {
    /// Adds what came up elsewhere.
    pub(super) fn append(&mut self, mut more: Self) {
        self.calls.append(&mut more.calls);
        self.tallies.append(&mut more.tallies);
    }

    /// Counts the calls in metrics.
    pub(super) fn measure(&self) {
        for call in &self.calls {
            let (plugin, hook) = (label(&call.plugin), call.hook.code());
            let stage = match call.stage {
                pb::RuleStage::Shadow => "shadow",
                pb::RuleStage::Canary => "canary",
                pb::RuleStage::Active | pb::RuleStage::Unspecified => "active",
            };
            metrics::counter!("linli_rule_calls_total", "plugin" => plugin.clone(), "hook" => hook, "stage" => stage)
                .increment(1);
            if let Some(fault) = call.fault {
                let labels = [("plugin", plugin.clone()), ("hook", hook.to_owned()), ("fault", fault.to_owned())];
                metrics::counter!("linli_rule_faults_total", &labels).increment(1);
            }
            metrics::histogram!("linli_rule_fuel_ratio", "plugin" => plugin.clone(), "hook" => hook).record(call.fuel);
            metrics::histogram!("linli_rule_seconds", "plugin" => plugin, "hook" => hook)
                .record(call.took.as_secs_f64());
        }
    }
}

/// The label of a plugin: its name, for the first few thousand.
fn label(plugin: &str) -> String {
    static KNOWN: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);
    let mut known = KNOWN.lock();
    if known.contains(plugin) {
        return plugin.to_owned();
    }
    if known.len() >= NAMED || plugin.is_empty() {
        return "other".to_owned();
    }
    known.insert(plugin.to_owned());
    plugin.to_owned()
}
