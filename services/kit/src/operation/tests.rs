//! Claims about operations, on both engines.

use std::sync::atomic::{AtomicU32, Ordering};

use linli_kernel::Lang;
use linli_proto::google::longrunning::operation::Result as Outcome;

use super::*;
use crate::testing::{ctx, stores};

const BOUND: Duration = Duration::from_secs(20);

fn any(text: &str) -> prost_types::Any {
    prost_types::Any { type_url: "type.googleapis.com/test".into(), value: text.as_bytes().to_vec() }
}

fn area() -> AreaId {
    AreaId::new("xinhua").expect("a slug")
}

async fn start(operations: &Operations, kind: &str) -> String {
    let (ctx, area) = (&ctx("people/p"), &area());
    let store = operations.inner.store.clone();
    let starting = store
        .write("start", |tx| Box::pin(async move { operations.start(tx, ctx, area, kind, b"request".to_vec()).await }));
    starting.await.expect("commits")
}

/// Notes where it is; the first run never ends on its own.
#[derive(Default)]
struct Stepwise {
    runs: AtomicU32,
}

#[async_trait]
impl Job for Stepwise {
    async fn run(&self, op: &OperationRow, progress: &Progress) -> Result<prost_types::Any> {
        let run = self.runs.fetch_add(1, Ordering::SeqCst);
        if run == 0 {
            progress.set(&any("half way")).await?;
            loop {
                progress.checkpoint()?;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        let from = op.metadata.as_ref().map(|m| String::from_utf8_lossy(&m.value).into_owned()).unwrap_or_default();
        Ok(any(&format!("from {from}")))
    }
}

struct Refuses;

#[async_trait]
impl Job for Refuses {
    async fn run(&self, op: &OperationRow, _: &Progress) -> Result<prost_types::Any> {
        if op.attempts < 3 {
            return Err(Error::new(ErrorCode::Unavailable, "STORAGE_UNAVAILABLE"));
        }
        Err(Error::not_found("areas/xinhua/units/x"))
    }
}

fn jobs(stepwise: &Arc<Stepwise>) -> Jobs {
    HashMap::from([("step", stepwise.clone() as Arc<dyn Job>), ("refuse", Arc::new(Refuses) as Arc<dyn Job>)])
}

fn settings() -> Settings {
    let first_pause = Duration::from_millis(5);
    Settings { lease: Duration::from_millis(600), first_pause, ..Settings::default() }
}

async fn until_running(operations: &Operations, name: &str) {
    let waiting = async {
        while operations.get(name).await.expect("is there").metadata.is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(BOUND, waiting).await.expect("runs within the bound");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_survives_a_restart_and_finds_what_it_noted() {
    for store in stores().await {
        let (operations, stepwise) = (Operations::new((*store).clone(), Texts::kit()), Arc::new(Stepwise::default()));
        let first = operations.spawn(jobs(&stepwise), settings(), CancellationToken::new());
        let name = start(&operations, "step").await;
        assert!(name.starts_with("areas/xinhua/operations/test-op-"), "{name}");
        until_running(&operations, &name).await;
        // As a kill: the job's task is dropped, and nobody gives the operation back.
        first.abort();
        assert!(first.await.is_err());
        assert_eq!(operations.get(&name).await.expect("is there").state, OperationState::Running);
        let (again, stop) = (Operations::new((*store).clone(), Texts::kit()), CancellationToken::new());
        let second = again.spawn(jobs(&stepwise), settings(), stop.clone());
        let op = again.wait(&name, BOUND).await.expect("is there");
        assert_eq!((op.state, op.attempts), (OperationState::Succeeded, 2), "{:?}", store.engine());
        assert_eq!(op.result, Some(any("from half way")));
        stop.cancel();
        second.await.expect("ends");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_gives_the_operation_back_to_the_next_process() {
    for store in stores().await {
        let (operations, stepwise) = (Operations::new((*store).clone(), Texts::kit()), Arc::new(Stepwise::default()));
        let (stop, long) = (CancellationToken::new(), Settings { lease: BOUND * 10, ..settings() });
        let first = operations.spawn(jobs(&stepwise), long, stop.clone());
        let name = start(&operations, "step").await;
        until_running(&operations, &name).await;
        stop.cancel();
        first.await.expect("ends");
        assert_eq!(operations.get(&name).await.expect("is there").state, OperationState::Waiting);
        let stop = CancellationToken::new();
        let second = operations.spawn(jobs(&stepwise), long, stop.clone());
        let op = operations.wait(&name, BOUND).await.expect("is there");
        assert_eq!(op.state, OperationState::Succeeded, "{:?}", store.engine());
        stop.cancel();
        second.await.expect("ends");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_operation_ends_as_cancelled_whether_it_runs_or_waits() {
    for store in stores().await {
        let (operations, stepwise) = (Operations::new((*store).clone(), Texts::kit()), Arc::new(Stepwise::default()));
        let waiting = start(&operations, "step").await;
        operations.cancel(&waiting).await.expect("is there");
        let stop = CancellationToken::new();
        let task = operations.spawn(jobs(&stepwise), settings(), stop.clone());
        let op = operations.wait(&waiting, BOUND).await.expect("is there");
        assert_eq!((op.state, stepwise.runs.load(Ordering::SeqCst)), (OperationState::Cancelled, 0));
        let running = start(&operations, "step").await;
        until_running(&operations, &running).await;
        let denied = operations.delete(&running).await.expect_err("runs");
        assert_eq!(denied.reason(), "OPERATION_RUNNING");
        operations.cancel(&running).await.expect("is there");
        let op = operations.wait(&running, BOUND).await.expect("is there");
        let Some(Outcome::Error(status)) = op.to_proto("test", Lang::En).result else { panic!("{op:?}") };
        assert_eq!((status.code, status.message.as_str()), (1, "The operation was cancelled."), "{:?}", store.engine());
        operations.delete(&running).await.expect("is over");
        assert_eq!(operations.get(&running).await.expect_err("is gone").code(), ErrorCode::NotFound);
        stop.cancel();
        task.await.expect("ends");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_fails_tells_why_in_the_readers_language() {
    for store in stores().await {
        let (operations, stop) = (Operations::new((*store).clone(), Texts::kit()), CancellationToken::new());
        let task = operations.spawn(jobs(&Arc::default()), settings(), stop.clone());
        let name = start(&operations, "refuse").await;
        let op = operations.wait(&name, BOUND).await.expect("is there");
        assert_eq!(
            (op.state, op.attempts, op.error_reason.as_str()),
            (OperationState::Failed, 3, "RESOURCE_NOT_FOUND")
        );
        let details = |lang| match op.to_proto("test", lang).result {
            Some(Outcome::Error(status)) => format!(
                "{} {:?}",
                status.code,
                status.details.iter().map(|d| String::from_utf8_lossy(&d.value).into_owned()).collect::<Vec<_>>()
            ),
            _ => panic!("{op:?}"),
        };
        assert!(
            details(Lang::ZhCn).contains("不存在") && details(Lang::ZhCn).starts_with("5 "),
            "{:?}",
            details(Lang::ZhCn)
        );
        assert!(details(Lang::En).contains("does not exist"), "{:?}", store.engine());
        stop.cancel();
        task.await.expect("ends");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_are_listed_newest_first_in_pages_of_their_area() {
    for store in stores().await {
        let operations = Operations::new((*store).clone(), Texts::kit());
        let mut names = Vec::new();
        for _ in 0..5 {
            names.insert(0, start(&operations, "step").await);
        }
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let page = operations.list(&area(), 2, &token).await.expect("lists");
            seen.extend(page.operations.iter().map(|op| op.name("test")));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
            let elsewhere = operations.list(&AreaId::new("xingqing").expect("a slug"), 2, &token).await;
            assert_eq!(elsewhere.expect_err("another list's token").code(), ErrorCode::InvalidArgument);
        }
        assert_eq!(seen, names, "{:?}", store.engine());
        assert_eq!(
            operations.get("areas/xinhua/operations/other-op-x").await.expect_err("no").code(),
            ErrorCode::NotFound
        );
    }
}
