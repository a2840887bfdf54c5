//! The tonic service: decode, call, encode.

use std::sync::Arc;

use linli_kit::feed::FeedService;
use linli_proto::common::{VerifyInvariantsRequest, VerifyInvariantsResponse};
use linli_proto::org as pb;
use linli_proto::org::org_service_server::{OrgService, OrgServiceServer};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::app::App;

/// The service's routes: its own RPCs and its feed.
pub(crate) fn routes(app: Arc<App>) -> Routes {
    let feed = FeedService::new(app.parts.log.clone(), app.access.clone(), app.parts.kit.texts.clone());
    let feed = feed.with_state(app.clone());
    Routes::new(OrgServiceServer::new(Api { app })).add_service(feed.into_server())
}

struct Api {
    app: Arc<App>,
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl OrgService for Api {
    async fn get_area(&self, request: Request<pb::GetAreaRequest>) -> Answer<pb::Area> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.get_area(&ctx, &msg).await }).await
    }

    async fn list_areas(&self, request: Request<pb::ListAreasRequest>) -> Answer<pb::ListAreasResponse> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.list_areas(&ctx, &msg).await }).await
    }

    async fn get_structure_template(
        &self,
        request: Request<pb::GetStructureTemplateRequest>,
    ) -> Answer<pb::StructureTemplate> {
        self.app
            .parts
            .kit
            .unary(request, |ctx, msg| async move { self.app.get_structure_template(&ctx, &msg).await })
            .await
    }

    async fn list_structure_templates(
        &self,
        request: Request<pb::ListStructureTemplatesRequest>,
    ) -> Answer<pb::ListStructureTemplatesResponse> {
        self.app
            .parts
            .kit
            .unary(request, |ctx, msg| async move { self.app.list_structure_templates(&ctx, &msg).await })
            .await
    }

    async fn get_unit(&self, request: Request<pb::GetUnitRequest>) -> Answer<pb::Unit> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.get_unit(&ctx, &msg).await }).await
    }

    async fn list_units(&self, request: Request<pb::ListUnitsRequest>) -> Answer<pb::ListUnitsResponse> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.list_units(&ctx, &msg).await }).await
    }

    async fn summarize_unit(&self, request: Request<pb::SummarizeUnitRequest>) -> Answer<pb::UnitSummary> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.summarize_unit(&ctx, &msg).await }).await
    }

    async fn summarize_area(&self, request: Request<pb::SummarizeAreaRequest>) -> Answer<pb::UnitSummary> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.summarize_area(&ctx, &msg).await }).await
    }

    async fn list_gaps(&self, request: Request<pb::ListGapsRequest>) -> Answer<pb::ListGapsResponse> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.list_gaps(&ctx, &msg).await }).await
    }

    async fn get_unit_link(&self, request: Request<pb::GetUnitLinkRequest>) -> Answer<pb::UnitLink> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.get_unit_link(&ctx, &msg).await }).await
    }

    async fn list_unit_links(&self, request: Request<pb::ListUnitLinksRequest>) -> Answer<pb::ListUnitLinksResponse> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.list_unit_links(&ctx, &msg).await }).await
    }

    async fn get_household(&self, request: Request<pb::GetHouseholdRequest>) -> Answer<pb::Household> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.get_household(&ctx, &msg).await }).await
    }

    async fn list_households(&self, request: Request<pb::ListHouseholdsRequest>) -> Answer<pb::ListHouseholdsResponse> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.list_households(&ctx, &msg).await }).await
    }

    async fn get_person(&self, request: Request<pb::GetPersonRequest>) -> Answer<pb::Person> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.get_person(&ctx, &msg).await }).await
    }

    async fn list_people(&self, request: Request<pb::ListPeopleRequest>) -> Answer<pb::ListPeopleResponse> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.list_people(&ctx, &msg).await }).await
    }

    async fn get_appointment(&self, request: Request<pb::GetAppointmentRequest>) -> Answer<pb::Appointment> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.get_appointment(&ctx, &msg).await }).await
    }

    async fn list_appointments(
        &self,
        request: Request<pb::ListAppointmentsRequest>,
    ) -> Answer<pb::ListAppointmentsResponse> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.list_appointments(&ctx, &msg).await }).await
    }

    async fn check_access(&self, request: Request<pb::CheckAccessRequest>) -> Answer<pb::CheckAccessResponse> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.check_access(&ctx, &msg).await }).await
    }

    async fn batch_get_resident_facts(
        &self,
        request: Request<pb::BatchGetResidentFactsRequest>,
    ) -> Answer<pb::BatchGetResidentFactsResponse> {
        self.app
            .parts
            .kit
            .unary(request, |ctx, msg| async move { self.app.batch_get_resident_facts(&ctx, &msg).await })
            .await
    }

    async fn list_electors(&self, request: Request<pb::ListElectorsRequest>) -> Answer<pb::ListElectorsResponse> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.list_electors(&ctx, &msg).await }).await
    }

    async fn update_area(&self, request: Request<pb::UpdateAreaRequest>) -> Answer<pb::Area> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.update_area(&ctx, msg).await }).await
    }

    async fn create_structure_template(
        &self,
        request: Request<pb::CreateStructureTemplateRequest>,
    ) -> Answer<pb::StructureTemplate> {
        self.app
            .parts
            .kit
            .unary(request, |ctx, msg| async move { self.app.create_structure_template(&ctx, msg).await })
            .await
    }

    async fn update_structure_template(
        &self,
        request: Request<pb::UpdateStructureTemplateRequest>,
    ) -> Answer<pb::StructureTemplate> {
        self.app
            .parts
            .kit
            .unary(request, |ctx, msg| async move { self.app.update_structure_template(&ctx, msg).await })
            .await
    }

    async fn create_unit(&self, request: Request<pb::CreateUnitRequest>) -> Answer<pb::Unit> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.create_unit(&ctx, msg).await }).await
    }

    async fn update_unit(&self, request: Request<pb::UpdateUnitRequest>) -> Answer<pb::Unit> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.update_unit(&ctx, msg).await }).await
    }

    async fn batch_create_units(
        &self,
        request: Request<pb::BatchCreateUnitsRequest>,
    ) -> Answer<pb::BatchCreateUnitsResponse> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.batch_create_units(&ctx, msg).await }).await
    }

    async fn move_unit(&self, request: Request<pb::MoveUnitRequest>) -> Answer<pb::Unit> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.move_unit(&ctx, msg).await }).await
    }

    async fn create_unit_link(&self, request: Request<pb::CreateUnitLinkRequest>) -> Answer<pb::UnitLink> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.create_unit_link(&ctx, msg).await }).await
    }

    async fn update_unit_link(&self, request: Request<pb::UpdateUnitLinkRequest>) -> Answer<pb::UnitLink> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.update_unit_link(&ctx, msg).await }).await
    }

    async fn create_household(&self, request: Request<pb::CreateHouseholdRequest>) -> Answer<pb::Household> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.create_household(&ctx, msg).await }).await
    }

    async fn batch_create_households(
        &self,
        request: Request<pb::BatchCreateHouseholdsRequest>,
    ) -> Answer<pb::BatchCreateHouseholdsResponse> {
        self.app
            .parts
            .kit
            .unary(request, |ctx, msg| async move { self.app.batch_create_households(&ctx, msg).await })
            .await
    }

    async fn create_person(&self, request: Request<pb::CreatePersonRequest>) -> Answer<pb::Person> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.create_person(&ctx, msg).await }).await
    }

    async fn update_person(&self, request: Request<pb::UpdatePersonRequest>) -> Answer<pb::Person> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.update_person(&ctx, msg).await }).await
    }

    async fn create_appointment(&self, request: Request<pb::CreateAppointmentRequest>) -> Answer<pb::Appointment> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.create_appointment(&ctx, msg).await }).await
    }

    async fn batch_create_appointments(
        &self,
        request: Request<pb::BatchCreateAppointmentsRequest>,
    ) -> Answer<pb::BatchCreateAppointmentsResponse> {
        self.app
            .parts
            .kit
            .unary(request, |ctx, msg| async move { self.app.batch_create_appointments(&ctx, msg).await })
            .await
    }

    async fn end_appointment(&self, request: Request<pb::EndAppointmentRequest>) -> Answer<pb::Appointment> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.end_appointment(&ctx, msg).await }).await
    }

    async fn delete_structure_template(&self, request: Request<pb::DeleteStructureTemplateRequest>) -> Answer<()> {
        self.app
            .parts
            .kit
            .unary(request, |ctx, msg| async move { self.app.delete_structure_template(&ctx, msg).await })
            .await
    }

    async fn delete_unit(&self, request: Request<pb::DeleteUnitRequest>) -> Answer<()> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.delete_unit(&ctx, msg).await }).await
    }

    async fn delete_unit_link(&self, request: Request<pb::DeleteUnitLinkRequest>) -> Answer<()> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.delete_unit_link(&ctx, msg).await }).await
    }

    async fn verify_invariants(&self, request: Request<VerifyInvariantsRequest>) -> Answer<VerifyInvariantsResponse> {
        self.app.parts.kit.unary(request, |ctx, msg| async move { self.app.verify(&ctx, &msg).await }).await
    }
}
