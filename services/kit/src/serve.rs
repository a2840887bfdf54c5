//! What a service is made of at run time, and how calls reach it: handlers, sockets, peers in the same process.
//!
//! A caller cannot tell whether a peer is a stack in this process or a channel to another. Never: TLS to the outside,
//! which is the gateway's.

mod parts;
mod peers;
mod transport;

use std::future::Future;
use std::sync::Arc;

use linli_kernel::SharedClock;
use tonic::{Request, Response, Status};

use crate::call::Ctx;
use crate::error::{Error, ErrorCode, Result};
use crate::stack::domain;
use crate::texts::Texts;

pub use parts::{SERVICES, ServiceParts, start_common, start_retention};
pub use peers::{Backend, LocalServices, PeerService, Peers};
pub use transport::{ServerOptions, serve_stack};

/// Largest message that is decoded.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// What the handlers of one service share.
#[derive(Clone)]
pub struct Kit {
    /// Name of the service, such as `org`.
    pub service: &'static str,
    /// Texts of its errors.
    pub texts: Texts,
    /// The suite's clock.
    pub clock: SharedClock,
}

impl Kit {
    /// Runs a unary handler: takes the context, calls, renders an error in the caller's language.
    ///
    /// # Errors
    /// The handler's error as a `Status`.
    pub async fn unary<Req, Res, F, Fut>(&self, request: Request<Req>, handler: F) -> Result<Response<Res>, Status>
    where
        F: FnOnce(Arc<Ctx>, Req) -> Fut,
        Fut: Future<Output = Result<Res>>,
    {
        let (_, extensions, message) = request.into_parts();
        let Some(ctx) = extensions.get::<Arc<Ctx>>().cloned() else {
            return Err(self.status(Error::new(ErrorCode::Unauthenticated, "UNAUTHENTICATED"), None));
        };
        match handler(ctx.clone(), message).await {
            Ok(answer) => Ok(Response::new(answer)),
            Err(error) => Err(self.status(error, Some(&ctx))),
        }
    }

    /// Renders an error and logs it once when it is a fault of ours.
    pub fn status(&self, error: Error, ctx: Option<&Ctx>) -> Status {
        if matches!(error.code(), ErrorCode::Internal) {
            let trace_id = ctx.map_or("", |ctx| &ctx.trace_id);
            let method = ctx.map_or("", |ctx| ctx.method.path.as_str());
            tracing::error!(service = self.service, method, trace_id, error = %error, cause = ?error.cause(), "call failed");
        }
        error.into_status(&self.texts, ctx.map_or_else(Default::default, |ctx| ctx.lang), &domain(self.service))
    }
}

impl std::fmt::Debug for Kit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kit").field("service", &self.service).finish_non_exhaustive()
    }
}
