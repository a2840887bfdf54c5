//! Reads a service's events by position, and waits for new ones.
//!
//! Owns the in-process watch of the newest position. Never: who may read what; callers pass a [`Visibility`].

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use linli_kernel::Timestamp;
use linli_proto::events::{Event, ListEventsResponse};
use sea_orm::{QueryResult, Value};
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;
use uuid::Uuid;

use super::sequencer::missing_head;
use super::{EventSource, cursor_too_old, stream_name};
use crate::store::{Engine, Store};
use crate::{Error, ErrorCode, Result, rows};

/// Events of one page at most.
pub const MAX_EVENTS: i64 = 1000;
/// Events of one page when the caller does not say.
pub const DEFAULT_EVENTS: i64 = 100;
/// Longest wait for an event.
pub const MAX_WAIT: Duration = Duration::from_millis(5000);
/// Positions that one read looks through for events that the caller may see.
const WINDOW: i64 = 10_000;
/// Bytes of payload in one page at most, apart from its first event: below the 4 MiB that a client decodes.
const PAGE_BYTES: usize = 2 * 1024 * 1024;
/// How often waiters look into the table when another process places the events.
const POLL: Duration = Duration::from_millis(100);
/// The same when this process places them itself and announces each.
const SLOW_POLL: Duration = Duration::from_millis(1000);

/// Which events a reader may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visibility {
    /// All.
    All,
    /// Those of these areas (slugs), such as all below the one that was asked for.
    Areas(BTreeSet<String>),
}

/// A piece of the feed.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The events, by position.
    pub events: Vec<Event>,
    /// Position from which to read on; moves past events that the reader may not see.
    pub next_position: i64,
    /// Newest position of the feed.
    pub newest_position: i64,
}

impl From<Page> for ListEventsResponse {
    fn from(page: Page) -> Self {
        Self { events: page.events, next_position: page.next_position, newest_position: page.newest_position }
    }
}

/// A service's own feed; clones share the watch.
#[derive(Clone)]
pub struct EventLog {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    newest: watch::Sender<i64>,
    polled: Mutex<Option<Instant>>,
    sequenced_here: AtomicBool,
}

impl std::fmt::Debug for EventLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventLog").field("service", &self.inner.store.service()).finish_non_exhaustive()
    }
}

impl EventLog {
    /// The feed of a store.
    pub fn new(store: Store) -> Self {
        let (newest, _) = watch::channel(0);
        let inner = Inner { store, newest, polled: Mutex::new(None), sequenced_here: AtomicBool::new(false) };
        Self { inner: Arc::new(inner) }
    }

    /// The store behind it.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The newest position, read from the table.
    ///
    /// # Errors
    /// What the store says.
    pub async fn newest(&self) -> Result<i64> {
        let row = rows::one(self.store().reader(), "SELECT newest FROM feed_head WHERE id = 1", vec![]).await?;
        let newest = rows::get(&row.ok_or_else(missing_head)?, "newest")?;
        self.announce(newest);
        Ok(newest)
    }

    /// The oldest position that is kept.
    ///
    /// # Errors
    /// What the store says.
    pub async fn oldest(&self) -> Result<i64> {
        let row = rows::one(self.store().reader(), "SELECT oldest FROM feed_head WHERE id = 1", vec![]).await?;
        rows::get(&row.ok_or_else(missing_head)?, "oldest")
    }

    /// The events behind `after` that the reader may see, at most `max` (0 means 100, more than 1,000 means 1,000).
    ///
    /// # Errors
    /// OUT_OF_RANGE CURSOR_TOO_OLD when events behind `after` are no longer kept, also behind 0: a reader that begins must
    /// not take the rest for the whole. OUT_OF_RANGE CURSOR_AHEAD when the feed has not come so far.
    pub async fn list(&self, after: i64, max: i32, visible: &Visibility) -> Result<Page> {
        let max = match i64::from(max) {
            n if n <= 0 => DEFAULT_EVENTS,
            n => n.min(MAX_EVENTS),
        };
        // One statement, one snapshot: the head and the events belong together on both engines.
        let mut values: Vec<Value> = vec![after.into(), max.into(), (after.saturating_add(WINDOW)).into()];
        let filter = self.area_filter(visible, &mut values);
        let sql = format!(
            "SELECT h.newest, h.oldest, e.* FROM feed_head h LEFT JOIN (
               SELECT id, position, event_type, subject, area, time_us, trace_id, cause, data FROM event
               WHERE position > $1 AND position <= $3 {filter} ORDER BY position LIMIT $2
             ) e ON true WHERE h.id = 1 ORDER BY e.position"
        );
        let found = rows::all(self.store().reader(), &sql, values).await?;
        let head = found.first().ok_or_else(missing_head)?;
        let (newest, oldest): (i64, i64) = (rows::get(head, "newest")?, rows::get(head, "oldest")?);
        self.announce(newest);
        check_range(after, oldest, newest)?;
        let (events, cut) = self.read(&found)?;
        let next_position = match events.last() {
            Some(last) if cut || events.len() as i64 >= max => last.position,
            // All of the window is read.
            Some(_) | None => newest.min(after.saturating_add(WINDOW)),
        };
        Ok(Page { events, next_position, newest_position: newest })
    }

    /// Like [`EventLog::list`], but waits up to `wait` for an event. Cancel-safe.
    ///
    /// # Errors
    /// As [`EventLog::list`].
    pub async fn list_waiting(&self, after: i64, max: i32, visible: &Visibility, wait: Duration) -> Result<Page> {
        let until = Instant::now() + wait.min(MAX_WAIT);
        let mut news = self.inner.newest.subscribe();
        let mut from = after;
        loop {
            let page = self.list(from, max, visible).await?;
            if !page.events.is_empty() || Instant::now() >= until {
                return Ok(page);
            }
            from = page.next_position;
            if from < page.newest_position {
                continue;
            }
            if !self.wait_beyond(&mut news, from, until).await? {
                return Ok(page);
            }
        }
    }

    /// Waits until the newest position lies behind `position`; false when `until` came first.
    async fn wait_beyond(&self, news: &mut watch::Receiver<i64>, position: i64, until: Instant) -> Result<bool> {
        loop {
            if *news.borrow_and_update() > position {
                return Ok(true);
            }
            let poll = if self.inner.sequenced_here.load(Ordering::Relaxed) { SLOW_POLL } else { POLL };
            tokio::select! {
                () = tokio::time::sleep_until(until) => return Ok(false),
                // The sender lives in `self`.
                _ = news.changed() => {}
                () = tokio::time::sleep(poll) => self.poll(poll).await?,
            }
        }
    }

    /// Reads the newest position unless another waiter has just done so.
    async fn poll(&self, every: Duration) -> Result<()> {
        let mut polled = self.inner.polled.lock().await;
        if polled.is_none_or(|at| at.elapsed() >= every) {
            self.newest().await?;
            *polled = Some(Instant::now());
        }
        Ok(())
    }

    /// Tells waiters in this process the newest position.
    pub(crate) fn announce(&self, newest: i64) {
        self.inner.newest.send_if_modified(|known| {
            let moved = newest > *known;
            *known = newest.max(*known);
            moved
        });
    }

    pub(crate) fn sequenced_here(&self, yes: bool) {
        self.inner.sequenced_here.store(yes, Ordering::Relaxed);
    }

    fn area_filter(&self, visible: &Visibility, values: &mut Vec<Value>) -> &'static str {
        let Visibility::Areas(areas) = visible else { return "" };
        match self.store().engine() {
            Engine::Postgres => {
                values.push(areas.iter().cloned().collect::<Vec<String>>().into());
                "AND area = ANY($4)"
            }
            Engine::Sqlite => {
                let list: Vec<&String> = areas.iter().collect();
                values.push(serde_json::json!(list).to_string().into());
                "AND area IN (SELECT value FROM json_each($4))"
            }
        }
    }

    /// The events of the rows, and whether the page was cut because it grew too large.
    fn read(&self, found: &[QueryResult]) -> Result<(Vec<Event>, bool)> {
        let source = stream_name(self.store().service());
        let (mut events, mut bytes) = (Vec::with_capacity(found.len()), 0);
        for row in found {
            if let Some(position) = rows::get::<Option<i64>>(row, "position")? {
                let event = event(row, position, &source)?;
                bytes += event.data.as_ref().map_or(0, |data| data.value.len());
                if bytes > PAGE_BYTES && !events.is_empty() {
                    return Ok((events, true));
                }
                events.push(event);
            }
        }
        Ok((events, false))
    }
}

#[async_trait]
impl EventSource for EventLog {
    async fn list(&self, stream: &str, after: i64, max: i32, wait_ms: i32) -> Result<ListEventsResponse> {
        if stream != stream_name(self.store().service()) {
            return Err(Error::not_found(stream));
        }
        let wait = Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0));
        self.list_waiting(after, max, &Visibility::All, wait).await.map(Into::into)
    }
}

fn check_range(after: i64, oldest: i64, newest: i64) -> Result<()> {
    if after > newest {
        return Err(Error::new(ErrorCode::OutOfRange, "CURSOR_AHEAD").with("newest", newest));
    }
    if after < oldest - 1 { Err(cursor_too_old(oldest)) } else { Ok(()) }
}

fn event(row: &QueryResult, position: i64, source: &str) -> Result<Event> {
    let time = Timestamp::from_micros(rows::get(row, "time_us")?);
    let kind: String = rows::get(row, "event_type")?;
    Ok(Event {
        id: rows::get::<Uuid>(row, "id")?.to_string(),
        position,
        source: source.to_owned(),
        subject: rows::get(row, "subject")?,
        area: rows::get::<String>(row, "area").map(|area| format!("areas/{area}"))?,
        time: Some(prost_types::Timestamp { seconds: time.secs(), nanos: time.subsec_nanos() }),
        trace_id: rows::get(row, "trace_id")?,
        cause: rows::get(row, "cause")?,
        data: Some(prost_types::Any {
            type_url: format!("type.googleapis.com/{kind}"),
            value: rows::get(row, "data")?,
        }),
        r#type: kind,
    })
}
