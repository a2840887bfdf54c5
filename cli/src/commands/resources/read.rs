//! Reading resources of any type: one by name, or lists page by page.

use anyhow::{Context as _, Result, anyhow};
use prost_reflect::{DynamicMessage, SerializeOptions, Value};

use super::types::{self, ResourceType};
use crate::client::{CallError, Connection};

/// The largest page that services give.
const PAGE: usize = 1000;

/// What is listed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Query<'a> {
    /// The area, or `areas/-`; of no account for areas themselves.
    pub parent: &'a str,
    /// Which resources; empty: all.
    pub filter: &'a str,
    /// Order; empty: the default.
    pub order_by: &'a str,
    /// At most so many; `None`: all.
    pub limit: Option<usize>,
}

/// Returns one resource.
///
/// # Errors
/// When the type has no such method; what the server answered.
pub async fn get(connection: &Connection, kind: &ResourceType, name: &str) -> Result<DynamicMessage> {
    let method = kind.get.as_ref().with_context(|| format!("{} can only be listed", kind.plural))?;
    let mut request = DynamicMessage::new(method.input());
    request.set_field_by_name("name", Value::String(name.to_owned()));
    Ok(connection.call(method, request).await?)
}

/// Lists resources, and says whether there are more than the limit.
///
/// # Errors
/// When the type has no such method; what the server answered.
pub async fn list(
    connection: &Connection,
    kind: &ResourceType,
    query: &Query<'_>,
) -> Result<(Vec<DynamicMessage>, bool)> {
    if kind.list.is_none() {
        return Err(anyhow!("{} cannot be listed", kind.plural));
    }
    Ok(pages(connection, kind, query).await?)
}

/// As [`list`], for types that are known to be listable; of others there are none.
pub(crate) async fn pages(
    connection: &Connection,
    kind: &ResourceType,
    query: &Query<'_>,
) -> Result<(Vec<DynamicMessage>, bool), CallError> {
    let (Some(method), Some(page)) = (&kind.list, kind.page_field()) else { return Ok((Vec::new(), false)) };
    let mut found: Vec<DynamicMessage> = Vec::new();
    let mut token = String::new();
    loop {
        let wanted = query.limit.map_or(PAGE, |limit| (limit - found.len()).min(PAGE));
        let mut request = DynamicMessage::new(method.input());
        let text = |text: &str| Value::String(text.to_owned());
        for (field, value) in [
            ("parent", text(query.parent)),
            ("filter", text(query.filter)),
            ("order_by", text(query.order_by)),
            ("page_token", text(&token)),
            ("page_size", Value::I32(i32::try_from(wanted).unwrap_or(1000))),
        ] {
            if request.descriptor_has(field) {
                request.set_field_by_name(field, value);
            }
        }
        let answer = connection.call(method, request).await?;
        let rows = answer.get_field(&page);
        found.extend(rows.as_list().unwrap_or_default().iter().filter_map(Value::as_message).cloned());
        token =
            answer.get_field_by_name("next_page_token").and_then(|t| t.as_str().map(str::to_owned)).unwrap_or_default();
        if token.is_empty() || query.limit.is_some_and(|limit| found.len() >= limit) {
            return Ok((found, !token.is_empty()));
        }
    }
}

trait HasField {
    fn descriptor_has(&self, field: &str) -> bool;
}

impl HasField for DynamicMessage {
    fn descriptor_has(&self, field: &str) -> bool {
        prost_reflect::ReflectMessage::descriptor(self).get_field_by_name(field).is_some()
    }
}

/// A message as proto JSON.
///
/// # Errors
/// When the message has no JSON form, which no message of the contract lacks.
pub fn to_json(message: &DynamicMessage) -> Result<serde_json::Value> {
    let options = SerializeOptions::new();
    Ok(message.serialize_with_options(serde_json::value::Serializer, &options)?)
}

/// The text of a top-level field; empty when it is not set.
pub fn text(message: &DynamicMessage, field: &str) -> String {
    message.get_field_by_name(field).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

impl Connection {
    /// Lists all resources of a type (`Offering`, `linli/Offering`, `offerings`) below an area, as proto JSON.
    ///
    /// # Errors
    /// An unknown type; what the server answered.
    pub async fn list_json(&self, resource: &str, parent: &str) -> Result<Vec<serde_json::Value>> {
        let kind = types::find(resource)?;
        let (found, _) = list(self, kind, &Query { parent, ..Query::default() }).await?;
        found.iter().map(to_json).collect()
    }
}
