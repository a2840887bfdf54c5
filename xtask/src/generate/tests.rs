//! The generator on a small made-up place, and on the seven profiles.

use std::collections::BTreeMap;

use serde::Deserialize as _;
use serde_norway::Value;

use super::*;

const UNITS: &str = "
--- # two micro-grids of one grid
type: linli/Unit
name: areas/a/units/grid-1
kind: grid
---
{type: linli/Unit, name: areas/a/units/mg-1, kind: micro-grid, parent: areas/a/units/grid-1}
---
{type: linli/Unit, name: areas/a/units/mg-2, kind: micro-grid, parent: areas/a/units/grid-1}
";

const SEED: &str = "
seed: 7
households: {unit_kind: micro-grid, per_unit: [50, 80], exact: {mg-2: 43}}
people: {total: 300, sizes: [3, 4, 3], heads: [{from: 30, to: 70, weight: 1}]}
special: [{count: 9, born: [1930, 1946], tags: [living-alone]}]
tags: [{tag: party-member, count: 20, ages: [18, 90]}]
appointments:
  - {role: secretary, count: 1, basis: elected, tag: party-member}
  - {role: director, same_as: secretary, basis: elected}
  - {role: head, unit_kind: micro-grid, per_unit: 1, vacant: [mg-2], basis: designated, add_tags: [head]}
  - {role: worker, unit_kind: micro-grid, count: 3, basis: recruited, young: {count: 2, ages: [20, 34]}}
";

fn make() -> Made {
    let (seed, units) = (Seed::parse(SEED).unwrap(), Units::parse(UNITS).unwrap());
    let mut random = Random::new(seed.seed);
    let mut town = Town::settle(&seed, &units, &mut random).unwrap();
    let appointments = posts::fill(&seed, &units, &mut town, &mut random).unwrap();
    Made { households: town.households, appointments }
}

fn holders<'a>(made: &'a Made, role: &str) -> Vec<&'a Appointment> {
    made.appointments.iter().filter(|post| post.role == role).collect()
}

/// How many of each key there are.
fn tally<'a>(keys: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for key in keys {
        *counts.entry(key).or_insert(0) += 1;
    }
    counts
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    assert_eq!(households_csv(&make()).unwrap(), households_csv(&make()).unwrap());
    assert_eq!(appointments_csv(&make()).unwrap(), appointments_csv(&make()).unwrap());
}

#[test]
fn counts_are_as_the_seed_says() {
    let made = make();
    let per_unit = tally(made.households.iter().map(|household| household.unit.as_str()));
    assert_eq!(per_unit["mg-2"], 43);
    assert!((50..=80).contains(&per_unit["mg-1"]));
    assert_eq!(made.people(), 300);
    let people = || made.households.iter().flat_map(|household| &household.people);
    assert_eq!(people().filter(|person| person.tags.contains("party-member")).count(), 20);
    let alone = made.households.iter().filter(|household| household.people[0].tags.contains("living-alone"));
    assert!(alone.clone().all(|household| household.people.len() == 1 && household.people[0].birth_year <= 1946));
    assert_eq!(alone.count(), 9);
}

#[test]
fn posts_are_filled_but_for_the_vacancies() {
    let made = make();
    assert_eq!(holders(&made, "secretary")[0].person, holders(&made, "director")[0].person);
    assert_eq!(holders(&made, "head").iter().map(|post| post.unit.as_str()).collect::<Vec<_>>(), ["mg-1"]);
    assert_eq!(holders(&made, "worker").len(), 3);
    let keys = tally(made.appointments.iter().filter(|post| post.role != "director").map(|post| post.person.as_str()));
    assert!(keys.values().all(|&posts| posts == 1), "{keys:?}");
}

#[test]
fn a_seed_that_asks_for_two_things_at_once_is_refused() {
    let both = SEED.replace("per_unit: [50, 80]", "per_unit: [50, 80], total: 9");
    assert!(Seed::parse(&both).unwrap_err().to_string().contains("total and per_unit"));
}

fn profiles() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiles")
}

#[test]
fn every_resource_of_a_profile_has_a_type_and_a_name_in_its_area() {
    for dir in seeded(&profiles()).unwrap() {
        let area = format!("areas/{}/", dir.file_name().unwrap().display());
        for topic in ["structure", "units", "links", "services", "points", "process", "rules", "rules/bindings"] {
            let Ok(text) = std::fs::read_to_string(dir.join(topic).with_extension("yaml")) else { continue };
            for document in serde_norway::Deserializer::from_str(&text) {
                let document = Value::deserialize(document).unwrap();
                let field = |key| document.get(key).and_then(Value::as_str).unwrap_or_default();
                assert!(field("type").starts_with("linli/"), "{area} {topic}: {document:?}");
                assert!(field("name").starts_with(&area), "{area} {topic}: {document:?}");
            }
        }
    }
}

#[test]
fn the_profiles_hold_fewer_than_40_000_people() {
    let profiles = profiles();
    let made: Vec<_> = seeded(&profiles).unwrap().iter().map(|dir| community(dir).unwrap()).collect();
    assert_eq!(made.len(), 7);
    assert!(made.iter().map(Made::people).sum::<usize>() < 40_000);
}
