//! M45 积分 (新和) and every community's thanks for service: how many hearts, flowers or points a volunteer gets for an event.
//! Never: thanks to whoever merely took part, and never more than the host's cap.

use linli_plugin_sdk::prelude::*;

const ASSET: Choice = Choice::new("asset", &["hearts", "flowers", "points"]);
const PER_EVENT: Number = Number::new("per-event", 1, 0, 10_000);
const PER_HOUR: Number = Number::new("per-hour", 0, 0, 10_000);
const KINDS: Codes = Codes::new("kinds", &["shift-completed"], 32);
const MAX_PER_EVENT: Number = Number::new("max-per-event", 10, 1, 100_000);

const THANKS: &str = "thanks-for-service";

/// The thanks rule.
#[derive(Debug)]
pub struct Thanks;

impl Rule for Thanks {
    fn manifest() -> Manifest {
        Manifest::new(
            text("志愿服务答谢规则", "Thanks to volunteers"),
            text("按次数和时长答谢志愿者。", "Per event and per hour of service, for volunteers."),
        )
        .choice(&ASSET, text("答谢方式", "Asset"), text("爱心、红花或积分。", "Hearts, flowers or points."))
        .number(&PER_EVENT, text("每次", "Per event"), text("每次服务的数量。", "The amount per event."))
        .number(&PER_HOUR, text("每小时", "Per hour"), text("每满一小时的数量。", "The amount per full hour."))
        .codes(&KINDS, text("事件类型", "Event kinds"), text("哪些事件算服务。", "Events that count as service."))
        .number(&MAX_PER_EVENT, text("单次上限", "Most per event"), text("一次最多多少。", "The most for one event."))
        .message(THANKS, text("感谢服务 {0} 分钟", "Thanks for {0} minutes of service"))
    }
}

impl PointsAward for Thanks {
    fn grant(ctx: Context, req: AwardRequest) -> Result<Vec<Award>, Refusal> {
        let settings = Settings::of(&ctx);
        let served = req.event.role == "volunteer" && settings.codes_contain(&KINDS, &req.event.kind);
        let asset = settings.choice(&ASSET);
        // An asset without a cap may not be granted for this event.
        let Some(cap) = req.caps.iter().find(|cap| cap.asset == asset) else { return Ok(vec![]) };
        let value = earned(&settings, req.event.minutes).min(cap.value);
        if !served || value <= 0 {
            return Ok(vec![]);
        }
        Ok(vec![Award {
            to: req.actor.handle,
            amount: amount(asset, value),
            why: reason(THANKS, [i32::try_from(req.event.minutes).unwrap_or(i32::MAX)]),
        }])
    }
}

/// So much for coming and so much for each full hour, up to the community's own limit.
fn earned(settings: &Settings<'_>, minutes: u32) -> i32 {
    let hours = i32::try_from(minutes / 60).unwrap_or(i32::MAX);
    let by_the_hour = settings.number(&PER_HOUR).saturating_mul(hours);
    settings.number(&PER_EVENT).saturating_add(by_the_hour).min(settings.number(&MAX_PER_EVENT))
}

linli_plugin_sdk::export!(Thanks: award);
