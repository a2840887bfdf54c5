//! M89 小红花卡 (南华): flowers for micro-grid heads, against two proofs: the check-in at the service and the community's seal.
//! Never: a flower for one proof alone; what flowers buy is the partners' business.

use linli_plugin_sdk::prelude::*;

const PER_DUTY: Number = Number::new("per-duty", 1, 1, 100);
const KINDS: Codes = Codes::new("kinds", &["shift-completed"], 32);

const HEAD: &str = "micro-grid-head";
const SEALED: &str = "sealed";
const FLOWERS: &str = "flowers";
const TWO_PROOFS: &str = "two-proofs";

/// The red-flower rule.
#[derive(Debug)]
pub struct RedFlowers;

impl Rule for RedFlowers {
    fn manifest() -> Manifest {
        Manifest::new(
            text("小红花卡", "Red-flower card"),
            text("微网格长服务打卡并盖章，得小红花。", "Flowers for micro-grid heads who checked in and got the seal."),
        )
        .fact(Fact::Roles)
        .number(&PER_DUTY, text("每次朵数", "Flowers per duty"), text("每次服务几朵。", "Flowers for one duty."))
        .codes(&KINDS, text("打卡事件", "Check-ins"), text("哪些事件是服务打卡。", "Events that are a check-in."))
        .message(TWO_PROOFS, text("服务打卡和社区盖章齐全", "Checked in and sealed by the community"))
    }
}

impl PointsAward for RedFlowers {
    fn grant(ctx: Context, req: AwardRequest) -> Result<Vec<Award>, Refusal> {
        let settings = Settings::of(&ctx);
        let checked_in = settings.codes_contain(&KINDS, &req.event.kind);
        let sealed = req.event.tags.iter().any(|tag| tag == SEALED);
        if !(has_role(&req.actor, HEAD) && checked_in && sealed) {
            return Ok(vec![]);
        }
        let cap = req.caps.iter().find(|cap| cap.asset == FLOWERS).map_or(0, |cap| cap.value);
        let flowers = settings.number(&PER_DUTY).min(cap);
        if flowers <= 0 {
            return Ok(vec![]);
        }
        Ok(vec![Award { to: req.actor.handle, amount: amount(FLOWERS, flowers), why: reason(TWO_PROOFS, []) }])
    }
}

linli_plugin_sdk::export!(RedFlowers: award);
