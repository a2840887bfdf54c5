//! Assets: what is counted.

use std::sync::Arc;

use linli_access::Target;
use linli_kernel::AreaId;
use linli_kit::check;
use linli_kit::{Ctx, Error, FieldViolation, Result};
use linli_proto::points as pb;

use super::{App, Change, ListRequest};
use crate::app::still_referenced;
use crate::store::finders;

/// Characters of a display name at most.
const NAME: usize = 100;

fn validate(asset: &pb::Asset) -> Vec<FieldViolation> {
    let mut bad = check::Violations::new();
    bad.both("display_name", asset.display_name.as_ref(), NAME);
    bad.range("holder_cap", asset.holder_cap, 0, i64::MAX);
    bad.into_vec()
}

/// An asset's id stands before a dot in account names, so it has none itself.
fn check_id(field: &str, id: &str) -> Result<()> {
    if id.contains('.') {
        return Err(Error::field(FieldViolation::new(field, "FIELD_FORMAT").arg("expected", "a-z, 0-9 and hyphen")));
    }
    Ok(())
}

impl App {
    pub(crate) async fn get_asset(&self, ctx: Arc<Ctx>, request: pb::GetAssetRequest) -> Result<pb::Asset> {
        self.catalogue_get(&ctx, &self.assets, "assets", &request.name).await
    }

    pub(crate) async fn list_assets(
        &self,
        ctx: Arc<Ctx>,
        request: pb::ListAssetsRequest,
    ) -> Result<pb::ListAssetsResponse> {
        let page = ListRequest {
            parent: &request.parent,
            page_size: request.page_size,
            page_token: &request.page_token,
            filter: &request.filter,
            order_by: &request.order_by,
        };
        let (found, next_page_token) = self.catalogue_list(&ctx, &self.assets, page).await?;
        Ok(pb::ListAssetsResponse { assets: found.into_iter().map(|entry| entry.resource).collect(), next_page_token })
    }

    pub(crate) async fn create_asset(&self, ctx: Arc<Ctx>, mut request: pb::CreateAssetRequest) -> Result<pb::Asset> {
        let area = check::area("parent", &request.parent)?;
        self.access.authorise(&ctx, &Target::area(&area))?;
        check_id("asset_id", &request.asset_id)?;
        let (request_id, hash) = self.claim_of(&ctx, &mut request, |r| &mut r.request_id);
        let asset = request.asset.clone().unwrap_or_default();
        let place = (&area, request.asset_id.as_str());
        self.catalogue_create(&ctx, &self.assets, place, (&asset, &request_id, hash), &validate).await
    }

    pub(crate) async fn update_asset(&self, ctx: Arc<Ctx>, mut request: pb::UpdateAssetRequest) -> Result<pb::Asset> {
        let asset = request.asset.clone().unwrap_or_default();
        let name = check::name("asset.name", &asset.name, "assets")?;
        self.access.authorise(&ctx, &Target::area(name.area()))?;
        check_id("asset.name", name.id())?;
        let (request_id, hash) = self.claim_of(&ctx, &mut request, |r| &mut r.request_id);
        let change = Change {
            message: &asset,
            mask: request.update_mask.as_ref(),
            allow_missing: request.allow_missing,
            validate_only: request.validate_only,
            request_id: &request_id,
            hash,
        };
        self.catalogue_update(&ctx, &self.assets, name.area(), change, &validate).await
    }

    pub(crate) async fn delete_asset(&self, ctx: Arc<Ctx>, mut request: pb::DeleteAssetRequest) -> Result<()> {
        let name = check::name("name", &request.name, "assets")?;
        self.access.authorise(&ctx, &Target::area(name.area()))?;
        let (request_id, hash) = self.claim_of(&ctx, &mut request, |r| &mut r.request_id);
        self.asset_is_unused(name.area(), name.id()).await?;
        self.catalogue_delete(&ctx, &self.assets, &name, (&request.etag, &request_id, hash)).await
    }

    /// No account and no resource of the area or an area below counts in the asset.
    async fn asset_is_unused(&self, area: &AreaId, asset: &str) -> Result<()> {
        let snapshot = self.access.snapshot();
        let mut areas: Vec<String> =
            snapshot.areas().filter(|below| snapshot.below(below, area.as_str())).map(str::to_owned).collect();
        if !areas.iter().any(|known| known == area.as_str()) {
            areas.push(area.as_str().to_owned());
        }
        let used_by = finders::users_of_asset(&self.parts.store, &areas, asset).await?;
        match used_by {
            Some(by) => Err(still_referenced(self.assets.name(area.as_str(), asset), by)),
            None => Ok(()),
        }
    }
}
