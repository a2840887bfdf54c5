//! Markers in everything that is personal or sensitive, searched for in everything that the suite writes.

use std::io::Write;
use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};

use linli_harness::seed::{self, Community, request_id, text};
use linli_harness::{Actor, TestSuite, engines, rules};
use linli_kit::store::EngineConfig;
use linli_kit::telemetry::Metrics;
use linli_proto::common::{Answer, answer};
use linli_proto::{booking, deliberation, events, org};
use prost::Message as _;
use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement};
use secrecy::ExposeSecret as _;

use crate::setting::{haircut, known_to_booking};

const PARENT: &str = "areas/xinhua";
const NAME: &str = "Qzmarker Fullname";
const VISIT: &str = "qzmarker-visit-description";
const ANSWER: &str = "qzmarker-text-answer";
const TITLE: &str = "qzmarker-topic-title";
const BODY: &str = "qzmarker-topic-body";
const RECORD: &str = "qzmarker-record-text";
const REFUSAL: &str = "qzmarker-refusal-reason";
const CANCELLATION: &str = "qzmarker-cancellation-reason";
const CLOSING: &str = "qzmarker-closing-answer";
const MARKERS: [&str; 9] = [NAME, VISIT, ANSWER, TITLE, BODY, RECORD, REFUSAL, CANCELLATION, CLOSING];

/// What was logged in this process.
static LOGS: LazyLock<Mutex<Vec<u8>>> = LazyLock::new(Mutex::default);

struct Logs;

impl Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOGS.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The markers that stand in some bytes.
fn found(bytes: &[u8]) -> Vec<&'static str> {
    MARKERS.into_iter().filter(|m| bytes.windows(m.len()).any(|window| window == m.as_bytes())).collect()
}

async fn plant(suite: &TestSuite, community: &Community) -> Vec<tonic::Status> {
    let op = suite.operator();
    let mut refusals = person(&op).await;
    let resident = suite.actor(community.adult(0));
    known_to_booking(&resident).await;
    refusals.extend(visit(&op, &resident).await);
    refusals.extend(topic(&op, &resident).await);
    refusals
}

async fn person(op: &Actor) -> Vec<tonic::Status> {
    let person = org::Person { full_name: NAME.into(), unit: format!("{PARENT}/units/grid-1"), ..Default::default() };
    let request =
        |person| org::CreatePersonRequest { parent: PARENT.into(), person: Some(person), request_id: request_id() };
    op.org().create_person(request(person.clone())).await.expect("a person");
    let bad = org::Person { birth_year: 3000, tags: vec![NAME.into()], full_name: NAME.repeat(9), ..person };
    vec![op.org().create_person(request(bad)).await.expect_err("a bad person")]
}

async fn visit(op: &Actor, resident: &Actor) -> Vec<tonic::Status> {
    let offering = booking::Offering {
        mode: booking::Mode::HomeVisit.into(),
        questions: vec![
            question("what", booking::QuestionType::Text),
            question("trade", booking::QuestionType::Choice),
            question("major", booking::QuestionType::Flag),
        ],
        ..haircut()
    };
    // Major work is for a person to approve.
    rules::bind(op, "xinhua", "repairs", "booking-eligibility", &["haircut"], Vec::new()).await;
    let slots = crate::setting::barber(op, offering, 3).await;
    let answer = |key: &str, value| Answer { key: key.into(), value: Some(value) };
    let wish = |slot: usize, description: String, key: &str| booking::CreateBookingRequest {
        parent: PARENT.into(),
        booking: Some(booking::Booking {
            slot: slots[slot].name.clone(),
            answers: vec![
                answer(key, answer::Value::Text(ANSWER.into())),
                answer("trade", answer::Value::Choice("water".into())),
                answer("major", answer::Value::Flag(true)),
            ],
            details: Some(booking::booking::Details::Visit(booking::VisitDetails {
                description,
                ..Default::default()
            })),
            ..Default::default()
        }),
        request_id: request_id(),
    };
    let booked =
        resident.booking().create_booking(wish(0, VISIT.into(), "what")).await.expect("a booking").into_inner();
    let refuse = |reason: String| booking::RefuseBookingRequest {
        name: booked.name.clone(),
        reason: text(&reason, ""),
        request_id: request_id(),
    };
    let bad = op.booking().refuse_booking(refuse(REFUSAL.repeat(30))).await.expect_err("a bad reason");
    op.booking().refuse_booking(refuse(REFUSAL.into())).await.expect("a refusal");
    resident.booking().create_booking(wish(1, VISIT.into(), "what")).await.expect("a booking");
    let cancel = |reason: String| booking::CancelSlotRequest {
        name: slots[1].name.clone(),
        reason: text(&reason, ""),
        request_id: request_id(),
    };
    let worse = op.booking().cancel_slot(cancel(CANCELLATION.repeat(30))).await.expect_err("a bad reason");
    op.booking().cancel_slot(cancel(CANCELLATION.into())).await.expect("a cancelled slot");
    vec![
        bad,
        worse,
        resident.booking().create_booking(wish(0, VISIT.repeat(30), "who")).await.expect_err("a bad booking"),
    ]
}

fn question(key: &str, kind: booking::QuestionType) -> booking::Question {
    let choice = booking::Choice { code: "water".into(), text: text("水", "Water") };
    booking::Question {
        key: key.into(),
        text: text("什么", "What"),
        r#type: kind.into(),
        choices: if kind == booking::QuestionType::Choice { vec![choice] } else { Vec::new() },
        ..Default::default()
    }
}

async fn topic(op: &Actor, resident: &Actor) -> Vec<tonic::Status> {
    let condition =
        deliberation::Condition { condition: Some(deliberation::condition::Condition::RecordKind("minutes".into())) };
    let stage = deliberation::Stage {
        id: "collect".into(),
        display_name: text("征集", "Collect"),
        conditions: vec![condition],
        ..Default::default()
    };
    let template = deliberation::ProcessTemplate {
        display_name: text("一步", "One step"),
        stages: vec![stage],
        ..Default::default()
    };
    let request = deliberation::CreateProcessTemplateRequest {
        parent: PARENT.into(),
        process_template: Some(template),
        process_template_id: "one".into(),
        request_id: request_id(),
    };
    let template = op.deliberation().create_process_template(request).await.expect("a template").into_inner();
    let topic = |title: String, unit: &str| deliberation::CreateTopicRequest {
        parent: PARENT.into(),
        topic: Some(deliberation::Topic {
            process_template: template.name.clone(),
            unit: unit.into(),
            kind: "parking".into(),
            title,
            body: BODY.into(),
            ..Default::default()
        }),
        request_id: request_id(),
    };
    let unit = format!("{PARENT}/units/micro-1");
    let made = resident.deliberation().create_topic(topic(TITLE.into(), &unit)).await.expect("a topic").into_inner();
    let bad = resident.deliberation().create_topic(topic(TITLE.repeat(20), "nowhere")).await.expect_err("a bad topic");
    let record = deliberation::StageRecord { kind: "minutes".into(), text: RECORD.into(), ..Default::default() };
    let record = |name: &str| deliberation::RecordStageRequest {
        name: name.into(),
        record: Some(record.clone()),
        request_id: request_id(),
        ..Default::default()
    };
    op.deliberation().record_stage(record(&made.name)).await.expect("a record");
    let advance = deliberation::AdvanceTopicRequest { name: made.name.clone(), ..Default::default() };
    op.deliberation().advance_topic(advance).await.expect("into the archive");
    let late = op.deliberation().record_stage(record(&made.name)).await.expect_err("the topic is closed");
    let other = resident.deliberation().create_topic(topic(TITLE.into(), &unit)).await.expect("a topic").into_inner();
    let close =
        |answer: String| deliberation::CloseTopicRequest { name: other.name.clone(), answer, request_id: request_id() };
    let long = op.deliberation().close_topic(close(CLOSING.repeat(200))).await.expect_err("a bad answer");
    op.deliberation().close_topic(close(CLOSING.into())).await.expect("an answer");
    let again = op.deliberation().close_topic(close(CLOSING.into())).await.expect_err("closed already");
    vec![bad, late, long, again]
}

/// Everything that feeds and receipts tell.
async fn told(op: &Actor) -> Vec<u8> {
    let mut bytes = Vec::new();
    for service in ["org", "booking", "points", "deliberation", "rules"] {
        let request =
            events::ListEventsRequest { stream: format!("streams/{service}"), max_events: 1000, ..Default::default() };
        bytes.extend(op.events().list_events(request).await.expect("a feed").into_inner().encode_to_vec());
    }
    let request = booking::ListReceiptsRequest { parent: PARENT.into(), ..Default::default() };
    bytes.extend(op.booking().list_receipts(request).await.expect("receipts").into_inner().encode_to_vec());
    bytes
}

fn in_files(dir: &Path, hits: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            in_files(&path, hits);
        } else {
            let bytes = std::fs::read(&path).unwrap_or_default();
            hits.extend(found(&bytes).into_iter().map(|marker| format!("{}: {marker}", path.display())));
        }
    }
}

async fn in_tables(url: &str, hits: &mut Vec<String>) {
    let database = Database::connect(url.to_owned()).await.expect("the database answers");
    let query = |sql: String| Statement::from_string(DbBackend::Postgres, sql);
    let columns = "SELECT table_schema::text AS s, table_name::text AS t, column_name::text AS c, data_type::text AS d \
        FROM information_schema.columns WHERE table_schema NOT IN ('pg_catalog', 'information_schema')";
    let columns = database.query_all_raw(query(columns.to_owned())).await.expect("columns");
    assert!(columns.len() > 100, "the columns of five services");
    for column in columns {
        let get = |name: &str| column.try_get::<String>("", name).expect("a text");
        let (schema, table, name, kind) = (get("s"), get("t"), get("c"), get("d"));
        let bytes =
            if kind == "bytea" { format!("\"{name}\"") } else { format!("convert_to(\"{name}\"::text, 'UTF8')") };
        for marker in MARKERS {
            let sql = format!(
                "SELECT 1 AS one FROM \"{schema}\".\"{table}\" WHERE position(convert_to('{marker}', 'UTF8') IN {bytes}) > 0 LIMIT 1"
            );
            if database.query_one_raw(query(sql)).await.expect("a search").is_some() {
                hits.push(format!("{schema}.{table}.{name}: {marker}"));
            }
        }
    }
    database.close().await.expect("the database closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_personal_or_sensitive_stands_nowhere_in_plain_text() {
    let filter = tracing_subscriber::EnvFilter::new("debug,h2=warn,hyper_util=warn,wasmtime=warn,cranelift=warn");
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(|| Logs);
    assert!(logs.try_init().is_ok(), "this test listens to the process's logs");
    let metrics = Metrics::install();
    for engine in engines() {
        let suite = TestSuite::start(engine).await.expect("the suite starts");
        let community = seed::community(&suite.operator(), "xinhua").await;
        let refusals = plant(&suite, &community).await;
        let mut hits: Vec<String> = Vec::new();
        for status in &refusals {
            let whole = [status.message().as_bytes(), status.details()].concat();
            hits.extend(found(&whole).into_iter().map(|marker| format!("the error {}: {marker}", status.message())));
        }
        hits.extend(
            found(&told(&suite.operator()).await).into_iter().map(|marker| format!("feeds or receipts: {marker}")),
        );
        // A restart writes everything down.
        let suite = suite.restart().await.expect("the suite starts again");
        // Before the search below, whose own statements name the markers.
        let logged = std::mem::take(&mut *LOGS.lock().unwrap_or_else(PoisonError::into_inner));
        assert!(!logged.is_empty(), "something was logged");
        hits.extend(found(&logged).into_iter().map(|marker| format!("logs: {marker}")));
        in_files(&suite.config.data_dir, &mut hits);
        if let EngineConfig::Postgres { url, .. } = &suite.config.store.engine {
            in_tables(url.expose_secret(), &mut hits).await;
        }
        let rendered = metrics.as_ref().map(Metrics::render).unwrap_or_default();
        hits.extend(found(rendered.as_bytes()).into_iter().map(|marker| format!("metrics: {marker}")));
        assert!(hits.is_empty(), "{engine:?}: {hits:#?}");
        suite.stop().await;
    }
}
