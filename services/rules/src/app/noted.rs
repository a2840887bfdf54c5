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
    pub(super) blamed: Vec<Blamed>,
    pub(super) tallies: Vec<Tally>,
}

/// A fault that speaks against a version.
#[derive(Debug)]
pub(super) struct Blamed {
    /// Name of the version.
    pub(super) version: String,
    /// Code of the fault.
    pub(super) code: &'static str,
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
        self.blamed.append(&mut more.blamed);
        self.tallies.append(&mut more.tallies);
    }
}

/// The metrics of a version at a hook and in a stage, looked up once.
#[derive(Clone)]
pub(super) struct Series {
    plugin: String,
    hook: &'static str,
    calls: metrics::Counter,
    fuel: metrics::Histogram,
    seconds: metrics::Histogram,
}

impl Series {
    pub(super) fn new(plugin: &str, hook: Hook, stage: pb::RuleStage) -> Self {
        let (plugin, hook) = (label(plugin), hook.code());
        let stage = match stage {
            pb::RuleStage::Shadow => "shadow",
            pb::RuleStage::Canary => "canary",
            pb::RuleStage::Active | pb::RuleStage::Unspecified => "active",
        };
        let calls =
            metrics::counter!("linli_rule_calls_total", "plugin" => plugin.clone(), "hook" => hook, "stage" => stage);
        let fuel = metrics::histogram!("linli_rule_fuel_ratio", "plugin" => plugin.clone(), "hook" => hook);
        let seconds = metrics::histogram!("linli_rule_seconds", "plugin" => plugin.clone(), "hook" => hook);
        Self { plugin, hook, calls, fuel, seconds }
    }

    /// Counts one call.
    pub(super) fn record(&self, fuel: f64, took: Duration, fault: Option<&'static str>) {
        self.calls.increment(1);
        self.fuel.record(fuel);
        self.seconds.record(took.as_secs_f64());
        if let Some(fault) = fault {
            let labels = [("plugin", self.plugin.clone()), ("hook", self.hook.to_owned()), ("fault", fault.to_owned())];
            metrics::counter!("linli_rule_faults_total", &labels).increment(1);
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
