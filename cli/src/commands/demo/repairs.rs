//! Repairs at xinhe's 义修小屋 (M45, M48): free for elders, paid in points by others, and given back when cancelled in time.

use anyhow::{Context as _, Result};
use linli_proto::booking::{
    Booking, BookingState, CancelBookingRequest, GetBookingRequest, Slot, VisitDetails, booking,
};
use linli_proto::org::Person;
use linli_proto::points::{Account, GetAccountRequest, GetHoldRequest, HoldState, ListHoldsRequest};

use super::bookings::{Booked, age, book, choice, slots};
use super::stage::Stage;

/// What residents who pay have at first, and what a repair costs.
const OPENING: i64 = 40;
const PRICE: i64 = 10;

/// Books the repairs of the day.
pub(super) async fn play(stage: &mut Stage<'_>, booked: &mut Booked) -> Result<()> {
    let people = stage.people("xinhe").await?;
    let slots = slots(&stage.operator, "xinhe", "repair", 7).await?;
    let slot = slots.first().context("a repair slot")?;
    let elder = people.iter().find(|p| age(p) >= 72 && !p.household.is_empty()).context("an elder")?;
    let mut others = people.iter().filter(|p| (30..55).contains(&age(p)) && !p.household.is_empty());
    let mut other = || others.next().context("a resident between 30 and 55");
    let (payer, poor, fickle) = (other()?, other()?, other()?);
    let opening = [(payer.name.clone(), OPENING), (fickle.name.clone(), OPENING)];
    super::thanks::opening_points(stage, "xinhe", "points", &opening).await?;

    let free = settled(stage, slot, elder).await?;
    told(stage, &free, BookingState::Confirmed, 0, "free for an elder");
    let paid = settled(stage, slot, payer).await?;
    told(stage, &paid, BookingState::Confirmed, PRICE, "10 points are held");
    holds(stage, &payer.name, (OPENING, PRICE)).await?;
    let refused = settled(stage, slot, poor).await?;
    told(stage, &refused, BookingState::Refused, PRICE, "no points to hold");
    let codes: Vec<&str> = refused.reasons.iter().map(|reason| reason.code.as_str()).collect();
    stage.expect(
        codes == ["hold-refused"],
        format!("without points a repair is refused as hold-refused, not {codes:?}"),
    );
    cancelled(stage, slot, fickle).await?;
    booked.payer.clone_from(&payer.name);
    booked.repairs.extend([free.name, paid.name]);
    Ok(())
}

/// Books a repair and waits until the ledger has answered.
async fn settled(stage: &Stage<'_>, slot: &Slot, person: &Person) -> Result<Booking> {
    let visit = VisitDetails { household: person.household.clone(), description: "厨房水管漏水".to_owned() };
    let wish = Booking {
        slot: slot.name.clone(),
        resident: person.name.clone(),
        answers: vec![choice("trade", "water")],
        details: Some(booking::Details::Visit(visit)),
        ..Default::default()
    };
    let actor = stage.actor(&person.name)?;
    let made = book(&actor, "xinhe", wish).await?;
    let answered = stage.until("a repair's hold", || async {
        let now = actor.booking().get_booking(GetBookingRequest { name: made.name.clone() }).await?.into_inner();
        Ok((now.state() != BookingState::Pending).then_some(now))
    });
    answered.await
}

fn told(stage: &mut Stage<'_>, repair: &Booking, state: BookingState, price: i64, what: &str) {
    let asked = repair.price.as_ref().map_or(0, |price| price.value);
    stage.line(format!("xinhe: a repair for {asked} points: {:?} ({what})", repair.state()));
    let as_expected = repair.state() == state && asked == price;
    stage.expect(
        as_expected,
        format!("a repair for {price} is {state:?} ({what}), not {:?} for {asked}", repair.state()),
    );
}

/// Who cancels in time gets back what was held.
async fn cancelled(stage: &mut Stage<'_>, slot: &Slot, person: &Person) -> Result<()> {
    let repair = settled(stage, slot, person).await?;
    told(stage, &repair, BookingState::Confirmed, PRICE, "10 points are held");
    holds(stage, &person.name, (OPENING, PRICE)).await?;
    let request = CancelBookingRequest { name: repair.name.clone(), ..Default::default() };
    stage.actor(&person.name)?.booking().cancel_booking(request).await.context("cancelling a repair")?;
    hold_ends(stage, &repair.name, HoldState::Voided).await?;
    holds(stage, &person.name, (OPENING, 0)).await?;
    stage.line(format!("xinhe: one thinks better of it in time: the hold is voided, {OPENING} points are free again"));
    Ok(())
}

/// Once the repairs are done: the held points are taken, the free repair took none.
pub(super) async fn paid(stage: &mut Stage<'_>, booked: &Booked) -> Result<()> {
    for name in &booked.repairs {
        let request = GetBookingRequest { name: name.clone() };
        let repair = stage.operator.booking().get_booking(request).await.context("a repair")?.into_inner();
        if repair.price.as_ref().is_none_or(|price| price.value == 0) {
            stage.expect(repair.hold.is_empty(), format!("a free repair holds nothing, not {}", repair.hold));
            continue;
        }
        hold_ends(stage, name, HoldState::Captured).await?;
    }
    holds(stage, &booked.payer, (OPENING - PRICE, 0)).await?;
    stage.line(format!("xinhe: the hold of the repair is captured; the payer has {} points left", OPENING - PRICE));
    Ok(())
}

/// Waits until the one hold of a booking has come to this state.
async fn hold_ends(stage: &mut Stage<'_>, booking: &str, wanted: HoldState) -> Result<()> {
    let request = ListHoldsRequest {
        parent: "areas/xinhe".to_owned(),
        filter: format!("cause = \"{booking}\""),
        ..Default::default()
    };
    let found = stage.operator.points().list_holds(request).await.context("the hold of a repair")?.into_inner().holds;
    stage.expect(found.len() == 1, format!("{booking} has one hold, not {}", found.len()));
    let name = found.first().context("the hold of a repair")?.name.clone();
    let operator = stage.operator.clone();
    let ended = stage.until("the end of a hold", || async {
        let hold = operator.points().get_hold(GetHoldRequest { name: name.clone() }).await?.into_inner();
        Ok((hold.state() != HoldState::Placed).then_some(hold))
    });
    let ended = ended.await?;
    stage.expect(ended.state() == wanted, format!("{} is {wanted:?}, not {:?}", ended.name, ended.state()));
    let moved = !ended.transfer.is_empty();
    stage.expect(moved == (wanted == HoldState::Captured), format!("{}: only a capture moves points", ended.name));
    Ok(())
}

/// Expects balance and held points of a resident of xinhe.
async fn holds(stage: &mut Stage<'_>, person: &str, (balance, held): (i64, i64)) -> Result<()> {
    let account = account(stage, "xinhe", "points", person).await?;
    let what = format!("{person} has {balance} with {held} held, not {} with {} held", account.balance, account.held);
    stage.expect((account.balance, account.held) == (balance, held), what);
    Ok(())
}

/// A resident's account.
pub(super) async fn account(stage: &Stage<'_>, area: &str, asset: &str, person: &str) -> Result<Account> {
    let id = person.rsplit('/').next().unwrap_or_default();
    let request = GetAccountRequest { name: format!("areas/{area}/accounts/{asset}.{id}") };
    let found = stage.operator.points().get_account(request).await.with_context(|| format!("{asset} of {person}"))?;
    Ok(found.into_inner())
}
