//! Households and the people in them. Never: posts.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use super::names::{self, Sex};
use super::random::Random;
use super::seed::{Households, People, Seed, Special, THIS_YEAR, Tag};
use super::units::Units;

const OLDEST: i32 = 99;
/// The contract takes at most 20 people with a household; nobody's profile comes near.
const LARGEST: usize = 8;

#[derive(Debug)]
pub(super) struct Person {
    pub(super) key: String,
    pub(super) full_name: String,
    pub(super) birth_year: i32,
    pub(super) tags: BTreeSet<String>,
}

impl Person {
    pub(super) fn age(&self) -> i32 {
        THIS_YEAR - self.birth_year
    }

    pub(super) fn is_aged(&self, (least, greatest): (i32, i32)) -> bool {
        (least..=greatest).contains(&self.age())
    }
}

#[derive(Debug)]
pub(super) struct Household {
    pub(super) key: String,
    /// Id of the unit.
    pub(super) unit: String,
    pub(super) people: Vec<Person>,
}

/// Everybody who lives in a community.
#[derive(Debug, Default)]
pub(super) struct Town {
    pub(super) households: Vec<Household>,
    people: usize,
}

impl Town {
    pub(super) fn settle(seed: &Seed, units: &Units, random: &mut Random) -> Result<Self> {
        let homes = homes(&seed.households, units, random)?;
        let mut specials = specials(&seed.special);
        ensure!(specials.len() <= homes.len(), "more special households than households");
        let sizes = sizes(&seed.people, homes.len(), specials.len(), random)?;

        let mut town = Self::default();
        // Special households stand evenly among the others, so that every unit has some.
        let every = if specials.is_empty() { usize::MAX } else { homes.len() / specials.len() };
        let mut sizes = sizes.into_iter();
        let total = homes.len();
        for (i, unit) in homes.into_iter().enumerate() {
            let due = specials.len() == total - i || (i % every == every - 1 && !specials.is_empty());
            if let Some(special) = due.then(|| specials.pop()).flatten() {
                let sex = Sex::draw(random);
                let age = THIS_YEAR - random.between(special.born.0, special.born.1);
                town.move_in(unit, &[(age, sex, Name::Own)], &special.tags, random);
            } else {
                let size = sizes.next().unwrap_or(1);
                let family = family(&seed.people, size, random);
                town.move_in(unit, &family, &[], random);
            }
        }
        for tag in &seed.tags {
            town.tag(tag, random)?;
        }
        Ok(town)
    }

    fn move_in(&mut self, unit: String, family: &[(i32, Sex, Name)], tags: &[String], random: &mut Random) {
        let surname = names::surname(random);
        let key = format!("h{:05}", self.households.len() + 1);
        let mut people = Vec::with_capacity(family.len());
        for &(age, sex, name) in family {
            self.people += 1;
            let birth_year = THIS_YEAR - age;
            let surname = if name == Name::Family { surname } else { names::surname(random) };
            people.push(Person {
                key: format!("p{:05}", self.people),
                full_name: format!("{surname}{}", names::given(random, sex, birth_year)),
                birth_year,
                tags: tags.iter().cloned().collect(),
            });
        }
        self.households.push(Household { key, unit, people });
    }

    fn tag(&mut self, tag: &Tag, random: &mut Random) -> Result<()> {
        let mut fit = Vec::new();
        for (h, household) in self.households.iter().enumerate() {
            if tag.household_size.is_some_and(|size| size != household.people.len()) {
                continue;
            }
            fit.extend((0..household.people.len()).filter(|&p| household.people[p].is_aged(tag.ages)).map(|p| (h, p)));
        }
        random.shuffle(&mut fit);
        let wanted = tag.count.unwrap_or(fit.len() * tag.permille.unwrap_or(0) / 1_000);
        ensure!(fit.len() >= wanted, "tag {}: {} people qualify, {wanted} are wanted", tag.tag, fit.len());
        for &(h, p) in &fit[..wanted] {
            self.households[h].people[p].tags.insert(tag.tag.clone());
        }
        Ok(())
    }
}

/// Whose surname somebody bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Family,
    Own,
}

/// One unit id per household, unit by unit.
fn homes(want: &Households, units: &Units, random: &mut Random) -> Result<Vec<String>> {
    let ids = units.of_kind(&want.unit_kind)?;
    for id in want.exact.keys() {
        ensure!(ids.contains(&id.as_str()), "households.exact: no {} is called {id}", want.unit_kind);
    }
    let free = ids.iter().filter(|id| !want.exact.contains_key(**id)).count();
    let taken: usize = want.exact.values().sum();
    let mut shares = even(want.total.unwrap_or(taken).saturating_sub(taken), free, random).into_iter();
    let mut homes = Vec::new();
    for id in ids {
        let count = match (want.exact.get(id), want.per_unit) {
            (Some(&count), _) => count,
            (None, Some((least, greatest))) => usize::try_from(random.between(least, greatest))?,
            (None, None) => shares.next().unwrap_or(0),
        };
        homes.extend(std::iter::repeat_n(id.to_owned(), count));
    }
    Ok(homes)
}

/// Cuts a total into parts that differ by up to a tenth.
fn even(total: usize, parts: usize, random: &mut Random) -> Vec<usize> {
    let mut shares: Vec<usize> = (0..parts).map(|i| total / parts + usize::from(i < total % parts)).collect();
    let swing = total / parts.max(1) / 20;
    for i in (1..parts).step_by(2) {
        let moved = random.below(swing + 1);
        shares[i] -= moved;
        shares[i - 1] += moved;
    }
    shares
}

fn specials(wanted: &[Special]) -> Vec<&Special> {
    wanted.iter().flat_map(|special| std::iter::repeat_n(special, special.count)).collect()
}

/// Sizes of the ordinary households; `alone` more have one person each.
fn sizes(want: &People, homes: usize, alone: usize, random: &mut Random) -> Result<Vec<usize>> {
    let mut sizes: Vec<usize> = (0..homes - alone).map(|_| random.weighted(&want.sizes) + 1).collect();
    let Some(total) = want.total else { return Ok(sizes) };
    ensure!((homes..=homes * LARGEST).contains(&total) && !sizes.is_empty(), "people.total: {total} do not fit");
    let mut now = sizes.iter().sum::<usize>() + alone;
    while now != total {
        let at = random.below(sizes.len());
        if now < total && sizes[at] < LARGEST {
            sizes[at] += 1;
            now += 1;
        } else if now > total && sizes[at] > 1 {
            sizes[at] -= 1;
            now -= 1;
        }
    }
    Ok(sizes)
}

/// Ages, sexes and names of a household: one person; a couple; then a child, the grandparents, a second child...
fn family(want: &People, size: usize, random: &mut Random) -> Vec<(i32, Sex, Name)> {
    let weights: Vec<u32> = want.heads.iter().map(|band| band.weight).collect();
    let band = &want.heads[random.weighted(&weights)];
    let age = random.between(band.from, band.to);
    let sex = Sex::draw(random);
    let mut family = vec![(age, sex, Name::Family)];
    if size > 1 {
        let parent_and_child = size == 2 && age >= 24 && random.chance(200);
        if parent_and_child {
            family.push(child(age, random));
        } else {
            family.push(((age + random.between(-4, 4)).clamp(22, OLDEST), sex.other(), Name::Own));
        }
    }
    while family.len() < size {
        // The old live with grown children, the young with small ones or with their parents.
        let elder = age < 60 && family.len() >= 3 && random.chance(600);
        let next = if elder {
            let (sex, older) = (Sex::draw(random), random.between(23, 32));
            ((age + older).min(OLDEST), sex, Name::Own)
        } else {
            child(age, random)
        };
        family.push(next);
    }
    family
}

fn child(parent_age: i32, random: &mut Random) -> (i32, Sex, Name) {
    ((parent_age - random.between(23, 35)).max(0), Sex::draw(random), Name::Family)
}
