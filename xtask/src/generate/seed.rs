//! What a community's `seed.yaml` asks for. Field by field it is explained in `profiles/README.md`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

/// Whose ages are counted from here: the demo plays in this year.
pub(super) const THIS_YEAR: i32 = 2026;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seed {
    pub(super) seed: u64,
    pub(super) households: Households,
    pub(super) people: People,
    #[serde(default)]
    pub(super) special: Vec<Special>,
    #[serde(default)]
    pub(super) tags: Vec<Tag>,
    #[serde(default)]
    pub(super) appointments: Vec<Posts>,
}

/// Where households live, and how many.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Households {
    pub(super) unit_kind: String,
    /// In all; spread evenly over the units. Exactly one of this and `per_unit`.
    pub(super) total: Option<usize>,
    /// Least and greatest number of a unit.
    pub(super) per_unit: Option<(i32, i32)>,
    /// Units that have a number of their own.
    #[serde(default)]
    pub(super) exact: BTreeMap<String, usize>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct People {
    /// In all; absent: whatever the sizes give.
    pub(super) total: Option<usize>,
    /// How often households of one, two, three... people occur.
    pub(super) sizes: Vec<u32>,
    /// Ages of the heads of households.
    pub(super) heads: Vec<Band>,
}

/// Ages `from` to `to`, and how often they occur.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Band {
    pub(super) from: i32,
    pub(super) to: i32,
    pub(super) weight: u32,
}

/// So many households of one person each, born in those years, spread over the units.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Special {
    pub(super) count: usize,
    pub(super) born: (i32, i32),
    pub(super) tags: Vec<String>,
}

/// Who gets a tag: so many people or so many of a thousand of those who qualify.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tag {
    pub(super) tag: String,
    pub(super) count: Option<usize>,
    pub(super) permille: Option<usize>,
    #[serde(default = "any_age")]
    pub(super) ages: (i32, i32),
    /// Only people of households of this size.
    pub(super) household_size: Option<usize>,
}

/// Holders of one post.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Posts {
    pub(super) role: String,
    /// Kind of the units that are filled; absent with `units`: the whole area.
    pub(super) unit_kind: Option<String>,
    /// Ids of the units that are filled.
    #[serde(default)]
    pub(super) units: Vec<String>,
    /// Units that stay vacant, so that the gap shows.
    #[serde(default)]
    pub(super) vacant: Vec<String>,
    /// In all, spread evenly over the units. Exactly one of this, `per_unit` and `same_as`.
    pub(super) count: Option<usize>,
    pub(super) per_unit: Option<usize>,
    /// The holders of this role, in the same places, hold this post too (交叉任职).
    pub(super) same_as: Option<String>,
    /// So many of the holders are of the `young` ages.
    #[serde(default)]
    pub(super) young: Option<Young>,
    #[serde(default = "working_age")]
    pub(super) ages: (i32, i32),
    /// Only people who have this tag.
    pub(super) tag: Option<String>,
    /// Only people who do not have this tag.
    pub(super) without: Option<String>,
    /// Tags that every holder gets.
    #[serde(default)]
    pub(super) add_tags: Vec<String>,
    /// Tags of which the holders get one each, in turn.
    #[serde(default)]
    pub(super) cycle_tags: Vec<String>,
    pub(super) basis: Basis,
    #[serde(default = "start")]
    pub(super) start: String,
    #[serde(default)]
    pub(super) end: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Young {
    pub(super) count: usize,
    pub(super) ages: (i32, i32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Basis {
    Elected,
    Designated,
    Recruited,
}

impl Basis {
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Elected => "elected",
            Self::Designated => "designated",
            Self::Recruited => "recruited",
        }
    }
}

impl Seed {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("in {}", path.display()))
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        let seed: Self = serde_norway::from_str(text)?;
        let households = &seed.households;
        ensure!(households.total.is_some() != households.per_unit.is_some(), "households: one of total and per_unit");
        ensure!(seed.people.sizes.iter().any(|&weight| weight > 0), "people.sizes: at least one weight");
        ensure!(seed.people.heads.iter().any(|band| band.weight > 0), "people.heads: at least one weight");
        for tag in &seed.tags {
            ensure!(tag.count.is_some() != tag.permille.is_some(), "tag {}: one of count and permille", tag.tag);
        }
        for post in &seed.appointments {
            let ways = [post.count.is_some(), post.per_unit.is_some(), post.same_as.is_some()];
            let ways = ways.into_iter().filter(|&way| way).count();
            ensure!(ways == 1, "post {}: one of count, per_unit and same_as", post.role);
        }
        Ok(seed)
    }
}

fn any_age() -> (i32, i32) {
    (0, 120)
}

fn working_age() -> (i32, i32) {
    (25, 70)
}

fn start() -> String {
    "2026-01-01T00:00:00+08:00".to_owned()
}
