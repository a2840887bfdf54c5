//! Use cases of the rules service: parse names, authorise, validate, write, answer.

mod answers;
mod bindings;
mod catalogues;
mod changes;
mod effective;
mod evaluate;
mod evaluator;
mod facts;
mod keys;
mod noted;
mod notices;
mod plugins;
mod policy;
mod quarantine;
mod simulate;
mod spoken;
mod sweep;
mod tally;
mod turns;
mod upload;
mod validation;
mod validator;
mod verify;
mod versions;

use std::path::PathBuf;
use std::sync::Arc;

use linli_access::Access;
use linli_kit::catalogue::Catalogue;
use linli_kit::crypto::Purpose;
use linli_kit::idempotency::request_hash;
use linli_kit::operation::{Job, Operations};
use linli_kit::serve::ServiceParts;
use linli_kit::{Ctx, Error, Result};
use linli_proto::rules as pb;

use crate::artefacts::Artefacts;
use crate::engine::{EngineConfig, Kept};
use crate::validate::ValidateLimits;
use evaluator::Evaluator;
use validator::Validator;

pub(crate) use validation::Gate;

/// How the service validates uploads and evaluates what passed.
#[derive(Debug, Clone, Default)]
pub struct RulesSettings {
    /// The binary that becomes the validation child; `None`: the running one.
    pub worker: Option<PathBuf>,
    /// What one validation may use.
    pub limits: ValidateLimits,
    /// What evaluation may use: [`EngineConfig::server`] where the process runs rules alone.
    pub engine: EngineConfig,
    /// Where the bytes of plugins are.
    pub artefacts: Artefacts,
    /// Directory of this machine in which compiled plugins are kept from one start to the next; `None`: they are compiled anew.
    pub compiled: Option<Compiled>,
}

/// A place for compiled plugins, which can always be compiled anew.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// The directory; it is made when it is missing.
    pub dir: PathBuf,
    /// Bytes at most: those used longest ago go first.
    pub most_bytes: u64,
}

/// The service's use cases.
pub(crate) struct App {
    pub(crate) parts: ServiceParts,
    pub(crate) access: Access,
    pub(crate) operations: Operations,
    plugins: Catalogue<pb::Plugin>,
    bindings: Catalogue<pb::RuleBinding>,
    keys: Catalogue<pb::AuthorKey>,
    artefacts: Artefacts,
    evaluator: Evaluator,
    validator: Validator,
    in_force: effective::InForce,
    tallies: tally::Tallies,
    faults: quarantine::Faults,
    /// One simulation at a time, areas in turn.
    simulations: turns::Turns,
}

impl App {
    /// Starts the plugin engine and the runner of validations.
    pub(crate) fn start(parts: ServiceParts, access: Access, settings: RulesSettings) -> Result<Arc<Self>> {
        let worker = settings.worker.map_or_else(std::env::current_exe, Ok).map_err(Error::internal)?;
        let operations = Operations::new(parts.store.clone(), parts.kit.texts.clone());
        let validator = Validator::new(worker, settings.limits);
        let artefacts = settings.artefacts;
        sweep::start(&parts, artefacts.clone());
        let key = parts.keyring.hmac(Purpose::CompiledPlugin, &[]);
        let kept = settings.compiled.map(|place| Kept::new(place.dir, key, place.most_bytes));
        let evaluator = Evaluator::start(artefacts.clone(), EngineConfig { kept, ..settings.engine })?;
        let tallies = tally::Tallies::default();
        tallies.start(&parts);
        let store = parts.store.clone();
        let app = Arc::new(Self {
            plugins: Catalogue::new(store.clone(), "plugins", "linli/Plugin"),
            bindings: Catalogue::new(store.clone(), "ruleBindings", "linli/RuleBinding").filterable(&["hook"]),
            keys: Catalogue::new(store, "authorKeys", "linli/AuthorKey").filterable(&["disabled"]),
            evaluator,
            artefacts,
            validator,
            in_force: effective::InForce::default(),
            tallies,
            faults: quarantine::Faults::default(),
            simulations: turns::Turns::new(1, 1),
            operations,
            parts,
            access,
        });
        let (parts, validator, artefacts) = (app.parts.clone(), app.validator.clone(), app.artefacts.clone());
        let simulation: Arc<dyn Job> = Arc::new(simulate::Simulation(Arc::downgrade(&app)));
        let validation = validation::Validation { parts, validator, artefacts, engine: app.evaluator.engine().clone() };
        validation::start(&app.parts, &app.operations, validation, (simulate::KIND, simulation));
        changes::start(&app);
        quarantine::start(&app);
        Ok(app)
    }

    fn hash(&self, ctx: &Ctx, request: &impl prost::Message) -> [u8; 32] {
        request_hash(&self.parts.keyring, &ctx.method.path, request)
    }
}
