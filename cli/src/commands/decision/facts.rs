//! Facts of a receipt in words. Never: a pseudonym, or what nobody would say aloud: versions, revisions, seeds.

use linli_kernel::Lang;
use serde_json::{Map, Value};

use super::words::time;

/// Field, Chinese, English; `{}` is the value.
const WORDS: [(&str, &str, &str); 30] = [
    ("age_years", "{} 周岁", "{} years old"),
    ("standing", "身份：{}", "standing: {}"),
    ("joined", "登记于 {}", "recorded on {}"),
    ("roles", "职务：{}", "offices: {}"),
    ("tags", "标记：{}", "marks: {}"),
    ("open", "还有 {} 个未到的预约", "{} bookings still ahead"),
    ("this_week", "本周已约 {} 次", "{} this week"),
    ("this_month", "本月已约 {} 次", "{} this month"),
    ("no_shows", "近 90 天爽约 {} 次", "{} no-shows in 90 days"),
    ("offering", "项目：{}", "offering: {}"),
    ("kind", "类别：{}", "kind: {}"),
    ("start", "开始：{}", "begins {}"),
    ("length_min", "时长 {} 分钟", "takes {} minutes"),
    ("capacity", "名额 {} 个", "{} seats"),
    ("taken", "已占 {} 个", "{} of them taken"),
    ("party", "{} 人同来", "{} people come"),
    ("base", "原价 {}", "price without rules: {}"),
    ("floor", "最低 {}", "at least {}"),
    ("ceiling", "最高 {}", "at most {}"),
    ("queue", "候补共 {} 人", "{} people wait"),
    ("minutes", "服务 {} 分钟", "{} minutes served"),
    ("role", "角色：{}", "as {}"),
    ("quantity", "数量 {}", "quantity {}"),
    ("score", "他人评分 {}", "others' score {}"),
    ("cap", "上限 {}", "at most {}"),
    ("source", "来源：{}", "came from {}"),
    ("affected_households", "涉及 {} 户", "touches {} households"),
    ("cost_fen", "费用 {} 分", "costs {} fen"),
    ("eligible", "有权表决 {} 人", "{} may vote"),
    ("tracks", "可走的流程：{}", "ways that there are: {}"),
];
/// Fields that are never said.
const NEVER: [&str; 4] = ["handle", "seed", "revision", "bucket"];

/// Each fact as a short sentence; what is nothing is left out.
pub(super) fn told(facts: &Value, offset_min: i64, lang: Lang) -> Vec<String> {
    let mut told = Vec::new();
    if let Value::Object(facts) = facts {
        visit(facts, offset_min, lang, &mut told);
    }
    told
}

fn visit(facts: &Map<String, Value>, offset_min: i64, lang: Lang, told: &mut Vec<String>) {
    for (field, value) in facts {
        if NEVER.contains(&field.as_str()) {
            continue;
        }
        match (field.as_str(), value) {
            (_, Value::Null) => {}
            ("balances" | "caps", Value::Array(all)) => {
                let amounts: Vec<String> = all.iter().map(amount).collect();
                if !amounts.is_empty() {
                    told.push(say("余额：{}", "balances: {}", &amounts.join(", "), lang));
                }
            }
            ("answers", Value::Array(all)) => {
                told.extend(all.iter().filter_map(answer).map(|answer| say("答复：{}", "answered: {}", &answer, lang)));
            }
            (_, Value::Object(inner)) if inner.contains_key("asset") => word(field, &amount(value), lang, told),
            (_, Value::Object(inner)) => visit(inner, offset_min, lang, told),
            ("start" | "joined" | "start_time", Value::Number(at)) => {
                word(field, &time(at.as_i64().unwrap_or(0), offset_min), lang, told);
            }
            (_, value) => {
                let text = plain(value);
                let unknown = text == "0" && unknown_when_zero(field);
                if !text.is_empty() && !unknown {
                    word(field, &text, lang, told);
                }
            }
        }
    }
}

/// In receipts a fact that was not asked for stands as zero, where zero says nothing of a person.
fn unknown_when_zero(field: &str) -> bool {
    ["age_years", "joined", "length_min", "capacity"].contains(&field)
}

fn word(field: &str, value: &str, lang: Lang, told: &mut Vec<String>) {
    if let Some((_, chinese, english)) = WORDS.iter().find(|(name, ..)| *name == field) {
        told.push(say(chinese, english, value, lang));
    }
}

fn say(chinese: &str, english: &str, value: &str, lang: Lang) -> String {
    let pattern = if lang == Lang::ZhCn { chinese } else { english };
    pattern.replace("{}", value)
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Array(all) => all.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Null | Value::Object(_) => String::new(),
    }
}

fn amount(value: &Value) -> String {
    format!("{} {}", plain(&value["value"]), plain(&value["asset"]))
}

fn answer(value: &Value) -> Option<String> {
    let said = ["flag", "number", "choice"].iter().map(|form| &value[form]).find(|said| !said.is_null())?;
    Some(format!("{} = {}", plain(&value["key"]), plain(said)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn facts_are_said_and_what_was_not_asked_for_is_not() {
        let facts = json!({
            "who": {"age_years": 0, "standing": "", "tags": [], "handle": 5, "joined": null},
            "used": {"this_month": 0}, "balances": [{"asset": "hearts", "value": 3}],
            "answers": [{"key": "urgent", "flag": true}, {"key": "sealed"}], "slot": {"start": 1_780_272_000},
        });
        let told = told(&facts, 480, Lang::En);
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(told.contains(&"answered: urgent = true".to_owned()), "{told:?}");
        assert!(
            told.contains(&"0 this month".to_owned()) && told.contains(&"begins 2026-06-01 08:00".to_owned()),
            "{told:?}"
        );
    }
}
