//! Act 3: a haircut morning at xinhua, lunch at guanba's canteen, repairs at xinhe. Only bookings; act 4 serves them.

use anyhow::{Context as _, Result};
use linli_proto::booking::{
    Booking, BookingState, CancelBookingRequest, CompleteBookingRequest, CreateBookingRequest, GetBookingRequest,
    ListSlotsRequest, MealDetails, MealService, Slot, booking,
};
use linli_proto::common::{Answer, answer};
use linli_proto::org::Person;

use super::stage::{Stage, refusal};
use crate::client::Connection;

/// The year in which the demo plays.
pub(super) const YEAR: i32 = 2026;

/// What act 4 goes on with.
#[derive(Default)]
pub(super) struct Booked {
    pub(super) haircuts: Vec<String>,
    pub(super) lunches: Vec<String>,
    pub(super) shifts: Vec<String>,
    pub(super) repairs: Vec<String>,
    /// Who pays 10 points for a repair, when it is done.
    pub(super) payer: String,
    pub(super) hearts: Vec<String>,
    pub(super) flowers: Vec<String>,
}

/// The open slots of an offering on one day of November 2026.
pub(super) async fn slots(actor: &Connection, area: &str, offering: &str, day: u32) -> Result<Vec<Slot>> {
    let filter = format!(
        "offering = \"areas/{area}/offerings/{offering}\" AND start_time >= \"2026-11-{day:02}T00:00:00+08:00\" \
         AND start_time <= \"2026-11-{day:02}T23:59:59+08:00\""
    );
    let request = ListSlotsRequest { parent: format!("areas/{area}"), filter, page_size: 100, ..Default::default() };
    let found = actor.booking().list_slots(request).await.with_context(|| format!("slots of {area}/{offering}"))?;
    Ok(found.into_inner().slots)
}

/// Books; a refusal by rule is an answer, not an error.
pub(super) async fn book(actor: &Connection, area: &str, booking: Booking) -> Result<Booking> {
    let request = CreateBookingRequest {
        parent: format!("areas/{area}"),
        booking: Some(booking),
        request_id: uuid::Uuid::new_v4().to_string(),
    };
    Ok(actor.booking().create_booking(request).await?.into_inner())
}

/// Plays the act.
pub(super) async fn play(stage: &mut Stage<'_>) -> Result<Booked> {
    let mut booked = Booked::default();
    stage.heading(3, "Bookings: haircuts at xinhua, lunch at guanba, repairs at xinhe (M09, M63, M48)");
    haircuts(stage, &mut booked).await?;
    lunches(stage, &mut booked).await?;
    super::repairs::play(stage, &mut booked).await?;
    shifts(stage, &mut booked).await?;
    Ok(booked)
}

pub(super) fn age(person: &Person) -> i32 {
    if person.birth_year == 0 { 0 } else { YEAR - person.birth_year }
}

async fn haircuts(stage: &mut Stage<'_>, booked: &mut Booked) -> Result<()> {
    let people = stage.people("xinhua").await?;
    let elders: Vec<&Person> = people.iter().filter(|p| (72..90).contains(&age(p))).take(10).collect();
    let younger: Vec<&Person> = people.iter().filter(|p| (25..60).contains(&age(p))).take(9).collect();
    let chairs = slots(&stage.operator, "xinhua", "haircut", 7).await?;
    let seats: i32 = chairs.iter().map(|s| s.capacity).sum();
    stage.line(format!("xinhua: {} slots on Saturday morning, {seats} chairs in all", chairs.len()));
    stage.expect(seats == 12, format!("12 chairs were expected, {seats} are there"));

    // Fourteen for the first hour of six chairs: the young ask first, the old later, as it happens.
    let first = chairs.first().context("a haircut slot")?;
    let mut confirmed = Vec::new();
    let mut waiting = Vec::new();
    for person in younger.iter().take(8).chain(elders.iter().take(6)) {
        let made = book(&stage.actor(&person.name)?, "xinhua", seat(first, person)).await?;
        match made.state() {
            BookingState::Confirmed => confirmed.push((made, *person)),
            BookingState::Waitlisted => waiting.push((made, *person)),
            other => stage.expect(false, format!("a first haircut came to {other:?}")),
        }
    }
    stage.line(format!(
        "09:00: 14 ask for {} chairs: {} confirmed, {} wait",
        first.capacity,
        confirmed.len(),
        waiting.len()
    ));
    stage.expect(confirmed.len() == 6 && waiting.len() == 8, "six chairs are confirmed and eight wait");

    refuse_second(stage, &chairs, &confirmed).await?;
    move_up(stage, &confirmed, &waiting).await?;

    // The second hour goes to elders whom a worker books on their behalf.
    let second = chairs.get(1).context("a second haircut slot")?;
    let secretary = stage.actor(&stage.holder("xinhua", "secretary").await?)?;
    for person in elders.iter().skip(6) {
        let made = book(&secretary, "xinhua", seat(second, person)).await?;
        stage.expect(made.on_behalf, "a booking by the secretary is recorded as on behalf");
        booked.haircuts.push(made.name);
    }
    stage.line(format!("10:00: {} elders are booked on their behalf", elders.len().saturating_sub(6)));
    booked.haircuts.extend(confirmed.iter().skip(1).map(|(b, _)| b.name.clone()));

    let early = CompleteBookingRequest { name: booked.haircuts[0].clone(), ..Default::default() };
    match secretary.booking().complete_booking(early).await {
        Ok(_) => stage.expect(false, "completing a haircut before it began must be refused"),
        Err(status) => {
            let (reason, message) = refusal(&status);
            stage.expect(reason == "TOO_EARLY", format!("completing early is refused as TOO_EARLY, not {reason}"));
            stage.line(format!("completing one before it began is refused: {message}"));
        }
    }
    Ok(())
}

fn seat(slot: &Slot, person: &Person) -> Booking {
    Booking { slot: slot.name.clone(), resident: person.name.clone(), party: 1, ..Default::default() }
}

/// One a month: whoever has a chair asks again and is told why not, in Chinese.
async fn refuse_second(stage: &mut Stage<'_>, chairs: &[Slot], confirmed: &[(Booking, &Person)]) -> Result<()> {
    let (_, person) = confirmed.last().context("a confirmed booking")?;
    let second = chairs.get(1).context("a second haircut slot")?;
    let again = book(&stage.actor(&person.name)?, "xinhua", seat(second, person)).await?;
    let why = refused(stage, &again, "already-this-month");
    stage.line(format!("a second haircut this month is refused: {why}"));
    stage.expect(why == "本月已约 1 次，上限 1 次", format!("the reason says the count and the limit, not {why:?}"));
    Ok(())
}

/// Expects that a booking was refused for exactly this reason; answers the reason as the resident reads it.
fn refused(stage: &mut Stage<'_>, booking: &Booking, code: &str) -> String {
    let codes: Vec<&str> = booking.reasons.iter().map(|reason| reason.code.as_str()).collect();
    let what = format!("{:?} for {codes:?} came where a refusal for {code} was expected", booking.state());
    stage.expect(booking.state() == BookingState::Refused && codes == [code], what);
    booking.reasons.first().map(|reason| reason.message.clone()).unwrap_or_default()
}

/// The place in the queue that xinhua's rule gives: elders of 70 and over by age, before them and among them registered needs.
fn score(person: &Person) -> i32 {
    let lift = |tag: &str, by: i32| if person.tags.iter().any(|own| own == tag) { by } else { 0 };
    let elder = if age(person) >= 70 { 1000 + age(person) } else { 0 };
    elder + lift("disability", 400) + lift("living-alone", 200)
}

/// A cancellation: the first by xinhua's rule moves up, although younger ones asked before.
async fn move_up(
    stage: &mut Stage<'_>,
    confirmed: &[(Booking, &Person)],
    waiting: &[(Booking, &Person)],
) -> Result<()> {
    // Who waits has waited a while: `linli verify` recounts the order of those who came before the seat was free.
    stage.advance(2, 9, 0).await?;
    // The first among equals is who asked first.
    let (first, elder) = waiting.iter().rev().max_by_key(|(_, person)| score(person)).context("somebody waits")?;
    let (given_up, who) = confirmed.first().context("a confirmed booking")?;
    let request = CancelBookingRequest { name: given_up.name.clone(), ..Default::default() };
    stage.actor(&who.name)?.booking().cancel_booking(request).await.context("cancelling a haircut")?;
    let mut promoted = Vec::new();
    for (booking, _) in waiting {
        let now = stage.operator.booking().get_booking(GetBookingRequest { name: booking.name.clone() }).await?;
        if now.into_inner().state() == BookingState::Confirmed {
            promoted.push(booking.name.as_str());
        }
    }
    stage.line(format!("one gives up a chair; up moves the one of {} years", age(elder)));
    let what = format!("{promoted:?} moved up, not {} of {} years", first.name, age(elder));
    stage.expect(promoted == [first.name.as_str()] && age(elder) >= 70, what);
    Ok(())
}

pub(super) fn choice(key: &str, code: &str) -> Answer {
    Answer { key: key.to_owned(), value: Some(answer::Value::Choice(code.to_owned())) }
}

async fn lunches(stage: &mut Stage<'_>, booked: &mut Booked) -> Result<()> {
    let people = stage.people("guanba").await?;
    let lunch = slots(&stage.operator, "guanba", "lunch", 7).await?;
    let lunch = lunch.first().context("a lunch")?;
    let secretary = stage.actor(&stage.holder("guanba", "secretary").await?)?;
    let elders: Vec<&Person> =
        people.iter().filter(|p| age(p) >= 80 && p.tags.iter().any(|t| t == "living-alone")).collect();
    let bar = stage.bar(elders.len(), "lunch for elders");
    let mut delivered = 0;
    for (i, person) in elders.iter().enumerate() {
        let deliver = i % 5 == 0;
        let (service, code) =
            if deliver { (MealService::Delivery, "delivery") } else { (MealService::DineIn, "dine-in") };
        let meal = MealDetails {
            service: service.into(),
            dishes: vec!["soft-noodles".to_owned()],
            household: if deliver { person.household.clone() } else { String::new() },
        };
        let booking = Booking {
            slot: lunch.name.clone(),
            resident: person.name.clone(),
            party: 1,
            answers: vec![choice("mode", code)],
            details: Some(booking::Details::Meal(meal)),
            ..Default::default()
        };
        let made = book(&secretary, "guanba", booking).await?;
        if made.state() == BookingState::Confirmed {
            delivered += usize::from(reads_back(stage, &made.name, deliver.then_some(&person.household)).await?);
            booked.lunches.push(made.name);
        } else {
            stage.expect(false, format!("an elder's lunch came to {:?}: {:?}", made.state(), made.reasons));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let wanted = elders.len().div_ceil(5);
    stage.expect(delivered == wanted, format!("{wanted} lunches go to the elders' homes, not {delivered}"));
    stage.line(format!("guanba: lunch for {} elders of 80+ living alone, {delivered} delivered", booked.lunches.len()));
    stage.expect(booked.lunches.len() >= 80, "at least 80 elders get lunch");

    let young =
        people.iter().find(|p| (30..50).contains(&age(p)) && p.tags.is_empty()).context("a younger resident")?;
    let meal = MealDetails { service: MealService::DineIn.into(), ..Default::default() };
    let booking = Booking {
        slot: lunch.name.clone(),
        resident: young.name.clone(),
        answers: vec![choice("mode", "dine-in")],
        details: Some(booking::Details::Meal(meal)),
        ..Default::default()
    };
    let made = book(&stage.actor(&young.name)?, "guanba", booking).await?;
    let why = refused(stage, &made, "not-eligible");
    stage.line(format!("a resident of {} asks too and is told: {why}", age(young)));
    Ok(())
}

/// Reads a lunch again: delivered to this household, or eaten in. Answers whether it is delivered.
async fn reads_back(stage: &mut Stage<'_>, name: &str, household: Option<&String>) -> Result<bool> {
    let request = GetBookingRequest { name: name.to_owned() };
    let booking = stage.operator.booking().get_booking(request).await.context("reading a lunch again")?.into_inner();
    let Some(booking::Details::Meal(meal)) = booking.details else {
        stage.expect(false, format!("{name} is a meal"));
        return Ok(false);
    };
    let service = if household.is_some() { MealService::Delivery } else { MealService::DineIn };
    let as_asked = meal.service() == service && meal.household == household.cloned().unwrap_or_default();
    stage.expect(as_asked, format!("{name} is {service:?} to {household:?}, not {meal:?}"));
    Ok(meal.service() == MealService::Delivery && !meal.household.is_empty())
}

/// Volunteers' shifts: guanba's canteen rota, twelve days of neighbour help at jinbujie, a head's duty at nanhua.
async fn shifts(stage: &mut Stage<'_>, booked: &mut Booked) -> Result<()> {
    let rota = stage.people("guanba").await?;
    let rota: Vec<&Person> = rota.iter().filter(|p| p.tags.iter().any(|t| t == "volunteer")).take(6).collect();
    let shift = slots(&stage.operator, "guanba", "canteen-shift", 7).await?;
    let shift = shift.first().context("a canteen shift")?;
    for person in &rota {
        booked.shifts.push(book(&stage.actor(&person.name)?, "guanba", seat(shift, person)).await?.name);
    }
    stage.line(format!("guanba: {} volunteers take Saturday's canteen shift", rota.len()));

    let helper = stage.people("jinbujie").await?;
    let helper =
        helper.iter().find(|p| p.tags.iter().any(|t| t == "volunteer")).context("a volunteer of jinbujie")?.clone();
    for day in 2..14 {
        let help = slots(&stage.operator, "jinbujie", "neighbour-help", day).await?;
        let help = help.first().with_context(|| format!("neighbour help on day {day}"))?;
        booked.hearts.push(book(&stage.actor(&helper.name)?, "jinbujie", seat(help, &helper)).await?.name);
    }
    stage.line("jinbujie: a volunteer books twelve days of neighbour help");

    let head = stage.holder("nanhua", "micro-grid-head").await?;
    let duty = slots(&stage.operator, "nanhua", "head-duty", 7).await?;
    let duty = duty.first().context("a head's duty")?;
    let booking = Booking { slot: duty.name.clone(), resident: head.clone(), ..Default::default() };
    booked.flowers.push(book(&stage.actor(&head)?, "nanhua", booking).await?.name);
    stage.line("nanhua: a micro-grid head takes a duty");
    Ok(())
}
