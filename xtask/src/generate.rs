//! Invents the people of the profiles: `profiles/<id>/seed.yaml` -> `profiles/<id>/generated/*.csv`.
//! Owns the made-up part only: what a community states stands in its YAML, and `expected.yaml` is never read here.
//! The same seed gives the same files, byte for byte, on every machine.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

mod names;
mod people;
mod posts;
mod random;
mod seed;
mod units;

use people::{Household, Town};
use posts::Appointment;
use random::Random;
use seed::Seed;
use units::Units;

/// Writes the CSV files of every profile that has a seed, each beside it.
///
/// # Errors
/// When a profile cannot be read, asks for the impossible, or the files cannot be written.
pub(crate) fn run(root: &Path) -> Result<()> {
    let profiles = root.join("profiles");
    run_into(&profiles, &profiles)
}

/// Reads the seeds below `profiles` and writes `<out>/<id>/generated/`.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_into(profiles: &Path, out: &Path) -> Result<()> {
    for dir in seeded(profiles)? {
        let id = dir.file_name().context("a profile has a name")?;
        let made = community(&dir).with_context(|| format!("profile {}", id.display()))?;
        let out = out.join(id).join("generated");
        std::fs::create_dir_all(&out)?;
        std::fs::write(out.join("households.csv"), households_csv(&made)?)?;
        std::fs::write(out.join("appointments.csv"), appointments_csv(&made)?)?;
        let (households, people, posts) = (made.households.len(), made.people(), made.appointments.len());
        eprintln!("{}: {households} households, {people} people, {posts} appointments", id.display());
    }
    Ok(())
}

/// One community's people and posts.
struct Made {
    households: Vec<Household>,
    appointments: Vec<Appointment>,
}

impl Made {
    fn people(&self) -> usize {
        self.households.iter().map(|household| household.people.len()).sum()
    }
}

fn community(dir: &Path) -> Result<Made> {
    let seed = Seed::read(&dir.join("seed.yaml"))?;
    let units = Units::read(&dir.join("units.yaml"))?;
    let mut random = Random::new(seed.seed);
    let mut town = Town::settle(&seed, &units, &mut random)?;
    let appointments = posts::fill(&seed, &units, &mut town, &mut random)?;
    Ok(Made { households: town.households, appointments })
}

/// Directories that hold a `seed.yaml`, in the order of their names.
fn seeded(profiles: &Path) -> Result<Vec<PathBuf>> {
    let mut dirs = Vec::new();
    for entry in std::fs::read_dir(profiles).with_context(|| format!("reading {}", profiles.display()))? {
        let dir = entry?.path();
        if dir.join("seed.yaml").is_file() {
            dirs.push(dir);
        }
    }
    dirs.sort();
    Ok(dirs)
}

fn households_csv(made: &Made) -> Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["household_key", "unit", "person_key", "full_name", "birth_year", "tags"])?;
    for household in &made.households {
        for person in &household.people {
            let tags = person.tags.iter().map(String::as_str).collect::<Vec<_>>().join(";");
            let year = person.birth_year.to_string();
            csv.write_record([&household.key, &household.unit, &person.key, &person.full_name, &year, &tags])?;
        }
    }
    Ok(csv.into_inner()?)
}

fn appointments_csv(made: &Made) -> Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["person_key", "unit", "role", "basis", "start", "end"])?;
    for post in &made.appointments {
        csv.write_record([&post.person, &post.unit, &post.role, post.basis.code(), &post.start, &post.end])?;
    }
    Ok(csv.into_inner()?)
}

#[cfg(test)]
mod tests;
