//! Claims about methods: path, permission, resource, request id, pages.

use prost_reflect::{Kind, MessageDescriptor, Value};

use super::{access, behaves, flag, methods, option, text};
use crate::repo::holds;

/// `google.api.FieldBehavior.REQUIRED`.
const REQUIRED: i32 = 2;
/// `google.api.FieldInfo.Format.UUID4`.
const UUID4: i32 = 1;

/// Mutating methods whose request carries no id of its own, and why a retry is harmless all the same.
const WITHOUT_REQUEST_ID: [(&str, &str); 1] =
    [("linli.dev.v1.ClockService.AdvanceClock", "moving a clock to where it stands changes nothing")];

/// List methods that lack one of the four fields, which ones, and why.
const PAGES_APART: [(&str, &[&str], &str); 5] = [
    (
        "linli.events.v1.EventService.ListEvents",
        &["page_size", "page_token", "filter", "order_by"],
        "a feed has positions",
    ),
    ("linli.org.v1.OrgService.ListGaps", &["filter", "order_by"], "computed; narrowed by unit"),
    ("linli.org.v1.OrgService.ListElectors", &["filter", "order_by"], "a roll is read whole, in one order"),
    ("linli.deliberation.v1.DeliberationService.ListVotes", &["filter", "order_by"], "published whole, in one order"),
    (
        "linli.deliberation.v1.DeliberationService.ListElectorRoll",
        &["filter", "order_by"],
        "published whole, in one order",
    ),
];

#[test]
fn every_method_has_an_http_path_below_v1() {
    let mut found = Vec::new();
    for method in methods() {
        let Some(rule) = option(&method.options(), "google.api.http") else {
            found.push(format!("{}: no google.api.http", method.full_name()));
            continue;
        };
        let verbs = ["get", "put", "post", "delete", "patch"];
        let path = verbs.iter().map(|verb| text(&rule, verb)).find(|path| !path.is_empty()).unwrap_or_default();
        if !path.starts_with("/v1/") {
            found.push(format!("{}: path {path:?} does not begin with /v1/", method.full_name()));
        }
        let reads = !text(&rule, "get").is_empty();
        if reads && access(&method).is_some_and(|access| flag(&access, "mutating")) {
            found.push(format!("{}: mutating, but reached by GET", method.full_name()));
        }
    }
    holds(found);
}

#[test]
fn no_two_methods_share_an_http_path() {
    let mut seen = std::collections::BTreeMap::new();
    let mut found = Vec::new();
    for method in methods() {
        let Some(rule) = option(&method.options(), "google.api.http") else { continue };
        for verb in ["get", "put", "post", "delete", "patch"] {
            let path = shape(&text(&rule, verb));
            if path.is_empty() {
                continue;
            }
            if let Some(other) = seen.insert(format!("{verb} {path}"), method.full_name().to_owned()) {
                found.push(format!("{verb} {path}: {other} and {}", method.full_name()));
            }
        }
    }
    holds(found);
}

/// A path template without the names of its variables: `/v1/{name=areas/*}` and `/v1/{parent=areas/*}` are one.
fn shape(path: &str) -> String {
    let mut out = String::new();
    for (index, part) in path.split(['{', '}']).enumerate() {
        out.push_str(if index % 2 == 1 { part.split_once('=').map_or("*", |(_, pattern)| pattern) } else { part });
    }
    out
}

#[test]
fn every_method_declares_its_permission_in_its_services_name() {
    let mut found = Vec::new();
    for method in methods() {
        let area = method.full_name().split('.').nth(1).expect("linli.<area>.v1");
        let permission = access(&method).map(|access| text(&access, "permission")).unwrap_or_default();
        if !permission.starts_with(&format!("{area}.")) {
            found.push(format!("{}: permission {permission:?}", method.full_name()));
        }
    }
    holds(found);
}

#[test]
fn an_internal_only_method_names_its_callers() {
    let mut found = Vec::new();
    for method in methods() {
        let info = &linli_proto::methods()[&path(&method)];
        if info.internal_only && info.internal_callers.is_empty() {
            found.push(format!("{}: internal_only without internal_callers", method.full_name()));
        }
        let known = ["org", "booking", "points", "deliberation", "rules"];
        for caller in info.internal_callers.iter().filter(|caller| !known.contains(&caller.as_str())) {
            found.push(format!("{}: unknown caller {caller}", method.full_name()));
        }
    }
    holds(found);
}

fn path(method: &prost_reflect::MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}

#[test]
fn the_field_that_names_the_resource_exists_in_the_request() {
    let mut found = Vec::new();
    for method in methods() {
        let field = access(&method).map(|access| text(&access, "resource_field")).unwrap_or_default();
        if !field.is_empty() && !resolves(&method.input(), &field) {
            found.push(format!("{}: no text field {field} in {}", method.full_name(), method.input().full_name()));
        }
    }
    holds(found);
}

fn resolves(message: &MessageDescriptor, path: &str) -> bool {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let Some(field) = message.get_field_by_name(head) else { return false };
    match (field.kind(), rest) {
        (Kind::Message(inner), Some(rest)) => resolves(&inner, rest),
        (Kind::String, None) => !field.is_list(),
        _ => false,
    }
}

#[test]
fn the_field_that_names_the_resource_is_required() {
    let mut found = Vec::new();
    for method in methods() {
        let path = access(&method).map(|access| text(&access, "resource_field")).unwrap_or_default();
        let head = path.split('.').next().unwrap_or_default();
        let in_oneof = |f: &prost_reflect::FieldDescriptor| f.containing_oneof().is_some();
        if method.input().get_field_by_name(head).is_some_and(|f| !in_oneof(&f) && !behaves(&f, REQUIRED)) {
            found.push(format!("{}: {head} is not REQUIRED", method.full_name()));
        }
    }
    holds(found);
}

#[test]
fn every_change_can_be_retried_by_its_request_id() {
    let mut found = Vec::new();
    for method in methods() {
        let mutating = access(&method).is_some_and(|access| flag(&access, "mutating"));
        let apart = WITHOUT_REQUEST_ID.iter().any(|(name, _)| *name == method.full_name());
        if mutating && !apart && !retryable(&method.input()) {
            found.push(format!("{}: no request_id with format UUID4", method.full_name()));
        }
    }
    holds(found);
}

/// An id of its own, one in the header of a stream, or one per item of a batch.
fn retryable(message: &MessageDescriptor) -> bool {
    if has_request_id(message) {
        return true;
    }
    message.fields().any(|field| match field.kind() {
        Kind::Message(inner) => (field.is_list() || field.containing_oneof().is_some()) && has_request_id(&inner),
        _ => false,
    })
}

fn has_request_id(message: &MessageDescriptor) -> bool {
    let Some(field) = message.get_field_by_name("request_id") else { return false };
    let format = option(&field.options(), "google.api.field_info");
    let format = format.and_then(|info: Value| info.as_message()?.get_field_by_name("format")?.as_enum_number());
    matches!(field.kind(), Kind::String) && format == Some(UUID4)
}

#[test]
fn every_list_pages_filters_and_orders_alike() {
    let mut found = Vec::new();
    for method in methods().into_iter().filter(|method| method.name().starts_with("List")) {
        let apart = PAGES_APART.iter().find(|(name, ..)| *name == method.full_name());
        for field in ["page_size", "page_token", "filter", "order_by"] {
            let excused = apart.is_some_and(|(_, fields, _)| fields.contains(&field));
            if method.input().get_field_by_name(field).is_some() == excused {
                let what = if excused { "is excused from, but has," } else { "lacks" };
                found.push(format!("{}: {what} {field}", method.full_name()));
            }
        }
        let pages = apart.is_none_or(|(_, fields, _)| !fields.contains(&"page_token"));
        if pages && method.output().get_field_by_name("next_page_token").is_none() {
            found.push(format!("{}: its response has no next_page_token", method.full_name()));
        }
    }
    holds(found);
}

#[test]
fn every_update_has_a_mask_and_may_create() {
    let mut found = Vec::new();
    for method in methods().into_iter().filter(|method| method.name().starts_with("Update")) {
        let mask = method.input().get_field_by_name("update_mask").map(|field| field.kind());
        if !matches!(mask, Some(Kind::Message(m)) if m.full_name() == "google.protobuf.FieldMask") {
            found.push(format!("{}: no update_mask", method.full_name()));
        }
        let missing = method.input().get_field_by_name("allow_missing").map(|field| field.kind());
        if !matches!(missing, Some(Kind::Bool)) {
            found.push(format!("{}: no allow_missing", method.full_name()));
        }
    }
    holds(found);
}

#[test]
fn exceptions_name_methods_that_exist() {
    let names: Vec<String> = methods().iter().map(|method| method.full_name().to_owned()).collect();
    let excused = WITHOUT_REQUEST_ID.iter().map(|(name, _)| name).chain(PAGES_APART.iter().map(|(name, ..)| name));
    holds(excused.filter(|name| !names.iter().any(|n| n == **name)).map(|name| format!("no method {name}")).collect());
}
