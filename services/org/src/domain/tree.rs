//! Paths of units: ids from the root to the unit, each followed by a slash, so that a prefix is an ancestor.

/// Most levels of one tree.
pub const MAX_DEPTH: usize = 16;

/// The path of `unit` under a parent's path (empty: at the root).
pub fn child_path(parent_path: &str, unit: &str) -> String {
    format!("{parent_path}{unit}/")
}

/// Whether `path` is `top` or lies below it.
pub fn is_below(path: &str, top: &str) -> bool {
    path.starts_with(top)
}

/// Levels of a path.
pub fn depth(path: &str) -> usize {
    path.matches('/').count()
}

/// The first text behind every path that begins with `path`: `path <= p AND p < upper` selects the subtree.
///
/// Ids hold no byte above `z`, and a path ends with a slash, whose successor is `0`.
pub fn upper_bound(path: &str) -> String {
    format!("{}0", path.strip_suffix('/').unwrap_or(path))
}

/// The path of a unit of a moved subtree.
pub fn moved_path(path: &str, old_top: &str, new_top: &str) -> String {
    format!("{new_top}{}", &path[old_top.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_paths_is_exactly_a_subtree() {
        let top = child_path("", "grid-1");
        let inside = ["grid-1/", "grid-1/a/", "grid-1/z9/b/"];
        let outside = ["grid-10/", "grid-1-b/", "grid/", "grid-2/"];
        let upper = upper_bound(&top);
        assert!(inside.iter().all(|p| *p >= top.as_str() && *p < upper.as_str()));
        assert!(!outside.iter().any(|p| *p >= top.as_str() && *p < upper.as_str()));
    }

    #[test]
    fn a_move_keeps_what_is_below_the_moved_unit() {
        assert_eq!(moved_path("a/b/c/", "a/b/", "x/b/"), "x/b/c/");
    }
}
