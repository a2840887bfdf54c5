//! What happens without a caller: reservations that end, slots that are made, holds that are compared with bookings.

use std::sync::Arc;
use std::time::Duration;

use linli_kernel::Timestamp;
use linli_kit::durable::Settings;
use linli_kit::lease::{self, Term};
use linli_kit::{Ctx, Error, Result};
use linli_proto::points::points_service_client::PointsServiceClient;
use linli_proto::points::{Hold, HoldState, ListHoldsRequest};

use super::promote::Heads;
use super::transition::{By, Turn};
use super::{App, area_of, holds, id_of};
use crate::domain::State;
use crate::domain::state::Canceller;
use crate::ids::BookingId;
use crate::store;

/// How often the suite's clock is looked at.
const TICK: Duration = Duration::from_millis(250);
/// How often holds are compared with bookings, by the suite's clock.
const RECONCILE_SECS: i64 = 3600;
/// Bookings that one tick ends.
const DUE: i64 = 100;
/// Pages of holds that one comparison reads.
const MAX_PAGES: usize = 100;

/// Starts durable calls and the timer.
pub(crate) fn start(app: &Arc<App>) {
    let parts = &app.parts;
    let calls = app.durable.spawn(holds::targets(app), Settings::default(), parts.cancel.clone());
    parts.tasks.spawn(async move {
        if let Err(fault) = calls.await {
            tracing::error!(panicked = fault.is_panic(), "the durable calls broke");
        }
    });
    let timer = app.clone();
    let work: lease::Work = Arc::new(move |_guard, token| {
        let app = timer.clone();
        Box::pin(async move {
            let mut reconcile_at = Timestamp::default();
            while !token.is_cancelled() {
                app.tick().await;
                let now = app.parts.kit.clock.now();
                if now >= reconcile_at {
                    reconcile_at = now.plus_secs(RECONCILE_SECS);
                    if let Err(error) = app.reconcile().await {
                        tracing::warn!(%error, "holds could not be compared with bookings");
                    }
                }
                tokio::select! {
                    () = token.cancelled() => {}
                    () = tokio::time::sleep(TICK) => {}
                }
            }
        })
    });
    let term = Term::for_engine(parts.store.engine());
    let held = lease::while_held(parts.store.clone(), "booking.timer".to_owned(), term, parts.cancel.clone(), work);
    parts.tasks.spawn(held);
}

impl App {
    /// Does what is due by the suite's clock.
    pub(crate) async fn tick(&self) {
        let now = self.parts.kit.clock.now();
        if let Err(error) = self.expire(now).await {
            tracing::warn!(%error, "reservations could not be ended");
        }
        if let Err(error) = self.extend_schedules(now).await {
            tracing::warn!(%error, "schedules could not be extended");
        }
    }

    /// Ends reservations and places on waitlists whose time is over. One that cannot be ended is logged and tried again; the
    /// others do not wait for it.
    ///
    /// # Errors
    /// When it cannot be read which ones are due.
    pub(crate) async fn expire(&self, now: Timestamp) -> Result<()> {
        for (area, id) in store::bookings::due(self.store().reader(), now, DUE).await? {
            if let Err(error) = self.end(now, &area, id).await {
                tracing::warn!(area, booking = %id, %error, cause = ?error.cause(), "a reservation could not be ended");
            }
        }
        Ok(())
    }

    async fn end(&self, now: Timestamp, area: &str, id: BookingId) -> Result<()> {
        let ctx = self.parts.background(Duration::from_secs(10));
        let heads = match store::bookings::find(self.store().reader(), area, id).await? {
            Some(row) => self.heads(&ctx, &row).await,
            None => Heads::default(),
        };
        let (ctx, heads) = (&ctx, &heads);
        let ended = self.store().write("booking.expire", |tx| {
            Box::pin(async move {
                let (mut slot, row) = self.lock_booking(tx, area, id).await?;
                if row.expires.is_none_or(|at| at > now) {
                    return Ok(());
                }
                let Ok(step) = row.claim().cancel(Canceller::Office, now) else { return Ok(()) };
                let why = match row.state {
                    State::Waitlisted { .. } => self.reason("slot-began", "REASON_SLOT_BEGAN", &[]),
                    _ => self.reason("reservation-expired", "REASON_RESERVATION_EXPIRED", &[]),
                };
                let turn = Turn { step, reasons: Some(vec![why]), by: By::service() };
                self.take_step(tx, ctx, &mut slot, row, turn, heads).await.map(|_| ())
            })
        });
        ended.await
    }

    /// Compares the ledger's open holds with bookings: one whose booking is over is captured or given back, one that is not
    /// its booking's is given back.
    ///
    /// # Errors
    /// When the ledger does not tell its holds. One that cannot be settled is logged; the others do not wait for it.
    pub(crate) async fn reconcile(&self) -> Result<()> {
        let ctx = self.parts.background(Duration::from_secs(30));
        let mut token = String::new();
        for _ in 0..MAX_PAGES {
            let mut client = PointsServiceClient::new(self.parts.peers.to("points", &ctx));
            let request = ListHoldsRequest {
                parent: "areas/-".to_owned(),
                page_size: 500,
                page_token: token,
                filter: "state = HOLD_STATE_PLACED".to_owned(),
                order_by: String::new(),
            };
            let page = client.list_holds(request).await.map_err(Error::from_peer)?.into_inner();
            for hold in &page.holds {
                if hold.state() == HoldState::Placed
                    && let Err(error) = self.settle(&ctx, hold).await
                {
                    tracing::warn!(hold = hold.name, %error, cause = ?error.cause(), "a hold could not be settled");
                }
            }
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Settles one open hold when its booking is over, or when it is not its booking's.
    async fn settle(&self, ctx: &Ctx, hold: &Hold) -> Result<()> {
        let (area, id) = (area_of(&hold.cause), id_of(&hold.cause).parse::<BookingId>());
        let Ok(id) = id else { return Ok(()) };
        let settled = self.store().write("booking.reconcile", |tx| {
            Box::pin(async move {
                if store::bookings::find(tx.conn(), area, id).await?.is_none() {
                    return Ok(());
                }
                let (_, mut row) = self.lock_booking(tx, area, id).await?;
                if row.hold != hold.name {
                    // The answer that names the hold may still be under way while the booking is ahead.
                    let stray = !row.hold.is_empty() || !row.state.open();
                    return if stray {
                        holds::void_stray(&self.durable, tx, ctx, &row, &hold.name).await
                    } else {
                        Ok(())
                    };
                }
                if row.state.open() || !row.settlement.stuck() {
                    return Ok(());
                }
                row.tries += 1;
                match row.state {
                    State::Completed => holds::capture(&self.durable, tx, ctx, &mut row).await?,
                    _ => holds::void(&self.durable, tx, ctx, &mut row).await?,
                }
                row.version += 1;
                row.updated = ctx.now();
                store::bookings::update(tx, &row).await
            })
        });
        settled.await
    }
}
