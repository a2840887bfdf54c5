//! Every metric of the code stands in docs/metrics.md, and no other does.

use std::collections::BTreeSet;

use crate::repo::{text, tracked_with, without_tests};

/// Names that begin with `linli_` and follow `before` in a text.
fn names(text: &str, before: &str) -> BTreeSet<String> {
    let rests = text.split(before).skip(1);
    let name = |rest: &str| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().map(str::to_owned);
    rests.filter_map(name).filter(|name| name.starts_with("linli_")).collect()
}

#[test]
fn every_metric_is_documented_and_every_documented_metric_exists() {
    let recorded = tracked_with(&[".rs"])
        .iter()
        .filter(|file| ["services/", "gateway/", "cli/"].iter().any(|place| file.starts_with(place)))
        .flat_map(|file| {
            let source = text(file);
            ["counter!(\"", "gauge!(\"", "histogram!(\""].map(|call| names(without_tests(&source), call))
        })
        .flatten()
        .collect::<BTreeSet<_>>();
    assert!(recorded.len() > 20, "the search finds the metrics: {recorded:?}");
    assert_eq!(recorded, names(&text("docs/metrics.md"), "| `"));
}
