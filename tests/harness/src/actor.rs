//! Somebody who calls the suite: a token on a channel, with typed clients.

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
#[derive(Debug, Clone)]
pub struct Auth(MetadataValue<Ascii>);

impl Interceptor for Auth {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        request.metadata_mut().insert("accept-language", MetadataValue::from_static("zh-CN"));
        Ok(request)
    }
}

/// The transport of a caller.
pub type Wire = InterceptedService<Channel, Auth>;

/// Somebody who calls.
#[derive(Debug, Clone)]
pub struct Actor {
    channel: Channel,
    auth: Auth,
}

impl Actor {
    /// A caller with a token.
    ///
    /// # Panics
    /// When the token is not ASCII.
    pub fn new(channel: Channel, token: &str) -> Self {
        let auth = Auth(format!("Bearer {token}").parse().expect("a token is ASCII"));
        Self { channel, auth }
    }

    /// The same caller on another channel.
    #[must_use]
    pub fn over(&self, channel: Channel) -> Self {
        Self { channel, auth: self.auth.clone() }
    }

    fn wire(&self) -> Wire {
        InterceptedService::new(self.channel.clone(), self.auth.clone())
    }

    /// A client of OrgService.
    pub fn org(&self) -> OrgServiceClient<Wire> {
        OrgServiceClient::new(self.wire()).max_decoding_message_size(16 << 20)
    }

    /// A client of BookingService.
    pub fn booking(&self) -> BookingServiceClient<Wire> {
        BookingServiceClient::new(self.wire())
    }

    /// A client of PointsService.
    pub fn points(&self) -> PointsServiceClient<Wire> {
        PointsServiceClient::new(self.wire())
    }

    /// A client of DeliberationService.
    pub fn deliberation(&self) -> DeliberationServiceClient<Wire> {
        DeliberationServiceClient::new(self.wire())
    }

    /// A client of RulesService.
    pub fn rules(&self) -> RulesServiceClient<Wire> {
        RulesServiceClient::new(self.wire())
    }

    /// A client of EventService.
    pub fn events(&self) -> EventServiceClient<Wire> {
        EventServiceClient::new(self.wire())
    }

    /// A client of ClockService.
    pub fn clock(&self) -> ClockServiceClient<Wire> {
        ClockServiceClient::new(self.wire())
    }
}

/// What a refusal says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The gRPC code.
    pub code: tonic::Code,
    /// The reason (UPPER_SNAKE).
    pub reason: String,
    /// Bad fields with their descriptions.
    pub fields: Vec<(String, String)>,
    /// The message in the caller's language.
    pub message: String,
}

impl Refusal {
    /// Whether a field is named as bad.
    pub fn names(&self, field: &str) -> bool {
        self.fields.iter().any(|(f, _)| f == field)
    }
}

/// Reads a refusal.
pub fn refusal(status: &Status) -> Refusal {
    use tonic_types::StatusExt as _;
    let details = status.get_error_details();
    let fields = details.bad_request().map(|b| b.field_violations.clone()).unwrap_or_default();
    Refusal {
        code: status.code(),
        reason: details.error_info().map(|i| i.reason.clone()).unwrap_or_default(),
        fields: fields.into_iter().map(|f| (f.field, f.description)).collect(),
        message: details.localized_message().map(|m| m.message.clone()).unwrap_or_default(),
    }
}
