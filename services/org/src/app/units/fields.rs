//! The fields of a unit: checks, masks, and the way between message and row.

use linli_kernel::Name;
use linli_kit::Result;
use linli_kit::check::{self, Violations};
use linli_proto::org as pb;

use super::MAX_LABELS;
use crate::store::entities::unit;

pub(super) fn check_texts(bad: &mut Violations, at: &str, unit: &pb::Unit) {
    bad.both(&format!("{at}display_name"), unit.display_name.as_ref(), 100);
    bad.max_items(&format!("{at}labels"), unit.labels.len(), MAX_LABELS);
    for (key, value) in &unit.labels {
        bad.code(&format!("{at}labels[{key}]"), key);
        bad.max_chars(&format!("{at}labels[{key}]"), value, 63);
    }
}

pub(super) fn check_mask(
    request: &pb::UpdateUnitRequest,
    existing: &unit::Model,
    wanted: &pb::Unit,
) -> Result<Vec<String>> {
    let given = request.update_mask.as_ref().map(|m| m.paths.clone()).unwrap_or_default();
    let mut bad = Violations::new();
    let mut paths = Vec::new();
    for path in &given {
        let field = format!("update_mask.{path}");
        match path.as_str() {
            "display_name" | "labels" => paths.push(path.clone()),
            "kind" if wanted.kind == existing.kind => {}
            "parent" if parent_name(existing) == wanted.parent => {}
            "kind" | "parent" => bad.bad(format!("unit.{path}"), "FIELD_IMMUTABLE"),
            "name" | "tree" | "etag" | "create_time" | "update_time" => bad.bad(field, "FIELD_OUTPUT_ONLY"),
            _ => bad.bad(field, "FIELD_UNKNOWN"),
        }
    }
    if given.is_empty() {
        paths = vec!["display_name".to_owned(), "labels".to_owned()];
    }
    if paths.iter().any(|p| p == "display_name") {
        check_texts(&mut bad, "unit.", wanted);
    }
    bad.finish()?;
    Ok(paths)
}

pub(super) fn apply(row: &mut unit::Model, wanted: &pb::Unit, paths: &[String]) {
    for path in paths {
        if path == "display_name" {
            let text = wanted.display_name.clone().unwrap_or_default();
            (row.zh_cn, row.en) = (text.zh_cn, text.en);
        } else {
            row.labels = labels_text(wanted);
        }
    }
}

/// Labels as lines `key=value`, sorted by key.
pub(super) fn labels_text(unit: &pb::Unit) -> String {
    unit.labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join("\n")
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
    let labels = row.labels.lines().filter_map(|l| l.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned()));
    pb::Unit {
        name: format!("areas/{}/units/{}", row.area, row.id),
        parent: parent_name(&row),
        labels: labels.collect(),
        kind: row.kind,
        display_name: Some(linli_proto::common::Text { zh_cn: row.zh_cn, en: row.en }),
        tree: row.tree,
        etag: check::etag(row.revision),
        create_time: Some(check::timestamp_us(row.create_us)),
        update_time: Some(check::timestamp_us(row.update_us)),
    }
}
