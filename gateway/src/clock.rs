//! The manual clock as an RPC, for an embedded suite on loopback.

use std::sync::Arc;

use linli_kernel::{SharedClock, Timestamp};
use linli_kit::identity::TokenVerifier;
use linli_kit::{Caller, Error, ErrorCode, Texts};
use linli_proto::dev::clock_service_server::ClockService;
use linli_proto::dev::{AdvanceClockRequest, ClockReading, GetClockRequest};
use tonic::{Request, Response, Status};

/// Moves the clock for operators; every time check of the suite stays active.
pub(crate) struct Clock {
    pub(crate) clock: SharedClock,
    pub(crate) verifier: Arc<TokenVerifier>,
    pub(crate) operators: Vec<String>,
}

impl Clock {
    fn check<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let refuse =
            |error: Error| error.into_status(&Texts::shared_kit(), linli_kernel::Lang::default(), "gateway.linli");
        let token = request.metadata().get("authorization").and_then(|v| v.to_str().ok()).unwrap_or_default();
        let token = token.strip_prefix("Bearer ").or(token.strip_prefix("bearer ")).unwrap_or_default();
        let (caller, _) = self.verifier.caller(token, None).map_err(refuse)?;
        match caller {
            Caller::Subject(subject) if self.operators.contains(&subject) => Ok(()),
            _ => Err(refuse(
                Error::new(ErrorCode::PermissionDenied, "PERMISSION_DENIED")
                    .with("permission", "dev.clock.advance")
                    .with("resource", "the installation"),
            )),
        }
    }
}

fn reading(now: Timestamp) -> Response<ClockReading> {
    let now = prost_types::Timestamp { seconds: now.secs(), nanos: now.subsec_nanos() };
    Response::new(ClockReading { now: Some(now) })
}

#[tonic::async_trait]
impl ClockService for Clock {
    async fn get_clock(&self, request: Request<GetClockRequest>) -> Result<Response<ClockReading>, Status> {
        self.check(&request)?;
        Ok(reading(self.clock.now()))
    }

    async fn advance_clock(&self, request: Request<AdvanceClockRequest>) -> Result<Response<ClockReading>, Status> {
        self.check(&request)?;
        let to = request.get_ref().to.unwrap_or_default();
        let to = Timestamp::from_micros(to.seconds.saturating_mul(1_000_000) + i64::from(to.nanos) / 1000);
        Ok(reading(self.clock.manual().map_or_else(|| self.clock.now(), |manual| manual.advance_to(to))))
    }
}
