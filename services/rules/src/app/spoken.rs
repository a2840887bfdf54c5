//! What the engine says in the words of the contract. Never: a decision.

use linli_kernel::Lang;
use linli_proto::common;
use linli_proto::rules as pb;

use crate::domain::said::Said;
use crate::engine::deliberation::{Share, Thresholds};
use crate::engine::types::{Amount, Reason, Verdict};
use crate::engine::{Outcome, Plugin};

/// An answer in short, for a receipt.
pub(super) fn verdict(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Eligibility(Verdict::NeedsApproval(reason)) => format!("needs-approval: {}", reason.code),
        Outcome::Eligibility(Verdict::Deny(reason)) => format!("deny: {}", reason.code),
        Outcome::Priority(scores) => format!("{} scores", scores.len()),
        Outcome::Award(awards) => format!("{} grants", awards.len()),
        Outcome::Track(choice) => format!("track {}", choice.track),
        other => Said::of(other).what,
    }
}

/// A plugin's reason in both languages, and in the reader's.
pub(super) fn reason(plugin: &Plugin, reason: &Reason, lang: Lang) -> common::Reason {
    let text = |lang: Lang| plugin.manifest().render(reason, lang.tag());
    common::Reason {
        code: reason.code.clone(),
        args: reason.args.clone(),
        message: text(lang),
        text: Some(common::Text { zh_cn: text(Lang::ZhCn), en: text(Lang::En) }),
    }
}

pub(super) fn amount(amount: &Amount) -> common::Amount {
    common::Amount { asset: amount.asset.clone(), value: amount.value.into() }
}

pub(super) fn thresholds(held: &Thresholds) -> pb::Thresholds {
    let ratio = |share: Share| pb::Ratio {
        numerator: i32::try_from(share.numerator).unwrap_or(i32::MAX),
        denominator: i32::try_from(share.denominator).unwrap_or(i32::MAX),
        exclusive: share.exclusive,
    };
    pb::Thresholds {
        quorum: held.quorum.map(ratio),
        pass: held.pass.map(ratio),
        open_hours: i32::try_from(held.open_hours).unwrap_or(i32::MAX),
    }
}
