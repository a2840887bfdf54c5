//! Act 4: everything is served, and volunteers are thanked through the feed: hearts, flowers, points, rice.

use anyhow::{Context as _, Result};
use linli_proto::booking::{CheckInBookingRequest, CompleteBookingRequest, GetBookingRequest, Server};
use linli_proto::common::Amount;
use linli_proto::points::{
    BatchCreateTransfersRequest, CardState, Contribution, CreateContributionRequest, CreateRedemptionRequest,
    CreateTransferRequest, GetAccountRequest, GetCardRequest, ListAwardsRequest, ListCardsRequest, Redemption,
    Transfer,
};

use super::bookings::Booked;
use super::stage::{Stage, beijing, refusal};

/// Bags of rice in guanba's supermarket, and the price of one.
const BAGS: usize = 20;
const RICE: i64 = 20;

/// Brings in balances that residents had before the suite: one transfer each from the issuance account.
pub(super) async fn opening_points(stage: &Stage<'_>, area: &str, asset: &str, who: &[(String, i64)]) -> Result<()> {
    let parent = format!("areas/{area}");
    let requests = who.iter().map(|(person, value)| CreateTransferRequest {
        parent: parent.clone(),
        transfer: Some(Transfer {
            amount: Some(Amount { asset: asset.to_owned(), value: *value }),
            from: "issuance".to_owned(),
            to: person.clone(),
            cause: "opening-balance".to_owned(),
            ..Default::default()
        }),
        request_id: uuid::Uuid::new_v4().to_string(),
    });
    let request = BatchCreateTransfersRequest { parent: parent.clone(), requests: requests.collect() };
    stage
        .operator
        .points()
        .batch_create_transfers(request)
        .await
        .with_context(|| format!("opening points of {area}"))?;
    Ok(())
}

/// Plays the act.
pub(super) async fn play(stage: &mut Stage<'_>, booked: &Booked) -> Result<()> {
    stage.heading(4, "Served and thanked (M09, M31, M58, M59, M63, M89)");
    stage.advance(7, 14, 0).await?;
    serve(stage, "xinhua", &booked.haircuts, true).await?;
    serve(stage, "guanba", &booked.lunches, false).await?;
    serve(stage, "guanba", &booked.shifts, false).await?;
    serve(stage, "xinhe", &booked.repairs, false).await?;
    serve(stage, "nanhua", &booked.flowers, false).await?;
    super::repairs::paid(stage, booked).await?;
    awarded(stage, "xinhua", booked.haircuts.len()).await?;
    awarded(stage, "guanba", booked.shifts.len()).await?;
    flower(stage, booked).await?;
    rice(stage, booked).await?;
    peers(stage, booked).await?;
    stage.advance(13, 18, 0).await?;
    serve(stage, "jinbujie", &booked.hearts, false).await?;
    heart_card(stage, booked).await
}

/// Completes bookings; haircuts name the volunteer barber.
async fn serve(stage: &mut Stage<'_>, area: &str, bookings: &[String], barber: bool) -> Result<()> {
    let secretary = stage.actor(&stage.holder(area, "secretary").await?)?;
    let volunteers = stage.people(area).await?;
    let volunteer = volunteers.iter().find(|p| p.tags.iter().any(|t| t == "volunteer")).map(|p| p.name.clone());
    let bar = stage.bar(bookings.len(), "serving");
    for name in bookings {
        let came = CheckInBookingRequest { name: name.clone(), ..Default::default() };
        secretary.booking().check_in_booking(came).await.with_context(|| format!("checking in {name}"))?;
        let servers = match (&volunteer, barber) {
            (Some(person), true) => vec![Server { person: person.clone(), minutes: 20, role: "volunteer".to_owned() }],
            _ => Vec::new(),
        };
        let done = CompleteBookingRequest { name: name.clone(), servers, request_id: uuid::Uuid::new_v4().to_string() };
        secretary.booking().complete_booking(done).await.with_context(|| format!("completing {name}"))?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    stage.line(format!("{area}: {} bookings are completed", bookings.len()));
    Ok(())
}

/// Waits until the feed has thanked everybody of these bookings.
async fn awarded(stage: &mut Stage<'_>, area: &str, wanted: usize) -> Result<()> {
    let points = stage.operator.points();
    let found = stage
        .until("the awards of the feed", || {
            let (mut points, parent) = (points.clone(), format!("areas/{area}"));
            async move {
                let request = ListAwardsRequest { parent, page_size: 1000, ..Default::default() };
                let awards = points.list_awards(request).await?.into_inner().awards;
                Ok((awards.len() >= wanted).then_some(awards))
            }
        })
        .await?;
    let units: i64 = found.iter().filter_map(|a| a.amount.as_ref()).map(|a| a.value).sum();
    let why = found.first().and_then(|a| a.reasons.first()).map(|r| r.message.clone()).unwrap_or_default();
    stage.line(format!("{area}: {} awards through the feed, {units} units: {why}", found.len()));
    stage.expect(found.len() == wanted, format!("{area}: {wanted} awards, one for each service, not {}", found.len()));
    Ok(())
}

/// A red flower is spent at a merchant.
async fn flower(stage: &mut Stage<'_>, booked: &Booked) -> Result<()> {
    awarded(stage, "nanhua", 1).await?;
    let duty = GetBookingRequest { name: booked.flowers.first().context("a duty")?.clone() };
    let head = stage.operator.booking().get_booking(duty).await?.into_inner().resident;
    let request = CreateRedemptionRequest {
        parent: "areas/nanhua".to_owned(),
        redemption: Some(Redemption {
            reward: "areas/nanhua/rewards/noodles".to_owned(),
            holder: head.clone(),
            quantity: 1,
            ..Default::default()
        }),
        request_id: uuid::Uuid::new_v4().to_string(),
    };
    stage.actor(&head)?.points().create_redemption(request).await.context("spending red flowers")?;
    let merchant = GetAccountRequest { name: "areas/nanhua/accounts/flowers.merchant-restaurant".to_owned() };
    let balance = stage.operator.points().get_account(merchant).await?.into_inner().balance;
    stage.line(format!("nanhua: the head spends red flowers on beef noodles; the restaurant now has {balance}"));
    stage.expect(balance == 3, "the merchant gets the three flowers");
    Ok(())
}

/// What one's peers think of the month is worth points, recorded without a booking.
async fn peers(stage: &mut Stage<'_>, booked: &Booked) -> Result<()> {
    let shift = GetBookingRequest { name: booked.shifts.first().context("a shift")?.clone() };
    let volunteer = stage.operator.booking().get_booking(shift).await?.into_inner().resident;
    let before = super::repairs::account(stage, "guanba", "points", &volunteer).await?.balance;
    let secretary = stage.actor(&stage.holder("guanba", "secretary").await?)?;
    let request = CreateContributionRequest {
        parent: "areas/guanba".to_owned(),
        contribution: Some(Contribution {
            person: volunteer.clone(),
            kind: "peer-review".to_owned(),
            role: "volunteer".to_owned(),
            score: Some(92),
            occur_time: Some(prost_types::Timestamp { seconds: beijing(7, 12, 0)?.timestamp(), nanos: 0 }),
            ..Default::default()
        }),
        request_id: uuid::Uuid::new_v4().to_string(),
    };
    let made = secretary.points().create_contribution(request).await.context("recording a peer score")?.into_inner();
    let after = super::repairs::account(stage, "guanba", "points", &volunteer).await?.balance;
    stage.line(format!("guanba: a month's peer score of 92 is worth {} points", after - before));
    stage.expect(after - before == 10 && made.awards.len() == 1, "an outstanding month is worth ten points, once");
    Ok(())
}

/// Points buy rice until the stock is gone: first those that the canteen's volunteers have just earned.
async fn rice(stage: &mut Stage<'_>, booked: &Booked) -> Result<()> {
    let mut buyers = Vec::new();
    let mut opening = Vec::new();
    for shift in &booked.shifts {
        let shift = GetBookingRequest { name: shift.clone() };
        let volunteer = stage.operator.booking().get_booking(shift).await?.into_inner().resident;
        let earned = super::repairs::account(stage, "guanba", "points", &volunteer).await?.balance;
        stage.expect((1..RICE).contains(&earned), format!("a shift earns less than a bag of rice, not {earned}"));
        opening.push((volunteer.clone(), RICE - earned));
        buyers.push(volunteer);
    }
    let volunteers = buyers.len();
    let people = stage.people("guanba").await?;
    let others = people.iter().filter(|p| p.birth_year < 1990 && !buyers.contains(&p.name)).map(|p| p.name.clone());
    let others: Vec<String> = others.take(BAGS + 1 - volunteers).collect();
    opening.extend(others.iter().map(|person| (person.clone(), RICE)));
    buyers.extend(others);
    opening_points(stage, "guanba", "points", &opening).await?;
    let (mut bought, mut refused) = (0, None);
    for buyer in &buyers {
        let request = CreateRedemptionRequest {
            parent: "areas/guanba".to_owned(),
            redemption: Some(Redemption {
                reward: "areas/guanba/rewards/rice".to_owned(),
                holder: buyer.clone(),
                quantity: 1,
                ..Default::default()
            }),
            request_id: uuid::Uuid::new_v4().to_string(),
        };
        match stage.actor(buyer)?.points().create_redemption(request).await {
            Ok(_) => bought += 1,
            Err(status) => refused = Some(refusal(&status)),
        }
    }
    let (reason, message) = refused.unwrap_or_default();
    stage.line(format!("guanba: {bought} bags of rice are bought; the next one hears: {message}"));
    stage.expect(bought == BAGS, format!("{BAGS} bags are in stock, {bought} were bought"));
    for volunteer in buyers.iter().take(volunteers) {
        let left = super::repairs::account(stage, "guanba", "points", volunteer).await?.balance;
        stage.expect(left == 0, format!("a volunteer's earned points went into the rice, but {left} are left"));
    }
    stage.expect(reason == "OUT_OF_STOCK", format!("an empty shelf answers OUT_OF_STOCK, not {reason}"));
    Ok(())
}

/// The twelfth heart fills the card, and the card is redeemed.
async fn heart_card(stage: &mut Stage<'_>, booked: &Booked) -> Result<()> {
    let first = GetBookingRequest { name: booked.hearts.first().context("a day of help")?.clone() };
    let helper = stage.operator.booking().get_booking(first).await?.into_inner().resident;
    let points = stage.operator.points();
    let card = stage
        .until("the twelfth heart", || {
            let (mut points, holder) = (points.clone(), helper.clone());
            async move {
                let request = ListCardsRequest {
                    parent: "areas/jinbujie".to_owned(),
                    filter: format!("holder = \"{holder}\""),
                    ..Default::default()
                };
                let cards = points.list_cards(request).await?.into_inner().cards;
                Ok(cards.into_iter().find(|c| c.state() == CardState::Full))
            }
        })
        .await?;
    stage.line(format!("jinbujie: the heart card is full with {} hearts", card.stamps));
    stage.expect(card.stamps == 12, "a heart card is full with 12 hearts");
    let request = CreateRedemptionRequest {
        parent: "areas/jinbujie".to_owned(),
        redemption: Some(Redemption {
            reward: "areas/jinbujie/rewards/heart-gift".to_owned(),
            holder: helper.clone(),
            card: card.name.clone(),
            quantity: 1,
            ..Default::default()
        }),
        request_id: uuid::Uuid::new_v4().to_string(),
    };
    let keeper = stage.actor(&stage.holder("jinbujie", "points-keeper").await?)?;
    keeper.points().create_redemption(request).await.context("redeeming the heart card")?;
    let card = stage.operator.points().get_card(GetCardRequest { name: card.name }).await?.into_inner();
    stage.expect(card.state() == CardState::Redeemed, format!("the card is redeemed, not {:?}", card.state()));
    stage.line("jinbujie: the card is redeemed at the community Party committee");
    Ok(())
}
