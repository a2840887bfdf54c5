//! The loop of a consumer while it holds the lease: due parked events, then the next page, then again.

use std::collections::HashSet;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use linli_proto::events::{Event, ListEventsResponse};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::parked::{self, BEHIND, ParkedEvent};
use super::status::Shared;
use super::{ConsumerConfig, Handler, Verdict, backoff, cursor, judge};
use crate::feed::{EventSource, is_missed};
use crate::lease::{self, Guard, micros};
use crate::store::Store;
use crate::{Error, Result, rows};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Longest pause before a parked event is tried again.
const LONGEST_PARKED: Duration = Duration::from_secs(600);

/// How long the transaction that takes a feed's state may last.
const RESYNC_PATIENCE: Duration = Duration::from_secs(120);

/// What a consumer is made of.
pub(super) struct Parts<H> {
    pub(super) store: Store,
    pub(super) config: ConsumerConfig,
    pub(super) source: Arc<dyn EventSource>,
    pub(super) handler: H,
    pub(super) shared: Shared,
}

impl<H> Parts<H> {
    /// The cursor, created when there is none.
    async fn cursor(&self, guard: &Guard) -> Result<i64> {
        let config = &self.config;
        cursor::open(&self.store, guard, &config.name, &config.stream, config.start_after).await
    }
}

/// Follows the feed until the token is cancelled or the lease is lost.
pub(super) async fn run<H: Handler>(parts: Arc<Parts<H>>, guard: Guard, token: CancellationToken) {
    parts.shared.change(|status| status.holds_lease = true);
    let mut failures = 0;
    while !token.is_cancelled() {
        let outcome = match Follower::open(&parts, &guard, &token).await {
            Ok(mut follower) => follower.follow().await,
            Err(error) => Err(error),
        };
        let Err(error) = outcome else { continue };
        if lease::is_lost(&error) {
            break;
        }
        tracing::warn!(consumer = parts.config.name, %error, "the consumer begins again");
        parts.shared.change(|status| status.stuck = error.reason());
        lease::pause(&token, backoff(FIRST_PAUSE, LONGEST_PAUSE, failures)).await;
        failures = (failures + 1).min(8);
    }
    parts.shared.change(|status| status.holds_lease = false);
}

struct Follower<'a, H> {
    parts: &'a Parts<H>,
    guard: &'a Guard,
    token: &'a CancellationToken,
    position: i64,
    /// How many events are parked.
    parked: usize,
    /// The keys of the parked events.
    blocked: HashSet<String>,
}

impl<'a, H: Handler> Follower<'a, H> {
    async fn open(parts: &'a Parts<H>, guard: &'a Guard, token: &'a CancellationToken) -> Result<Self> {
        let position = parts.cursor(guard).await?;
        let mut follower = Self { parts, guard, token, position, parked: 0, blocked: HashSet::new() };
        follower.recount().await?;
        follower.report();
        Ok(follower)
    }

    /// Until the token is cancelled.
    async fn follow(&mut self) -> Result<()> {
        let mut failures = 0;
        while !self.token.is_cancelled() {
            let wait = self.retry_parked().await?;
            if self.parked >= self.parts.config.max_parked {
                self.parts.shared.change(|status| status.stuck = "TOO_MANY_PARKED".to_owned());
                lease::pause(self.token, wait.max(FIRST_PAUSE)).await;
                continue;
            }
            let asked = Instant::now();
            let outcome = match self.read(wait).await {
                Ok(page) => {
                    failures = 0;
                    self.take_page(page, asked).await?;
                    continue;
                }
                Err(error) if is_missed(&error) && self.parts.handler.resyncs() => self.resync(&error).await,
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                if lease::is_lost(&error) {
                    return Err(error);
                }
                self.stands_still(&error);
                lease::pause(self.token, backoff(FIRST_PAUSE, LONGEST_PAUSE, failures)).await;
                failures = (failures + 1).min(8);
                if is_missed(&error) {
                    // An operator may have moved the cursor.
                    self.position = self.parts.cursor(self.guard).await?;
                }
            }
        }
        Ok(())
    }

    /// Says why the feed cannot be followed: loudly, once, when that does not pass on its own.
    fn stands_still(&self, error: &Error) {
        let (consumer, reason) = (&self.parts.config.name, error.reason());
        let mut new = false;
        self.parts.shared.change(|status| {
            new = status.stuck != reason;
            status.stuck.clone_from(&reason);
        });
        if new && is_missed(error) {
            tracing::error!(consumer, stream = self.parts.config.stream, position = self.position, %error,
                "events were missed for good: the consumer stands still until an operator moves its cursor");
        } else {
            tracing::debug!(consumer, %error, "the feed could not be read");
        }
        if new {
            let labels = [("consumer", consumer.clone()), ("reason", reason)];
            metrics::counter!("linli_feed_stuck_total", &labels).increment(1);
        }
    }

    /// Takes what the feed tells now in place of events that cannot be read any more.
    async fn resync(&mut self, why: &Error) -> Result<()> {
        let (state, to) = self.read_state().await?;
        let (parts, guard, from, state) = (self.parts, self.guard, self.position, &state);
        let name = &parts.config.name;
        parts
            .store
            .write_until("feed.resync", Instant::now() + RESYNC_PATIENCE, |tx| {
                Box::pin(async move {
                    guard.check(tx).await?;
                    caught(parts.handler.replace(tx, state)).await?;
                    parked::clear(tx, name).await?;
                    cursor::advance(tx, guard, name, from, to).await
                })
            })
            .await?;
        self.position = to;
        self.recount().await?;
        tracing::warn!(consumer = name, why = why.reason(), from, to, "the consumer took the feed's present state");
        metrics::counter!("linli_feed_resyncs_total", "consumer" => name.clone()).increment(1);
        self.report();
        Ok(())
    }

    /// What the feed tells now, and the position from which to follow it.
    async fn read_state(&self) -> Result<(Vec<Event>, i64)> {
        let (mut state, mut token, mut from) = (Vec::new(), String::new(), None);
        loop {
            let page = self.parts.source.state(&self.parts.config.stream, &token).await?;
            state.extend(page.events);
            let position = *from.get_or_insert(page.position);
            if page.next_page_token.is_empty() {
                return Ok((state, position));
            }
            token = page.next_page_token;
        }
    }

    /// Reads the next events, waiting at most `wait` for one.
    async fn read(&self, wait: Duration) -> Result<ListEventsResponse> {
        let config = &self.parts.config;
        let wait_ms = i32::try_from(wait.min(config.wait).as_millis()).unwrap_or(0);
        tokio::select! {
            () = self.token.cancelled() => Ok(ListEventsResponse::default()),
            page = self.parts.source.list(&config.stream, self.position, config.fetch, wait_ms) => page,
        }
    }

    async fn take_page(&mut self, page: ListEventsResponse, asked: Instant) -> Result<()> {
        if self.token.is_cancelled() {
            return Ok(());
        }
        self.parts.shared.change(|status| status.stuck.clear());
        self.parts.shared.heard(self.position, page.newest_position, asked);
        let mut rest = page.events.as_slice();
        while !rest.is_empty() && !self.token.is_cancelled() {
            let taken = self.take_some(rest).await?;
            rest = &rest[taken..];
        }
        if self.token.is_cancelled() {
            return Ok(());
        }
        if page.next_position > self.position {
            self.move_to(page.next_position).await?;
        }
        self.parts.shared.heard(self.position, page.newest_position, asked);
        Ok(())
    }

    /// Takes as many events as one transaction may hold, at least one; how many.
    async fn take_some(&mut self, events: &[Event]) -> Result<usize> {
        let most = self.parts.config.batch.clamp(1, events.len());
        let free = events[..most].iter().take_while(|event| !self.is_blocked(event)).count();
        if free > 1 && self.try_together(&events[..free]).await? {
            return Ok(free);
        }
        // Which one is at fault is unknown: each on its own.
        let taken = free.max(1);
        for event in &events[..taken] {
            self.take(event).await?;
            if self.token.is_cancelled() {
                break;
            }
        }
        Ok(taken)
    }

    fn is_blocked(&self, event: &Event) -> bool {
        self.parked > 0 && self.parts.handler.blocking_keys(event).iter().any(|key| self.blocked.contains(key))
    }

    /// Applies all in one transaction; false when one of them fails, so that each has to be taken on its own.
    async fn try_together(&mut self, events: &[Event]) -> Result<bool> {
        let mut prepared = Vec::with_capacity(events.len());
        for event in events {
            match caught(self.parts.handler.prepare(event)).await {
                Ok(one) => prepared.push((event, one)),
                Err(_) => return Ok(false),
            }
        }
        match self.apply(&prepared).await {
            Ok(()) => Ok(true),
            Err(error) if lease::is_lost(&error) => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// Applies one event or parks it; waits out what passes on its own.
    async fn take(&mut self, event: &Event) -> Result<()> {
        if self.is_blocked(event) {
            return self.park(event, BEHIND.to_owned(), 0).await;
        }
        let mut attempts = 0;
        while !self.token.is_cancelled() {
            let Err(error) = self.attempt(event).await else { return Ok(()) };
            attempts += 1;
            match judge(&error, attempts) {
                Verdict::Lost => return Err(error),
                Verdict::Transient => {
                    let (consumer, position) = (&self.parts.config.name, event.position);
                    tracing::debug!(consumer, position, attempts, %error, "the event is tried again");
                    self.parts.shared.change(|status| status.stuck = error.reason());
                    lease::pause(self.token, backoff(FIRST_PAUSE, LONGEST_PAUSE, attempts)).await;
                }
                Verdict::Fault => {
                    let (consumer, position) = (&self.parts.config.name, event.position);
                    tracing::error!(consumer, position, event = event.id, %error, cause = ?error.cause(), "event parked");
                    return self.park(event, error.reason(), 1).await;
                }
            }
        }
        Ok(())
    }

    async fn attempt(&mut self, event: &Event) -> Result<()> {
        let prepared = caught(self.parts.handler.prepare(event)).await?;
        self.apply(&[(event, prepared)]).await
    }

    /// Effect and cursor in one transaction.
    async fn apply(&mut self, items: &[(&Event, H::Prepared)]) -> Result<()> {
        let (parts, guard, from) = (self.parts, self.guard, self.position);
        let to = items.last().map_or(from, |(event, _)| event.position);
        parts
            .store
            .write("feed.apply", |tx| {
                Box::pin(async move {
                    guard.check(tx).await?;
                    for (event, prepared) in items {
                        caught(parts.handler.apply(tx, event, prepared)).await?;
                    }
                    fail::fail_point!("feed::after_apply", |_| Err(Error::new(
                        crate::ErrorCode::Unavailable,
                        "SHUTTING_DOWN"
                    )));
                    cursor::advance(tx, guard, &parts.config.name, from, to).await
                })
            })
            .await?;
        self.position = to;
        metrics::counter!("linli_feed_applied_total", "consumer" => parts.config.name.clone())
            .increment(items.len() as u64);
        self.report();
        Ok(())
    }

    /// Puts the event aside and moves past it.
    async fn park(&mut self, event: &Event, reason: String, attempts: u32) -> Result<()> {
        let (parts, guard, from) = (self.parts, self.guard, self.position);
        let blocking_keys = parts.handler.blocking_keys(event);
        let next_us =
            rows::machine_us() + if attempts == 0 { 0 } else { micros(lease::jittered(parts.config.park_pause)) };
        let parked = ParkedEvent { event: event.clone(), blocking_keys, reason, attempts, next_us };
        let row = &parked;
        parts
            .store
            .write("feed.park", |tx| {
                Box::pin(async move {
                    guard.check(tx).await?;
                    parked::insert(tx, &parts.config.name, row).await?;
                    cursor::advance(tx, guard, &parts.config.name, from, row.event.position).await
                })
            })
            .await?;
        self.position = event.position;
        self.parked += 1;
        self.blocked.extend(parked.blocking_keys);
        self.report();
        Ok(())
    }

    /// Moves past events that the consumer may not see.
    async fn move_to(&mut self, to: i64) -> Result<()> {
        let (parts, guard, from) = (self.parts, self.guard, self.position);
        parts
            .store
            .write("feed.move", |tx| {
                Box::pin(async move {
                    guard.check(tx).await?;
                    cursor::advance(tx, guard, &parts.config.name, from, to).await
                })
            })
            .await?;
        self.position = to;
        self.report();
        Ok(())
    }

    /// Tries the parked events that are due and first by their keys, until none is; how long until the next one is.
    async fn retry_parked(&mut self) -> Result<Duration> {
        let name = &self.parts.config.name;
        if self.parked == 0 {
            return Ok(self.parts.config.wait);
        }
        loop {
            let due = parked::due(&self.parts.store, name, rows::machine_us()).await?;
            if due.is_empty() || self.token.is_cancelled() {
                break;
            }
            for event in due {
                self.retry(event).await?;
            }
            self.recount().await?;
            self.report();
        }
        let next = parked::next_due(&self.parts.store, name).await?;
        if next.is_none() {
            // An operator gave up what was left.
            self.recount().await?;
            self.report();
        }
        let left = next.map(|at| (at - rows::machine_us()).max(1_000).unsigned_abs());
        Ok(left.map_or(self.parts.config.wait, Duration::from_micros))
    }

    async fn retry(&mut self, mut event: ParkedEvent) -> Result<()> {
        let outcome = match caught(self.parts.handler.prepare(&event.event)).await {
            Ok(prepared) => self.unpark(&event, &prepared).await,
            Err(error) => Err(error),
        };
        let Err(error) = outcome else { return Ok(()) };
        match judge(&error, event.attempts) {
            Verdict::Lost => return Err(error),
            Verdict::Transient => {}
            Verdict::Fault => event.attempts = event.attempts.saturating_add(1),
        }
        event.reason = error.reason();
        let pause = backoff(self.parts.config.park_pause, LONGEST_PARKED, event.attempts);
        event.next_us = rows::machine_us() + micros(pause);
        let (name, guard, row) = (&self.parts.config.name, self.guard, &event);
        self.parts
            .store
            .write("feed.postpone", |tx| {
                Box::pin(async move {
                    guard.check(tx).await?;
                    parked::postpone(tx, name, row).await
                })
            })
            .await
    }

    async fn unpark(&self, event: &ParkedEvent, prepared: &H::Prepared) -> Result<()> {
        let (parts, guard) = (self.parts, self.guard);
        parts
            .store
            .write("feed.unpark", |tx| {
                Box::pin(async move {
                    guard.check(tx).await?;
                    if !parked::remove(tx, &parts.config.name, event.event.position).await? {
                        return Ok(());
                    }
                    caught(parts.handler.apply(tx, &event.event, prepared)).await
                })
            })
            .await
    }

    /// Reads what is parked.
    async fn recount(&mut self) -> Result<()> {
        let (store, name) = (&self.parts.store, &self.parts.config.name);
        self.parked = parked::count(store, name).await?;
        self.blocked = parked::keys(store, name).await?.into_values().flatten().collect();
        Ok(())
    }

    fn report(&self) {
        let parked = self.parked;
        self.parts.shared.change(|status| {
            status.position = self.position;
            status.newest = status.newest.max(self.position);
            status.parked = parked;
        });
    }
}

/// A handler that panics has a fault like any other.
async fn caught<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| Err(Error::internal("a handler panicked")))
}
