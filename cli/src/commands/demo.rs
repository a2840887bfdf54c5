//! `linli demo`: a day in seven communities, played through public RPCs on an embedded suite with a manual clock.
//!
//! Prints what happens with its figures; ends with an error when anything was not as expected.

mod bookings;
mod communities;
pub mod expected;
mod parking;
mod repairs;
mod stage;
mod thanks;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use linli_kernel::{ManualClock, Timestamp};

use crate::client::Connection;
use crate::config::{Config, Tls};
use crate::suite::{Role, Suite};
use stage::{Stage, beijing, say};

/// Invariants that look at nothing after a day in which nothing of their kind is left.
const MAY_BE_IDLE: [&str; 2] = [
    // Everybody who waited has been served or sent home.
    "booking.waitlist",
    // Nobody cancels a slot.
    "booking.cancelled-slot",
];

/// Arguments of `linli demo`.
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Examples:\n  linli demo\n  linli demo --keep            # leaves the suite running and says how to call it\n  linli demo --data-dir /tmp/x # keeps the databases"
)]
pub struct Args {
    /// Leave the suite running and print how to call it with `buf curl`.
    #[arg(long)]
    keep: bool,
    /// Where databases and keys go; a fresh temporary directory when absent.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The communities' profiles.
    #[arg(long, value_name = "DIR", default_value = "profiles")]
    profiles: PathBuf,
    /// The built rule plugins.
    #[arg(long, value_name = "DIR", default_value = "plugins/target/components")]
    components: PathBuf,
    /// Where the gateway listens; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: std::net::SocketAddr,
}

/// Plays the demo.
///
/// # Errors
/// When a step fails or anything was not as expected.
pub async fn run(args: Args) -> Result<()> {
    let begun = Instant::now();
    let temporary = tempfile::tempdir().context("a temporary directory")?;
    let dir = args.data_dir.clone().unwrap_or_else(|| temporary.path().to_owned());
    let mut config = Config::embedded(&dir)?;
    config.gateway_listen = args.listen;
    config.requests_per_second = 1_000_000;
    config.tls = Tls::Development;
    let clock = Arc::new(ManualClock::new(Timestamp::from(beijing(2, 8, 0)?.to_utc())));
    say("linli 邻里: a day in seven communities");
    let suite = Suite::start_with_clock(&config, &Role::all(), clock).await.map_err(describe)?;
    let played = play(&suite, &args).await;
    match &played {
        Ok(_) => say(&format!("\nEverything was as expected, in {:.1} s.", begun.elapsed().as_secs_f64())),
        Err(problem) => say(&format!("\nThe demo failed: {problem:#}")),
    }
    if let Ok(guest) = played.as_ref()
        && args.keep
    {
        keep(&suite, guest).await?;
    }
    suite.stop().await;
    played.map(drop)
}

/// An error of the suite with its cause, for the one who starts it.
pub(crate) fn describe(error: linli_kit::Error) -> anyhow::Error {
    match error.cause() {
        Some(cause) => anyhow::anyhow!("{cause}"),
        None => anyhow::anyhow!("{error}"),
    }
}

/// What somebody needs who goes on by hand.
struct Guest {
    /// A resident of xinhua without a post.
    resident: String,
    /// The next haircut that can be booked there.
    haircut: String,
}

/// Plays all acts.
async fn play(suite: &Suite, args: &Args) -> Result<Guest> {
    let address = suite.gateway.context("the gateway listens")?;
    let certificate = suite.certificate.clone().context("a development certificate")?;
    let token = suite.token("systems/operator").map_err(describe)?;
    let connection = Connection::open(&format!("https://{address}"), Some(&certificate), &token)?;
    let mut stage = Stage::new(suite, connection.clone(), args.profiles.clone(), args.components.clone());
    communities::apply(&mut stage, &connection).await?;
    communities::rules(&mut stage, &connection).await?;
    let booked = bookings::play(&mut stage).await?;
    thanks::play(&mut stage, &booked).await?;
    parking::play(&mut stage).await?;
    verify(&mut stage, &connection).await?;
    let guest = Guest { resident: plain_resident(&mut stage).await?, haircut: next_haircut(suite, &connection).await? };
    match stage.failures() {
        [] => Ok(guest),
        failures => bail!("{} expectations did not hold:\n  - {}", failures.len(), failures.join("\n  - ")),
    }
}

async fn verify(stage: &mut Stage<'_>, connection: &Connection) -> Result<()> {
    stage.heading(6, "linli verify: the invariants, recounted");
    let checks =
        super::verify::verify_all(connection, &communities::COMMUNITIES.map(|(c, _)| format!("areas/{c}"))).await?;
    for check in &checks {
        let mark = if check.violations.is_empty() { "✓" } else { "✗" };
        stage.line(format!("{mark} {:44} {:>8}  {}", check.invariant, check.checked, check.title));
        for violation in &check.violations {
            stage.expect(false, format!("{}: {violation}", check.invariant));
        }
    }
    let idle: Vec<&str> = checks.iter().filter(|c| c.checked == 0).map(|c| c.invariant.as_str()).collect();
    let idle: Vec<&str> = idle.into_iter().filter(|invariant| !MAY_BE_IDLE.contains(invariant)).collect();
    stage.expect(idle.is_empty(), format!("after this day every invariant has something to look at, but {idle:?}"));
    Ok(())
}

/// An elder of xinhua who holds no post and has not been to the barber.
async fn plain_resident(stage: &mut Stage<'_>) -> Result<String> {
    let people = stage.people("xinhua").await?;
    let request = linli_proto::org::ListAppointmentsRequest {
        parent: "areas/xinhua".to_owned(),
        page_size: 1000,
        ..Default::default()
    };
    let held = stage.operator.org().list_appointments(request).await?.into_inner().appointments;
    let plain = people
        .iter()
        .rev()
        .find(|p| (1935..1955).contains(&p.birth_year) && !held.iter().any(|a| a.appointee == p.name));
    Ok(plain.context("a resident without a post")?.name.clone())
}

/// The first haircut of xinhua that can still be booked.
async fn next_haircut(suite: &Suite, connection: &Connection) -> Result<String> {
    let now = suite.clock.now().to_chrono().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let request = linli_proto::booking::ListSlotsRequest {
        parent: "areas/xinhua".to_owned(),
        filter: format!("offering = \"areas/xinhua/offerings/haircut\" AND start_time > \"{now}\""),
        ..Default::default()
    };
    let slots = connection.booking().list_slots(request).await.context("xinhua's haircuts")?.into_inner().slots;
    let next = slots.into_iter().find(|slot| slot.taken < slot.capacity);
    Ok(next.context("a haircut that can still be booked")?.name)
}

async fn keep(suite: &Suite, guest: &Guest) -> Result<()> {
    let Guest { resident, haircut } = guest;
    let address = suite.gateway.context("the gateway listens")?;
    let certificate = suite.certificate.as_deref().context("a development certificate")?.display().to_string();
    let token = suite.token(resident).map_err(describe)?;
    let operator = suite.token("systems/operator").map_err(describe)?;
    let today = suite.clock.now().to_chrono().with_timezone(&beijing(1, 0, 0)?.timezone()).format("%Y-%m-%d %H:%M");
    let call = format!("buf curl --protocol grpc --cacert {certificate} -H \"Authorization: Bearer {token}\"");
    let booking = format!("https://{address}/linli.booking.v1.BookingService");
    say(&format!(
        "\nThe suite stays at https://{address} until Ctrl-C; its clock stands at {today}.\n\n\
         As the resident {resident}, list what xinhua offers:\n\n  \
         {call} \\\n    -d '{{\"parent\": \"areas/xinhua\"}}' {booking}/ListOfferings\n\n\
         and book the next haircut; sent twice, it books once:\n\n  {call} \\\n    \
         -d '{{\"parent\": \"areas/xinhua\", \"booking\": {{\"slot\": \"{haircut}\"}}, \"request_id\": \"{}\"}}' \\\n    \
         {booking}/CreateBooking\n\n\
         For `linli` as the operator, and the resident's token, as in docs/plugins:\n\n  \
         export LINLI_SERVER=https://{address} LINLI_CA={certificate}\n  \
         export LINLI_TOKEN={operator}\n  export RESIDENT_TOKEN={token}\n",
        uuid::Uuid::new_v4(),
    ));
    tokio::signal::ctrl_c().await.context("waiting for Ctrl-C")?;
    Ok(())
}
