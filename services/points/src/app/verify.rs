//! The invariants of points, recounted from the rows.

use std::sync::Arc;

use linli_access::Within;
use linli_kernel::Lang;
use linli_kit::{Ctx, Result, check};
use linli_proto::common::{InvariantCheck, VerifyInvariantsRequest, VerifyInvariantsResponse};

use super::App;
use crate::store::verify::{self, CHECKS};

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
        let mut checks = Vec::with_capacity(CHECKS.len());
        for check in &CHECKS {
            let found = verify::run(&self.parts.store, check, &areas, now).await?;
            let (zh, en) = check.title;
            checks.push(InvariantCheck {
                invariant: check.id.to_owned(),
                title: if ctx.lang == Lang::En { en } else { zh }.to_owned(),
                checked: found.checked,
                violations: found.violations,
            });
        }
        Ok(VerifyInvariantsResponse { checks })
    }
}
