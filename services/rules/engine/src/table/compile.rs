//! From a parsed CEL expression to a checked one: every name and type known.
//! Never: floats, patterns, maps, text building, or a loop within a loop.

use cel::common::ast::{
    CallExpr, ComprehensionExpr, Expr, IdedExpr, ListExpr, LiteralValue, SelectExpr, SourceInfo, operators,
};

use super::expr::{Arith, Cmp, Node, Quantifier};
use super::facts::{self, Ty};
use super::problem::{Place, Problems, TableCode};
use crate::Hook;
use crate::manifest::{SettingDecl, SettingKind};

const FUNCTIONS: &str = "has, default, min, max, abs, size, tier, hour, weekday, exists, all, filter";

/// What the expressions of a hook may name.
pub(super) struct Names<'a> {
    pub(super) hook: Hook,
    pub(super) settings: &'a [SettingDecl],
    pub(super) answers: &'a [(String, Ty)],
}

pub(super) type Typed = (Node, Ty);

/// Checks a parsed expression; `None` where it told a problem.
pub(super) fn check(
    expr: &IdedExpr,
    source: &SourceInfo,
    start: Place,
    names: &Names<'_>,
    problems: &mut Problems,
) -> Option<Typed> {
    let before = problems.len();
    let mut checker = Checker { names, source, start, problems, item: None };
    let typed = checker.check(expr);
    (problems.len() == before).then_some(typed).flatten()
}

struct Checker<'a, 'b> {
    names: &'a Names<'a>,
    source: &'a SourceInfo,
    start: Place,
    problems: &'b mut Problems,
    /// The variable of the loop and its type.
    item: Option<(String, Ty)>,
}

impl Checker<'_, '_> {
    fn at(&self, expr: &IdedExpr) -> Place {
        let offset = self.source.offset_for(expr.id).map_or(0, |(start, _)| start);
        Place { column: self.start.column.saturating_add(offset), ..self.start }
    }

    fn say(&mut self, code: TableCode, expr: &IdedExpr, zh: impl Into<String>, en: impl Into<String>) -> Option<Typed> {
        let at = self.at(expr);
        self.problems.push(code, at, zh, en);
        None
    }

    fn check(&mut self, expr: &IdedExpr) -> Option<Typed> {
        match &expr.expr {
            Expr::Literal(literal) => self.literal(expr, literal),
            Expr::Ident(name) => self.name(expr, name),
            Expr::Select(select) => self.select(expr, select),
            Expr::Call(call) => self.call(expr, call),
            Expr::List(list) => self.list(expr, list),
            Expr::Comprehension(each) => self.comprehension(expr, each),
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => self.say(
                TableCode::Type,
                expr,
                "不能使用映射和结构",
                "maps and structures may not be used; name the facts one by one",
            ),
        }
    }

    fn literal(&mut self, expr: &IdedExpr, literal: &LiteralValue) -> Option<Typed> {
        match literal {
            LiteralValue::Boolean(yes) => Some((Node::Bool(**yes), Ty::Bool)),
            LiteralValue::Int(n) if i32::try_from(**n).is_ok() => Some((Node::Int(**n), Ty::Int)),
            LiteralValue::Int(_) => self.say(
                TableCode::BadValue,
                expr,
                "数字超出 32 位整数范围",
                "the number does not fit 32 bits: -2147483648 to 2147483647",
            ),
            LiteralValue::String(text) => Some((Node::Code(text.inner().to_owned()), Ty::Code)),
            LiteralValue::Double(_) | LiteralValue::UInt(_) | LiteralValue::Bytes(_) | LiteralValue::Null => self.say(
                TableCode::Type,
                expr,
                "只能用整数、代码和 true/false；小数请换成更小的单位，如用分代替元",
                "only whole numbers, codes and true/false; for a fraction take a smaller unit, such as fen for yuan",
            ),
        }
    }

    fn name(&mut self, expr: &IdedExpr, name: &str) -> Option<Typed> {
        if let Some((item, ty)) = &self.item
            && item == name
        {
            return Some((Node::Item, *ty));
        }
        self.path(expr, name)
    }

    /// A fact by its whole name.
    fn path(&mut self, expr: &IdedExpr, path: &str) -> Option<Typed> {
        let wanted = path.strip_prefix("actor.").filter(|_| self.names.hook == Hook::Award);
        let wanted = wanted.map_or_else(|| path.to_owned(), |rest| format!("who.{rest}"));
        if let Some(known) = facts::of_hook(self.names.hook).find(|known| known.path == wanted) {
            return Some((Node::Fact(known.var, known.missing.unwrap_or(known.path)), known.ty));
        }
        let mut known: Vec<&str> = facts::of_hook(self.names.hook).map(|known| known.path).collect();
        let maps = [
            ("settings", "settings.KEY"),
            ("answers", "answers.KEY"),
            ("balances", "balances.ASSET"),
            ("caps", "caps.ASSET"),
        ];
        known.extend(maps.iter().filter(|(name, _)| facts::has_map(self.names.hook, name)).map(|(_, text)| *text));
        let at = self.at(expr);
        self.problems.unknown(at, ("这项事实", "fact"), path, known);
        None
    }

    fn select(&mut self, expr: &IdedExpr, select: &SelectExpr) -> Option<Typed> {
        let typed = match &select.operand.expr {
            Expr::Ident(map) if facts::has_map(self.names.hook, map) => {
                self.entry(expr, map, &select.field.replace('_', "-"))
            }
            Expr::Ident(root) => self.path(expr, &format!("{root}.{}", select.field)),
            _ => self.path(expr, &format!("...{}", select.field)),
        }?;
        if select.test { self.presence(expr, typed) } else { Some(typed) }
    }

    fn presence(&mut self, expr: &IdedExpr, (node, _): Typed) -> Option<Typed> {
        if !may_be_missing(&node) {
            return self.say(
                TableCode::Type,
                expr,
                "这项总是有的，不必检查",
                "this is always there; has() and default() are for facts that may be missing",
            );
        }
        Some((Node::Has(Box::new(node)), Ty::Bool))
    }

    /// settings.KEY, answers.KEY, balances.ASSET, caps.ASSET.
    fn entry(&mut self, expr: &IdedExpr, map: &str, key: &str) -> Option<Typed> {
        let at = self.at(expr);
        match map {
            "settings" => {
                let settings = self.names.settings;
                if let Some(at) = settings.iter().position(|decl| decl.key == key) {
                    return Some((Node::Setting(at), type_of_kind(&settings[at].kind)));
                }
                self.problems.unknown(at, ("这项设置", "setting"), key, settings.iter().map(|decl| decl.key.as_str()));
                None
            }
            "answers" => {
                let answers = self.names.answers;
                if let Some((key, ty)) = answers.iter().find(|(other, _)| other == key) {
                    return Some((Node::Answer(key.clone(), *ty), *ty));
                }
                let known = answers.iter().map(|(key, _)| key.as_str());
                self.problems.unknown(
                    at,
                    ("这项答复（请写入 answers）", "answer (declare it under `answers`)"),
                    key,
                    known,
                );
                None
            }
            "caps" => Some((Node::Cap(key.to_owned()), Ty::Int)),
            _ => Some((Node::Balance(key.to_owned()), Ty::Int)),
        }
    }

    fn list(&mut self, expr: &IdedExpr, list: &ListExpr) -> Option<Typed> {
        let items: Vec<Typed> = list.elements.iter().map(|item| self.check(item)).collect::<Option<_>>()?;
        let ints = items.iter().map(|(node, _)| match node {
            Node::Int(n) => i32::try_from(*n).ok(),
            _ => None,
        });
        if let Some(ints) = ints.collect::<Option<Vec<i32>>>() {
            return Some((Node::Ints(ints), Ty::Ints));
        }
        let codes = items.iter().map(|(node, _)| match node {
            Node::Code(code) => Some(code.clone()),
            _ => None,
        });
        match codes.collect::<Option<Vec<String>>>() {
            Some(codes) => Some((Node::Codes(codes), Ty::Codes)),
            None => self.say(
                TableCode::Type,
                expr,
                "列表里只能全是数字或全是代码",
                "a list holds numbers only or codes only, written out",
            ),
        }
    }

    fn comprehension(&mut self, expr: &IdedExpr, each: &ComprehensionExpr) -> Option<Typed> {
        let (quantifier, body) = match (&each.accu_init.expr, &each.loop_step.expr) {
            (Expr::Literal(LiteralValue::Boolean(init)), Expr::Call(step)) if step.args.len() == 2 => {
                (if **init { Quantifier::All } else { Quantifier::Exists }, &step.args[1])
            }
            (Expr::List(_), Expr::Call(step)) if step.func_name == operators::CONDITIONAL && is_filter(each, step) => {
                (Quantifier::Count, &step.args[0])
            }
            _ => {
                return self.say(
                    TableCode::Unknown,
                    expr,
                    "只能用 exists、all 和 size(….filter(…))",
                    "of the list functions there are exists, all and size(LIST.filter(x, CONDITION))",
                );
            }
        };
        if self.item.is_some() {
            return self.say(
                TableCode::TooCostly,
                expr,
                "列表函数不能嵌套",
                "a list function within another may not be used; split the row",
            );
        }
        let (list, ty) = self.check(&each.iter_range)?;
        let item = match ty {
            Ty::Ints => Ty::Int,
            Ty::Codes => Ty::Code,
            other => return self.mismatch(&each.iter_range, Ty::Codes, other),
        };
        self.item = Some((each.iter_var.clone(), item));
        let body = self.of_type(body, Ty::Bool);
        self.item = None;
        let ty = if quantifier == Quantifier::Count { Ty::Codes } else { Ty::Bool };
        Some((Node::Each(quantifier, Box::new(list), Box::new(body?)), ty))
    }

    fn mismatch(&mut self, expr: &IdedExpr, wanted: Ty, got: Ty) -> Option<Typed> {
        let ((zh_wanted, en_wanted), (zh_got, en_got)) = (wanted.words(), got.words());
        self.say(
            TableCode::Type,
            expr,
            format!("这里应是{zh_wanted}，却是{zh_got}"),
            format!("this must be {en_wanted}, and is {en_got}"),
        )
    }

    fn of_type(&mut self, expr: &IdedExpr, wanted: Ty) -> Option<Node> {
        let (node, ty) = self.check(expr)?;
        if ty != wanted || is_bare_filter(&node) {
            self.mismatch(expr, wanted, ty);
            return None;
        }
        Some(node)
    }

    fn two(&mut self, call: &CallExpr, wanted: Ty) -> Option<(Box<Node>, Box<Node>)> {
        let (a, b) = (self.of_type(&call.args[0], wanted), self.of_type(&call.args[1], wanted));
        Some((Box::new(a?), Box::new(b?)))
    }

    fn call(&mut self, expr: &IdedExpr, call: &CallExpr) -> Option<Typed> {
        use operators as o;
        let name = call.func_name.as_str();
        let args = call.args.len();
        if call.target.is_some() {
            return self.no_function(expr, name);
        }
        let arith = |op| move |(a, b)| (Node::Arith(op, a, b), Ty::Int);
        let cmp = |op| move |(a, b)| (Node::Cmp(op, a, b), Ty::Bool);
        match (name, args) {
            (o::ADD, 2) => self.two(call, Ty::Int).map(arith(Arith::Add)),
            (o::SUBSTRACT, 2) => self.two(call, Ty::Int).map(arith(Arith::Sub)),
            (o::MULTIPLY, 2) => self.two(call, Ty::Int).map(arith(Arith::Mul)),
            (o::DIVIDE, 2) => self.two(call, Ty::Int).map(arith(Arith::Div)),
            (o::MODULO, 2) => self.two(call, Ty::Int).map(arith(Arith::Rem)),
            ("min", 2) => self.two(call, Ty::Int).map(arith(Arith::Min)),
            ("max", 2) => self.two(call, Ty::Int).map(arith(Arith::Max)),
            (o::LESS, 2) => self.two(call, Ty::Int).map(cmp(Cmp::Lt)),
            (o::LESS_EQUALS, 2) => self.two(call, Ty::Int).map(cmp(Cmp::Le)),
            (o::GREATER, 2) => self.two(call, Ty::Int).map(cmp(Cmp::Gt)),
            (o::GREATER_EQUALS, 2) => self.two(call, Ty::Int).map(cmp(Cmp::Ge)),
            (o::LOGICAL_AND, 2) => self.two(call, Ty::Bool).map(|(a, b)| (Node::And(a, b), Ty::Bool)),
            (o::LOGICAL_OR, 2) => self.two(call, Ty::Bool).map(|(a, b)| (Node::Or(a, b), Ty::Bool)),
            (o::EQUALS, 2) => self.equal(call).map(|node| (node, Ty::Bool)),
            (o::NOT_EQUALS, 2) => self.equal(call).map(|node| (Node::Not(Box::new(node)), Ty::Bool)),
            (o::LOGICAL_NOT, 1) => {
                self.of_type(&call.args[0], Ty::Bool).map(|node| (Node::Not(Box::new(node)), Ty::Bool))
            }
            (o::NEGATE, 1) => self.of_type(&call.args[0], Ty::Int).map(|node| (Node::Neg(Box::new(node)), Ty::Int)),
            ("abs", 1) => self.of_type(&call.args[0], Ty::Int).map(|node| (Node::Abs(Box::new(node)), Ty::Int)),
            ("hour", 1) => self.of_type(&call.args[0], Ty::Int).map(|node| (Node::Hour(Box::new(node)), Ty::Int)),
            ("weekday", 1) => self.of_type(&call.args[0], Ty::Int).map(|node| (Node::Weekday(Box::new(node)), Ty::Int)),
            (o::CONDITIONAL, 3) => self.conditional(call),
            (o::IN, 2) => self.within(call),
            (o::INDEX, 2) => self.index(expr, call),
            ("size", 1) => self.size(&call.args[0]),
            ("default", 2) => self.default(expr, call),
            ("tier", 2) => {
                let (list, n) = (self.of_type(&call.args[0], Ty::Ints), self.of_type(&call.args[1], Ty::Int));
                Some((Node::Tier(Box::new(list?), Box::new(n?)), Ty::Int))
            }
            _ => self.no_function(expr, name),
        }
    }

    fn no_function(&mut self, expr: &IdedExpr, name: &str) -> Option<Typed> {
        let at = self.at(expr);
        self.problems.unknown(
            at,
            ("这个函数（或参数个数不对）", "function, with so many arguments,"),
            name,
            [FUNCTIONS],
        );
        None
    }

    fn equal(&mut self, call: &CallExpr) -> Option<Node> {
        let (a, ty) = self.check(&call.args[0])?;
        if matches!(ty, Ty::Ints | Ty::Codes) {
            self.mismatch(&call.args[0], Ty::Int, ty);
            return None;
        }
        let b = self.of_type(&call.args[1], ty)?;
        Some(Node::Eq(Box::new(a), Box::new(b)))
    }

    fn conditional(&mut self, call: &CallExpr) -> Option<Typed> {
        let cond = self.of_type(&call.args[0], Ty::Bool);
        let (then, ty) = self.check(&call.args[1])?;
        let other = self.of_type(&call.args[2], ty)?;
        Some((Node::If(Box::new(cond?), Box::new(then), Box::new(other)), ty))
    }

    fn within(&mut self, call: &CallExpr) -> Option<Typed> {
        let (item, ty) = self.check(&call.args[0])?;
        let list = match ty {
            Ty::Int => Ty::Ints,
            Ty::Code => Ty::Codes,
            other => return self.mismatch(&call.args[0], Ty::Code, other),
        };
        // An empty list is one of either.
        let (list_node, got) = self.check(&call.args[1])?;
        let empty = matches!(&list_node, Node::Ints(list) if list.is_empty());
        if empty && list == Ty::Codes {
            return Some((Node::In(Box::new(item), Box::new(Node::Codes(Vec::new()))), Ty::Bool));
        }
        if got != list || is_bare_filter(&list_node) {
            return self.mismatch(&call.args[1], list, got);
        }
        Some((Node::In(Box::new(item), Box::new(list_node)), Ty::Bool))
    }

    fn index(&mut self, expr: &IdedExpr, call: &CallExpr) -> Option<Typed> {
        match (&call.args[0].expr, &call.args[1].expr) {
            (Expr::Ident(map), Expr::Literal(LiteralValue::String(key))) if facts::has_map(self.names.hook, map) => {
                self.entry(expr, map, key.inner())
            }
            _ => self.say(
                TableCode::Type,
                expr,
                "方括号只能用于 settings、answers、balances、caps，键要写成文字",
                "brackets are for settings, answers, balances and caps, with the key written out in quotes",
            ),
        }
    }

    fn size(&mut self, arg: &IdedExpr) -> Option<Typed> {
        let (node, ty) = self.check(arg)?;
        if is_bare_filter(&node) {
            return Some((node, Ty::Int));
        }
        if !matches!(ty, Ty::Ints | Ty::Codes) {
            return self.mismatch(arg, Ty::Codes, ty);
        }
        Some((Node::Size(Box::new(node)), Ty::Int))
    }

    fn default(&mut self, expr: &IdedExpr, call: &CallExpr) -> Option<Typed> {
        let (fact, ty) = self.check(&call.args[0])?;
        if !may_be_missing(&fact) {
            return self.presence(expr, (fact, ty));
        }
        let other = self.of_type(&call.args[1], ty)?;
        Some((Node::Default(Box::new(fact), Box::new(other)), ty))
    }
}

/// Facts whose missing code is not their own path may be missing; so may answers.
pub(super) fn may_be_missing(node: &Node) -> bool {
    match node {
        Node::Answer(..) => true,
        Node::Fact(var, _) => facts::KNOWN.iter().any(|known| known.var == *var && known.missing.is_some()),
        _ => false,
    }
}

/// A filter outside of `size`: it counts, and is no list.
fn is_bare_filter(node: &Node) -> bool {
    matches!(node, Node::Each(Quantifier::Count, ..))
}

fn is_filter(each: &ComprehensionExpr, step: &CallExpr) -> bool {
    let Some(Expr::Call(add)) = step.args.get(1).map(|arg| &arg.expr) else { return false };
    let Some(Expr::List(list)) = add.args.get(1).map(|arg| &arg.expr) else { return false };
    matches!(list.elements.first().map(|item| &item.expr), Some(Expr::Ident(name)) if *name == each.iter_var)
}

fn type_of_kind(kind: &SettingKind) -> Ty {
    match kind {
        SettingKind::Flag => Ty::Bool,
        SettingKind::Number(_) => Ty::Int,
        SettingKind::Choice(_) => Ty::Code,
        SettingKind::Numbers(_) => Ty::Ints,
        SettingKind::Codes(_) => Ty::Codes,
    }
}
