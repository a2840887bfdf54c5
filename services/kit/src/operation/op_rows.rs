//! The rows of long-running operations.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use linli_kernel::{AreaId, Lang, RawId};
use linli_proto::google::longrunning::{Operation, operation};
use linli_proto::google::rpc::Status as RpcStatus;
use prost::Message as _;
use sea_orm::{ConnectionTrait, QueryResult};
use uuid::Uuid;

use crate::lease;
use crate::store::{Engine, Store, Tx};
use crate::{Ctx, Error, FieldViolation, Result, rows};

/// Where an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationState {
    /// Nobody has begun it, or it is to run again.
    Waiting,
    /// Somebody runs it, or died running it.
    Running,
    /// It ended with a response.
    Succeeded,
    /// It ended with an error.
    Failed,
    /// It ended because somebody asked for it.
    Cancelled,
}

impl OperationState {
    fn from_column(value: i64) -> Self {
        match value {
            0 => Self::Waiting,
            1 => Self::Running,
            2 => Self::Succeeded,
            3 => Self::Failed,
            _ => Self::Cancelled,
        }
    }

    pub(super) fn column(self) -> i64 {
        match self {
            Self::Waiting => 0,
            Self::Running => 1,
            Self::Succeeded => 2,
            Self::Failed => 3,
            Self::Cancelled => 4,
        }
    }
}

/// A long-running operation as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct OperationRow {
    /// Its id.
    pub id: Uuid,
    /// Slug of the area.
    pub area: String,
    /// What it does; names the job.
    pub kind: String,
    /// Where it stands.
    pub state: OperationState,
    /// The encoded request.
    pub request: Vec<u8>,
    /// What the job last told about its progress.
    pub metadata: Option<prost_types::Any>,
    /// The response, once succeeded.
    pub result: Option<prost_types::Any>,
    /// Reason of the error; empty unless failed or cancelled.
    pub error_reason: String,
    /// Who started it, as in [`crate::Caller::recorded_as`].
    pub owner: String,
    /// Trace id of the request that started it.
    pub trace_id: String,
    /// When it was started, by the suite's clock in microseconds.
    pub created_us: i64,
    /// Whether somebody asked it to stop.
    pub cancel_requested: bool,
    /// How often it was begun.
    pub attempts: u32,
    pub(super) fence: i64,
    error_zh: Option<Vec<u8>>,
    error_en: Option<Vec<u8>>,
}

impl OperationRow {
    pub(super) fn new(id: Uuid, ctx: &Ctx, area: &AreaId, kind: &str, request: Vec<u8>) -> Self {
        Self {
            id,
            area: area.as_str().to_owned(),
            kind: kind.to_owned(),
            state: OperationState::Waiting,
            request,
            metadata: None,
            result: None,
            error_reason: String::new(),
            owner: ctx.caller.recorded_as(),
            trace_id: ctx.trace_id.to_string(),
            created_us: ctx.now().micros(),
            cancel_requested: false,
            attempts: 0,
            fence: 0,
            error_zh: None,
            error_en: None,
        }
    }

    /// `areas/{area}/operations/{service}-op-{id}`.
    pub fn name(&self, service: &str) -> String {
        format!("areas/{}/operations/{service}-op-{}", self.area, RawId(self.id))
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        matches!(self.state, OperationState::Succeeded | OperationState::Failed | OperationState::Cancelled)
    }

    /// As the API shows it, in the reader's language.
    pub fn to_proto(&self, service: &str, lang: Lang) -> Operation {
        let error = match lang {
            Lang::ZhCn => &self.error_zh,
            Lang::En => &self.error_en,
        };
        let result = match self.state {
            OperationState::Waiting | OperationState::Running => None,
            OperationState::Succeeded => self.result.clone().map(operation::Result::Response),
            OperationState::Failed | OperationState::Cancelled => {
                let status = error.as_deref().and_then(|bytes| RpcStatus::decode(bytes).ok()).unwrap_or_default();
                Some(operation::Result::Error(status))
            }
        };
        let name = self.name(service);
        Operation { name, metadata: self.metadata.clone(), done: self.is_over(), result }
    }
}

/// A page of operations.
#[derive(Debug, Clone, PartialEq)]
pub struct OperationPage {
    /// The operations, the newest first.
    pub operations: Vec<OperationRow>,
    /// Where the next page begins; empty when this is the last.
    pub next_page_token: String,
}

/// How an operation ended.
pub(super) struct Ending {
    pub(super) state: OperationState,
    pub(super) result: Option<prost_types::Any>,
    pub(super) code: i32,
    pub(super) reason: String,
    pub(super) zh: Option<Vec<u8>>,
    pub(super) en: Option<Vec<u8>>,
}

pub(super) async fn insert(tx: &Tx<'_>, op: &OperationRow) -> Result<()> {
    let sql = "INSERT INTO operation (area, id, kind, state, request, error_code, error_reason, owner, trace_id, created_us, \
               updated_us, cancel_requested, holder, fence, free_us, attempts) \
               VALUES ($1, $2, $3, 0, $4, 0, '', $5, $6, $7, $7, 0, '', 0, 0, 0)";
    let values = vec![
        op.area.clone().into(),
        op.id.into(),
        op.kind.clone().into(),
        op.request.clone().into(),
        op.owner.clone().into(),
        op.trace_id.clone().into(),
        op.created_us.into(),
    ];
    rows::execute(tx.conn(), sql, values).await.map(|_| ())
}

/// How many of a kind are not over in an area.
pub(super) async fn unfinished(tx: &Tx<'_>, area: &str, kind: &str) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS n FROM operation WHERE area = $1 AND kind = $2 AND state < 2";
    match rows::one(tx.conn(), sql, vec![area.into(), kind.into()]).await? {
        Some(row) => rows::get(&row, "n"),
        None => Ok(0),
    }
}

pub(super) async fn find<C: ConnectionTrait>(conn: &C, area: &str, id: Uuid) -> Result<Option<OperationRow>> {
    let sql = "SELECT * FROM operation WHERE area = $1 AND id = $2";
    rows::one(conn, sql, vec![area.into(), id.into()]).await?.as_ref().map(read).transpose()
}

pub(super) async fn list<C: ConnectionTrait>(
    conn: &C,
    area: &str,
    limit: i64,
    before: Option<Uuid>,
) -> Result<OperationPage> {
    let before = before.unwrap_or(Uuid::max());
    let sql = "SELECT * FROM operation WHERE area = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    let found = rows::all(conn, sql, vec![area.into(), before.into(), (limit + 1).into()]).await?;
    let mut operations = found.iter().map(read).collect::<Result<Vec<_>>>()?;
    let mut next_page_token = String::new();
    if operations.len() as i64 > limit {
        operations.pop();
        next_page_token = operations.last().map(|op| token(area, op.id)).unwrap_or_default();
    }
    Ok(OperationPage { operations, next_page_token })
}

fn token(area: &str, id: Uuid) -> String {
    URL_SAFE_NO_PAD.encode([id.as_bytes(), area.as_bytes()].concat())
}

/// The id in a page token; `None` for the first page.
pub(super) fn read_token(area: &str, text: &str) -> Result<Option<Uuid>> {
    if text.is_empty() {
        return Ok(None);
    }
    let refused = || Error::field(FieldViolation::new("page_token", "PAGE_TOKEN_INVALID"));
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| refused())?;
    match bytes.split_at_checked(16) {
        Some((id, rest)) if rest == area.as_bytes() => Uuid::from_slice(id).map(Some).map_err(|_| refused()),
        Some(_) | None => Err(refused()),
    }
}

/// Notes the wish; one that nobody runs is free at once, so that it ends soon. False when there is no such operation.
pub(super) async fn request_cancel(tx: &Tx<'_>, area: &str, id: Uuid) -> Result<bool> {
    let sql = "UPDATE operation SET cancel_requested = CASE WHEN state < 2 THEN 1 ELSE cancel_requested END, \
               free_us = CASE WHEN state = 0 THEN 0 ELSE free_us END WHERE area = $1 AND id = $2";
    Ok(rows::execute(tx.conn(), sql, vec![area.into(), id.into()]).await? == 1)
}

pub(super) async fn delete(tx: &Tx<'_>, area: &str, id: Uuid) -> Result<()> {
    let sql = "DELETE FROM operation WHERE area = $1 AND id = $2 AND state >= 2";
    rows::execute(tx.conn(), sql, vec![area.into(), id.into()]).await.map(|_| ())
}

/// Whether [`claim`] would find something: a look without a transaction.
pub(super) async fn any_free(store: &Store) -> Result<bool> {
    let (dead, values) = free_filter(store.engine(), 1);
    let sql = format!("SELECT 1 AS one FROM operation WHERE state < 2 AND (free_us <= $1 {dead}) LIMIT 1");
    Ok(rows::one(store.reader(), &sql, values).await?.is_some())
}

/// Takes one operation that nobody runs: not begun, to run again, or its runner has given no sign of life.
pub(super) async fn claim(tx: &Tx<'_>, holder: &str, until_us: i64) -> Result<Option<OperationRow>> {
    let (dead, mut values) = free_filter(tx.engine(), 3);
    values.splice(0..0, [holder.into(), until_us.into()]);
    let skip = match tx.engine() {
        Engine::Postgres => "FOR UPDATE SKIP LOCKED",
        Engine::Sqlite => "",
    };
    let sql = format!(
        "UPDATE operation SET state = 1, holder = $1, free_us = $2, fence = fence + 1, attempts = attempts + 1 \
         WHERE (area, id) = (SELECT area, id FROM operation WHERE state < 2 AND (free_us <= $3 {dead}) \
         ORDER BY free_us, id LIMIT 1 {skip}) RETURNING *"
    );
    rows::one(tx.conn(), &sql, values).await?.as_ref().map(read).transpose()
}

/// On SQLite one process owns the file: what an earlier run of the process held is free.
fn free_filter(engine: Engine, first: usize) -> (String, Vec<sea_orm::Value>) {
    let now = rows::machine_us();
    match engine {
        Engine::Postgres => (String::new(), vec![now.into()]),
        Engine::Sqlite => {
            let filter = format!("OR (state = 1 AND substr(holder, 1, 32) <> ${})", first + 1);
            (filter, vec![now.into(), lease::incarnation().into()])
        }
    }
}

/// Prolongs a run; whether somebody asked to stop, or `None` when the run is another's.
pub(super) async fn renew(tx: &Tx<'_>, op: &OperationRow, until_us: i64) -> Result<Option<bool>> {
    let sql = "UPDATE operation SET free_us = $1 WHERE area = $2 AND id = $3 AND fence = $4 AND state = 1 \
               RETURNING cancel_requested";
    let values = vec![until_us.into(), op.area.clone().into(), op.id.into(), op.fence.into()];
    let row = rows::one(tx.conn(), sql, values).await?;
    row.map(|row| rows::get::<i64>(&row, "cancel_requested").map(|flag| flag == 1)).transpose()
}

/// Whether the run is still ours; on PostgreSQL nobody takes it over before the transaction ends.
pub(super) async fn check(tx: &Tx<'_>, op: &OperationRow) -> Result<bool> {
    let lock = match tx.engine() {
        Engine::Postgres => "FOR SHARE",
        Engine::Sqlite => "",
    };
    let sql = format!("SELECT 1 AS one FROM operation WHERE area = $1 AND id = $2 AND fence = $3 AND state = 1 {lock}");
    Ok(rows::one(tx.conn(), &sql, vec![op.area.clone().into(), op.id.into(), op.fence.into()]).await?.is_some())
}

pub(super) async fn set_metadata(tx: &Tx<'_>, op: &OperationRow, metadata: &prost_types::Any) -> Result<bool> {
    let sql = "UPDATE operation SET metadata = $1 WHERE area = $2 AND id = $3 AND fence = $4 AND state = 1";
    let values = vec![metadata.encode_to_vec().into(), op.area.clone().into(), op.id.into(), op.fence.into()];
    Ok(rows::execute(tx.conn(), sql, values).await? == 1)
}

/// Lets somebody run it again after `free_us`.
pub(super) async fn give_back(tx: &Tx<'_>, op: &OperationRow, free_us: i64) -> Result<bool> {
    let sql = "UPDATE operation SET state = 0, free_us = $1 WHERE area = $2 AND id = $3 AND fence = $4 AND state = 1";
    let values = vec![free_us.into(), op.area.clone().into(), op.id.into(), op.fence.into()];
    Ok(rows::execute(tx.conn(), sql, values).await? == 1)
}

/// Records how a run ended; false when the run is another's.
pub(super) async fn finish(tx: &Tx<'_>, op: &OperationRow, end: &Ending, now_us: i64) -> Result<bool> {
    let sql = "UPDATE operation SET state = $1, result = $2, error_code = $3, error_reason = $4, error_zh = $5, \
               error_en = $6, updated_us = $7 WHERE area = $8 AND id = $9 AND fence = $10 AND state = 1";
    let values = vec![
        end.state.column().into(),
        end.result.as_ref().map(prost::Message::encode_to_vec).into(),
        i64::from(end.code).into(),
        end.reason.clone().into(),
        end.zh.clone().into(),
        end.en.clone().into(),
        now_us.into(),
        op.area.clone().into(),
        op.id.into(),
        op.fence.into(),
    ];
    Ok(rows::execute(tx.conn(), sql, values).await? == 1)
}

fn read(row: &QueryResult) -> Result<OperationRow> {
    let any = |column: &str| -> Result<Option<prost_types::Any>> {
        let bytes: Option<Vec<u8>> = rows::get(row, column)?;
        bytes.map(|bytes| prost_types::Any::decode(bytes.as_slice()).map_err(Error::internal)).transpose()
    };
    let attempts: i64 = rows::get(row, "attempts")?;
    Ok(OperationRow {
        id: rows::get(row, "id")?,
        area: rows::get(row, "area")?,
        kind: rows::get(row, "kind")?,
        state: OperationState::from_column(rows::get(row, "state")?),
        request: rows::get(row, "request")?,
        metadata: any("metadata")?,
        result: any("result")?,
        error_reason: rows::get(row, "error_reason")?,
        owner: rows::get(row, "owner")?,
        trace_id: rows::get(row, "trace_id")?,
        created_us: rows::get(row, "created_us")?,
        cancel_requested: rows::get::<i64>(row, "cancel_requested")? == 1,
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        fence: rows::get(row, "fence")?,
        error_zh: rows::get(row, "error_zh")?,
        error_en: rows::get(row, "error_en")?,
    })
}
