//! What a command must know of a version: its title, and the hook that is meant where none was said. Never: changes one.

use std::collections::HashMap;

use anyhow::{Result, bail};
use linli_proto::rules::{GetPluginVersionRequest, PluginVersion};

use crate::client::{CallError, Connection};

/// The hook of a binding: as it was said, as it is known, or the only one that the version has.
pub(super) async fn hook(
    said: Option<&str>,
    known: &str,
    (binding, version): (&str, &str),
    connection: &Connection,
) -> Result<String> {
    match said {
        Some(hook) => Ok(hook.to_owned()),
        None if !known.is_empty() => Ok(known.to_owned()),
        None => only(&get(version, connection).await?.hooks, (binding, version)),
    }
}

fn only(hooks: &[String], (binding, version): (&str, &str)) -> Result<String> {
    match hooks {
        [one] => Ok(one.clone()),
        [] => bail!("--hook is wanted: {binding} is new, and {version} has not been validated yet"),
        several => bail!(
            "--hook is wanted: {binding} is new, and {version} answers {}; say which, such as --hook {}",
            several.join(", "),
            several[0]
        ),
    }
}

async fn get(name: &str, connection: &Connection) -> Result<PluginVersion, CallError> {
    let request = GetPluginVersionRequest { name: name.to_owned() };
    ask!(connection, "GetPluginVersion", get_plugin_version, request)
}

/// The versions of these names that the caller may know of, each asked for once.
pub(super) async fn known<'a>(
    names: impl Iterator<Item = &'a str>,
    connection: &Connection,
) -> HashMap<String, PluginVersion> {
    let mut known = HashMap::new();
    let names: std::collections::BTreeSet<&str> = names.filter(|name| !name.is_empty()).collect();
    for name in names {
        if let Ok(version) = get(name, connection).await {
            known.insert(name.to_owned(), version);
        }
    }
    known
}

/// What a version calls itself; empty where that is not known.
pub(super) fn title(version: Option<&PluginVersion>) -> String {
    version.and_then(|version| version.manifest.as_ref()).map(|manifest| manifest.title.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_hook_of_a_version_need_not_be_said_and_of_several_one_must_be() {
        let names = ("areas/x/ruleBindings/b", "areas/x/pluginVersions/pv-1");
        let hooks = ["booking-eligibility".to_owned(), "booking-price".to_owned()];
        assert_eq!(only(&hooks[..1], names).expect("one"), "booking-eligibility");
        let told = only(&hooks, names).expect_err("two").to_string();
        assert!(told.contains("--hook booking-eligibility") && told.contains("booking-price"), "{told}");
        assert!(only(&[], names).expect_err("none").to_string().contains("--hook"));
    }
}
