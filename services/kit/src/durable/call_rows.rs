//! The rows of durable calls.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, QueryResult};
use uuid::Uuid;

use super::{NewCall, Outcome};
use crate::store::{Store, Tx};
use crate::{Result, rows};

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallState {
    /// To be made, or to be made again.
    Pending,
    /// Answered, and the answer applied.
    Answered,
    /// Refused for good, and the refusal applied.
    Refused,
}

impl CallState {
    fn from_column(value: i64) -> Self {
        match value {
            0 => Self::Pending,
            1 => Self::Answered,
            _ => Self::Refused,
        }
    }

    fn column(self) -> i64 {
        match self {
            Self::Pending => 0,
            Self::Answered => 1,
            Self::Refused => 2,
        }
    }
}

/// A durable call as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRow {
    /// Order of decision.
    pub seq: i64,
    /// Slug of the area.
    pub area: String,
    /// Name of the target.
    pub target: String,
    /// What it is about.
    pub subject: String,
    /// The encoded request.
    pub request: Vec<u8>,
    /// The id under which the callee makes its effect once.
    pub request_id: Uuid,
    /// Trace id of the request that decided.
    pub trace_id: Arc<str>,
    /// What caused the call.
    pub cause: Arc<str>,
    /// Where it stands.
    pub state: CallState,
    /// How often it was made without a definite outcome.
    pub attempts: u32,
    /// The answer's bytes, once answered.
    pub answer: Option<Vec<u8>>,
    /// Reason of the refusal or of the last failure; empty when there was none.
    pub reason: String,
    /// When it was decided, by the machine's clock in microseconds.
    pub created_us: i64,
}

pub(super) async fn insert(tx: &Tx<'_>, call: &NewCall, now_us: i64) -> Result<()> {
    let sql = "INSERT INTO durable_call (area, target, subject, request, request_id, trace_id, cause, state, attempts, \
               next_us, reason, created_us, updated_us) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, $8, '', $8, $8) \
               ON CONFLICT (target, request_id) DO NOTHING";
    let values = vec![
        call.area.clone().into(),
        call.target.clone().into(),
        call.subject.clone().into(),
        call.request.clone().into(),
        call.request_id.into(),
        call.trace_id.to_string().into(),
        call.cause.to_string().into(),
        now_us.into(),
    ];
    rows::execute(tx.conn(), sql, values).await.map(|_| ())
}

/// Calls that may be made at `now_us`: the first of each subject.
pub(super) async fn due(store: &Store, now_us: i64, limit: usize) -> Result<Vec<CallRow>> {
    let sql = "SELECT * FROM durable_call c WHERE state = 0 AND next_us <= $1 AND NOT EXISTS (SELECT 1 FROM durable_call p \
               WHERE p.state = 0 AND p.subject = c.subject AND p.seq < c.seq) ORDER BY seq LIMIT $2";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    rows::all(store.reader(), sql, vec![now_us.into(), limit.into()]).await?.iter().map(read).collect()
}

pub(super) async fn find<C: ConnectionTrait>(conn: &C, target: &str, request_id: Uuid) -> Result<Option<CallRow>> {
    let sql = "SELECT * FROM durable_call WHERE target = $1 AND request_id = $2";
    let row = rows::one(conn, sql, vec![target.into(), request_id.into()]).await?;
    row.as_ref().map(read).transpose()
}

/// What is still to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Backlog {
    pub(super) pending: u64,
    pub(super) oldest_us: Option<i64>,
}

pub(super) async fn backlog(store: &Store) -> Result<Backlog> {
    let sql = "SELECT count(*) AS n, min(created_us) AS oldest FROM durable_call WHERE state = 0";
    let Some(row) = rows::one(store.reader(), sql, vec![]).await? else {
        return Ok(Backlog { pending: 0, oldest_us: None });
    };
    let pending: i64 = rows::get(&row, "n")?;
    Ok(Backlog { pending: pending.unsigned_abs(), oldest_us: rows::get(&row, "oldest")? })
}

/// Marks a pending call with its outcome; false when it has one already.
pub(super) async fn close(tx: &Tx<'_>, seq: i64, outcome: &Outcome, now_us: i64) -> Result<bool> {
    let (state, answer, reason) = match outcome {
        Outcome::Answer(bytes) => (CallState::Answered, Some(bytes.clone()), String::new()),
        Outcome::Refused(refusal) => (CallState::Refused, None, refusal.reason.clone()),
    };
    let sql =
        "UPDATE durable_call SET state = $1, answer = $2, reason = $3, updated_us = $4 WHERE seq = $5 AND state = 0";
    let values = vec![state.column().into(), answer.into(), reason.into(), now_us.into(), seq.into()];
    Ok(rows::execute(tx.conn(), sql, values).await? == 1)
}

/// Records a failure after which the call is made again at `next_us`.
pub(super) async fn postpone(tx: &Tx<'_>, seq: i64, reason: &str, next_us: i64, now_us: i64) -> Result<()> {
    let sql = "UPDATE durable_call SET attempts = attempts + 1, reason = $1, next_us = $2, updated_us = $3 \
               WHERE seq = $4 AND state = 0";
    rows::execute(tx.conn(), sql, vec![reason.into(), next_us.into(), now_us.into(), seq.into()]).await.map(|_| ())
}

fn read(row: &QueryResult) -> Result<CallRow> {
    let attempts: i64 = rows::get(row, "attempts")?;
    Ok(CallRow {
        seq: rows::get(row, "seq")?,
        area: rows::get(row, "area")?,
        target: rows::get(row, "target")?,
        subject: rows::get(row, "subject")?,
        request: rows::get(row, "request")?,
        request_id: rows::get(row, "request_id")?,
        trace_id: rows::get::<String>(row, "trace_id")?.into(),
        cause: rows::get::<String>(row, "cause")?.into(),
        state: CallState::from_column(rows::get(row, "state")?),
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        answer: rows::get(row, "answer")?,
        reason: rows::get(row, "reason")?,
        created_us: rows::get(row, "created_us")?,
    })
}
