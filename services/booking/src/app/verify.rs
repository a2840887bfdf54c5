//! VerifyInvariants: what must hold, recounted from the rows.

use linli_access::{Target, Within};
use linli_kernel::RawId;
use linli_kit::check::list_parent;
use linli_kit::{Ctx, Result};
use linli_proto::common::{InvariantCheck, VerifyInvariantsRequest, VerifyInvariantsResponse};

use super::{App, holds};
use crate::domain::Settlement;
use crate::store;
use crate::store::verify::{self, CHECKS};

/// Violations that one invariant reports.
const MOST: usize = 100;

/// Receipts of an area that are opened, the newest.
const RECEIPTS: i64 = 1000;

impl App {
    pub(crate) async fn verify(
        &self,
        ctx: &Ctx,
        request: &VerifyInvariantsRequest,
    ) -> Result<VerifyInvariantsResponse> {
        let areas = match list_parent(&request.parent)? {
            Some(area) => {
                self.access.authorise(ctx, &Target::area(&area))?;
                vec![area.as_str().to_owned()]
            }
            // Who may look at some units only cannot recount an area.
            None => {
                let scope = self.access.scope(ctx, None)?;
                scope.areas.into_iter().filter(|(_, within)| *within == Within::All).map(|(area, _)| area).collect()
            }
        };
        let now = ctx.now().micros();
        let kept = now.saturating_sub(i64::try_from(self.parts.retention.receipts.as_micros()).unwrap_or(i64::MAX));
        let mut checks = Vec::with_capacity(CHECKS.len() + 2);
        for check in CHECKS {
            let mut found = self.empty(ctx, check.id, check.title);
            for area in &areas {
                let result = check.run(self.store(), area, (now, kept)).await?;
                found.checked += result.checked;
                let names =
                    result.broken.into_iter().map(|(id, detail)| format!("areas/{area} {}: {detail}", RawId(id)));
                found.violations.extend(names);
            }
            found.violations.truncate(MOST);
            checks.push(found);
        }
        checks.push(self.verify_holds(ctx, &areas).await?);
        checks.push(self.verify_receipts(ctx, &areas).await?);
        Ok(VerifyInvariantsResponse { checks })
    }

    fn empty(&self, ctx: &Ctx, invariant: &str, title: &str) -> InvariantCheck {
        let title = self.parts.kit.texts.render(ctx.lang, title, &[]);
        InvariantCheck { invariant: invariant.to_owned(), title, checked: 0, violations: Vec::new() }
    }

    /// The newest receipts of each area can be read.
    async fn verify_receipts(&self, ctx: &Ctx, areas: &[String]) -> Result<InvariantCheck> {
        let mut check = self.empty(ctx, "booking.receipts-open", "INVARIANT_RECEIPTS_OPEN");
        for area in areas {
            for row in store::receipts::newest(self.store().reader(), area, RECEIPTS).await? {
                check.checked += 1;
                if self.open_receipt(&row).is_err() && check.violations.len() < MOST {
                    check.violations.push(format!("areas/{area}/receipts/{}: cannot be read", row.id));
                }
            }
        }
        Ok(check)
    }

    async fn verify_holds(&self, ctx: &Ctx, areas: &[String]) -> Result<InvariantCheck> {
        let mut check = self.empty(ctx, "booking.holds", "INVARIANT_HOLDS");
        for area in areas {
            let (priced, unsettled) = verify::unsettled(self.store(), area).await?;
            check.checked += priced;
            for found in unsettled {
                // Between a decision and the ledger's answer there is a call.
                let under_way = match found.settlement {
                    Settlement::None if found.waits => Some((holds::PLACE, holds::PLACING, 0)),
                    Settlement::Capturing if found.completed => Some((holds::CAPTURE, holds::CAPTURING, found.tries)),
                    Settlement::Voiding if !found.completed => Some((holds::VOID, holds::VOIDING, found.tries)),
                    _ => None,
                };
                let called = match under_way {
                    Some((target, step, tries)) => {
                        self.durable.find(target, holds::step_id(found.id, step, tries)).await?.is_some()
                    }
                    None => false,
                };
                if !called && check.violations.len() < MOST {
                    let (id, settlement) = (found.id, found.settlement);
                    check.violations.push(format!("areas/{area}/bookings/{id}: its price is {settlement:?}"));
                }
            }
        }
        Ok(check)
    }
}
