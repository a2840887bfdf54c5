//! The haircut rule's first question as an Extism plugin: JSON in, JSON out, as its authors' guide does it.
//! Never: uploaded anywhere; it is there to be compared with.

use extism_pdk::{FnResult, Json, plugin_fn};
use serde::{Deserialize, Serialize};

/// The facts.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Request {
    used: Option<Usage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Usage {
    this_month: u16,
    no_shows: u16,
}

/// The answer.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Yes.
    Allow,
    /// No, and why.
    Deny {
        /// Stable code.
        code: &'static str,
        /// Its arguments.
        args: Vec<String>,
    },
}

const PER_MONTH: u16 = 1;
const MAX_NO_SHOWS: u16 = 0;

/// May somebody have a haircut?
#[plugin_fn]
pub fn decide(Json(request): Json<Request>) -> FnResult<Json<Verdict>> {
    let used = request.used.unwrap_or(Usage { this_month: 0, no_shows: 0 });
    let deny = |code, counted: u16, limit: u16| Verdict::Deny { code, args: vec![counted.to_string(), limit.to_string()] };
    Ok(Json(if MAX_NO_SHOWS > 0 && used.no_shows >= MAX_NO_SHOWS {
        deny("too-many-no-shows", used.no_shows, MAX_NO_SHOWS)
    } else if used.this_month >= PER_MONTH {
        deny("already-this-month", used.this_month, PER_MONTH)
    } else {
        Verdict::Allow
    }))
}
