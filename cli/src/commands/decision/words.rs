//! A decision in plain words, Chinese and English. Never: JSON, fuel or digests.

use std::collections::HashMap;

use chrono::{DateTime, FixedOffset};
use linli_kernel::Lang;

use super::{Decision, Part, facts};

/// What is said about one decision.
pub(super) fn read_out(decision: &Decision, titles: &HashMap<String, String>, lang: Lang) -> String {
    let zh = lang == Lang::ZhCn;
    let pick = |chinese: &str, english: &str| if zh { chinese.to_owned() } else { english.to_owned() };
    let offset = decision.facts["utc_offset_min"].as_i64().unwrap_or(480);
    let mut lines = vec![
        format!("{}  {}", time(decision.time, offset), decision.about),
        format!("{}{}", pick("问：", "Asked: "), asked(&decision.hook, lang)),
    ];
    let known = facts::told(&decision.facts["facts"], offset, lang);
    if known.is_empty() {
        lines.push(pick("依据：没有用到个人情况。", "Known: nothing about anybody was used."));
    } else {
        lines.push(pick("当时所知：", "Known then:"));
        lines.extend(known.iter().map(|fact| format!("  - {fact}")));
    }
    lines.push(format!("{}{}", pick("答：", "Answer: "), verdict(&decision.verdict, lang)));
    for reason in &decision.reasons {
        let text = if reason.message.is_empty() { &reason.code } else { &reason.message };
        lines.push(format!("  {}{text}", pick("因为：", "because: ")));
    }
    for rule in &decision.rules {
        lines.push(format!("  {}", part(rule, titles, lang)));
    }
    if decision.rules.is_empty() {
        lines.push(pick("  没有规则参与。", "  No rule took part."));
    }
    lines.join("\n")
}

fn part(rule: &Part, titles: &HashMap<String, String>, lang: Lang) -> String {
    let area = rule.binding.split("/ruleBindings/").next().unwrap_or_default();
    let or = |key: &str, other: &str| titles.get(key).cloned().unwrap_or_else(|| other.to_owned());
    let title = or(&rule.version, rule.binding.rsplit('/').next().unwrap_or_default());
    let (owner, said) = (or(area, area), verdict(&rule.verdict, lang));
    match (lang, rule.shadow) {
        (Lang::ZhCn, false) => format!("规则“{title}”（{owner}）：{said}"),
        (Lang::ZhCn, true) => format!("规则“{title}”（{owner}）：{said}（仅试行观察，未采纳）"),
        (Lang::En, false) => format!("rule \"{title}\" of {owner}: {said}"),
        (Lang::En, true) => format!("rule \"{title}\" of {owner}: {said} (on trial only, not obeyed)"),
    }
}

fn asked(hook: &str, lang: Lang) -> &str {
    let (chinese, english) = match hook {
        "booking-eligibility" => ("能不能预约？", "May this be booked?"),
        "booking-price" => ("要付多少？", "What does it cost?"),
        "booking-priority" => ("候补排在谁前面？", "Where on the waitlist?"),
        "booking-promotion" => ("空出的位子给不给？", "Does the freed seat go to this booking?"),
        "booking-approval" => ("经人审核同意吗？", "Does a person approve?"),
        "points-award" => ("该给多少感谢？", "What thanks does this earn?"),
        "deliberation-track" => ("走哪条议事流程？", "Which way does this topic go?"),
        "deliberation-thresholds" => ("表决要过什么门槛？", "What must this ballot reach?"),
        other => (other, other),
    };
    if lang == Lang::ZhCn { chinese } else { english }
}

/// A verdict in words; a price, a score, a track or an amount says itself.
fn verdict(verdict: &str, lang: Lang) -> String {
    let zh = lang == Lang::ZhCn;
    if let Some(fault) = verdict.strip_prefix("fault") {
        let fault = fault.trim_start_matches([':', ' ']);
        return if zh { format!("没有给出答复（{fault}）") } else { format!("gave no answer ({fault})") };
    }
    let (chinese, english) = match verdict {
        "allow" | "approved" => ("可以", "yes"),
        "deny" | "refused" => ("不可以", "no"),
        "needs-approval" => ("须有人审核", "a person must approve"),
        "abstain" => ("没有意见", "nothing to say"),
        "nothing" => ("不发放", "nothing"),
        "" => ("未记录", "not recorded"),
        other => return other.to_owned(),
    };
    if zh { chinese.to_owned() } else { english.to_owned() }
}

/// An instant at the place's own offset.
pub(super) fn time(seconds: i64, offset_min: i64) -> String {
    let utc = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    let offset = i32::try_from(offset_min * 60).ok().and_then(FixedOffset::east_opt);
    offset.map_or_else(|| utc.to_string(), |offset| utc.with_timezone(&offset).format("%Y-%m-%d %H:%M").to_string())
}

#[cfg(test)]
mod tests {
    use linli_proto::common::Reason;
    use serde_json::json;

    use super::*;

    fn denied() -> Decision {
        let part = |verdict: &str, shadow| Part {
            binding: "areas/x/ruleBindings/haircut".into(),
            version: "areas/x/pluginVersions/pv-1".into(),
            verdict: verdict.into(),
            shadow,
        };
        Decision {
            hook: "booking-eligibility".into(),
            about: "areas/x/bookings/bkg-1".into(),
            verdict: "deny".into(),
            reasons: vec![Reason { code: "quota".into(), message: "1 this month already".into(), ..Reason::default() }],
            rules: vec![part("deny", false), part("allow", true)],
            facts: json!({"utc_offset_min": 480, "facts": {"who": {"age_years": 75, "tags": ["living-alone"], "handle": 9},
                "used": {"this_month": 1, "open": 0}}}),
            time: 1_780_272_000,
        }
    }

    #[test]
    fn a_decision_is_read_out_in_words_and_shadow_was_not_obeyed() {
        let titles = HashMap::from([
            ("areas/x/pluginVersions/pv-1".to_owned(), "Free haircuts".to_owned()),
            ("areas/x".to_owned(), "Xinhua".to_owned()),
        ]);
        let told = read_out(&denied(), &titles, Lang::En);
        for wanted in [
            "2026-06-01 08:00  areas/x/bookings/bkg-1",
            "Asked: May this be booked?",
            "75 years old",
            "Answer: no",
            "because: 1 this month already",
            "rule \"Free haircuts\" of Xinhua: no",
            "yes (on trial only, not obeyed)",
        ] {
            assert!(told.contains(wanted), "{wanted} is missing in\n{told}");
        }
        assert!(!told.contains('{') && !told.contains("handle"), "no JSON, no pseudonym: {told}");
    }

    #[test]
    fn the_same_is_read_out_in_chinese() {
        let told = read_out(&denied(), &HashMap::new(), Lang::ZhCn);
        assert!(told.contains("问：能不能预约？") && told.contains("未采纳") && told.contains("75 周岁"), "{told}");
    }

    #[test]
    fn a_fault_is_said_as_no_answer() {
        assert_eq!(verdict("fault: out-of-fuel", Lang::En), "gave no answer (out-of-fuel)");
        assert_eq!(verdict("700 cny-fen", Lang::ZhCn), "700 cny-fen");
    }
}
