//! A plugin that is code: inspected, compiled, described, ready to be instantiated.
//! Never: an instance that lives longer than one call.

use wasmtime::component::{Component as Code, ComponentExportIndex, InstancePre, Linker, TypedFunc};

use super::ask::{Answer, Ask, Asked};
use super::config::Limits;
use super::deliberation::{ThresholdsRequest, TrackRequest};
use super::digest::Digest;
use super::fault::{Fault, LoadError};
use super::guest::{self, Allowance, Guest};
use super::hook::{Hook, META};
use super::host::Host;
use super::inspect::{self, Caps};
use super::kept::Kept;
use super::kind::Kind;
use super::manifest::{Manifest, SettingProblem};
use super::plugin::{Form, Plugin};
use super::types::{AwardRequest, Context, EligibilityRequest, PriceRequest, PriorityRequest, Setting};

type CheckSettings = (Result<(), Vec<SettingProblem>>,);

/// A component that can be asked.
pub(super) struct Component {
    kind: Kind,
    host: Host,
    pre: InstancePre<Guest>,
    check_settings: ComponentExportIndex,
    hooks: Vec<(Hook, ComponentExportIndex)>,
    bytes: usize,
}

impl Component {
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.host.limits
    }

    pub(super) fn hooks(&self) -> impl Iterator<Item = Hook> + '_ {
        self.hooks.iter().map(|&(hook, _)| hook)
    }

    /// The memory that its code takes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn ask<Q: Ask>(&self, ctx: &Context, req: &Q, items: usize) -> Result<(Q::Answer, u64), Fault> {
        let hook = Q::HOOK;
        let (_, function) = self.hooks.iter().find(|(h, _)| *h == hook).ok_or(Fault::NoHook(hook.code()))?;
        let limits = self.limits();
        // Four bytes per entry come back from a queue.
        let result_bytes = limits.result_bytes + items * size_of::<i32>();
        let allowance = Allowance { fuel: limits.budget(items), result_bytes };
        let store = guest::store(&self.host, allowance).map_err(|error| Fault::Trap(error.to_string()))?;
        let typed = |_: &_, function| {
            // SAFETY: `check_signatures` has compared every hook that is in `hooks` with the records that `Q` stands for.
            #[expect(unsafe_code, reason = "the signature was compared at loading")]
            Ok(unsafe { TypedFunc::new_unchecked(function) })
        };
        let called = guest::call::<_, Answer<Q::Answer>>(store, &self.pre, function, (ctx, req), allowance, typed);
        let (answer, fuel) = called?;
        Ok((answer.0.map_err(Fault::Refused)?, fuel))
    }

    pub(super) fn check_settings(&self, settings: &[Setting]) -> Result<Vec<SettingProblem>, Fault> {
        let allowance = Allowance { fuel: self.limits().fuel_meta, result_bytes: self.limits().result_bytes };
        let store = guest::store(&self.host, allowance).map_err(|error| Fault::Trap(error.to_string()))?;
        let called = guest::call::<_, CheckSettings>(
            store,
            &self.pre,
            &self.check_settings,
            (settings,),
            allowance,
            guest::compared,
        );
        Ok(called?.0.0.err().unwrap_or_default())
    }
}

/// A component that compiled and has not run yet.
pub(super) struct Compiled {
    kind: Kind,
    host: Host,
    digest: Digest,
    code: Code,
    pre: InstancePre<Guest>,
}

impl Compiled {
    /// Inspects and compiles; runs nothing of the guest.
    pub(super) fn compile(host: Host, kind: Kind, bytes: &[u8]) -> Result<Self, LoadError> {
        let inspection = inspect::walk(bytes, &Caps::of(kind));
        if !inspection.findings.is_empty() {
            return Err(LoadError::Unacceptable(inspection.findings));
        }
        let code = Code::new(&host.engine, bytes).map_err(|error| refused(&error))?;
        Self::of(host, kind, Digest::of(bytes), code)
    }

    /// What was compiled before, if it is kept.
    pub(super) fn kept(kept: &Kept, host: &Host, kind: Kind, digest: Digest) -> Option<Self> {
        let code = kept.read(&host.engine, kind, &digest)?;
        // SAFETY: `read` has checked the seal over these bytes, which only a holder of the host's key can make, and which
        // is made over what this wasmtime compiled and nothing else. wasmtime itself compares version and configuration.
        #[expect(unsafe_code, reason = "compiled code is native code; its seal was checked")]
        let code = unsafe { Code::deserialize(&host.engine, &code) };
        match code.map_err(|error| refused(&error)).and_then(|code| Self::of(host.clone(), kind, digest, code)) {
            Ok(compiled) => Some(compiled),
            Err(error) => {
                tracing::warn!(%digest, %error, "a kept plugin does not load: compiled anew");
                None
            }
        }
    }

    /// The compiled code, as it is kept.
    pub(super) fn serialize(&self) -> wasmtime::Result<Vec<u8>> {
        self.code.serialize()
    }

    fn of(host: Host, kind: Kind, digest: Digest, code: Code) -> Result<Self, LoadError> {
        // An empty linker: the import of types alone is satisfied by nothing, a function would be missing.
        let pre = Linker::new(&host.engine).instantiate_pre(&code).map_err(|error| refused(&error))?;
        Ok(Self { kind, host, digest, code, pre })
    }

    /// Runs `describe` and checks the manifest and the signature of every hook.
    pub(super) fn describe(self) -> Result<Plugin, LoadError> {
        let describe = self.required(META, "describe")?;
        let check_settings = self.required(META, "check-settings")?;
        let mut hooks = Vec::new();
        for hook in Hook::ALL {
            if self.code.get_export_index(None, hook.interface()).is_some() {
                hooks.push((hook, self.required(hook.interface(), hook.function())?));
            }
        }

        let limits = self.host.limits;
        let allowance = Allowance { fuel: limits.fuel_meta, result_bytes: limits.manifest_bytes };
        let store = guest::store(&self.host, allowance).map_err(|error| refused(&error))?;
        let (manifest,): (Manifest,) =
            guest::call::<(), _>(store, &self.pre, &describe, (), allowance, guest::compared)
                .map_err(LoadError::Describe)?
                .0;
        let problems = manifest.check();
        if !problems.is_empty() {
            return Err(LoadError::Manifest(problems));
        }
        self.check_signatures(allowance, &check_settings, &hooks)?;

        let image = self.code.image_range();
        let bytes = image.end as usize - image.start as usize;
        let Self { kind, host, digest, pre, .. } = self;
        let component = Component { kind, host, pre, check_settings, hooks, bytes };
        Ok(Plugin::new(digest, manifest, Form::Component(Box::new(component))))
    }

    fn required(&self, interface: &str, function: &str) -> Result<ComponentExportIndex, LoadError> {
        let instance = self.code.get_export_index(None, interface);
        instance
            .and_then(|instance| self.code.get_export_index(Some(&instance), function))
            .ok_or_else(|| LoadError::Compile(format!("{interface} has no function {function}")))
    }

    /// Compares every export with the records of this host, so that a later call cannot fail for its type.
    fn check_signatures(
        &self,
        allowance: Allowance,
        check_settings: &ComponentExportIndex,
        hooks: &[(Hook, ComponentExportIndex)],
    ) -> Result<(), LoadError> {
        let differs = |interface: &str, error: &wasmtime::Error| {
            LoadError::Compile(format!("{interface} is not that of the contract: {error:#}"))
        };
        let mut store = guest::store(&self.host, allowance).map_err(|error| refused(&error))?;
        let instance = self
            .pre
            .instantiate(&mut store)
            .map_err(|error| LoadError::Describe(guest::not_instantiated(&error, &store, allowance)))?;
        let checked = instance.get_typed_func::<(&[Setting],), CheckSettings>(&mut store, check_settings);
        checked.map_err(|error| differs(META, &error))?;
        for (hook, at) in hooks {
            let store = &mut store;
            let found = match hook {
                Hook::Eligibility => is_typed::<EligibilityRequest>(&instance, store, at),
                Hook::Price => is_typed::<PriceRequest>(&instance, store, at),
                Hook::Priority => is_typed::<PriorityRequest>(&instance, store, at),
                Hook::Award => is_typed::<AwardRequest>(&instance, store, at),
                Hook::Track => is_typed::<TrackRequest>(&instance, store, at),
                Hook::Thresholds => is_typed::<ThresholdsRequest>(&instance, store, at),
            };
            found.map_err(|error| differs(hook.interface(), &error))?;
        }
        Ok(())
    }
}

fn is_typed<Q: Ask>(
    instance: &wasmtime::component::Instance,
    store: &mut wasmtime::Store<Guest>,
    at: &ComponentExportIndex,
) -> wasmtime::Result<()> {
    instance.get_typed_func::<Asked<'_, Q>, Answer<Q::Answer>>(store, at).map(drop)
}

fn refused(error: &wasmtime::Error) -> LoadError {
    LoadError::Compile(format!("{error:#}"))
}
