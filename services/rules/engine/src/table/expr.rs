//! A checked expression, and its value for one request: whole numbers, codes and lists of the two.
//! Never: an unknown name or a wrong type (the check came before), a loop within a loop, or an overflow that goes unseen.

use super::facts::{Ty, Var, View};
use crate::Fault;
use crate::types::{Refusal, Setting, SettingValue};

/// A value, borrowed from the request, the settings or the document.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    Bool(bool),
    Int(i64),
    Code(&'a str),
    Ints(&'a [i32]),
    Codes(&'a [String]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arith {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Min,
    Max,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cmp {
    Lt,
    Le,
    Gt,
    Ge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantifier {
    Exists,
    All,
    Count,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Bool(bool),
    Int(i64),
    Code(String),
    Ints(Vec<i32>),
    Codes(Vec<String>),
    /// A fact, with what is missing where it is not there.
    Fact(Var, &'static str),
    /// The setting at this place of the manifest.
    Setting(usize),
    Answer(String, Ty),
    Balance(String),
    Cap(String),
    /// The item of the list that is walked.
    Item,
    Has(Box<Node>),
    Default(Box<Node>, Box<Node>),
    Arith(Arith, Box<Node>, Box<Node>),
    Neg(Box<Node>),
    Abs(Box<Node>),
    Cmp(Cmp, Box<Node>, Box<Node>),
    Eq(Box<Node>, Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Not(Box<Node>),
    If(Box<Node>, Box<Node>, Box<Node>),
    In(Box<Node>, Box<Node>),
    Size(Box<Node>),
    Tier(Box<Node>, Box<Node>),
    Hour(Box<Node>),
    Weekday(Box<Node>),
    Each(Quantifier, Box<Node>, Box<Node>),
}

/// The longest list that a request or an answer is taken to hold when the cost is bounded.
const MAX_LIST: u64 = 64;

impl Node {
    /// The parts of an expression.
    pub(super) fn children(&self) -> Vec<&Node> {
        use Node as N;
        match self {
            N::Bool(_) | N::Int(_) | N::Code(_) | N::Ints(_) | N::Codes(_) | N::Fact(..) | N::Setting(_) => Vec::new(),
            N::Answer(..) | N::Balance(_) | N::Cap(_) | N::Item => Vec::new(),
            N::Has(a) | N::Neg(a) | N::Abs(a) | N::Not(a) | N::Size(a) | N::Hour(a) | N::Weekday(a) => vec![a],
            N::Default(a, b) | N::Arith(_, a, b) | N::Cmp(_, a, b) | N::Eq(a, b) | N::And(a, b) => vec![a, b],
            N::Or(a, b) | N::In(a, b) | N::Tier(a, b) | N::Each(_, a, b) => vec![a, b],
            N::If(a, b, c) => vec![a, b, c],
        }
    }

    /// The same, to change them.
    pub(super) fn children_mut(&mut self) -> Vec<&mut Node> {
        use Node as N;
        match self {
            N::Bool(_) | N::Int(_) | N::Code(_) | N::Ints(_) | N::Codes(_) | N::Fact(..) | N::Setting(_) => Vec::new(),
            N::Answer(..) | N::Balance(_) | N::Cap(_) | N::Item => Vec::new(),
            N::Has(a) | N::Neg(a) | N::Abs(a) | N::Not(a) | N::Size(a) | N::Hour(a) | N::Weekday(a) => vec![a],
            N::Default(a, b) | N::Arith(_, a, b) | N::Cmp(_, a, b) | N::Eq(a, b) | N::And(a, b) => vec![a, b],
            N::Or(a, b) | N::In(a, b) | N::Tier(a, b) | N::Each(_, a, b) => vec![a, b],
            N::If(a, b, c) => vec![a, b, c],
        }
    }

    /// The most that one evaluation takes, lists of requests being [`MAX_LIST`] long at most.
    pub(super) fn cost(&self, list_of_setting: &dyn Fn(usize) -> u64) -> u64 {
        let parts = self.children().into_iter().map(|part| part.cost(list_of_setting));
        let own = match self {
            Node::In(_, list) | Node::Tier(list, _) => list.longest(list_of_setting),
            Node::Each(_, list, each) => {
                let len = list.longest(list_of_setting);
                return 1 + list.cost(list_of_setting) + len.saturating_mul(1 + each.cost(list_of_setting));
            }
            Node::Answer(..) | Node::Balance(_) | Node::Cap(_) => MAX_LIST,
            _ => 0,
        };
        parts.fold(1 + own, u64::saturating_add)
    }

    fn longest(&self, list_of_setting: &dyn Fn(usize) -> u64) -> u64 {
        match self {
            Node::Ints(list) => list.len() as u64,
            Node::Codes(list) => list.len() as u64,
            Node::Setting(at) => list_of_setting(*at),
            Node::If(_, a, b) | Node::Default(a, b) => a.longest(list_of_setting).max(b.longest(list_of_setting)),
            _ => MAX_LIST,
        }
    }
}

/// Evaluates the expressions of one decision and counts what they take.
pub(super) struct Machine<'a> {
    pub(super) view: View<'a>,
    /// The value of every setting, in the order of the manifest.
    pub(super) settings: &'a [&'a SettingValue],
    pub(super) used: u64,
    pub(super) budget: u64,
    item: Option<Value<'a>>,
}

impl<'a> Machine<'a> {
    pub(super) fn new(view: View<'a>, settings: &'a [&'a SettingValue], budget: u64) -> Self {
        Self { view, settings, used: 0, budget, item: None }
    }

    pub(super) fn spend(&mut self, cost: usize) -> Result<(), Fault> {
        self.used = self.used.saturating_add(cost as u64);
        if self.used > self.budget { Err(Fault::OutOfFuel { budget: self.budget }) } else { Ok(()) }
    }

    pub(super) fn bool(&mut self, node: &'a Node) -> Result<bool, Fault> {
        match self.eval(node)? {
            Value::Bool(yes) => Ok(yes),
            _ => Err(mistyped()),
        }
    }

    pub(super) fn int(&mut self, node: &'a Node) -> Result<i64, Fault> {
        match self.eval(node)? {
            Value::Int(n) => Ok(n),
            _ => Err(mistyped()),
        }
    }

    /// A number as an answer takes it: beyond 32 bits it saturates.
    pub(super) fn narrow(&mut self, node: &'a Node) -> Result<i32, Fault> {
        self.int(node).map(saturate)
    }

    pub(super) fn eval(&mut self, node: &'a Node) -> Result<Value<'a>, Fault> {
        self.spend(1)?;
        match node {
            Node::Bool(yes) => Ok(Value::Bool(*yes)),
            Node::Int(n) => Ok(Value::Int(*n)),
            Node::Code(code) => Ok(Value::Code(code)),
            Node::Ints(list) => Ok(Value::Ints(list)),
            Node::Codes(list) => Ok(Value::Codes(list)),
            Node::Fact(..) | Node::Answer(..) => self.optional(node)?.ok_or_else(|| missing(node)),
            Node::Setting(at) => self.settings.get(*at).map(|value| of_setting(value)).ok_or_else(mistyped),
            Node::Balance(asset) => self.amount(asset, self.view.balances),
            Node::Cap(asset) => match self.view.asked {
                super::facts::Asked::Award(req) => self.amount(asset, &req.caps),
                _ => Err(mistyped()),
            },
            Node::Item => self.item.ok_or_else(mistyped),
            Node::Has(fact) => Ok(Value::Bool(self.optional(fact)?.is_some())),
            Node::Default(fact, other) => match self.optional(fact)? {
                Some(value) => Ok(value),
                None => self.eval(other),
            },
            Node::And(a, b) => self.logic(a, b, false),
            Node::Or(a, b) => self.logic(a, b, true),
            Node::Not(a) => self.bool(a).map(|yes| Value::Bool(!yes)),
            Node::If(cond, then, other) => {
                let next = if self.bool(cond)? { then } else { other };
                self.eval(next)
            }
            Node::Cmp(op, a, b) => {
                let (a, b) = (self.int(a)?, self.int(b)?);
                Ok(Value::Bool(match op {
                    Cmp::Lt => a < b,
                    Cmp::Le => a <= b,
                    Cmp::Gt => a > b,
                    Cmp::Ge => a >= b,
                }))
            }
            Node::Eq(a, b) => {
                let (a, b) = (self.eval(a)?, self.eval(b)?);
                Ok(Value::Bool(a == b))
            }
            _ => self.compute(node),
        }
    }

    fn compute(&mut self, node: &'a Node) -> Result<Value<'a>, Fault> {
        let int = match node {
            Node::Arith(op, a, b) => {
                let (a, b) = (self.int(a)?, self.int(b)?);
                arith(*op, a, b)?
            }
            Node::Neg(a) => self.int(a)?.checked_neg().ok_or_else(overflow)?,
            Node::Abs(a) => self.int(a)?.checked_abs().ok_or_else(overflow)?,
            Node::Size(list) => match self.eval(list)? {
                Value::Ints(list) => list.len() as i64,
                Value::Codes(list) => list.len() as i64,
                _ => return Err(mistyped()),
            },
            Node::Hour(minute) => self.local(minute)?.rem_euclid(1_440) / 60,
            // The first of January 1970 was a Thursday.
            Node::Weekday(minute) => (self.local(minute)?.div_euclid(1_440) + 3).rem_euclid(7) + 1,
            Node::Tier(list, n) => {
                let Value::Ints(list) = self.eval(list)? else { return Err(mistyped()) };
                self.spend(list.len())?;
                let n = self.int(n)?;
                let reached = list.chunks_exact(2).filter(|tier| i64::from(tier[0]) <= n);
                reached.max_by_key(|tier| tier[0]).map_or(0, |tier| tier[1].into())
            }
            Node::In(item, list) => return self.contains(item, list),
            Node::Each(quantifier, list, each) => return self.each(*quantifier, list, each),
            _ => return Err(mistyped()),
        };
        Ok(Value::Int(int))
    }

    fn contains(&mut self, item: &'a Node, list: &'a Node) -> Result<Value<'a>, Fault> {
        let item = self.eval(item)?;
        let list = self.eval(list)?;
        let found = match (item, list) {
            (Value::Int(n), Value::Ints(list)) => {
                self.spend(list.len())?;
                list.iter().any(|&other| i64::from(other) == n)
            }
            (Value::Code(code), Value::Codes(list)) => {
                self.spend(list.len())?;
                list.iter().any(|other| other == code)
            }
            _ => return Err(mistyped()),
        };
        Ok(Value::Bool(found))
    }

    /// As in CEL, the one answer that decides outweighs a fact that is missing on the other side.
    fn logic(&mut self, a: &'a Node, b: &'a Node, decisive: bool) -> Result<Value<'a>, Fault> {
        let first = match self.bool(a) {
            Ok(yes) if yes == decisive => return Ok(Value::Bool(decisive)),
            Ok(_) => None,
            Err(fault @ Fault::OutOfFuel { .. }) => return Err(fault),
            Err(fault) => Some(fault),
        };
        match (self.bool(b)?, first) {
            (yes, _) if yes == decisive => Ok(Value::Bool(decisive)),
            (_, Some(fault)) => Err(fault),
            (_, None) => Ok(Value::Bool(!decisive)),
        }
    }

    /// Walks a list; inside, [`Node::Item`] is its item.
    fn each(&mut self, quantifier: Quantifier, list: &'a Node, each: &'a Node) -> Result<Value<'a>, Fault> {
        let list = self.eval(list)?;
        let len = match list {
            Value::Ints(list) => list.len(),
            Value::Codes(list) => list.len(),
            _ => return Err(mistyped()),
        };
        let outer = self.item;
        let (mut count, mut fault) = (0_i64, None);
        for at in 0..len {
            self.spend(1)?;
            self.item = match list {
                Value::Ints(list) => Some(Value::Int(list[at].into())),
                Value::Codes(list) => Some(Value::Code(&list[at])),
                _ => None,
            };
            let outcome = self.bool(each);
            self.item = outer;
            match outcome {
                Ok(true) if quantifier == Quantifier::Exists => return Ok(Value::Bool(true)),
                Ok(false) if quantifier == Quantifier::All => return Ok(Value::Bool(false)),
                Ok(yes) => count += i64::from(yes),
                Err(error @ Fault::OutOfFuel { .. }) => return Err(error),
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        match (fault, quantifier) {
            (Some(fault), _) => Err(fault),
            (None, Quantifier::Exists) => Ok(Value::Bool(false)),
            (None, Quantifier::All) => Ok(Value::Bool(true)),
            (None, Quantifier::Count) => Ok(Value::Int(count)),
        }
    }

    fn optional(&mut self, node: &'a Node) -> Result<Option<Value<'a>>, Fault> {
        match node {
            Node::Fact(var, _) => Ok(self.view.get(*var)),
            Node::Answer(key, ty) => {
                self.spend(self.view.answers.len())?;
                let found = self.view.answers.iter().find(|answer: &&Setting| answer.key == *key);
                // An answer of another kind than the document expects is as good as none.
                Ok(found.map(|answer| of_setting(&answer.value)).filter(|value| type_of(value) == *ty))
            }
            _ => self.eval(node).map(Some),
        }
    }

    fn amount(&mut self, asset: &str, amounts: &[crate::types::Amount]) -> Result<Value<'a>, Fault> {
        self.spend(amounts.len())?;
        let found = amounts.iter().find(|amount| amount.asset == asset);
        Ok(Value::Int(found.map_or(0, |amount| amount.value.into())))
    }

    fn local(&mut self, minute: &'a Node) -> Result<i64, Fault> {
        self.int(minute)?.checked_add(self.view.ctx.utc_offset_min.into()).ok_or_else(overflow)
    }
}

fn arith(op: Arith, a: i64, b: i64) -> Result<i64, Fault> {
    match op {
        Arith::Add => a.checked_add(b),
        Arith::Sub => a.checked_sub(b),
        Arith::Mul => a.checked_mul(b),
        Arith::Div if b == 0 => return Err(Fault::Trap("division by zero".to_owned())),
        Arith::Rem if b == 0 => return Err(Fault::Trap("division by zero".to_owned())),
        Arith::Div => a.checked_div(b),
        Arith::Rem => a.checked_rem(b),
        Arith::Min => Some(a.min(b)),
        Arith::Max => Some(a.max(b)),
    }
    .ok_or_else(overflow)
}

pub(super) fn saturate(n: i64) -> i32 {
    i32::try_from(n).unwrap_or(if n < 0 { i32::MIN } else { i32::MAX })
}

fn overflow() -> Fault {
    Fault::Trap("a number exceeds 64 bits".to_owned())
}

/// Unreachable after the type check; a fault all the same, never a panic.
fn mistyped() -> Fault {
    Fault::Trap("a value is of another type than was checked".to_owned())
}

fn missing(node: &Node) -> Fault {
    let code = match node {
        Node::Fact(_, missing) => (*missing).to_owned(),
        Node::Answer(key, _) => key.clone(),
        _ => String::new(),
    };
    Fault::Refused(Refusal::MissingFact(code))
}

fn of_setting(value: &SettingValue) -> Value<'_> {
    match value {
        SettingValue::Flag(yes) => Value::Bool(*yes),
        SettingValue::Number(n) => Value::Int((*n).into()),
        SettingValue::Choice(code) => Value::Code(code),
        SettingValue::Numbers(list) => Value::Ints(list),
        SettingValue::Codes(list) => Value::Codes(list),
    }
}

fn type_of(value: &Value<'_>) -> Ty {
    match value {
        Value::Bool(_) => Ty::Bool,
        Value::Int(_) => Ty::Int,
        Value::Code(_) => Ty::Code,
        Value::Ints(_) => Ty::Ints,
        Value::Codes(_) => Ty::Codes,
    }
}
