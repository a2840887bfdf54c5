//! The text of a CEL expression, parsed by the `cel` crate within limits that any stack can bear.
//! Never: a grammar of its own.

use cel::common::ast::{Expr, IdedExpr};
use cel::parser::Parser;

use super::compile::{self, Names, Typed};
use super::problem::{Place, Problems, TableCode, shorten};
use super::yaml::Cell;

/// Longer than any cell that a person can check.
const MAX_CHARS: usize = 500;
const MAX_DEPTH: u16 = 12;
/// The parser recurses per bracket and per operator: these are counted before it sees a text, so that no stack is spent.
const MAX_OPERATORS: usize = 48;
/// The deepest tree; a chain of additions is one level per term.
const MAX_TREE: usize = 64;

/// Parses and checks an expression; `None` where it told a problem.
pub(super) fn expression(
    cell: &Cell,
    text: &str,
    shift: usize,
    names: &Names<'_>,
    problems: &mut Problems,
) -> Option<Typed> {
    let start = Place { column: cell.at.column.saturating_add(u32::try_from(shift).unwrap_or(0)), ..cell.at };
    if text.chars().count() > MAX_CHARS {
        let en = format!("longer than {MAX_CHARS} characters; split it into several rows");
        problems.push(TableCode::TooCostly, start, format!("表达式超过 {MAX_CHARS} 个字符，请拆成几行"), en);
        return None;
    }
    if !is_small(text) {
        let en = format!("nested too deeply, or more than {MAX_OPERATORS} operators; split it into several rows");
        problems.push(
            TableCode::TooCostly,
            start,
            format!("表达式嵌套过深，或运算符超过 {MAX_OPERATORS} 个，请拆成几行"),
            en,
        );
        return None;
    }
    let parser = Parser::default().max_recursion_depth(MAX_DEPTH);
    let (expr, source) = match parser.parse_with_source_info(text) {
        Ok(parsed) => parsed,
        Err(errors) => {
            let first = errors.errors.first();
            let column = first.map_or(1, |error| error.pos.1.max(1));
            let at = Place { column: start.column.saturating_add(u32::try_from(column - 1).unwrap_or(0)), ..start };
            let msg: String = first.map_or(String::new(), |error| error.msg.chars().take(120).collect());
            let text = shorten(text);
            let zh = format!("“{text}”不是合格的表达式；请检查括号、引号和运算符，代码要加双引号");
            let en = format!(
                "{text:?} is not an expression ({msg}); check brackets, quotes and operators; codes stand in double quotes"
            );
            problems.push(TableCode::Syntax, at, zh, en);
            return None;
        }
    };
    if !shallow(&expr) {
        let en = "the expression is nested too deeply; split it into several rows";
        problems.push(TableCode::TooCostly, start, "表达式嵌套过深，请拆成几行", en);
        return None;
    }
    compile::check(&expr, &source, start, names, problems)
}

/// Whether brackets, conditionals and operators are few enough to be parsed on any stack.
fn is_small(text: &str) -> bool {
    let (mut depth, mut deepest, mut operators) = (0_usize, 0, 0);
    let mut last = ' ';
    for c in text.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '?' => depth += 1,
            '+' | '-' | '*' | '/' | '%' | '!' | '.' | '<' | '>' => operators += 1,
            '&' | '|' | '=' if last != c => operators += 1,
            _ => {}
        }
        last = c;
        deepest = deepest.max(depth);
    }
    deepest <= usize::from(MAX_DEPTH) && operators <= MAX_OPERATORS
}

/// Whether no branch is deeper than [`MAX_TREE`]; walks with a list, so that the depth costs no stack.
fn shallow(expr: &IdedExpr) -> bool {
    let mut left = vec![(expr, 0)];
    while let Some((expr, depth)) = left.pop() {
        if depth > MAX_TREE {
            return false;
        }
        let mut next = |part| left.push((part, depth + 1));
        match &expr.expr {
            Expr::Call(call) => {
                call.target.iter().for_each(|target| next(target));
                call.args.iter().for_each(next);
            }
            Expr::Comprehension(each) => {
                next(&each.iter_range);
                next(&each.loop_step);
            }
            Expr::List(list) => list.elements.iter().for_each(next),
            Expr::Select(select) => next(&select.operand),
            _ => {}
        }
    }
    true
}
