//! Schedules and their slots, menus, columns, texts.

use linli_proto::booking::*;
use tonic_types::StatusExt as _;

use crate::suite::*;

async fn schedule(suite: &Suite) -> Schedule {
    let get = GetScheduleRequest { name: "areas/xinhua/schedules/daily".into() };
    suite.as_(OPERATOR).get_schedule(get).await.expect("a schedule").into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn changing_a_schedule_replaces_untouched_slots_and_keeps_booked_ones() {
    for suite in suites().await {
        let before = suite.open(haircut(), 2, 60).await;
        assert_eq!(before.len(), 7, "one a day up to the horizon");
        let booking = suite.book(&person("a"), &before[1].name).await.expect("books");
        let mut changed = schedule(&suite).await;
        changed.capacity = 9;
        let update = UpdateScheduleRequest { schedule: Some(changed.clone()), ..UpdateScheduleRequest::default() };
        suite.as_(OPERATOR).update_schedule(update.clone()).await.expect("updates");
        let stale = suite.as_(OPERATOR).update_schedule(update).await.expect_err("the etag is old");
        assert_eq!(stale.code(), tonic::Code::Aborted);
        let after = suite.slots().await;
        assert_eq!(after.len(), 7);
        assert_eq!((after[1].name.as_str(), after[1].capacity, after[1].taken), (before[1].name.as_str(), 2, 1));
        assert_eq!(after[2].capacity, 9);
        assert_eq!(suite.get(&booking.name).await.state(), BookingState::Confirmed);
        suite.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_horizon_moves_on_day_by_day_and_no_slot_comes_twice() {
    for suite in suites().await {
        let before = suite.open(haircut(), 2, 60).await.len();
        suite.clock.advance_to(START.plus_secs(2 * 86_400));
        for _ in 0..500 {
            if suite.slots().await.len() == before + 2 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let slots = suite.slots().await;
        assert_eq!(slots.len(), before + 2, "{}", suite.engine);
        let starts: std::collections::BTreeSet<i64> =
            slots.iter().filter_map(|s| s.start_time.map(|t| t.seconds)).collect();
        assert_eq!(starts.len(), slots.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn references_must_exist_and_what_is_used_stays() {
    for suite in suites().await {
        let slots = suite.open(haircut(), 2, 60).await;
        suite.book(&person("a"), &slots[0].name).await.expect("books");
        let mut op = suite.as_(OPERATOR);
        let reason = |status: tonic::Status| status.get_details_error_info().map(|i| i.reason).unwrap_or_default();
        let delete = DeleteOfferingRequest { name: "areas/xinhua/offerings/offer".into(), ..Default::default() };
        assert_eq!(reason(op.delete_offering(delete).await.expect_err("used")), "STILL_REFERENCED");
        let delete = DeleteScheduleRequest { name: "areas/xinhua/schedules/daily".into(), ..Default::default() };
        assert_eq!(reason(op.delete_schedule(delete).await.expect_err("used")), "STILL_REFERENCED");
        let mut bad = schedule(&suite).await;
        bad.offering = "areas/xinhua/offerings/none".into();
        bad.etag.clear();
        let update = UpdateScheduleRequest { schedule: Some(bad), ..Default::default() };
        let missing = op.update_schedule(update).await.expect_err("no such offering");
        assert_eq!(missing.code(), tonic::Code::InvalidArgument);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validated_update_writes_nothing() {
    for suite in suites().await {
        suite.open(haircut(), 2, 60).await;
        let mut changed = schedule(&suite).await;
        changed.capacity = 9;
        let update = UpdateScheduleRequest { schedule: Some(changed), validate_only: true, ..Default::default() };
        let planned = suite.as_(OPERATOR).update_schedule(update).await.expect("valid").into_inner();
        assert_eq!((planned.capacity, schedule(&suite).await.capacity), (9, 2));
        assert!(suite.slots().await.iter().all(|slot| slot.capacity == 2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_has_one_menu_and_meals_are_chosen_from_it() {
    for suite in suites().await {
        let meal = Offering { mode: Mode::Meal as i32, kind: "lunch".into(), ..haircut() };
        let slots = suite.open(meal, 5, 60).await;
        let menu = |day| Menu {
            offering: "areas/xinhua/offerings/offer".into(),
            date: Some(linli_proto::google::r#type::Date { year: 2026, month: 11, day }),
            dishes: vec![Dish { code: "fish".into(), display_name: text("鱼") }],
            ..Menu::default()
        };
        let create = |id: &str, day| CreateMenuRequest {
            parent: "areas/xinhua".into(),
            menu: Some(menu(day)),
            menu_id: id.into(),
            request_id: String::new(),
        };
        let mut op = suite.as_(OPERATOR);
        op.create_menu(create("m1", 2)).await.expect("a menu");
        assert_eq!(op.create_menu(create("m2", 2)).await.expect_err("taken").code(), tonic::Code::AlreadyExists);
        let wish = |slot: &Slot, dish: &str| Booking {
            slot: slot.name.clone(),
            details: Some(booking::Details::Meal(MealDetails {
                service: MealService::DineIn as i32,
                dishes: vec![dish.into()],
                household: String::new(),
            })),
            ..Booking::default()
        };
        suite.book_as(&person("a"), wish(&slots[0], "fish")).await.expect("fish is served");
        let none = suite.book_as(&person("a"), wish(&slots[0], "duck")).await.expect_err("duck is not");
        assert_eq!(none.code(), tonic::Code::InvalidArgument);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_slots_are_filtered_and_go_on_where_they_ended() {
    for suite in suites().await {
        suite.open(haircut(), 2, 60).await;
        let list = |token: String| ListSlotsRequest {
            parent: "areas/xinhua".into(),
            page_size: 2,
            page_token: token,
            filter: "start_time >= \"2026-11-04T00:00:00+08:00\" AND state = SLOT_STATE_OPEN".into(),
            order_by: String::new(),
        };
        let mut client = suite.as_(&person("a"));
        let (mut token, mut seen) = (String::new(), Vec::new());
        loop {
            let page = client.list_slots(list(token)).await.expect("a page").into_inner();
            seen.extend(page.slots.iter().filter_map(|s| s.start_time.map(|t| t.seconds)));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen.len(), 5, "{}", suite.engine);
        assert!(seen.is_sorted());
    }
}

#[test]
fn both_languages_have_the_same_texts_in_the_same_order() {
    let ids = |source: &str| -> Vec<String> {
        source.lines().filter_map(|line| line.split_once(" = ").map(|(id, _)| id.to_owned())).collect()
    };
    assert_eq!(ids(include_str!("../../locales/zh-CN.ftl")), ids(include_str!("../../locales/en.ftl")));
}

#[tokio::test]
async fn every_column_is_classed_and_nothing_personal_lies_open() {
    let own: Vec<linli_kit::store::Migration> =
        linli_booking::migrations().into_iter().filter(|m| m.version >= 1000).collect();
    for store in linli_kit::testing::stores_with("booking", &own).await {
        let declared = [linli_kit::columns::KIT, linli_booking::COLUMNS].concat();
        let problems = linli_kit::columns::assert_all_classified(&store, &declared).await.expect("reads the schema");
        assert_eq!(problems, Vec::<String>::new());
    }
}
