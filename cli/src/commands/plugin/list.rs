//! `linli plugin list`: plugins, their versions, and where they are in force.

use std::collections::HashMap;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

use crate::client::Connection;
use crate::commands::output::{self, Format};

/// Lists plugins.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  linli plugin list --area areas/xinhua")]
pub(super) struct Args {
    /// Area whose plugins are listed; areas/- lists those of every area that the caller may read.
    #[arg(long, env = "LINLI_AREA", default_value = "areas/-", value_name = "areas/AREA")]
    area: String,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// One version, or a plugin without any.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    plugin: String,
    version: String,
    state: String,
    hooks: Vec<String>,
    in_force: Vec<String>,
}

pub(super) async fn run(args: Args, connection: &Connection) -> Result<ExitCode> {
    let plugins = connection.list_json("Plugin", &args.area).await?;
    let versions = connection.list_json("PluginVersion", &args.area).await?;
    let bindings = connection.list_json("RuleBinding", &args.area).await?;
    let rows = rows(&plugins, &versions, &bindings);
    if args.output != Format::Table {
        output::structured(args.output, &rows)?;
        return Ok(ExitCode::SUCCESS);
    }
    if rows.is_empty() {
        output::say(format!("No plugins in {}. Begin one with `linli plugin new NAME`.", args.area));
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = output::table(&["plugin", "version", "state", "hooks", "in force at"]);
    for row in &rows {
        table.add_row([&row.plugin, &row.version, &row.state, &row.hooks.join("\n"), &row.in_force.join("\n")]);
    }
    output::data(&table.to_string())?;
    Ok(ExitCode::SUCCESS)
}

fn rows(plugins: &[serde_json::Value], versions: &[serde_json::Value], bindings: &[serde_json::Value]) -> Vec<Row> {
    let mut in_force: HashMap<String, Vec<String>> = HashMap::new();
    for binding in bindings.iter().filter(|b| b.get("disabled").and_then(|d| d.as_bool()) != Some(true)) {
        let told = format!("{} ({})", text(binding, "hook"), text(binding, "name"));
        in_force.entry(text(binding, "pluginVersion")).or_default().push(told);
    }
    let mut rows = Vec::new();
    for plugin in plugins {
        let name = text(plugin, "name");
        let own: Vec<_> = versions.iter().filter(|v| text(v, "plugin") == name).collect();
        if own.is_empty() {
            rows.push(Row {
                plugin: name,
                version: String::new(),
                state: "no version".into(),
                hooks: vec![],
                in_force: vec![],
            });
            continue;
        }
        for version in own {
            let hooks = version.get("hooks").and_then(|h| h.as_array()).cloned().unwrap_or_default();
            let version_name = text(version, "name");
            rows.push(Row {
                plugin: name.clone(),
                state: text(version, "state").trim_start_matches("PLUGIN_VERSION_STATE_").to_lowercase(),
                hooks: hooks.iter().filter_map(|h| h.as_str().map(str::to_owned)).collect(),
                in_force: in_force.remove(&version_name).unwrap_or_default(),
                version: version_name,
            });
        }
    }
    rows
}

fn text(value: &serde_json::Value, field: &str) -> String {
    value.get(field).and_then(|v| v.as_str()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_version_shows_where_it_is_in_force() {
        let plugins = [json!({"name": "p"}), json!({"name": "q"})];
        let versions = [json!({"name": "v", "plugin": "p", "state": "PLUGIN_VERSION_STATE_VALID", "hooks": ["h"]})];
        let bindings = [
            json!({"name": "b", "hook": "h", "pluginVersion": "v"}),
            json!({"name": "off", "hook": "h", "pluginVersion": "v", "disabled": true}),
        ];
        let found = rows(&plugins, &versions, &bindings);
        assert_eq!((found[0].state.as_str(), found[0].in_force.as_slice()), ("valid", &["h (b)".to_owned()][..]));
        assert_eq!(found[1].state, "no version");
    }
}
