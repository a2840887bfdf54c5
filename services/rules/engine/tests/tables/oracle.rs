//! The `cel` crate's own interpreter as the judge: what both can evaluate, both answer alike.

use linli_rules_engine::types::Verdict;

use crate::support::*;

struct Chance(u32);

impl Chance {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 % bound
    }

    fn int(&mut self, depth: u32) -> String {
        if depth == 0 {
            return ["party", "who.age_years", "now", "0", "1", "7", "-3", "2147483647"][self.below(8) as usize]
                .to_owned();
        }
        let (a, b) = (self.int(depth - 1), self.int(depth - 1));
        match self.below(7) {
            0 => format!("({a} + {b})"),
            1 => format!("({a} - {b})"),
            2 => format!("({a} * {b})"),
            3 => format!("({a} / {b})"),
            4 => format!("({a} % {b})"),
            5 => format!("({} ? {a} : {b})", self.bool(depth - 1)),
            _ => "size(who.tags)".to_owned(),
        }
    }

    fn bool(&mut self, depth: u32) -> String {
        if depth == 0 {
            let leaves = [
                "true",
                "false",
                "\"pilot\" in who.tags",
                "who.tags.exists(t, t == \"hardship\")",
                "who.tags.all(t, t != \"pilot\")",
                "slot.kind == \"meal\"",
                "party in [1, 2]",
            ];
            return format!("({})", leaves[self.below(7) as usize]);
        }
        match self.below(5) {
            0 => format!("({} && {})", self.bool(depth - 1), self.bool(depth - 1)),
            1 => format!("({} || {})", self.bool(depth - 1), self.bool(depth - 1)),
            2 => format!("!{}", self.bool(depth - 1)),
            _ => {
                let op = ["<", "<=", ">", ">=", "==", "!="][self.below(6) as usize];
                format!("({} {op} {})", self.int(depth - 1), self.int(depth - 1))
            }
        }
    }
}

#[test]
fn expressions_answer_as_the_interpreter_of_the_cel_crate_does() {
    let mut chance = Chance(0x2545_f491);
    let (mut yes, mut no, mut failed) = (0, 0, 0);
    for _ in 0..1_500 {
        let text = chance.bool(3);
        // Longer ones are refused before they are parsed.
        if text.len() > 160 {
            continue;
        }
        let age = chance.below(100) as u8;
        let tags: &[&str] = [&[][..], &["pilot"], &["pilot", "hardship"]][chance.below(3) as usize];
        let mut req = request(person(Some(age), tags));
        req.slot.kind = ["meal", "haircut"][chance.below(2) as usize].to_owned();

        let mut context = cel::Context::default();
        let who = std::collections::HashMap::from([
            ("age_years".to_owned(), cel::Value::from(i64::from(age))),
            ("tags".to_owned(), cel::Value::from(tags.iter().map(|&tag| tag.to_owned()).collect::<Vec<String>>())),
        ]);
        let slot = std::collections::HashMap::from([("kind".to_owned(), cel::Value::from(req.slot.kind.clone()))]);
        context.add_variable("who", cel::Value::from(who)).unwrap();
        context.add_variable("slot", cel::Value::from(slot)).unwrap();
        context.add_variable("party", i64::from(req.party)).unwrap();
        context.add_variable("now", i64::from(crate::support::context().now)).unwrap();
        let judged = cel::Program::compile(&text).unwrap().execute(&context);

        match (judged, decide(&table(&when(&text)), &req)) {
            (Ok(cel::Value::Bool(true)), Ok(Verdict::Allow)) => yes += 1,
            (Ok(cel::Value::Bool(false)), Ok(Verdict::Abstain)) => no += 1,
            (Err(_), Err(_)) => failed += 1,
            (judged, ours) => panic!("{text}: the crate says {judged:?}, we say {ours:?}"),
        }
    }
    assert!(yes > 50 && no > 50 && failed > 10, "{yes} {no} {failed}");
}
