//! Which service a request is for: by its path, or for feeds and operations by the name inside.

use bytes::{Bytes, BytesMut};
use http::Request;
use http_body_util::BodyExt as _;
use linli_kit::{Error, ErrorCode, Result};
use linli_proto::MethodInfo;
use prost::Message as _;
use tonic::body::Body;

/// Largest request that is read to find its service.
const MAX_PEEK_BYTES: usize = 64 * 1024;

/// The method of a path.
///
/// # Errors
/// UNIMPLEMENTED when the contract has no such method, PERMISSION_DENIED when it is for services only.
pub(crate) fn method(path: &str) -> Result<&'static MethodInfo> {
    let Some(info) = linli_proto::methods().get(path) else {
        return Err(Error::new(ErrorCode::Unimplemented, "NO_SUCH_METHOD").with("method", path));
    };
    if info.internal_only {
        return Err(Error::new(ErrorCode::PermissionDenied, "INTERNAL_ONLY"));
    }
    Ok(info)
}

/// The service of a request, which may have to be looked into; the request comes back whole.
///
/// # Errors
/// INVALID_ARGUMENT when the name inside belongs to no service.
pub(crate) async fn service(request: Request<Body>) -> Result<(String, Request<Body>)> {
    let path = request.uri().path();
    let package = path.strip_prefix("/linli.").and_then(|rest| rest.split('.').next()).unwrap_or_default();
    match (package, path) {
        ("events", _) => {
            let (name, request) =
                peek(request, |message| linli_proto::events::ListEventsRequest::decode(message).ok().map(|m| m.stream))
                    .await?;
            let service = name.strip_prefix("streams/").map(str::to_owned);
            Ok((service.ok_or_else(|| wrong("stream", "streams/{service}"))?, request))
        }
        // A list names an area, no operation. Validations of plugins are the only operations that there are.
        (_, "/google.longrunning.Operations/ListOperations") => Ok(("rules".to_owned(), request)),
        (_, path) if path.starts_with("/google.longrunning.") => {
            // Every other request of google.longrunning.Operations carries the name as its first field.
            let (name, request) = peek(request, |message| {
                linli_proto::google::longrunning::GetOperationRequest::decode(message).ok().map(|m| m.name)
            })
            .await?;
            let service =
                name.split('/').next_back().and_then(|id| id.split_once("-op-")).map(|(service, _)| service.to_owned());
            Ok((service.ok_or_else(|| wrong("name", "areas/{area}/operations/{service}-op-..."))?, request))
        }
        _ => Ok((package.to_owned(), request)),
    }
}

fn wrong(field: &str, expected: &str) -> Error {
    Error::field(linli_kit::FieldViolation::new(field, "FIELD_FORMAT").arg("expected", expected))
}

/// Reads a small unary request to its end and puts it back together.
async fn peek(request: Request<Body>, read: impl Fn(Bytes) -> Option<String>) -> Result<(String, Request<Body>)> {
    let malformed = || Error::new(ErrorCode::InvalidArgument, "MALFORMED_MESSAGE");
    let (parts, mut body) = request.into_parts();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| malformed())?;
        if let Some(data) = frame.data_ref() {
            if whole.len() + data.len() > MAX_PEEK_BYTES {
                return Err(
                    Error::new(ErrorCode::ResourceExhausted, "MESSAGE_TOO_LARGE").with("limit_bytes", MAX_PEEK_BYTES)
                );
            }
            whole.extend_from_slice(data);
        }
    }
    let whole = whole.freeze();
    // A gRPC message: one byte of flags, four bytes of length, the message.
    if whole.len() < 5 || whole[0] != 0 {
        return Err(malformed());
    }
    let name = read(whole.slice(5..)).ok_or_else(malformed)?;
    Ok((name, Request::from_parts(parts, Body::new(http_body_util::Full::new(whole)))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_for_services_only_are_refused_at_the_edge() {
        let error = method("/linli.rules.v1.RulesService/Evaluate").expect_err("internal");
        assert_eq!(error.reason(), "INTERNAL_ONLY");
        assert_eq!(method("/linli.org.v1.OrgService/Nothing").expect_err("none").reason(), "NO_SUCH_METHOD");
        assert!(method("/linli.org.v1.OrgService/GetUnit").is_ok());
    }

    #[tokio::test]
    async fn a_feed_is_found_by_its_stream_and_the_request_stays_whole() {
        let message = linli_proto::events::ListEventsRequest { stream: "streams/points".into(), ..Default::default() };
        let mut framed = vec![0];
        framed.extend_from_slice(&u32::try_from(message.encoded_len()).expect("small").to_be_bytes());
        framed.extend(message.encode_to_vec());
        let body = Body::new(http_body_util::Full::new(Bytes::from(framed.clone())));
        let request = Request::builder().uri("/linli.events.v1.EventService/ListEvents").body(body).expect("a request");
        let (found, request) = service(request).await.expect("a feed");
        assert_eq!(found, "points");
        let again = request.into_body().collect().await.expect("whole").to_bytes();
        assert_eq!(again, Bytes::from(framed));
    }
}
