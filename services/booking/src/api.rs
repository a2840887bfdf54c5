//! The tonic trait: each method decodes, calls a use case, encodes. Never: a decision.

use std::sync::Arc;

use linli_kit::Result;
use linli_kit::feed::FeedService;
use linli_proto::booking::booking_service_server::{BookingService, BookingServiceServer};
use linli_proto::booking::{
    ApproveBookingRequest, Booking, CancelBookingRequest, CancelSlotRequest, CheckInBookingRequest,
    CompleteBookingRequest, CreateBookingRequest, CreateMenuRequest, CreateOfferingRequest, CreateScheduleRequest,
    CreateStationRequest, DeleteMenuRequest, DeleteOfferingRequest, DeleteScheduleRequest, DeleteStationRequest,
    GetBookingRequest, GetMenuRequest, GetOfferingRequest, GetReceiptRequest, GetScheduleRequest, GetSlotRequest,
    GetStationRequest, ListBookingsRequest, ListBookingsResponse, ListMenusRequest, ListMenusResponse,
    ListOfferingsRequest, ListOfferingsResponse, ListReceiptsRequest, ListReceiptsResponse, ListSchedulesRequest,
    ListSchedulesResponse, ListSlotsRequest, ListSlotsResponse, ListStationsRequest, ListStationsResponse,
    MarkBookingNoShowRequest, Menu, Offering, Receipt, RefuseBookingRequest, Schedule, Slot, Station,
    UpdateMenuRequest, UpdateOfferingRequest, UpdateScheduleRequest, UpdateStationRequest,
};
use linli_proto::common::{VerifyInvariantsRequest, VerifyInvariantsResponse};
use linli_proto::rules::{ReadDecisionsRequest, ReadDecisionsResponse};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::app::{Action, App, Listing, Update};

type Answer<T> = Result<Response<T>, Status>;

/// The routes of the service: its own methods and its feed.
pub(crate) fn routes(app: Arc<App>) -> Routes {
    let parts = &app.parts;
    let feed = FeedService::new(parts.log.clone(), app.access.clone(), parts.kit.texts.clone()).into_server();
    Routes::new(BookingServiceServer::new(Api { app })).add_service(feed)
}

/// The service as tonic sees it.
struct Api {
    app: Arc<App>,
}

macro_rules! listing {
    ($request:ident) => {
        Listing {
            parent: $request.parent,
            page_size: $request.page_size,
            page_token: $request.page_token,
            filter: $request.filter,
            order_by: $request.order_by,
        }
    };
}

/// Takes the request id out and hashes the rest.
macro_rules! once {
    ($app:expr, $ctx:expr, $message:ident) => {{
        let request_id = std::mem::take(&mut $message.request_id);
        let hash = $app.hash(&$ctx, &$message);
        (request_id, hash)
    }};
}

macro_rules! act {
    ($self:ident, $request:ident, $message:ident => $action:expr) => {{
        let app = &$self.app;
        let handled = app.parts.kit.unary($request, |ctx, mut $message| async move {
            let (request_id, hash) = once!(app, ctx, $message);
            let action = $action;
            app.act(&ctx, &$message.name, &action, (&request_id, hash)).await
        });
        handled.await
    }};
}

#[tonic::async_trait]
impl BookingService for Api {
    async fn get_offering(&self, request: Request<GetOfferingRequest>) -> Answer<Offering> {
        let app = &self.app;
        app.parts.kit.unary(request, |ctx, message| async move { app.get_managed(&ctx, &message.name).await }).await
    }

    async fn list_offerings(&self, request: Request<ListOfferingsRequest>) -> Answer<ListOfferingsResponse> {
        let app = &self.app;
        let listed = app.parts.kit.unary(request, |ctx, message| async move {
            let (offerings, next_page_token) = app.list_managed(&ctx, &listing!(message)).await?;
            Ok(ListOfferingsResponse { offerings, next_page_token })
        });
        listed.await
    }

    async fn create_offering(&self, request: Request<CreateOfferingRequest>) -> Answer<Offering> {
        let app = &self.app;
        let created = app.parts.kit.unary(request, |ctx, mut message| async move {
            let (request_id, hash) = once!(app, ctx, message);
            let key = (message.parent.as_str(), message.offering_id.as_str());
            app.create_managed(&ctx, key, message.offering, (&request_id, hash)).await
        });
        created.await
    }

    async fn update_offering(&self, request: Request<UpdateOfferingRequest>) -> Answer<Offering> {
        let app = &self.app;
        let updated = app.parts.kit.unary(request, |ctx, mut message| async move {
            let (request_id, hash) = once!(app, ctx, message);
            let update = Update {
                resource: message.offering.unwrap_or_default(),
                mask: message.update_mask,
                allow_missing: message.allow_missing,
                request_id,
                validate_only: message.validate_only,
                hash,
            };
            app.update_managed(&ctx, &update).await
        });
        updated.await
    }

    async fn delete_offering(&self, request: Request<DeleteOfferingRequest>) -> Answer<()> {
        let app = &self.app;
        let deleted = app.parts.kit.unary(request, |ctx, mut message| async move {
            let (request_id, hash) = once!(app, ctx, message);
            let key = (message.name.as_str(), message.etag.as_str());
            app.delete_managed::<Offering>(&ctx, key, (&request_id, hash)).await
        });
        deleted.await
    }

    async fn get_station(&self, request: Request<GetStationRequest>) -> Answer<Station> {
        let app = &self.app;
        app.parts.kit.unary(request, |ctx, message| async move { app.get_managed(&ctx, &message.name).await }).await
    }

    async fn list_stations(&self, request: Request<ListStationsRequest>) -> Answer<ListStationsResponse> {
        let app = &self.app;
        let listed = app.parts.kit.unary(request, |ctx, message| async move {
            let (stations, next_page_token) = app.list_managed(&ctx, &listing!(message)).await?;
            Ok(ListStationsResponse { stations, next_page_token })
        });
        listed.await
    }

    async fn create_station(&self, request: Request<CreateStationRequest>) -> Answer<Station> {
        let app = &self.app;
        let created = app.parts.kit.unary(request, |ctx, mut message| async move {
            let (request_id, hash) = once!(app, ctx, message);
            let key = (message.parent.as_str(), message.station_id.as_str());
            app.create_managed(&ctx, key, message.station, (&request_id, hash)).await
        });
        created.await
    }

    async fn update_station(&self, request: Request<UpdateStationRequest>) -> Answer<Station> {
        let app = &self.app;
        let updated = app.parts.kit.unary(request, |ctx, mut message| async move {
            let (request_id, hash) = once!(app, ctx, message);
            let update = Update {
                resource: message.station.unwrap_or_default(),
                mask: message.update_mask,
                allow_missing: message.allow_missing,
                request_id,
                validate_only: message.validate_only,
                hash,
            };
            app.update_managed(&ctx, &update).await
        });
        updated.await
    }

    async fn delete_station(&self, request: Request<DeleteStationRequest>) -> Answer<()> {
        let app = &self.app;
        let deleted = app.parts.kit.unary(request, |ctx, mut message| async move {
            let (request_id, hash) = once!(app, ctx, message);
            let key = (message.name.as_str(), message.etag.as_str());
            app.delete_managed::<Station>(&ctx, key, (&request_id, hash)).await
        });
        deleted.await
    }

    async fn get_schedule(&self, request: Request<GetScheduleRequest>) -> Answer<Schedule> {
        let app = &self.app;
        app.parts.kit.unary(request, |ctx, message| async move { app.get_managed(&ctx, &message.name).await }).await
    }

    async fn list_schedules(&self, request: Request<ListSchedulesRequest>) -> Answer<ListSchedulesResponse> {
        let app = &self.app;
        let listed = app.parts.kit.unary(request, |ctx, message| async move {
            let (schedules, next_page_token) = app.list_managed(&ctx, &listing!(message)).await?;
            Ok(ListSchedulesResponse { schedules, next_page_token })
        });
        listed.await
    }

    async fn create_schedule(&self, request: Request<CreateScheduleRequest>) -> Answer<Schedule> {
        let app = &self.app;
        let created = app.parts.kit.unary(request, |ctx, mut message| async move {
            let (request_id, hash) = once!(app, ctx, message);
            let key = (message.parent.as_str(), message.schedule_id.as_str());
            app.create_managed(&ctx, key, message.schedule, (&request_id, hash)).await
        });
        created.await
    }

    async fn update_schedule(&self, request: Request<UpdateScheduleRequest>) -> Answer<Schedule> {
        let app = &self.app;
        let updated = app.parts.kit.unary(request, |ctx, mut message| async move {
            let (request_id, hash) = once!(app, ctx, message);
            let update = Update {
                resource: message.schedule.unwrap_or_default(),
                mask: message.update_mask,
                allow_missing: message.allow_missing,
                request_id,
                validate_only: message.validate_only,
                hash,
            };
            app.update_managed(&ctx, &update).await
        });
        updated.await
    }

    async fn delete_schedule(&self, request: Request<DeleteScheduleRequest>) -> Answer<()> {
        let app = &self.app;
        let deleted = app.parts.kit.unary(request, |ctx, mut message| async move {
            let (request_id, hash) = once!(app, ctx, message);
            let key = (message.name.as_str(), message.etag.as_str());
            app.delete_managed::<Schedule>(&ctx, key, (&request_id, hash)).await
        });
        deleted.await
    }

    async fn get_menu(&self, request: Request<GetMenuRequest>) -> Answer<Menu> {
        let app = &self.app;
        app.parts.kit.unary(request, |ctx, message| async move { app.get_managed(&ctx, &message.name).await }).await
    }

    async fn list_menus(&self, request: Request<ListMenusRequest>) -> Answer<ListMenusResponse> {
        let app = &self.app;
        let listed = app.parts.kit.unary(request, |ctx, message| async move {
            let (menus, next_page_token) = app.list_managed(&ctx, &listing!(message)).await?;
            Ok(ListMenusResponse { menus, next_page_token })
        });
        listed.await
    }

    async fn create_menu(&self, request: Request<CreateMenuRequest>) -> Answer<Menu> {
        let app = &self.app;
        let created = app.parts.kit.unary(request, |ctx, mut message| async move {
            let (request_id, hash) = once!(app, ctx, message);
            let key = (message.parent.as_str(), message.menu_id.as_str());
            app.create_managed(&ctx, key, message.menu, (&request_id, hash)).await
        });
        created.await
    }

    async fn update_menu(&self, request: Request<UpdateMenuRequest>) -> Answer<Menu> {
        let app = &self.app;
        let updated = app.parts.kit.unary(request, |ctx, mut message| async move {
            let (request_id, hash) = once!(app, ctx, message);
            let update = Update {
                resource: message.menu.unwrap_or_default(),
                mask: message.update_mask,
                allow_missing: message.allow_missing,
                request_id,
                validate_only: message.validate_only,
                hash,
            };
            app.update_managed(&ctx, &update).await
        });
        updated.await
    }

    async fn delete_menu(&self, request: Request<DeleteMenuRequest>) -> Answer<()> {
        let app = &self.app;
        let deleted = app.parts.kit.unary(request, |ctx, mut message| async move {
            let (request_id, hash) = once!(app, ctx, message);
            let key = (message.name.as_str(), message.etag.as_str());
            app.delete_managed::<Menu>(&ctx, key, (&request_id, hash)).await
        });
        deleted.await
    }

    async fn get_slot(&self, request: Request<GetSlotRequest>) -> Answer<Slot> {
        let app = &self.app;
        app.parts.kit.unary(request, |ctx, message| async move { app.get_slot(&ctx, &message.name).await }).await
    }

    async fn list_slots(&self, request: Request<ListSlotsRequest>) -> Answer<ListSlotsResponse> {
        let app = &self.app;
        let listed = app.parts.kit.unary(request, |ctx, message| async move {
            let (slots, next_page_token) = app.list_slots(&ctx, &listing!(message)).await?;
            Ok(ListSlotsResponse { slots, next_page_token })
        });
        listed.await
    }

    async fn get_booking(&self, request: Request<GetBookingRequest>) -> Answer<Booking> {
        let app = &self.app;
        app.parts.kit.unary(request, |ctx, message| async move { app.get_booking(&ctx, &message.name).await }).await
    }

    async fn list_bookings(&self, request: Request<ListBookingsRequest>) -> Answer<ListBookingsResponse> {
        let app = &self.app;
        let listed = app.parts.kit.unary(request, |ctx, message| async move {
            let (bookings, next_page_token) = app.list_bookings(&ctx, &listing!(message)).await?;
            Ok(ListBookingsResponse { bookings, next_page_token })
        });
        listed.await
    }

    async fn get_receipt(&self, request: Request<GetReceiptRequest>) -> Answer<Receipt> {
        let app = &self.app;
        app.parts.kit.unary(request, |ctx, message| async move { app.get_receipt(&ctx, &message.name).await }).await
    }

    async fn list_receipts(&self, request: Request<ListReceiptsRequest>) -> Answer<ListReceiptsResponse> {
        let app = &self.app;
        let listed = app.parts.kit.unary(request, |ctx, message| async move {
            let (receipts, next_page_token) = app.list_receipts(&ctx, &listing!(message)).await?;
            Ok(ListReceiptsResponse { receipts, next_page_token })
        });
        listed.await
    }

    async fn read_decisions(&self, request: Request<ReadDecisionsRequest>) -> Answer<ReadDecisionsResponse> {
        let app = &self.app;
        app.parts.kit.unary(request, |ctx, message| async move { app.read_decisions(&ctx, &message).await }).await
    }

    async fn cancel_slot(&self, request: Request<CancelSlotRequest>) -> Answer<Slot> {
        let app = &self.app;
        let cancelled = app.parts.kit.unary(request, |ctx, mut message| async move {
            let (request_id, hash) = once!(app, ctx, message);
            message.request_id = request_id;
            app.cancel_slot(&ctx, &message, hash).await
        });
        cancelled.await
    }

    async fn create_booking(&self, request: Request<CreateBookingRequest>) -> Answer<Booking> {
        let app = &self.app;
        let created = |ctx, message| async move { Box::pin(app.create_booking(&ctx, message)).await };
        app.parts.kit.unary(request, created).await
    }

    async fn approve_booking(&self, request: Request<ApproveBookingRequest>) -> Answer<Booking> {
        act!(self, request, message => Action::Approve)
    }

    async fn refuse_booking(&self, request: Request<RefuseBookingRequest>) -> Answer<Booking> {
        act!(self, request, message => Action::Refuse(message.reason.clone()))
    }

    async fn cancel_booking(&self, request: Request<CancelBookingRequest>) -> Answer<Booking> {
        act!(self, request, message => Action::Cancel { etag: message.etag.clone() })
    }

    async fn check_in_booking(&self, request: Request<CheckInBookingRequest>) -> Answer<Booking> {
        act!(self, request, message => Action::CheckIn)
    }

    async fn complete_booking(&self, request: Request<CompleteBookingRequest>) -> Answer<Booking> {
        act!(self, request, message => Action::Complete(message.servers.clone()))
    }

    async fn mark_booking_no_show(&self, request: Request<MarkBookingNoShowRequest>) -> Answer<Booking> {
        act!(self, request, message => Action::NoShow)
    }

    async fn verify_invariants(&self, request: Request<VerifyInvariantsRequest>) -> Answer<VerifyInvariantsResponse> {
        let app = &self.app;
        app.parts.kit.unary(request, |ctx, message| async move { app.verify(&ctx, &message).await }).await
    }
}
