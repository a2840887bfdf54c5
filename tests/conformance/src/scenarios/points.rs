//! PointsService; awards and cards come at the end of the booking scenario, when somebody has served.

use serde_json::{Value, json};
use tonic::Code;

use super::{field, text};
use crate::caller::Caller;
use crate::catalogue::Kind;
use crate::world::World;

const PARENT: &str = "areas/xinhua";

pub(super) async fn play(world: &World) {
    let op = world.secretary();
    catalogues(&op).await;
    transfers(world, &op).await;
    holds(world, &op).await;
    redemptions(world, &op).await;
}

fn walkable<'a>(message: &'a str, collection: &'a str, kept: (&'a str, Value), gone: (&'a str, Value)) -> Kind<'a> {
    let change = ("display_name", json!({"display_name": text("Changed")}));
    Kind { service: "points", message, collection, kept, gone, change }
}

async fn catalogues(op: &Caller) {
    let asset = |name: &str| json!({"display_name": text(name), "transferable": true});
    walkable("Asset", "assets", ("points", asset("points")), ("flowers", asset("flowers"))).walk(op).await;
    let hearts = json!({"display_name": text("hearts"), "holder_cap": 1000});
    op.ok("points.CreateAsset", json!({"parent": PARENT, "asset_id": "hearts", "asset": hearts})).await;
    let reward = |name: &str, asset: &str, price: i64, card_only: bool| {
        let price = json!({"asset": asset, "value": price});
        json!({"display_name": text(name), "price": price, "supplied": 10, "card_only": card_only})
    };
    let (rice, soap) = (reward("rice", "points", 20, false), reward("soap", "points", 5, false));
    walkable("Reward", "rewards", ("rice", rice), ("soap", soap)).walk(op).await;
    let gift = json!({"parent": PARENT, "reward_id": "gift", "reward": reward("gift", "hearts", 1, true)});
    let gift = op.ok("points.CreateReward", gift).await;
    let card = json!({"display_name": text("card"), "asset": "hearts", "stamps": 1, "reward": gift["name"]});
    walkable("CardType", "cardTypes", ("one-heart", card.clone()), ("gone-card", card)).walk(op).await;
    let binding = json!({"kinds": ["haircut"], "asset": "hearts", "cap": 10});
    let bindings = Kind {
        service: "points",
        message: "AwardBinding",
        collection: "awardBindings",
        kept: ("haircuts", binding.clone()),
        gone: ("gone-award", binding),
        change: ("cap", json!({"cap": 20})),
    };
    bindings.walk(op).await;
}

fn transfer(from: &str, to: &str, value: i64) -> Value {
    json!({"parent": PARENT, "transfer": {"from": from, "to": to, "amount": {"asset": "points", "value": value}}})
}

async fn balance(op: &Caller, holder: &str) -> (i64, i64) {
    let id = holder.rsplit('/').next().unwrap_or_default();
    let account = op.ok("points.GetAccount", json!({"name": format!("{PARENT}/accounts/points.{id}")})).await;
    (account["balance"].as_i64().unwrap_or_default(), account["available"].as_i64().unwrap_or_default())
}

async fn transfers(world: &World, op: &Caller) {
    let (elder, adult) = (world.community.elder(0), world.community.adult(0));
    let made = op.ok("points.CreateTransfer", transfer("issuance", elder, 100)).await;
    assert_eq!(made["kind"], "TRANSFER_KIND_DIRECT");
    assert_eq!(op.ok("points.GetTransfer", json!({"name": made["name"]})).await, made);
    let requests = json!([transfer("issuance", adult, 50), transfer(elder, adult, 10)]);
    let batch = op.ok("points.BatchCreateTransfers", json!({"parent": PARENT, "requests": requests})).await;
    assert_eq!((balance(op, elder).await.0, balance(op, adult).await.0), (90, 60));
    let back = batch["transfers"][1]["name"].clone();
    let reversed = op.ok("points.ReverseTransfer", json!({"name": back})).await;
    assert_eq!((&reversed["kind"], &reversed["reverses"]), (&json!("TRANSFER_KIND_REVERSAL"), &back));
    let twice = op.refused("points.ReverseTransfer", json!({"name": back})).await;
    assert_eq!((twice.code, twice.reason.as_str()), (Code::FailedPrecondition, "ALREADY_REVERSED"));
    assert_eq!((balance(op, elder).await.0, balance(op, adult).await.0), (100, 50));
    let poor = world.caller(adult).refused("points.CreateTransfer", transfer(adult, elder, 51)).await;
    assert_eq!((poor.code, poor.reason.as_str()), (Code::FailedPrecondition, "INSUFFICIENT_BALANCE"), "{poor:?}");
    let entries = op.ok("points.ListEntries", json!({"parent": PARENT})).await;
    let values =
        entries["entries"].as_array().expect("entries").iter().map(|e| e["value"].as_i64().unwrap_or_default());
    assert_eq!(values.sum::<i64>(), 0, "entries sum to zero");
    let listed = op.ok("points.ListTransfers", json!({"parent": PARENT})).await;
    assert_eq!(listed["transfers"].as_array().map(Vec::len), Some(4));
    let accounts = op.ok("points.ListAccounts", json!({"parent": PARENT})).await;
    assert_eq!(accounts["accounts"].as_array().map(Vec::len), Some(3), "{accounts}");
}

async fn holds(world: &World, op: &Caller) {
    // Holds are for services; the operator may do what services may.
    let operator = world.operator();
    let elder = world.community.elder(0);
    let amount = json!({"asset": "points", "value": 30});
    let body = json!({"parent": PARENT, "hold": {"from": elder, "to": "redeemed", "amount": amount}});
    let hold = operator.ok("points.CreateHold", body.clone()).await;
    let other = operator.ok("points.CreateHold", body).await;
    assert_eq!(balance(op, elder).await, (100, 40), "a hold sets units aside");
    assert_eq!(op.ok("points.GetHold", json!({"name": hold["name"]})).await, hold);
    let captured = operator.ok("points.CaptureHold", json!({"name": hold["name"], "value": 20})).await;
    assert_eq!(captured["state"], "HOLD_STATE_CAPTURED");
    assert_eq!(balance(op, elder).await, (80, 50), "what is not captured returns");
    let voided = operator.ok("points.VoidHold", json!({"name": other["name"]})).await;
    assert_eq!(voided["state"], "HOLD_STATE_VOIDED");
    assert_eq!(balance(op, elder).await, (80, 80));
    let closed = operator.refused("points.CaptureHold", json!({"name": other["name"]})).await;
    assert_eq!(closed.reason, "HOLD_NOT_OPEN");
    let listed = op.ok("points.ListHolds", json!({"parent": PARENT})).await;
    assert_eq!(listed["holds"].as_array().map(Vec::len), Some(2));
}

async fn redemptions(world: &World, op: &Caller) {
    let elder = world.community.elder(0);
    let own = world.caller(elder);
    let body = json!({"parent": PARENT, "redemption": {"reward": world.name("rewards/rice"), "quantity": 2}});
    let redeemed = own.ok("points.CreateRedemption", body).await;
    assert_eq!((field(&redeemed, "holder"), field(&redeemed, "redeemed_by")), (elder, elder));
    assert_eq!(own.ok("points.GetRedemption", json!({"name": redeemed["name"]})).await, redeemed);
    assert_eq!(balance(op, elder).await.0, 40);
    let rice = op.ok("points.GetReward", json!({"name": world.name("rewards/rice")})).await;
    assert_eq!(rice["stock"].as_i64(), Some(8));
    let listed = own.ok("points.ListRedemptions", json!({"parent": PARENT})).await;
    assert_eq!(listed["redemptions"].as_array().map(Vec::len), Some(1));
    undone(world, op, &own, elder).await;
    let body = json!({"parent": PARENT, "redemption": {"reward": world.name("rewards/gift")}});
    assert_eq!(own.refused("points.CreateRedemption", body).await.reason, "CARD_REQUIRED");
}

/// A redemption that is reversed: units and pieces are back, and it says so.
async fn undone(world: &World, op: &Caller, own: &Caller, elder: &str) {
    let body = json!({"parent": PARENT, "redemption": {"reward": world.name("rewards/rice"), "quantity": 1}});
    let bought = own.ok("points.CreateRedemption", body).await;
    let counter = op.ok("points.ReverseTransfer", json!({"name": bought["transfer"]})).await;
    let now = own.ok("points.GetRedemption", json!({"name": bought["name"]})).await;
    assert_eq!(now["reversed_by"], counter["name"]);
    let rice = op.ok("points.GetReward", json!({"name": world.name("rewards/rice")})).await;
    assert_eq!((rice["stock"].as_i64(), balance(op, elder).await.0), (Some(8), 40));
    let again = op.refused("points.ReverseTransfer", json!({"name": counter["name"]})).await;
    assert_eq!((again.code, again.reason.as_str()), (Code::FailedPrecondition, "TRANSFER_IS_REVERSAL"));
}

/// After somebody has served: one award, one card that is full.
pub(super) async fn awards(world: &World, volunteer: &str) {
    let own = world.caller(volunteer);
    let listed = linli_harness::until("an award", || async {
        let listed = own.ok("points.ListAwards", json!({"parent": PARENT})).await;
        listed["awards"].as_array().is_some_and(|all| !all.is_empty()).then_some(listed)
    })
    .await;
    let award = super::first(&listed, "awards");
    assert_eq!((field(award, "recipient"), award["amount"]["value"].as_i64()), (volunteer, Some(1)), "{award}");
    assert_eq!(&own.ok("points.GetAward", json!({"name": award["name"]})).await, award);
    let cards = own.ok("points.ListCards", json!({"parent": PARENT, "filter": "state = CARD_STATE_FULL"})).await;
    let card = super::first(&cards, "cards");
    assert_eq!(&own.ok("points.GetCard", json!({"name": card["name"]})).await, card);
    let gift = json!({"reward": world.name("rewards/gift"), "card": card["name"]});
    let rice = json!({"parent": PARENT, "redemption": {"reward": world.name("rewards/rice")}});
    own.ok_or("points.CreateRedemption", json!({"parent": PARENT, "redemption": gift}), rice).await;
    let card = own.ok("points.GetCard", json!({"name": card["name"]})).await;
    assert_eq!(card["state"], "CARD_STATE_REDEEMED");
}
