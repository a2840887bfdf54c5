//! Claims about the projection, over the feed of a store that plays org, on both engines.

use linli_kernel::ManualClock;
use linli_kit::feed::consumer::discard;
use linli_kit::feed::{EventLog, sequencer, told};
use linli_kit::lease::Term;
use linli_kit::store::EventDraft;
use linli_kit::testing::{TestStore, stores_with};
use linli_proto::events::{ListEventsResponse, ReadFeedStateResponse};
use linli_proto::org as pb;

use super::*;
use crate::decide::Target;
use crate::matrix::Matrix;

const WORKER: &str = "systems/worker";
const CREATE: &str = "/linli.points.v1.PointsService/CreateAsset";
const LIST: &str = "/linli.points.v1.PointsService/ListAssets";

fn ctx(method: &str) -> Ctx {
    let info = linli_proto::methods().get(method).expect("a method of the contract");
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_790_000_000)));
    let mut ctx = Ctx::background("test", info, clock, Duration::from_secs(60));
    ctx.caller = Caller::Subject(WORKER.to_owned());
    ctx
}

fn appointed(name: &str, ended: bool) -> EventDraft {
    let end_time = ended.then_some(prost_types::Timestamp { seconds: 1, nanos: 0 });
    let payload = pb::AppointmentChanged {
        appointment: format!("areas/xinhua/appointments/{name}"),
        appointee: WORKER.to_owned(),
        access_role: "manager".to_owned(),
        role: "secretary".to_owned(),
        start_time: Some(prost_types::Timestamp::default()),
        end_time,
        ..Default::default()
    };
    let subject = payload.appointment.clone();
    EventDraft::new(&ctx(CREATE), "linli.org.v1.AppointmentChanged", "xinhua", subject, 1, &payload)
}

fn area() -> EventDraft {
    let payload = pb::AreaChanged { area: "areas/xinhua".into(), ..Default::default() };
    EventDraft::new(&ctx(CREATE), "linli.org.v1.AreaChanged", "xinhua", "areas/xinhua", 1, &payload)
}

async fn emit(store: &Store, drafts: &[EventDraft]) {
    let writing = store.write("emit", |tx| {
        Box::pin(async move {
            drafts.iter().cloned().for_each(|draft| tx.emit(draft));
            Ok(())
        })
    });
    writing.await.expect("commits");
}

/// Org's feed, with a state of one appointment that is running.
struct Org(EventLog);

#[async_trait]
impl EventSource for Org {
    async fn list(&self, stream: &str, after: i64, max: i32, wait_ms: i32) -> Result<ListEventsResponse> {
        EventSource::list(&self.0, stream, after, max, wait_ms).await
    }

    async fn state(&self, _stream: &str, _page_token: &str) -> Result<ReadFeedStateResponse> {
        let position = self.0.newest().await?;
        let events = vec![told("org", area()), told("org", appointed("apt-state", false))];
        Ok(ReadFeedStateResponse { events, position, next_page_token: String::new() })
    }
}

/// A projection of the store's own feed.
struct Rig {
    access: Access,
    cancel: CancellationToken,
    tasks: TaskTracker,
    handle: Arc<ConsumerHandle>,
}

impl Rig {
    async fn start(store: &TestStore) -> Self {
        let (cancel, tasks) = (CancellationToken::new(), TaskTracker::new());
        let log = EventLog::new((**store).clone());
        tasks.spawn(sequencer::spawn(&log, Term::for_engine(store.engine()), cancel.clone()));
        let access = Access::new(Matrix::shipped().expect("the shipped matrix"), []);
        let handle = follow(store, Arc::new(Org(log)), &access, &cancel, &tasks).await.expect("starts");
        Self { access, cancel, tasks, handle }
    }

    fn asked(&self, method: &str) -> String {
        let target = Target { area: "xinhua".into(), ..Target::default() };
        self.access.authorise(&ctx(method), &target).err().map_or_else(|| "OK".to_owned(), |error| error.reason())
    }

    async fn until(&self, method: &str, answer: &str) {
        let waiting = async {
            while self.asked(method) != answer {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let within = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        within.unwrap_or_else(|_| panic!("{method} is not {answer} within the bound but {}", self.asked(method)));
    }

    async fn stop(self) {
        self.cancel.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn stores() -> Vec<TestStore> {
    stores_with("org", &migrations()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_parked_makes_changes_unavailable_and_counts_as_soon_as_it_is_applied_or_given_up() {
    for store in stores().await {
        let rig = Rig::start(&store).await;
        emit(&store, &[area(), appointed("apt-1", false)]).await;
        rig.until(CREATE, "OK").await;
        let broken = EventDraft { data: vec![0xff], ..appointed("apt-2", true) };
        emit(&store, &[broken]).await;
        rig.until(CREATE, "PROJECTION_STALE").await;
        assert_eq!(rig.asked(LIST), "OK", "{:?}: reads go on", store.engine());
        // The end of the first appointment waits for nobody.
        emit(&store, &[appointed("apt-1", true)]).await;
        rig.until(LIST, "PERMISSION_DENIED").await;
        let parked = rig.handle.position() - 1;
        assert!(discard(&store, "access", parked).await.expect("answers"), "the operator's last resort");
        rig.until(CREATE, "PERMISSION_DENIED").await;
        rig.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_that_missed_events_takes_orgs_present_state() {
    for store in stores().await {
        emit(&store, &[area(), appointed("apt-old", false)]).await;
        let first = Rig::start(&store).await;
        first.until(CREATE, "OK").await;
        first.stop().await;
        // While nobody follows, the appointment ends, and the feed forgets it.
        emit(&store, &[appointed("apt-old", true), area(), area()]).await;
        let log = EventLog::new((*store).clone());
        let placing = CancellationToken::new();
        let placed = sequencer::spawn(&log, Term::for_engine(store.engine()), placing.clone());
        let mut newest = 2;
        while newest < 5 {
            let page = log.list_waiting(newest, 10, &Visibility::All, Duration::from_secs(5)).await.expect("lists");
            assert!(page.newest_position > newest, "{:?}: nothing is placed", store.engine());
            newest = page.newest_position;
        }
        placing.cancel();
        placed.await.expect("ends");
        let forget = store.write("forget", |tx| {
            Box::pin(async move {
                run(tx, "DELETE FROM event WHERE position < 5", vec![]).await?;
                run(tx, "UPDATE feed_head SET oldest = 5", vec![]).await
            })
        });
        forget.await.expect("commits");
        let second = Rig::start(&store).await;
        second.until(CREATE, "OK").await;
        let snapshot = second.access.snapshot();
        let grants: Vec<&str> = snapshot.grants(WORKER).iter().map(|grant| grant.appointment.as_str()).collect();
        assert_eq!(grants, ["apt-state"], "{:?}: what is no longer told is gone", store.engine());
        second.stop().await;
    }
}
