//! Rules' invariants, recounted from its rows.

use std::collections::HashSet;

use linli_access::Target;
use linli_kit::{Ctx, Result, check};
use linli_proto::common::{InvariantCheck, VerifyInvariantsRequest, VerifyInvariantsResponse};

use super::App;
use super::changes::bare;
use crate::domain::version::State;
use crate::engine::Digest;
use crate::store;

/// Violations that one check lists.
const MAX_LISTED: usize = 100;

/// What one check counted and found.
#[derive(Default)]
struct Found {
    checked: i64,
    violations: Vec<String>,
}

impl App {
    /// Recounts artefacts and bindings of one area, or of all that the caller may audit.
    pub(crate) async fn verify(
        &self,
        ctx: &Ctx,
        request: &VerifyInvariantsRequest,
    ) -> Result<VerifyInvariantsResponse> {
        if let Some(area) = check::list_parent(&request.parent)? {
            self.access.authorise(ctx, &Target::area(&area))?;
        }
        let (mut artefacts, mut bindings, mut changes) = (Found::default(), Found::default(), Found::default());
        for slug in self.listed_areas(ctx, &request.parent)? {
            self.verify_artefacts(&slug, &mut artefacts).await?;
            self.verify_bindings(&slug, &mut bindings).await?;
            self.verify_changes(&slug, &mut changes).await?;
        }
        let check = |invariant: &str, text: &str, mut found: Found| {
            found.violations.truncate(MAX_LISTED);
            InvariantCheck {
                invariant: invariant.to_owned(),
                title: self.parts.kit.texts.render(ctx.lang, text, &[]),
                checked: found.checked,
                violations: found.violations,
            }
        };
        let checks = vec![
            check("rules.artifacts", "INVARIANT_RULES_ARTIFACTS", artefacts),
            check("rules.bindings", "INVARIANT_RULES_BINDINGS", bindings),
            check("rules.changes", "INVARIANT_RULES_CHANGES", changes),
        ];
        Ok(VerifyInvariantsResponse { checks })
    }

    async fn verify_artefacts(&self, area: &str, found: &mut Found) -> Result<()> {
        let reader = self.parts.store.reader();
        for row in store::versions_in(reader, area).await? {
            found.checked += 1;
            match self.artefacts.get(&row.digest).await? {
                None => found.violations.push(format!("{}: the artefact is missing", row.name())),
                Some(bytes) => {
                    let counted = Digest::of(&bytes).to_string();
                    if counted != row.digest {
                        found.violations.push(format!("{}: {} kept, {counted} counted", row.name(), row.digest));
                    }
                }
            }
        }
        Ok(())
    }

    async fn verify_bindings(&self, area: &str, found: &mut Found) -> Result<()> {
        let chain = self.access.snapshot().ancestors(area);
        let mut entries = self.bindings_of(&[area.to_owned()]).await?;
        entries.retain(|entry| !entry.resource.disabled);
        let names = entries.iter().map(|entry| entry.resource.plugin_version.as_str());
        let versions = self.versions_by_name(&chain, names).await?;
        for entry in &entries {
            found.checked += 1;
            let binding = &entry.resource;
            let state = versions.get(&binding.plugin_version).map(store::VersionRow::state);
            if state != Some(State::Valid) {
                found.violations.push(format!("{}: {} is {state:?}", binding.name, binding.plugin_version));
            }
        }
        Ok(())
    }

    /// Each binding is what its change in force says, and the other way round.
    async fn verify_changes(&self, area: &str, found: &mut Found) -> Result<()> {
        let slugs = [area.to_owned()];
        let living = store::changes::living(self.parts.store.reader(), &slugs).await?;
        let (open, active): (Vec<_>, Vec<_>) = living.into_iter().partition(store::changes::ChangeRow::is_open);
        let mut tried = HashSet::new();
        for row in open.iter().filter(|row| !tried.insert(row.binding.clone())) {
            found.violations.push(format!("{}: more than one open change", row.binding_name()));
        }
        let entries = self.bindings_of(&slugs).await?;
        for entry in &entries {
            found.checked += 1;
            let mut of = active.iter().filter(|row| row.binding == entry.id);
            match (of.next(), of.next()) {
                (Some(row), None) if row.wanted()? == bare(&entry.resource) => {}
                (Some(row), None) => {
                    found.violations.push(format!("{}: is not what {} made it", entry.resource.name, row.name()));
                }
                (None, _) => found.violations.push(format!("{}: no change is in force", entry.resource.name)),
                (Some(_), Some(_)) => {
                    found.violations.push(format!("{}: more than one change is in force", entry.resource.name));
                }
            }
        }
        for row in &active {
            let gone = row.wanted()?.hook.is_empty();
            if gone == entries.iter().any(|entry| entry.id == row.binding) {
                found.violations.push(format!("{}: its binding is there, or gone, against it", row.name()));
            }
            if row.before.is_some() && row.is_undoable && row.previous()?.is_none() && !self.was_gone(row).await? {
                found.violations.push(format!("{}: what was before is missing", row.name()));
            }
        }
        Ok(())
    }

    /// Whether the binding did not exist before a change.
    async fn was_gone(&self, row: &store::changes::ChangeRow) -> Result<bool> {
        let area = linli_kernel::AreaId::new(&row.area).map_err(linli_kit::Error::internal)?;
        let Some(before) = row.before.map(linli_kernel::Id::from_uuid) else { return Ok(true) };
        let before = store::changes::change_of(self.parts.store.reader(), &area, before).await?;
        Ok(before.is_some_and(|before| before.wanted().is_ok_and(|wanted| wanted.hook.is_empty())))
    }
}
