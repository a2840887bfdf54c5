//! The tonic service: decode, call, encode.

use std::sync::Arc;

use linli_kit::feed::FeedService;
use linli_kit::operation::OperationService;
use linli_proto::common::{VerifyInvariantsRequest, VerifyInvariantsResponse};
use linli_proto::google::longrunning::Operation;
use linli_proto::rules as pb;
use linli_proto::rules::rules_service_server::{RulesService, RulesServiceServer};
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

use crate::app::{App, Gate};

/// The service's routes: its own RPCs, its operations and its feed.
pub(crate) fn routes(app: Arc<App>) -> Routes {
    let feed = FeedService::new(app.parts.log.clone(), app.access.clone(), app.parts.kit.texts.clone());
    let operations = OperationService::new(app.operations.clone(), Gate(app.access.clone()));
    Routes::new(RulesServiceServer::new(Api { app }))
        .add_service(operations.into_server())
        .add_service(feed.into_server())
}

struct Api {
    app: Arc<App>,
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl RulesService for Api {
    async fn upload_plugin_version(
        &self,
        request: Request<Streaming<pb::UploadPluginVersionRequest>>,
    ) -> Answer<pb::PluginVersion> {
        self.app
            .parts
            .kit
            .unary(request, |ctx, stream| async move { self.app.upload_plugin_version(&ctx, stream).await })
            .await
    }

    async fn get_plugin(&self, request: Request<pb::GetPluginRequest>) -> Answer<pb::Plugin> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.get_plugin(&ctx, &msg).await }).await
    }

    async fn list_plugins(&self, request: Request<pb::ListPluginsRequest>) -> Answer<pb::ListPluginsResponse> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.list_plugins(&ctx, &msg).await }).await
    }

    async fn create_plugin(&self, request: Request<pb::CreatePluginRequest>) -> Answer<pb::Plugin> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.create_plugin(&ctx, msg).await }).await
    }

    async fn update_plugin(&self, request: Request<pb::UpdatePluginRequest>) -> Answer<pb::Plugin> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.update_plugin(&ctx, msg).await }).await
    }

    async fn delete_plugin(&self, request: Request<pb::DeletePluginRequest>) -> Answer<()> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.delete_plugin(&ctx, msg).await }).await
    }

    async fn validate_plugin_version(&self, request: Request<pb::ValidatePluginVersionRequest>) -> Answer<Operation> {
        self.app
            .parts
            .kit
            .unary(request, |ctx, msg| async move { self.app.validate_plugin_version(&ctx, msg).await })
            .await
    }

    async fn get_plugin_version(&self, request: Request<pb::GetPluginVersionRequest>) -> Answer<pb::PluginVersion> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.get_plugin_version(&ctx, &msg).await }).await
    }

    async fn list_plugin_versions(
        &self,
        request: Request<pb::ListPluginVersionsRequest>,
    ) -> Answer<pb::ListPluginVersionsResponse> {
        self.app
            .parts
            .kit
            .unary(request, |ctx, msg| async move { self.app.list_plugin_versions(&ctx, &msg).await })
            .await
    }

    async fn delete_plugin_version(&self, request: Request<pb::DeletePluginVersionRequest>) -> Answer<()> {
        self.app
            .parts
            .kit
            .unary(request, |ctx, msg| async move { self.app.delete_plugin_version(&ctx, msg).await })
            .await
    }

    async fn get_rule_binding(&self, request: Request<pb::GetRuleBindingRequest>) -> Answer<pb::RuleBinding> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.get_rule_binding(&ctx, &msg).await }).await
    }

    async fn list_rule_bindings(
        &self,
        request: Request<pb::ListRuleBindingsRequest>,
    ) -> Answer<pb::ListRuleBindingsResponse> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.list_rule_bindings(&ctx, &msg).await }).await
    }

    async fn create_rule_binding(&self, request: Request<pb::CreateRuleBindingRequest>) -> Answer<pb::RuleBinding> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.create_rule_binding(&ctx, msg).await }).await
    }

    async fn update_rule_binding(&self, request: Request<pb::UpdateRuleBindingRequest>) -> Answer<pb::RuleBinding> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.update_rule_binding(&ctx, msg).await }).await
    }

    async fn delete_rule_binding(&self, request: Request<pb::DeleteRuleBindingRequest>) -> Answer<()> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.delete_rule_binding(&ctx, msg).await }).await
    }

    async fn get_upload(&self, request: Request<pb::GetUploadRequest>) -> Answer<pb::Upload> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.get_upload(&ctx, &msg).await }).await
    }

    async fn release_plugin_version(
        &self,
        request: Request<pb::ReleasePluginVersionRequest>,
    ) -> Answer<pb::PluginVersion> {
        self.app
            .parts
            .kit
            .unary(request, |ctx, msg| async move { self.app.release_plugin_version(&ctx, msg).await })
            .await
    }

    async fn list_plugin_notices(
        &self,
        request: Request<pb::ListPluginNoticesRequest>,
    ) -> Answer<pb::ListPluginNoticesResponse> {
        self.app
            .parts
            .kit
            .unary(request, |ctx, msg| async move { self.app.list_plugin_notices(&ctx, &msg).await })
            .await
    }

    async fn get_author_key(&self, request: Request<pb::GetAuthorKeyRequest>) -> Answer<pb::AuthorKey> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.get_author_key(&ctx, &msg).await }).await
    }

    async fn list_author_keys(
        &self,
        request: Request<pb::ListAuthorKeysRequest>,
    ) -> Answer<pb::ListAuthorKeysResponse> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.list_author_keys(&ctx, &msg).await }).await
    }

    async fn create_author_key(&self, request: Request<pb::CreateAuthorKeyRequest>) -> Answer<pb::AuthorKey> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.create_author_key(&ctx, msg).await }).await
    }

    async fn update_author_key(&self, request: Request<pb::UpdateAuthorKeyRequest>) -> Answer<pb::AuthorKey> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.update_author_key(&ctx, msg).await }).await
    }

    async fn delete_author_key(&self, request: Request<pb::DeleteAuthorKeyRequest>) -> Answer<()> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.delete_author_key(&ctx, msg).await }).await
    }

    async fn get_rules_policy(&self, request: Request<pb::GetRulesPolicyRequest>) -> Answer<pb::RulesPolicy> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.get_rules_policy(&ctx, &msg).await }).await
    }

    async fn update_rules_policy(&self, request: Request<pb::UpdateRulesPolicyRequest>) -> Answer<pb::RulesPolicy> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.update_rules_policy(&ctx, msg).await }).await
    }

    async fn create_rule_change(&self, request: Request<pb::CreateRuleChangeRequest>) -> Answer<pb::RuleChange> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.create_rule_change(&ctx, msg).await }).await
    }

    async fn get_rule_change(&self, request: Request<pb::GetRuleChangeRequest>) -> Answer<pb::RuleChange> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.get_rule_change(&ctx, &msg).await }).await
    }

    async fn list_rule_changes(
        &self,
        request: Request<pb::ListRuleChangesRequest>,
    ) -> Answer<pb::ListRuleChangesResponse> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.list_rule_changes(&ctx, &msg).await }).await
    }

    async fn approve_rule_change(&self, request: Request<pb::ApproveRuleChangeRequest>) -> Answer<pb::RuleChange> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.approve_rule_change(&ctx, msg).await }).await
    }

    async fn promote_rule_change(&self, request: Request<pb::PromoteRuleChangeRequest>) -> Answer<pb::RuleChange> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.promote_rule_change(&ctx, msg).await }).await
    }

    async fn withdraw_rule_change(&self, request: Request<pb::WithdrawRuleChangeRequest>) -> Answer<pb::RuleChange> {
        self.app
            .parts
            .kit
            .unary(request, |ctx, msg| async move { self.app.withdraw_rule_change(&ctx, msg).await })
            .await
    }

    async fn roll_back_rule_binding(&self, request: Request<pb::RollBackRuleBindingRequest>) -> Answer<pb::RuleChange> {
        self.app
            .parts
            .kit
            .unary(request, |ctx, msg| async move { self.app.roll_back_rule_binding(&ctx, msg).await })
            .await
    }

    async fn simulate_rule(&self, request: Request<pb::SimulateRuleRequest>) -> Answer<Operation> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.simulate_rule(&ctx, msg).await }).await
    }

    async fn get_effective_rules(&self, request: Request<pb::GetEffectiveRulesRequest>) -> Answer<pb::EffectiveRules> {
        self.app
            .parts
            .kit
            .unary(request, |ctx, msg| async move { self.app.get_effective_rules(&ctx, &msg).await })
            .await
    }

    async fn evaluate(&self, request: Request<pb::EvaluateRequest>) -> Answer<pb::EvaluateResponse> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.evaluate(&ctx, &msg).await }).await
    }

    async fn batch_evaluate(&self, request: Request<pb::BatchEvaluateRequest>) -> Answer<pb::BatchEvaluateResponse> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.batch_evaluate(&ctx, &msg).await }).await
    }

    async fn verify_invariants(&self, request: Request<VerifyInvariantsRequest>) -> Answer<VerifyInvariantsResponse> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.verify(&ctx, &msg).await }).await
    }
}
