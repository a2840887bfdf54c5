//! Runs cases with the server's own evaluator. Never: keeps anything of one case for the next.

use std::sync::Arc;

use linli_rules_engine::table::Table;
use linli_rules_engine::types::Context;
use linli_rules_engine::{Engine, EngineConfig, Fault, LoadError, Outcome, Plugin};

use crate::case::Case;
use crate::place::Mistake;
use crate::{settings, tell};

/// A rule that can be asked.
#[derive(Debug, Clone)]
pub struct Rule {
    engine: Engine,
    plugin: Arc<Plugin>,
    /// The document, where the rule is one.
    table: Option<Arc<Table>>,
}

impl Rule {
    /// Loads a rule from its bytes, in any form that the server takes.
    ///
    /// # Errors
    /// Everything that speaks against the bytes.
    pub fn load(bytes: &[u8]) -> Result<Self, LoadError> {
        let engine = Engine::new(EngineConfig::embedded()).map_err(|error| LoadError::Compile(error.to_string()))?;
        Self::on(engine, bytes)
    }

    /// Another rule on the same engine.
    ///
    /// # Errors
    /// Everything that speaks against the bytes.
    pub fn sibling(&self, bytes: &[u8]) -> Result<Self, LoadError> {
        Self::on(self.engine.clone(), bytes)
    }

    fn on(engine: Engine, bytes: &[u8]) -> Result<Self, LoadError> {
        let plugin = engine.load(bytes)?;
        // It was parsed by the engine already, and is parsed once more for its mutants.
        let table = if Table::looks_like(bytes) { Table::parse(bytes).ok().map(Arc::new) } else { None };
        Ok(Self { engine, plugin, table })
    }

    /// The document, where the rule is one.
    pub fn table(&self) -> Option<&Table> {
        self.table.as_deref()
    }

    /// The loaded plugin.
    pub fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    /// The evaluator.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The context of a case, with its settings and the defaults for the rest.
    ///
    /// # Errors
    /// Settings that the rule does not take.
    pub fn context(&self, file: &str, case: &Case) -> Result<Context, Vec<Mistake>> {
        let mistake = |field: String, what| Mistake { file: file.to_owned(), line: case.line, field, what };
        let manifest = self.plugin.manifest();
        let given = settings::typed(manifest, &case.settings).map_err(|wrong| {
            wrong.into_iter().map(|(key, what)| mistake(format!("settings.{key}"), what)).collect::<Vec<_>>()
        })?;
        Ok(Context { settings: settings::fill(manifest, &given), ..case.context.clone() })
    }
}

/// What came of a case.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The answer, or why there was none.
    pub came: Result<Outcome, Fault>,
    /// Whether it is what the case expects.
    pub passed: bool,
    /// Fuel that it took; the whole budget where it gave a fault.
    pub fuel_used: u64,
    /// Fuel that it might have taken; 0 where that is not known.
    pub fuel_budget: u64,
}

impl Ran {
    /// The share of the budget that was used, in percent.
    pub fn fuel_percent(&self) -> u64 {
        self.fuel_used.saturating_mul(100).checked_div(self.fuel_budget).unwrap_or(0)
    }

    /// What came, as `expect:` takes it.
    pub fn told(&self) -> String {
        match &self.came {
            Ok(came) => tell::outcome(came),
            Err(came) => tell::fault(came),
        }
    }
}

/// Asks what a case asks, in a context.
pub fn ask(rule: &Rule, context: &Context, case: &Case) -> Ran {
    let evaluated = rule.engine.evaluate(&rule.plugin, context, &case.question);
    let (came, fuel_used, fuel_budget) = match evaluated {
        Ok(evaluated) => (Ok(evaluated.value), evaluated.fuel_used, evaluated.fuel_budget),
        Err(fault) => (Err(fault), 0, 0),
    };
    let passed = case.expect.as_ref().is_none_or(|expect| expect.admits(&case.question, &came));
    Ran { came, passed, fuel_used, fuel_budget }
}
