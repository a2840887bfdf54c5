//! A checked filter as a condition on columns.
//!
//! Every test includes IS NOT NULL, so that NOT means the same as in [`super::MessageFilter`]. Text functions instead of
//! LIKE: SQLite's LIKE ignores case, PostgreSQL's does not.

use sea_orm::Condition;
use sea_orm::sea_query::{Expr, ExprTrait as _, Func, Value};

use super::FilterField;
use super::check::{Compare, Match, Test, Tree};

pub(super) fn condition(tree: &Tree, fields: &[FilterField]) -> Condition {
    match tree {
        Tree::All(parts) => parts.iter().fold(Condition::all(), |all, part| all.add(condition(part, fields))),
        Tree::Any(parts) => parts.iter().fold(Condition::any(), |any, part| any.add(condition(part, fields))),
        Tree::Not(part) => Condition::all().add(condition(part, fields)).not(),
        Tree::Test(field, test) => {
            let column = || fields[*field].column.clone();
            let present = Condition::all().add(column().is_not_null());
            match test {
                Test::Present => present,
                Test::Text(how, text) => present.add(matches(column(), *how, text)),
                Test::Number(how, number) => present.add(compare(column(), *how, *number)),
                Test::Flag(flag) => present.add(column().eq(*flag)),
                Test::Reference(stored, _) => present.add(column().eq(Value::clone(stored))),
            }
        }
    }
}

fn compare(column: Expr, how: Compare, number: i64) -> Expr {
    match how {
        Compare::Equal => column.eq(number),
        Compare::Greater => column.gt(number),
        Compare::GreaterOrEqual => column.gte(number),
        Compare::Less => column.lt(number),
        Compare::LessOrEqual => column.lte(number),
    }
}

fn matches(column: Expr, how: Match, text: &str) -> Expr {
    let len = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    match how {
        Match::Exact => column.eq(text),
        Match::Prefix => {
            Func::cust("substr").arg(column).arg(Expr::cust("1")).arg(Expr::cust(len.to_string())).eq(text)
        }
        Match::Suffix => {
            let length = Expr::from(Func::cust("length").arg(column.clone()));
            let start = length.sub(Expr::cust((len - 1).to_string()));
            Func::cust("substr").arg(column).arg(start).eq(text)
        }
        // Contains the text exactly when replacing it changes something; both engines have `replace`, and heed case.
        Match::Contains | Match::Has if text.is_empty() => column.is_not_null(),
        Match::Contains | Match::Has => Func::cust("replace").arg(column.clone()).arg(text).arg("").ne(column),
    }
}
