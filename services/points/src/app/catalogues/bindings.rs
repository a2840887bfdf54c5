//! Award bindings: which completed services thank whom, in which asset.

use std::sync::Arc;

use linli_access::Target;
use linli_kernel::{AreaId, Name};
use linli_kit::check;
use linli_kit::store::Tx;
use linli_kit::{Ctx, FieldViolation, Result};
use linli_proto::points as pb;

use super::{App, Change, Resource, asset_not_found};
use crate::app::pages::page_of;

/// Units for one event and recipient at most.
const CAP: i64 = 10_000;
/// Kinds of one binding at most.
const KINDS: usize = 100;

/// The asset that the request names, and whether it is there.
pub(crate) struct References {
    asset: String,
    has_asset: bool,
}

impl Resource for pb::AwardBinding {
    type References = References;

    async fn references(app: &App, tx: &Tx<'_>, area: &AreaId, asked: &Self) -> Result<References> {
        Ok(References { asset: asked.asset.clone(), has_asset: app.has_asset(tx, area, &asked.asset).await? })
    }

    fn validate(&self, references: &References) -> Vec<FieldViolation> {
        let mut bad = check::Violations::new();
        bad.max_items("kinds", self.kinds.len(), KINDS);
        for (index, kind) in self.kinds.iter().enumerate().take(KINDS) {
            bad.code(format_args!("kinds[{index}]"), kind);
        }
        bad.range("cap", self.cap, 1, CAP);
        if self.asset == references.asset && !references.has_asset {
            bad.push(asset_not_found("asset", &self.asset));
        }
        bad.into_vec()
    }

    async fn used_by(_: &App, _: &Tx<'_>, _: &Name) -> Result<Option<String>> {
        Ok(None)
    }
}

impl App {
    pub(crate) async fn get_award_binding(
        &self,
        ctx: Arc<Ctx>,
        request: pb::GetAwardBindingRequest,
    ) -> Result<pb::AwardBinding> {
        self.catalogue_get(&ctx, &self.bindings, "awardBindings", &request.name).await
    }

    pub(crate) async fn list_award_bindings(
        &self,
        ctx: Arc<Ctx>,
        request: pb::ListAwardBindingsRequest,
    ) -> Result<pb::ListAwardBindingsResponse> {
        let (found, next_page_token) = self.catalogue_list(&ctx, &self.bindings, page_of!(request)).await?;
        let award_bindings = found.into_iter().map(|entry| entry.resource).collect();
        Ok(pb::ListAwardBindingsResponse { award_bindings, next_page_token })
    }

    pub(crate) async fn create_award_binding(
        &self,
        ctx: Arc<Ctx>,
        mut request: pb::CreateAwardBindingRequest,
    ) -> Result<pb::AwardBinding> {
        let area = check::area("parent", &request.parent)?;
        self.access.authorise(&ctx, &Target::area(&area))?;
        let (request_id, hash) = self.claim_of(&ctx, &mut request, |r| &mut r.request_id);
        let binding = request.award_binding.clone().unwrap_or_default();
        let place = (&area, request.award_binding_id.as_str());
        let what = (&binding, request_id.as_str(), hash);
        self.catalogue_create(&ctx, &self.bindings, place, what).await
    }

    pub(crate) async fn update_award_binding(
        &self,
        ctx: Arc<Ctx>,
        mut request: pb::UpdateAwardBindingRequest,
    ) -> Result<pb::AwardBinding> {
        let binding = request.award_binding.clone().unwrap_or_default();
        let name = check::name("award_binding.name", &binding.name, "awardBindings")?;
        self.access.authorise(&ctx, &Target::area(name.area()))?;
        let (request_id, hash) = self.claim_of(&ctx, &mut request, |r| &mut r.request_id);
        let change = Change {
            message: &binding,
            mask: request.update_mask.as_ref(),
            allow_missing: request.allow_missing,
            validate_only: request.validate_only,
            request_id: &request_id,
            hash,
        };
        self.catalogue_update(&ctx, &self.bindings, name.area(), change).await
    }

    pub(crate) async fn delete_award_binding(
        &self,
        ctx: Arc<Ctx>,
        mut request: pb::DeleteAwardBindingRequest,
    ) -> Result<()> {
        let name = check::name("name", &request.name, "awardBindings")?;
        self.access.authorise(&ctx, &Target::area(name.area()))?;
        let (request_id, hash) = self.claim_of(&ctx, &mut request, |r| &mut r.request_id);
        self.catalogue_delete(&ctx, &self.bindings, &name, (&request.etag, &request_id, hash)).await
    }
}
