//! Reading a wished booking: answers, party and details checked against the offering, all bad fields at once.

use std::collections::HashSet;

use linli_kernel::{AreaId, Name};
use linli_kit::check::Violations;
use linli_kit::{FieldViolation, Result};
use linli_proto::booking::booking::Details;
use linli_proto::booking::{
    Booking, MealDetails, MealService, Menu, Mode, Offering, Question, QuestionType, VisitDetails,
};
use linli_proto::common::answer::Value;
use linli_proto::common::{Answer, Text};

/// Characters of a text answer and of a description.
const MAX_TEXT: usize = 500;

/// A wish that fits its offering.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// Seats.
    pub(super) party: i32,
    /// Answers.
    pub(super) answers: Vec<Answer>,
    /// Details, the household of a visit filled in.
    pub(super) details: Option<Details>,
}

/// The answers that rules may see: to questions that the offering declares, and never a text.
pub(super) fn for_rules(answers: &[Answer], offering: &Offering) -> Vec<Answer> {
    let declared = |answer: &&Answer| offering.questions.iter().any(|question| question.key == answer.key);
    answers.iter().filter(declared).filter(|a| !matches!(a.value, Some(Value::Text(_)))).cloned().collect()
}

/// Checks a wish; `household` is the resident's own, empty when there is none; `menu` that of the slot's day.
pub(super) fn check(wish: &Booking, offering: &Offering, household: &str, menu: Option<&Menu>) -> Result<Wanted> {
    let mut v = Violations::new();
    let party = if wish.party == 0 { 1 } else { wish.party };
    v.range("booking.party", i64::from(party), 1, i64::from(offering.max_party.max(1)));
    answers(&mut v, wish, offering);
    let details = match (offering.mode(), &wish.details) {
        (Mode::Meal, Some(Details::Meal(meal))) => Some(Details::Meal(check_meal(&mut v, meal, menu))),
        (Mode::HomeVisit, Some(Details::Visit(visit))) => Some(Details::Visit(check_visit(&mut v, visit, household))),
        (Mode::HomeVisit, None) => Some(Details::Visit(check_visit(&mut v, &VisitDetails::default(), household))),
        (Mode::Meal, _) => {
            v.bad("booking.meal", "FIELD_REQUIRED");
            None
        }
        (_, Some(Details::Meal(_))) => {
            v.bad("booking.meal", "DETAILS_NOT_TAKEN");
            None
        }
        (_, Some(Details::Visit(_))) => {
            v.bad("booking.visit", "DETAILS_NOT_TAKEN");
            None
        }
        (Mode::Seat | Mode::Shift | Mode::Unspecified, None) => None,
    };
    v.finish()?;
    Ok(Wanted { party, answers: wish.answers.clone(), details })
}

fn answers(v: &mut Violations, wish: &Booking, offering: &Offering) {
    let mut seen = HashSet::new();
    for (i, answer) in wish.answers.iter().enumerate() {
        let at = format!("booking.answers[{i}]");
        let Some(question) = offering.questions.iter().find(|q| q.key == answer.key) else {
            v.push(FieldViolation::new(format!("{at}.key"), "ANSWER_UNKNOWN").arg("key", &answer.key));
            continue;
        };
        if !seen.insert(&answer.key) {
            v.push(FieldViolation::new(format!("{at}.key"), "FIELD_DUPLICATE").arg("value", &answer.key));
        }
        check_answer(v, &at, question, answer.value.as_ref());
    }
    for question in offering.questions.iter().filter(|q| q.required && !seen.contains(&q.key)) {
        v.push(FieldViolation::new("booking.answers", "ANSWER_MISSING").arg("key", &question.key));
    }
}

fn check_answer(v: &mut Violations, at: &str, question: &Question, value: Option<&Value>) {
    match (question.r#type(), value) {
        (QuestionType::Flag, Some(Value::Flag(_))) => {}
        (QuestionType::Number, Some(Value::Number(number))) => {
            v.range(format_args!("{at}.number"), i64::from(*number), i64::from(question.min), i64::from(question.max));
        }
        (QuestionType::Choice, Some(Value::Choice(code))) => {
            if !question.choices.iter().any(|choice| choice.code == *code) {
                v.push(FieldViolation::new(format!("{at}.choice"), "ANSWER_CHOICE").arg("key", &question.key));
            }
        }
        (QuestionType::Text, Some(Value::Text(text))) => v.max_chars(format_args!("{at}.text"), text, MAX_TEXT),
        _ => v.push(FieldViolation::new(at, "ANSWER_TYPE").arg("key", &question.key)),
    }
}

fn check_household(v: &mut Violations, field: &str, text: &str) {
    if let Err(problem) = Name::parse(text, "households") {
        v.push(FieldViolation::new(field, "NAME_INVALID").arg("detail", problem));
    }
}

fn check_meal(v: &mut Violations, meal: &MealDetails, menu: Option<&Menu>) -> MealDetails {
    let mut meal = meal.clone();
    match MealService::try_from(meal.service) {
        Ok(MealService::Delivery) if meal.household.is_empty() => v.bad("booking.meal.household", "FIELD_REQUIRED"),
        Ok(MealService::Delivery) => check_household(v, "booking.meal.household", &meal.household),
        // Nothing is brought anywhere: what stands there is not kept.
        Ok(MealService::DineIn) => meal.household.clear(),
        Ok(MealService::Unspecified) => v.bad("booking.meal.service", "FIELD_REQUIRED"),
        Err(_) => v.bad("booking.meal.service", "FIELD_ENUM"),
    }
    v.max_items("booking.meal.dishes", meal.dishes.len(), 50);
    for (i, dish) in meal.dishes.iter().enumerate() {
        if !menu.is_some_and(|menu| menu.dishes.iter().any(|d| d.code == *dish)) {
            v.push(FieldViolation::new(format!("booking.meal.dishes[{i}]"), "DISH_NOT_SERVED").arg("dish", dish));
        }
    }
    meal
}

/// Checks a reason that a person types for residents.
pub(super) fn check_reason(v: &mut Violations, reason: Option<&Text>) {
    if let Some(text) = reason {
        v.max_chars("reason.zh_cn", &text.zh_cn, MAX_TEXT);
        v.max_chars("reason.en", &text.en, MAX_TEXT);
    }
}

fn check_visit(v: &mut Violations, visit: &VisitDetails, household: &str) -> VisitDetails {
    let mut visit = visit.clone();
    if visit.household.is_empty() {
        household.clone_into(&mut visit.household);
    }
    if visit.household.is_empty() {
        v.bad("booking.visit.household", "FIELD_REQUIRED");
    } else {
        check_household(v, "booking.visit.household", &visit.household);
    }
    v.max_chars("booking.visit.description", &visit.description, MAX_TEXT);
    visit
}

/// Whether residents of `home` may book an offering in `area`.
pub(super) fn serves(offering: &Offering, area: &AreaId, home: &AreaId) -> bool {
    home == area || offering.service_areas.iter().any(|name| *name == home.name())
}
