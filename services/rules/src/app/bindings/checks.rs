//! What must hold of a binding: its hook, its version, its settings, its kinds.

use std::collections::HashSet;

use linli_kernel::{AreaId, Lang};
use linli_kit::check::Violations;
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result, deadline};
use linli_proto::rules as pb;
use linli_proto::rules::setting::Value;
use prost::Message as _;

use crate::app::App;
use crate::app::effective::{bindable, hook_unknown};
use crate::domain::effective::together;
use crate::domain::version::{PluginVersionId, State};
use crate::engine::manifest::kind_text;
use crate::engine::manifest::{Manifest, Misfit, WrongSetting};
use crate::engine::types::{Setting, SettingValue};
use crate::engine::{Digest, Hook};
use crate::store::{self, VersionRow};
use crate::validate::{Problem, ProblemCode, Report};

/// Settings of one binding at most; a manifest declares no more.
const MAX_SETTINGS: usize = 64;
/// Enabled bindings of one area that apply to a hook and a kind at most: every booking asks all of them.
const MAX_TOGETHER: usize = 8;
/// Kinds of one binding at most.
const MAX_KINDS: usize = 64;

impl App {
    /// Everything that is wrong with a binding of an area, with paths below the binding.
    pub(in crate::app) async fn check_binding(
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
            bad.code(format_args!("kinds[{i}]"), kind);
            if !seen.insert(kind) {
                bad.push(FieldViolation::new(format!("kinds[{i}]"), "FIELD_DUPLICATE").arg("value", kind));
            }
        }
        let version = self.bound_version(area, binding, hook, &mut bad).await?;
        if let (Some(row), Some(hook)) = (version.filter(|_| binding.settings.len() <= MAX_SETTINGS), hook) {
            self.check_settings(ctx, (&row, hook), &binding.settings, &mut bad).await?;
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
            State::Quarantined => {
                bad.push(FieldViolation::new(FIELD, "VERSION_QUARANTINED").arg("version", text));
                return Ok(None);
            }
            State::Rejected => {
                bad.push(FieldViolation::new(FIELD, "VERSION_REJECTED").arg("version", text));
                return Ok(None);
            }
        }
        if !self.signature_counts(area, &row).await? {
            bad.push(FieldViolation::new(FIELD, "VERSION_UNSIGNED").arg("version", text).arg("area", area.name()));
            return Ok(None);
        }
        let answers = row.hooks()?;
        if let Some(hook) = hook.filter(|hook| !answers.iter().any(|code| code == hook.code())) {
            let violation = FieldViolation::new(FIELD, "VERSION_LACKS_HOOK").arg("hook", hook.code());
            bad.push(violation.arg("answers", answers.join(", ")));
            return Ok(None);
        }
        Ok(Some(row))
    }

    /// The settings by the manifest, then by the plugin itself, which is also asked the sample questions with them.
    async fn check_settings(
        &self,
        ctx: &Ctx,
        (row, hook): (&VersionRow, Hook),
        given: &[pb::Setting],
        bad: &mut Violations,
    ) -> Result<()> {
        let unusable = |fault: &str| FieldViolation::new("plugin_version", "VERSION_UNUSABLE").arg("fault", fault);
        let Some(digest) = Digest::from_hex(&row.digest) else {
            bad.push(unusable("its version is damaged"));
            return Ok(());
        };
        // Loaded where it will serve: the first resident who needs it does not wait for that.
        let plugin = match self.evaluator.plugin(&digest).await? {
            Ok(plugin) => plugin,
            Err(fault) => {
                bad.push(unusable(&fault.text));
                return Ok(());
            }
        };
        let values: Vec<_> = given.iter().map(|setting| (setting.key.as_str(), value(setting))).collect();
        let misfits = plugin.manifest().misfits(values.iter().map(|(key, value)| (*key, value.as_ref())));
        if !misfits.is_empty() {
            misfits.iter().for_each(|misfit| bad.push(misfit_violation(plugin.manifest(), misfit)));
            return Ok(());
        }
        let bytes = pb::RuleBinding { settings: given.to_vec(), ..pb::RuleBinding::default() }.encode_to_vec();
        let checked = (digest, hook, bytes);
        if self.validator.has_passed(&checked) {
            return Ok(());
        }
        let report = self.try_out(ctx, row, given, hook).await?;
        if report.is_acceptable() {
            self.validator.remember(checked);
        }
        report.problems.iter().for_each(|problem| bad.push(problem_violation(given, problem, ctx.lang)));
        Ok(())
    }

    async fn try_out(&self, ctx: &Ctx, row: &VersionRow, given: &[pb::Setting], hook: Hook) -> Result<Report> {
        let bytes = self.artefacts.get(&row.digest).await?;
        let bytes = bytes.ok_or_else(|| Error::not_found(row.name()))?;
        let given = settings(given);
        let tried = self.validator.binding(&row.area, &bytes, &given, hook);
        let tried = tokio::time::timeout_at(ctx.deadline, tried).await.map_err(|_| deadline::exceeded())?;
        tried.map_err(|cause| {
            let unable = Error::new(ErrorCode::Unavailable, "VALIDATOR_UNAVAILABLE");
            unable.retry_after(std::time::Duration::from_secs(1)).caused_by(cause)
        })
    }
}

/// The violation when a binding, with the enabled ones beside it, is one too many for a kind.
pub(in crate::app) fn crowded(
    area: &AreaId,
    others: &[pb::RuleBinding],
    binding: &pb::RuleBinding,
) -> Option<FieldViolation> {
    if binding.disabled {
        return None;
    }
    let beside = others.iter().filter(|other| !other.disabled && other.hook == binding.hook);
    let together = together(beside.map(|other| other.kinds.as_slice()), &binding.kinds);
    (together > MAX_TOGETHER).then(|| {
        let violation = FieldViolation::new("hook", "BINDINGS_FULL").arg("area", area.name());
        violation.arg("hook", &binding.hook).arg("max", MAX_TOGETHER)
    })
}

/// A setting that the manifest does not declare, or not like that.
fn misfit_violation(manifest: &Manifest, misfit: &Misfit<'_>) -> FieldViolation {
    let field = format!("settings[{}]", misfit.at);
    match misfit.what {
        WrongSetting::Unknown => {
            let known: Vec<&str> = manifest.settings.iter().map(|decl| decl.key.as_str()).collect();
            let violation = FieldViolation::new(field, "SETTING_UNKNOWN").arg("key", &misfit.key);
            violation.arg("allowed", known.join(", "))
        }
        WrongSetting::Repeated => FieldViolation::new(field, "FIELD_DUPLICATE").arg("value", &misfit.key),
        WrongSetting::Kind(kind) => {
            let violation = FieldViolation::new(field, "SETTING_MISMATCH").arg("key", &misfit.key);
            violation.arg("expected", kind_text(kind))
        }
    }
}

/// What the plugin itself has against its settings, or does with them.
fn problem_violation(given: &[pb::Setting], problem: &Problem, lang: Lang) -> FieldViolation {
    let detail = match lang {
        Lang::ZhCn => &problem.message_zh,
        Lang::En => &problem.message_en,
    };
    if problem.code == ProblemCode::BadSettings {
        let at = given.iter().position(|setting| setting.key == problem.where_);
        let field = at.map_or_else(|| "settings".to_owned(), |i| format!("settings[{i}]"));
        return FieldViolation::new(field, "SETTING_REFUSED").arg("key", &problem.where_).arg("detail", detail);
    }
    FieldViolation::new("settings", "SETTINGS_FAIL").arg("at", &problem.where_).arg("detail", detail)
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
