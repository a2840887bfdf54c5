//! What must hold between services, checked through their public methods.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::Result;
use linli_kernel::Lang;
use linli_kit::serve::SERVICES;
use linli_proto::booking::{Booking, BookingChanged, BookingState, GetBookingRequest, Receipt};
use linli_proto::events::{ListEventsRequest, ListEventsResponse};
use linli_proto::points::{Account, Award, GetContributionRequest, Hold};
use prost::Message;
use prost_types::Timestamp;
use tonic::Code;

use super::{Check, queue, settled, thanked};
use crate::client::Connection;
use crate::commands::resources::read::{self, Query};
use crate::commands::resources::types;

/// Events of one page.
const PAGE: i32 = 1000;
/// The stream that tells of bookings.
const BOOKING: &str = "streams/booking";
/// The full name of the payload that tells of bookings.
const BOOKING_CHANGED: &str = "linli.booking.v1.BookingChanged";

/// What booking's feed tells.
#[derive(Debug, Default)]
pub(super) struct Served {
    /// Every change of a booking, in the order of positions.
    pub(super) changes: Vec<Change>,
    /// Booking by id of the event that completed it.
    pub(super) completed: HashMap<String, String>,
    /// The first event that the feed still has, when it is not the first of all.
    pub(super) kept_from: Option<(i64, i32)>,
    /// How far the feed was read.
    pub(super) position: i64,
}

/// One change of a booking, as it was told.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) event: String,
    pub(super) position: i64,
    pub(super) at: (i64, i32),
    pub(super) area: String,
    pub(super) told: BookingChanged,
}

impl Served {
    /// Reads every service's feed to its end: what booking tells, and whether each is told in order and once.
    pub(super) async fn read(connection: &Connection) -> Result<(Self, Check)> {
        let mut found = Self::default();
        let mut feeds = Feeds::default();
        for stream in SERVICES.map(|service| format!("streams/{service}")) {
            let mut after_position = 0;
            loop {
                let page = page(connection, &stream, after_position).await?;
                if after_position == 0 && stream == BOOKING {
                    let first = page.events.first().filter(|event| event.position > 1);
                    found.kept_from = first.and_then(|event| event.time).map(order);
                }
                feeds.note(&stream, after_position, &page);
                let done = page.next_position <= after_position || page.next_position >= page.newest_position;
                after_position = page.next_position;
                page.events.into_iter().for_each(|event| found.note(event));
                if stream == BOOKING {
                    found.position = after_position;
                }
                if done {
                    break;
                }
            }
        }
        Ok((found, feeds.check(connection.lang())))
    }

    /// Reads what booking has told since.
    pub(super) async fn follow(&mut self, connection: &Connection) -> Result<()> {
        loop {
            let page = page(connection, BOOKING, self.position).await?;
            let done = page.next_position <= self.position || page.next_position >= page.newest_position;
            self.position = page.next_position;
            page.events.into_iter().for_each(|event| self.note(event));
            if done {
                return Ok(());
            }
        }
    }

    fn note(&mut self, event: linli_proto::events::Event) {
        let payload = event.data.filter(|_| event.r#type == BOOKING_CHANGED);
        let change = payload.and_then(|any| BookingChanged::decode(any.value.as_slice()).ok());
        let Some(told) = change else { return };
        if told.state() == BookingState::Completed {
            self.completed.insert(event.id.clone(), event.subject);
        }
        let at = event.time.map(order).unwrap_or_default();
        self.changes.push(Change { event: event.id, position: event.position, at, area: event.area, told });
    }
}

async fn page(connection: &Connection, stream: &str, after_position: i64) -> Result<ListEventsResponse> {
    let request = ListEventsRequest {
        stream: stream.to_owned(),
        after_position,
        max_events: PAGE,
        from_oldest: true,
        ..ListEventsRequest::default()
    };
    let page = connection.repeat("ListEvents", || {
        let (mut client, request) = (connection.events(), request.clone());
        Box::pin(async move { client.list_events(request).await })
    });
    Ok(page.await?)
}

/// What was seen of the feeds. A caller who may not read every event sees gaps, so that gaps are not judged here.
#[derive(Debug, Default)]
struct Feeds {
    ids: HashSet<String>,
    violations: Vec<String>,
}

impl Feeds {
    fn note(&mut self, stream: &str, after_position: i64, page: &ListEventsResponse) {
        let mut last = after_position;
        for event in &page.events {
            if event.position <= last || event.position > page.next_position {
                self.violations.push(format!("{stream}: position {} is told after {last}", event.position));
            }
            if event.source != stream || event.subject.is_empty() || event.time.is_none() {
                self.violations.push(format!("{stream}: event {} at {} is not whole", event.id, event.position));
            }
            if !self.ids.insert(event.id.clone()) {
                self.violations.push(format!("{stream}: event {} is told twice", event.id));
            }
            last = event.position;
        }
    }

    fn check(self, lang: Lang) -> Check {
        let title =
            ("每个事件流按位置递增，每个事件只出现一次", "Every feed tells each event once, in the order of positions");
        check("suite.feeds-in-order", title, lang, self.ids.len(), self.violations)
    }
}

pub(super) fn order(at: Timestamp) -> (i64, i32) {
    (at.seconds, at.nanos)
}

/// Checks one area, or all that the caller may read (`areas/-`).
pub(super) async fn checks(connection: &Connection, area: &str, served: &Served) -> Result<Vec<Check>> {
    let awards: Vec<Award> = list(connection, "Award", area, "").await?;
    let bookings: Vec<Booking> = list(connection, "Booking", area, "").await?;
    let refused: Vec<&Booking> = bookings.iter().filter(|b| b.state() == BookingState::Refused).collect();
    let holds: Vec<Hold> = list(connection, "Hold", area, "").await?;
    let receipts: Vec<Receipt> =
        if refused.is_empty() { Vec::new() } else { list(connection, "Receipt", area, "").await? };
    let accounts: Vec<Account> = list(connection, "Account", area, "").await?;
    let lang = connection.lang();
    let mut traced = traced(&awards, served, lang);
    bookings_of(connection, &awards, &mut traced).await?;
    Ok(vec![
        traced,
        contributed(connection, &awards, lang).await?,
        receipted(&refused, &receipts, lang),
        balanced(&accounts, lang),
        settled::settled(&bookings, &holds, lang),
        queue::told(&bookings, served, lang),
        queue::promoted(connection, &bookings, served).await?,
        thanked::thanked(connection, &awards, served).await?,
    ])
}

pub(super) async fn list<M: Message + Default>(
    connection: &Connection,
    resource: &str,
    area: &str,
    filter: &str,
) -> Result<Vec<M>> {
    let kind = types::find(resource)?;
    let (found, _) = read::list(connection, kind, &Query { parent: area, filter, ..Query::default() }).await?;
    found.iter().map(|one| Ok(one.transcode_to()?)).collect()
}

pub(super) fn check(
    invariant: &str,
    (zh, en): (&str, &str),
    lang: Lang,
    checked: usize,
    violations: Vec<String>,
) -> Check {
    let title = match lang {
        Lang::ZhCn => zh,
        Lang::En => en,
    };
    Check {
        invariant: invariant.to_owned(),
        title: title.to_owned(),
        checked: i64::try_from(checked).unwrap_or(i64::MAX),
        violations: violations.into_iter().take(super::MAX_VIOLATIONS).collect(),
    }
}

/// Every award goes back to an event that says that its booking was completed.
fn traced(awards: &[Award], served: &Served, lang: Lang) -> Check {
    // What the feed has let go cannot be looked up any more.
    let kept = |award: &&Award| match (served.kept_from, award.create_time) {
        (Some(from), Some(at)) => order(at) >= from,
        _ => true,
    };
    let kept: Vec<&Award> = awards.iter().filter(|award| !is_contribution(award)).filter(kept).collect();
    let wrong = kept.iter().filter_map(|award| match served.completed.get(&award.event) {
        None => Some(format!("{}: no event {} of booking's feed completed a booking", award.name, award.event)),
        Some(booking) if *booking != award.source => {
            Some(format!("{}: event {} is about {booking}, not {}", award.name, award.event, award.source))
        }
        Some(_) => None,
    });
    let title = ("每笔奖励都可追溯到一次已完成的服务", "Every award goes back to a completed booking");
    check("suite.award-traces-to-service", title, lang, kept.len(), wrong.collect())
}

/// Whether an award is thanks for something that was recorded without a booking.
fn is_contribution(award: &Award) -> bool {
    award.source.contains("/contributions/")
}

/// Every award for something that was done without a booking goes back to its record, which names it and the same person.
async fn contributed(connection: &Connection, awards: &[Award], lang: Lang) -> Result<Check> {
    let (mut checked, mut wrong) = (0, Vec::new());
    for award in awards.iter().filter(|award| is_contribution(award)) {
        checked += 1;
        let found = connection.repeat("GetContribution", || {
            let request = GetContributionRequest { name: award.source.clone() };
            let mut client = connection.points();
            Box::pin(async move { client.get_contribution(request).await })
        });
        match found.await {
            Ok(record) if record.awards.contains(&award.name) && record.person == award.recipient => {}
            Ok(_) => wrong.push(format!("{}: {} is not about it", award.name, award.source)),
            Err(error) if error.code() == Code::NotFound => {
                wrong.push(format!("{}: {} does not exist", award.name, award.source));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let title = ("每笔无预约的奖励都可追溯到其记录", "Every award without a booking goes back to its record");
    Ok(check("suite.award-traces-to-contribution", title, lang, checked, wrong))
}

/// Adds awards whose booking is not completed now, by booking's own word.
async fn bookings_of(connection: &Connection, awards: &[Award], check: &mut Check) -> Result<()> {
    let booked = awards.iter().filter(|award| !is_contribution(award));
    let sources: HashSet<&str> = booked.map(|award| award.source.as_str()).collect();
    for name in sources {
        let found = connection.repeat("GetBooking", || {
            let (mut client, request) = (connection.booking(), GetBookingRequest { name: name.to_owned() });
            Box::pin(async move { client.get_booking(request).await })
        });
        match found.await {
            Ok(booking) if booking.state() == BookingState::Completed => {}
            Ok(booking) => {
                check.violations.push(format!("{name} was thanked for and is {}", booking.state().as_str_name()))
            }
            Err(error) if error.code() == Code::NotFound => {
                check.violations.push(format!("{name} was thanked for and does not exist"));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Every refusal has a receipt.
fn receipted(refused: &[&Booking], receipts: &[Receipt], lang: Lang) -> Check {
    let told: HashSet<&str> = receipts.iter().map(|receipt| receipt.booking.as_str()).collect();
    let missing = refused.iter().filter(|booking| !told.contains(booking.name.as_str()));
    let wrong = missing.map(|booking| format!("{} was refused without a receipt", booking.name)).collect();
    let title = ("每次拒绝都有决定凭据", "Every refused booking has a receipt");
    check("suite.refusal-has-receipt", title, lang, refused.len(), wrong)
}

/// The balances of each asset of an area add up to nothing.
fn balanced(accounts: &[Account], lang: Lang) -> Check {
    let mut sums: BTreeMap<(&str, &str), i128> = BTreeMap::new();
    for account in accounts {
        let area = account.name.split("/accounts/").next().unwrap_or_default();
        *sums.entry((area, account.asset.as_str())).or_default() += i128::from(account.balance);
    }
    let wrong = sums.iter().filter(|(_, sum)| **sum != 0);
    let wrong =
        wrong.map(|((area, asset), sum)| format!("{area}: the accounts of {asset} add up to {sum}, not 0")).collect();
    let title = ("每种积分的全部账户合计为零", "The accounts of each asset add up to zero");
    check("suite.asset-sums-to-zero", title, lang, sums.len(), wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn award(event: &str, source: &str) -> Award {
        Award { name: "a".into(), event: event.into(), source: source.into(), ..Award::default() }
    }

    #[test]
    fn an_award_needs_the_event_that_completed_its_booking() {
        let completed = HashMap::from([("e1".to_owned(), "b1".to_owned())]);
        let served = Served { completed, ..Served::default() };
        assert!(traced(&[award("e1", "b1")], &served, Lang::En).violations.is_empty());
        let found = traced(&[award("e1", "b2"), award("e2", "b1")], &served, Lang::En);
        assert_eq!((found.checked, found.violations.len()), (2, 2));
    }

    #[test]
    fn awards_older_than_the_feed_are_not_judged() {
        let served = Served { kept_from: Some((100, 0)), ..Served::default() };
        let old = Award { create_time: Some(Timestamp { seconds: 99, nanos: 0 }), ..award("e", "b") };
        assert_eq!(traced(&[old], &served, Lang::En).checked, 0);
    }

    #[test]
    fn an_event_that_comes_twice_or_out_of_order_is_seen() {
        let event = |id: &str, position| linli_proto::events::Event {
            id: id.into(),
            position,
            source: "streams/org".into(),
            subject: "areas/x".into(),
            time: Some(Timestamp::default()),
            ..Default::default()
        };
        let page = |events| ListEventsResponse { events, next_position: 9, newest_position: 9 };
        let seen = |events| {
            let mut feeds = Feeds::default();
            feeds.note("streams/org", 0, &page(events));
            feeds.check(Lang::En)
        };
        let even = seen(vec![event("a", 1), event("b", 2), event("c", 7)]);
        assert_eq!((even.checked, even.violations), (3, Vec::new()));
        assert_eq!(seen(vec![event("a", 2), event("b", 1)]).violations.len(), 1, "out of order");
        assert_eq!(seen(vec![event("a", 1), event("a", 2)]).violations.len(), 1, "twice");
    }

    #[test]
    fn every_refusal_needs_a_receipt() {
        let booking = |name: &str| Booking { name: name.into(), ..Booking::default() };
        let receipts = [Receipt { booking: "b1".into(), ..Receipt::default() }];
        assert_eq!(receipted(&[&booking("b1"), &booking("b2")], &receipts, Lang::En).violations.len(), 1);
    }

    #[test]
    fn what_one_account_has_others_have_given() {
        let account =
            |name: &str, balance| Account { name: name.into(), asset: "points".into(), balance, ..Account::default() };
        let even = [account("areas/x/accounts/points.a", 5), account("areas/x/accounts/points.issuance", -5)];
        assert!(balanced(&even, Lang::En).violations.is_empty());
        let odd = [account("areas/x/accounts/points.a", 5), account("areas/y/accounts/points.issuance", -5)];
        assert_eq!(balanced(&odd, Lang::En).violations.len(), 2, "each area on its own");
    }
}
