//! Fenced leases: one holder at a time does a piece of background work, and one that lost its lease writes nothing.
//!
//! Owns the table `lease`. Correctness rests on the fence, a number that grows with every new holder and is checked inside
//! the holder's transactions; the clock only decides how soon another may take over. That clock is the machine's
//! ([`linli_kernel::SystemClock`]), never the suite's manual one, which may stand still for hours. Never: leases on rows of
//! a service.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use crate::store::{Engine, Migration, Store, Tx};
use crate::{Error, ErrorCode, Result, rows};

/// Creates the table `lease`.
pub(crate) const MIGRATION: Migration = Migration {
    version: 10,
    name: "kit: leases",
    sqlite: &["CREATE TABLE lease (
               name TEXT NOT NULL PRIMARY KEY, holder TEXT NOT NULL, fence INTEGER NOT NULL, expires_us INTEGER NOT NULL
             ) STRICT, WITHOUT ROWID"],
    postgres: &["CREATE TABLE lease (
               name text NOT NULL PRIMARY KEY, holder text NOT NULL, fence bigint NOT NULL, expires_us bigint NOT NULL
             )"],
};

/// Names this run of the process: an embedded file has one process, so that a lease of an earlier run is free at once.
static INCARNATION: LazyLock<String> = LazyLock::new(|| Uuid::new_v4().simple().to_string());

/// Whether the error says that the lease is another's now.
pub fn is_lost(error: &Error) -> bool {
    error.code() == ErrorCode::Aborted && error.reason() == "LEASE_LOST"
}

pub(crate) fn lost(name: &str) -> Error {
    Error::new(ErrorCode::Aborted, "LEASE_LOST").with("lease", name)
}

/// A holder's text for the column: this run of the process, then one uuid per acquisition.
pub(crate) fn new_holder() -> String {
    format!("{}-{}", *INCARNATION, Uuid::new_v4().simple())
}

/// The part of a holder's text that names this run of the process.
pub(crate) fn incarnation() -> &'static str {
    &INCARNATION
}

/// How long leases last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// Without renewal, another holder may take over after this long.
    pub ttl: Duration,
    /// How often the holder renews; well below `ttl`.
    pub renew_every: Duration,
    /// How often somebody without the lease looks whether it is free.
    pub retry_every: Duration,
}

impl Term {
    /// Seconds on PostgreSQL, where other replicas wait; longer on SQLite, where renewals cost a flush and nobody waits.
    pub fn for_engine(engine: Engine) -> Self {
        let ms = Duration::from_millis;
        match engine {
            Engine::Postgres => Self { ttl: ms(5_000), renew_every: ms(1_500), retry_every: ms(1_000) },
            Engine::Sqlite => Self { ttl: ms(30_000), renew_every: ms(10_000), retry_every: ms(1_000) },
        }
    }
}

/// A lease that was held when it was acquired; [`Guard::check`] says whether it still is.
#[derive(Clone)]
pub struct Guard {
    store: Store,
    name: Arc<str>,
    fence: i64,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("name", &self.name).field("fence", &self.fence).finish_non_exhaustive()
    }
}

impl Guard {
    /// Takes the lease when it is free or over; `None` while another holds it.
    ///
    /// # Errors
    /// What the store says.
    pub async fn acquire(store: &Store, name: &str, ttl: Duration) -> Result<Option<Self>> {
        if !seems_free(store, name).await? {
            return Ok(None);
        }
        let (holder, engine) = (new_holder(), store.engine());
        let holder = holder.as_str();
        let fence = store
            .write("lease.acquire", |tx| {
                Box::pin(async move {
                    let now = rows::machine_us();
                    let mut values = vec![name.into(), holder.into(), (now + micros(ttl)).into(), now.into()];
                    let sql = match engine {
                        Engine::Postgres => ACQUIRE.to_owned(),
                        Engine::Sqlite => {
                            values.push(incarnation().into());
                            ACQUIRE.replace("/*or dead*/", "OR substr(lease.holder, 1, 32) <> $5")
                        }
                    };
                    let row = rows::one(tx.conn(), &sql, values).await?;
                    row.map(|row| rows::get::<i64>(&row, "fence")).transpose()
                })
            })
            .await?;
        Ok(fence.map(|fence| Self { store: store.clone(), name: name.into(), fence }))
    }

    /// The lease's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The fence: grows with every holder.
    pub fn fence(&self) -> i64 {
        self.fence
    }

    /// Makes the transaction depend on the lease: nobody takes it over before the transaction ends.
    ///
    /// # Errors
    /// ABORTED LEASE_LOST when another has taken it; see [`is_lost`].
    pub async fn check(&self, tx: &Tx<'_>) -> Result<()> {
        // FOR SHARE: a take-over waits for us, so that a stale holder never commits behind the new one's first read.
        let sql = match self.store.engine() {
            Engine::Postgres => "SELECT fence FROM lease WHERE name = $1 FOR SHARE",
            Engine::Sqlite => "SELECT fence FROM lease WHERE name = $1",
        };
        let row = rows::one(tx.conn(), sql, vec![self.name.as_ref().into()]).await?;
        match row.map(|row| rows::get::<i64>(&row, "fence")).transpose()? {
            Some(fence) if fence == self.fence => Ok(()),
            Some(_) | None => Err(lost(&self.name)),
        }
    }

    /// Prolongs the lease by `ttl` from now.
    ///
    /// # Errors
    /// ABORTED LEASE_LOST when another has taken it, or what the store says.
    pub async fn renew(&self, ttl: Duration) -> Result<()> {
        if self.set_expiry(rows::machine_us() + micros(ttl)).await? == 1 { Ok(()) } else { Err(lost(&self.name)) }
    }

    /// Gives the lease back, so that another need not wait. Nothing happens when it is lost already.
    ///
    /// # Errors
    /// What the store says.
    pub async fn release(&self) -> Result<()> {
        self.set_expiry(0).await.map(|_| ())
    }

    async fn set_expiry(&self, expires_us: i64) -> Result<u64> {
        self.store
            .write("lease.renew", |tx| {
                Box::pin(async move {
                    let sql = "UPDATE lease SET expires_us = $1 WHERE name = $2 AND fence = $3";
                    let values = vec![expires_us.into(), self.name().into(), self.fence.into()];
                    rows::execute(tx.conn(), sql, values).await
                })
            })
            .await
    }
}

const ACQUIRE: &str = "INSERT INTO lease (name, holder, fence, expires_us) VALUES ($1, $2, 1, $3) \
     ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, fence = lease.fence + 1, \
     expires_us = excluded.expires_us WHERE lease.expires_us <= $4 /*or dead*/ RETURNING fence";

/// A look without a transaction, so that those who wait for a lease cost one read.
async fn seems_free(store: &Store, name: &str) -> Result<bool> {
    let sql = "SELECT holder, expires_us FROM lease WHERE name = $1";
    let Some(row) = rows::one(store.reader(), sql, vec![name.into()]).await? else {
        return Ok(true);
    };
    let over = rows::get::<i64>(&row, "expires_us")? <= rows::machine_us();
    let dead = store.engine() == Engine::Sqlite && !rows::get::<String>(&row, "holder")?.starts_with(incarnation());
    Ok(over || dead)
}

/// Work under a lease: gets the guard and a token that is cancelled when the lease is lost or the service stops.
pub type Work = Arc<dyn Fn(Guard, CancellationToken) -> BoxFuture<'static, ()> + Send + Sync>;

/// Runs `work` whenever this process holds the lease, until `stop`.
///
/// Renews beside the work. When the lease is lost the work's token is cancelled and the work is awaited, not dropped: a
/// dropped transaction would poison its connection. Work that panics is started again after a pause.
pub async fn while_held(store: Store, name: String, term: Term, stop: CancellationToken, work: Work) {
    while !stop.is_cancelled() {
        match Guard::acquire(&store, &name, term.ttl).await {
            Ok(Some(guard)) => hold(guard, term, &stop, &work).await,
            Ok(None) => {}
            Err(error) => tracing::warn!(lease = name, %error, "the lease could not be acquired"),
        }
        pause(&stop, jittered(term.retry_every)).await;
    }
}

async fn hold(guard: Guard, term: Term, stop: &CancellationToken, work: &Work) {
    tracing::debug!(lease = guard.name(), fence = guard.fence(), "lease acquired");
    let token = stop.child_token();
    // Both end with this task: a renewal without the work would keep the lease from everybody.
    let renewing = AbortOnDropHandle::new(tokio::spawn(keep(guard.clone(), term, token.clone())));
    let working = AbortOnDropHandle::new(tokio::spawn(work(guard.clone(), token.clone())));
    if let Err(fault) = working.await {
        tracing::error!(lease = guard.name(), panicked = fault.is_panic(), "work under a lease broke");
    }
    token.cancel();
    // The renewal never panics; its end is all that matters here.
    let _ended = renewing.await;
    if let Err(error) = guard.release().await {
        tracing::debug!(lease = guard.name(), %error, "the lease was not released; it runs out");
    }
}

/// Renews until the token is cancelled; cancels it when the lease is lost or could not be renewed in time.
async fn keep(guard: Guard, term: Term, token: CancellationToken) {
    let mut renewed = Instant::now();
    loop {
        pause(&token, term.renew_every).await;
        if token.is_cancelled() {
            return;
        }
        let begun = Instant::now();
        match guard.renew(term.ttl).await {
            Ok(()) => renewed = begun,
            Err(error) if is_lost(&error) || renewed.elapsed() >= term.ttl => {
                tracing::warn!(lease = guard.name(), %error, "lease lost");
                token.cancel();
                return;
            }
            Err(error) => tracing::warn!(lease = guard.name(), %error, "the lease could not be renewed"),
        }
    }
}

/// Sleeps, but not past the cancellation of `stop`.
pub(crate) async fn pause(stop: &CancellationToken, time: Duration) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(time) => {}
    }
}

/// The duration give or take a quarter, so that many waiters do not march in step.
pub(crate) fn jittered(time: Duration) -> Duration {
    time.mul_f64(rand::random_range(0.75..1.25))
}

pub(crate) fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests;
