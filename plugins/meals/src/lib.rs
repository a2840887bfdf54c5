//! M63, M80 社区食堂: the elders' canteen: who may order, until when, and what the meal costs after the subsidy.
//! Never: menus or the kitchen's capacity; those belong to the offering.

use linli_plugin_sdk::prelude::*;

const MIN_AGE: Number = Number::new("min-age", 80, 0, 120);
const NEED_CODES: Codes = Codes::new("need-codes", &["living-alone", "hardship"], 16);
const CUT_OFF_MIN: Number = Number::new("cut-off-min", 120, 0, 10_080);
/// From age, subsidy, from age, subsidy...: the tier with the greatest age that was reached counts.
const TIERS: Numbers = Numbers::new("subsidy-tiers", &[60, 200, 70, 400, 80, 800], 16);
const HARDSHIP_SUBSIDY: Number = Number::new("hardship-subsidy", 1_000, 0, 100_000);
const DELIVERY_FEE: Number = Number::new("delivery-fee", 200, 0, 100_000);

const NOT_ELIGIBLE: &str = "not-eligible";
const TOO_LATE: &str = "too-late";
const SUBSIDY: &str = "subsidy";
const DELIVERY: &str = "delivery";
const TIERS_NOT_PAIRS: &str = "tiers-not-pairs";

/// The meals rule.
#[derive(Debug)]
pub struct Meals;

impl Rule for Meals {
    fn manifest() -> Manifest {
        Manifest::new(
            text("长者食堂规则", "Elders' canteen"),
            text(
                "高龄、独居或困难居民可订餐，按年龄补贴。",
                "For the very old, those alone and those in hardship; subsidised by age.",
            ),
        )
        .fact(Fact::Age)
        .fact(Fact::Tags)
        .fact(Fact::Answers)
        .number(&MIN_AGE, text("订餐年龄", "Age"), text("满此周岁可订餐。", "From this age on anybody may order."))
        .codes(
            &NEED_CODES,
            text("照顾对象", "Needs"),
            text("有这些需求的居民不限年龄。", "Registered needs that stand in for the age."),
        )
        .number(
            &CUT_OFF_MIN,
            text("截止（分钟）", "Cut-off (minutes)"),
            text("开餐前多少分钟截止。", "Minutes before the meal."),
        )
        .numbers(
            &TIERS,
            text("补贴档位（分）", "Subsidy tiers (fen)"),
            text("年龄、补贴，依次成对。", "Age and subsidy, in pairs."),
        )
        .number(
            &HARDSHIP_SUBSIDY,
            text("困难补贴（分）", "Hardship subsidy (fen)"),
            text("高于年龄档时取此数。", "Where it exceeds the tier."),
        )
        .number(
            &DELIVERY_FEE,
            text("送餐费（分）", "Delivery fee (fen)"),
            text("选择送餐时加收。", "Added for delivery."),
        )
        .message(NOT_ELIGIBLE, text("未满 {0} 周岁，也不是照顾对象", "Younger than {0} and without a registered need"))
        .message(TOO_LATE, text("须在开餐前 {0} 分钟预订", "Orders close {0} minutes before the meal"))
        .message(SUBSIDY, text("补贴 {0} 分", "Subsidy of {0} fen"))
        .message(DELIVERY, text("送餐费 {0} 分", "Delivery fee of {0} fen"))
        .message(TIERS_NOT_PAIRS, text("补贴档位须成对，且不为负", "Subsidy tiers come in pairs and are not negative"))
    }

    fn check(settings: &Settings<'_>) -> Vec<(&'static str, Reason)> {
        let tiers = settings.numbers(&TIERS);
        let sound = tiers.len().is_multiple_of(2) && tiers.iter().all(|&n| n >= 0);
        if sound { vec![] } else { vec![("subsidy-tiers", reason(TIERS_NOT_PAIRS, []))] }
    }
}

impl Eligibility for Meals {
    fn decide(ctx: Context, req: EligibilityRequest) -> Result<Verdict, Refusal> {
        let settings = Settings::of(&ctx);
        let cut_off = settings.number(&CUT_OFF_MIN);
        if ctx.now.saturating_add(cut_off.unsigned_abs()) > req.slot.starts {
            return Ok(Verdict::Deny(reason(TOO_LATE, [cut_off])));
        }
        if req.who.tags.iter().any(|need| settings.codes_contain(&NEED_CODES, need)) {
            return Ok(Verdict::Allow);
        }
        let min_age = settings.number(&MIN_AGE);
        if age_of(&req.who)? >= min_age {
            return Ok(Verdict::Allow);
        }
        Ok(Verdict::Deny(reason(NOT_ELIGIBLE, [min_age])))
    }
}

impl Price for Meals {
    fn quote(ctx: Context, req: PriceRequest) -> Result<Terms, Refusal> {
        let settings = Settings::of(&ctx);
        let subsidy = subsidy(&settings, &req.who)?;
        let mut price = req.base.value.saturating_sub(subsidy).max(0);
        let mut why = Vec::new();
        if subsidy > 0 {
            why.push(reason(SUBSIDY, [subsidy]));
        }
        if Settings::new(&req.answers).answer_choice("mode") == Some("delivery") {
            let fee = settings.number(&DELIVERY_FEE);
            price = price.saturating_add(fee);
            why.push(reason(DELIVERY, [fee]));
        }
        let price = price.min(req.ceiling.value).max(req.floor.value);
        Ok(Terms { price: amount(&req.base.asset, price), why })
    }
}

/// The greater of the age tier and the hardship subsidy.
fn subsidy(settings: &Settings<'_>, who: &Member) -> Result<i32, Refusal> {
    let hardship = if has_tag(who, "hardship") { settings.number(&HARDSHIP_SUBSIDY) } else { 0 };
    if who.age_years.is_none() && hardship > 0 {
        return Ok(hardship);
    }
    let age = age_of(who)?;
    let tiers = settings.numbers(&TIERS).chunks_exact(2);
    let tier = tiers.filter(|tier| tier[0] <= age).max_by_key(|tier| tier[0]).map_or(0, |tier| tier[1]);
    Ok(tier.max(hardship))
}

linli_plugin_sdk::export!(Meals: eligibility, price);
