//! Whose household a meal is brought to and a visit goes to.

use linli_proto::booking::booking::Details;
use linli_proto::booking::*;

use crate::suite::*;

fn visit(slot: &str, resident: &str, household: &str) -> Booking {
    Booking {
        slot: slot.into(),
        resident: resident.into(),
        details: Some(Details::Visit(VisitDetails { household: household.into(), description: String::new() })),
        ..Booking::default()
    }
}

fn meal(slot: &str, service: MealService, household: &str) -> Booking {
    let details = MealDetails { service: service.into(), dishes: Vec::new(), household: household.into() };
    Booking { slot: slot.into(), details: Some(Details::Meal(details)), ..Booking::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resident_names_no_household_but_their_own() {
    for suite in suites().await {
        let slots = suite.open(Offering { mode: Mode::HomeVisit.into(), ..haircut() }, 9, 60).await;
        let (own, other) = ("areas/xinhua/households/hh-1", "areas/xinhua/households/hh-2");
        suite.book_as(&person("a"), visit(&slots[0].name, "", own)).await.expect("their own");
        let refused =
            suite.book_as(&person("a"), visit(&slots[0].name, "", other)).await.expect_err("another family's");
        assert_eq!(reason(&refused), "HOUSEHOLD_NOT_OWN", "{}", suite.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_books_on_behalf_names_a_household_of_the_area_that_exists() {
    for suite in suites().await {
        let slots = suite.open(Offering { mode: Mode::HomeVisit.into(), ..haircut() }, 9, 60).await;
        let wish = |household: &str| visit(&slots[0].name, &person("a"), household);
        let daughter = "areas/xinhua/households/hh-2";
        let booking = suite.book_as(WORKER, wish(daughter)).await.expect("the daughter's");
        assert!(matches!(booking.details, Some(Details::Visit(visit)) if visit.household == daughter));
        let none = suite.book_as(WORKER, wish("areas/xinhua/households/hh-none")).await.expect_err("no such household");
        assert_eq!(reason(&none), "REFERENCE_NOT_FOUND", "{}", suite.engine);
        let far = suite.book_as(WORKER, wish("areas/guanba/households/hh-1")).await.expect_err("another area's");
        assert_eq!(reason(&far), "AREA_MISMATCH");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meal_is_delivered_home_and_one_eaten_in_keeps_no_household() {
    for suite in suites().await {
        let slots = suite.open(Offering { mode: Mode::Meal.into(), ..haircut() }, 9, 60).await;
        let slot = &slots[0].name;
        let other = meal(slot, MealService::Delivery, "areas/xinhua/households/hh-2");
        let refused = suite.book_as(&person("a"), other).await.expect_err("another family's");
        assert_eq!(reason(&refused), "HOUSEHOLD_NOT_OWN", "{}", suite.engine);
        let own = meal(slot, MealService::Delivery, "areas/xinhua/households/hh-1");
        suite.book_as(&person("a"), own).await.expect("their own");
        let typed = meal(slot, MealService::DineIn, "the back door, key under the mat");
        let eaten_in = suite.book_as(&person("a"), typed).await.expect("eats in");
        assert!(matches!(eaten_in.details, Some(Details::Meal(meal)) if meal.household.is_empty()));
    }
}
