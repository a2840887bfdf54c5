//! Who holds which post. Never: which posts there are; that is the structure template's.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};

use super::people::{Person, Town};
use super::random::Random;
use super::seed::{Basis, Posts, Seed};
use super::units::Units;

#[derive(Debug)]
pub(super) struct Appointment {
    pub(super) person: String,
    /// Id of the unit; empty: the whole area.
    pub(super) unit: String,
    pub(super) role: String,
    pub(super) basis: Basis,
    pub(super) start: String,
    pub(super) end: String,
}

/// A person's place in the town: household and number.
type Place = (usize, usize);

/// Fills the posts in the order of the seed. Nobody holds two, but by `same_as`.
pub(super) fn fill(seed: &Seed, units: &Units, town: &mut Town, random: &mut Random) -> Result<Vec<Appointment>> {
    let mut filler = Filler { units, town, random, busy: BTreeSet::new(), held: BTreeMap::new(), made: Vec::new() };
    for want in &seed.appointments {
        filler.post(want).with_context(|| format!("post {}", want.role))?;
    }
    Ok(filler.made)
}

struct Filler<'a> {
    units: &'a Units,
    town: &'a mut Town,
    random: &'a mut Random,
    busy: BTreeSet<Place>,
    held: BTreeMap<String, Vec<(Place, String)>>,
    made: Vec<Appointment>,
}

impl Filler<'_> {
    fn post(&mut self, want: &Posts) -> Result<()> {
        if let Some(other) = &want.same_as {
            let holders = self.held.get(other).cloned().with_context(|| format!("nobody holds {other} yet"))?;
            for (n, (place, unit)) in holders.into_iter().enumerate() {
                self.appoint(want, place, unit, n);
            }
            return Ok(());
        }
        let seats = self.seats(want)?;
        let young = want.young.as_ref().map_or(0, |young| young.count);
        for (n, unit) in seats.into_iter().enumerate() {
            let ages = want.young.as_ref().filter(|_| n < young).map_or(want.ages, |young| young.ages);
            let place = self.find(want, &unit, ages)?;
            self.busy.insert(place);
            self.appoint(want, place, unit, n);
        }
        Ok(())
    }

    /// One unit id per holder.
    fn seats(&self, want: &Posts) -> Result<Vec<String>> {
        for id in want.units.iter().chain(&want.vacant) {
            ensure!(self.units.exists(id), "no unit is called {id}");
        }
        let mut ids: Vec<&str> = match &want.unit_kind {
            Some(kind) => self.units.of_kind(kind)?,
            None if want.units.is_empty() => vec![""],
            None => want.units.iter().map(String::as_str).collect(),
        };
        ids.retain(|id| !want.vacant.iter().any(|vacant| vacant == id));
        let count = want.count.unwrap_or(want.per_unit.unwrap_or(0) * ids.len());
        let mut seats: Vec<String> = ids.into_iter().cycle().take(count).map(str::to_owned).collect();
        seats.sort();
        Ok(seats)
    }

    /// Somebody free who qualifies: of the unit if possible, else of the community.
    fn find(&mut self, want: &Posts, unit: &str, ages: (i32, i32)) -> Result<Place> {
        let (mut near, mut far) = (Vec::new(), Vec::new());
        for (h, household) in self.town.households.iter().enumerate() {
            let here = unit.is_empty() || self.units.is_within(&household.unit, unit);
            for (p, person) in household.people.iter().enumerate() {
                if !self.busy.contains(&(h, p)) && qualifies(person, want, ages) {
                    if here { near.push((h, p)) } else { far.push((h, p)) }
                }
            }
        }
        let fit = if near.is_empty() { far } else { near };
        ensure!(!fit.is_empty(), "nobody qualifies");
        Ok(fit[self.random.below(fit.len())])
    }

    fn appoint(&mut self, want: &Posts, place: Place, unit: String, n: usize) {
        let person = &mut self.town.households[place.0].people[place.1];
        person.tags.extend(want.add_tags.iter().cloned());
        if !want.cycle_tags.is_empty() {
            person.tags.insert(want.cycle_tags[n % want.cycle_tags.len()].clone());
        }
        self.held.entry(want.role.clone()).or_default().push((place, unit.clone()));
        self.made.push(Appointment {
            person: person.key.clone(),
            unit,
            role: want.role.clone(),
            basis: want.basis,
            start: want.start.clone(),
            end: want.end.clone(),
        });
    }
}

fn qualifies(person: &Person, want: &Posts, ages: (i32, i32)) -> bool {
    person.is_aged(ages)
        && want.tag.as_ref().is_none_or(|tag| person.tags.contains(tag))
        && want.without.as_ref().is_none_or(|tag| !person.tags.contains(tag))
}
