//! Recounts: each invariant as a query for what was looked at, and one for what breaks it.

use linli_kernel::Timestamp;
use linli_kit::Result;
use linli_kit::store::Store;

use super::finders::all;
use super::rows::get;

/// Violations named at most.
const MOST: usize = 100;
/// How long after its time a hold may still stand: the timer looks twice a second, but the clock may have jumped.
const GRACE_US: i64 = 60 * 1_000_000;

/// One invariant. In its statements `$1` is the area; `$2`, where it occurs, the instant before which holds must be over;
/// `$3` the one since which receipts are kept.
pub(crate) struct Check {
    /// Its stable id.
    pub(crate) id: &'static str,
    /// What it says, in Chinese and English.
    pub(crate) title: (&'static str, &'static str),
    /// Counts what is looked at, as `n`.
    count: &'static str,
    /// Queries of what breaks it, each row a text `what`.
    broken: &'static [&'static str],
}

/// What a recount found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Rows or groups looked at.
    pub(crate) checked: i64,
    /// What breaks the invariant.
    pub(crate) violations: Vec<String>,
}

/// All invariants, in a stable order.
pub(crate) const CHECKS: [Check; 7] = [
    Check {
        id: "points.zero-sum",
        title: ("每笔转账借贷相抵，每种积分合计为零", "The entries of each transfer and of each asset sum to zero"),
        count: "SELECT count(*) AS n FROM transfer WHERE area = $1",
        broken: &[
            "SELECT t.asset || ': ' || CAST(SUM(e.value) AS text) AS what FROM entry e \
             JOIN transfer t ON t.area = e.area AND t.id = e.transfer_id WHERE e.area = $1 \
             GROUP BY t.asset HAVING SUM(e.value) <> 0",
            "SELECT a.account || ' in ' || CAST(COUNT(*) AS text) || ' entries of a transfer' AS what FROM \
             (SELECT e.transfer_id, MIN(e.account) AS account, COUNT(*) AS n, SUM(e.value) AS total, MAX(e.value) AS most \
              FROM entry e WHERE e.area = $1 GROUP BY e.transfer_id) a \
             LEFT JOIN transfer t ON t.area = $1 AND t.id = a.transfer_id \
             WHERE a.n <> 2 OR a.total <> 0 OR t.value IS NULL OR t.value <> a.most GROUP BY a.account",
            "SELECT 'a transfer of ' || t.asset || ' without two entries' AS what FROM transfer t WHERE t.area = $1 AND \
             (SELECT COUNT(*) FROM entry e WHERE e.area = t.area AND e.transfer_id = t.id) <> 2",
        ],
    },
    Check {
        id: "points.balances-recomputed",
        title: (
            "余额等于分录之和，逐笔相连",
            "A balance is the sum of its entries, and each entry continues the one before",
        ),
        count: "SELECT count(*) AS n FROM account WHERE area = $1",
        broken: &[
            "SELECT a.asset || '.' || a.holder || ': ' || CAST(a.balance AS text) AS what FROM account a \
             WHERE a.area = $1 AND a.balance <> COALESCE((SELECT SUM(e.value) FROM entry e \
             WHERE e.area = a.area AND e.account = a.asset || '.' || a.holder), 0)",
            "SELECT c.account || ' at ' || CAST(c.seq AS text) AS what FROM (SELECT account, seq, balance_after, \
             SUM(value) OVER (PARTITION BY account ORDER BY seq) AS running FROM entry WHERE area = $1) c \
             WHERE c.running <> c.balance_after",
            "SELECT a.asset || '.' || a.holder || ' below zero: ' || CAST(a.balance - a.held AS text) AS what FROM account a \
             WHERE a.area = $1 AND a.holder <> 'issuance' AND a.balance < a.held",
            "SELECT DISTINCT e.account || ' has entries and no account' AS what FROM entry e WHERE e.area = $1 AND NOT EXISTS \
             (SELECT 1 FROM account a WHERE a.area = e.area AND a.asset || '.' || a.holder = e.account)",
        ],
    },
    Check {
        id: "points.holds",
        title: (
            "冻结数等于未结冻结之和，到期即退",
            "Held units are those of the placed holds, and holds fall back in time",
        ),
        count: "SELECT count(*) AS n FROM hold WHERE area = $1",
        broken: &[
            "SELECT a.asset || '.' || a.holder || ': ' || CAST(a.held AS text) AS what FROM account a WHERE a.area = $1 AND \
             a.held <> COALESCE((SELECT SUM(h.value) FROM hold h WHERE h.area = a.area AND h.state = 1 AND \
             h.asset = a.asset AND h.from_holder = a.holder), 0)",
            "SELECT h.asset || '.' || h.from_holder || ' holds past its time: ' || CAST(h.value AS text) AS what FROM hold h \
             WHERE h.area = $1 AND h.state = 1 AND h.expires_us < $2",
            "SELECT 'a captured hold of ' || h.asset || '.' || h.from_holder || ' without its transfer' AS what FROM hold h \
             LEFT JOIN transfer t ON t.area = h.area AND t.id = h.transfer_id \
             WHERE h.area = $1 AND h.state = 2 AND (t.value IS NULL OR t.value > h.value)",
        ],
    },
    Check {
        id: "points.stock",
        title: (
            "兑换数不超过供应数，与兑换记录相符",
            "Redeemed pieces are those of the redemptions and never more than supplied",
        ),
        count: "SELECT count(*) AS n FROM reward_stock WHERE area = $1",
        broken: &[
            "SELECT s.reward || ': ' || CAST(s.redeemed AS text) AS what FROM reward_stock s WHERE s.area = $1 AND \
             (s.redeemed > s.supplied OR s.redeemed <> COALESCE((SELECT SUM(r.quantity) FROM redemption r \
             WHERE r.area = s.area AND r.reward = s.reward AND r.reversed_by IS NULL), 0))",
            "SELECT 'a redemption of ' || r.reward || ' stands and its payment does not' AS what FROM redemption r \
             JOIN transfer t ON t.area = r.area AND t.id = r.transfer_id WHERE r.area = $1 AND \
             (t.reversed_by IS NULL) <> (r.reversed_by IS NULL)",
        ],
    },
    Check {
        id: "points.cards",
        title: (
            "卡上的印章等于奖励所盖，满卡恰好盖满",
            "A card's units are those that awards put on it, and a full card is exactly full",
        ),
        count: "SELECT count(*) AS n FROM card WHERE area = $1",
        broken: &[
            "SELECT c.holder || ' ' || c.card_type || ': ' || CAST(c.stamps AS text) AS what FROM card c WHERE c.area = $1 AND \
             (c.stamps <> COALESCE((SELECT SUM(s.units) FROM card_stamp s WHERE s.area = c.area AND s.card_id = c.id), 0) \
             OR (c.state = 1 AND c.stamps >= c.needed) OR (c.state IN (2, 3) AND c.stamps <> c.needed) OR (c.state = 4 AND c.stamps <> 0))",
            "SELECT c.holder || ' ' || c.card_type || ' redeemed without a redemption, or the reverse' AS what FROM card c \
             WHERE c.area = $1 AND (c.state = 3) <> EXISTS (SELECT 1 FROM redemption r \
             WHERE r.area = c.area AND r.card_id = c.id AND r.reversed_by IS NULL)",
            "SELECT a.recipient || ' keeps stamps of an award that was reversed' AS what FROM award a \
             JOIN transfer t ON t.area = a.area AND t.id = a.transfer_id WHERE a.area = $1 AND t.reversed_by IS NOT NULL \
             AND COALESCE((SELECT SUM(s.units) FROM card_stamp s \
             WHERE s.area = a.area AND s.cause_id IN (a.id, t.reversed_by)), 0) <> 0",
        ],
    },
    Check {
        id: "points.award-once",
        title: (
            "同一事由、同一规则、同一人只奖励一次",
            "At most one award per event, binding, recipient and asset, each with its transfer",
        ),
        count: "SELECT count(*) AS n FROM award WHERE area = $1",
        broken: &[
            "SELECT event_id || ' ' || recipient AS what FROM award WHERE area = $1 \
             GROUP BY event_id, award_binding, recipient, asset HAVING COUNT(*) > 1",
            "SELECT a.event_id || ' ' || a.recipient || ' without its transfer' AS what FROM award a \
             LEFT JOIN transfer t ON t.area = a.area AND t.id = a.transfer_id \
             WHERE a.area = $1 AND (t.value IS NULL OR t.value <> a.value OR t.to_holder <> a.recipient)",
            "SELECT 'a transfer of kind award without an award: ' || t.to_holder AS what FROM transfer t \
             WHERE t.area = $1 AND t.kind = 4 AND NOT EXISTS \
             (SELECT 1 FROM award a WHERE a.area = t.area AND a.transfer_id = t.id)",
        ],
    },
    Check {
        id: "points.award-has-receipt",
        title: ("每次奖励都有凭据", "Every award has its receipt, for as long as receipts are kept"),
        count: "SELECT count(*) AS n FROM award WHERE area = $1",
        broken: &[
            "SELECT a.event_id || ' ' || a.recipient || ' without a receipt' AS what FROM award a WHERE a.area = $1 \
             AND a.created_us >= $3 AND NOT EXISTS (SELECT 1 FROM award_receipt r WHERE r.area = a.area AND r.award_id = a.id)",
            "SELECT r.event_id || ' ' || r.recipient || ' names another award' AS what FROM award_receipt r \
             LEFT JOIN award a ON a.area = r.area AND a.id = r.award_id WHERE r.area = $1 AND r.award_id IS NOT NULL \
             AND (a.event_id IS NULL OR a.event_id <> r.event_id OR a.recipient <> r.recipient)",
        ],
    },
];

/// Recounts one invariant in these areas.
pub(crate) async fn run(
    store: &Store,
    check: &Check,
    areas: &[String],
    (now, kept): (Timestamp, Timestamp),
) -> Result<Found> {
    let mut found = Found::default();
    for area in areas {
        let counted = all(store, check.count, [area.as_str().into()]).await?;
        found.checked += counted.first().map_or(Ok(0), |row| get::<i64>(row, "n"))?;
        for sql in check.broken {
            let kept_only = sql.contains("$3");
            let mut values = vec![area.as_str().into()];
            // SQLite and PostgreSQL take parameters by their number; those that a statement does not name are not bound.
            let sql = &sql.replace("$3", "$2");
            if sql.contains("$2") {
                let at = if kept_only { kept.micros() } else { now.micros() - GRACE_US };
                values.push(at.into());
            }
            for row in all(store, &format!("{sql} LIMIT {MOST}"), values).await? {
                found.violations.push(format!("areas/{area}: {}", get::<String>(&row, "what")?));
            }
        }
    }
    found.violations.truncate(MOST);
    Ok(found)
}
