//! A loaded plugin: inspected, compiled, described, ready to be instantiated.
//! Never: built from bytes that were not inspected, or with a manifest that was not checked.

use std::collections::HashSet;
use std::fmt;

use sha2::{Digest as _, Sha256};
use wasmtime::component::{Component, ComponentExportIndex, ComponentNamedList, InstancePre, Lift, Linker, Lower};
use wasmtime::{Engine, Store};

use super::config::EngineConfig;
use super::deliberation::{ThresholdsRequest, Tightened, TrackChoice, TrackRequest};
use super::facts::FactSet;
use super::fault::{BadResult, Fault, LoadError};
use super::guest::{self, Allowance, Guest};
use super::hook::{Hook, META};
use super::inspect::{self, Caps};
use super::manifest::{Manifest, SettingProblem};
use super::types::{
    Award, AwardRequest, Context, EligibilityRequest, PriceRequest, PriorityRequest, Refusal, Setting, Terms, Verdict,
};

/// The SHA-256 of a plugin's bytes: its identity.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// A plugin that can be evaluated.
pub struct Plugin {
    digest: Digest,
    manifest: Manifest,
    facts: FactSet,
    reasons: HashSet<String>,
    pre: InstancePre<Guest>,
    check_settings: ComponentExportIndex,
    hooks: Vec<(Hook, ComponentExportIndex)>,
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin").field("digest", &self.digest).field("title", &self.manifest.title.en).finish()
    }
}

impl Plugin {
    /// Inspects and compiles; runs nothing of the guest.
    pub(crate) fn compile(engine: &Engine, bytes: &[u8]) -> Result<Compiled, LoadError> {
        let inspection = inspect::walk(bytes, &Caps::native());
        if !inspection.findings.is_empty() {
            return Err(LoadError::Unacceptable(inspection.findings));
        }
        let refused = |error: wasmtime::Error| LoadError::Compile(format!("{error:#}"));
        let component = Component::new(engine, bytes).map_err(refused)?;
        // An empty linker: the import of types alone is satisfied by nothing, a function would be missing.
        let pre = Linker::new(engine).instantiate_pre(&component).map_err(refused)?;
        Ok(Compiled { digest: Digest::of(bytes), component, pre, hooks: inspection.hooks })
    }

    /// The plugin's identity.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What it says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The facts that it declares.
    pub fn facts(&self) -> FactSet {
        self.facts
    }

    /// The hooks that it exports.
    pub fn hooks(&self) -> impl Iterator<Item = Hook> + '_ {
        self.hooks.iter().map(|&(hook, _)| hook)
    }

    /// Whether the manifest declares a reason.
    pub(super) fn declares(&self, reason: &str) -> bool {
        self.reasons.contains(reason)
    }

    pub(super) fn call_hook<P, R>(
        &self,
        store: Store<Guest>,
        hook: Hook,
        params: P,
        allowance: Allowance,
    ) -> Result<(R, u64), Fault>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let (_, function) = self.hooks.iter().find(|(h, _)| *h == hook).ok_or(Fault::NoHook(hook.code()))?;
        guest::call(store, &self.pre, function, params, allowance)
    }

    pub(super) fn call_check_settings(
        &self,
        store: Store<Guest>,
        settings: &[Setting],
        allowance: Allowance,
    ) -> Result<Vec<SettingProblem>, Fault> {
        type Answer = (Result<(), Vec<SettingProblem>>,);
        let (answer, _) = guest::call::<_, Answer>(store, &self.pre, &self.check_settings, (settings,), allowance)?;
        let problems = answer.0.err().unwrap_or_default();
        match problems.iter().find(|problem| !self.declares(&problem.why.code)) {
            Some(problem) => Err(Fault::BadResult(BadResult::UnknownReason(problem.why.code.clone()))),
            None => Ok(problems),
        }
    }
}

/// A plugin that compiled and has not run yet.
pub(crate) struct Compiled {
    digest: Digest,
    component: Component,
    pre: InstancePre<Guest>,
    hooks: Vec<Hook>,
}

impl Compiled {
    /// Runs `describe` and checks the manifest and the signature of every hook.
    pub(crate) fn describe(self, engine: &Engine, config: &EngineConfig) -> Result<Plugin, LoadError> {
        let refused = |error: wasmtime::Error| LoadError::Compile(format!("{error:#}"));
        let describe = self.function(META, "describe")?;
        let check_settings = self.function(META, "check-settings")?;
        let hooks = self
            .hooks
            .iter()
            .map(|&hook| Ok((hook, self.function(hook.interface(), hook.function())?)))
            .collect::<Result<Vec<_>, LoadError>>()?;

        let allowance = Allowance { fuel: config.fuel_meta, result_bytes: config.manifest_bytes };
        let store = guest::store(engine, config, allowance).map_err(refused)?;
        let (manifest,): (Manifest,) =
            guest::call::<(), _>(store, &self.pre, &describe, (), allowance).map_err(LoadError::Describe)?.0;
        let problems = manifest.check();
        if !problems.is_empty() {
            return Err(LoadError::Manifest(problems));
        }
        let store = guest::store(engine, config, allowance).map_err(refused)?;
        check_signatures(store, &self.pre, &check_settings, &hooks).map_err(refused)?;

        Ok(Plugin {
            digest: self.digest,
            facts: manifest.fact_set(),
            reasons: manifest.messages.iter().map(|message| message.code.clone()).collect(),
            manifest,
            pre: self.pre,
            check_settings,
            hooks,
        })
    }

    fn function(&self, interface: &str, function: &str) -> Result<ComponentExportIndex, LoadError> {
        let instance = self.component.get_export_index(None, interface);
        instance
            .and_then(|instance| self.component.get_export_index(Some(&instance), function))
            .ok_or_else(|| LoadError::Compile(format!("{interface} has no function {function}")))
    }
}

/// Compares every export with the records of this host, so that a later call cannot fail for its type.
fn check_signatures(
    mut store: Store<Guest>,
    pre: &InstancePre<Guest>,
    check_settings: &ComponentExportIndex,
    hooks: &[(Hook, ComponentExportIndex)],
) -> wasmtime::Result<()> {
    type Asked<'a, Q> = (&'a Context, &'a Q);
    type Answer<A> = (Result<A, Refusal>,);
    let instance = pre.instantiate(&mut store)?;
    instance.get_typed_func::<(&[Setting],), (Result<(), Vec<SettingProblem>>,)>(&mut store, check_settings)?;
    for (hook, at) in hooks {
        let store = &mut store;
        match hook {
            Hook::Eligibility => {
                instance.get_typed_func::<Asked<'_, EligibilityRequest>, Answer<Verdict>>(store, at).map(drop)
            }
            Hook::Price => instance.get_typed_func::<Asked<'_, PriceRequest>, Answer<Terms>>(store, at).map(drop),
            Hook::Priority => {
                instance.get_typed_func::<Asked<'_, PriorityRequest>, Answer<Vec<i32>>>(store, at).map(drop)
            }
            Hook::Award => instance.get_typed_func::<Asked<'_, AwardRequest>, Answer<Vec<Award>>>(store, at).map(drop),
            Hook::Track => instance.get_typed_func::<Asked<'_, TrackRequest>, Answer<TrackChoice>>(store, at).map(drop),
            Hook::Thresholds => {
                instance.get_typed_func::<Asked<'_, ThresholdsRequest>, Answer<Tightened>>(store, at).map(drop)
            }
        }?;
    }
    Ok(())
}
