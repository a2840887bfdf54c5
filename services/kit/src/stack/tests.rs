//! Claims about the stack, observed through a route that does what each test wants.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use linli_kernel::SystemClock;
use tokio::sync::Notify;
use tokio::time::Instant;
use tonic_types::StatusExt as _;

use super::*;
use crate::call::Ctx;
use crate::identity::{Signer, generate_key_pair, issuer_key_id};

const READ: &str = "/linli.org.v1.OrgService/GetUnit";
const CHANGE: &str = "/linli.org.v1.OrgService/CreateUnit";
const BOTH: [&str; 2] = [READ, CHANGE];

type Act = Arc<dyn Fn(Request<Body>) -> BoxFuture<'static, Response<Body>> + Send + Sync>;

/// A route that does what a test wants.
#[derive(Clone)]
struct Stub(Act);

impl tonic::server::NamedService for Stub {
    const NAME: &'static str = "linli.org.v1.OrgService";
}

impl tower::Service<Request<Body>> for Stub {
    type Response = Response<Body>;
    type Error = std::convert::Infallible;
    type Future = Answered;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        answered((self.0)(request))
    }
}

/// A stack around a route, and the token of somebody.
struct Rig {
    stack: Stack,
    parts: StackParts,
    token: String,
}

fn rig(
    limits: Limits,
    act: impl Fn(Request<Body>) -> BoxFuture<'static, Response<Body>> + Send + Sync + 'static,
) -> Rig {
    let (private, public) = generate_key_pair().expect("a key pair");
    let signer = Signer::from_pem(issuer_key_id(), &private).expect("a key");
    let parts = StackParts {
        service: "org",
        texts: Texts::kit(),
        verifier: Arc::new(TokenVerifier::new(&public, &[]).expect("a key")),
        clock: Arc::new(SystemClock),
        limits,
        tasks: TaskTracker::new(),
    };
    let stack = build(&parts, tonic::service::Routes::new(Stub(Arc::new(act))));
    Rig { stack, parts, token: signer.issue("people/p", Duration::from_secs(600)).expect("a token") }
}

impl Rig {
    fn request(&self, path: &str) -> http::request::Builder {
        Request::builder().method("POST").uri(path).header("authorization", format!("Bearer {}", self.token))
    }

    async fn call(&self, request: http::request::Builder) -> tonic::Status {
        let answer = self.stack.serve(request.body(Body::empty()).expect("a request")).await;
        tonic::Status::from_header_map(answer.headers()).unwrap_or_else(|| tonic::Status::ok(""))
    }
}

fn reason(status: &tonic::Status) -> String {
    status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()
}

fn ok() -> Response<Body> {
    Response::new(Body::empty())
}

/// What the recorder saw of a series, by a part of its labels.
fn counted(metrics: &metrics_exporter_prometheus::PrometheusHandle, series: &str, labels: &[&str]) -> f64 {
    let rendered = metrics.render();
    let lines = rendered.lines().filter(|line| line.starts_with(&format!("{series}{{")));
    let lines = lines.filter(|line| labels.iter().all(|label| line.contains(label)));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[tokio::test]
async fn a_call_that_is_denied_is_counted_and_reaches_no_route() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let _here = metrics::set_default_local_recorder(&recorder);
    let reached = Arc::new(AtomicU32::new(0));
    let counter = reached.clone();
    let rig = rig(Limits::default(), move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { ok() })
    });
    let denied = rig.call(Request::builder().uri(READ)).await;
    assert_eq!((denied.code(), reason(&denied).as_str()), (tonic::Code::Unauthenticated, "UNAUTHENTICATED"));
    assert_eq!(rig.call(rig.request(READ)).await.code(), tonic::Code::Ok);
    assert_eq!(reached.load(Ordering::SeqCst), 1);
    let code = |code: &str| counted(&handle, "linli_requests_total", &[READ, code]);
    assert_eq!((code("UNAUTHENTICATED"), code("\"OK\"")), (1.0, 1.0), "metrics stand outside the caller");
}

#[tokio::test]
async fn a_panic_is_answered_and_counted_whether_the_call_reads_or_changes() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let _here = metrics::set_default_local_recorder(&recorder);
    let rig = rig(Limits::default(), |_| Box::pin(async { panic!("as told") }));
    for (nth, path) in BOTH.into_iter().enumerate() {
        let status = rig.call(rig.request(path)).await;
        assert_eq!((status.code(), reason(&status).as_str()), (tonic::Code::Internal, "INTERNAL"), "{path}");
        assert_eq!(counted(&handle, "linli_panics_total", &["org"]), nth as f64 + 1.0, "{path}");
        assert_eq!(counted(&handle, "linli_requests_total", &[path, "INTERNAL"]), 1.0, "metrics stand outside");
    }
}

#[tokio::test(start_paused = true)]
async fn the_answer_comes_at_the_deadline_and_a_change_that_has_begun_still_ends() {
    for path in BOTH {
        let done = Arc::new(AtomicBool::new(false));
        let flag = done.clone();
        let rig = rig(Limits::default(), move |_| {
            let flag = flag.clone();
            Box::pin(async move {
                tokio::time::sleep(Duration::from_secs(5)).await;
                flag.store(true, Ordering::SeqCst);
                ok()
            })
        });
        let begun = Instant::now();
        let status = rig.call(rig.request(path).header("grpc-timeout", "100m")).await;
        let taken = begun.elapsed();
        assert_eq!(reason(&status), "DEADLINE_EXCEEDED", "{path}");
        assert!(
            taken >= Duration::from_millis(100) && taken <= Duration::from_millis(100) + GRACE,
            "{path}: {taken:?}"
        );
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(done.load(Ordering::SeqCst), path == CHANGE, "{path}: the own task stands inside the deadline");
    }
}

#[tokio::test]
async fn a_change_whose_caller_left_ends_and_a_read_does_not() {
    for path in BOTH {
        let (begun, gate, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
        let seen = (begun.clone(), gate.clone(), done.clone());
        let rig = rig(Limits::default(), move |_| {
            let (begun, gate, done) = seen.clone();
            Box::pin(async move {
                begun.notify_one();
                gate.notified().await;
                done.store(true, Ordering::SeqCst);
                ok()
            })
        });
        tokio::select! {
            status = rig.call(rig.request(path)) => panic!("{path} answers {status:?} behind a closed gate"),
            () = begun.notified() => {}
        }
        // The future of the call is dropped by now, as tonic drops it when a stream is reset.
        gate.notify_one();
        rig.parts.tasks.close();
        rig.parts.tasks.wait().await;
        tokio::task::yield_now().await;
        assert_eq!(done.load(Ordering::SeqCst), path == CHANGE, "{path}");
    }
}

#[tokio::test]
async fn a_change_that_waits_for_a_place_runs_although_its_caller_left() {
    let (gate, runs) = (Arc::new(Notify::new()), Arc::new(AtomicU32::new(0)));
    let (begun, seen) = (Arc::new(Notify::new()), (gate.clone(), runs.clone()));
    let first = begun.clone();
    let rig = rig(Limits { concurrent: 1, waiting: 10 }, move |_| {
        let ((gate, runs), first) = (seen.clone(), first.clone());
        Box::pin(async move {
            first.notify_one();
            gate.notified().await;
            runs.fetch_add(1, Ordering::SeqCst);
            gate.notify_one();
            ok()
        })
    });
    tokio::select! {
        biased;
        _ = rig.call(rig.request(CHANGE)) => panic!("the gate is closed"),
        () = begun.notified() => {}
    }
    // The second is polled once, so that its task waits for the place of the first, and dropped.
    let waiting = rig.call(rig.request(CHANGE));
    assert!(waiting.now_or_never().is_none());
    gate.notify_one();
    rig.parts.tasks.close();
    rig.parts.tasks.wait().await;
    assert_eq!(runs.load(Ordering::SeqCst), 2, "the own task stands outside the bound of concurrency");
}

#[tokio::test]
async fn what_finds_no_place_is_shed_by_class_and_told_when_to_come_again() {
    for (path, other) in [(READ, CHANGE), (CHANGE, READ)] {
        let (begun, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let seen = (begun.clone(), gate.clone());
        let rig = rig(Limits { concurrent: 1, waiting: 0 }, move |request| {
            let ((begun, gate), held) = (seen.clone(), request.headers().contains_key("x-hold"));
            Box::pin(async move {
                if held {
                    begun.notify_one();
                    gate.notified().await;
                }
                ok()
            })
        });
        let first = rig.call(rig.request(path).header("x-hold", "1"));
        let rest = async {
            begun.notified().await;
            let shed = rig.call(rig.request(path)).await;
            assert_eq!((shed.code(), reason(&shed).as_str()), (tonic::Code::ResourceExhausted, "OVERLOADED"), "{path}");
            assert!(shed.get_error_details().retry_info().is_some(), "{path}");
            assert_eq!(rig.call(rig.request(other)).await.code(), tonic::Code::Ok, "{other} has places of its own");
            gate.notify_one();
        };
        let (first, ()) = tokio::join!(first, rest);
        assert_eq!(first.code(), tonic::Code::Ok);
        assert_eq!(rig.call(rig.request(path)).await.code(), tonic::Code::Ok, "{path}: the place is free again");
    }
}

#[expect(clippy::disallowed_methods, reason = "plays tonic, which makes its own statuses")]
#[tokio::test]
async fn what_tonic_refuses_gets_the_typed_form_in_the_callers_language() {
    let rig = rig(Limits::default(), |_| {
        Box::pin(async {
            // What tonic says of a message with invalid UTF-8 deep inside.
            let bytes: &[u8] = &[0x12, 0x06, 0x1a, 0x04, 0x12, 0x02, 0xff, 0xfe];
            let error = <linli_proto::org::CreateUnitRequest as prost::Message>::decode(bytes).expect_err("invalid");
            tonic::Status::internal(error.to_string()).into_http()
        })
    });
    let status = rig.call(rig.request(READ).header("accept-language", "zh-CN")).await;
    assert_eq!((status.code(), reason(&status).as_str()), (tonic::Code::InvalidArgument, "MALFORMED_MESSAGE"));
    let said = status.get_error_details().localized_message().map(|m| m.locale.clone());
    assert_eq!(said.as_deref(), Some("zh-CN"), "codec errors stand inside the caller");
    let details = status.get_error_details();
    let fields: Vec<&str> =
        details.bad_request().into_iter().flat_map(|bad| &bad.field_violations).map(|v| v.field.as_str()).collect();
    assert_eq!(fields, ["unit.display_name.en"]);
    let status = rig.call(rig.request("/linli.moon.v1.MoonService/GetMoon")).await;
    assert_eq!((status.code(), reason(&status).as_str()), (tonic::Code::Unimplemented, "NO_SUCH_METHOD"));
}

/// What was logged.
#[derive(Clone, Default)]
struct Lines(Arc<parking_lot::Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_line_that_a_handler_logs_carries_the_clients_trace_the_method_and_the_parent() {
    let lines = Lines::default();
    let to = lines.clone();
    // The filter that holds when nobody says otherwise.
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter("info")
        .event_format(crate::telemetry::lines::text())
        .with_writer(move || to.clone())
        .finish();
    let _here = tracing::subscriber::set_default(subscriber);
    let rig = rig(Limits::default(), |request| {
        Box::pin(async move {
            let ctx = request.extensions().get::<Arc<Ctx>>().cloned().expect("the caller is known");
            tracing::info!(again = &*ctx.trace_id, "in the handler");
            ok()
        })
    });
    let (trace, parent) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    for path in BOTH {
        let sent = format!("00-{trace}-{parent}-01");
        rig.call(rig.request(path).header("traceparent", sent)).await;
        let logged = String::from_utf8(std::mem::take(&mut *lines.0.lock())).expect("text");
        let line = logged.lines().find(|line| line.contains("in the handler")).expect("the line");
        for part in
            [path, &format!("trace_id=\"{trace}\""), &format!("parent_id={parent}"), &format!("again=\"{trace}")]
        {
            assert!(line.contains(part), "{part} in {line}");
        }
    }
}
