//! The invariants of points, recounted from the rows.

use std::sync::Arc;

use linli_access::Within;
use linli_kernel::{Lang, Timestamp};
use linli_kit::{Ctx, Result, check};
use linli_proto::common::{InvariantCheck, VerifyInvariantsRequest, VerifyInvariantsResponse};

use super::App;
use crate::store::receipts;
use crate::store::verify::{self, CHECKS};

/// Receipts of an area that are opened, the newest.
const RECEIPTS: i64 = 1000;

impl App {
    pub(crate) async fn verify(
        &self,
        ctx: Arc<Ctx>,
        request: VerifyInvariantsRequest,
    ) -> Result<VerifyInvariantsResponse> {
        let area = check::list_parent(&request.parent)?;
        let scope = self.access.scope(&ctx, area.as_ref())?;
        let whole = scope.areas.into_iter().filter(|(_, within)| *within == Within::All);
        let areas: Vec<String> = whole.map(|(area, _)| area).collect();
        let now = ctx.now();
        let kept = i64::try_from(self.parts.retention.receipts.as_micros()).unwrap_or(i64::MAX);
        let kept = Timestamp::from_micros(now.micros().saturating_sub(kept));
        let mut checks = Vec::with_capacity(CHECKS.len());
        for check in &CHECKS {
            let found = verify::run(&self.parts.store, check, &areas, (now, kept)).await?;
            let (zh, en) = check.title;
            checks.push(InvariantCheck {
                invariant: check.id.to_owned(),
                title: if ctx.lang == Lang::En { en } else { zh }.to_owned(),
                checked: found.checked,
                violations: found.violations,
            });
        }
        checks.push(self.verify_receipts(&ctx, &areas).await?);
        Ok(VerifyInvariantsResponse { checks })
    }

    /// The newest receipts of each area can be read.
    async fn verify_receipts(&self, ctx: &Ctx, areas: &[String]) -> Result<InvariantCheck> {
        let title = if ctx.lang == Lang::En { "Every receipt can be read" } else { "每份凭据都可以解读" };
        let mut check = InvariantCheck {
            invariant: "points.receipts-open".to_owned(),
            title: title.to_owned(),
            ..InvariantCheck::default()
        };
        for area in areas {
            for row in receipts::newest(&self.parts.store, area, RECEIPTS).await? {
                check.checked += 1;
                if self.open_award_receipt(&row).is_err() {
                    check.violations.push(format!("areas/{area}/awardReceipts/{}: cannot be read", row.id));
                }
            }
        }
        check.violations.truncate(100);
        Ok(check)
    }
}
