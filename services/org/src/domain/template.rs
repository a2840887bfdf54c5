//! Structure templates: which kinds of units there are, how they nest, which posts they need.

use std::collections::{BTreeMap, BTreeSet};

/// Which tree a unit stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tree {
    /// The residents' tree.
    Residents,
    /// The Party tree.
    Party,
}

/// How many holders of a post a unit needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// Role code.
    pub role: String,
    /// At least so many.
    pub min: u32,
    /// At most so many; `None`: no bound.
    pub max: Option<u32>,
}

/// One kind of unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// Code.
    pub code: String,
    /// Tree.
    pub tree: Tree,
    /// Kinds under which it may hang; empty: only at the root.
    pub parents: Vec<String>,
    /// Least number of households at or below.
    pub min_households: Option<u32>,
    /// Greatest number of households at or below.
    pub max_households: Option<u32>,
    /// Posts it needs.
    pub required: Vec<Requirement>,
}

/// One post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// Role code.
    pub role: String,
    /// Roles that the same person must not hold at the same unit.
    pub conflicts: Vec<String>,
    /// Access role that it carries; empty: none.
    pub access_role: String,
}

/// A checked template. Its parts agree: kinds nest within one tree and without a cycle, required posts exist.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    kinds: BTreeMap<String, Kind>,
    posts: BTreeMap<String, Post>,
}

/// What is wrong with a template, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path of the field.
    pub field: String,
    /// What.
    pub kind: ProblemKind,
}

/// What can be wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProblemKind {
    /// A code occurs twice.
    Duplicate(String),
    /// A kind that is named does not exist.
    NoSuchKind(String),
    /// A post that is named does not exist.
    NoSuchPost(String),
    /// A kind hangs under a kind of the other tree.
    OtherTree(String),
    /// No unit of the kind could ever exist: every chain of parents comes back to it.
    NeverReachable(String),
    /// A lower bound lies above the upper one.
    Bounds,
}

/// Why a unit cannot stand where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Misfit {
    /// There is no such kind.
    NoSuchKind,
    /// The kind stands in the other tree.
    OtherTree,
    /// The kind does not hang under that parent.
    DoesNotNest,
}

impl Template {
    /// Checks the parts together; reports everything at once.
    ///
    /// # Errors
    /// All problems, in the order of the fields.
    pub fn new(kinds: Vec<Kind>, posts: Vec<Post>) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut post_map = BTreeMap::new();
        for (i, post) in posts.into_iter().enumerate() {
            let (field, role) = (format!("posts[{i}].role"), post.role.clone());
            if post_map.insert(role.clone(), post).is_some() {
                problems.push(Problem { field, kind: ProblemKind::Duplicate(role) });
            }
        }
        let mut kind_map: BTreeMap<String, Kind> = BTreeMap::new();
        for (i, kind) in kinds.iter().enumerate() {
            if kind_map.insert(kind.code.clone(), kind.clone()).is_some() {
                let field = format!("unit_kinds[{i}].code");
                problems.push(Problem { field, kind: ProblemKind::Duplicate(kind.code.clone()) });
            }
        }
        for (i, kind) in kinds.iter().enumerate() {
            check_kind(i, kind, &kind_map, &post_map, &mut problems);
        }
        for (role, post) in &post_map {
            for conflict in &post.conflicts {
                if !post_map.contains_key(conflict) {
                    let field = format!("posts[{role}].conflicts_with");
                    problems.push(Problem { field, kind: ProblemKind::NoSuchPost(conflict.clone()) });
                }
            }
        }
        let reachable = reachable(&kind_map);
        for (i, kind) in kinds.iter().enumerate().filter(|(_, k)| !reachable.contains(&k.code)) {
            let field = format!("unit_kinds[{i}].parent_kinds");
            problems.push(Problem { field, kind: ProblemKind::NeverReachable(kind.code.clone()) });
        }
        if problems.is_empty() { Ok(Self { kinds: kind_map, posts: post_map }) } else { Err(problems) }
    }

    /// A kind by code.
    pub fn kind(&self, code: &str) -> Option<&Kind> {
        self.kinds.get(code)
    }

    /// All kinds.
    pub fn kinds(&self) -> impl Iterator<Item = &Kind> {
        self.kinds.values()
    }

    /// A post by role code.
    pub fn post(&self, role: &str) -> Option<&Post> {
        self.posts.get(role)
    }

    /// Whether a unit of `kind` may hang under a unit of `parent` (`None`: at the root).
    pub fn nests(&self, kind: &str, parent: Option<&str>) -> bool {
        match (self.kinds.get(kind), parent) {
            (None, _) => false,
            (Some(kind), None) => kind.parents.is_empty(),
            (Some(kind), Some(parent)) => kind.parents.iter().any(|p| p == parent),
        }
    }

    /// Whether one person must not hold both roles at one unit; it is enough that one of them says so.
    pub fn conflict(&self, role: &str, other: &str) -> bool {
        let conflicts = |a: &str, b: &str| self.posts.get(a).is_some_and(|p| p.conflicts.iter().any(|c| c == b));
        conflicts(role, other) || conflicts(other, role)
    }

    /// What keeps a unit that exists from standing where it stands; `None` when it may.
    pub fn misfit(&self, kind: &str, tree: Tree, parent: Option<&str>) -> Option<Misfit> {
        let Some(known) = self.kinds.get(kind) else { return Some(Misfit::NoSuchKind) };
        if known.tree != tree {
            return Some(Misfit::OtherTree);
        }
        (!self.nests(kind, parent)).then_some(Misfit::DoesNotNest)
    }
}

fn check_kind(
    index: usize,
    kind: &Kind,
    kinds: &BTreeMap<String, Kind>,
    posts: &BTreeMap<String, Post>,
    problems: &mut Vec<Problem>,
) {
    let mut push = |field: &str, kind| problems.push(Problem { field: format!("unit_kinds[{index}].{field}"), kind });
    for parent in &kind.parents {
        match kinds.get(parent) {
            None => push("parent_kinds", ProblemKind::NoSuchKind(parent.clone())),
            Some(p) if p.tree != kind.tree => push("parent_kinds", ProblemKind::OtherTree(parent.clone())),
            Some(_) => {}
        }
    }
    if let (Some(min), Some(max)) = (kind.min_households, kind.max_households)
        && min > max
    {
        push("min_households", ProblemKind::Bounds);
    }
    for requirement in &kind.required {
        if !posts.contains_key(&requirement.role) {
            push("required_posts", ProblemKind::NoSuchPost(requirement.role.clone()));
        }
        if requirement.max.is_some_and(|max| requirement.min > max) {
            push("required_posts", ProblemKind::Bounds);
        }
    }
}

/// Kinds that some chain of parents leads to from a root kind.
fn reachable(kinds: &BTreeMap<String, Kind>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    loop {
        let next: Vec<String> = kinds
            .values()
            .filter(|k| !found.contains(&k.code))
            .filter(|k| k.parents.is_empty() || k.parents.iter().any(|p| found.contains(p) || !kinds.contains_key(p)))
            .map(|k| k.code.clone())
            .collect();
        if next.is_empty() {
            return found;
        }
        found.extend(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: &str, parents: &[&str]) -> Kind {
        Kind {
            code: code.into(),
            tree: Tree::Residents,
            parents: parents.iter().map(|p| (*p).to_owned()).collect(),
            min_households: None,
            max_households: None,
            required: Vec::new(),
        }
    }

    #[test]
    fn kinds_nest_as_the_template_says_and_no_other_way() {
        let template = Template::new(vec![kind("compound", &[]), kind("grid", &["compound"])], vec![]).expect("valid");
        assert!(template.nests("grid", Some("compound")));
        assert!(!template.nests("grid", None));
        assert!(!template.nests("compound", Some("grid")));
    }

    #[test]
    fn kinds_that_only_nest_in_each_other_are_refused() {
        let problems = Template::new(vec![kind("a", &["b"]), kind("b", &["a"])], vec![]).expect_err("a cycle");
        assert_eq!(problems.len(), 2);
    }

    #[test]
    fn a_kind_may_nest_in_itself_when_it_can_also_begin() {
        assert!(Template::new(vec![kind("team", &[]), kind("group", &["team", "group"])], vec![]).is_ok());
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        let mut grid = kind("grid", &["nowhere"]);
        grid.min_households = Some(80);
        grid.max_households = Some(50);
        grid.required = vec![Requirement { role: "police".into(), min: 1, max: None }];
        assert_eq!(Template::new(vec![grid], vec![]).expect_err("three problems").len(), 3);
    }

    #[test]
    fn conflicting_posts_are_found_in_both_directions() {
        let post = |role: &str, conflicts: &[&str]| Post {
            role: role.into(),
            conflicts: conflicts.iter().map(|c| (*c).to_owned()).collect(),
            access_role: String::new(),
        };
        let template = Template::new(vec![], vec![post("head", &["auditor"]), post("auditor", &[])]).expect("valid");
        assert!(template.conflict("auditor", "head") && template.conflict("head", "auditor"));
        assert!(!template.conflict("head", "head"));
    }

    #[test]
    fn a_unit_fits_where_its_kind_may_stand() {
        let template = Template::new(vec![kind("compound", &[]), kind("grid", &["compound"])], vec![]).expect("valid");
        assert_eq!(template.misfit("grid", Tree::Residents, Some("compound")), None);
        assert_eq!(template.misfit("grid", Tree::Residents, None), Some(Misfit::DoesNotNest));
        assert_eq!(template.misfit("grid", Tree::Party, Some("compound")), Some(Misfit::OtherTree));
        assert_eq!(template.misfit("branch", Tree::Party, None), Some(Misfit::NoSuchKind));
    }
}
