//! The command line's way to a suite: a channel, a token, typed clients, dynamic calls. Never: what a command does with it.

mod args;
mod codec;
mod error;

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use linli_kernel::Lang;
use linli_proto::booking::booking_service_client::BookingServiceClient;
use linli_proto::deliberation::deliberation_service_client::DeliberationServiceClient;
use linli_proto::dev::clock_service_client::ClockServiceClient;
use linli_proto::events::event_service_client::EventServiceClient;
use linli_proto::google::longrunning::operations_client::OperationsClient;
use linli_proto::org::org_service_client::OrgServiceClient;
use linli_proto::points::points_service_client::PointsServiceClient;
use linli_proto::rules::rules_service_client::RulesServiceClient;
use prost_reflect::{DynamicMessage, MethodDescriptor};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Response, Status};

pub use args::ConnectArgs;
pub use error::CallError;

/// How long one call may take unless said otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A page of a thousand people is larger than tonic's default of 4 MiB may hold one day.
const MAX_ANSWER_BYTES: usize = 16 << 20;
/// How often a call is tried, the first time included.
const ATTEMPTS: u32 = 5;
/// The wait before the second attempt; it doubles from there.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait between two attempts, whatever the server proposes.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Where the roots of public certificates lie on Debian and its kin.
const PUBLIC_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What typed clients call through.
pub type Wire = InterceptedService<Channel, Credentials>;

/// Adds the caller's token, language and deadline to every call.
#[derive(Clone)]
pub struct Credentials {
    authorization: Option<MetadataValue<Ascii>>,
    language: &'static str,
    timeout: Duration,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("language", &self.language).finish_non_exhaustive()
    }
}

impl Interceptor for Credentials {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.authorization {
            request.metadata_mut().insert("authorization", token.clone());
        }
        request.metadata_mut().insert("accept-language", MetadataValue::from_static(self.language));
        request.set_timeout(self.timeout);
        Ok(request)
    }
}

/// A suite that can be called; cheap to clone.
#[derive(Debug, Clone)]
pub struct Connection {
    channel: Channel,
    credentials: Credentials,
    lang: Lang,
}

macro_rules! clients {
    ($($(#[$doc:meta])* $name:ident: $client:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name(&self) -> $client<Wire> {
            $client::with_interceptor(self.channel.clone(), self.credentials.clone())
                .max_decoding_message_size(MAX_ANSWER_BYTES)
        }
    )*};
}

impl Connection {
    /// Prepares a connection in Chinese; the first call opens it. `ca` names a PEM file, an empty token means none.
    ///
    /// # Errors
    /// When the URL, the token or the certificate file is none.
    pub fn open(url: &str, ca: Option<&Path>, token: &str) -> Result<Self> {
        let endpoint = Endpoint::from_shared(url.to_owned())
            .with_context(|| format!("{url:?} is no URL such as https://127.0.0.1:8443"))?
            .connect_timeout(Duration::from_secs(5))
            .tcp_nodelay(true);
        let scheme = endpoint.uri().scheme_str().unwrap_or_default().to_owned();
        ensure!(
            ["http", "https"].contains(&scheme.as_str()),
            "{url:?}: a URL of a suite begins with https:// or http://"
        );
        let endpoint = if scheme == "https" { endpoint.tls_config(tls(ca)?)? } else { endpoint };
        let authorization = match token.trim() {
            "" => None,
            token => Some(format!("Bearer {token}").parse().context("a token has no characters outside ASCII")?),
        };
        let lang = Lang::default();
        let credentials = Credentials { authorization, language: lang.tag(), timeout: TIMEOUT };
        Ok(Self { channel: endpoint.connect_lazy(), credentials, lang })
    }

    /// The same connection for another caller.
    ///
    /// # Errors
    /// When the token is none.
    pub fn with_token(mut self, token: &str) -> Result<Self> {
        let value = format!("Bearer {token}").parse().context("a token has no characters outside ASCII")?;
        self.credentials.authorization = Some(value);
        Ok(self)
    }

    /// The same connection with answers in another language.
    #[must_use]
    pub fn with_lang(mut self, lang: Lang) -> Self {
        (self.lang, self.credentials.language) = (lang, lang.tag());
        self
    }

    /// The same connection with another deadline for each call.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.credentials.timeout = timeout;
        self
    }

    /// The channel, for callers with credentials of their own.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// The language of answers.
    pub fn lang(&self) -> Lang {
        self.lang
    }

    /// What adds token, language and deadline to calls.
    pub fn interceptor(&self) -> Credentials {
        self.credentials.clone()
    }

    clients! {
        /// The org service.
        org: OrgServiceClient;
        /// The booking service.
        booking: BookingServiceClient;
        /// The points service.
        points: PointsServiceClient;
        /// The deliberation service.
        deliberation: DeliberationServiceClient;
        /// The rules service.
        rules: RulesServiceClient;
        /// The feeds.
        events: EventServiceClient;
        /// Long-running operations.
        operations: OperationsClient;
        /// The manual clock of an embedded suite.
        clock: ClockServiceClient;
    }

    /// Calls a unary method of the contract with messages that are known at run time only.
    ///
    /// Reads, and writes that carry a `request_id`, are tried again when that may help.
    ///
    /// # Errors
    /// What the server answered, or why it could not be reached.
    pub async fn call(&self, method: &MethodDescriptor, request: DynamicMessage) -> Result<DynamicMessage, CallError> {
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        let attempts = if may_repeat(&path, &request) { ATTEMPTS } else { 1 };
        let attempt = || Box::pin(self.call_once(method, &path, request.clone()));
        self.attempts(attempts, method.name(), attempt).await
    }

    async fn call_once(
        &self,
        method: &MethodDescriptor,
        path: &str,
        request: DynamicMessage,
    ) -> Result<Response<DynamicMessage>, Status> {
        let wire = InterceptedService::new(self.channel.clone(), self.credentials.clone());
        let mut grpc = tonic::client::Grpc::new(wire).max_decoding_message_size(MAX_ANSWER_BYTES);
        let path = http::uri::PathAndQuery::try_from(path).map_err(|e| Status::unimplemented(e.to_string()))?;
        grpc.ready().await.map_err(|e| Status::unavailable(e.to_string()))?;
        grpc.unary(Request::new(request), path, codec::Dynamic::new(method.output())).await
    }

    /// Makes a call that may safely be made twice (a read, or a write with a request id) until it is answered.
    ///
    /// # Errors
    /// The last answer when every attempt failed, or the first that another attempt cannot change.
    pub async fn repeat<T, F, Fut>(&self, method: &str, attempt: F) -> Result<T, CallError>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        self.attempts(ATTEMPTS, method, attempt).await
    }

    async fn attempts<T, F, Fut>(&self, most: u32, method: &str, mut attempt: F) -> Result<T, CallError>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        let mut wait = FIRST_WAIT;
        for left in (0..most).rev() {
            let error = match attempt().await {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) => CallError::new(method, status),
            };
            if left == 0 || !error.is_transient() {
                return Err(error);
            }
            tokio::time::sleep(error.retry_after().unwrap_or(wait).clamp(wait, LONGEST_WAIT)).await;
            wait *= 2;
        }
        Err(CallError::new(method, Status::unavailable("no attempt was made")))
    }
}

/// Whether a second call can do no harm: the method reads, or the request carries an id.
fn may_repeat(path: &str, request: &DynamicMessage) -> bool {
    let reads = linli_proto::methods().get(path).is_some_and(|method| !method.mutating);
    let id = request.get_field_by_name("request_id");
    reads || id.is_some_and(|id| id.as_str().is_some_and(|id| !id.is_empty()))
}

fn tls(ca: Option<&Path>) -> Result<ClientTlsConfig> {
    let path = ca.unwrap_or(Path::new(PUBLIC_ROOTS));
    match std::fs::read(path) {
        Ok(pem) => Ok(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem))),
        Err(_) if ca.is_none() => Ok(ClientTlsConfig::new()),
        Err(error) => Err(error).with_context(|| format!("{}: the certificate cannot be read", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &str) -> DynamicMessage {
        DynamicMessage::new(linli_proto::pool().get_message_by_name(name).expect("a message of the contract"))
    }

    #[test]
    fn only_reads_and_requests_with_an_id_are_repeated() {
        assert!(may_repeat("/linli.org.v1.OrgService/GetUnit", &request("linli.org.v1.GetUnitRequest")));
        let mut update = request("linli.org.v1.UpdateUnitRequest");
        assert!(!may_repeat("/linli.org.v1.OrgService/UpdateUnit", &update));
        update.set_field_by_name("request_id", prost_reflect::Value::String("x".to_owned()));
        assert!(may_repeat("/linli.org.v1.OrgService/UpdateUnit", &update));
    }

    #[tokio::test]
    async fn a_url_without_a_scheme_is_refused_before_the_first_call() {
        assert!(Connection::open("127.0.0.1:8443", None, "").is_err());
        assert!(Connection::open("http://127.0.0.1:1", None, "token").is_ok());
    }

    #[tokio::test]
    async fn nobody_at_the_other_end_is_told_in_a_way_that_helps() {
        let connection = Connection::open("http://127.0.0.1:1", None, "").expect("a URL");
        let mut client = connection.org();
        let asked = client.get_area(linli_proto::org::GetAreaRequest { name: "areas/x".to_owned() }).await;
        let told = CallError::new("GetArea", asked.expect_err("nobody listens")).to_string();
        assert!(told.contains("linli serve"), "{told}");
    }
}
