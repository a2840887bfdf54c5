//! The stated figures of a community (`expected.yaml`), compared with what the suite counts through public RPCs.
//!
//! Owns what a line may say. Never: a figure of its own, nor a line that cannot fail.

mod count;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::client::Connection;
pub use count::Counted;
pub(super) use count::people;

/// Who will count what cannot be counted yet: services to come, and services that will grow.
const OWNERS: [&str; 8] = ["alliance", "booking", "casework", "catalogue", "deliberation", "insight", "org", "points"];

/// One line of the file, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    mechanism: String,
    figure: String,
    check: Option<String>,
    later: Option<String>,
    #[serde(rename = "where")]
    filter: Option<BTreeMap<String, Value>>,
    with: Option<String>,
    without: Option<String>,
    equals: Option<i64>,
    at_least: Option<i64>,
    at_most: Option<i64>,
    min: Option<i64>,
    max: Option<i64>,
    under: Option<i32>,
    of: Option<i64>,
}

/// A figure that a community states about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// Number of the mechanism, such as `M25`.
    pub mechanism: String,
    /// The figure in words.
    pub figure: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    /// The suite counts it.
    Counted { text: String, check: Check, bounds: Bounds },
    /// This owner will count it.
    Later(String),
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Bounds {
    equals: Option<i64>,
    at_least: Option<i64>,
    at_most: Option<i64>,
}

/// What is counted.
#[derive(Debug, Clone, PartialEq)]
enum Check {
    Units(String),
    Appointments(String),
    AppointmentsAge {
        role: String,
        under: i32,
        of: Option<i64>,
    },
    Households,
    People,
    PeopleTagged(String),
    /// Units of a kind whose households lie outside the bounds.
    HouseholdsPer {
        kind: String,
        min: i64,
        max: i64,
    },
    Gaps(String),
    /// Least number of a post at units of a kind; without a role: different posts.
    RequiredPosts {
        kind: String,
        role: Option<String>,
    },
    /// Stages of a process, all or those with (without) a condition of a kind.
    Stages {
        template: String,
        with: Option<String>,
        without: Option<String>,
    },
    NamedUnit {
        name: String,
        filter: BTreeMap<String, Value>,
    },
    Resources {
        resource: String,
        filter: BTreeMap<String, Value>,
    },
}

impl Check {
    /// Reads a check with the operands that belong to it; what it does not use stays in `raw`.
    fn take(text: &str, raw: &mut Raw) -> Result<Self> {
        let (what, of) = text.split_once('/').unwrap_or((text, ""));
        let named = ["households", "people"].contains(&what) == of.is_empty();
        ensure!(
            named,
            "{text:?}: {what} {}",
            if of.is_empty() { "needs a name behind a slash" } else { "has no name" }
        );
        let of = of.to_owned();
        Ok(match what {
            "units" => Self::Units(of),
            "appointments" => Self::Appointments(of),
            "appointments-age" => {
                let under = raw.under.take().context("appointments-age needs `under`")?;
                Self::AppointmentsAge { role: of, under, of: raw.of.take() }
            }
            "households" => Self::Households,
            "people" => Self::People,
            "people-tagged" => Self::PeopleTagged(of),
            "households-per" => {
                let (min, max) = (raw.min.take(), raw.max.take());
                ensure!(min.or(max).is_some(), "households-per needs `min` or `max`");
                Self::HouseholdsPer { kind: of, min: min.unwrap_or(0), max: max.unwrap_or(i64::MAX) }
            }
            "gaps" => Self::Gaps(of),
            "required-posts" => match of.split_once('/') {
                Some((kind, role)) => Self::RequiredPosts { kind: kind.to_owned(), role: Some(role.to_owned()) },
                None => Self::RequiredPosts { kind: of, role: None },
            },
            "stages" => Self::Stages { template: of, with: raw.with.take(), without: raw.without.take() },
            "named-unit" => Self::NamedUnit { name: of, filter: raw.filter.take().unwrap_or_default() },
            "resources" => Self::Resources { resource: of, filter: raw.filter.take().unwrap_or_default() },
            other => bail!("there is no check {other:?}"),
        })
    }

    /// Whether nothing may be what is expected: such checks make sure by themselves that there is something to look at.
    fn may_be_none(&self) -> bool {
        matches!(self, Self::Gaps(_) | Self::HouseholdsPer { .. })
    }
}

impl TryFrom<Raw> for Fact {
    type Error = anyhow::Error;

    fn try_from(mut raw: Raw) -> Result<Self> {
        let told = format!("{} {:?}", raw.mechanism, raw.figure);
        let kind = match (raw.check.take(), raw.later.take()) {
            (Some(text), None) => {
                let check = Check::take(&text, &mut raw).with_context(|| told.clone())?;
                let bounds =
                    Bounds { equals: raw.equals.take(), at_least: raw.at_least.take(), at_most: raw.at_most.take() };
                bounds.check(check.may_be_none()).with_context(|| told.clone())?;
                Kind::Counted { text, check, bounds }
            }
            (None, Some(owner)) => {
                ensure!(OWNERS.contains(&owner.as_str()), "{told}: later is one of {}", OWNERS.join(", "));
                Kind::Later(owner)
            }
            _ => bail!("{told}: give either `check` or `later`"),
        };
        let left = raw.left();
        ensure!(left.is_empty(), "{told}: not used here: {}", left.join(", "));
        Ok(Self { mechanism: raw.mechanism, figure: raw.figure, kind })
    }
}

impl Raw {
    /// Names of operands that nobody has taken.
    fn left(&self) -> Vec<&'static str> {
        let all = [
            ("where", self.filter.is_some()),
            ("with", self.with.is_some()),
            ("without", self.without.is_some()),
            ("equals", self.equals.is_some()),
            ("at_least", self.at_least.is_some()),
            ("at_most", self.at_most.is_some()),
            ("min", self.min.is_some()),
            ("max", self.max.is_some()),
            ("under", self.under.is_some()),
            ("of", self.of.is_some()),
        ];
        all.into_iter().filter_map(|(name, there)| there.then_some(name)).collect()
    }
}

impl Bounds {
    /// A line that holds for whatever is counted says nothing.
    fn check(self, may_be_none: bool) -> Result<()> {
        ensure!(self != Self { equals: None, at_least: None, at_most: None }, "give equals, at_least or at_most");
        ensure!(self.at_least.is_none_or(|n| n > 0), "at_least 0 holds always");
        let needs_some = self.equals.is_some_and(|n| n > 0) || self.at_least.is_some();
        ensure!(may_be_none || needs_some, "nothing would be enough: expect at least one");
        Ok(())
    }

    /// What was wanted and is not so.
    fn broken(self, actual: i64) -> Vec<String> {
        let wanted = [
            self.equals.map(|n| (actual == n, format!("exactly {n}"))),
            self.at_least.map(|n| (actual >= n, format!("at least {n}"))),
            self.at_most.map(|n| (actual <= n, format!("at most {n}"))),
        ];
        wanted.into_iter().flatten().filter(|(holds, _)| !holds).map(|(_, wanted)| wanted).collect()
    }
}

impl Fact {
    /// Who will count it; `None` when it is counted now.
    pub fn later(&self) -> Option<&str> {
        match &self.kind {
            Kind::Counted { .. } => None,
            Kind::Later(owner) => Some(owner),
        }
    }
}

/// Reads a file of stated figures.
///
/// # Errors
/// The first line that says nothing, or something that nobody understands; a file without lines.
pub fn read(file: &Path) -> Result<Vec<Fact>> {
    let told = || file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(told)?;
    let lines: Vec<Raw> = serde_norway::from_str(&text).with_context(told)?;
    ensure!(!lines.is_empty(), "{}: no figure is stated", told());
    lines.into_iter().map(|raw| Fact::try_from(raw).with_context(told)).collect()
}

/// What came of comparing a community with its figures.
#[derive(Debug, Default)]
pub struct Compared {
    /// Figures that were counted.
    pub counted: usize,
    /// Figures that nobody counts yet, each with its mechanism and who will.
    pub later: Vec<Fact>,
    /// What is not as stated.
    pub wrong: Vec<String>,
}

/// Compares a community (its id) with every line of its file.
///
/// # Errors
/// A line about something that does not exist in the community; what a service answered.
pub async fn compare(connection: &Connection, area: &str, file: &Path, counted: &Counted) -> Result<Compared> {
    let mut compared = Compared::default();
    for fact in read(file)? {
        let Kind::Counted { text, check, bounds } = &fact.kind else {
            compared.later.push(fact);
            continue;
        };
        let told = || format!("{}: {text} ({})", file.display(), fact.mechanism);
        let actual = count::actual(connection, area, check, counted).await.with_context(told)?;
        compared.counted += 1;
        for wanted in bounds.broken(actual) {
            let Fact { mechanism, figure, .. } = &fact;
            compared.wrong.push(format!("{area} {mechanism} {figure}: {text} is {actual}, {wanted} wanted"));
        }
    }
    Ok(compared)
}

#[cfg(test)]
mod tests;
