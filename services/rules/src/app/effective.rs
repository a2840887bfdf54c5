//! What is in force for an area, a hook and a kind; kept in memory for a moment, as every booking asks.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use linli_access::Target;
use linli_kernel::AreaId;
use linli_kit::catalogue::{Entry, Scope};
use linli_kit::page::{MAX_SIZE, PageRequest};
use linli_kit::{Ctx, Error, FieldViolation, Result, check};
use linli_proto::rules as pb;

use super::App;
use super::bindings::settings;
use crate::domain::effective::{applies, place, revision};
use crate::domain::version::{PluginVersionId, State};
use crate::engine::types::Setting;
use crate::engine::{Digest, Fact, FactSet, Hook};
use crate::store::{self, VersionRow};

/// How long a process may not notice what another wrote.
const FRESH: Duration = Duration::from_secs(1);
/// Combinations of area, hook and kind that are kept.
const KEPT: u64 = 10_000;

/// The hook of a code, if it may be bound.
pub(super) fn bindable(code: &str) -> Option<Hook> {
    Hook::ALL.into_iter().find(|hook| hook.code() == code)
}

/// The violation of a field that names no hook.
pub(super) fn hook_unknown(field: &str) -> FieldViolation {
    let known: Vec<&str> = Hook::ALL.iter().map(|hook| hook.code()).collect();
    FieldViolation::new(field, "HOOK_UNKNOWN").arg("allowed", known.join(", "))
}

/// One binding in force.
pub(super) struct Bound {
    pub(super) binding: pb::RuleBinding,
    pub(super) settings: Vec<Setting>,
    pub(super) facts: FactSet,
    /// What it runs, or why it cannot: a damaged row of one version is that rule's fault, not everybody's.
    pub(super) artefact: Result<Digest, String>,
}

/// What is in force, nearest first.
#[derive(Default)]
pub(super) struct Effective {
    pub(super) rules: Vec<Bound>,
    pub(super) revision: String,
}

/// Generation, area, hook, kind.
type Key = (u64, String, Hook, String);

/// What is in force, by what was asked; a local write starts a new generation, which knows nothing of the old one.
pub(super) struct InForce {
    generation: AtomicU64,
    kept: moka::future::Cache<Key, Arc<Effective>>,
}

impl Default for InForce {
    fn default() -> Self {
        let kept = moka::future::Cache::builder().max_capacity(KEPT).time_to_live(FRESH).build();
        Self { generation: AtomicU64::new(0), kept }
    }
}

impl InForce {
    /// Called after a commit that changed bindings: what is being read meanwhile is kept under the old generation.
    pub(super) fn changed(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }
}

impl App {
    /// Returns the bindings in force, the facts that they need and a revision.
    pub(crate) async fn get_effective_rules(
        &self,
        ctx: &Ctx,
        r: &pb::GetEffectiveRulesRequest,
    ) -> Result<pb::EffectiveRules> {
        let area = check::area("parent", &r.parent)?;
        self.access.authorise(ctx, &Target::area(&area))?;
        let mut bad = check::Violations::new();
        if !r.kind.is_empty() {
            bad.code("kind", &r.kind);
        }
        let hook = match bindable(&r.hook) {
            Some(hook) => hook,
            None => {
                bad.push(if r.hook.is_empty() {
                    FieldViolation::new("hook", "FIELD_REQUIRED")
                } else {
                    hook_unknown("hook")
                });
                Hook::Eligibility
            }
        };
        bad.finish()?;
        let found = self.in_force(&area, hook, &r.kind).await?;
        let needed = |fact: &Fact| found.rules.iter().any(|rule| rule.facts.has(*fact));
        Ok(pb::EffectiveRules {
            bindings: found.rules.iter().map(|rule| rule.binding.clone()).collect(),
            facts: Fact::ALL.into_iter().filter(needed).map(|fact| fact.code().to_owned()).collect(),
            revision: found.revision.clone(),
        })
    }

    /// What is in force; read once for all that ask at the same time.
    pub(super) async fn in_force(&self, area: &AreaId, hook: Hook, kind: &str) -> Result<Arc<Effective>> {
        let generation = self.in_force.generation.load(Ordering::Acquire);
        let key = (generation, area.as_str().to_owned(), hook, kind.to_owned());
        let read = async { self.read_in_force(area, hook, kind).await.map(Arc::new) };
        let found = self.in_force.kept.try_get_with(key, read).await;
        found.map_err(|error: Arc<Error>| error.for_another())
    }

    async fn read_in_force(&self, area: &AreaId, hook: Hook, kind: &str) -> Result<Effective> {
        let chain = self.access.snapshot().ancestors(area.as_str());
        let mut entries = self.bindings_of(&chain).await?;
        entries.retain(|entry| {
            let binding = &entry.resource;
            !binding.disabled && binding.hook == hook.code() && applies(&binding.kinds, kind)
        });
        entries.sort_by(|a, b| place(&chain, &a.area, &a.id).cmp(&place(&chain, &b.area, &b.id)));
        let versions =
            self.versions_by_name(&chain, entries.iter().map(|e| e.resource.plugin_version.as_str())).await?;
        let rules: Vec<Bound> = entries.into_iter().map(|entry| bound(entry, &versions)).collect();
        let named = rules.iter().map(|rule| (rule.binding.name.as_str(), rule.binding.etag.as_str()));
        let revision = revision(named);
        Ok(Effective { rules, revision })
    }

    /// All bindings of some areas.
    pub(super) async fn bindings_of(&self, areas: &[String]) -> Result<Vec<Entry<pb::RuleBinding>>> {
        let size = i32::try_from(MAX_SIZE).unwrap_or(i32::MAX);
        let (mut found, mut token) = (Vec::new(), String::new());
        loop {
            let page = PageRequest::parse(&self.parts.keyring, "rules.in-force", &[], size, &token)?;
            let (entries, next) = self.bindings.list(Scope::Areas(areas), &page, "", "").await?;
            found.extend(entries);
            if next.is_empty() {
                return Ok(found);
            }
            token = next;
        }
    }

    /// Versions in these areas, by their names.
    pub(super) async fn versions_by_name<'a>(
        &self,
        areas: &[String],
        names: impl Iterator<Item = &'a str>,
    ) -> Result<HashMap<String, VersionRow>> {
        let id = |name: &str| check::recorded::<PluginVersionId>("plugin_version", name, "pluginVersions").ok();
        let mut ids: Vec<uuid::Uuid> = names.filter_map(id).map(|(_, id)| linli_kernel::Id::uuid(id)).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = store::versions_of(self.parts.store.reader(), areas, ids).await?;
        Ok(rows.into_iter().map(|row| (row.name(), row)).collect())
    }
}

fn bound(entry: Entry<pb::RuleBinding>, versions: &HashMap<String, VersionRow>) -> Bound {
    let binding = entry.resource;
    let (facts, artefact) = match versions.get(&binding.plugin_version) {
        Some(row) => {
            let manifest = row.manifest();
            let declared = manifest.as_ref().ok().and_then(Option::as_ref).map(|manifest| manifest.facts.as_slice());
            let facts = declared.unwrap_or_default().iter().filter_map(|code| Fact::from_code(code)).collect();
            (facts, artefact(row, manifest.is_ok()))
        }
        None => (FactSet::default(), Err("its version is missing".to_owned())),
    };
    if let Err(fault) = &artefact {
        tracing::error!(binding = binding.name, version = binding.plugin_version, fault, "a binding cannot be asked");
    }
    Bound { settings: settings(&binding.settings), binding, facts, artefact }
}

fn artefact(row: &VersionRow, readable: bool) -> Result<Digest, String> {
    if row.state() == State::Quarantined {
        return Err("its version is quarantined".to_owned());
    }
    let digest = Digest::from_hex(&row.digest).filter(|_| readable && row.state() == State::Valid);
    digest.ok_or_else(|| "its version is damaged".to_owned())
}
