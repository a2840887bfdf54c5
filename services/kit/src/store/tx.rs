//! One open transaction, and the events that it will have caused.

use std::marker::PhantomData;
use std::sync::Arc;

use linli_kernel::Timestamp;
use parking_lot::Mutex;
use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbBackend, Statement};
use uuid::{ContextV7, Uuid};

use super::Engine;
use crate::{Ctx, Result};

/// An event that a transaction will have caused; it gets its position after the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventDraft {
    /// Full name of the payload's message, such as `linli.booking.v1.BookingChanged`.
    pub event_type: String,
    /// Resource that it is about.
    pub subject: String,
    /// Slug of the area to which the resource belongs.
    pub area: String,
    /// The encoded payload.
    pub data: Vec<u8>,
    /// Version of the resource after the change: the order of events within a subject.
    pub aggregate_version: i64,
    /// When.
    pub time: Timestamp,
    /// Trace id of the request that caused it.
    pub trace_id: Arc<str>,
    /// What caused it.
    pub cause: Arc<str>,
}

impl EventDraft {
    /// Drafts an event of the call `ctx`; `event_type` is the full name of `payload`'s message.
    pub fn new(
        ctx: &Ctx,
        event_type: &'static str,
        area: impl Into<String>,
        subject: impl Into<String>,
        aggregate_version: i64,
        payload: &impl prost::Message,
    ) -> Self {
        debug_assert!(
            linli_proto::pool().get_message_by_name(event_type).is_some(),
            "{event_type} is no message of the contract"
        );
        Self {
            event_type: event_type.to_owned(),
            subject: subject.into(),
            area: area.into(),
            data: payload.encode_to_vec(),
            aggregate_version,
            time: ctx.now(),
            trace_id: ctx.trace_id.clone(),
            cause: ctx.cause.clone(),
        }
    }
}

/// Makes event ids that grow in the order of emission, with the time of the event inside.
#[derive(Default)]
pub(super) struct EventIds(std::sync::Mutex<ContextV7>);

impl EventIds {
    fn next(&self, time: Timestamp) -> Uuid {
        let secs = u64::try_from(time.secs()).unwrap_or(0);
        let nanos = time.subsec_nanos().unsigned_abs();
        Uuid::new_v7(uuid::Timestamp::from_unix(&self.0, secs, nanos))
    }
}

/// An open transaction of [`super::Store::write`].
///
/// Its closure may run twice: nothing but database work belongs inside. `'env` is what the closure borrows from outside:
/// it lets the closure's future use references to its surroundings, and has no other meaning.
pub struct Tx<'env> {
    inner: DatabaseTransaction,
    engine: Engine,
    events: Mutex<Vec<EventDraft>>,
    /// Contravariant, so that a wrapper of `write` can hand its own transaction to the closure it was given.
    env: PhantomData<fn(&'env ())>,
}

impl Tx<'_> {
    pub(super) fn new(inner: DatabaseTransaction, engine: Engine) -> Self {
        Self { inner, engine, events: Mutex::default(), env: PhantomData }
    }

    /// The connection on which the transaction runs.
    pub fn conn(&self) -> &DatabaseTransaction {
        &self.inner
    }

    /// Which database it is.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Records an event; all of them are written with one statement just before COMMIT, in the order of emission.
    pub fn emit(&self, event: EventDraft) {
        self.events.lock().push(event);
    }

    /// Builds a statement from the text of this engine; both number their parameters `$1`, `$2`, ...
    pub fn statement(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
        statement(self.engine, sql, values)
    }

    /// Writes the events; returns how many there were.
    pub(super) async fn flush_events(&self, ids: &EventIds) -> Result<usize> {
        let events = std::mem::take(&mut *self.events.lock());
        match self.engine {
            Engine::Postgres => self.flush_postgres(&events, ids).await?,
            Engine::Sqlite => self.flush_sqlite(&events, ids).await?,
        }
        Ok(events.len())
    }

    async fn flush_postgres(&self, events: &[EventDraft], ids: &EventIds) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let texts = |pick: fn(&EventDraft) -> String| Value::from(events.iter().map(pick).collect::<Vec<String>>());
        let numbers = |pick: fn(&EventDraft) -> i64| Value::from(events.iter().map(pick).collect::<Vec<i64>>());
        let values = [
            events.iter().map(|e| ids.next(e.time)).collect::<Vec<Uuid>>().into(),
            texts(|e| e.area.clone()),
            texts(|e| e.event_type.clone()),
            texts(|e| e.subject.clone()),
            numbers(|e| e.aggregate_version),
            events.iter().map(|e| e.data.clone()).collect::<Vec<Vec<u8>>>().into(),
            numbers(|e| e.time.micros()),
            texts(|e| e.trace_id.to_string()),
            texts(|e| e.cause.to_string()),
        ];
        let sql = "INSERT INTO event (id, area, event_type, subject, aggregate_version, data, time_us, trace_id, cause) \
                   SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bytea[], \
                   $7::bigint[], $8::text[], $9::text[])";
        self.inner.execute_raw(self.statement(sql, values)).await?;
        Ok(())
    }

    async fn flush_sqlite(&self, events: &[EventDraft], ids: &EventIds) -> Result<()> {
        let mut rest = events;
        while !rest.is_empty() {
            // A few fixed lengths, so that the statements stay in the cache.
            let len = [64, 16, 4, 1].into_iter().find(|len| *len <= rest.len()).unwrap_or(1);
            let (chunk, behind) = rest.split_at(len);
            let row = "(?, ?, ?, ?, ?, ?, ?, ?, ?)";
            let sql = format!(
                "INSERT INTO event (id, area, event_type, subject, aggregate_version, data, time_us, trace_id, cause) \
                 VALUES {}",
                vec![row; len].join(", ")
            );
            let values = chunk.iter().flat_map(|e| -> [Value; 9] {
                [
                    ids.next(e.time).into(),
                    e.area.clone().into(),
                    e.event_type.clone().into(),
                    e.subject.clone().into(),
                    e.aggregate_version.into(),
                    e.data.clone().into(),
                    e.time.micros().into(),
                    e.trace_id.to_string().into(),
                    e.cause.to_string().into(),
                ]
            });
            self.inner.execute_raw(self.statement(&sql, values)).await?;
            rest = behind;
        }
        Ok(())
    }

    /// Gives up the wrapper to end the transaction.
    pub(super) fn into_inner(self) -> DatabaseTransaction {
        self.inner
    }
}

/// Builds a statement for an engine.
pub(crate) fn statement(engine: Engine, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
    let backend = match engine {
        Engine::Sqlite => DbBackend::Sqlite,
        Engine::Postgres => DbBackend::Postgres,
    };
    Statement::from_sql_and_values(backend, sql, values)
}
