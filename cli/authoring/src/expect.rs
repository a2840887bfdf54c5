//! What a case expects: as much of an answer as its author cares about. Never: a looser kind of equality within a part.

use std::cmp::Reverse;

use linli_rules_engine::deliberation::Share;
use linli_rules_engine::types::{Reason, Verdict};
use linli_rules_engine::{Fault, Hook, Outcome, Question};
use serde_json::{Map, Value};

use crate::place::Wrong;
use crate::{facts, tell};

/// A reason; without arguments it stands for the same with any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    code: String,
    args: Option<Vec<String>>,
}

/// A grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    asset: String,
    value: i32,
    why: Option<Why>,
}

/// What is to come of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// It may be booked.
    Allow,
    /// The rule has nothing to say.
    Abstain,
    /// It may not be booked.
    Deny(Why),
    /// Somebody has to approve.
    NeedsApproval(Why),
    /// A price; its asset and reasons where they are given.
    Price {
        /// Units.
        value: i32,
        /// The asset.
        asset: Option<String>,
        /// All reasons.
        why: Option<Vec<Why>>,
    },
    /// The scores themselves.
    Scores(Vec<i32>),
    /// Who is served first: places in the queue, from 0.
    Order(Vec<usize>),
    /// Exactly these grants, in order.
    Awards(Vec<Grant>),
    /// A track.
    Track {
        /// Its id.
        track: String,
        /// The reason.
        why: Option<Why>,
    },
    /// Thresholds, those that are given.
    Thresholds {
        /// The quorum; the inner `None` is `none`.
        quorum: Option<Option<Share>>,
        /// The share of yes votes.
        pass: Option<Option<Share>>,
        /// Hours.
        open_hours: Option<u32>,
        /// All reasons.
        why: Option<Vec<Why>>,
    },
    /// The rule declines, so.
    Refusal(String),
    /// It gives no answer that counts; the code of the fault.
    Fault(String),
}

const FAULTS: [&str; 6] = ["out-of-fuel", "deadline", "memory", "trap", "bad-result", "no-hook"];

impl Expect {
    /// Reads what a case of a hook expects.
    pub(crate) fn read(hook: Hook, value: Value) -> Result<Self, Vec<Wrong>> {
        let wrong = || vec![Wrong { path: Vec::new(), what: format!("{} is wanted", forms(hook)) }];
        let Value::Object(map) = value else { return Err(wrong()) };
        let read = match map.keys().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["refusal"] => refusal(&map["refusal"]),
            ["fault"] => {
                let code = map["fault"].as_str().filter(|code| FAULTS.contains(code));
                code.map(|code| Expect::Fault(code.to_owned()))
                    .ok_or_else(|| Wrong::new("fault", format!("one of {} is wanted", FAULTS.join(", "))))
            }
            _ => match of_hook(hook, &map) {
                Some(read) => read,
                None => return Err(wrong()),
            },
        };
        read.map_err(|wrong| vec![wrong])
    }

    /// Whether this is what came.
    pub fn admits(&self, asked: &Question, came: &Result<Outcome, Fault>) -> bool {
        match (self, came) {
            (Expect::Refusal(wanted), Err(Fault::Refused(refused))) => *wanted == tell::refusal(refused),
            (Expect::Fault(code), Err(fault)) => code == fault.code(),
            (expect, Ok(outcome)) => expect.admits_outcome(asked, outcome),
            _ => false,
        }
    }

    fn admits_outcome(&self, asked: &Question, outcome: &Outcome) -> bool {
        match (self, outcome) {
            (Expect::Allow, Outcome::Eligibility(Verdict::Allow)) => true,
            (Expect::Abstain, Outcome::Eligibility(Verdict::Abstain)) => true,
            (Expect::Deny(why), Outcome::Eligibility(Verdict::Deny(reason))) => why.admits(reason),
            (Expect::NeedsApproval(why), Outcome::Eligibility(Verdict::NeedsApproval(reason))) => why.admits(reason),
            (Expect::Price { value, asset, why }, Outcome::Price(terms)) => {
                terms.price.value == *value
                    && asset.as_ref().is_none_or(|asset| terms.price.asset == *asset)
                    && admit_all(why.as_deref(), &terms.why)
            }
            (Expect::Scores(scores), Outcome::Priority(came)) => scores == came,
            (Expect::Order(order), Outcome::Priority(scores)) => *order == served(asked, scores),
            (Expect::Awards(grants), Outcome::Award(awards)) => {
                grants.len() == awards.len()
                    && grants.iter().zip(awards).all(|(grant, award)| {
                        grant.asset == award.amount.asset
                            && grant.value == award.amount.value
                            && grant.why.as_ref().is_none_or(|why| why.admits(&award.why))
                    })
            }
            (Expect::Track { track, why }, Outcome::Track(choice)) => {
                *track == choice.track && why.as_ref().is_none_or(|why| why.admits(&choice.why))
            }
            (Expect::Thresholds { quorum, pass, open_hours, why }, Outcome::Thresholds(tightened)) => {
                let came = &tightened.thresholds;
                quorum.is_none_or(|quorum| quorum == came.quorum)
                    && pass.is_none_or(|pass| pass == came.pass)
                    && open_hours.is_none_or(|hours| hours == came.open_hours)
                    && admit_all(why.as_deref(), &tightened.why)
            }
            _ => false,
        }
    }
}

impl Why {
    fn admits(&self, reason: &Reason) -> bool {
        self.code == reason.code && self.args.as_ref().is_none_or(|args| *args == reason.args)
    }

    /// `code`, or `{code, args}`.
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::String(code) => Some(Self { code: code.clone(), args: None }),
            Value::Object(map) if map.keys().all(|key| key == "code" || key == "args") => Self::within(map),
            _ => None,
        }
    }

    fn within(map: &Map<String, Value>) -> Option<Self> {
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            _ => None,
        };
        let args = match map.get("args") {
            None => None,
            Some(args) => Some(args.as_array()?.iter().map(text).collect::<Option<Vec<_>>>()?),
        };
        Some(Self { code: map.get("code")?.as_str()?.to_owned(), args })
    }
}

fn admit_all(wanted: Option<&[Why]>, came: &[Reason]) -> bool {
    wanted
        .is_none_or(|wanted| wanted.len() == came.len() && wanted.iter().zip(came).all(|(why, came)| why.admits(came)))
}

/// As the host orders a queue: by score, then by who has waited longest.
fn served(asked: &Question, scores: &[i32]) -> Vec<usize> {
    let since = |at: usize| match asked {
        Question::Priority(asked) => asked.queue.get(at).map_or(0, |waiting| waiting.since),
        _ => 0,
    };
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by_key(|&at| (Reverse(scores[at]), since(at), at));
    order
}

fn forms(hook: Hook) -> &'static str {
    match hook {
        Hook::Eligibility => {
            "{allow: true}, {deny: {code: .., args: [..]}}, {needs-approval: {code: ..}}, {abstain: true}, {refusal: missing-fact usage} or {fault: trap}"
        }
        Hook::Price => "{price: 700, why: [code]}, {refusal: missing-fact usage} or {fault: trap}",
        Hook::Priority => "{scores: [..]}, {order: [2, 0, 1]}, {refusal: missing-fact usage} or {fault: trap}",
        Hook::Award => "{awards: [{asset: .., value: .., code: ..}]}, {refusal: missing-fact age} or {fault: trap}",
        Hook::Track => "{track: .., code: ..}, {refusal: unsupported ..} or {fault: trap}",
        Hook::Thresholds => {
            "{quorum: 2/3, pass: \">1/2\", open-hours: 72, why: [code]}, {refusal: unsupported ..} or {fault: trap}"
        }
    }
}

/// `None`: no such form.
fn of_hook(hook: Hook, map: &Map<String, Value>) -> Option<Result<Expect, Wrong>> {
    let only = |known: &[&str]| map.keys().all(|key| known.contains(&key.as_str()));
    let first = |known: &str| map.len() == 1 && map.contains_key(known);
    let why =
        |key: &str| Why::read(&map[key]).ok_or_else(|| Wrong::new(key, "a reason is wanted: {code: .., args: [..]}"));
    match hook {
        Hook::Eligibility if first("allow") && map["allow"] == true => Some(Ok(Expect::Allow)),
        Hook::Eligibility if first("abstain") && map["abstain"] == true => Some(Ok(Expect::Abstain)),
        Hook::Eligibility if first("deny") => Some(why("deny").map(Expect::Deny)),
        Hook::Eligibility if first("needs-approval") => Some(why("needs-approval").map(Expect::NeedsApproval)),
        Hook::Price if map.contains_key("price") && only(&["price", "why"]) => Some(price(map)),
        Hook::Priority if first("scores") => {
            let scores = serde_json::from_value(map["scores"].clone());
            Some(scores.map(Expect::Scores).map_err(|_| Wrong::new("scores", "a list of numbers is wanted")))
        }
        Hook::Priority if first("order") => {
            let order = serde_json::from_value(map["order"].clone());
            let told = "the places in the queue in the order in which they are served, from 0, such as [2, 0, 1]";
            Some(order.map(Expect::Order).map_err(|_| Wrong::new("order", told)))
        }
        Hook::Award if first("awards") => Some(awards(&map["awards"])),
        Hook::Track if map.contains_key("track") && only(&["track", "code", "args"]) => {
            let why = map.contains_key("code").then(|| Why::within(map));
            let track = map["track"].as_str().map(str::to_owned);
            Some(match (track, why) {
                (Some(track), None) => Ok(Expect::Track { track, why: None }),
                (Some(track), Some(Some(why))) => Ok(Expect::Track { track, why: Some(why) }),
                _ => Err(Wrong::new("track", "{track: ID, code: .., args: [..]} is wanted")),
            })
        }
        Hook::Thresholds if !map.is_empty() && only(&["quorum", "pass", "open-hours", "why"]) => Some(thresholds(map)),
        _ => None,
    }
}

fn whys(map: &Map<String, Value>) -> Result<Option<Vec<Why>>, Wrong> {
    let Some(value) = map.get("why") else { return Ok(None) };
    let all = value.as_array().and_then(|items| items.iter().map(Why::read).collect::<Option<Vec<_>>>());
    all.map(Some).ok_or_else(|| Wrong::new("why", "a list of reasons is wanted: [code] or [{code: .., args: [..]}]"))
}

fn price(map: &Map<String, Value>) -> Result<Expect, Wrong> {
    let told = || Wrong::new("price", "a price is wanted, such as 700 or 700 cny-fen");
    let (value, asset) = match &map["price"] {
        Value::String(text) => {
            let (value, asset) = text.split_once(' ').ok_or_else(told)?;
            (value.parse().map_err(|_| told())?, Some(asset.trim().to_owned()))
        }
        number => (number.as_i64().and_then(|n| i32::try_from(n).ok()).ok_or_else(told)?, None),
    };
    Ok(Expect::Price { value, asset, why: whys(map)? })
}

fn awards(value: &Value) -> Result<Expect, Wrong> {
    let grant = |value: &Value| {
        let map = value
            .as_object()
            .filter(|map| map.keys().all(|k| ["asset", "value", "code", "args"].contains(&k.as_str())))?;
        let why = if map.contains_key("code") { Some(Why::within(map)?) } else { None };
        let units = map.get("value")?.as_i64().and_then(|n| i32::try_from(n).ok())?;
        Some(Grant { asset: map.get("asset")?.as_str()?.to_owned(), value: units, why })
    };
    let all = value.as_array().and_then(|items| items.iter().map(grant).collect::<Option<Vec<_>>>());
    let told = "a list of grants is wanted: [{asset: hearts, value: 12, code: ..}], or [] for none";
    all.map(Expect::Awards).ok_or_else(|| Wrong::new("awards", told))
}

fn thresholds(map: &Map<String, Value>) -> Result<Expect, Wrong> {
    let share = |key: &str| match map.get(key) {
        None => Ok(None),
        Some(value) if value == "none" => Ok(Some(None)),
        Some(value) => {
            let share = facts::share(value).map_err(|what| Wrong::new(key, what))?;
            serde_json::from_value(share).map(|share| Some(Some(share))).map_err(|e| Wrong::new(key, e.to_string()))
        }
    };
    let open_hours = match map.get("open-hours") {
        None => None,
        Some(value) => {
            let hours = value.as_u64().and_then(|hours| u32::try_from(hours).ok());
            Some(hours.ok_or_else(|| Wrong::new("open-hours", "hours are wanted"))?)
        }
    };
    Ok(Expect::Thresholds { quorum: share("quorum")?, pass: share("pass")?, open_hours, why: whys(map)? })
}

fn refusal(value: &Value) -> Result<Expect, Wrong> {
    let told = || Wrong::new("refusal", "`missing-fact FACT`, `bad-settings KEY` or `unsupported WHAT` is wanted");
    let text = value.as_str().ok_or_else(told)?;
    let (kind, code) = text.split_once(' ').ok_or_else(told)?;
    if !["missing-fact", "bad-settings", "unsupported"].contains(&kind) || code.trim().is_empty() {
        return Err(told());
    }
    Ok(Expect::Refusal(format!("{kind} {}", code.trim())))
}

#[cfg(test)]
mod tests {
    use linli_rules_engine::types::{PriorityRequest, Refusal, Waiting};
    use serde_json::json;

    use super::*;

    fn eligibility() -> Question {
        Question::Eligibility(Default::default())
    }

    fn denied(args: &[&str]) -> Result<Outcome, Fault> {
        let args = args.iter().map(|&arg| arg.to_owned()).collect();
        Ok(Outcome::Eligibility(Verdict::Deny(Reason { code: "quota".to_owned(), args })))
    }

    fn expect(hook: Hook, value: Value) -> Expect {
        Expect::read(hook, value).expect("a form")
    }

    #[test]
    fn a_reason_without_arguments_stands_for_any_and_with_arguments_for_those() {
        let any = expect(Hook::Eligibility, json!({"deny": {"code": "quota"}}));
        let these = expect(Hook::Eligibility, json!({"deny": {"code": "quota", "args": [2, 1]}}));
        assert!(any.admits(&eligibility(), &denied(&["1"])) && these.admits(&eligibility(), &denied(&["2", "1"])));
        assert!(!these.admits(&eligibility(), &denied(&["1", "1"])));
        assert!(!any.admits(&eligibility(), &Ok(Outcome::Eligibility(Verdict::Allow))));
    }

    #[test]
    fn refusals_and_faults_are_expected_by_name() {
        let missing = expect(Hook::Price, json!({"refusal": "missing-fact usage"}));
        assert!(missing.admits(&eligibility(), &Err(Fault::Refused(Refusal::MissingFact("usage".to_owned())))));
        assert!(!missing.admits(&eligibility(), &Err(Fault::Refused(Refusal::MissingFact("age".to_owned())))));
        let fuel = expect(Hook::Price, json!({"fault": "out-of-fuel"}));
        assert!(fuel.admits(&eligibility(), &Err(Fault::OutOfFuel { budget: 1 })));
        assert!(Expect::read(Hook::Price, json!({"fault": "tired"})).is_err());
    }

    #[test]
    fn an_order_is_by_score_and_then_by_waiting_time() {
        let waiting = |since| Waiting { since, ..Waiting::default() };
        let queue = vec![waiting(30), waiting(20), waiting(10)];
        let asked = Question::Priority(PriorityRequest { queue, ..PriorityRequest::default() });
        let order = expect(Hook::Priority, json!({"order": [1, 2, 0]}));
        assert!(order.admits(&asked, &Ok(Outcome::Priority(vec![0, 9, 0]))));
        assert!(!order.admits(&asked, &Ok(Outcome::Priority(vec![9, 0, 0]))));
    }

    #[test]
    fn the_form_of_another_hook_is_answered_with_those_of_this_one() {
        let wrong = Expect::read(Hook::Price, json!({"allow": true})).expect_err("another hook's");
        assert!(wrong[0].what.contains("{price: 700"));
        assert!(Expect::read(Hook::Eligibility, json!({"allow": false})).is_err());
        assert!(Expect::read(Hook::Award, json!({"awards": [{"asset": "hearts"}]})).is_err());
    }

    #[test]
    fn what_came_reads_like_what_is_expected() {
        let came = denied(&["1", "1"]).expect("an outcome");
        let text = tell::outcome(&came);
        assert_eq!(text, "{deny: {code: quota, args: [1, 1]}}");
    }
}
