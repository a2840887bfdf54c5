//! `linli decision explain`: reads a decision out to a resident. Never: shows more than the services show the caller.

mod facts;
mod words;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::process::ExitCode;

use anyhow::{Result, bail};
use linli_kernel::Lang;
use linli_proto::common::{Reason, Text};
use prost_reflect::{DynamicMessage, Value};
use serde_json::Value as Json;

use super::output;
use super::resources::read::{self, Query};
use super::resources::types;
use crate::client::Connection;

/// Reads decisions out.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Say what was asked, what was known, and which rule said what
    Explain(ExplainArgs),
}

/// Reads one decision out, in the language of --lang.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  linli decision explain areas/xinhua/bookings/bkg-...        # all that was decided about a booking\n  \
    linli decision explain areas/xinhua/awards/awd-... --lang en\n  \
    linli decision explain areas/xinhua/topics/top-...\n\n\
    Also: receipts (rcp-..), awardReceipts (arc-..), ballots, topicReceipts (trc-..).\n\
    A resident may ask about their own; others as their office allows."
)]
struct ExplainArgs {
    /// The booking, award, topic or ballot, or one of their receipts.
    #[arg(value_name = "NAME")]
    name: String,
}

/// One receipt of any service, as far as it is read out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Decision {
    hook: String,
    about: String,
    verdict: String,
    reasons: Vec<Reason>,
    rules: Vec<Part>,
    facts: Json,
    time: i64,
}

/// One rule's part.
#[derive(Debug, Clone, Default)]
pub(crate) struct Part {
    binding: String,
    version: String,
    verdict: String,
    shadow: bool,
}

/// Runs the command.
///
/// # Errors
/// A name that is none of a decision; what the services answered.
pub async fn run(args: Args, connection: &Connection) -> Result<ExitCode> {
    let Command::Explain(args) = args.command;
    let decisions = decisions(&args.name, connection).await?;
    if decisions.is_empty() {
        output::say(match connection.lang() {
            Lang::ZhCn => format!("{} 没有按规则作出的决定：是人或约定直接定的。", args.name),
            Lang::En => format!("No rule decided anything about {}: people or plain terms did.", args.name),
        });
        return Ok(ExitCode::SUCCESS);
    }
    let titles = titles(&decisions, connection).await;
    let told: Vec<String> = decisions.iter().map(|one| words::read_out(one, &titles, connection.lang())).collect();
    output::data(&told.join("\n\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// The receipts of what is named, oldest first.
async fn decisions(name: &str, connection: &Connection) -> Result<Vec<Decision>> {
    let parts: Vec<&str> = name.split('/').collect();
    let ["areas", area, collection, id] = parts.as_slice() else {
        bail!("{name:?}: a name such as areas/xinhua/bookings/bkg-... is wanted");
    };
    if id.is_empty() || *id == "-" {
        bail!("{name:?}: the name of one decision is wanted");
    }
    let area = format!("areas/{area}");
    // What is asked about is read first: whoever may not know of it is told as that service tells it.
    let (named, receipts, filter) = match *collection {
        "receipts" | "awardReceipts" | "topicReceipts" => {
            let found = read::get(connection, types::find(collection)?, name).await?;
            return Ok(vec![decision(&found)?]);
        }
        "bookings" => ("booking", "receipt", format!("booking = \"{name}\"")),
        "topics" => ("topic", "topicReceipt", format!("topic = \"{name}\"")),
        "ballots" => ("ballot", "topicReceipt", format!("ballot = \"{name}\"")),
        "awards" => ("award", "awardReceipt", String::new()),
        other => bail!("{other}: decisions are about bookings, awards, topics and ballots, or are receipts of those"),
    };
    let asked = read::get(connection, types::find(named)?, name).await?;
    let filter = match *collection {
        "awards" => format!("event = \"{}\"", read::text(&asked, "event")),
        _ => filter,
    };
    let query = Query { parent: &area, filter: &filter, ..Query::default() };
    let (found, _) = read::list(connection, types::find(receipts)?, &query).await?;
    let of_award = |receipt: &&DynamicMessage| *collection != "awards" || read::text(receipt, "award") == name;
    let mut decisions = found.iter().filter(of_award).map(decision).collect::<Result<Vec<_>>>()?;
    decisions.sort_by_key(|decision| decision.time);
    Ok(decisions)
}

/// A receipt of any service: the three have the same fields under the same names.
fn decision(receipt: &DynamicMessage) -> Result<Decision> {
    let text = |name: &str| read::text(receipt, name);
    let hook = Some(text("hook")).filter(|hook| !hook.is_empty()).unwrap_or_else(|| "points-award".to_owned());
    let about = ["ballot", "booking", "source", "topic"].map(text).into_iter().find(|name| !name.is_empty());
    Ok(Decision {
        hook,
        about: about.unwrap_or_default(),
        verdict: text("verdict"),
        reasons: messages(receipt, "reasons").iter().map(|m| m.transcode_to()).collect::<Result<_, _>>()?,
        rules: messages(receipt, "rules").iter().map(part).collect(),
        facts: serde_json::from_str(&text("facts_json")).unwrap_or(Json::Null),
        time: seconds(receipt, "create_time"),
    })
}

fn part(rule: &DynamicMessage) -> Part {
    let stage = rule.get_field_by_name("stage").and_then(|stage| stage.as_enum_number());
    Part {
        binding: read::text(rule, "rule_binding"),
        version: read::text(rule, "plugin_version"),
        verdict: read::text(rule, "verdict"),
        shadow: stage == Some(linli_proto::rules::RuleStage::Shadow.into()),
    }
}

fn messages(of: &DynamicMessage, field: &str) -> Vec<DynamicMessage> {
    let value = of.get_field_by_name(field);
    let list = value.as_ref().and_then(|value| value.as_list()).unwrap_or_default();
    list.iter().filter_map(Value::as_message).cloned().collect()
}

fn seconds(of: &DynamicMessage, field: &str) -> i64 {
    let time = of.get_field_by_name(field);
    let time = time.as_ref().and_then(|time| time.as_message());
    time.and_then(|time| time.get_field_by_name("seconds")?.as_i64()).unwrap_or_default()
}

/// The titles of the rules that took part and the names of their areas, where the caller may know them.
async fn titles(decisions: &[Decision], connection: &Connection) -> HashMap<String, String> {
    let mut titles = HashMap::new();
    for part in decisions.iter().flat_map(|decision| &decision.rules) {
        let (area, id) = part.binding.split_once("/ruleBindings/").unwrap_or((&part.binding, &part.binding));
        if let Entry::Vacant(unknown) = titles.entry(part.version.clone()) {
            let request = linli_proto::rules::GetPluginVersionRequest { name: part.version.clone() };
            let version = connection.rules().get_plugin_version(request).await;
            let title = version.ok().and_then(|version| version.into_inner().manifest).map(|manifest| manifest.title);
            // A resident need not be able to read the catalogue: the binding's id says which rule it is.
            unknown.insert(title.filter(|title| !title.is_empty()).unwrap_or_else(|| id.to_owned()));
        }
        if let Entry::Vacant(unknown) = titles.entry(area.to_owned()) {
            let request = linli_proto::org::GetAreaRequest { name: area.to_owned() };
            let found = connection.org().get_area(request).await.ok().and_then(|area| area.into_inner().display_name);
            unknown.insert(found.map_or_else(|| area.to_owned(), |text| said(&text, connection.lang())));
        }
    }
    titles
}

fn said(text: &Text, lang: Lang) -> String {
    let (wanted, other) = match lang {
        Lang::ZhCn => (&text.zh_cn, &text.en),
        Lang::En => (&text.en, &text.zh_cn),
    };
    if wanted.is_empty() { other.clone() } else { wanted.clone() }
}
