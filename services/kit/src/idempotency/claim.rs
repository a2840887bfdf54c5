//! Claims of request ids, one by one and for a whole batch.

use std::collections::{HashMap, HashSet};

use linli_kernel::Timestamp;
use sea_orm::ConnectionTrait as _;
use sea_orm::sea_query::Value;
use uuid::Uuid;

use crate::store::{Engine, Tx};
use crate::{Ctx, Result};

/// One request id with what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Slug of the area in which the request takes effect.
    pub area: String,
    /// Who sent it.
    pub caller: String,
    /// Path of the method.
    pub method: String,
    /// The id.
    pub request_id: Uuid,
    /// Keyed hash of the request.
    pub request_hash: [u8; 32],
    /// Name of the resource; a batch knows it beforehand, for its ids are minted before the transaction.
    pub resource: String,
    /// When.
    pub created: Timestamp,
}

type Key<'a> = (&'a str, &'a str, &'a str, Uuid);

impl Claim {
    /// The claim of a call; its resource is not known yet.
    pub fn new(ctx: &Ctx, area: &str, request_id: Uuid, request_hash: [u8; 32]) -> Self {
        Self {
            area: area.to_owned(),
            caller: ctx.caller.recorded_as(),
            method: ctx.method.path.clone(),
            request_id,
            request_hash,
            resource: String::new(),
            created: ctx.now(),
        }
    }

    /// The same claim for a resource whose name is known.
    #[must_use]
    pub fn of_resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = resource.into();
        self
    }

    fn key(&self) -> Key<'_> {
        (&self.area, &self.caller, &self.method, self.request_id)
    }

    fn key_values(&self) -> [Value; 4] {
        [self.area.clone().into(), self.caller.clone().into(), self.method.clone().into(), self.request_id.into()]
    }

    fn outcome(&self, found: &(Vec<u8>, String)) -> ClaimOutcome {
        if found.0 == self.request_hash { ClaimOutcome::Repeat(found.1.clone()) } else { ClaimOutcome::Reused }
    }
}

/// What came of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// The id is new: make the change. When it is refused after all, release the claim.
    New,
    /// The change was made before; the resource's name.
    Repeat(String),
    /// The same request stands earlier in this very batch, at this index: its outcome is this one's too.
    SameAs(usize),
    /// The id came with another request before.
    Reused,
}

const INSERT: &str = "INSERT INTO idempotency (area, caller, method, request_id, request_hash, resource, created_us) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
const FIND: &str = "SELECT request_hash, resource FROM idempotency \
                    WHERE area = $1 AND caller = $2 AND method = $3 AND request_id = $4";

/// Claims one id. On PostgreSQL the insert waits for a transaction that holds the same id.
pub(super) async fn claim(tx: &Tx<'_>, claim: &Claim) -> Result<ClaimOutcome> {
    let [area, caller, method, id] = claim.key_values();
    let values = [
        area,
        caller,
        method,
        id,
        claim.request_hash.to_vec().into(),
        claim.resource.clone().into(),
        claim.created.micros().into(),
    ];
    if tx.conn().execute_raw(tx.statement(INSERT, values)).await?.rows_affected() == 1 {
        return Ok(ClaimOutcome::New);
    }
    let Some(row) = tx.conn().query_one_raw(tx.statement(FIND, claim.key_values())).await? else {
        // Purged between the two statements: as good as new, but the next attempt sees it so.
        return Err(crate::Error::new(crate::ErrorCode::Aborted, "CONFLICT"));
    };
    Ok(claim.outcome(&(row.try_get_by_index(0)?, row.try_get_by_index(1)?)))
}

/// Writes the resource's name into a claim of this transaction.
pub(super) async fn set_resource(tx: &Tx<'_>, claim: &Claim, resource: &str) -> Result<()> {
    let sql = "UPDATE idempotency SET resource = $5 \
               WHERE area = $1 AND caller = $2 AND method = $3 AND request_id = $4";
    let values = claim.key_values().into_iter().chain([resource.into()]);
    tx.conn().execute_raw(tx.statement(sql, values)).await?;
    Ok(())
}

/// Claims the ids of a batch, in one order for everybody so that batches do not deadlock; outcomes in the given order.
///
/// # Errors
/// Those of the database.
pub async fn claim_many(tx: &Tx<'_>, claims: &[Claim]) -> Result<Vec<ClaimOutcome>> {
    // For the tests of the tests: what a suite without deduplication does must not go unseen.
    fail::fail_point!("idempotency::forget", |_| Ok(vec![ClaimOutcome::New; claims.len()]));
    let mut first: HashMap<Key<'_>, usize> = HashMap::with_capacity(claims.len());
    let mut outcomes = vec![ClaimOutcome::New; claims.len()];
    let mut distinct = Vec::with_capacity(claims.len());
    for (i, claim) in claims.iter().enumerate() {
        match first.get(&claim.key()) {
            Some(earlier) if claims[*earlier].request_hash == claim.request_hash => {
                outcomes[i] = ClaimOutcome::SameAs(*earlier);
            }
            Some(_) => outcomes[i] = ClaimOutcome::Reused,
            None => {
                first.insert(claim.key(), i);
                distinct.push(i);
            }
        }
    }
    distinct.sort_by_key(|i| claims[*i].key());
    let members: Vec<&Claim> = distinct.iter().map(|i| &claims[*i]).collect();
    let found = match tx.engine() {
        Engine::Postgres => claim_postgres(tx, &members).await?,
        Engine::Sqlite => {
            let mut found = Vec::with_capacity(members.len());
            for member in members {
                found.push(claim(tx, member).await?);
            }
            found
        }
    };
    for (i, outcome) in distinct.into_iter().zip(found) {
        outcomes[i] = outcome;
    }
    Ok(outcomes)
}

/// Gives back claims of this transaction whose change was refused: a refusal is no effect, and may be tried again.
///
/// # Errors
/// Those of the database.
pub async fn release_many<'a>(tx: &Tx<'_>, claims: impl IntoIterator<Item = &'a Claim>) -> Result<()> {
    let claims: Vec<&Claim> = claims.into_iter().collect();
    if claims.is_empty() {
        return Ok(());
    }
    match tx.engine() {
        Engine::Postgres => {
            let sql = "DELETE FROM idempotency WHERE (area, caller, method, request_id) IN \
                       (SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[]))";
            tx.conn().execute_raw(tx.statement(sql, key_arrays(&claims))).await?;
        }
        Engine::Sqlite => {
            let sql = "DELETE FROM idempotency WHERE area = $1 AND caller = $2 AND method = $3 AND request_id = $4";
            for claim in claims {
                tx.conn().execute_raw(tx.statement(sql, claim.key_values())).await?;
            }
        }
    }
    Ok(())
}

fn key_arrays(claims: &[&Claim]) -> [Value; 4] {
    let texts = |pick: fn(&Claim) -> &String| -> Value {
        claims.iter().map(|c| pick(c).clone()).collect::<Vec<String>>().into()
    };
    let ids = claims.iter().map(|c| c.request_id).collect::<Vec<Uuid>>().into();
    [texts(|c| &c.area), texts(|c| &c.caller), texts(|c| &c.method), ids]
}

/// Two statements for any number of claims: arrays keep their texts the same, and the plans in the cache.
async fn claim_postgres(tx: &Tx<'_>, claims: &[&Claim]) -> Result<Vec<ClaimOutcome>> {
    if claims.is_empty() {
        return Ok(Vec::new());
    }
    let values = key_arrays(claims).into_iter().chain([
        claims.iter().map(|c| c.request_hash.to_vec()).collect::<Vec<Vec<u8>>>().into(),
        claims.iter().map(|c| c.resource.clone()).collect::<Vec<String>>().into(),
        claims.iter().map(|c| c.created.micros()).collect::<Vec<i64>>().into(),
    ]);
    let sql = "INSERT INTO idempotency (area, caller, method, request_id, request_hash, resource, created_us) \
               SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::bytea[], $6::text[], $7::bigint[]) \
               ON CONFLICT DO NOTHING RETURNING area, caller, method, request_id";
    let rows = tx.conn().query_all_raw(tx.statement(sql, values)).await?;
    let mut new: HashSet<(String, String, String, Uuid)> = HashSet::with_capacity(rows.len());
    for row in &rows {
        new.insert(row.try_get_many_by_index()?);
    }
    let is_new = |c: &Claim| new.contains(&(c.area.clone(), c.caller.clone(), c.method.clone(), c.request_id));
    let known: Vec<&Claim> = claims.iter().copied().filter(|c| !is_new(c)).collect();
    let found = find_postgres(tx, &known).await?;
    let outcome = |c: &&Claim| {
        if is_new(c) {
            return Ok(ClaimOutcome::New);
        }
        let key = (c.area.clone(), c.caller.clone(), c.method.clone(), c.request_id);
        let gone = || crate::Error::new(crate::ErrorCode::Aborted, "CONFLICT");
        found.get(&key).map(|row| c.outcome(row)).ok_or_else(gone)
    };
    claims.iter().map(outcome).collect()
}

type Found = HashMap<(String, String, String, Uuid), (Vec<u8>, String)>;

async fn find_postgres(tx: &Tx<'_>, claims: &[&Claim]) -> Result<Found> {
    if claims.is_empty() {
        return Ok(Found::new());
    }
    let sql = "SELECT area, caller, method, request_id, request_hash, resource FROM idempotency \
               WHERE (area, caller, method, request_id) IN \
               (SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[]))";
    let rows = tx.conn().query_all_raw(tx.statement(sql, key_arrays(claims))).await?;
    let mut found = Found::with_capacity(rows.len());
    for row in &rows {
        let key = (
            row.try_get("", "area")?,
            row.try_get("", "caller")?,
            row.try_get("", "method")?,
            row.try_get("", "request_id")?,
        );
        found.insert(key, (row.try_get("", "request_hash")?, row.try_get("", "resource")?));
    }
    Ok(found)
}
