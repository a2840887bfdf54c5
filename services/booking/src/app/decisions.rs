//! ReadDecisions: what rules were asked and said, for their simulations. Rules alone may read it.
//!
//! Never: a name; whom a decision was about is a pseudonym.

use linli_access::Target;
use linli_kit::check::{self, Violations, instant, timestamp};
use linli_kit::page::PageRequest;
use linli_kit::{Ctx, Result};
use linli_proto::rules::{DecisionCase, ReadDecisionsRequest, ReadDecisionsResponse};

use super::App;
use super::rules::{ELIGIBILITY, PRICE, PRIORITY};
use crate::store::decisions::{self, Wanted};

/// Decisions of a page when none is asked for, and at most.
const PAGE: (i32, i32) = (100, 500);

impl App {
    pub(crate) async fn read_decisions(
        &self,
        ctx: &Ctx,
        request: &ReadDecisionsRequest,
    ) -> Result<ReadDecisionsResponse> {
        let area = check::area("parent", &request.parent)?;
        self.access.authorise(ctx, &Target::area(&area))?;
        let mut bad = Violations::new();
        bad.ensure([ELIGIBILITY, PRICE, PRIORITY].contains(&request.hook.as_str()), "hook", "HOOK_UNKNOWN");
        for (i, kind) in request.kinds.iter().enumerate() {
            bad.code(format_args!("kinds[{i}]"), kind);
        }
        bad.ensure(request.start_time.is_some(), "start_time", "FIELD_REQUIRED");
        bad.ensure(request.end_time.is_some(), "end_time", "FIELD_REQUIRED");
        bad.finish()?;
        let at = |time: Option<&prost_types::Timestamp>| time.map(instant).unwrap_or_default();
        let (from, until) = (at(request.start_time.as_ref()), at(request.end_time.as_ref()));
        let (from_text, until_text) = (from.micros().to_string(), until.micros().to_string());
        let mut query = vec![request.parent.as_str(), request.hook.as_str(), &from_text, &until_text];
        query.extend(request.kinds.iter().map(String::as_str));
        let size = if request.page_size == 0 { PAGE.0 } else { request.page_size.min(PAGE.1) };
        let page = PageRequest::parse(self.keyring(), &ctx.method.path, &query, size, &request.page_token)?;
        let wanted = Wanted { area: area.as_str(), hook: &request.hook, kinds: &request.kinds, from, until };
        let (rows, next_page_token) = decisions::page(self.store(), &wanted, &page).await?;
        let cases = rows.iter().map(|(receipt, resident)| {
            Ok(DecisionCase {
                subject: self.keyring().pseudonym(area.as_str(), resident),
                time: Some(timestamp(receipt.created)),
                request: self.open_receipt(receipt)?.asked,
                verdict: receipt.verdict.clone(),
            })
        });
        Ok(ReadDecisionsResponse { cases: cases.collect::<Result<_>>()?, next_page_token })
    }
}
