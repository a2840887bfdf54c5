//! Acts 1 and 2: the areas and seven communities, and their rules.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use linli_proto::org::KindCount;

use super::expected::{self, Compared, Counted};
use super::stage::{Stage, say};
use crate::client::Connection;
use crate::commands::{apply, import, output, plugin};

/// The seven communities, each with the number of rules that it puts in force.
pub(super) const COMMUNITIES: [(&str, usize); 7] =
    [("xinhua", 3), ("jinbujie", 3), ("xinhe", 5), ("guanba", 4), ("bayi", 4), ("nanhua", 1), ("fuqiang", 2)];

/// Plugins of the demo, with the bindings files that use them.
const PLUGINS: [&str; 7] = ["haircut", "meals", "repairs", "thanks", "tracks", "peer-score", "hardship-first"];

/// Plays act 1.
pub(super) async fn apply(stage: &mut Stage<'_>, connection: &Connection) -> Result<()> {
    stage.heading(1, "Areas and seven communities");
    let areas = apply::apply_paths(connection, &[stage.profiles.join("areas")], &apply::Options::default()).await?;
    stage.line(format!("areas: {areas}"));
    let (mut counted, mut later) = (0, 0);
    for (area, _) in COMMUNITIES {
        let dir = stage.profiles.join(area);
        let applied = apply::apply_paths(connection, std::slice::from_ref(&dir), &apply::Options::default()).await?;
        stage.line(format!("{area}: {applied}"));
        for file in ["households.csv", "appointments.csv"] {
            let path = dir.join("generated").join(file);
            let imported = import::import_file(connection, &format!("areas/{area}"), &path).await;
            let imported = imported.with_context(|| {
                format!("{}: generated people are missing? run `cargo xtask generate`", path.display())
            })?;
            stage.line(format!("{area}: {imported}"));
        }
        let read = Counted::read(connection, area).await?;
        say(&table(&read));
        let compared = expected::compare(connection, area, &dir.join("expected.yaml"), &read).await?;
        counted += compared.counted;
        later += compared.later.len();
        not_yet(stage, &compared);
        compared.wrong.into_iter().for_each(|wrong| stage.expect(false, wrong));
    }
    stage.line(format!("{counted} stated figures of seven communities were counted and are as stated;"));
    stage.line(format!("{later} more were read, which no service counts yet"));
    Ok(())
}

/// Names what a community states and nobody counts yet.
fn not_yet(stage: &Stage<'_>, compared: &Compared) {
    if compared.later.is_empty() {
        return;
    }
    stage.line("stated, not yet countable:");
    for fact in &compared.later {
        stage.line(format!("  {} {} ({})", fact.mechanism, fact.figure, fact.later().unwrap_or_default()));
    }
}

fn table(counted: &Counted) -> String {
    let codes =
        |counts: &[KindCount]| counts.iter().map(|c| format!("{} {}", c.code, c.count)).collect::<Vec<_>>().join(", ");
    let mut gaps: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for gap in &counted.gaps {
        *gaps.entry(if gap.role.is_empty() { "households" } else { &gap.role }).or_default() += 1;
    }
    let gaps: Vec<String> = gaps.into_iter().map(|(what, n)| format!("{what} {n}")).collect();
    let mut table = output::table(&["", "counted"]);
    table.set_width(110);
    table.add_row(["units", &codes(&counted.summary.units)]);
    table.add_row(["households", &counted.summary.households.to_string()]);
    table.add_row(["people", &counted.summary.people.to_string()]);
    table.add_row(["appointments", &codes(&counted.summary.appointments)]);
    table.add_row(["gaps", &if gaps.is_empty() { "none".to_owned() } else { gaps.join(", ") }]);
    table.to_string()
}

/// Plays act 2.
pub(super) async fn rules(stage: &mut Stage<'_>, connection: &Connection) -> Result<()> {
    stage.heading(2, "Rule plugins: upload, validate, activate");
    for (area, wanted) in COMMUNITIES {
        let file = stage.profiles.join(area).join("rules").join("bindings.yaml");
        if wanted == 0 {
            ensure!(!file.exists(), "{}: no rules were expected of {area}", file.display());
            continue;
        }
        let mut bound = 0;
        for name in PLUGINS {
            let uses = plugin::bindings_of(&file, name)?;
            if uses.is_empty() {
                continue;
            }
            let component = component(&stage.components, name)?;
            let version = plugin::upload(connection, &format!("areas/{area}/plugins/{name}"), &component).await?;
            for binding in uses {
                plugin::activate(connection, binding, &version.name).await?;
                bound += 1;
            }
        }
        stage.line(format!("{area}: {bound} rules are in force"));
        stage.expect(bound == wanted, format!("{area} puts {wanted} rules in force, not {bound}"));
    }
    Ok(())
}

fn component(dir: &Path, name: &str) -> Result<Vec<u8>> {
    // What needs no compiler is a table.
    let table = dir.join(format!("{name}.yaml"));
    let path = if table.exists() { table } else { dir.join(format!("{name}.wasm")) };
    std::fs::read(&path)
        .with_context(|| format!("{}: the component is missing; run `cargo xtask plugins`", path.display()))
}
