//! M48 义修小屋 (新和): home repairs by the neighbourhood's handymen: what is taken on, for how many points, and in which order.
//! Never: who comes and when; those belong to the schedule.

use linli_plugin_sdk::prelude::*;

const TRADES: Codes = Codes::new("trades", &["water", "electricity", "appliance"], 16);
const BASE_POINTS: Number = Number::new("base-points", 10, 0, 10_000);
const URGENT_POINTS: Number = Number::new("urgent-points", 5, 0, 10_000);
const ELDER_AGE: Number = Number::new("elder-age", 70, 0, 120);
const FREE_FOR_ELDERS: Flag = Flag::new("free-for-elders", true);

const TRADE_NOT_OFFERED: &str = "trade-not-offered";
const MAJOR_WORK: &str = "major-work";
const BASE: &str = "base-price";
const URGENT: &str = "urgent-surcharge";
const ELDER_FREE: &str = "free-for-elders";

/// The repairs rule.
#[derive(Debug)]
pub struct Repairs;

impl Rule for Repairs {
    fn manifest() -> Manifest {
        Manifest::new(
            text("便民维修规则", "Home repairs"),
            text(
                "按工种受理，大修须审批，急修和长者优先。",
                "Taken on by trade; major work needs approval; urgent jobs and elders first.",
            ),
        )
        .fact(Fact::Age)
        .fact(Fact::Tags)
        .fact(Fact::Answers)
        .codes(
            &TRADES,
            text("受理工种", "Trades"),
            text("问题 trade 的可选项。", "Answers to the question trade that are taken on."),
        )
        .number(
            &BASE_POINTS,
            text("基本积分", "Base points"),
            text("报价无底价时使用。", "Used where the offering has no base price."),
        )
        .number(
            &URGENT_POINTS,
            text("急修加收", "Urgent surcharge"),
            text("急修另加的积分。", "Points added for an urgent job."),
        )
        .number(
            &ELDER_AGE,
            text("长者年龄", "Elder age"),
            text("满此周岁算长者。", "From this age on a person is an elder."),
        )
        .flag(&FREE_FOR_ELDERS, text("长者免费", "Free for elders"), text("长者不收积分。", "Elders pay no points."))
        .message(TRADE_NOT_OFFERED, text("不受理此工种", "This trade is not offered"))
        .message(MAJOR_WORK, text("大修须社区审批", "Major work needs the community's approval"))
        .message(BASE, text("基本 {0} 积分", "Base price of {0} points"))
        .message(URGENT, text("急修加收 {0} 积分", "Urgent, {0} points more"))
        .message(ELDER_FREE, text("{0} 周岁以上免费", "Free from {0} years on"))
    }
}

impl Eligibility for Repairs {
    fn decide(ctx: Context, req: EligibilityRequest) -> Result<Verdict, Refusal> {
        let answers = Settings::new(&req.answers);
        let trade = answers.answer_choice("trade").ok_or_else(|| Refusal::MissingFact("trade".to_owned()))?;
        if !Settings::of(&ctx).codes_contain(&TRADES, trade) {
            return Ok(Verdict::Deny(reason(TRADE_NOT_OFFERED, [])));
        }
        if answers.answer_flag("major") == Some(true) {
            return Ok(Verdict::NeedsApproval(reason(MAJOR_WORK, [])));
        }
        Ok(Verdict::Allow)
    }
}

impl Price for Repairs {
    fn quote(ctx: Context, req: PriceRequest) -> Result<Terms, Refusal> {
        let settings = Settings::of(&ctx);
        let (price, why) = if settings.flag(&FREE_FOR_ELDERS) && is_elder(&settings, &req.who) {
            (0, vec![reason(ELDER_FREE, [settings.number(&ELDER_AGE)])])
        } else {
            let base = if req.base.value > 0 { req.base.value } else { settings.number(&BASE_POINTS) };
            let surcharge = if is_urgent(&req.answers) { settings.number(&URGENT_POINTS) } else { 0 };
            let mut why = vec![reason(BASE, [base])];
            if surcharge > 0 {
                why.push(reason(URGENT, [surcharge]));
            }
            (base.saturating_add(surcharge), why)
        };
        let price = price.min(req.ceiling.value).max(req.floor.value);
        Ok(Terms { price: amount(&req.base.asset, price), why })
    }
}

impl Priority for Repairs {
    fn prioritise(ctx: Context, req: PriorityRequest) -> Result<Vec<i32>, Refusal> {
        let settings = Settings::of(&ctx);
        Ok(req.queue.iter().map(|waiting| score(&settings, waiting)).collect())
    }
}

/// Urgent before everything, then elders, then those who live alone.
fn score(settings: &Settings<'_>, waiting: &Waiting) -> i32 {
    let mut score = 0;
    if is_urgent(&waiting.answers) {
        score += 1_000;
    }
    if is_elder(settings, &waiting.who) {
        score += 100;
    }
    if has_tag(&waiting.who, "living-alone") {
        score += 50;
    }
    score
}

fn is_urgent(answers: &[Setting]) -> bool {
    Settings::new(answers).answer_flag("urgent") == Some(true)
}

fn is_elder(settings: &Settings<'_>, who: &Member) -> bool {
    who.age_years.is_some_and(|age| i32::from(age) >= settings.number(&ELDER_AGE))
}

linli_plugin_sdk::export!(Repairs: eligibility, price, priority);
