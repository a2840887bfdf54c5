//! What is in force for an area, a hook and a kind; kept in memory for a moment, as every booking asks.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use linli_access::Target;
use linli_kernel::{AreaId, Lang};
use linli_kit::catalogue::{Entry, Scope};
use linli_kit::page::{MAX_SIZE, PageRequest};
use linli_kit::{Ctx, Error, FieldViolation, Result, check};
use linli_proto::rules as pb;
use uuid::Uuid;

use super::App;
use super::bindings::settings;
use super::evaluator::Unusable;
use super::noted::Series;
use crate::domain::effective::{applies, place, revision};
use crate::domain::version::{Both, PluginVersionId, State};
use crate::engine::types::Setting;
use crate::engine::{Digest, Fact, FactSet, Hook};
use crate::store::changes::{self, ChangeRow};
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

/// One binding in force, or on trial.
#[derive(Default)]
pub(super) struct Bound {
    /// Its candidate included.
    pub(super) binding: pb::RuleBinding,
    /// Slug of its area.
    pub(super) area: String,
    pub(super) title: Both,
    /// What happens without an answer; never unspecified.
    pub(super) on_fault: pb::OnFault,
    /// `None` where nothing is in force: it is off, or only tried.
    pub(super) active: Option<Subject>,
    pub(super) trial: Option<Trial>,
}

impl Bound {
    /// Without what is tried beside it.
    pub(super) fn untried(&self) -> Self {
        let (binding, area, title) = (self.binding.clone(), self.area.clone(), self.title.clone());
        Self { binding, area, title, on_fault: self.on_fault, active: self.active.clone(), trial: None }
    }
}

/// A version with its settings, as it is asked.
#[derive(Clone)]
pub(super) struct Subject {
    /// Name of the version.
    pub(super) version: String,
    /// Name of the plugin.
    pub(super) plugin: String,
    pub(super) title: Both,
    pub(super) settings: Vec<Setting>,
    pub(super) facts: FactSet,
    /// Digest of what it runs, in hexadecimal digits.
    pub(super) digest: String,
    /// Its metrics, once it was asked.
    pub(super) series: OnceLock<Series>,
    /// The digest of what it runs, or why it cannot: a damaged row of one version is that rule's fault, not everybody's.
    pub(super) artefact: Result<Digest, Unusable>,
}

/// What is tried beside it.
pub(super) struct Trial {
    pub(super) change: Uuid,
    pub(super) stage: pb::RuleStage,
    pub(super) permille: i32,
    pub(super) on_fault: pb::OnFault,
    pub(super) subject: Subject,
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
            bad.ensure(!r.any_kind, "kind", "KIND_AND_ANY");
        }
        let hooks: Vec<Hook> = match bindable(&r.hook) {
            Some(hook) => vec![hook],
            None if r.hook.is_empty() => Hook::ALL.to_vec(),
            None => {
                bad.push(hook_unknown("hook"));
                Vec::new()
            }
        };
        bad.finish()?;
        let (mut rules, mut facts, mut revisions) = (Vec::new(), Vec::new(), Vec::new());
        for hook in hooks {
            let found = match r.any_kind {
                true => Arc::new(self.read_in_force(&area, hook, None).await?),
                false => self.in_force(&area, hook, &r.kind).await?,
            };
            rules.extend(found.rules.iter().map(|rule| message(rule, ctx.lang)));
            facts.extend(found.facts());
            revisions.push(found.revision.clone());
        }
        let revision = match revisions.as_slice() {
            [one] => one.clone(),
            several => revision(several.iter().map(|one| (one.as_str(), ""))),
        };
        let facts = Fact::ALL.into_iter().filter(|fact| facts.contains(fact));
        Ok(pb::EffectiveRules { rules, facts: facts.map(|fact| fact.code().to_owned()).collect(), revision })
    }

    /// What is in force; read once for all that ask at the same time.
    pub(super) async fn in_force(&self, area: &AreaId, hook: Hook, kind: &str) -> Result<Arc<Effective>> {
        let generation = self.in_force.generation.load(Ordering::Acquire);
        let key = (generation, area.as_str().to_owned(), hook, kind.to_owned());
        let read = async { self.read_in_force(area, hook, Some(kind)).await.map(Arc::new) };
        let found = self.in_force.kept.try_get_with(key, read).await;
        found.map_err(|error: Arc<Error>| error.for_another())
    }

    /// With `None`: whatever kinds the rules are for.
    async fn read_in_force(&self, area: &AreaId, hook: Hook, kind: Option<&str>) -> Result<Effective> {
        let chain = self.access.snapshot().ancestors(area.as_str());
        let here = |b: &pb::RuleBinding| b.hook == hook.code() && kind.is_none_or(|kind| applies(&b.kinds, kind));
        let mut trials = changes::on_trial(self.parts.store.reader(), &chain).await?;
        trials.retain(|row| row.wanted().is_ok_and(|wanted| here(&wanted)));
        let mut found: Vec<(String, String, Option<pb::RuleBinding>, Option<ChangeRow>)> = Vec::new();
        for entry in self.bindings_of(&chain).await? {
            let at = trials.iter().position(|row| row.area == entry.area && row.binding == entry.id);
            let trial = at.map(|at| trials.swap_remove(at));
            let is_active = !entry.resource.disabled && here(&entry.resource);
            if is_active || trial.is_some() {
                found.push((entry.area, entry.id, Some(entry.resource), trial));
            }
        }
        found.extend(trials.into_iter().map(|row| (row.area.clone(), row.binding.clone(), None, Some(row))));
        found.sort_by(|a, b| place(&chain, &a.0, &a.1).cmp(&place(&chain, &b.0, &b.1)));
        let mut names: Vec<String> = Vec::new();
        for (_, _, binding, trial) in &found {
            names.extend(binding.iter().map(|binding| binding.plugin_version.clone()));
            names.extend(trial.iter().filter_map(|row| row.wanted().ok()).map(|wanted| wanted.plugin_version));
        }
        let versions = self.versions_by_name(&chain, names.iter().map(String::as_str)).await?;
        let mut rules = Vec::with_capacity(found.len());
        let mut named = Vec::with_capacity(found.len());
        for (area, _, binding, trial) in found {
            let etag = binding.as_ref().map(|binding| binding.etag.clone()).unwrap_or_default();
            let trial_etag = trial.as_ref().map(ChangeRow::trial_mark).unwrap_or_default();
            let rule = bound(area, binding, trial, &versions)?;
            named.push((rule.binding.name.clone(), format!("{etag} {trial_etag}").trim_end().to_owned()));
            rules.push(rule);
        }
        let revision = revision(named.iter().map(|(name, etag)| (name.as_str(), etag.as_str())));
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

impl Effective {
    /// What the rules need to know, those on trial included.
    fn facts(&self) -> Vec<Fact> {
        let subjects =
            self.rules.iter().flat_map(|rule| rule.active.iter().chain(rule.trial.iter().map(|t| &t.subject)));
        subjects.flat_map(|subject| subject.facts.iter()).collect()
    }
}

/// What a hook declares for a rule that gives no answer: without scores a queue is still ordered by waiting time.
pub(super) fn on_fault(binding: &pb::RuleBinding) -> pb::OnFault {
    match binding.on_fault() {
        pb::OnFault::Unspecified if binding.hook == Hook::Priority.code() => pb::OnFault::Skip,
        pb::OnFault::Unspecified => pb::OnFault::Deny,
        stated => stated,
    }
}

fn message(rule: &Bound, lang: Lang) -> pb::EffectiveRule {
    pb::EffectiveRule {
        rule_binding: Some(rule.binding.clone()),
        source: format!("areas/{}", rule.area),
        title: rule.title.read(lang),
        on_fault: rule.on_fault.into(),
    }
}

fn bound(
    area: String,
    binding: Option<pb::RuleBinding>,
    trial: Option<ChangeRow>,
    versions: &HashMap<String, VersionRow>,
) -> Result<Bound> {
    let active = binding.as_ref().filter(|binding| !binding.disabled).map(|binding| subject(binding, versions));
    let mut shown = match (binding, &trial) {
        (Some(binding), _) => binding,
        // Nothing is in force: it is shown as one that is off.
        (None, Some(row)) => pb::RuleBinding { disabled: true, ..row.wanted()? },
        (None, None) => pb::RuleBinding::default(),
    };
    let trial = match trial {
        Some(row) => {
            let wanted = row.wanted()?;
            shown.candidate = Some(row.candidate()?);
            Some(Trial {
                change: row.id,
                stage: row.running_stage(),
                permille: row.run_permille,
                on_fault: on_fault(&wanted),
                subject: subject(&wanted, versions),
            })
        }
        None => None,
    };
    let titled = active.as_ref().or(trial.as_ref().map(|trial| &trial.subject));
    let title = titled.map(|subject| subject.title.clone()).unwrap_or_default();
    Ok(Bound { area, title, on_fault: on_fault(&shown), binding: shown, active, trial })
}

/// The version of a binding as it is asked.
pub(super) fn subject(binding: &pb::RuleBinding, versions: &HashMap<String, VersionRow>) -> Subject {
    let mut subject = Subject {
        version: binding.plugin_version.clone(),
        settings: settings(&binding.settings),
        ..Subject::default()
    };
    if let Some(row) = versions.get(&binding.plugin_version) {
        let manifest = row.manifest();
        let declared = manifest.as_ref().ok().and_then(Option::as_ref);
        let facts = declared.map(|manifest| manifest.facts.as_slice()).unwrap_or_default();
        subject.facts = facts.iter().filter_map(|code| Fact::from_code(code)).collect();
        subject.title = declared.map(|manifest| manifest.title.clone()).unwrap_or_default();
        subject.plugin.clone_from(&row.plugin);
        subject.artefact = artefact(row, manifest.is_ok());
        subject.digest = subject.artefact.as_ref().map(ToString::to_string).unwrap_or_default();
    }
    if let Err(fault) = &subject.artefact
        && fault.code != Unusable::quarantined().code
    {
        let (binding, version) = (&binding.name, &binding.plugin_version);
        tracing::error!(binding, version, fault = fault.text, "a binding cannot be asked");
    }
    subject
}

impl Default for Subject {
    /// Of a version that is not there.
    fn default() -> Self {
        Self {
            version: String::new(),
            plugin: String::new(),
            title: Both::default(),
            settings: Vec::new(),
            facts: FactSet::default(),
            digest: String::new(),
            series: OnceLock::new(),
            artefact: Err(Unusable::damaged("its version is missing")),
        }
    }
}

fn artefact(row: &VersionRow, readable: bool) -> Result<Digest, Unusable> {
    if row.state() == State::Quarantined {
        return Err(Unusable::quarantined());
    }
    let digest = Digest::from_hex(&row.digest).filter(|_| readable && row.state() == State::Valid);
    digest.ok_or_else(|| Unusable::damaged("its version is damaged"))
}
