//! Rules' invariants, recounted from its rows.

use linli_access::Target;
use linli_kit::{Ctx, Result, check};
use linli_proto::common::{InvariantCheck, VerifyInvariantsRequest, VerifyInvariantsResponse};

use super::App;
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
        let (mut artefacts, mut bindings) = (Found::default(), Found::default());
        for slug in self.listed_areas(ctx, &request.parent)? {
            self.verify_artefacts(&slug, &mut artefacts).await?;
            self.verify_bindings(&slug, &mut bindings).await?;
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
}
