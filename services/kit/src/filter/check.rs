//! From a filter's text to typed tests on listed fields.

use aip_160::{Comparator, Expression, Restriction, StringMatch, Value as Literal, parse_filter};
use sea_orm::sea_query::Value;

use super::{Kind, MAX_LEN, MAX_TESTS, invalid};
use crate::Result;

/// A checked filter; fields are indexes into the allow-list.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    /// All of these; none of them: everything.
    All(Vec<Tree>),
    /// Any of these.
    Any(Vec<Tree>),
    /// Not this.
    Not(Box<Tree>),
    /// One test.
    Test(usize, Test),
}

/// One test on a field that has a value; a field without one passes none.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    /// The field has a value.
    Present,
    /// The text is, begins with, ends with or contains this; or one of the texts is, in a list.
    Text(Match, String),
    /// The number compares so.
    Number(Compare, i64),
    /// The flag is.
    Flag(bool),
    /// The stored reference is this one; the name beside it, for messages.
    Reference(Value, String),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Match {
    Exact,
    Prefix,
    Suffix,
    Contains,
    /// `field:"x"`: contains in a text, is one of in a list.
    Has,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Compare {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

pub(super) fn check(filter: &str, known: &[(&str, &Kind)]) -> Result<Tree> {
    if filter.len() > MAX_LEN {
        return Err(invalid(format!("longer than {MAX_LEN} bytes"), known));
    }
    let parsed = parse_filter(filter).map_err(|e| invalid(e, known))?;
    let Some(expression) = parsed.expression else { return Ok(Tree::All(Vec::new())) };
    let mut checker = Checker { known, tests: 0 };
    checker.tree(&expression).map_err(|detail| invalid(detail, known))
}

struct Checker<'a> {
    known: &'a [(&'a str, &'a Kind)],
    tests: usize,
}

impl Checker<'_> {
    fn tree(&mut self, expression: &Expression) -> Result<Tree, String> {
        match expression {
            Expression::And(parts) | Expression::Sequence(parts) => self.trees(parts).map(Tree::All),
            Expression::Or(parts) => self.trees(parts).map(Tree::Any),
            Expression::Not(part) => Ok(Tree::Not(Box::new(self.tree(part)?))),
            Expression::Restriction(restriction) => self.restriction(restriction),
            Expression::Global(text) => Err(format!("\"{text}\" is compared with nothing")),
        }
    }

    fn trees(&mut self, parts: &[Expression]) -> Result<Vec<Tree>, String> {
        parts.iter().map(|part| self.tree(part)).collect()
    }

    fn restriction(&mut self, restriction: &Restriction) -> Result<Tree, String> {
        self.tests += 1;
        if self.tests > MAX_TESTS {
            return Err(format!("more than {MAX_TESTS} comparisons"));
        }
        let name = restriction.comparable.field_path().ok_or("a field is wanted on the left")?;
        let found = self.known.iter().position(|(known, _)| *known == name);
        let field = found.ok_or_else(|| format!("\"{name}\" cannot be filtered"))?;
        let literal = restriction.arg.as_value().ok_or_else(|| format!("a plain value is wanted for \"{name}\""))?;
        let (test, negated) = test(self.known[field].1, restriction.comparator, literal)
            .ok_or_else(|| format!("\"{name} {} {literal}\" does not fit the field", restriction.comparator))?;
        let tree = Tree::Test(field, test);
        Ok(if negated { Tree::Not(Box::new(tree)) } else { tree })
    }
}

/// The test and whether it is negated; `None` when comparator or value do not fit the kind.
fn test(kind: &Kind, comparator: Comparator, literal: &Literal) -> Option<(Test, bool)> {
    if comparator == Comparator::Has && literal == &Literal::Text("*".into()) {
        return Some((Test::Present, false));
    }
    let negated = comparator == Comparator::NotEqual;
    let equality = matches!(comparator, Comparator::Equal | Comparator::NotEqual);
    let test = match kind {
        Kind::Text if equality || comparator == Comparator::Has => text(comparator, literal),
        Kind::Int => Test::Number(compare(comparator)?, literal.as_i64()?),
        Kind::Bool if equality => Test::Flag(literal.as_bool()?),
        Kind::Timestamp => Test::Number(compare(comparator)?, micros(literal)?),
        Kind::Enum(codes) if equality => {
            let (_, number) = codes.iter().find(|(code, _)| *code == literal.as_str())?;
            Test::Number(Compare::Equal, *number)
        }
        Kind::ProtoEnum(descriptor) if equality => {
            let value = descriptor.get_value_by_name(literal.as_str())?;
            Test::Number(Compare::Equal, i64::from(value.number()))
        }
        Kind::Ref(stored) if equality => Test::Reference(stored(literal.as_str())?, literal.as_str().to_owned()),
        Kind::Text | Kind::Bool | Kind::Enum(_) | Kind::ProtoEnum(_) | Kind::Ref(_) => return None,
    };
    Some((test, negated))
}

fn text(comparator: Comparator, literal: &Literal) -> Test {
    let exact = if comparator == Comparator::Has { Match::Has } else { Match::Exact };
    let (how, text) = match literal.string_match() {
        Some(StringMatch::Prefix(text)) => (Match::Prefix, text),
        Some(StringMatch::Suffix(text)) => (Match::Suffix, text),
        Some(StringMatch::Contains(text)) => (Match::Contains, text),
        Some(StringMatch::Exact(text)) => (exact, text),
        None => (exact, literal.as_str()),
    };
    Test::Text(how, text.to_owned())
}

fn compare(comparator: Comparator) -> Option<Compare> {
    match comparator {
        Comparator::Equal | Comparator::NotEqual => Some(Compare::Equal),
        Comparator::GreaterThan => Some(Compare::Greater),
        Comparator::GreaterThanOrEqual => Some(Compare::GreaterOrEqual),
        Comparator::LessThan => Some(Compare::Less),
        Comparator::LessThanOrEqual => Some(Compare::LessOrEqual),
        Comparator::Has => None,
    }
}

fn micros(literal: &Literal) -> Option<i64> {
    let text = literal.as_str();
    if let Ok(time) = chrono::DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_micros());
    }
    let day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros())
}
