//! Update masks (AIP-134) of resources that have tables of their own, as the catalogue reads them for the others.

use linli_kit::check::Violations;
use prost_types::FieldMask;

/// A field of a resource as a write sees it.
pub(super) struct Field {
    name: &'static str,
    is_set: bool,
    rule: Rule,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Writes may change it.
    Free,
    /// It keeps its value; whether the message has another one.
    Fixed { differs: bool },
    /// The service sets it.
    Output,
}

impl Field {
    /// A field that writes may change, and whether the message sets it.
    pub(super) fn free(name: &'static str, is_set: bool) -> Self {
        Self { name, is_set, rule: Rule::Free }
    }

    /// A field that keeps the value it was created with.
    pub(super) fn fixed(name: &'static str, is_set: bool, differs: bool) -> Self {
        Self { name, is_set, rule: Rule::Fixed { differs } }
    }

    /// A field that the service sets.
    pub(super) fn output(name: &'static str) -> Self {
        Self { name, is_set: false, rule: Rule::Output }
    }
}

/// The free fields that a write takes over: those of the mask, for `*` all, without a mask those that are set.
///
/// Paths that do not exist or that the service sets are violations, and so is another value of a fixed field.
pub(super) fn chosen(
    bad: &mut Violations,
    resource: &str,
    mask: Option<&FieldMask>,
    fields: &[Field],
) -> Vec<&'static str> {
    let paths = mask.map(|m| m.paths.as_slice()).unwrap_or_default();
    let all = paths.iter().any(|path| path == "*");
    let mut named: Vec<&Field> = Vec::new();
    if paths.is_empty() || all {
        named.extend(fields.iter().filter(|f| f.rule != Rule::Output && (all || f.is_set)));
    } else {
        for path in paths {
            match fields.iter().find(|f| f.name == path) {
                Some(field) if field.rule != Rule::Output => named.push(field),
                Some(_) => bad.bad(format!("update_mask.{path}"), "FIELD_OUTPUT_ONLY"),
                None if matches!(path.as_str(), "name" | "etag" | "create_time" | "update_time") => {
                    bad.bad(format!("update_mask.{path}"), "FIELD_OUTPUT_ONLY");
                }
                None => bad.bad(format!("update_mask.{path}"), "FIELD_UNKNOWN"),
            }
        }
    }
    for field in named.iter().filter(|f| f.rule == Rule::Fixed { differs: true }) {
        bad.bad(format!("{resource}.{}", field.name), "FIELD_IMMUTABLE");
    }
    named.into_iter().filter(|f| f.rule == Rule::Free).map(|f| f.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(paths: &[&str], differs: bool) -> (Vec<&'static str>, Vec<String>) {
        let mut bad = Violations::new();
        let mask = FieldMask { paths: paths.iter().map(|p| (*p).to_owned()).collect() };
        let fields = [
            Field::free("name_of", true),
            Field::free("tags", false),
            Field::fixed("kind", true, differs),
            Field::output("tree"),
        ];
        let chosen = chosen(&mut bad, "unit", Some(&mask), &fields);
        (chosen, bad.into_vec().into_iter().map(|v| format!("{}: {}", v.field, v.reason)).collect())
    }

    #[test]
    fn no_mask_is_what_is_set_and_a_star_is_everything() {
        assert_eq!(read(&[], false), (vec!["name_of"], vec![]));
        assert_eq!(read(&["*"], false), (vec!["name_of", "tags"], vec![]));
        assert_eq!(read(&["tags", "kind"], false), (vec!["tags"], vec![]));
    }

    #[test]
    fn a_fixed_field_may_be_named_but_not_changed() {
        for paths in [&[][..], &["*"], &["kind"]] {
            assert_eq!(read(paths, true).1, ["unit.kind: FIELD_IMMUTABLE"]);
        }
        assert!(read(&["tags"], true).1.is_empty());
    }

    #[test]
    fn unknown_paths_and_those_of_the_service_are_named() {
        let bad = read(&["tree", "etag", "colour"], false).1;
        let wanted = [
            "update_mask.tree: FIELD_OUTPUT_ONLY",
            "update_mask.etag: FIELD_OUTPUT_ONLY",
            "update_mask.colour: FIELD_UNKNOWN",
        ];
        assert_eq!(bad, wanted);
    }
}
