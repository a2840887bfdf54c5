//! M09 义剪 (新华、金埠街、新和): free haircuts at the compound: who may book one, and who goes first.
//! Never: opening hours or seats; those belong to the offering.

use linli_plugin_sdk::prelude::*;

const ELDER_AGE: Number = Number::new("elder-age", 70, 0, 120);
const PER_MONTH: Number = Number::new("per-month", 1, 1, 31);
const ELDERS_FIRST: Flag = Flag::new("elders-first", true);
const MAX_NO_SHOWS: Number = Number::new("max-no-shows", 0, 0, 100);

const ALREADY_THIS_MONTH: &str = "already-this-month";
const TOO_MANY_NO_SHOWS: &str = "too-many-no-shows";

/// How much a registered need moves its holder up the queue: more than any number of years.
const NEEDS: [(&str, i32); 2] = [("disability", 400), ("living-alone", 200)];

/// The haircut rule.
#[derive(Debug)]
pub struct Haircut;

impl Rule for Haircut {
    fn manifest() -> Manifest {
        Manifest::new(
            text("义剪规则", "Free haircuts"),
            text("每人每月限次，长者优先。", "So many per person and month; elders go first."),
        )
        .fact(Fact::Age)
        .fact(Fact::Tags)
        .fact(Fact::Usage)
        .number(
            &ELDER_AGE,
            text("长者年龄", "Elder age"),
            text("满此周岁算长者。", "From this age on a person is an elder."),
        )
        .number(&PER_MONTH, text("每月次数", "Per month"), text("每人每月最多几次。", "The most per person and month."))
        .flag(
            &ELDERS_FIRST,
            text("长者优先", "Elders first"),
            text("候补时长者排在前面。", "Elders lead the waitlist."),
        )
        .number(
            &MAX_NO_SHOWS,
            text("爽约上限", "No-show limit"),
            text("爽约达到此数不能再约；0 表示不限。", "From this many no-shows on, no booking; 0 means no limit."),
        )
        .message(ALREADY_THIS_MONTH, text("本月已约 {0} 次，上限 {1} 次", "{0} this month already, the limit is {1}"))
        .message(TOO_MANY_NO_SHOWS, text("已爽约 {0} 次，上限 {1} 次", "{0} no-shows, the limit is {1}"))
    }
}

impl Eligibility for Haircut {
    fn decide(ctx: Context, req: EligibilityRequest) -> Result<Verdict, Refusal> {
        let settings = Settings::of(&ctx);
        let used = usage_of(&req.used)?;

        let no_shows = i32::from(used.no_shows);
        let max_no_shows = settings.number(&MAX_NO_SHOWS);
        if max_no_shows > 0 && no_shows >= max_no_shows {
            return Ok(Verdict::Deny(reason(TOO_MANY_NO_SHOWS, [no_shows, max_no_shows])));
        }
        // Counts what is open and what was served in the month of the slot; bookings of other months do not matter.
        let count = i32::from(used.this_month);
        let limit = settings.number(&PER_MONTH);
        if count >= limit {
            return Ok(Verdict::Deny(reason(ALREADY_THIS_MONTH, [count, limit])));
        }
        Ok(Verdict::Allow)
    }
}

impl Priority for Haircut {
    fn prioritise(ctx: Context, req: PriorityRequest) -> Result<Vec<i32>, Refusal> {
        let settings = Settings::of(&ctx);
        Ok(req.queue.iter().map(|waiting| score(&settings, &waiting.who)).collect())
    }
}

/// Elders by age before everybody else; among the others, and among elders, needs lift.
fn score(settings: &Settings<'_>, who: &Member) -> i32 {
    let age = i32::from(who.age_years.unwrap_or(0));
    let elder = settings.flag(&ELDERS_FIRST) && age >= settings.number(&ELDER_AGE);
    let needs: i32 = NEEDS.iter().filter(|(need, _)| has_tag(who, need)).map(|(_, lift)| lift).sum();
    needs + if elder { 1_000 + age } else { 0 }
}

linli_plugin_sdk::export!(Haircut: eligibility, priority);
