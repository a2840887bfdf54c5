//! Request ids of the items of a batch (AIP-233): each item takes effect once, whichever batch repeats it.

use linli_kernel::AreaId;
use linli_kit::check::Violations;
use linli_kit::idempotency::{Claim, ClaimOutcome, claim_many, parse_request_id};
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result};

use super::App;

/// The items of a batch, each with the claim of its request id.
#[derive(Default)]
pub(super) struct Items(Vec<Item>);

struct Item {
    /// What stands before the field of its request id: empty, or `requests[3].`.
    at: String,
    claim: Option<Claim>,
}

impl Items {
    /// Adds an item; `request` is without its request id, `resource` is what it will be called.
    pub(super) fn push(
        &mut self,
        app: &App,
        (ctx, area): (&Ctx, &AreaId),
        (bad, at): (&mut Violations, &str),
        request_id: &str,
        request: &impl prost::Message,
        resource: String,
    ) {
        let claim = match parse_request_id(request_id) {
            Ok(id) => id.map(|id| Claim::new(ctx, area.as_str(), id, app.hash(ctx, request)).of_resource(resource)),
            Err(_) => {
                bad.bad(format!("{at}request_id"), "REQUEST_ID_INVALID");
                None
            }
        };
        self.0.push(Item { at: at.to_owned(), claim });
    }

    /// Claims the request ids: what is new, what was done before, what stands twice in this batch.
    ///
    /// # Errors
    /// REQUEST_ID_REUSED with the items whose id came with another request.
    pub(super) async fn claim(&self, tx: &Tx<'_>) -> Result<Vec<ClaimOutcome>> {
        let claimed = self.0.iter().enumerate().filter_map(|(place, item)| Some((place, item.claim.clone()?)));
        let (places, claims): (Vec<usize>, Vec<Claim>) = claimed.unzip();
        let mut outcomes = vec![ClaimOutcome::New; self.0.len()];
        let mut bad = Vec::new();
        for (place, outcome) in places.iter().zip(claim_many(tx, &claims).await?) {
            outcomes[*place] = match outcome {
                ClaimOutcome::SameAs(earlier) => ClaimOutcome::SameAs(places[earlier]),
                other => other,
            };
            if outcomes[*place] == ClaimOutcome::Reused {
                bad.push(FieldViolation::new(format!("{}request_id", self.0[*place].at), "REQUEST_ID_REUSED"));
            }
        }
        if bad.is_empty() {
            return Ok(outcomes);
        }
        Err(Error::new(ErrorCode::InvalidArgument, "REQUEST_ID_REUSED").with_fields(bad))
    }
}

/// Those of the drafts that are to be made now.
pub(super) fn fresh<'a, D>(drafts: &'a [D], outcomes: &[ClaimOutcome]) -> Vec<&'a D> {
    drafts.iter().zip(outcomes).filter(|(_, outcome)| **outcome == ClaimOutcome::New).map(|(draft, _)| draft).collect()
}

/// What stands before the fields of an item: nothing for the only item of a call that is no batch.
pub(super) fn at(prefix: &str, index: usize) -> String {
    if prefix.is_empty() { String::new() } else { format!("{prefix}[{index}].") }
}
