//! Gaps: what the template requires and nobody fills.

use super::template::{Kind, Template};

/// One unit with what is counted at and below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitCounts {
    /// Id.
    pub unit: String,
    /// Kind code.
    pub kind: String,
    /// Households at or below.
    pub households: u32,
    /// Running appointments at the unit itself: role and number of holders.
    pub holders: Vec<(String, u32)>,
}

/// Something that a unit lacks or has too much of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Id of the unit.
    pub unit: String,
    /// What.
    pub kind: GapKind,
    /// At least so many are wanted.
    pub wanted_min: u32,
    /// At most so many are allowed.
    pub wanted_max: Option<u32>,
    /// So many are there.
    pub actual: u32,
}

/// What a unit lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GapKind {
    /// Too few holders of a post.
    PostVacant(String),
    /// Too many holders of a post.
    PostOverfilled(String),
    /// Too few households.
    TooFewHouseholds,
    /// Too many households.
    TooManyHouseholds,
}

/// The gaps of these units, in their order.
pub fn find(template: &Template, units: &[UnitCounts]) -> Vec<Gap> {
    units.iter().filter_map(|u| template.kind(&u.kind).map(|k| (u, k))).flat_map(|(u, k)| of_unit(u, k)).collect()
}

fn of_unit(unit: &UnitCounts, kind: &Kind) -> Vec<Gap> {
    let gap =
        |what, min, max, actual| Gap { unit: unit.unit.clone(), kind: what, wanted_min: min, wanted_max: max, actual };
    let mut gaps = Vec::new();
    for requirement in &kind.required {
        let actual = unit.holders.iter().find(|(role, _)| *role == requirement.role).map_or(0, |(_, n)| *n);
        if actual < requirement.min {
            let what = GapKind::PostVacant(requirement.role.clone());
            gaps.push(gap(what, requirement.min, requirement.max, actual));
        } else if requirement.max.is_some_and(|max| actual > max) {
            let what = GapKind::PostOverfilled(requirement.role.clone());
            gaps.push(gap(what, requirement.min, requirement.max, actual));
        }
    }
    let (min, max) = (kind.min_households.unwrap_or(0), kind.max_households);
    if unit.households < min {
        gaps.push(gap(GapKind::TooFewHouseholds, min, max, unit.households));
    } else if max.is_some_and(|max| unit.households > max) {
        gaps.push(gap(GapKind::TooManyHouseholds, min, max, unit.households));
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::template::{Post, Requirement, Tree};

    fn template() -> Template {
        let post = |role: &str| Post { role: role.into(), conflicts: vec![], access_role: String::new() };
        let one = |role: &str| Requirement { role: role.into(), min: 1, max: Some(1) };
        let micro = Kind {
            code: "micro-grid".into(),
            tree: Tree::Residents,
            parents: vec![],
            min_households: Some(50),
            max_households: Some(80),
            required: vec![one("head"), one("housekeeper")],
        };
        Template::new(vec![micro], vec![post("head"), post("housekeeper")]).expect("valid")
    }

    fn unit(households: u32, holders: &[(&str, u32)]) -> UnitCounts {
        UnitCounts {
            unit: "m1".into(),
            kind: "micro-grid".into(),
            households,
            holders: holders.iter().map(|(r, n)| ((*r).to_owned(), *n)).collect(),
        }
    }

    #[test]
    fn a_micro_grid_with_head_housekeeper_and_50_to_80_households_has_no_gap() {
        for households in [50, 80] {
            assert!(find(&template(), &[unit(households, &[("head", 1), ("housekeeper", 1)])]).is_empty());
        }
    }

    #[test]
    fn a_vacant_post_and_a_wrong_size_are_two_gaps() {
        let gaps = find(&template(), &[unit(81, &[("head", 1)])]);
        let kinds: Vec<_> = gaps.into_iter().map(|g| g.kind).collect();
        assert_eq!(kinds, [GapKind::PostVacant("housekeeper".into()), GapKind::TooManyHouseholds]);
    }

    #[test]
    fn two_heads_are_one_too_many() {
        let gaps = find(&template(), &[unit(60, &[("head", 2), ("housekeeper", 1)])]);
        assert_eq!(gaps[0].kind, GapKind::PostOverfilled("head".into()));
    }
}
