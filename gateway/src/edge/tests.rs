//! Claims about the edge, over a backend in this process that says what reached it.

use std::collections::HashMap;

use futures::FutureExt as _;
use http::HeaderMap;
use linli_kernel::SystemClock;
use linli_kit::identity::{Signer, TokenVerifier, generate_key_pair, issuer_key_id};
use linli_kit::serve::{Backend, LocalServices};
use linli_kit::stack::{Limits, StackParts, build};

use super::*;

const PATH: &str = "/linli.org.v1.OrgService/GetUnit";

/// Answers with what reached it, as headers.
#[derive(Clone)]
struct Echo;

impl tonic::server::NamedService for Echo {
    const NAME: &'static str = "linli.org.v1.OrgService";
}

impl tower::Service<Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Self::Error>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let mut answer = Response::new(Body::empty());
        for name in ["traceparent", "x-linli-context"] {
            if let Some(value) = request.headers().get(name) {
                answer.headers_mut().insert(name, value.clone());
            }
        }
        std::future::ready(Ok(answer))
    }
}

struct Rig {
    edge: Edge,
    signer: Signer,
}

fn rig(requests_per_second: u32) -> Rig {
    let (private, public) = generate_key_pair().expect("a key pair");
    let verifier = Arc::new(TokenVerifier::new(&public, &[]).expect("a key"));
    let local = LocalServices::default();
    let parts = StackParts {
        service: "org",
        texts: Texts::kit(),
        verifier: verifier.clone(),
        clock: Arc::new(SystemClock),
        limits: Limits::default(),
        tasks: tokio_util::task::TaskTracker::new(),
    };
    local.insert("org", build(&parts, tonic::service::Routes::new(Echo)));
    let parts = Parts {
        backends: HashMap::from([("org", Backend::Local(local, "org"))]),
        verifier,
        manual_clock: None,
        operators: Vec::new(),
        requests_per_second,
    };
    let signer = Signer::from_pem(issuer_key_id(), &private).expect("a key");
    Rig { edge: Edge::new(parts), signer }
}

impl Rig {
    fn request(&self, subject: &str) -> http::request::Builder {
        let token = self.signer.issue(subject, Duration::from_secs(60)).expect("a token");
        Request::builder().method("POST").uri(PATH).header("authorization", format!("Bearer {token}"))
    }

    async fn call(&self, request: http::request::Builder) -> HeaderMap {
        let request = request.body(Body::empty()).expect("a request");
        let mut edge = self.edge.clone();
        tower::Service::call(&mut edge, request).map(|answer| answer.expect("never fails").into_parts().0.headers).await
    }
}

fn reason(headers: &HeaderMap) -> Option<String> {
    use tonic_types::StatusExt as _;
    let status = tonic::Status::from_header_map(headers)?;
    status.get_error_details().error_info().map(|info| info.reason.clone())
}

#[tokio::test]
async fn a_subject_that_asks_too_often_is_refused_and_told_when_to_come_again_and_others_are_not() {
    use tonic_types::StatusExt as _;
    let rig = rig(1);
    let mut refused = None;
    for nth in 0..100 {
        let answer = rig.call(rig.request("people/eager")).await;
        if reason(&answer).is_some() {
            assert!(nth >= 2, "a burst is twice the rate");
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("nobody may ask a hundred times in a moment at one a second");
    assert_eq!(reason(&refused).as_deref(), Some("OVERLOADED"));
    let status = tonic::Status::from_header_map(&refused).expect("a status");
    assert!(status.get_error_details().retry_info().is_some());
    assert_eq!(reason(&rig.call(rig.request("people/calm")).await), None, "another has a rate of their own");
}

#[tokio::test]
async fn the_clients_trace_goes_on_under_the_edges_span_and_comes_back_with_every_answer() {
    let rig = rig(1000);
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let sent = format!("00-{trace}-b7ad6b7169203331-01");
    let with_trace = |request: http::request::Builder| request.header("traceparent", &sent);
    let answer = rig.call(with_trace(rig.request("people/p"))).await;
    assert_eq!(answer["x-request-id"], trace);
    let passed = answer["traceparent"].to_str().expect("ASCII");
    assert!(passed.starts_with(&format!("00-{trace}-")) && passed != sent, "{passed}");
    let refused = rig.call(with_trace(Request::builder().uri(PATH))).await;
    assert_eq!(reason(&refused).as_deref(), Some("UNAUTHENTICATED"));
    assert_eq!(refused["x-request-id"], trace, "also with a refusal");
    let answer = rig.call(rig.request("people/p")).await;
    let (id, passed) =
        (answer["x-request-id"].to_str().expect("ASCII"), answer["traceparent"].to_str().expect("ASCII"));
    assert!(id.len() == 32 && passed.starts_with(&format!("00-{id}-")), "a new trace: {id}, {passed}");
    assert!(!passed.ends_with("-0000000000000001-01"), "a span of its own: {passed}");
}

#[tokio::test]
async fn what_only_services_may_send_does_not_pass() {
    let rig = rig(1000);
    let answer = rig.call(rig.request("people/p").header("x-linli-context", "forged")).await;
    assert_eq!(reason(&answer), None);
    assert!(!answer.contains_key("x-linli-context"));
}

#[tokio::test]
async fn answers_and_refusals_are_counted_with_their_method_and_code() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let _here = metrics::set_default_local_recorder(&recorder);
    let rig = rig(1000);
    rig.call(rig.request("people/p")).await;
    rig.call(Request::builder().uri(PATH)).await;
    let rendered = handle.render();
    for series in ["linli_requests_total", "linli_request_seconds_count"] {
        for code in ["OK", "UNAUTHENTICATED"] {
            let labels = [r#"service="gateway""#.to_owned(), format!("method=\"{PATH}\""), format!("code=\"{code}\"")];
            let seen = |line: &&str| line.starts_with(series) && labels.iter().all(|label| line.contains(label));
            let line = rendered.lines().find(seen).unwrap_or_else(|| panic!("no {series} {code} in {rendered}"));
            assert!(line.ends_with(" 1"), "{line}");
        }
    }
}
