//! The tonic trait of points: decode, call, encode.

use std::sync::Arc;

use linli_proto::common::{VerifyInvariantsRequest, VerifyInvariantsResponse};
use linli_proto::points as pb;
use linli_proto::points::points_service_server::PointsService;
use linli_proto::rules::{ReadDecisionsRequest, ReadDecisionsResponse};
use tonic::{Request, Response, Status};

use crate::app::App;

type Answer<T> = Result<Response<T>, Status>;

/// The calls of the service.
pub(crate) struct Api {
    app: Arc<App>,
}

impl Api {
    pub(crate) fn new(app: Arc<App>) -> Self {
        Self { app }
    }
}

/// One method: the request's message goes to the use case of the same name.
macro_rules! call {
    ($self:ident, $request:ident, $method:ident) => {{
        let app = &$self.app;
        app.parts.kit.unary($request, |ctx, message| Box::pin(app.$method(ctx, message))).await
    }};
}

#[tonic::async_trait]
impl PointsService for Api {
    async fn get_asset(&self, request: Request<pb::GetAssetRequest>) -> Answer<pb::Asset> {
        call!(self, request, get_asset)
    }

    async fn list_assets(&self, request: Request<pb::ListAssetsRequest>) -> Answer<pb::ListAssetsResponse> {
        call!(self, request, list_assets)
    }

    async fn create_asset(&self, request: Request<pb::CreateAssetRequest>) -> Answer<pb::Asset> {
        call!(self, request, create_asset)
    }

    async fn update_asset(&self, request: Request<pb::UpdateAssetRequest>) -> Answer<pb::Asset> {
        call!(self, request, update_asset)
    }

    async fn delete_asset(&self, request: Request<pb::DeleteAssetRequest>) -> Answer<()> {
        call!(self, request, delete_asset)
    }

    async fn get_account(&self, request: Request<pb::GetAccountRequest>) -> Answer<pb::Account> {
        call!(self, request, get_account)
    }

    async fn list_accounts(&self, request: Request<pb::ListAccountsRequest>) -> Answer<pb::ListAccountsResponse> {
        call!(self, request, list_accounts)
    }

    async fn get_transfer(&self, request: Request<pb::GetTransferRequest>) -> Answer<pb::Transfer> {
        call!(self, request, get_transfer)
    }

    async fn list_transfers(&self, request: Request<pb::ListTransfersRequest>) -> Answer<pb::ListTransfersResponse> {
        call!(self, request, list_transfers)
    }

    async fn create_transfer(&self, request: Request<pb::CreateTransferRequest>) -> Answer<pb::Transfer> {
        call!(self, request, create_transfer)
    }

    async fn batch_create_transfers(
        &self,
        request: Request<pb::BatchCreateTransfersRequest>,
    ) -> Answer<pb::BatchCreateTransfersResponse> {
        call!(self, request, batch_create_transfers)
    }

    async fn reverse_transfer(&self, request: Request<pb::ReverseTransferRequest>) -> Answer<pb::Transfer> {
        call!(self, request, reverse_transfer)
    }

    async fn list_entries(&self, request: Request<pb::ListEntriesRequest>) -> Answer<pb::ListEntriesResponse> {
        call!(self, request, list_entries)
    }

    async fn get_hold(&self, request: Request<pb::GetHoldRequest>) -> Answer<pb::Hold> {
        call!(self, request, get_hold)
    }

    async fn list_holds(&self, request: Request<pb::ListHoldsRequest>) -> Answer<pb::ListHoldsResponse> {
        call!(self, request, list_holds)
    }

    async fn create_hold(&self, request: Request<pb::CreateHoldRequest>) -> Answer<pb::Hold> {
        call!(self, request, create_hold)
    }

    async fn capture_hold(&self, request: Request<pb::CaptureHoldRequest>) -> Answer<pb::Hold> {
        call!(self, request, capture_hold)
    }

    async fn void_hold(&self, request: Request<pb::VoidHoldRequest>) -> Answer<pb::Hold> {
        call!(self, request, void_hold)
    }

    async fn get_card_type(&self, request: Request<pb::GetCardTypeRequest>) -> Answer<pb::CardType> {
        call!(self, request, get_card_type)
    }

    async fn list_card_types(&self, request: Request<pb::ListCardTypesRequest>) -> Answer<pb::ListCardTypesResponse> {
        call!(self, request, list_card_types)
    }

    async fn create_card_type(&self, request: Request<pb::CreateCardTypeRequest>) -> Answer<pb::CardType> {
        call!(self, request, create_card_type)
    }

    async fn update_card_type(&self, request: Request<pb::UpdateCardTypeRequest>) -> Answer<pb::CardType> {
        call!(self, request, update_card_type)
    }

    async fn delete_card_type(&self, request: Request<pb::DeleteCardTypeRequest>) -> Answer<()> {
        call!(self, request, delete_card_type)
    }

    async fn get_card(&self, request: Request<pb::GetCardRequest>) -> Answer<pb::Card> {
        call!(self, request, get_card)
    }

    async fn list_cards(&self, request: Request<pb::ListCardsRequest>) -> Answer<pb::ListCardsResponse> {
        call!(self, request, list_cards)
    }

    async fn get_reward(&self, request: Request<pb::GetRewardRequest>) -> Answer<pb::Reward> {
        call!(self, request, get_reward)
    }

    async fn list_rewards(&self, request: Request<pb::ListRewardsRequest>) -> Answer<pb::ListRewardsResponse> {
        call!(self, request, list_rewards)
    }

    async fn create_reward(&self, request: Request<pb::CreateRewardRequest>) -> Answer<pb::Reward> {
        call!(self, request, create_reward)
    }

    async fn update_reward(&self, request: Request<pb::UpdateRewardRequest>) -> Answer<pb::Reward> {
        call!(self, request, update_reward)
    }

    async fn delete_reward(&self, request: Request<pb::DeleteRewardRequest>) -> Answer<()> {
        call!(self, request, delete_reward)
    }

    async fn get_redemption(&self, request: Request<pb::GetRedemptionRequest>) -> Answer<pb::Redemption> {
        call!(self, request, get_redemption)
    }

    async fn list_redemptions(
        &self,
        request: Request<pb::ListRedemptionsRequest>,
    ) -> Answer<pb::ListRedemptionsResponse> {
        call!(self, request, list_redemptions)
    }

    async fn create_redemption(&self, request: Request<pb::CreateRedemptionRequest>) -> Answer<pb::Redemption> {
        call!(self, request, create_redemption)
    }

    async fn get_award_binding(&self, request: Request<pb::GetAwardBindingRequest>) -> Answer<pb::AwardBinding> {
        call!(self, request, get_award_binding)
    }

    async fn list_award_bindings(
        &self,
        request: Request<pb::ListAwardBindingsRequest>,
    ) -> Answer<pb::ListAwardBindingsResponse> {
        call!(self, request, list_award_bindings)
    }

    async fn create_award_binding(&self, request: Request<pb::CreateAwardBindingRequest>) -> Answer<pb::AwardBinding> {
        call!(self, request, create_award_binding)
    }

    async fn update_award_binding(&self, request: Request<pb::UpdateAwardBindingRequest>) -> Answer<pb::AwardBinding> {
        call!(self, request, update_award_binding)
    }

    async fn delete_award_binding(&self, request: Request<pb::DeleteAwardBindingRequest>) -> Answer<()> {
        call!(self, request, delete_award_binding)
    }

    async fn get_award(&self, request: Request<pb::GetAwardRequest>) -> Answer<pb::Award> {
        call!(self, request, get_award)
    }

    async fn list_awards(&self, request: Request<pb::ListAwardsRequest>) -> Answer<pb::ListAwardsResponse> {
        call!(self, request, list_awards)
    }

    async fn get_award_receipt(&self, request: Request<pb::GetAwardReceiptRequest>) -> Answer<pb::AwardReceipt> {
        call!(self, request, get_award_receipt)
    }

    async fn list_award_receipts(
        &self,
        request: Request<pb::ListAwardReceiptsRequest>,
    ) -> Answer<pb::ListAwardReceiptsResponse> {
        call!(self, request, list_award_receipts)
    }

    async fn create_contribution(&self, request: Request<pb::CreateContributionRequest>) -> Answer<pb::Contribution> {
        call!(self, request, create_contribution)
    }

    async fn get_contribution(&self, request: Request<pb::GetContributionRequest>) -> Answer<pb::Contribution> {
        call!(self, request, get_contribution)
    }

    async fn list_contributions(
        &self,
        request: Request<pb::ListContributionsRequest>,
    ) -> Answer<pb::ListContributionsResponse> {
        call!(self, request, list_contributions)
    }

    async fn read_decisions(&self, request: Request<ReadDecisionsRequest>) -> Answer<ReadDecisionsResponse> {
        call!(self, request, read_decisions)
    }

    async fn batch_get_balances(
        &self,
        request: Request<pb::BatchGetBalancesRequest>,
    ) -> Answer<pb::BatchGetBalancesResponse> {
        call!(self, request, batch_get_balances)
    }

    async fn verify_invariants(&self, request: Request<VerifyInvariantsRequest>) -> Answer<VerifyInvariantsResponse> {
        call!(self, request, verify)
    }
}
