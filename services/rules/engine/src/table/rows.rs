//! The rows of a hook: conditions and what comes of them.
//! Never: evaluates one.

use super::cells;
use super::compile::Names;
use super::document::{known, map, scalar};
use super::expr::Node as Expr;
use super::facts::Ty;
use super::parse::expression;
use super::problem::{Place, Problems, TableCode, shorten};
use super::yaml::{self, Cell, Node};
use crate::Hook;
use crate::deliberation::Share;
use crate::manifest::Manifest;

const MAX_ROWS: usize = 500;
const MAX_ARGS: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Allow,
    Deny,
    NeedsApproval,
    Abstain,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Output {
    Verdict(Then),
    Number(Expr),
    Award { asset: Expr, amount: Expr },
    Track(Expr),
    Thresholds { quorum: Option<Share>, pass: Option<Share>, open_hours: Option<Expr> },
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) line: u32,
    pub(super) when: Vec<Expr>,
    pub(super) output: Output,
    pub(super) reason: Option<String>,
    pub(super) args: Vec<Expr>,
}

impl Row {
    /// Every expression of the row.
    pub(super) fn expressions(&self) -> Vec<&Expr> {
        let own: Vec<&Expr> = match &self.output {
            Output::Verdict(_) => Vec::new(),
            Output::Number(node) | Output::Track(node) => vec![node],
            Output::Award { asset, amount } => vec![asset, amount],
            Output::Thresholds { open_hours, .. } => open_hours.iter().collect(),
        };
        self.when.iter().chain(own).chain(&self.args).collect()
    }

    /// The same, to change them.
    pub(super) fn expressions_mut(&mut self) -> Vec<&mut Expr> {
        let own: Vec<&mut Expr> = match &mut self.output {
            Output::Verdict(_) => Vec::new(),
            Output::Number(node) | Output::Track(node) => vec![node],
            Output::Award { asset, amount } => vec![asset, amount],
            Output::Thresholds { open_hours, .. } => open_hours.iter_mut().collect(),
        };
        self.when.iter_mut().chain(own).chain(&mut self.args).collect()
    }
}

/// The rows of one hook.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rules {
    pub(super) hook: Hook,
    /// Every row that holds counts, not the first alone.
    pub(super) sum: bool,
    pub(super) rows: Vec<Row>,
}

/// A row as written: the place, and its cells under their names.
struct Written {
    at: Place,
    cells: Vec<(Cell, Vec<Cell>)>,
}

fn outputs(hook: Hook, sum: bool) -> &'static [&'static str] {
    match hook {
        Hook::Price if sum => &["add", "reason", "args"],
        Hook::Eligibility | Hook::Price | Hook::Track => &["then", "reason", "args"],
        Hook::Priority => &["then"],
        Hook::Award => &["asset", "then", "reason", "args"],
        Hook::Thresholds => &["quorum", "pass", "open-hours", "reason", "args"],
    }
}

/// Reads the rows of a hook.
pub(super) fn read(node: &Node, text: &str, names: &Names<'_>, manifest: &Manifest, problems: &mut Problems) -> Rules {
    let hook = names.hook;
    let mut rules = Rules { hook, sum: false, rows: Vec::new() };
    let mut columns: Vec<(&Cell, Option<(Expr, Ty)>)> = Vec::new();
    let rows = match node {
        Node::List(..) => Some(node),
        _ => {
            let entries = map(node, hook.code(), problems).unwrap_or_default();
            known(entries, &["hit", "columns", "rows"], problems);
            for (key, node) in entries {
                match key.text.as_str() {
                    "hit" => rules.sum = hit(node, hook, problems),
                    "columns" => {
                        for (name, node) in map(node, "columns", problems).unwrap_or_default() {
                            let cell = scalar(node, problems);
                            columns
                                .push((name, cell.and_then(|cell| expression(cell, &cell.text, 0, names, problems))));
                        }
                    }
                    _ => {}
                }
            }
            entries.iter().find(|(key, _)| key.text == "rows").map(|(_, node)| node)
        }
    };
    let Some(rows) = rows else {
        problems.push(TableCode::Missing, node.at(), "缺少 rows", "`rows` is missing; a hook needs at least one row");
        return rules;
    };
    let outputs = outputs(hook, rules.sum);
    for (name, _) in &columns {
        if outputs.contains(&name.text.as_str()) || name.text == "when" {
            let zh = format!("“{}”是结果列的名称，请换一个", shorten(&name.text));
            let en = format!("{:?} is the name of an output; choose another", shorten(&name.text));
            problems.push(TableCode::Repeated, name.at, zh, en);
        }
    }
    let written = written(rows, text, problems);
    if written.len() > MAX_ROWS {
        let en = format!("{} rows, at most {MAX_ROWS}; move numbers into settings", written.len());
        problems.push(TableCode::TooCostly, rows.at(), format!("共 {} 行，上限 {MAX_ROWS} 行", written.len()), en);
        return rules;
    }
    for (number, row) in written.iter().enumerate() {
        problems.enter(format!("{} row {}", hook.code(), number + 1));
        let reader = Reader { names, manifest, columns: &columns, outputs, sum: rules.sum };
        rules.rows.extend(reader.row(row, problems));
    }
    if written.is_empty() {
        problems.push(TableCode::Missing, rows.at(), "没有任何行", "there is no row; a hook needs at least one");
    }
    rules
}

fn hit(node: &Node, hook: Hook, problems: &mut Problems) -> bool {
    let Some(cell) = scalar(node, problems) else { return false };
    let may_sum = matches!(hook, Hook::Price | Hook::Priority | Hook::Award);
    match cell.text.as_str() {
        "sum" if may_sum => true,
        "first" => false,
        other => {
            let allowed: &[&str] = if may_sum { &["first", "sum"] } else { &["first"] };
            problems.unknown(cell.at, ("这种命中方式", "hit policy here"), other, allowed.iter().copied());
            false
        }
    }
}

fn written(rows: &Node, text: &str, problems: &mut Problems) -> Vec<Written> {
    match rows {
        Node::List(_, items) => items.iter().filter_map(|item| written_map(item, problems)).collect(),
        Node::Scalar(cell) if cell.text.contains(',') || cell.text.contains('\n') => {
            let mut lines = yaml::csv(cell, text).into_iter();
            let header = lines.next().unwrap_or_default();
            repeated(&header, problems);
            lines.filter_map(|line| written_line(&header, line, problems)).collect()
        }
        _ => {
            let zh = "rows 应是行的列表，或 CSV 文本（先用 linli plugin build 打包文件）";
            let en = "`rows` is a list of rows or CSV text; a file name is packed in by `linli plugin build` first";
            problems.push(TableCode::BadValue, rows.at(), zh, en);
            Vec::new()
        }
    }
}

fn repeated(header: &[Cell], problems: &mut Problems) {
    for (at, cell) in header.iter().enumerate() {
        if header[..at].iter().any(|other| other.text == cell.text) {
            let name = shorten(&cell.text);
            problems.push(
                TableCode::Repeated,
                cell.at,
                format!("列“{name}”重复"),
                format!("the column {name:?} stands twice"),
            );
        }
    }
}

fn written_map(item: &Node, problems: &mut Problems) -> Option<Written> {
    let entries = map(item, "row", problems)?;
    let cells = entries.iter().filter_map(|(key, node)| match node {
        Node::List(_, items) if key.text == "args" => {
            Some((key.clone(), items.iter().filter_map(|item| scalar(item, problems).cloned()).collect()))
        }
        node => scalar(node, problems).map(|cell| (key.clone(), vec![cell.clone()])),
    });
    Some(Written { at: item.at(), cells: cells.collect() })
}

fn written_line(header: &[Cell], line: Vec<Cell>, problems: &mut Problems) -> Option<Written> {
    let at = line.first()?.at;
    if line.len() > header.len() {
        let en =
            format!("{} cells under {} columns; a cell with a comma stands in double quotes", line.len(), header.len());
        let zh = format!("有 {} 格，只有 {} 列；含逗号的格要加双引号", line.len(), header.len());
        problems.push(TableCode::BadValue, line[header.len()].at, zh, en);
        return None;
    }
    let cells = header.iter().cloned().zip(line).map(|(key, cell)| {
        let parts = if key.text == "args" { split_args(&cell) } else { vec![cell] };
        (key, parts)
    });
    Some(Written { at, cells: cells.collect() })
}

fn split_args(cell: &Cell) -> Vec<Cell> {
    let mut column = cell.at.column;
    let mut parts = Vec::new();
    for part in cell.text.split(';') {
        let leading = part.chars().take_while(|c| c.is_whitespace()).count();
        let at = Place { column: column.saturating_add(u32::try_from(leading).unwrap_or(0)), ..cell.at };
        column = column.saturating_add(u32::try_from(part.chars().count() + 1).unwrap_or(0));
        if !part.trim().is_empty() {
            parts.push(Cell { text: part.trim().to_owned(), at, ..cell.clone() });
        }
    }
    parts
}

struct Reader<'a> {
    names: &'a Names<'a>,
    manifest: &'a Manifest,
    columns: &'a [(&'a Cell, Option<(Expr, Ty)>)],
    outputs: &'static [&'static str],
    sum: bool,
}

impl Reader<'_> {
    fn row(&self, row: &Written, problems: &mut Problems) -> Option<Row> {
        let mut when = Vec::new();
        for (key, cells) in &row.cells {
            let Some(cell) = cells.first().filter(|_| !self.outputs.contains(&key.text.as_str())) else { continue };
            if key.text == "when" {
                if !is_empty(cell) {
                    when.extend(cells::typed(cell, &cell.text, Ty::Bool, self.names, problems));
                }
            } else if let Some((_, subject)) = self.columns.iter().find(|(name, _)| name.text == key.text) {
                when.extend(subject.as_ref().and_then(|subject| cells::condition(cell, subject, self.names, problems)));
            } else if let Some(subject) = self.own_column(key, problems) {
                when.extend(cells::condition(cell, &subject, self.names, problems));
            }
        }
        let output = self.output(row, problems);
        let (reason, args) = self.reason(row, problems);
        Some(Row { line: row.at.line, when, output: output?, reason, args })
    }

    /// A column that is named by its expression.
    fn own_column(&self, key: &Cell, problems: &mut Problems) -> Option<(Expr, Ty)> {
        if !key.text.contains(['.', '(', '['])
            && !super::facts::of_hook(self.names.hook).any(|known| known.path == key.text)
        {
            let known = self.columns.iter().map(|(name, _)| name.text.as_str());
            let known: Vec<&str> = known.chain(["when"]).chain(self.outputs.iter().copied()).collect();
            problems.unknown(key.at, ("这一列", "column"), &key.text, known);
            return None;
        }
        expression(key, &key.text, 0, self.names, problems)
    }

    fn cell<'a>(&self, row: &'a Written, name: &str) -> Option<&'a Cell> {
        let found = row.cells.iter().find(|(key, _)| key.text == name)?;
        found.1.first().filter(|cell| !is_empty(cell))
    }

    fn required<'a>(&self, row: &'a Written, name: &str, problems: &mut Problems) -> Option<&'a Cell> {
        let found = self.cell(row, name);
        if found.is_none() {
            problems.push(TableCode::Missing, row.at, format!("这一行缺少 {name}"), format!("the row lacks `{name}`"));
        }
        found
    }

    fn output(&self, row: &Written, problems: &mut Problems) -> Option<Output> {
        let number = |cell: &Cell, problems: &mut Problems| {
            let text = cell.text.trim().strip_prefix('=').unwrap_or(&cell.text);
            cells::typed(cell, text, Ty::Int, self.names, problems)
        };
        match self.names.hook {
            Hook::Eligibility => {
                let cell = self.required(row, "then", problems)?;
                let then = match cell.text.trim() {
                    "allow" => Then::Allow,
                    "deny" => Then::Deny,
                    "needs-approval" => Then::NeedsApproval,
                    "abstain" => Then::Abstain,
                    other => {
                        let known = ["allow", "deny", "needs-approval", "abstain"];
                        problems.unknown(cell.at, ("这种结论", "verdict"), other, known);
                        return None;
                    }
                };
                Some(Output::Verdict(then))
            }
            Hook::Price => {
                let cell = self.required(row, if self.sum { "add" } else { "then" }, problems)?;
                number(cell, problems).map(Output::Number)
            }
            Hook::Priority => number(self.required(row, "then", problems)?, problems).map(Output::Number),
            Hook::Award => {
                let asset = self
                    .required(row, "asset", problems)
                    .map(|cell| cells::code(cell, &cell.text, self.names, problems));
                let amount = self.required(row, "then", problems).map(|cell| number(cell, problems));
                Some(Output::Award { asset: asset??, amount: amount?? })
            }
            Hook::Track => {
                let cell = self.required(row, "then", problems)?;
                cells::code(cell, &cell.text, self.names, problems).map(Output::Track)
            }
            Hook::Thresholds => Some(Output::Thresholds {
                quorum: self.cell(row, "quorum").and_then(|cell| share(cell, problems)),
                pass: self.cell(row, "pass").and_then(|cell| share(cell, problems)),
                open_hours: self.cell(row, "open-hours").and_then(|cell| number(cell, problems)),
            }),
        }
    }

    fn reason(&self, row: &Written, problems: &mut Problems) -> (Option<String>, Vec<Expr>) {
        let verdict = self.cell(row, "then").map_or("", |cell| cell.text.trim());
        let needed = match self.names.hook {
            Hook::Eligibility => matches!(verdict, "deny" | "needs-approval"),
            Hook::Award | Hook::Track => true,
            Hook::Price | Hook::Priority | Hook::Thresholds => false,
        };
        let cell = if needed { self.required(row, "reason", problems) } else { self.cell(row, "reason") };
        let args = row.cells.iter().find(|(key, _)| key.text == "args").map_or(&[][..], |(_, cells)| cells);
        let args: Vec<&Cell> = args.iter().filter(|cell| !is_empty(cell)).collect();
        let Some(cell) = cell else { return (None, Vec::new()) };
        let Some(message) = self.manifest.messages.iter().find(|message| message.code == cell.text.trim()) else {
            let known = self.manifest.messages.iter().map(|message| message.code.as_str());
            problems.unknown(
                cell.at,
                ("这个原因（请写入 reasons）", "reason (declare it under `reasons`)"),
                &cell.text,
                known,
            );
            return (None, Vec::new());
        };
        let places = (0..MAX_ARGS).filter(|at| {
            let place = format!("{{{at}}}");
            message.text.zh_cn.contains(&place) || message.text.en.contains(&place)
        });
        let wanted = places.max().map_or(0, |at| at + 1);
        if wanted > args.len() || args.len() > MAX_ARGS {
            let en = format!(
                "the text of {:?} takes {wanted} values and `args` gives {} (at most {MAX_ARGS})",
                message.code,
                args.len()
            );
            let zh =
                format!("“{}”的文字要 {wanted} 个值，args 给了 {} 个（最多 {MAX_ARGS} 个）", message.code, args.len());
            problems.push(TableCode::BadValue, cell.at, zh, en);
        }
        let args = args.into_iter().filter_map(|cell| {
            let (node, ty) = expression(cell, &cell.text, 0, self.names, problems)?;
            if matches!(ty, Ty::Ints | Ty::Codes) {
                problems.push(
                    TableCode::Type,
                    cell.at,
                    "原因的值不能是列表",
                    "a value of a reason is a number, a code or yes/no, no list",
                );
            }
            Some(node)
        });
        (Some(message.code.clone()), args.collect())
    }
}

fn is_empty(cell: &Cell) -> bool {
    matches!(cell.text.trim(), "" | "-")
}

/// `2/3`, or `> 1/2` for a share that must be exceeded.
fn share(cell: &Cell, problems: &mut Problems) -> Option<Share> {
    let text = cell.text.trim();
    let (exclusive, rest) = text.strip_prefix('>').map_or((false, text), |rest| (true, rest));
    let share = rest.split_once('/').and_then(|(numerator, denominator)| {
        let (numerator, denominator) = (numerator.trim().parse().ok()?, denominator.trim().parse().ok()?);
        Some(Share { numerator, denominator, exclusive })
    });
    let sound = share.filter(|share| {
        (1..=1_000).contains(&share.denominator) && share.numerator <= share.denominator - u32::from(exclusive)
    });
    if sound.is_none() {
        let zh = "比例写作 2/3，须超过的写作 > 1/2；分母 1 至 1000";
        let en = "a share is written 2/3, or > 1/2 where it must be exceeded; the lower number is 1 to 1000";
        problems.push(TableCode::BadValue, cell.at, zh, en);
    }
    sound
}
