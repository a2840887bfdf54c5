//! The consumer of booking's feed: a completed service thanks those who served, once, by the area's rules.
//!
//! Facts and rules are asked for before the transaction; the transaction marks the event as decided, checks that the balances
//! that rules saw are still those, posts, stamps cards and records. A replay of the feed under newer rules finds the mark and posts nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use linli_kernel::AreaId;
use linli_kit::check::instant;
use linli_kit::feed::{ConsumerConfig, Handler, spawn_consumer};
use linli_kit::store::{EventDraft, Tx};
use linli_kit::{Ctx, Error, Result, ids};
use linli_proto::booking::{BookingChanged, BookingState};
use linli_proto::events::Event;
use prost::Message as _;

use super::App;
use super::fence::{Fence, overtaken};
use super::ledger::events;
use super::refuse::refuse;
use super::thanks::{Deed, Thanks, rule_fault, seed};
use super::transfers::new_transfer;
use crate::domain::{AwardId, Book, CardId, CardTerms, Holder, PersonId};
use crate::store::awards::{self, AwardRow};
use crate::store::load::{Needs, load};
use crate::store::receipts::{self, ReceiptRow};
use crate::store::save::{open_accounts, save};

/// The event that thanks are for.
const COMPLETED: &str = "linli.booking.v1.BookingChanged";
/// Time for the questions about one event.
const BUDGET: Duration = Duration::from_secs(10);

/// How often an event is posted anew because another process opened an account at the same moment.
const PASSES: usize = 5;

/// Starts the consumer; its tasks are drained with the service's.
pub(crate) fn start(app: &Arc<App>) {
    let parts = &app.parts;
    let config = ConsumerConfig::new("awards", "streams/booking");
    let handler = Awards { app: app.clone() };
    let handle = spawn_consumer(parts.store.clone(), config, parts.feed_source(), handler, &parts.cancel);
    let cancel = parts.cancel.clone();
    parts.tasks.spawn(async move {
        cancel.cancelled().await;
        handle.shutdown().await;
    });
}

/// What the feed of bookings leads to.
pub(crate) struct Awards {
    pub(crate) app: Arc<App>,
}

/// What an event is worth, before it is posted.
#[derive(Debug, Clone)]
pub(crate) struct Decision {
    /// Area in which it is posted.
    pub(crate) area: AreaId,
    /// Id of the event.
    pub(crate) event: String,
    /// Name of the booking or the contribution.
    pub(crate) source: String,
    /// What each recipient gets, and of which nothing came.
    pub(crate) thanks: Vec<Thanks>,
    /// Card types that fill with what is awarded.
    pub(crate) cards: Vec<CardTerms>,
    /// The balances that rules saw.
    pub(crate) fence: Fence,
}

impl Decision {
    /// What is to be posted.
    fn granted(&self) -> impl Iterator<Item = &Thanks> {
        self.thanks.iter().filter(|thanks| thanks.value > 0)
    }
}

/// A completed booking; `None` for any other event.
fn completed(event: &Event) -> Result<Option<BookingChanged>> {
    let Some(data) = event.data.as_ref().filter(|_| event.r#type == COMPLETED) else { return Ok(None) };
    let booking = BookingChanged::decode(data.value.as_slice()).map_err(Error::internal)?;
    Ok((booking.state() == BookingState::Completed && !booking.servers.is_empty()).then_some(booking))
}

#[async_trait]
impl Handler for Awards {
    type Prepared = Option<Decision>;

    async fn prepare(&self, event: &Event) -> Result<Option<Decision>> {
        let Some(booking) = completed(event)? else { return Ok(None) };
        let area = AreaId::parse_name(&event.area).map_err(Error::internal)?;
        if crate::store::finders::was_decided(&self.app.parts.store, area.as_str(), &event.id).await? {
            return Ok(None);
        }
        let ctx = self.ctx(event);
        let deed = self.deed(event, booking);
        self.app.decide_awards(&ctx, area, &deed).await.map(Some).map_err(rule_fault)
    }

    async fn apply(&self, tx: &Tx<'_>, event: &Event, prepared: &Option<Decision>) -> Result<()> {
        match prepared {
            Some(decision) => self.app.post_awards(tx, &self.ctx(event), decision).await,
            None => Ok(()),
        }
    }

    fn blocking_keys(&self, event: &Event) -> BTreeSet<String> {
        let servers = completed(event).ok().flatten().map(|booking| booking.servers).unwrap_or_default();
        servers.into_iter().map(|server| server.person).collect()
    }
}

impl Awards {
    /// A context with the event's trace; what follows is caused by the event.
    fn ctx(&self, event: &Event) -> Ctx {
        let mut ctx = self.app.parts.background(BUDGET);
        ctx.trace_id = event.trace_id.as_str().into();
        ctx.cause = event.id.as_str().into();
        ctx
    }

    /// A completed booking as something that rules may thank for.
    fn deed(&self, event: &Event, booking: BookingChanged) -> Deed {
        let mut doers = booking.servers;
        for server in doers.iter_mut().filter(|server| server.minutes <= 0) {
            server.minutes = booking.slot_min;
        }
        Deed {
            event: event.id.clone(),
            source: booking.booking,
            kind: booking.kind,
            any_binding: true,
            tags: booking.tags,
            quantity: 1,
            score: None,
            time: event.time.as_ref().map_or_else(|| self.app.parts.kit.clock.now(), instant),
            seed: seed(&event.id),
            doers,
        }
    }
}

impl App {
    /// What a deed is worth, by the rules of this moment.
    pub(crate) async fn decide_awards(&self, ctx: &Ctx, area: AreaId, deed: &Deed) -> Result<Decision> {
        let (thanks, fence) = self.thanks_for(ctx, deed, &area).await?;
        let assets: Vec<&str> = thanks.iter().map(|one| one.asset.as_str()).collect();
        let cards = self.card_terms_of(&area, &assets).await?;
        Ok(Decision { area, event: deed.event.clone(), source: deed.source.clone(), thanks, cards, fence })
    }

    /// Posts what a deed is worth, with its receipts; once, however often it is asked for.
    ///
    /// # Errors
    /// CONFLICT when the balances that rules saw have moved: decide again. The feed's consumer does so by itself.
    pub(crate) async fn post_awards(&self, tx: &Tx<'_>, ctx: &Ctx, decision: &Decision) -> Result<()> {
        let area = decision.area.as_str();
        if !awards::decide(tx, area, &decision.event, ctx.now()).await? {
            return Ok(());
        }
        let mut needs = Needs::default();
        for thanks in decision.granted() {
            needs.account(area, &thanks.asset, &Holder::issuance());
            needs.account(area, &thanks.asset, &Holder::Person(thanks.recipient));
            for terms in decision.cards.iter().filter(|terms| terms.asset == thanks.asset) {
                needs.live_cards(area, thanks.recipient, terms);
            }
        }
        decision.fence.lock(tx, area, &mut needs).await?;
        let snapshot = self.access.snapshot();
        for _ in 0..PASSES {
            let mut books = load(tx, needs.clone(), [], |area| snapshot.ancestors(area)).await?;
            decision.fence.check(tx, area).await?;
            let book = books.entry(area.to_owned()).or_insert_with(|| Book::new(area, []));
            let mut posted = post_all(tx, ctx, decision, book).await?;
            if !open_accounts(tx, &books).await? {
                continue;
            }
            save(tx, &books).await?;
            std::mem::take(&mut posted.events).into_iter().for_each(|event| tx.emit(event));
            if awards::insert(tx, &posted.rows).await? != posted.rows.len() as u64 {
                return Err(overtaken());
            }
            receipts::insert(tx, &posted.receipts(decision)).await?;
            return awards::insert_stamps(tx, area, &posted.stamps).await;
        }
        Err(overtaken())
    }
}

/// What the awards of an event come to, before it is written.
struct Posted {
    rows: Vec<AwardRow>,
    /// Which award put how many units on which card.
    stamps: Vec<(CardId, AwardId, i64)>,
    events: Vec<EventDraft>,
}

impl Posted {
    /// The receipts of everything that was asked, each with the award that came of it.
    fn receipts(&self, decision: &Decision) -> Vec<ReceiptRow> {
        let with_award = |thanks: &Thanks| {
            let own = |row: &&AwardRow| row.binding == thanks.binding && row.recipient == thanks.receipt.recipient;
            ReceiptRow { award: self.rows.iter().find(own).map(|row| row.id), ..thanks.receipt.clone() }
        };
        decision.thanks.iter().map(with_award).collect()
    }
}

/// Posts the awards of an event into the books.
async fn post_all(tx: &Tx<'_>, ctx: &Ctx, decision: &Decision, book: &mut Book) -> Result<Posted> {
    let (area, now) = (decision.area.as_str(), ctx.now());
    let mut posted = Posted { rows: Vec::new(), stamps: Vec::new(), events: Vec::new() };
    for thanks in decision.granted() {
        let recipient = thanks.recipient.to_string();
        if awards::stands(tx, area, &decision.event, &thanks.binding, &recipient, &thanks.asset).await? {
            continue;
        }
        let award = book.award(new_transfer(ctx), &thanks.asset, thanks.value, thanks.recipient, &decision.source, now);
        // Nothing is left under the holder's cap: there is nothing to record either.
        let Some(transfer) = award.map_err(|refusal| refuse(area, "", &refusal))? else { continue };
        let row = award_row(ctx, decision, thanks, &transfer);
        for terms in decision.cards.iter().filter(|terms| terms.asset == thanks.asset) {
            let stamped = book.stamp(thanks.recipient, terms, transfer.value, now, || ids::new_v7(now));
            let units = stamped.into_iter().filter(|stamp| stamp.units > 0);
            posted.stamps.extend(units.map(|stamp| (stamp.card.id, row.id, i64::from(stamp.units))));
        }
        posted.rows.push(row);
    }
    posted.events = events(ctx, area, book, 0);
    Ok(posted)
}

fn award_row(ctx: &Ctx, decision: &Decision, thanks: &Thanks, transfer: &crate::domain::Transfer) -> AwardRow {
    AwardRow {
        area: decision.area.as_str().to_owned(),
        id: ids::new_v7(ctx.now()),
        event: decision.event.clone(),
        binding: thanks.binding.clone(),
        source: decision.source.clone(),
        recipient: thanks.recipient.to_string(),
        asset: thanks.asset.clone(),
        value: transfer.value,
        transfer: Some(transfer.id),
        reasons: super::convert::encode_reasons(thanks.reasons.clone()),
        digest: thanks.digest.clone(),
        created: ctx.now(),
    }
}

/// A person's id from a name in this area; people of other areas hold no accounts here.
pub(crate) fn recipient(area: &AreaId, name: &str) -> Option<PersonId> {
    match Holder::parse_name(name, area) {
        Ok(Holder::Person(id)) => Some(id),
        _ => None,
    }
}
