//! Putting versions in force: single bindings, and files of bindings that name their plugin.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use linli_proto::rules::{
    GetRuleBindingRequest, ListPluginVersionsRequest, OnFault, PluginVersion, RuleBinding, Setting,
    UpdateRuleBindingRequest,
};
use serde::Deserialize as _;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::settings;
use crate::client::Connection;
use crate::commands::apply::message_of;
use crate::commands::output;
use crate::commands::resources::types;

/// Puts a version in force.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  linli plugin activate --binding areas/xinhua/ruleBindings/haircut --version areas/xinhua/pluginVersions/pv-... \\\n    \
                        --hook booking-eligibility --kind haircut --setting per-month=1\n  \
                        linli plugin activate -f profiles/xinhua/rules/bindings.yaml\n\n\
                        A new binding without --kind applies to every offering. What is left out is not kept from before: `linli plugin stage\n\
                        active` keeps it. In a file each binding names its plugin (`plugin: haircut`); the newest valid version is taken."
)]
pub(super) struct Args {
    /// File of bindings.
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["binding", "version", "hook", "settings", "kinds"])]
    file: Option<PathBuf>,
    /// The binding; made when it is not there.
    #[arg(long, required_unless_present = "file", value_name = "areas/AREA/ruleBindings/ID")]
    binding: Option<String>,
    /// The version that is put in force.
    #[arg(long, required_unless_present = "file", value_name = "areas/AREA/pluginVersions/ID")]
    version: Option<String>,
    /// The hook, such as booking-eligibility; left out: that of the binding, or the only one that the version has.
    #[arg(long)]
    hook: Option<String>,
    /// Settings, such as per-month=1 or kinds=[haircut].
    #[arg(long = "setting", value_name = "KEY=VALUE", value_parser = settings::parse)]
    settings: Vec<Setting>,
    /// Kinds of offerings (for points-award ids of award bindings) to which it applies; none: all.
    #[arg(long = "kind", value_name = "KIND")]
    kinds: Vec<String>,
    /// Passes the rule over when it gives no answer, instead of refusing the request.
    #[arg(long)]
    skip_on_fault: bool,
}

pub(super) async fn run(args: Args, connection: &Connection) -> Result<ExitCode> {
    let wanted = match args.file {
        Some(file) => from_file(connection, &file).await?,
        None => vec![one(args, connection).await?],
    };
    for (binding, version) in wanted {
        let active = activate(connection, binding, &version).await?;
        let kinds = if active.kinds.is_empty() { "every kind".to_owned() } else { active.kinds.join(", ") };
        output::data(&format!("{} is in force at {} for {kinds} with {version}", active.name, active.hook))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The binding that the arguments make.
async fn one(args: Args, connection: &Connection) -> Result<(RuleBinding, String)> {
    let (name, version) = (args.binding.unwrap_or_default(), args.version.unwrap_or_default());
    let on_fault = if args.skip_on_fault { OnFault::Skip } else { OnFault::Deny };
    let known = match &args.hook {
        Some(_) => String::new(),
        None => known_hook(&name, connection).await?,
    };
    let hook = super::version::hook(args.hook.as_deref(), &known, (&name, &version), connection).await?;
    let (settings, kinds, on_fault) = (args.settings, args.kinds, on_fault.into());
    Ok((RuleBinding { name, hook, settings, kinds, on_fault, ..RuleBinding::default() }, version))
}

/// The hook of a binding; empty where there is none of that name.
async fn known_hook(name: &str, connection: &Connection) -> Result<String> {
    let request = GetRuleBindingRequest { name: name.to_owned() };
    match ask!(connection, "GetRuleBinding", get_rule_binding, request) {
        Ok(known) => Ok(known.hook),
        Err(error) if error.code() == tonic::Code::NotFound => Ok(String::new()),
        Err(error) => Err(error.into()),
    }
}

/// Puts a version in force; the binding is made when it is not there.
///
/// # Errors
/// What the server answered, such as settings that the plugin does not take.
pub async fn activate(connection: &Connection, binding: RuleBinding, version: &str) -> Result<RuleBinding> {
    let name = binding.name.clone();
    let request = UpdateRuleBindingRequest {
        rule_binding: Some(RuleBinding { plugin_version: version.to_owned(), ..binding }),
        update_mask: Some(prost_types::FieldMask {
            paths: ["hook", "plugin_version", "settings", "kinds", "on_fault", "disabled"].map(str::to_owned).to_vec(),
        }),
        allow_missing: true,
        request_id: Uuid::new_v4().to_string(),
        validate_only: false,
    };
    let updated = connection.repeat("UpdateRuleBinding", || {
        let (mut client, request) = (connection.rules(), request.clone());
        Box::pin(async move { client.update_rule_binding(request).await })
    });
    updated.await.with_context(|| name)
}

async fn from_file(connection: &Connection, file: &Path) -> Result<Vec<(RuleBinding, String)>> {
    let mut found = Vec::new();
    for (plugin, binding) in read(file)? {
        let area = binding.name.split("/ruleBindings/").next().unwrap_or_default();
        let plugin = format!("{area}/plugins/{plugin}");
        let version = newest(connection, area, &plugin).await?;
        let version =
            version.with_context(|| format!("{plugin} has no valid version; upload one with `linli plugin upload`"))?;
        found.push((binding, version.name));
    }
    Ok(found)
}

/// The newest valid version of a plugin.
async fn newest(connection: &Connection, area: &str, plugin: &str) -> Result<Option<PluginVersion>> {
    let mut newest: Option<PluginVersion> = None;
    let mut page_token = String::new();
    loop {
        let request = ListPluginVersionsRequest {
            parent: area.to_owned(),
            filter: format!("plugin = \"{plugin}\" AND state = PLUGIN_VERSION_STATE_VALID"),
            page_size: 1000,
            page_token,
            ..ListPluginVersionsRequest::default()
        };
        let page = connection.repeat("ListPluginVersions", || {
            let (mut client, request) = (connection.rules(), request.clone());
            Box::pin(async move { client.list_plugin_versions(request).await })
        });
        let page = page.await?;
        let at = |version: &PluginVersion| version.create_time.map(|t| (t.seconds, t.nanos));
        newest = newest.into_iter().chain(page.plugin_versions).max_by_key(at);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(newest);
        }
    }
}

/// The bindings in a file that use a plugin.
///
/// # Errors
/// Everything wrong with the file, whichever plugin it concerns.
pub fn bindings_of(file: &Path, plugin: &str) -> Result<Vec<RuleBinding>> {
    Ok(read(file)?.into_iter().filter(|(name, _)| name == plugin).map(|(_, binding)| binding).collect())
}

fn read(file: &Path) -> Result<Vec<(String, RuleBinding)>> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let (mut found, mut bad) = (Vec::new(), Vec::new());
    for (i, source) in serde_norway::Deserializer::from_str(&text).enumerate() {
        let value = serde_norway::Value::deserialize(source).and_then(serde_norway::from_value::<Value>);
        let mut told = |problem: String| bad.push(format!("{}: document {}: {problem}", file.display(), i + 1));
        match value {
            Ok(Value::Null) => {}
            Ok(Value::Object(fields)) => match binding(fields) {
                Ok(one) => found.push(one),
                Err(problems) => problems.into_iter().for_each(told),
            },
            Ok(_) => told("a document is a binding: `type`, `name`, `plugin` and its fields".to_owned()),
            Err(error) => {
                told(format!("this is no YAML: {error}"));
                break;
            }
        }
    }
    if bad.is_empty() { Ok(found) } else { bail!("{}", bad.join("\n")) }
}

fn binding(mut fields: Map<String, Value>) -> Result<(String, RuleBinding), Vec<String>> {
    let one = |problem: String| vec![problem];
    let kind = types::find("RuleBinding").map_err(|e| one(e.to_string()))?;
    let said = fields.remove("type");
    if said.as_ref().and_then(Value::as_str) != Some(kind.name.as_str()) {
        return Err(one(format!("type: {} is wanted", kind.name)));
    }
    let Some(Value::String(plugin)) = fields.remove("plugin") else {
        return Err(one("plugin: the id of the plugin is wanted, such as `plugin: haircut`".to_owned()));
    };
    let message = message_of(&kind.message, &fields)
        .map_err(|bad| bad.into_iter().map(|(field, told)| format!("{field}: {told}")).collect::<Vec<_>>())?;
    let binding: RuleBinding = message.transcode_to().map_err(|e| one(e.to_string()))?;
    if !kind.is_named(&binding.name) {
        return Err(one("name: a name such as areas/{area}/ruleBindings/{id} is wanted".to_owned()));
    }
    Ok((plugin, binding))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings_of_the_profiles_can_be_read() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiles/xinhua/rules/bindings.yaml");
        let found = bindings_of(&file, "haircut").expect("the file is right");
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].hook, "booking-eligibility");
        assert!(found.iter().all(|b| b.plugin_version.is_empty() && !b.settings.is_empty()));
        assert!(bindings_of(&file, "nobody").expect("the file is right").is_empty());
    }

    #[test]
    fn a_binding_without_its_plugin_is_told() {
        let fields: Map<String, Value> =
            serde_norway::from_str("type: linli/RuleBinding\nname: areas/x/ruleBindings/a").expect("YAML");
        assert!(binding(fields).expect_err("no plugin")[0].starts_with("plugin: "));
        let fields: Map<String, Value> =
            serde_norway::from_str("type: linli/RuleBinding\nplugin: a\nname: x\nhok: b").expect("YAML");
        assert!(binding(fields).expect_err("no hok")[0].contains("`hook`"));
    }
}
