//! The hostile corpus: where its attacks come from. `tests/hostile/corpus` has those that can be written down, a file
//! for each kind, as `;;; what it does | world of its hook | how it ends`; the others are made here.
//! Never: an attack that a well-behaved author could not tell from a mistake; each is to end in its own typed way.

use std::fmt::Write as _;
use std::fs;

use linli_rules_engine::deliberation::{ThresholdsRequest, TrackRequest};
use linli_rules_engine::types::{
    Amount, AwardRequest, Context, EligibilityRequest, Member, PriceRequest, PriorityRequest, Slot, Waiting,
};
use linli_rules_engine::{Caps, Engine, Hook, LoadError, Plugin, Question};

use crate::support::{component, root, wit};

/// One attack, and how it is to end: `unacceptable`, `table`, `compile`, `manifest`, `describe: FAULT`, `check-settings: FAULT`, a
/// fault's code, or `answers` where the harm lies in what does not happen.
pub(crate) struct Attack {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) end: String,
}

/// Every attack.
pub(crate) fn attacks() -> Vec<Attack> {
    let mut all = Vec::new();
    for file in ["endless", "growth", "traps", "answers", "manifests", "state", "features"] {
        all.extend(written(file).into_iter().map(|(head, body)| {
            let [name, world, end] = head.as_slice() else { panic!("{file}: {head:?} has three parts") };
            Attack { name: name.clone(), bytes: guest(world, &body), end: end.clone() }
        }));
    }
    all.extend(written("components").into_iter().map(|(head, body)| {
        let [name, end] = head.as_slice() else { panic!("components: {head:?} has two parts") };
        let bytes = wat::parse_str(&body).unwrap_or_else(|error| panic!("{name}: {error}"));
        Attack { name: name.clone(), bytes, end: end.clone() }
    }));
    all.extend(bombs().into_iter().chain(forgeries()).map(|(name, end, bytes)| Attack {
        name: name.to_owned(),
        bytes,
        end: end.to_owned(),
    }));
    all
}

/// A guest that harms nobody.
pub(crate) fn neighbour() -> Vec<u8> {
    guest("award-rule", HARMLESS)
}

/// How a plugin ends: as [`Attack::end`] says it.
pub(crate) fn end_of(engine: &Engine, bytes: &[u8]) -> String {
    let plugin = match engine.load(bytes) {
        Ok(plugin) => plugin,
        Err(LoadError::Unacceptable(_)) => return "unacceptable".to_owned(),
        Err(LoadError::Compile(_)) => return "compile".to_owned(),
        Err(LoadError::Manifest(_)) => return "manifest".to_owned(),
        Err(LoadError::Table(_)) => return "table".to_owned(),
        Err(LoadError::Describe(fault)) => return format!("describe: {}", fault.code()),
    };
    if let Err(fault) = engine.check_settings(&plugin, &[]) {
        return format!("check-settings: {}", fault.code());
    }
    // Twice, so that what it remembers would show.
    let ends = [(); 2].map(|()| answer_of(engine, &plugin));
    let [first, second] = ends;
    assert_eq!(first, second, "the second call differs from the first");
    first
}

fn answer_of(engine: &Engine, plugin: &Plugin) -> String {
    let hook = plugin.hooks().next().expect("a hook");
    match engine.evaluate(plugin, &Context::default(), &question(hook)) {
        Ok(_) => "answers".to_owned(),
        Err(fault) => fault.code().to_owned(),
    }
}

fn question(hook: Hook) -> Question {
    let hearts = |value| Amount { asset: "hearts".to_owned(), value };
    let who = Member { handle: 1, tags: vec!["living-alone".to_owned()], ..Member::default() };
    match hook {
        Hook::Eligibility => Question::Eligibility(EligibilityRequest::default()),
        Hook::Price => Question::Price(PriceRequest {
            who,
            balances: vec![],
            used: None,
            slot: Slot::default(),
            answers: vec![],
            base: hearts(1),
            floor: hearts(0),
            ceiling: hearts(9),
        }),
        Hook::Priority => {
            let queue = vec![Waiting { who, ..Waiting::default() }; 2];
            Question::Priority(PriorityRequest { queue, ..PriorityRequest::default() })
        }
        Hook::Award => Question::Award(AwardRequest { actor: who, caps: vec![hearts(9)], ..AwardRequest::default() }),
        Hook::Track => Question::Track(TrackRequest { tracks: vec!["small".to_owned()], ..TrackRequest::default() }),
        Hook::Thresholds => Question::Thresholds(ThresholdsRequest::default()),
    }
}

const HARMLESS: &str =
    r#"(func (export "linli:rules/points-award@1.0.0#grant") (param i32) (result i32) (i32.const 64))"#;

type Made = (&'static str, &'static str, Vec<u8>);

/// Those that are to break the compiler, or whoever waits for it.
fn bombs() -> Vec<Made> {
    let with = |text: String| guest("award-rule", &format!("{text} {HARMLESS}"));
    let many = |count: usize, one: &str| one.repeat(count);
    let body = |instructions: String| format!("(func (param i32) (result i32) {instructions} (local.get 0))");
    let mut deep = "(block ".repeat(8_000);
    deep.push_str(&")".repeat(8_000));
    let table = format!("(block (br_table {} (local.get 0)))", "0 ".repeat(31_000));
    let component = |text: String| wat::parse_str(format!("(component (core module (func)) {text})")).expect("text");
    let chain = |count: usize, link: &dyn Fn(usize) -> String| (0..count).fold(String::new(), |s, n| s + &link(n));
    vec![
        (
            "one huge function",
            "unacceptable",
            with(body(many(8_000, "(local.set 0 (i32.mul (local.get 0) (i32.const 77777)))"))),
        ),
        ("a table of branches that fills a function", "answers", with(body(table))),
        (
            "a table of branches larger than a function",
            "unacceptable",
            with(body(format!("(block (br_table {} (local.get 0)))", "0 ".repeat(40_000)))),
        ),
        ("blocks in blocks", "answers", with(body(deep))),
        ("more locals than anybody needs", "unacceptable", with(format!("(func (local {}))", many(50_000, "i64 ")))),
        ("two thousand and more functions", "unacceptable", with(many(2_001, "(func)"))),
        (
            "more types than anybody needs",
            "unacceptable",
            with(chain(4_100, &|n| format!("(type (func (param {})))", "i32 ".repeat(n % 60)))),
        ),
        ("more globals than anybody needs", "unacceptable", with(many(1_100, "(global i32 (i32.const 0))"))),
        ("more data segments than anybody needs", "unacceptable", with(many(1_100, "(data (i32.const 3000) \"x\")"))),
        ("more data than anybody needs", "unacceptable", with(format!("(data \"{}\")", many(300_000, "x")))),
        (
            "more element segments than anybody needs",
            "unacceptable",
            with(format!("(table 1 funcref) {}", many(1_100, "(elem func)"))),
        ),
        ("hundreds of modules", "unacceptable", component(many(300, "(core module (func))"))),
        (
            "hundreds of instances",
            "unacceptable",
            component(format!("(core module $m (func)) {}", many(900, "(core instance (instantiate $m))"))),
        ),
        ("hundreds of nested components", "unacceptable", component(many(300, "(component)"))),
        (
            "types in types in types",
            "unacceptable",
            component(format!("(type $t0 (list u8)) {}", chain(600, &|n| format!("(type $t{} (list $t{n}))", n + 1)))),
        ),
        (
            "types that double and double",
            "unacceptable",
            component(format!(
                "(type $t0 (tuple u8 u8)) {}",
                chain(40, &|n| format!("(type $t{} (tuple $t{n} $t{n}))", n + 1))
            )),
        ),
        (
            "a chain of aliases",
            "unacceptable",
            component(format!(
                "(instance $i0) {}",
                chain(900, &|n| format!("(instance $i{} (export \"x\" (instance $i{n})))", n + 1))
            )),
        ),
    ]
}

/// Those that are not what they say.
fn forgeries() -> Vec<Made> {
    let whole = neighbour();
    let custom = |name: &str, content: &[u8]| {
        let name_len = u8::try_from(name.len()).expect("short");
        let section = [&[name_len], name.as_bytes(), content].concat();
        [whole.as_slice(), &[0], &leb(section.len()), &section].concat()
    };
    let magic = |from: usize, to: &[u8]| [&whole[..from], to, &whole[from + to.len()..]].concat();
    let garbled = |step: usize| {
        whole.iter().enumerate().map(|(at, byte)| if at > 8 && at % step == 0 { byte ^ 0x55 } else { *byte }).collect()
    };
    vec![
        ("a table of one key", "table", b"linli: table/1".to_vec()),
        ("a table that refers to itself", "table", b"linli: table/1\nrules: &r\n  booking-price: *r\n".to_vec()),
        (
            "a table as deep as a mine",
            "table",
            format!("linli: {}{}", "[".repeat(20_000), "]".repeat(20_000)).into_bytes(),
        ),
        ("an expression as deep as a mine", "table", table(&format!("{}1{}", "(".repeat(20_000), ")".repeat(20_000)))),
        ("an expression that divides by zero", "trap", table("1 / (party - party)")),
        ("an expression without an end", "table", table("1 +")),
        ("nothing at all", "unacceptable", Vec::new()),
        ("four bytes of it", "unacceptable", whole[..4].to_vec()),
        ("half of it", "unacceptable", whole[..whole.len() / 2].to_vec()),
        ("all but the last byte", "unacceptable", whole[..whole.len() - 1].to_vec()),
        ("itself twice", "unacceptable", [whole.as_slice(), &whole].concat()),
        ("another version of the format", "unacceptable", magic(4, &[0xff])),
        ("every seventh byte garbled", "unacceptable", garbled(7)),
        ("every thousandth byte garbled", "unacceptable", garbled(1_000)),
        (
            "a section that claims four thousand million bytes",
            "unacceptable",
            [&whole[..8], &[1, 0xff, 0xff, 0xff, 0xff, 0x0f]].concat(),
        ),
        ("noise", "unacceptable", (0..4_096_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()),
        ("names that are none", "answers", custom("name", &[0xff; 64])),
        ("producers that are none", "answers", custom("producers", &[0xff; 64])),
        ("a type of its own making", "answers", custom("component-type:award-rule", &[0xff; 64])),
        ("compiled code among its sections", "answers", custom(".wasmtime.engine", b"\x7fELF")),
        ("a custom section as large as a film", "unacceptable", custom("film", &vec![0; Caps::native().bytes])),
        ("a file as large as a film", "unacceptable", vec![0; Caps::MAX_BYTES + 1]),
        ("compiled code instead of a component", "unacceptable", b"\x7fELF\x02\x01\x01\x00".repeat(64)),
    ]
}

/// A table whose one condition compares an expression.
fn table(expression: &str) -> Vec<u8> {
    let text = "{zh-CN: 甲, en: a}";
    format!(
        "linli: table/1\ntitle: {text}\nsummary: {text}\nrules:\n  booking-eligibility:\n    - {{when: \"{expression} == 1\", then: allow}}\n"
    )
    .into_bytes()
}

fn leb(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        bytes.push(if value == 0 { low } else { low | 0x80 });
        if value == 0 {
            return bytes;
        }
    }
}

/// The sections of a file of the corpus: the parts of the head line, and the text.
fn written(file: &str) -> Vec<(Vec<String>, String)> {
    let path = root().join(format!("tests/hostile/corpus/{file}.wat"));
    let text = fs::read_to_string(path).expect("the corpus is in the repository");
    let mut sections: Vec<(Vec<String>, String)> = Vec::new();
    for line in text.lines() {
        if let Some(head) = line.strip_prefix(";;; ") {
            sections.push((head.split('|').map(|part| part.trim().to_owned()).collect(), String::new()));
        } else if let Some((_, body)) = sections.last_mut() {
            writeln!(body, "{line}").expect("a string");
        }
    }
    sections
}

/// The skeleton's parts, without those that the body brings itself.
fn guest(world: &str, body: &str) -> Vec<u8> {
    let marks = [("memory", "(memory (export"), ("data", "\u{0}"), ("cabi_realloc", "\"cabi_realloc\"")];
    let marks = marks.into_iter().chain([("describe", "#describe\""), ("check-settings", "#check-settings\"")]);
    let parts = written("skeleton");
    let part = |name: &str| parts.iter().find(|(head, _)| head[0] == name).map(|(_, text)| text.as_str());
    let own: String = marks.filter(|(_, mark)| !body.contains(mark)).filter_map(|(name, _)| part(name)).collect();
    component(&format!("(module {own} {body})"), &wit(), world)
}
