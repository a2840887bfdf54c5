//! Award bindings: which completed services thank whom, in which asset.

use std::sync::Arc;

use linli_access::Target;
use linli_kernel::AreaId;
use linli_kit::check;
use linli_kit::{Ctx, FieldViolation, Result};
use linli_proto::points as pb;

use super::{App, Change, ListRequest, asset_not_found};

/// Units for one event and recipient at most.
const CAP: i64 = 10_000;
/// Kinds of one binding at most.
const KINDS: usize = 100;

/// The asset that the request names, and whether it is there.
struct References {
    asset: String,
    has_asset: bool,
}

impl References {
    fn validate(&self, binding: &pb::AwardBinding) -> Vec<FieldViolation> {
        let mut bad = check::Violations::new();
        bad.max_items("kinds", binding.kinds.len(), KINDS);
        for (index, kind) in binding.kinds.iter().enumerate().take(KINDS) {
            bad.code(&format!("kinds[{index}]"), kind);
        }
        bad.range("cap", binding.cap, 1, CAP);
        if binding.asset == self.asset && !self.has_asset {
            bad.push(asset_not_found("asset", &binding.asset));
        }
        bad.into_vec()
    }
}

impl App {
    async fn binding_references(&self, area: &AreaId, binding: &pb::AwardBinding) -> Result<References> {
        let has_asset = self.has_asset(area, &binding.asset).await?;
        Ok(References { asset: binding.asset.clone(), has_asset })
    }

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
        let page = ListRequest {
            parent: &request.parent,
            page_size: request.page_size,
            page_token: &request.page_token,
            filter: &request.filter,
            order_by: &request.order_by,
        };
        let (found, next_page_token) = self.catalogue_list(&ctx, &self.bindings, page).await?;
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
        let references = self.binding_references(&area, &binding).await?;
        let place = (&area, request.award_binding_id.as_str());
        let what = (&binding, request_id.as_str(), hash);
        self.catalogue_create(&ctx, &self.bindings, place, what, &|b| references.validate(b)).await
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
        let references = self.binding_references(name.area(), &binding).await?;
        let change = Change {
            message: &binding,
            mask: request.update_mask.as_ref(),
            allow_missing: request.allow_missing,
            validate_only: request.validate_only,
            request_id: &request_id,
            hash,
        };
        self.catalogue_update(&ctx, &self.bindings, name.area(), change, &|b| references.validate(b)).await
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
