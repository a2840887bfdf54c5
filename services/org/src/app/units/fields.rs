//! The fields of a unit: checks, masks, and the way between message and row.

use linli_kernel::Name;
use linli_kit::check::{self, Violations};
use linli_kit::{Error, FieldViolation, Result};
use linli_proto::org as pb;
use prost_types::FieldMask;

use super::MAX_LABELS;
use crate::app::mask::{Field, chosen};
use crate::store::entities::unit;

pub(super) fn check_name(bad: &mut Violations, at: &str, unit: &pb::Unit) {
    bad.both(&format!("{at}display_name"), unit.display_name.as_ref(), 100);
}

pub(super) fn check_labels(bad: &mut Violations, at: &str, unit: &pb::Unit) {
    bad.max_items(format_args!("{at}labels"), unit.labels.len(), MAX_LABELS);
    for (key, value) in &unit.labels {
        let field = format!("{at}labels[{key}]");
        bad.code(&field, key);
        bad.max_chars(&field, value, 63);
        if value.contains(char::is_control) {
            bad.push(FieldViolation::new(field, "FIELD_FORMAT").arg("expected", "one line without control characters"));
        }
    }
}

/// The fields that an update takes over, checked; `existing` is the unit unless it is to be created.
pub(super) fn check_fields(
    mask: Option<&FieldMask>,
    existing: Option<&unit::Model>,
    wanted: &pb::Unit,
) -> Result<Vec<&'static str>> {
    let mut bad = Violations::new();
    let other_kind = existing.is_some_and(|row| row.kind != wanted.kind);
    let other_parent = existing.is_some_and(|row| parent_name(row) != wanted.parent);
    let fields = [
        Field::free("display_name", wanted.display_name.is_some()),
        Field::free("labels", !wanted.labels.is_empty()),
        Field::fixed("kind", !wanted.kind.is_empty(), other_kind),
        Field::fixed("parent", !wanted.parent.is_empty(), other_parent),
        Field::output("tree"),
    ];
    let paths = chosen(&mut bad, "unit", mask, &fields);
    if paths.contains(&"display_name") {
        check_name(&mut bad, "unit.", wanted);
    }
    if paths.contains(&"labels") {
        check_labels(&mut bad, "unit.", wanted);
    }
    bad.finish()?;
    Ok(paths)
}

pub(super) fn apply(row: &mut unit::Model, wanted: &pb::Unit, paths: &[&str]) -> Result<()> {
    for path in paths {
        if *path == "display_name" {
            let text = wanted.display_name.clone().unwrap_or_default();
            (row.zh_cn, row.en) = (text.zh_cn, text.en);
        } else {
            row.labels = labels_text(wanted)?;
        }
    }
    Ok(())
}

/// Labels as a JSON object, sorted by key.
pub(super) fn labels_text(unit: &pb::Unit) -> Result<String> {
    serde_json::to_string(&unit.labels).map_err(Error::internal)
}

pub(super) fn unit_id_value(text: &str) -> Option<sea_orm::Value> {
    if text.is_empty() {
        return Some("".into());
    }
    Name::parse(text, "units").ok().map(|n| n.id().into())
}

fn parent_name(row: &unit::Model) -> String {
    if row.parent.is_empty() { String::new() } else { format!("areas/{}/units/{}", row.area, row.parent) }
}

pub(super) fn proto(row: unit::Model) -> pb::Unit {
    pb::Unit {
        name: format!("areas/{}/units/{}", row.area, row.id),
        parent: parent_name(&row),
        // Written by `labels_text` only.
        labels: serde_json::from_str(&row.labels).unwrap_or_default(),
        kind: row.kind,
        display_name: Some(linli_proto::common::Text { zh_cn: row.zh_cn, en: row.en }),
        tree: row.tree,
        etag: check::etag(row.revision),
        create_time: Some(check::timestamp_us(row.create_us)),
        update_time: Some(check::timestamp_us(row.update_us)),
    }
}
