//! M93 大事大议、小事小议、急事快议 (富强): a topic's track by urgency, cost and households; stricter thresholds for big matters.
//! Never: laxer than law and charter; the host sees to that, and an urgent matter saves time only where the law leaves it.

use linli_plugin_sdk::prelude::*;

const BIG_COST_FEN: Number = Number::new("big-cost-fen", 1_000_000, 0, i32::MAX);
const BIG_HOUSEHOLDS: Number = Number::new("big-households", 50, 1, 100_000);
const BIG_HOURS: Number = Number::new("big-hours", 168, 1, 2_160);
const SMALL_HOURS: Number = Number::new("small-hours", 72, 1, 2_160);
const URGENT_HOURS: Number = Number::new("urgent-hours", 24, 1, 2_160);

const BIG: &str = "track-big";
const SMALL: &str = "track-small";
const URGENT: &str = "track-urgent";
const BY_COST: &str = "big-by-cost";
const BY_HOUSEHOLDS: &str = "big-by-households";
const IS_SMALL: &str = "small-matter";
const IS_URGENT: &str = "urgent-matter";
const TIGHTENED: &str = "big-thresholds";

/// The rule of three tracks.
#[derive(Debug)]
pub struct Tracks;

impl Rule for Tracks {
    fn manifest() -> Manifest {
        let hours = text("至少公开表决多少小时。", "Hours for which voting is open at least.");
        Manifest::new(
            text("三事分议", "Three tracks"),
            text("大事大议、小事小议、急事快议。", "Big matters at length, small ones briefly, urgent ones fast."),
        )
        .number(
            &BIG_COST_FEN,
            text("大事金额（分）", "Big cost (fen)"),
            text("达到即为大事。", "From this cost on a matter is big."),
        )
        .number(
            &BIG_HOUSEHOLDS,
            text("大事户数", "Big in households"),
            text("涉及达到此户数即为大事。", "From so many households on a matter is big."),
        )
        .number(&BIG_HOURS, text("大事时长", "Hours, big"), hours)
        .number(&SMALL_HOURS, text("小事时长", "Hours, small"), hours)
        .number(&URGENT_HOURS, text("急事时长", "Hours, urgent"), hours)
        .message(BY_COST, text("金额达 {0} 分，大事大议", "From {0} fen on a matter is big"))
        .message(BY_HOUSEHOLDS, text("涉及 {0} 户以上，大事大议", "From {0} households on a matter is big"))
        .message(IS_SMALL, text("小事小议", "A small matter"))
        .message(IS_URGENT, text("急事快议", "An urgent matter"))
        .message(TIGHTENED, text("大事须三分之二参与、三分之二同意", "Two thirds take part and two thirds agree"))
    }
}

impl Track for Tracks {
    fn choose(ctx: Context, req: TrackRequest) -> Result<TrackChoice, Refusal> {
        let settings = Settings::of(&ctx);
        let (cost, many) = (settings.number(&BIG_COST_FEN), settings.number(&BIG_HOUSEHOLDS));
        let households = req.topic.affected_households.unwrap_or(0);
        let (track, why) = if req.topic.tags.iter().any(|tag| tag == "urgent") {
            (URGENT, reason(IS_URGENT, []))
        } else if req.topic.cost_fen.is_some_and(|fen| fen >= cost) {
            (BIG, reason(BY_COST, [cost]))
        } else if households >= many.unsigned_abs() {
            (BIG, reason(BY_HOUSEHOLDS, [many]))
        } else {
            (SMALL, reason(IS_SMALL, []))
        };
        if !req.tracks.iter().any(|offered| offered == track) {
            return Err(Refusal::Unsupported(track.to_owned()));
        }
        Ok(TrackChoice { track: track.to_owned(), why })
    }
}

impl Thresholds for Tracks {
    fn tighten(ctx: Context, req: ThresholdsRequest) -> Result<Tightened, Refusal> {
        let settings = Settings::of(&ctx);
        let two_thirds = Share { numerator: 2, denominator: 3, exclusive: false };
        let mut thresholds = req.lawful;
        let (hours, why) = match req.track.as_str() {
            BIG => {
                thresholds.quorum = Some(two_thirds);
                thresholds.pass = Some(two_thirds);
                (settings.number(&BIG_HOURS), vec![reason(TIGHTENED, [])])
            }
            URGENT => (settings.number(&URGENT_HOURS), vec![]),
            _ => (settings.number(&SMALL_HOURS), vec![]),
        };
        // The stricter of the two, for each; the host compares once more.
        thresholds.open_hours = thresholds.open_hours.max(hours.unsigned_abs());
        Ok(Tightened { thresholds, why })
    }
}

linli_plugin_sdk::export!(Tracks: track, thresholds);
