//! A bare tonic server that answers CheckAccess without looking: what the full stack is compared with.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use linli_proto::org as pb;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};

/// The server's service; it has the name of the real one, so that the same client calls both.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "linli.org.v1.OrgService";
}

impl UnaryService<pb::CheckAccessRequest> for Echo {
    type Response = pb::CheckAccessResponse;
    type Future = Ready<Result<Response<Self::Response>, Status>>;

    fn call(&mut self, _request: Request<pb::CheckAccessRequest>) -> Self::Future {
        ready(Ok(Response::new(pb::CheckAccessResponse {})))
    }
}

impl tower::Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        // What the generated servers do.
        Box::pin(async move {
            let mut grpc = Grpc::new(tonic_prost::ProstCodec::default());
            Ok(grpc.unary(Echo, request).await)
        })
    }
}
