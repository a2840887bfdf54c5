//! VerifyInvariants: what must hold, recounted from the rows.

use std::collections::HashMap;

use linli_access::Target;
use linli_kernel::{Id as _, RawId};
use linli_kit::check::list_parent;
use linli_kit::{Ctx, Error, Result};
use linli_proto::booking::Receipt;
use linli_proto::common::{InvariantCheck, VerifyInvariantsRequest, VerifyInvariantsResponse};
use prost::Message as _;

use super::{App, holds};
use crate::ids::BookingId;
use crate::store::verify::{self, CHECKS};

/// Violations that one invariant reports.
const MOST: usize = 100;

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
            None => self.access.scope(ctx, None)?.slugs(),
        };
        let mut checks = Vec::with_capacity(CHECKS.len() + 1);
        for check in CHECKS {
            let mut found = self.empty(ctx, check.id, check.title);
            for area in &areas {
                let result = check.run(self.store(), area, ctx.now().micros()).await?;
                found.checked += result.checked;
                let names =
                    result.broken.into_iter().map(|(id, detail)| format!("areas/{area} {}: {detail}", RawId(id)));
                found.violations.extend(names);
                if check.id == "booking.quota" {
                    found.violations.extend(self.recount_quota(area).await?);
                }
            }
            found.violations.truncate(MOST);
            checks.push(found);
        }
        checks.push(self.verify_holds(ctx, &areas).await?);
        Ok(VerifyInvariantsResponse { checks })
    }

    fn empty(&self, ctx: &Ctx, invariant: &str, title: &str) -> InvariantCheck {
        let title = self.parts.kit.texts.render(ctx.lang, title, &[]);
        InvariantCheck { invariant: invariant.to_owned(), title, checked: 0, violations: Vec::new() }
    }

    /// Of bookings of one resident, kind and month that all still count, no two can have been decided on the same count:
    /// the second must have seen the first.
    async fn recount_quota(&self, area: &str) -> Result<Vec<String>> {
        let mut seen: HashMap<(String, String, i64), Vec<i64>> = HashMap::new();
        let mut broken = Vec::new();
        for accepted in verify::accepted(self.store(), area).await? {
            let receipt = Receipt::decode(accepted.spec.as_slice()).map_err(Error::internal)?;
            let facts: serde_json::Value = serde_json::from_str(&receipt.facts_json).unwrap_or_default();
            let Some(count) = facts.pointer("/facts/used/this_month").and_then(serde_json::Value::as_i64) else {
                continue;
            };
            let before = seen.entry(accepted.key).or_default();
            if count < i64::try_from(before.len()).unwrap_or(i64::MAX) && before.contains(&count) {
                let id = BookingId::from_uuid(accepted.booking);
                broken.push(format!("areas/{area}/bookings/{id}: decided on {count} this month, as another was"));
            }
            before.push(count);
        }
        Ok(broken)
    }

    async fn verify_holds(&self, ctx: &Ctx, areas: &[String]) -> Result<InvariantCheck> {
        let mut check = self.empty(ctx, "booking.holds", "INVARIANT_HOLDS");
        for area in areas {
            for (id, pending) in verify::unheld(self.store(), area).await? {
                check.checked += 1;
                let id = BookingId::from_uuid(id);
                let call = self.durable.find(holds::PLACE, holds::step_id(id, 1)).await?;
                if !(pending && call.is_some()) {
                    check
                        .violations
                        .push(format!("areas/{area}/bookings/{id}: priced, without a hold or a call for one"));
                }
            }
        }
        check.violations.truncate(MOST);
        Ok(check)
    }
}
