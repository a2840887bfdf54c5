//! `linli get` and `linli list`: any resource of the contract, found by reflection. Never: writes.

mod cells;
pub mod read;
mod suggest;
pub mod types;

use std::process::ExitCode;

use anyhow::{Result, bail};
use prost_reflect::{DynamicMessage, ReflectMessage as _};

use self::read::Query;
use self::types::ResourceType;
use super::output::{self, Format};
use crate::client::Connection;

pub use suggest::nearest;

/// Shows one resource.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  linli get offering areas/xinhua/offerings/haircut\n  \
                        linli get area areas/xinhua -o yaml\n  \
                        linli get linli/Booking areas/xinhua/bookings/bkg-... -o json")]
pub struct GetArgs {
    /// Type of the resource: offering, offerings or linli/Offering.
    #[arg(value_name = "TYPE")]
    pub resource: String,
    /// Its full name, such as areas/xinhua/offerings/haircut.
    pub name: String,
    /// Form of the output; a table of one resource shows all its fields.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// Lists resources of one type.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  linli list areas\n  linli list offerings --parent areas/xinhua\n  \
                        linli list bookings --parent areas/xinhua --filter 'state = BOOKING_STATE_CONFIRMED' --all\n  \
                        linli list units --parent areas/bayi --all -o yaml > units.yaml")]
pub struct ListArgs {
    /// Type of the resources: offering, offerings or linli/Offering.
    #[arg(value_name = "TYPE")]
    pub resource: String,
    /// Area whose resources are listed; areas/- lists those of every area that the caller may read.
    #[arg(long, env = "LINLI_AREA", default_value = "areas/-", value_name = "areas/AREA")]
    pub parent: String,
    /// Which resources (AIP-160), such as 'mode = MODE_MEAL'; a bad one is answered with the fields that there are.
    #[arg(long, default_value = "")]
    pub filter: String,
    /// Order (AIP-132), such as 'start_time desc'.
    #[arg(long, default_value = "")]
    pub order_by: String,
    /// All of them, however many there are.
    #[arg(long, conflicts_with = "limit")]
    pub all: bool,
    /// At most so many.
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub limit: usize,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// Shows one resource.
///
/// # Errors
/// An unknown type; what the server answered.
pub async fn get(args: GetArgs, connection: &Connection) -> Result<ExitCode> {
    let kind = types::find(&args.resource)?;
    let found = read::get(connection, kind, &args.name).await?;
    match args.output {
        Format::Table => {
            let mut table = output::table(&["field", "value"]);
            for field in found.descriptor().fields().filter(|field| found.has_field(field)) {
                table.add_row([field.json_name().to_owned(), cells::text(&found, &field, connection.lang())]);
            }
            output::data(&table.to_string())?;
        }
        Format::Json => output::structured(Format::Json, &read::to_json(&found)?)?,
        Format::Yaml => output::data(&yaml(kind, &found)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Lists resources of one type.
///
/// # Errors
/// An unknown type; what the server answered.
pub async fn list(args: ListArgs, connection: &Connection) -> Result<ExitCode> {
    let kind = types::find(&args.resource)?;
    if args.limit == 0 {
        bail!("--limit 0 lists nothing; for no limit say --all");
    }
    let limit = (!args.all).then_some(args.limit);
    let query = Query { parent: &args.parent, filter: &args.filter, order_by: &args.order_by, limit };
    let (found, more) = read::list(connection, kind, &query).await?;
    match args.output {
        Format::Table if found.is_empty() => output::say(nothing(kind, &args)),
        Format::Table => output::data(&cells::table(kind, &found, connection.lang()).to_string())?,
        Format::Json => {
            let values = found.iter().map(read::to_json).collect::<Result<Vec<_>>>()?;
            output::structured(Format::Json, &values)?;
        }
        Format::Yaml => {
            let documents = found.iter().map(|one| yaml(kind, one)).collect::<Result<Vec<_>>>()?;
            output::data(&documents.concat())?;
        }
    }
    if more {
        output::say(format!("... there are more than {}; see them with --all or --limit N", found.len()));
    }
    Ok(ExitCode::SUCCESS)
}

/// What to tell whoever sees no rows, with a way on.
fn nothing(kind: &ResourceType, args: &ListArgs) -> String {
    let place = if kind.has_parent() { format!(" in {}", args.parent) } else { String::new() };
    let way = if args.filter.is_empty() {
        if kind.catalogue {
            "Bring some with `linli apply -f DIR`."
        } else {
            "`linli list areas` shows which areas there are."
        }
    } else {
        "Try it without --filter."
    };
    format!("No {}{place}. {way}", kind.plural)
}

/// One resource as a document of YAML: its type, then its fields in the order of the contract.
fn yaml(kind: &ResourceType, resource: &DynamicMessage) -> Result<String> {
    let mut document = serde_norway::Mapping::new();
    document.insert("type".into(), kind.name.as_str().into());
    let fields = read::to_json(resource)?;
    for field in kind.message.fields() {
        if let Some(value) = fields.get(field.json_name()) {
            document.insert(field.json_name().into(), serde_norway::to_value(value)?);
        }
    }
    Ok(format!("---\n{}", serde_norway::to_string(&document)?))
}
