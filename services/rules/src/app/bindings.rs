//! Rule bindings: a version in force at a hook, in an area and those below.
//!
//! What only the plugin itself can say about its settings is asked before the transaction, on the message as it will be.

mod checks;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use linli_access::Target;
use linli_kernel::{AreaId, Name};
use linli_kit::store::{EventDraft, Tx};
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result, check};
use linli_proto::rules as pb;

use super::App;
use super::catalogues::{ValidatedOnly, done_or_read};
use super::changes::Life;
use crate::domain::version::{PluginVersionId, State};
use crate::store;

pub(super) use checks::{crowded, settings};

/// How often an update is checked anew because the binding was changed meanwhile.
const ATTEMPTS: u32 = 3;

/// An update as it will be, with what is wrong with it.
type Checked = Option<(pb::RuleBinding, Vec<FieldViolation>)>;

impl App {
    /// Returns one rule binding.
    pub(crate) async fn get_rule_binding(
        &self,
        ctx: &Ctx,
        request: &pb::GetRuleBindingRequest,
    ) -> Result<pb::RuleBinding> {
        let name = check::name("name", &request.name, "ruleBindings")?;
        self.access.authorise(ctx, &Target::area(name.area()))?;
        let mut binding = self.bindings.get(name.area().as_str(), name.id()).await?;
        self.show_candidates(std::slice::from_mut(&mut binding)).await?;
        Ok(binding)
    }

    /// Adds what is tried beside bindings.
    async fn show_candidates(&self, bindings: &mut [pb::RuleBinding]) -> Result<()> {
        let area = |name: &str| name.split('/').nth(1).unwrap_or_default().to_owned();
        let mut areas: Vec<String> = bindings.iter().map(|binding| area(&binding.name)).collect();
        areas.dedup();
        for row in store::changes::on_trial(self.parts.store.reader(), &areas).await? {
            let name = row.binding_name();
            if let Some(binding) = bindings.iter_mut().find(|binding| binding.name == name) {
                binding.candidate = Some(row.candidate()?);
            }
        }
        Ok(())
    }

    /// Lists rule bindings.
    pub(crate) async fn list_rule_bindings(
        &self,
        ctx: &Ctx,
        r: &pb::ListRuleBindingsRequest,
    ) -> Result<pb::ListRuleBindingsResponse> {
        let (query, paging) = ((&*r.parent, &*r.filter, &*r.order_by), (r.page_size, &*r.page_token));
        let (mut rule_bindings, next_page_token) = self.list_catalogue(ctx, &self.bindings, query, paging).await?;
        self.show_candidates(&mut rule_bindings).await?;
        Ok(pb::ListRuleBindingsResponse { rule_bindings, next_page_token })
    }

    /// Creates a rule binding.
    pub(crate) async fn create_rule_binding(
        &self,
        ctx: &Arc<Ctx>,
        r: pb::CreateRuleBindingRequest,
    ) -> Result<pb::RuleBinding> {
        let area = check::area("parent", &r.parent)?;
        self.access.authorise(ctx, &Target::area(&area))?;
        let hash = self.hash(ctx, &pb::CreateRuleBindingRequest { request_id: String::new(), ..r.clone() });
        let wanted = r.rule_binding.clone().unwrap_or_default();
        let found = self.check_binding(ctx, &area, &wanted).await?;
        let second = self.policy_of(&area).await?.second_person_required;
        let done = self
            .parts
            .store
            .write_once(ctx, area.as_str(), &r.request_id, hash, "rules.create_rule_binding", |tx| {
                let (area, id, wanted, found) = (&area, r.rule_binding_id.as_str(), &wanted, &found);
                Box::pin(async move {
                    let others = self.hold_area(tx, area, id).await?;
                    let judge = |message: &pb::RuleBinding| {
                        found.iter().cloned().chain(checks::crowded(area, &others, message)).collect()
                    };
                    let created = self.bindings.create(tx, ctx.now(), (area.as_str(), id), wanted, judge).await?.entry;
                    alone(second, &created.resource)?;
                    self.hold_version(tx, &created.resource).await?;
                    tx.emit(event(ctx, &created.area, &created.resource, created.revision, false));
                    let life = Life::of(ctx, tx);
                    life.record((&created.area, id), None, Some(&created.resource)).await?;
                    Ok((created.resource.name.clone(), created.resource))
                })
            })
            .await?;
        self.in_force.changed();
        done_or_read(&self.bindings, done).await
    }

    /// Changes a rule binding; with `allow_missing` creates it.
    pub(crate) async fn update_rule_binding(
        &self,
        ctx: &Arc<Ctx>,
        r: pb::UpdateRuleBindingRequest,
    ) -> Result<pb::RuleBinding> {
        let wanted = r.rule_binding.clone().unwrap_or_default();
        let name = check::name("rule_binding.name", &wanted.name, "ruleBindings")?;
        self.access.authorise(ctx, &Target::area(name.area()))?;
        for _ in 0..ATTEMPTS {
            let checked = match self.as_it_will_be(ctx, &r, &wanted).await? {
                Some(merged) => {
                    let found = self.check_binding(ctx, name.area(), &merged).await?;
                    Some((merged, found))
                }
                None => None,
            };
            if let Some(answer) = self.write_update(ctx, &r, &wanted, &name, &checked).await? {
                return Ok(answer);
            }
        }
        Err(Error::new(ErrorCode::Aborted, "CONFLICT").retry_after(std::time::Duration::from_millis(50)))
    }

    /// The binding with the change in it; `None` when it cannot be made, which the write itself explains.
    async fn as_it_will_be(
        &self,
        ctx: &Arc<Ctx>,
        r: &pb::UpdateRuleBindingRequest,
        wanted: &pb::RuleBinding,
    ) -> Result<Option<pb::RuleBinding>> {
        let merged = Mutex::new(None);
        let tried = self
            .parts
            .store
            .write("rules.try_rule_binding", |tx| {
                let merged = &merged;
                Box::pin(async move {
                    let keep = |message: &pb::RuleBinding| {
                        *merged.lock().unwrap_or_else(PoisonError::into_inner) = Some(message.clone());
                        Vec::new()
                    };
                    let mask = r.update_mask.as_ref();
                    self.bindings.update(tx, ctx.now(), wanted, mask, r.allow_missing, keep).await?;
                    // Nothing is to stay of the trial.
                    Err::<(), _>(ValidatedOnly::error(wanted))
                })
            })
            .await;
        if let Err(error) = tried
            && error.code() == ErrorCode::Unavailable
        {
            return Err(error);
        }
        Ok(merged.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes the update; `None` when the binding is no longer what was checked.
    async fn write_update(
        &self,
        ctx: &Arc<Ctx>,
        r: &pb::UpdateRuleBindingRequest,
        wanted: &pb::RuleBinding,
        name: &Name,
        checked: &Checked,
    ) -> Result<Option<pb::RuleBinding>> {
        let hash = self.hash(ctx, &pb::UpdateRuleBindingRequest { request_id: String::new(), ..r.clone() });
        let moved = AtomicBool::new(false);
        let second = self.policy_of(name.area()).await?.second_person_required;
        let done = self
            .parts
            .store
            .write_once(ctx, name.area().as_str(), &r.request_id, hash, "rules.update_rule_binding", |tx| {
                let moved = &moved;
                Box::pin(async move {
                    moved.store(false, Ordering::Relaxed);
                    let others = self.hold_area(tx, name.area(), name.id()).await?;
                    let before = self.bindings.find_for_update(tx, name.area().as_str(), name.id()).await?;
                    let judge = |message: &pb::RuleBinding| match checked {
                        Some((merged, found)) if merged == message => {
                            found.iter().cloned().chain(checks::crowded(name.area(), &others, message)).collect()
                        }
                        _ => {
                            moved.store(true, Ordering::Relaxed);
                            Vec::new()
                        }
                    };
                    let mask = r.update_mask.as_ref();
                    let written = self.bindings.update(tx, ctx.now(), wanted, mask, r.allow_missing, judge).await?;
                    if moved.load(Ordering::Relaxed) {
                        return Err(Error::new(ErrorCode::Aborted, "CONFLICT"));
                    }
                    let entry = written.entry;
                    if written.changed {
                        alone(second, &entry.resource)?;
                        self.hold_version(tx, &entry.resource).await?;
                    }
                    if r.validate_only {
                        return Err(ValidatedOnly::error(&entry.resource));
                    }
                    if written.changed {
                        tx.emit(event(ctx, &entry.area, &entry.resource, entry.revision, false));
                        let before = before.as_ref().map(|entry| &entry.resource);
                        let key = (entry.area.as_str(), entry.id.as_str());
                        Life::of(ctx, tx).record(key, before, Some(&entry.resource)).await?;
                    }
                    Ok((entry.resource.name.clone(), entry.resource))
                })
            })
            .await;
        match done {
            Ok(done) => {
                self.in_force.changed();
                done_or_read(&self.bindings, done).await.map(Some)
            }
            Err(error) if moved.load(Ordering::Relaxed) && error.code() == ErrorCode::Aborted => Ok(None),
            Err(error) => ValidatedOnly::answer(error).map(Some),
        }
    }

    /// Keeps others from binding in the area until the end of the transaction; answers its other bindings, and those that are
    /// only tried.
    pub(super) async fn hold_area(&self, tx: &Tx<'_>, area: &AreaId, id: &str) -> Result<Vec<pb::RuleBinding>> {
        store::lock_area(tx, area.as_str()).await?;
        let all = self.bindings.all(tx.conn(), area.as_str()).await?;
        let mut others: Vec<pb::RuleBinding> =
            all.into_iter().filter(|entry| entry.id != id).map(|entry| entry.resource).collect();
        for tried in store::changes::on_trial(tx.conn(), &[area.as_str().to_owned()]).await? {
            let is_counted = |name: &str| others.iter().any(|other| other.name == name && !other.disabled);
            if tried.binding != id && !is_counted(&tried.binding_name()) {
                others.push(tried.wanted()?);
            }
        }
        Ok(others)
    }

    /// Keeps the version from being deleted until the binding that names it can be seen, which only one that may be asked is.
    pub(super) async fn hold_version(&self, tx: &Tx<'_>, binding: &pb::RuleBinding) -> Result<()> {
        let named = &binding.plugin_version;
        let (area, id) = check::recorded::<PluginVersionId>("plugin_version", named, "pluginVersions")?;
        match store::lock_version(tx, &area, id).await? {
            Some(row) if row.state() == State::Quarantined => {
                Err(Error::field(FieldViolation::new("plugin_version", "VERSION_QUARANTINED").arg("version", named)))
            }
            Some(_) => Ok(()),
            None => Err(Error::new(ErrorCode::Aborted, "CONFLICT").retry_after(std::time::Duration::from_millis(50))),
        }
    }

    /// Deletes a rule binding.
    pub(crate) async fn delete_rule_binding(&self, ctx: &Arc<Ctx>, r: pb::DeleteRuleBindingRequest) -> Result<()> {
        let name = check::name("name", &r.name, "ruleBindings")?;
        let area: &AreaId = name.area();
        self.access.authorise(ctx, &Target::area(area))?;
        let second = self.policy_of(area).await?.second_person_required;
        let hash = self.hash(ctx, &pb::DeleteRuleBindingRequest { request_id: String::new(), ..r.clone() });
        self.parts
            .store
            .write_once(ctx, area.as_str(), &r.request_id, hash, "rules.delete_rule_binding", |tx| {
                let (name, etag) = (&name, r.etag.as_str());
                Box::pin(async move {
                    store::lock_area(tx, area.as_str()).await?;
                    let gone = self.bindings.delete(tx, area.as_str(), name.id(), etag).await?;
                    alone(second, &gone.resource)?;
                    tx.emit(event(ctx, &gone.area, &gone.resource, gone.revision + 1, true));
                    let life = Life::of(ctx, tx);
                    life.record((area.as_str(), name.id()), Some(&gone.resource), None).await?;
                    Ok((name.to_string(), ()))
                })
            })
            .await?;
        self.in_force.changed();
        Ok(())
    }
}

/// Where a second person is wanted, one alone only writes what nobody obeys: switching off is always possible.
fn alone(second: bool, binding: &pb::RuleBinding) -> Result<()> {
    if second && !binding.disabled {
        let refused = Error::new(ErrorCode::FailedPrecondition, "APPROVAL_REQUIRED");
        return Err(refused.with("rule_binding", &binding.name));
    }
    Ok(())
}

pub(super) fn event(ctx: &Ctx, area: &str, binding: &pb::RuleBinding, version: i64, gone: bool) -> EventDraft {
    let payload = pb::RuleBindingChanged {
        rule_binding: binding.name.clone(),
        hook: binding.hook.clone(),
        removed: gone || binding.disabled,
    };
    EventDraft::new(ctx, "linli.rules.v1.RuleBindingChanged", area, &binding.name, version, &payload)
}
