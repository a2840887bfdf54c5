//! Somebody who calls the suite: a token on a channel, with typed clients.

use anyhow::{Context as _, Result};
use linli_proto::booking::booking_service_client::BookingServiceClient;
use linli_proto::deliberation::deliberation_service_client::DeliberationServiceClient;
use linli_proto::dev::clock_service_client::ClockServiceClient;
use linli_proto::events::event_service_client::EventServiceClient;
use linli_proto::org::org_service_client::OrgServiceClient;
use linli_proto::points::points_service_client::PointsServiceClient;
use linli_proto::rules::rules_service_client::RulesServiceClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

/// Adds the token to every call.
#[derive(Clone)]
pub(super) struct Auth(MetadataValue<Ascii>);

impl Interceptor for Auth {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        request.metadata_mut().insert("accept-language", MetadataValue::from_static("zh-CN"));
        Ok(request)
    }
}

type Wire = InterceptedService<Channel, Auth>;

/// Somebody who calls.
#[derive(Clone)]
pub(super) struct Actor {
    channel: Channel,
    auth: Auth,
}

impl Actor {
    pub(super) fn new(channel: Channel, token: &str) -> Result<Self> {
        let auth = Auth(format!("Bearer {token}").parse().context("a token is ASCII")?);
        Ok(Self { channel, auth })
    }

    fn wire(&self) -> Wire {
        InterceptedService::new(self.channel.clone(), self.auth.clone())
    }

    pub(super) fn org(&self) -> OrgServiceClient<Wire> {
        OrgServiceClient::new(self.wire()).max_decoding_message_size(16 << 20)
    }

    pub(super) fn booking(&self) -> BookingServiceClient<Wire> {
        BookingServiceClient::new(self.wire())
    }

    pub(super) fn points(&self) -> PointsServiceClient<Wire> {
        PointsServiceClient::new(self.wire())
    }

    pub(super) fn deliberation(&self) -> DeliberationServiceClient<Wire> {
        DeliberationServiceClient::new(self.wire())
    }

    pub(super) fn rules(&self) -> RulesServiceClient<Wire> {
        RulesServiceClient::new(self.wire())
    }

    pub(super) fn events(&self) -> EventServiceClient<Wire> {
        EventServiceClient::new(self.wire())
    }

    pub(super) fn clock(&self) -> ClockServiceClient<Wire> {
        ClockServiceClient::new(self.wire())
    }
}

/// The reason (UPPER_SNAKE) and the localized message of a refusal.
pub(super) fn refusal(status: &Status) -> (String, String) {
    use tonic_types::StatusExt as _;
    let reason = status.get_details_error_info().map(|i| i.reason).unwrap_or_default();
    let message = status.get_details_localized_message().map(|m| m.message);
    (reason, message.unwrap_or_else(|| status.message().to_owned()))
}
