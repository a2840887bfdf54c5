//! Assets: what is counted.

use std::sync::Arc;

use linli_access::Target;
use linli_kernel::{AreaId, Name};
use linli_kit::check;
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, FieldViolation, Result};
use linli_proto::points as pb;

use super::{App, Change, Resource};
use crate::app::pages::page_of;
use crate::store::finders;

/// Characters of a display name at most.
const NAME: usize = 100;

impl Resource for pb::Asset {
    type References = ();

    async fn references(_: &App, _: &Tx<'_>, _: &AreaId, _: &Self) -> Result<()> {
        Ok(())
    }

    fn validate(&self, (): &()) -> Vec<FieldViolation> {
        let mut bad = check::Violations::new();
        bad.both("display_name", self.display_name.as_ref(), NAME);
        bad.range("holder_cap", self.holder_cap, 0, i64::MAX);
        bad.into_vec()
    }

    /// An account, a reward, a card type or an award binding of the area or an area below that counts in the asset.
    async fn used_by(app: &App, tx: &Tx<'_>, name: &Name) -> Result<Option<String>> {
        for area in app.areas_below(name.area()) {
            if let Some(by) = finders::user_of_asset(tx, &area, name.id()).await? {
                return Ok(Some(by));
            }
            let card_types = app.card_types.all(tx.conn(), &area).await?;
            if let Some(entry) = card_types.iter().find(|entry| entry.resource.asset == name.id()) {
                return Ok(Some(entry.resource.name.clone()));
            }
            let bindings = app.bindings.all(tx.conn(), &area).await?;
            if let Some(entry) = bindings.iter().find(|entry| entry.resource.asset == name.id()) {
                return Ok(Some(entry.resource.name.clone()));
            }
        }
        Ok(None)
    }
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
        let (found, next_page_token) = self.catalogue_list(&ctx, &self.assets, page_of!(request)).await?;
        Ok(pb::ListAssetsResponse { assets: found.into_iter().map(|entry| entry.resource).collect(), next_page_token })
    }

    pub(crate) async fn create_asset(&self, ctx: Arc<Ctx>, mut request: pb::CreateAssetRequest) -> Result<pb::Asset> {
        let area = check::area("parent", &request.parent)?;
        self.access.authorise(&ctx, &Target::area(&area))?;
        check_id("asset_id", &request.asset_id)?;
        let (request_id, hash) = self.claim_of(&ctx, &mut request, |r| &mut r.request_id);
        let asset = request.asset.clone().unwrap_or_default();
        let place = (&area, request.asset_id.as_str());
        self.catalogue_create(&ctx, &self.assets, place, (&asset, &request_id, hash)).await
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
        self.catalogue_update(&ctx, &self.assets, name.area(), change).await
    }

    pub(crate) async fn delete_asset(&self, ctx: Arc<Ctx>, mut request: pb::DeleteAssetRequest) -> Result<()> {
        let name = check::name("name", &request.name, "assets")?;
        self.access.authorise(&ctx, &Target::area(name.area()))?;
        let (request_id, hash) = self.claim_of(&ctx, &mut request, |r| &mut r.request_id);
        self.catalogue_delete(&ctx, &self.assets, &name, (&request.etag, &request_id, hash)).await
    }
}
