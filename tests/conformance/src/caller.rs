//! Somebody who calls by name and notes what was called; in a world of retries, everything is asked three times.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use linli_harness::{Refusal, refusal};
use serde_json::{Value, json};
use tonic::Status;
use tonic::transport::Channel;

use crate::wire::{self, Rpc, Terms};

/// What was seen during a scenario.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Whether each change is repeated with its request id, then sent changed.
    retries: bool,
    answered: Mutex<BTreeSet<String>>,
    retried: Mutex<BTreeSet<String>>,
    names: Mutex<BTreeMap<String, BTreeSet<String>>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Notes {
    pub(crate) fn new(retries: bool) -> Self {
        Self { retries, ..Self::default() }
    }

    /// Paths of the RPCs that answered as they should.
    pub(crate) fn answered(&self) -> BTreeSet<String> {
        locked(&self.answered).clone()
    }

    /// Paths of the RPCs whose retry was tried.
    pub(crate) fn retried(&self) -> BTreeSet<String> {
        locked(&self.retried).clone()
    }

    fn remember(&self, rpc: &Rpc, answer: &Value) {
        locked(&self.answered).insert(rpc.info.path.clone());
        for name in named(answer) {
            let Some(collection) = name.split('/').nth(2) else { continue };
            locked(&self.names).entry(collection.to_owned()).or_default().insert(name);
        }
    }

    /// Another resource of the area and collection, of those that were seen.
    fn other(&self, name: &str) -> Option<String> {
        let collection = name.split('/').nth(2)?;
        locked(&self.names)
            .get(collection)?
            .iter()
            .find(|other| *other != name && other.split('/').nth(1) == name.split('/').nth(1))
            .cloned()
    }
}

/// Somebody who calls.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) channel: Channel,
    pub(crate) terms: Terms,
    pub(crate) notes: Arc<Notes>,
    /// What the caller is called in messages of failed tests.
    pub(crate) who: String,
}

impl Caller {
    /// Calls, whatever comes of it.
    pub(crate) async fn call(&self, rpc: &str, body: &Value) -> Result<Value, Status> {
        let rpc = Rpc::of(rpc);
        let answer = wire::call(&self.channel, &rpc.info.path, vec![rpc.encode(body)], &self.terms).await?;
        Ok(rpc.decode(&answer))
    }

    /// Calls and expects an answer.
    pub(crate) async fn ok(&self, short: &str, body: Value) -> Value {
        let rpc = Rpc::of(short);
        if self.notes.retries && rpc.info.mutating && request_ids(&mut body.clone(), rpc, "") {
            let other = self.twisted(rpc, &body);
            return self.thrice(rpc, body, other).await;
        }
        let answer = self.call(short, &body).await.unwrap_or_else(|s| self.unexpected(short, &body, &s));
        self.notes.remember(rpc, &answer);
        answer
    }

    /// The same where nothing but `other` could be asked with the same request id.
    pub(crate) async fn ok_or(&self, short: &str, body: Value, other: Value) -> Value {
        if self.notes.retries { self.thrice(Rpc::of(short), body, other).await } else { self.ok(short, body).await }
    }

    fn unexpected(&self, short: &str, body: &Value, status: &Status) -> ! {
        panic!("{short} by {}: {:?} ({}) for {body}", self.who, refusal(status), status.message())
    }

    /// Calls and expects a refusal.
    pub(crate) async fn refused(&self, short: &str, body: Value) -> Refusal {
        match self.call(short, &body).await {
            Ok(answer) => panic!("{short} by {} answers {answer} for {body}", self.who),
            Err(status) => refusal(&status),
        }
    }

    /// Notes that the gateway keeps an internal RPC to itself.
    pub(crate) async fn internal_only(&self, short: &str) {
        let refused = self.refused(short, json!({})).await;
        assert_eq!(
            (refused.code, refused.reason.as_str()),
            (tonic::Code::PermissionDenied, "INTERNAL_ONLY"),
            "{short}"
        );
        self.notes.remember(Rpc::of(short), &Value::Null);
    }

    /// Notes an RPC that was called in another way than by one message.
    pub(crate) fn note(&self, short: &str, answer: &Value, retried: bool) {
        let rpc = Rpc::of(short);
        self.notes.remember(rpc, answer);
        if retried {
            locked(&self.notes.retried).insert(rpc.info.path.clone());
        }
    }

    /// Asks, asks again with the same request id, and asks for something else with it.
    async fn thrice(&self, rpc: &Rpc, mut body: Value, mut other: Value) -> Value {
        let short = rpc.short();
        let id = linli_harness::seed::request_id();
        request_ids(&mut body, rpc, &id);
        request_ids(&mut other, rpc, &id);
        let first = self.call(&short, &body).await.unwrap_or_else(|s| self.unexpected(&short, &body, &s));
        self.notes.remember(rpc, &first);
        let again = self.call(&short, &body).await;
        let again = again.unwrap_or_else(|s| self.unexpected(&format!("the retry of {short}"), &body, &s));
        assert_eq!(named(&again), named(&first), "the retry of {short} names another resource");
        let refused = self.refused(&short, other.clone()).await;
        assert_eq!(refused.reason, "REQUEST_ID_REUSED", "{short} with another body: {refused:?} for {other}");
        assert!(refused.fields.iter().any(|(field, _)| field.ends_with("request_id")), "{short}: {refused:?}");
        locked(&self.notes.retried).insert(rpc.info.path.clone());
        first
    }

    /// The request with another content and the same request id.
    fn twisted(&self, rpc: &Rpc, body: &Value) -> Value {
        let mut twisted = body.clone();
        let one = if twisted["requests"].is_array() { &mut twisted["requests"][0] } else { &mut twisted };
        if twist(one) {
            return twisted;
        }
        let name = body["name"].as_str().unwrap_or_default();
        let other = self.notes.other(name);
        twisted["name"] = other.unwrap_or_else(|| panic!("{}: no case for another body of {body}", rpc.short())).into();
        twisted
    }
}

/// Sets the request id, and those of the items of a batch; says whether the request has any.
fn request_ids(body: &mut Value, rpc: &Rpc, id: &str) -> bool {
    if rpc.descriptor.input().get_field_by_name("request_id").is_some() {
        body["request_id"] = id.into();
        return true;
    }
    let Some(items) = body["requests"].as_array_mut() else { return false };
    for (index, item) in items.iter_mut().enumerate() {
        // Ids of the items differ in their last digits.
        let digits = id.len().saturating_sub(2);
        item["request_id"] = format!("{}{index:02x}", &id[..digits]).into();
    }
    true
}

/// The names in an answer.
fn named(answer: &Value) -> Vec<String> {
    match answer {
        Value::Object(fields) => match fields.get("name").and_then(Value::as_str) {
            Some(name) => vec![name.to_owned()],
            None => fields.values().filter(|v| v.is_array() || v.is_object()).flat_map(named).collect(),
        },
        Value::Array(items) => items.iter().flat_map(named).collect(),
        _ => Vec::new(),
    }
}

/// Changes one thing that stays valid; says whether there was one.
fn twist(body: &mut Value) -> bool {
    if let Some(items) = body.as_array_mut() {
        return items.iter_mut().any(twist);
    }
    let Some(fields) = body.as_object_mut() else { return false };
    for (key, value) in fields.iter_mut() {
        let changed = match (key.as_str(), &value) {
            ("en" | "full_name" | "text" | "title" | "answer", Value::String(text)) => Value::from(format!("{text}!")),
            ("import_key", Value::String(key)) => Value::from(format!("{key}-other")),
            ("value" | "quantity" | "cap" | "capacity" | "horizon_days" | "number", Value::Number(n)) => {
                Value::from(n.as_i64().unwrap_or_default() + 1)
            }
            ("basis", Value::String(_)) => Value::from("BASIS_RECRUITED"),
            ("choice", Value::String(choice)) if choice.starts_with("CHOICE_") => Value::from("CHOICE_ABSTAIN"),
            ("minutes", Value::Number(_)) => Value::from(7),
            ("etag", Value::String(_)) => Value::from("r777"),
            ("kind", Value::String(kind)) if kind == "built-on" => Value::from("joint"),
            ("kind", Value::String(kind)) if kind == "joint" => Value::from("built-on"),
            ("kinds", Value::Array(_)) => json!(["another"]),
            _ => continue,
        };
        *value = changed;
        return true;
    }
    fields.values_mut().any(twist)
}
