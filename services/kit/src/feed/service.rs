//! `linli.events.v1.EventService` over a service's own log.
//!
//! Decodes, asks the gate, encodes. Never: a decision about who may read; that is the [`EventGate`]'s.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use linli_kernel::{AreaId, Lang};
use linli_proto::events::event_service_server::{EventService, EventServiceServer};
use linli_proto::events::{ListEventsRequest, ListEventsResponse, ReadFeedStateRequest, ReadFeedStateResponse};
use tonic::{Request, Response, Status};

use super::log::{EventLog, Page, Visibility};
use super::{FeedState, no_state, stream_name};
use crate::stack::domain;
use crate::{Caller, Ctx, Error, ErrorCode, FieldViolation, Result, Texts};

/// Time kept back from a caller's deadline, so that the answer of a long poll arrives before it.
const MARGIN: Duration = Duration::from_millis(200);

/// Says who may read which events; each service passes its own.
#[async_trait]
pub trait EventGate: Send + Sync + 'static {
    /// What the caller may see of `area` (a slug) and the areas below; with an empty `area`, of all areas.
    ///
    /// # Errors
    /// PERMISSION_DENIED when the caller may see nothing there.
    async fn visible(&self, ctx: &Ctx, area: &str) -> Result<Visibility>;
}

/// Serves the feed of one service.
pub struct FeedService<G> {
    log: EventLog,
    gate: G,
    state: Option<Arc<dyn FeedState>>,
    texts: Texts,
}

impl<G: EventGate> FeedService<G> {
    /// The feed of `log`, guarded by `gate`; errors are rendered with `texts`.
    pub fn new(log: EventLog, gate: G, texts: Texts) -> Self {
        Self { log, gate, state: None, texts }
    }

    /// The same feed, which also tells services its present state.
    #[must_use]
    pub fn with_state(mut self, state: Arc<dyn FeedState>) -> Self {
        self.state = Some(state);
        self
    }

    /// As a tonic service, ready for a router.
    pub fn into_server(self) -> EventServiceServer<Self> {
        EventServiceServer::new(self)
    }

    async fn list(&self, ctx: &Ctx, request: &ListEventsRequest) -> Result<Page> {
        // Authorise before validating; an area that is no area is nobody's to see.
        let area = match request.area.as_str() {
            "" => Ok(String::new()),
            name => AreaId::parse_name(name).map(|area| area.as_str().to_owned()),
        };
        let visible = self.gate.visible(ctx, area.as_deref().unwrap_or_default()).await?;
        self.check(request, area.err())?;
        let wait = Duration::from_millis(u64::try_from(request.wait_ms).unwrap_or(0));
        let wait = wait.min(ctx.remaining().saturating_sub(MARGIN));
        let after = match request.after_position {
            0 if request.from_oldest => self.log.oldest().await? - 1,
            after => after,
        };
        self.log.list_waiting(after, request.max_events, &visible, wait).await
    }

    async fn read_state(&self, ctx: &Ctx, request: &ReadFeedStateRequest) -> Result<ReadFeedStateResponse> {
        let served = |service: &String| ctx.method.internal_callers.contains(service);
        if !matches!(&ctx.caller, Caller::Service { service, .. } if served(service)) {
            return Err(Error::new(ErrorCode::PermissionDenied, "INTERNAL_ONLY"));
        }
        let state = self.state.as_ref().filter(|_| request.stream == stream_name(self.log.store().service()));
        let state = state.ok_or_else(|| no_state(&request.stream))?;
        // The position first: what changes while the page is read lies behind it.
        let position = self.log.newest().await?;
        let (events, next_page_token) = state.page(ctx, &request.page_token).await?;
        Ok(ReadFeedStateResponse { events, next_page_token, position })
    }

    fn check(&self, request: &ListEventsRequest, area: Option<linli_kernel::NameError>) -> Result<()> {
        let range =
            |field: &str, max: &str| FieldViolation::new(field, "FIELD_OUT_OF_RANGE").arg("min", 0).arg("max", max);
        let mut bad = Vec::new();
        if request.after_position < 0 {
            bad.push(range("after_position", "9223372036854775807"));
        }
        if request.max_events < 0 {
            bad.push(range("max_events", "1000"));
        }
        if !(0..=5000).contains(&request.wait_ms) {
            bad.push(range("wait_ms", "5000"));
        }
        if let Some(problem) = area {
            bad.push(FieldViolation::new("area", "NAME_INVALID").arg("detail", problem));
        }
        Error::check(bad)?;
        let known = stream_name(self.log.store().service());
        if request.stream == known { Ok(()) } else { Err(Error::not_found(&request.stream)) }
    }

    fn called<T>(&self, request: &Request<T>) -> Result<Arc<Ctx>, Status> {
        let unknown = || Error::new(ErrorCode::Unauthenticated, "UNAUTHENTICATED");
        request.extensions().get().cloned().ok_or_else(|| self.refuse(unknown(), Lang::default()))
    }

    fn refuse(&self, error: Error, lang: Lang) -> Status {
        error.into_status(&self.texts, lang, &domain(self.log.store().service()))
    }
}

#[tonic::async_trait]
impl<G: EventGate> EventService for FeedService<G> {
    async fn list_events(&self, request: Request<ListEventsRequest>) -> Result<Response<ListEventsResponse>, Status> {
        let ctx = self.called(&request)?;
        match self.list(&ctx, request.get_ref()).await {
            Ok(page) => Ok(Response::new(page.into())),
            Err(error) => Err(self.refuse(error, ctx.lang)),
        }
    }

    async fn read_feed_state(
        &self,
        request: Request<ReadFeedStateRequest>,
    ) -> Result<Response<ReadFeedStateResponse>, Status> {
        let ctx = self.called(&request)?;
        self.read_state(&ctx, request.get_ref()).await.map(Response::new).map_err(|error| self.refuse(error, ctx.lang))
    }
}
