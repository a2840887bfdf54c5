//! The stage on which the demo plays: the clock, the people, what is printed, what was expected.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use chrono::{DateTime, FixedOffset, TimeZone as _};
use indicatif::{ProgressBar, ProgressStyle};
use linli_proto::dev::AdvanceClockRequest;
use linli_proto::org::Person;

use super::expected::people;
use crate::client::Connection;
use crate::suite::Suite;

/// Everything that the acts of the demo share.
pub(super) struct Stage<'a> {
    pub(super) suite: &'a Suite,
    pub(super) operator: Connection,
    pub(super) profiles: PathBuf,
    pub(super) components: PathBuf,
    people: HashMap<String, Vec<Person>>,
    failures: Vec<String>,
}

/// China Standard Time, in which all seven communities live.
pub(super) fn beijing(day: u32, hour: u32, minute: u32) -> Result<DateTime<FixedOffset>> {
    let zone = FixedOffset::east_opt(8 * 3600).context("an offset")?;
    zone.with_ymd_and_hms(2026, 11, day, hour, minute, 0).single().context("a day of November 2026")
}

impl<'a> Stage<'a> {
    pub(super) fn new(suite: &'a Suite, operator: Connection, profiles: PathBuf, components: PathBuf) -> Self {
        Self { operator, suite, profiles, components, people: HashMap::new(), failures: Vec::new() }
    }

    /// Prints the heading of an act.
    pub(super) fn heading(&self, number: usize, text: &str) {
        say(&format!("\n{number}. {text}"));
    }

    /// Prints one line of what happened.
    pub(super) fn line(&self, text: impl AsRef<str>) {
        say(&format!("   {}", text.as_ref()));
    }

    /// Notes whether something is as expected; the demo goes on and fails at its end.
    pub(super) fn expect(&mut self, ok: bool, what: impl Into<String>) {
        if !ok {
            let what = what.into();
            say(&format!("   ✗ {what}"));
            self.failures.push(what);
        }
    }

    /// What was not as expected.
    pub(super) fn failures(&self) -> &[String] {
        &self.failures
    }

    /// Somebody with the token of this subject.
    pub(super) fn actor(&self, subject: &str) -> Result<Connection> {
        self.operator.clone().with_token(&self.suite.token(subject)?)
    }

    /// Moves the suite's clock forward.
    pub(super) async fn advance(&self, day: u32, hour: u32, minute: u32) -> Result<()> {
        let to = beijing(day, hour, minute)?;
        let to = prost_types::Timestamp { seconds: to.timestamp(), nanos: 0 };
        self.operator.clock().advance_clock(AdvanceClockRequest { to: Some(to) }).await.context("moving the clock")?;
        say(&format!("   ⏱ 2026-11-{day:02} {hour:02}:{minute:02}"));
        Ok(())
    }

    /// The people of a community, read once through the gateway.
    pub(super) async fn people(&mut self, area: &str) -> Result<Vec<Person>> {
        if let Some(known) = self.people.get(area) {
            return Ok(known.clone());
        }
        let all = people(&self.operator, area).await?;
        self.people.insert(area.to_owned(), all.clone());
        Ok(all)
    }

    /// The first holder of a post in a community.
    pub(super) async fn holder(&self, area: &str, role: &str) -> Result<String> {
        self.first_holder(area, role, String::new()).await
    }

    /// The first holder of a post at a unit.
    pub(super) async fn holder_at(&self, area: &str, role: &str, unit: &str) -> Result<String> {
        self.first_holder(area, role, format!(" AND unit = \"areas/{area}/units/{unit}\"")).await
    }

    async fn first_holder(&self, area: &str, role: &str, at: String) -> Result<String> {
        let request = linli_proto::org::ListAppointmentsRequest {
            parent: format!("areas/{area}"),
            filter: format!("role = \"{role}\" AND state = APPOINTMENT_STATE_ACTIVE{at}"),
            page_size: 1,
            ..Default::default()
        };
        let found = self.operator.org().list_appointments(request).await?.into_inner().appointments;
        match found.into_iter().next() {
            Some(appointment) => Ok(appointment.appointee),
            None => bail!("{area} has no {role}"),
        }
    }

    /// Waits until `look` gives something: effects through the feed follow within moments.
    pub(super) async fn until<T, F, Fut>(&self, what: &str, mut look: F) -> Result<T>
    where
        F: FnMut() -> Fut,
        Fut: std::future::Future<Output = Result<Option<T>>>,
    {
        let begun = std::time::Instant::now();
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            ensure!(begun.elapsed() < Duration::from_secs(60), "{what} did not happen within a minute");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A progress bar on the terminal; silent elsewhere.
    pub(super) fn bar(&self, len: usize, what: &str) -> ProgressBar {
        let bar = ProgressBar::new(len as u64);
        if let Ok(style) = ProgressStyle::with_template("   {msg:28} [{bar:32}] {pos}/{len}") {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        bar
    }
}

/// Prints a line of the demo's story.
#[expect(clippy::print_stdout, reason = "the story is the demo's output")]
pub(super) fn say(text: &str) {
    println!("{text}");
}

/// The reason (UPPER_SNAKE) and the localized message of a refusal.
pub(super) fn refusal(status: &tonic::Status) -> (String, String) {
    use tonic_types::StatusExt as _;
    let reason = status.get_details_error_info().map(|i| i.reason).unwrap_or_default();
    let message = status.get_details_localized_message().map(|m| m.message);
    (reason, message.unwrap_or_else(|| status.message().to_owned()))
}
