use std::sync::Arc;
use std::time::Duration;

use linli_kernel::{AreaId, ManualClock, Timestamp};
use linli_kit::{Caller, Ctx};

use super::*;
use crate::snapshot::{AreaRow, GrantRow, UnitRow};

const WORKER: &str = "areas/xinhua/people/per-worker";
const RESIDENT: &str = "areas/xinhua/people/per-resident";

fn access() -> Access {
    let access = Access::new(Matrix::shipped().expect("the shipped matrix"), ["systems/operator".to_owned()]);
    let area = |area: &str, parent: &str| AreaRow {
        area: area.into(),
        parent: parent.into(),
        time_zone: "Asia/Shanghai".into(),
    };
    let unit = |unit: &str, path: &str| UnitRow { area: "xinhua".into(), unit: unit.into(), path: path.into() };
    let grant = |subject: &str, area: &str, unit: &str, access_role: &str, end: Option<i64>| GrantRow {
        appointment: format!("apt-{subject}"),
        subject: subject.into(),
        area: area.into(),
        unit: unit.into(),
        role: "post".into(),
        access_role: access_role.into(),
        start: Timestamp::from_secs(0),
        end: end.map(Timestamp::from_secs),
    };
    access.replace(Snapshot::new(
        vec![area("litong", ""), area("xinhua", "litong"), area("guanba", "")],
        vec![unit("grid-1", "grid-1/"), unit("micro-1", "grid-1/micro-1/"), unit("grid-10", "grid-10/")],
        vec![
            grant(WORKER, "xinhua", "grid-1", "worker", Some(1000)),
            grant("systems/district", "litong", "", "viewer", None),
        ],
    ));
    access
}

fn ctx(subject: &str, method: &str, now_secs: i64) -> Ctx {
    let info = linli_proto::methods().get(method).expect("a method of the contract");
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(now_secs)));
    let mut ctx = Ctx::background("test", info, clock, Duration::from_secs(1));
    ctx.caller = Caller::Subject(subject.into());
    ctx
}

const CREATE: &str = "/linli.booking.v1.BookingService/CreateBooking";
const LIST_OFFERINGS: &str = "/linli.booking.v1.BookingService/ListOfferings";
const LIST_BOOKINGS: &str = "/linli.booking.v1.BookingService/ListBookings";

fn xinhua() -> AreaId {
    AreaId::new("xinhua").expect("a slug")
}

#[test]
fn a_worker_acts_below_their_unit_and_nowhere_else() {
    let access = access();
    let at = |unit: &str| Target::area(&xinhua()).at_unit(unit).about(RESIDENT);
    assert!(access.authorise(&ctx(WORKER, CREATE, 10), &at("micro-1")).is_ok());
    assert!(access.authorise(&ctx(WORKER, CREATE, 10), &at("grid-10")).is_err(), "grid-10 is not below grid-1");
    assert!(access.authorise(&ctx(WORKER, CREATE, 10), &Target::area(&xinhua())).is_err());
}

#[test]
fn an_ended_appointment_allows_nothing() {
    let target = Target::area(&xinhua()).at_unit("micro-1").about(RESIDENT);
    assert!(access().authorise(&ctx(WORKER, CREATE, 1000), &target).is_err());
}

#[test]
fn residents_act_for_themselves_and_for_nobody_else() {
    let access = access();
    let own = Target::area(&xinhua()).about(RESIDENT);
    assert!(access.authorise(&ctx(RESIDENT, CREATE, 10), &own).expect("self").as_self());
    assert!(access.authorise(&ctx("areas/xinhua/people/per-other", CREATE, 10), &own).is_err());
}

#[test]
fn a_role_over_a_district_reads_its_communities_and_no_others() {
    let access = access();
    let ctx = ctx("systems/district", LIST_OFFERINGS, 10);
    assert!(access.authorise(&ctx, &Target::area(&xinhua())).is_ok());
    assert!(access.authorise(&ctx, &Target::area(&AreaId::new("guanba").expect("a slug"))).is_err());
    assert_eq!(access.scope(&ctx, None).expect("a scope").slugs(), ["litong", "xinhua"]);
}

#[test]
fn a_resident_of_one_area_reads_nothing_of_another() {
    let ctx = ctx("areas/guanba/people/per-1", LIST_OFFERINGS, 10);
    assert!(access().authorise(&ctx, &Target::area(&xinhua())).is_err());
}

#[test]
fn lists_are_bounded_by_what_the_caller_may_see() {
    let access = access();
    let units = access.scope(&ctx(WORKER, LIST_BOOKINGS, 10), Some(&xinhua())).expect("a scope");
    let below: HashSet<String> = ["grid-1".to_owned(), "micro-1".to_owned()].into();
    let bounds = [Within::Units(below), Within::Person(WORKER.to_owned())];
    assert_eq!(units.areas, bounds.map(|within| ("xinhua".to_owned(), within)), "the grid, and what is their own");
    assert_eq!(units.slugs(), ["xinhua"]);
    let own = access.scope(&ctx(RESIDENT, LIST_BOOKINGS, 10), Some(&xinhua())).expect("a scope");
    assert_eq!(own.areas, [("xinhua".to_owned(), Within::Person(RESIDENT.to_owned()))]);
}

#[test]
fn a_service_calls_only_what_names_it_as_a_caller() {
    let access = access();
    let mut facts = ctx("", "/linli.org.v1.OrgService/BatchGetResidentFacts", 10);
    facts.caller = Caller::Service { service: "booking".into(), actor: None };
    assert!(access.authorise(&facts, &Target::area(&xinhua())).is_ok());
    facts.caller = Caller::Service { service: "rules".into(), actor: None };
    assert!(access.authorise(&facts, &Target::area(&xinhua())).is_err());
    facts.caller = Caller::Subject("systems/operator".into());
    assert_eq!(access.authorise(&facts, &Target::area(&xinhua())).expect_err("internal").reason(), "INTERNAL_ONLY");
}
