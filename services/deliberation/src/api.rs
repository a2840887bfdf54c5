//! `linli.deliberation.v1.DeliberationService`: decode, call, encode.

use std::sync::Arc;

use linli_kit::serve::Kit;
use linli_proto::common::{VerifyInvariantsRequest, VerifyInvariantsResponse};
use linli_proto::deliberation as pb;
use linli_proto::deliberation::deliberation_service_server::DeliberationService;
use linli_proto::rules::{ReadDecisionsRequest, ReadDecisionsResponse};
use tonic::{Request, Response, Status};

use crate::app::App;

/// The service at the edge.
pub(crate) struct Api {
    kit: Kit,
    app: Arc<App>,
}

impl Api {
    /// The edge of these use cases.
    pub(crate) fn new(kit: Kit, app: Arc<App>) -> Self {
        Self { kit, app }
    }
}

type Answer<T> = Result<Response<T>, Status>;

/// Each method decodes nothing more and calls its use case.
macro_rules! methods {
    ($($method:ident($request:ty) -> $response:ty = $call:ident;)*) => {
        #[tonic::async_trait]
        impl DeliberationService for Api {
            $(async fn $method(&self, request: Request<$request>) -> Answer<$response> {
                let app = self.app.clone();
                self.kit.unary(request, |ctx, msg| async move { app.$call(&ctx, msg).await }).await
            })*
        }
    };
}

methods! {
    get_process_template(pb::GetProcessTemplateRequest) -> pb::ProcessTemplate = get_template;
    list_process_templates(pb::ListProcessTemplatesRequest) -> pb::ListProcessTemplatesResponse = list_templates;
    create_process_template(pb::CreateProcessTemplateRequest) -> pb::ProcessTemplate = create_template;
    update_process_template(pb::UpdateProcessTemplateRequest) -> pb::ProcessTemplate = update_template;
    delete_process_template(pb::DeleteProcessTemplateRequest) -> () = delete_template;
    get_topic(pb::GetTopicRequest) -> pb::Topic = get_topic;
    list_topics(pb::ListTopicsRequest) -> pb::ListTopicsResponse = list_topics;
    create_topic(pb::CreateTopicRequest) -> pb::Topic = create_topic;
    support_topic(pb::SupportTopicRequest) -> pb::Topic = support_topic;
    assist_support(pb::AssistSupportRequest) -> pb::Topic = assist_support;
    record_stage(pb::RecordStageRequest) -> pb::StageRecord = record_stage;
    advance_topic(pb::AdvanceTopicRequest) -> pb::Topic = advance_topic;
    close_topic(pb::CloseTopicRequest) -> pb::Topic = close_topic;
    get_stage_record(pb::GetStageRecordRequest) -> pb::StageRecord = get_record;
    list_stage_records(pb::ListStageRecordsRequest) -> pb::ListStageRecordsResponse = list_records;
    get_ballot(pb::GetBallotRequest) -> pb::Ballot = get_ballot;
    list_ballots(pb::ListBallotsRequest) -> pb::ListBallotsResponse = list_ballots;
    create_ballot(pb::CreateBallotRequest) -> pb::Ballot = create_ballot;
    cast_vote(pb::CastVoteRequest) -> pb::CastVoteResponse = cast_vote;
    assist_vote(pb::AssistVoteRequest) -> pb::CastVoteResponse = assist_vote;
    close_ballot(pb::CloseBallotRequest) -> pb::Ballot = close_ballot;
    list_votes(pb::ListVotesRequest) -> pb::ListVotesResponse = list_votes;
    list_elector_roll(pb::ListElectorRollRequest) -> pb::ListElectorRollResponse = list_roll;
    get_archive(pb::GetArchiveRequest) -> pb::Archive = get_archive;
    list_archives(pb::ListArchivesRequest) -> pb::ListArchivesResponse = list_archives;
    get_topic_receipt(pb::GetTopicReceiptRequest) -> pb::TopicReceipt = get_receipt;
    list_topic_receipts(pb::ListTopicReceiptsRequest) -> pb::ListTopicReceiptsResponse = list_receipts;
    read_decisions(ReadDecisionsRequest) -> ReadDecisionsResponse = read_decisions;
    verify_invariants(VerifyInvariantsRequest) -> VerifyInvariantsResponse = verify;
}
