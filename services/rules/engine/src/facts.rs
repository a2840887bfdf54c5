//! The groups of facts that a manifest may declare, and sets of them.
//! Never: the facts themselves.

/// A group of facts that the asking service resolves on demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fact {
    /// The member's age.
    Age,
    /// The member's standing.
    Standing,
    /// When the member joined.
    Joined,
    /// The member's offices.
    Roles,
    /// The member's tags.
    Tags,
    /// What the member has used of the offering.
    Usage,
    /// The member's balances.
    Balances,
    /// The answers to the offering's questions.
    Answers,
}

impl Fact {
    /// Every fact.
    pub const ALL: [Fact; 8] =
        [Fact::Age, Fact::Standing, Fact::Joined, Fact::Roles, Fact::Tags, Fact::Usage, Fact::Balances, Fact::Answers];

    /// The code in a manifest.
    pub const fn code(self) -> &'static str {
        match self {
            Fact::Age => "age",
            Fact::Standing => "standing",
            Fact::Joined => "joined",
            Fact::Roles => "roles",
            Fact::Tags => "tags",
            Fact::Usage => "usage",
            Fact::Balances => "balances",
            Fact::Answers => "answers",
        }
    }

    /// The fact of a code, if the host knows it.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fact| fact.code() == code)
    }
}

/// A set of facts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct FactSet(u16);

impl FactSet {
    /// Whether the set holds a fact.
    pub const fn has(self, fact: Fact) -> bool {
        self.0 & (1 << fact as u16) != 0
    }

    /// Whether the set holds every fact.
    pub fn is_full(self) -> bool {
        Fact::ALL.into_iter().all(|fact| self.has(fact))
    }

    /// The facts of the set.
    pub fn iter(self) -> impl Iterator<Item = Fact> {
        Fact::ALL.into_iter().filter(move |&fact| self.has(fact))
    }
}

impl FromIterator<Fact> for FactSet {
    fn from_iter<I: IntoIterator<Item = Fact>>(facts: I) -> Self {
        Self(facts.into_iter().fold(0, |bits, fact| bits | 1 << fact as u16))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_leads_back_to_its_fact() {
        for fact in Fact::ALL {
            assert_eq!(Fact::from_code(fact.code()), Some(fact));
        }
        assert_eq!(Fact::from_code("name"), None);
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set: FactSet = [Fact::Age, Fact::Usage].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [Fact::Age, Fact::Usage]);
        assert!(!set.is_full());
        assert!(Fact::ALL.into_iter().collect::<FactSet>().is_full());
    }
}
