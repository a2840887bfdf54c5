//! Free haircuts at the compound: who may book one, and who goes first.
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

#[cfg(test)]
mod tests {
    use super::*;
    use linli_plugin_sdk::testing::{context, flag, member, member_with_tags, number, slot, usage};

    fn decide(settings: Vec<Setting>, used: Option<Usage>) -> Result<Verdict, Refusal> {
        let slot = slot("haircut", 120);
        let req = EligibilityRequest { who: member(75), balances: vec![], used, slot, party: 1, answers: vec![] };
        Haircut::decide(context(settings), req)
    }

    fn scores(settings: Vec<Setting>, queue: Vec<Member>) -> Vec<i32> {
        let queue = queue.into_iter().map(|who| Waiting { who, since: 0, used: None, answers: vec![] }).collect();
        Haircut::prioritise(context(settings), PriorityRequest { slot: slot("haircut", 120), queue }).unwrap()
    }

    #[test]
    fn the_first_haircut_of_a_month_is_allowed() {
        assert_eq!(decide(vec![], Some(usage(0, 0, 0))), Ok(Verdict::Allow));
    }

    #[test]
    fn the_second_haircut_of_a_month_is_denied_and_open_ones_of_other_months_do_not_count() {
        let denied = Ok(Verdict::Deny(reason(ALREADY_THIS_MONTH, [1, 1])));
        assert_eq!(decide(vec![], Some(usage(1, 0, 0))), denied);
        assert_eq!(decide(vec![], Some(usage(0, 1, 0))), Ok(Verdict::Allow));
        assert_eq!(decide(vec![number("per-month", 2)], Some(usage(1, 0, 0))), Ok(Verdict::Allow));
    }

    #[test]
    fn no_shows_count_only_where_the_community_sets_a_limit() {
        assert_eq!(decide(vec![], Some(usage(0, 0, 9))), Ok(Verdict::Allow));
        let denied = Ok(Verdict::Deny(reason(TOO_MANY_NO_SHOWS, [3, 3])));
        assert_eq!(decide(vec![number("max-no-shows", 3)], Some(usage(0, 0, 3))), denied);
    }

    #[test]
    fn without_the_usage_there_is_no_decision() {
        assert_eq!(decide(vec![], None), Err(Refusal::MissingFact("usage".to_owned())));
    }

    #[test]
    fn elders_go_first_by_age_and_needs_lift() {
        let queue = vec![member(40), member(71), member(90), member_with_tags(40, &["living-alone"])];
        let scores = scores(vec![], queue);
        assert!(scores[2] > scores[1] && scores[1] > scores[3] && scores[3] > scores[0], "{scores:?}");
    }

    #[test]
    fn where_elders_do_not_go_first_age_does_not_count() {
        assert_eq!(scores(vec![flag("elders-first", false)], vec![member(40), member(90)]), [0, 0]);
    }
}
