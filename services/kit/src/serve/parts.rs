//! What a service is given when it is built, and the tasks that every service runs.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use linli_proto::events::event_service_client::EventServiceClient;
use linli_proto::events::{ListEventsRequest, ListEventsResponse, ReadFeedStateRequest, ReadFeedStateResponse};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Kit, Peers};
use crate::call::Ctx;
use crate::crypto::Keyring;
use crate::error::{Error, Result};
use crate::feed::{EventLog, EventSource, sequencer};
use crate::lease::Term;
use crate::retention;
use crate::store::Store;

/// What a service is given when it is built.
#[derive(Clone)]
pub struct ServiceParts {
    /// Name, texts, clock.
    pub kit: Kit,
    /// Its own database, open and migrated.
    pub store: Store,
    /// The other services.
    pub peers: Peers,
    /// Keys for fields, request hashes, page tokens.
    pub keyring: Arc<Keyring>,
    /// The service's feed.
    pub log: EventLog,
    /// Cancelled when the process goes down.
    pub cancel: CancellationToken,
    /// Background tasks and the tasks of changing calls; drain waits for them.
    pub tasks: TaskTracker,
    /// How long rows are kept.
    pub retention: retention::Settings,
}

impl ServiceParts {
    /// The other services' feeds, read over their EventService as this service.
    pub fn feed_source(&self) -> Arc<dyn EventSource> {
        Arc::new(PeerFeed { peers: self.peers.clone(), kit: self.kit.clone() })
    }

    /// A context for work that the service does on its own.
    pub fn background(&self, budget: Duration) -> Ctx {
        Ctx::background(self.kit.service, background_method(), self.kit.clock.clone(), budget)
    }
}

impl std::fmt::Debug for ServiceParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceParts").field("service", &self.kit.service).finish_non_exhaustive()
    }
}

/// The declared method of work without a request: reading feeds.
fn background_method() -> &'static linli_proto::MethodInfo {
    method("/linli.events.v1.EventService/ListEvents")
}

fn method(path: &str) -> &'static linli_proto::MethodInfo {
    linli_proto::methods().get(path).expect("a method of the contract; a test of linli-proto walks all methods")
}

/// Starts what every service runs: the sequencer of its feed, and retention.
pub fn start_common(parts: &ServiceParts) {
    let term = Term::for_engine(parts.store.engine());
    let sequencer = sequencer::spawn(&parts.log, term, parts.cancel.clone());
    parts.tasks.spawn(async move {
        if let Err(fault) = sequencer.await {
            tracing::error!(panicked = fault.is_panic(), "the sequencer broke");
        }
    });
    sweep(parts, "retention", retention::KIT);
}

/// Starts retention of a service's own growing tables.
pub fn start_retention(parts: &ServiceParts, kept: &'static [retention::Kept]) {
    sweep(parts, "retention.service", kept);
}

fn sweep(parts: &ServiceParts, lease: &'static str, kept: &'static [retention::Kept]) {
    let (store, clock, stop) = (parts.store.clone(), parts.kit.clock.clone(), parts.cancel.clone());
    let sweeping = retention::spawn(store, clock, lease, kept, parts.retention, stop);
    parts.tasks.spawn(async move {
        if let Err(fault) = sweeping.await {
            tracing::error!(panicked = fault.is_panic(), "retention broke");
        }
    });
}

/// Another service's feed over its EventService.
struct PeerFeed {
    peers: Peers,
    kit: Kit,
}

#[async_trait]
impl EventSource for PeerFeed {
    async fn list(&self, stream: &str, after: i64, max: i32, wait_ms: i32) -> Result<ListEventsResponse> {
        let wait = Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0));
        let budget = wait + Duration::from_secs(5);
        let ctx = Ctx::background(self.kit.service, background_method(), self.kit.clock.clone(), budget);
        let service = service_of(stream)?;
        let request = ListEventsRequest {
            stream: stream.to_owned(),
            after_position: after,
            max_events: max,
            wait_ms,
            ..ListEventsRequest::default()
        };
        let mut client = EventServiceClient::new(self.peers.to(service, &ctx))
            .max_decoding_message_size(super::MAX_MESSAGE_BYTES * 4);
        client.list_events(request).await.map(tonic::Response::into_inner).map_err(Error::from_peer)
    }

    async fn state(&self, stream: &str, page_token: &str) -> Result<ReadFeedStateResponse> {
        let method = method("/linli.events.v1.EventService/ReadFeedState");
        let ctx = Ctx::background(self.kit.service, method, self.kit.clock.clone(), STATE_PATIENCE);
        let request = ReadFeedStateRequest { stream: stream.to_owned(), page_token: page_token.to_owned() };
        let mut client = EventServiceClient::new(self.peers.to(service_of(stream)?, &ctx))
            .max_decoding_message_size(super::MAX_MESSAGE_BYTES * 4);
        client.read_feed_state(request).await.map(tonic::Response::into_inner).map_err(Error::from_peer)
    }
}

/// How long one page of a feed's state may take.
const STATE_PATIENCE: Duration = Duration::from_secs(30);

/// The services of the suite; a feed names one of them.
pub const SERVICES: [&str; 5] = ["org", "rules", "points", "booking", "deliberation"];

fn service_of(stream: &str) -> Result<&'static str> {
    SERVICES.into_iter().find(|s| stream.strip_prefix("streams/") == Some(s)).ok_or_else(|| Error::not_found(stream))
}
