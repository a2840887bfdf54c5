//! Which bindings are in force, in which order, and the revision that stands for them.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

/// Whether a binding for these kinds applies to a kind. Without kinds it applies to all; without a kind only such
/// bindings are meant.
pub(crate) fn applies(kinds: &[String], kind: &str) -> bool {
    kinds.is_empty() || kinds.iter().any(|known| known == kind)
}

/// How many bindings apply at once where a new one does, itself included: the most of any of its kinds.
pub(crate) fn together<'a>(others: impl Iterator<Item = &'a [String]>, new: &[String]) -> usize {
    let (mut general, mut by_kind) = (0, HashMap::<&str, usize>::new());
    for kinds in others {
        if kinds.is_empty() {
            general += 1;
        }
        kinds.iter().for_each(|kind| *by_kind.entry(kind).or_default() += 1);
    }
    let most = if new.is_empty() {
        by_kind.values().copied().max()
    } else {
        new.iter().filter_map(|kind| by_kind.get(kind.as_str()).copied()).max()
    };
    general + most.unwrap_or(0) + 1
}

/// The place of a binding: nearest area first, by id within an area. `None` for an area outside the chain.
pub(crate) fn place<'a>(chain: &[String], area: &str, id: &'a str) -> Option<(usize, &'a str)> {
    chain.iter().position(|known| known == area).map(|at| (at, id))
}

/// A digest of what is in force: names and etags, in their order, told apart.
pub(crate) fn revision<'a>(in_force: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut hasher = Sha256::new();
    for text in in_force.into_iter().flat_map(|(name, etag)| [name, etag]) {
        hasher.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(text);
    }
    hex::encode(&hasher.finalize()[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_without_kinds_applies_to_all_and_one_with_kinds_to_those() {
        let haircut = ["haircut".to_owned()];
        assert!(applies(&[], "haircut") && applies(&[], ""));
        assert!(applies(&haircut, "haircut"));
        assert!(!applies(&haircut, "meal") && !applies(&haircut, ""));
    }

    #[test]
    fn bindings_count_together_where_they_apply_to_the_same_kind() {
        let kinds = |all: &[&str]| all.iter().map(|kind| (*kind).to_owned()).collect::<Vec<_>>();
        let others = [kinds(&[]), kinds(&["meal"]), kinds(&["meal", "haircut"]), kinds(&["repair"])];
        let with = |new: &[&str]| together(others.iter().map(Vec::as_slice), &kinds(new));
        assert_eq!(with(&["meal"]), 4);
        assert_eq!(with(&["repair", "haircut"]), 3);
        assert_eq!(with(&["fair"]), 2);
        assert_eq!(with(&[]), 4, "a general one applies to meals as well");
        assert_eq!(together(std::iter::empty(), &[]), 1);
    }

    #[test]
    fn the_nearest_area_comes_first() {
        let chain = ["community".to_owned(), "district".to_owned()];
        assert!(place(&chain, "community", "z") < place(&chain, "district", "a"));
        assert!(place(&chain, "community", "a") < place(&chain, "community", "b"));
        assert_eq!(place(&chain, "elsewhere", "a"), None);
    }

    #[test]
    fn a_revision_follows_names_etags_and_order() {
        let of = |pairs: &[(&'static str, &'static str)]| revision(pairs.iter().copied());
        assert_eq!(of(&[("a", "1"), ("b", "1")]), of(&[("a", "1"), ("b", "1")]));
        for other in
            [&[("a", "1")][..], &[("b", "1"), ("a", "1")], &[("a", "2"), ("b", "1")], &[("a1", ""), ("b", "1")]]
        {
            assert_ne!(of(&[("a", "1"), ("b", "1")]), of(other));
        }
    }
}
