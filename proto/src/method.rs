//! The typed view of what the descriptors say about methods.
//!
//! Read once, at first use. Owns no decision: `access` and the gateway decide by it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, Value};

/// What one RPC declares about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodInfo {
    /// `/linli.org.v1.OrgService/GetUnit`.
    pub path: String,
    /// Permission that a caller needs.
    pub permission: String,
    /// Path of the request field that names the resource; empty when the call is about no area.
    pub resource_field: String,
    /// Services that may call it on their own behalf.
    pub internal_callers: Vec<String>,
    /// Whether the gateway refuses it.
    pub internal_only: bool,
    /// Whether it changes something.
    pub mutating: bool,
}

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(crate::FILE_DESCRIPTOR_SET).expect("descriptors of this very build decode")
});

static METHODS: LazyLock<BTreeMap<String, MethodInfo>> = LazyLock::new(|| {
    let option = POOL.get_extension_by_name("linli.options.v1.access").expect("the access option is in the pool");
    let mut found = BTreeMap::new();
    for service in POOL.services() {
        for method in service.methods() {
            let options = method.options();
            if !options.has_extension(&option) {
                continue;
            }
            let value = options.get_extension(&option);
            let Some(access) = value.as_message() else { continue };
            let text = |name: &str| {
                access.get_field_by_name(name).and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
            };
            let flag = |name: &str| access.get_field_by_name(name).and_then(|v| v.as_bool()).unwrap_or_default();
            let internal_callers = match access.get_field_by_name("internal_callers").as_deref() {
                Some(Value::List(list)) => list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
                _ => Vec::new(),
            };
            let path = format!("/{}/{}", service.full_name(), method.name());
            found.insert(
                path.clone(),
                MethodInfo {
                    path,
                    permission: text("permission"),
                    resource_field: text("resource_field"),
                    internal_callers,
                    internal_only: flag("internal_only"),
                    mutating: flag("mutating"),
                },
            );
        }
    }
    found.extend(operations().map(|info| (info.path.clone(), info)));
    found
});

/// google.longrunning.Operations is not ours to annotate; its access is declared here.
fn operations() -> impl Iterator<Item = MethodInfo> {
    let rpcs = [
        ("GetOperation", "operations.get", "name"),
        ("ListOperations", "operations.list", "name"),
        ("WaitOperation", "operations.get", "name"),
        ("CancelOperation", "operations.cancel", "name"),
        ("DeleteOperation", "operations.delete", "name"),
    ];
    rpcs.into_iter().map(|(rpc, permission, field)| MethodInfo {
        path: format!("/google.longrunning.Operations/{rpc}"),
        permission: permission.to_owned(),
        resource_field: field.to_owned(),
        internal_callers: Vec::new(),
        internal_only: false,
        mutating: matches!(rpc, "CancelOperation" | "DeleteOperation"),
    })
}

/// All descriptors of the contract.
pub fn pool() -> &'static DescriptorPool {
    &POOL
}

/// Every method of linli with its access option, by path.
pub fn methods() -> &'static BTreeMap<String, MethodInfo> {
    &METHODS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_linli_method_declares_its_permission() {
        for service in pool().services().filter(|s| s.full_name().starts_with("linli.")) {
            for method in service.methods() {
                let path = format!("/{}/{}", service.full_name(), method.name());
                let info = methods().get(&path).unwrap_or_else(|| panic!("{path} has no access option"));
                assert!(!info.permission.is_empty(), "{path} declares no permission");
            }
        }
    }
}
