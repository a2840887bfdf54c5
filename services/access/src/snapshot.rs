//! What decisions rest on, held in memory: the area tree, the paths of units, who holds which role where and until when.

use std::collections::HashMap;

use linli_kernel::Timestamp;

/// One area.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AreaRow {
    /// Slug.
    pub area: String,
    /// Slug of the area above; empty at the top.
    pub parent: String,
    /// IANA time zone.
    pub time_zone: String,
}

/// One unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitRow {
    /// Slug of the area.
    pub area: String,
    /// Id of the unit.
    pub unit: String,
    /// Ids from the root to the unit, each followed by a slash.
    pub path: String,
}

/// One appointment that carries an access role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRow {
    /// Id of the appointment.
    pub appointment: String,
    /// Subject.
    pub subject: String,
    /// Slug of the area.
    pub area: String,
    /// Id of the unit; empty: the whole area and the areas below.
    pub unit: String,
    /// Role code of the post.
    pub role: String,
    /// Access role that it carries.
    pub access_role: String,
    /// Begin of the term.
    pub start: Timestamp,
    /// End of the term, exclusive; `None`: open.
    pub end: Option<Timestamp>,
}

impl GrantRow {
    /// Whether the term runs at `now`.
    pub fn active(&self, now: Timestamp) -> bool {
        self.start <= now && self.end.is_none_or(|end| now < end)
    }
}

/// All of it at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    areas: HashMap<String, AreaRow>,
    units: HashMap<(String, String), String>,
    grants: HashMap<String, Vec<GrantRow>>,
}

impl Snapshot {
    /// Builds a snapshot from rows.
    pub fn new(areas: Vec<AreaRow>, units: Vec<UnitRow>, grants: Vec<GrantRow>) -> Self {
        let mut by_subject: HashMap<String, Vec<GrantRow>> = HashMap::new();
        for grant in grants {
            by_subject.entry(grant.subject.clone()).or_default().push(grant);
        }
        Self {
            areas: areas.into_iter().map(|a| (a.area.clone(), a)).collect(),
            units: units.into_iter().map(|u| ((u.area, u.unit), u.path)).collect(),
            grants: by_subject,
        }
    }

    /// The area's row.
    pub fn area(&self, area: &str) -> Option<&AreaRow> {
        self.areas.get(area)
    }

    /// Slugs of all areas, in no order.
    pub fn areas(&self) -> impl Iterator<Item = &str> {
        self.areas.keys().map(String::as_str)
    }

    /// The area and those above it, nearest first.
    pub fn ancestors(&self, area: &str) -> Vec<String> {
        let mut chain = vec![area.to_owned()];
        let mut at = area;
        // The tree is acyclic by org's check; the bound keeps a broken copy from hanging us.
        while let Some(row) = self.areas.get(at).filter(|row| !row.parent.is_empty() && chain.len() < 16) {
            chain.push(row.parent.clone());
            at = &row.parent;
        }
        chain
    }

    /// Whether `area` is `top` or lies below it.
    pub fn below(&self, area: &str, top: &str) -> bool {
        let mut at = area;
        for _ in 0..16 {
            if at == top {
                return true;
            }
            match self.areas.get(at) {
                Some(row) if !row.parent.is_empty() => at = &row.parent,
                _ => return false,
            }
        }
        false
    }

    /// The path of a unit.
    pub fn path(&self, area: &str, unit: &str) -> Option<&str> {
        self.units.get(&(area.to_owned(), unit.to_owned())).map(String::as_str)
    }

    /// Ids of the units at or below a unit.
    pub fn units_below(&self, area: &str, unit: &str) -> Vec<String> {
        let Some(top) = self.path(area, unit) else { return Vec::new() };
        let below = self.units.iter().filter(|((a, _), path)| a == area && path.starts_with(top));
        below.map(|((_, unit), _)| unit.clone()).collect()
    }

    /// The appointments of a subject.
    pub fn grants(&self, subject: &str) -> &[GrantRow] {
        self.grants.get(subject).map_or(&[], Vec::as_slice)
    }
}
