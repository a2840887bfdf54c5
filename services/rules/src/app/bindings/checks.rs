//! What must hold of a binding: its hook, its version, its settings, its kinds.

use std::collections::HashSet;

use linli_kernel::AreaId;
use linli_kit::check::Violations;
use linli_kit::{Ctx, FieldViolation, Result};
use linli_proto::rules as pb;
use linli_proto::rules::setting::Value;

use crate::app::App;
use crate::app::effective::{bindable, hook_unknown};
use crate::domain::version::{PluginVersionId, State, kind_text};
use crate::engine::manifest::Manifest;
use crate::engine::types::{Setting, SettingValue};
use crate::engine::{Digest, Hook};
use crate::store::{self, VersionRow};

/// Settings of one binding at most; a manifest declares no more.
const MAX_SETTINGS: usize = 64;
/// Kinds of one binding at most.
const MAX_KINDS: usize = 64;

impl App {
    /// Everything that is wrong with a binding of an area, with paths below the binding.
    pub(super) async fn check_binding(
        &self,
        ctx: &Ctx,
        area: &AreaId,
        binding: &pb::RuleBinding,
    ) -> Result<Vec<FieldViolation>> {
        let mut bad = Violations::new();
        let hook = bindable(&binding.hook);
        if hook.is_none() && !binding.hook.is_empty() {
            bad.push(hook_unknown("hook"));
        }
        bad.max_items("settings", binding.settings.len(), MAX_SETTINGS);
        bad.max_items("kinds", binding.kinds.len(), MAX_KINDS);
        let mut seen = HashSet::new();
        for (i, kind) in binding.kinds.iter().enumerate() {
            bad.code(&format!("kinds[{i}]"), kind);
            if !seen.insert(kind) {
                bad.push(FieldViolation::new(format!("kinds[{i}]"), "FIELD_DUPLICATE").arg("value", kind));
            }
        }
        let version = self.bound_version(area, binding, hook, &mut bad).await?;
        if let Some(row) = version.filter(|_| binding.settings.len() <= MAX_SETTINGS) {
            self.check_settings(ctx, &row, &binding.settings, &mut bad).await?;
        }
        Ok(bad.into_vec())
    }

    /// The version of a binding when it may be bound.
    async fn bound_version(
        &self,
        area: &AreaId,
        binding: &pb::RuleBinding,
        hook: Option<Hook>,
        bad: &mut Violations,
    ) -> Result<Option<VersionRow>> {
        const FIELD: &str = "plugin_version";
        let text = &binding.plugin_version;
        if text.is_empty() {
            // The catalogue names it as missing.
            return Ok(None);
        }
        let (home, id) = match linli_kernel::Name::parse(text, "pluginVersions")
            .and_then(|name| name.typed::<PluginVersionId>().map(|id| (name.area().clone(), id)))
        {
            Ok(found) => found,
            Err(problem) => {
                bad.push(FieldViolation::new(FIELD, "NAME_INVALID").arg("detail", problem));
                return Ok(None);
            }
        };
        if !self.access.snapshot().ancestors(area.as_str()).iter().any(|slug| slug == home.as_str()) {
            bad.push(FieldViolation::new(FIELD, "VERSION_NOT_ABOVE").arg("area", area.name()));
            return Ok(None);
        }
        let Some(row) = store::version_of(self.parts.store.reader(), &home, id).await? else {
            bad.push(FieldViolation::new(FIELD, "REFERENCE_NOT_FOUND").arg("value", text));
            return Ok(None);
        };
        match row.state() {
            State::Valid => {}
            State::Uploaded => {
                bad.push(FieldViolation::new(FIELD, "VERSION_NOT_VALIDATED").arg("version", text));
                return Ok(None);
            }
            State::Rejected => {
                bad.push(FieldViolation::new(FIELD, "VERSION_REJECTED").arg("version", text));
                return Ok(None);
            }
        }
        let answers = row.hooks()?;
        if let Some(hook) = hook.filter(|hook| !answers.iter().any(|code| code == hook.code())) {
            let violation = FieldViolation::new(FIELD, "VERSION_LACKS_HOOK").arg("hook", hook.code());
            bad.push(violation.arg("answers", answers.join(", ")));
        }
        Ok(Some(row))
    }

    /// The settings by the manifest, then by the plugin itself.
    async fn check_settings(
        &self,
        ctx: &Ctx,
        row: &VersionRow,
        given: &[pb::Setting],
        bad: &mut Violations,
    ) -> Result<()> {
        let Some(digest) = Digest::from_hex(&row.digest) else {
            return Err(linli_kit::Error::internal(format!("{} has no digest", row.name())));
        };
        let plugin = match self.evaluator.plugin(&row.area, &digest).await? {
            Ok(plugin) => plugin,
            Err(fault) => {
                bad.push(FieldViolation::new("plugin_version", "VERSION_UNUSABLE").arg("fault", fault));
                return Ok(());
            }
        };
        let misfits = misfits(plugin.manifest(), given);
        if !misfits.is_empty() {
            misfits.into_iter().for_each(|violation| bad.push(violation));
            return Ok(());
        }
        let (asked, lang) = (settings(given), ctx.lang);
        let answer = self.evaluator.run(move |engine| {
            let problems = engine.check_settings(&plugin, &asked)?;
            let told = problems.into_iter().map(|p| (plugin.manifest().render(&p.why, lang.tag()), p.key));
            Ok::<_, crate::engine::Fault>(told.collect::<Vec<_>>())
        });
        match answer.await? {
            Ok(problems) => {
                for (detail, key) in problems {
                    let at = given.iter().position(|setting| setting.key == key);
                    let field = at.map_or_else(|| "settings".to_owned(), |i| format!("settings[{i}]"));
                    let violation = FieldViolation::new(field, "SETTING_REFUSED").arg("key", key);
                    bad.push(violation.arg("detail", detail));
                }
            }
            Err(fault) => bad.push(FieldViolation::new("settings", "SETTINGS_UNCHECKED").arg("fault", fault)),
        }
        Ok(())
    }
}

/// Settings that the manifest does not declare, or not like that.
fn misfits(manifest: &Manifest, given: &[pb::Setting]) -> Vec<FieldViolation> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for (i, setting) in given.iter().enumerate() {
        let field = format!("settings[{i}]");
        let key = setting.key.as_str();
        let Some(decl) = manifest.settings.iter().find(|decl| decl.key == key) else {
            let known: Vec<&str> = manifest.settings.iter().map(|decl| decl.key.as_str()).collect();
            let violation = FieldViolation::new(field, "SETTING_UNKNOWN").arg("key", key);
            found.push(violation.arg("allowed", known.join(", ")));
            continue;
        };
        if !seen.insert(key) {
            found.push(FieldViolation::new(field, "FIELD_DUPLICATE").arg("value", key));
            continue;
        }
        if !value(setting).is_some_and(|value| decl.kind.admits(&value)) {
            let violation = FieldViolation::new(field, "SETTING_MISMATCH").arg("key", key);
            found.push(violation.arg("expected", kind_text(&decl.kind)));
        }
    }
    found
}

/// Settings as the engine takes them; those without a value are left out, and refused before.
pub(in crate::app) fn settings(given: &[pb::Setting]) -> Vec<Setting> {
    given.iter().filter_map(|s| value(s).map(|value| Setting { key: s.key.clone(), value })).collect()
}

fn value(setting: &pb::Setting) -> Option<SettingValue> {
    Some(match setting.value.as_ref()? {
        Value::Flag(flag) => SettingValue::Flag(*flag),
        Value::Number(number) => SettingValue::Number(*number),
        Value::Choice(code) => SettingValue::Choice(code.clone()),
        Value::Numbers(list) => SettingValue::Numbers(list.values.clone()),
        Value::Codes(list) => SettingValue::Codes(list.values.clone()),
    })
}
