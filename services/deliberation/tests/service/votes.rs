//! Ballots: frozen electorates, one vote each, results as the rule says.

use linli_proto::deliberation as pb;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::world::{AREA, COUNCIL, HOUSEHOLDS, World, majority, reason, resident, stage};

#[tokio::test(flavor = "multi_thread")]
async fn a_ballot_freezes_its_rule_and_every_page_of_its_electorate() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.deliberated().await;
        let ballot = world.ballot(&topic).await;
        assert_eq!(ballot.electors, 12);
        assert_eq!(ballot.rule, Some(pb::BallotRule { min_age: 18, ..majority() }));
        assert_eq!((ballot.stage.as_str(), ballot.state()), ("deliberate", pb::BallotState::Open));
        let mut client = world.client(COUNCIL);
        let mut request =
            pb::ListElectorRollRequest { name: ballot.name.clone(), page_size: 5, page_token: String::new() };
        let mut roll = Vec::new();
        loop {
            let page = client.list_elector_roll(request.clone()).await.expect("the roll").into_inner();
            roll.extend(page.electors);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        let wanted: Vec<String> = (0..HOUSEHOLDS).map(|home| format!("{AREA}/households/hh-{home:02}")).collect();
        assert_eq!(roll.iter().map(|entry| entry.elector.clone()).collect::<Vec<_>>(), wanted);
        assert!(roll.iter().all(|entry| !entry.voted));
        let refused = world.client(&resident(0, 0)).list_elector_roll(request).await.expect_err("not for residents");
        assert_eq!(refused.code(), Code::PermissionDenied);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ballots_open_only_where_the_stage_has_one_and_long_enough() {
    for world in World::all().await {
        world.six_steps().await;
        let raised = world.raise(&resident(0, 0)).await.name;
        let create =
            |ballot| pb::CreateBallotRequest { parent: AREA.into(), ballot: Some(ballot), ..Default::default() };
        let mut client = world.client(COUNCIL);
        let refused = client.create_ballot(create(world.asked(&raised, 24))).await.expect_err("no ballot stage");
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::FailedPrecondition, "STAGE_HAS_NO_BALLOT"));
        let topic = world.deliberated().await;
        let short = client.create_ballot(create(world.asked(&topic, 23))).await.expect_err("the rule says 24 hours");
        assert_eq!(short.get_details_bad_request().expect("fields").field_violations[0].field, "ballot.close_time");
        let resident = world.client(&resident(0, 0)).create_ballot(create(world.asked(&topic, 24))).await;
        assert_eq!(resident.expect_err("not for residents").code(), Code::PermissionDenied);
        let ballot = world.ballot(&topic).await;
        let second = client.create_ballot(create(world.asked(&topic, 24))).await.expect_err("one is open");
        assert_eq!(reason(&second), "BALLOT_STILL_OPEN");
        world.pass_hours(24);
        assert!(!world.close(&ballot.name).await.expect("closes").result.expect("a result").quorum_met);
        world.ballot(&topic).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_parallel_votes_of_one_elector_are_one() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.deliberated().await;
        let ballot = world.ballot(&topic).await.name;
        let adults = [resident(1, 0), resident(1, 1)];
        let casts = (0..20).map(|i| {
            let choice = if i % 2 == 0 { pb::Choice::Yes } else { pb::Choice::No };
            world.cast(&adults[i % 2], &ballot, choice)
        });
        let answers: Vec<_> =
            futures::future::join_all(casts).await.into_iter().map(|a| a.expect("an answer")).collect();
        let first: Vec<_> = answers.iter().filter(|answer| !answer.already_cast).collect();
        assert_eq!(first.len(), 1, "one household, one vote");
        assert!(answers.iter().all(|answer| answer.already_cast == answer.receipt_code.is_empty()));
        world.pass_hours(24);
        let result = world.close(&ballot).await.expect("closes").result.expect("a result");
        assert_eq!((result.participants, result.yes + result.no), (1, 1));
        world.sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_counted_after_the_closing_time_and_receipts_are_found() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.deliberated().await;
        let ballot = world.ballot(&topic).await.name;
        let mut receipts = Vec::new();
        for home in 0..7 {
            let choice = [pb::Choice::Yes, pb::Choice::Yes, pb::Choice::Abstain][home % 3];
            let cast = world.cast(&resident(home, 0), &ballot, choice).await.expect("a vote");
            receipts.push((cast.receipt_code, choice));
        }
        let early = world.close(&ballot).await.expect_err("votes are taken");
        assert_eq!(reason(&early), "BALLOT_STILL_OPEN");
        let list = pb::ListVotesRequest { name: ballot.clone(), page_size: 3, page_token: String::new() };
        let secret = world.client(&resident(0, 0)).list_votes(list.clone()).await.expect_err("still open");
        assert_eq!(reason(&secret), "BALLOT_STILL_OPEN");
        world.pass_hours(24);
        let late = world.cast(&resident(9, 0), &ballot, pb::Choice::No).await.expect_err("the time is over");
        assert_eq!((late.code(), reason(&late).as_str()), (Code::FailedPrecondition, "BALLOT_CLOSED"));
        let result = world.close(&ballot).await.expect("closes").result.expect("a result");
        let wanted = pb::BallotResult {
            participants: 7,
            yes: 5,
            no: 0,
            abstain: 2,
            quorum_needed: 7,
            yes_needed: 4,
            quorum_met: true,
            passed: true,
        };
        assert_eq!(result, wanted);
        assert_eq!(reason(&world.close(&ballot).await.expect_err("closed")), "BALLOT_CLOSED");
        let published = published(&world, list).await;
        assert!(published.is_sorted_by_key(|vote| vote.receipt_code.clone()));
        for (receipt, choice) in receipts {
            let found = published.iter().find(|vote| vote.receipt_code == receipt).expect("the receipt is published");
            assert_eq!(found.choice(), choice);
        }
        world.sound().await;
    }
}

async fn published(world: &World, mut request: pb::ListVotesRequest) -> Vec<pb::Vote> {
    let mut votes = Vec::new();
    loop {
        let page = world.client(&resident(4, 0)).list_votes(request.clone()).await.expect("votes").into_inner();
        votes.extend(page.votes);
        if page.next_page_token.is_empty() {
            return votes;
        }
        request.page_token = page.next_page_token;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ballot_in_which_everybody_has_voted_may_close_early() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.deliberated().await;
        let ballot = world.ballot(&topic).await.name;
        for home in 0..HOUSEHOLDS {
            world.cast(&resident(home, 0), &ballot, pb::Choice::Yes).await.expect("a vote");
        }
        assert_eq!(world.close(&ballot).await.expect("all have voted").result.expect("a result").yes, 12);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn children_strangers_and_systems_have_no_vote() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.deliberated().await;
        let ballot = world.ballot(&topic).await.name;
        let child = world.cast(&resident(2, 2), &ballot, pb::Choice::Yes).await.expect_err("born in 2015");
        assert_eq!((child.code(), reason(&child).as_str()), (Code::FailedPrecondition, "NOT_AN_ELECTOR"));
        let newcomer = world.cast("areas/xinhua/people/per-new", &ballot, pb::Choice::Yes).await;
        assert_eq!(reason(&newcomer.expect_err("not on the roll")), "NOT_AN_ELECTOR");
        let stranger = world.cast("areas/guanba/people/per-1", &ballot, pb::Choice::Yes).await;
        assert_eq!(stranger.expect_err("another area").code(), Code::PermissionDenied);
        let system = world.cast("systems/operator", &ballot, pb::Choice::Yes).await.expect_err("no person");
        assert_eq!(reason(&system), "NOT_A_RESIDENT");
        let nothing = world.cast(&resident(2, 0), &ballot, pb::Choice::Unspecified).await.expect_err("no choice");
        assert_eq!(nothing.code(), Code::InvalidArgument);
        world.sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ballot_by_person_counts_every_adult() {
    for world in World::all().await {
        let rule = pb::BallotRule { basis: pb::ElectorateBasis::Person.into(), open_hours: 0, ..majority() };
        let vote = stage("vote", vec![pb::condition::Condition::BallotPassed(rule)], &[]);
        let template = world.template("areas/xinhua/processTemplates/poll", vec![vote]).await;
        let topic = world.raise_by(COUNCIL, &template.name).await;
        let ballot = world.ballot(&topic).await;
        assert_eq!(ballot.electors, 24);
        for member in 0..2 {
            let cast = world.cast(&resident(1, member), &ballot.name, pb::Choice::Yes).await.expect("a vote");
            assert!(!cast.already_cast, "both adults of a household vote");
        }
        let child = world.cast(&resident(1, 2), &ballot.name, pb::Choice::Yes).await.expect_err("a child");
        assert_eq!(reason(&child), "NOT_AN_ELECTOR");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_electors_are_the_limit() {
    for (adults, fits) in [(20_000, true), (20_001, false)] {
        for world in World::crowded(adults).await {
            let rule = pb::BallotRule { open_hours: 0, quorum: None, ..majority() };
            let vote = stage("vote", vec![pb::condition::Condition::BallotPassed(rule)], &[]);
            let template = world.template("areas/xinhua/processTemplates/poll", vec![vote]).await;
            let topic = world.raise_by(COUNCIL, &template.name).await;
            let ballot = Some(world.asked(&topic, 24));
            let request = pb::CreateBallotRequest { parent: AREA.into(), ballot, ..Default::default() };
            let opened = world.client(COUNCIL).create_ballot(request).await.map(tonic::Response::into_inner);
            if !fits {
                assert_eq!(reason(&opened.expect_err("too many")), "ELECTORATE_TOO_LARGE");
                continue;
            }
            let ballot = opened.expect("a ballot");
            assert_eq!(ballot.electors, 20_000);
            let voters: Vec<String> = (0..50).map(|i| format!("{AREA}/people/per-{i:05}")).collect();
            let casts = voters.iter().map(|voter| world.cast(voter, &ballot.name, pb::Choice::Yes));
            assert!(futures::future::join_all(casts).await.into_iter().all(|cast| cast.is_ok()));
            world.pass_hours(24);
            let result = world.close(&ballot.name).await.expect("closes").result.expect("a result");
            assert_eq!((result.yes, result.passed), (50, true));
            world.sound().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_who_comes_after_the_opening_has_no_vote() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.deliberated().await;
        // The last day of 2026, so that a year ends while votes are taken.
        world.clock.advance_to(linli_kernel::Timestamp::from_secs(1_798_700_000));
        let earlier = world.arrives("per-earlier", 1990, 4);
        let grows = world.arrives("per-grows", 2009, 5);
        let request = pb::CreateBallotRequest {
            ballot: Some(world.asked(&topic, 72)),
            parent: AREA.into(),
            ..Default::default()
        };
        let ballot = world.client(COUNCIL).create_ballot(request).await.expect("a ballot").into_inner().name;
        world.pass_hours(48);
        let later = world.arrives("per-later", 1990, 5);
        let refused = world.cast(&later, &ballot, pb::Choice::Yes).await.expect_err("came to a household on the roll");
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::FailedPrecondition, "NOT_AN_ELECTOR"));
        let refused = world.cast(&grows, &ballot, pb::Choice::Yes).await.expect_err("of age since yesterday");
        assert_eq!(reason(&refused), "NOT_AN_ELECTOR");
        world.cast(&earlier, &ballot, pb::Choice::Yes).await.expect("was there when the ballot opened");
        world.cast(&resident(5, 0), &ballot, pb::Choice::Yes).await.expect("nobody has voted for the household");
        world.sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ballot_is_open_for_ninety_days_at_most_and_until_an_instant_that_exists() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.deliberated().await;
        let at = |seconds, nanos| Some(prost_types::Timestamp { seconds, nanos });
        let year_9999 = at(253_402_300_799, 0);
        let day_91 = Some(world.in_hours(90 * 24 + 1));
        for (close_time, told) in [
            (year_9999, "90 days"),
            (day_91, "90 days"),
            (at(253_402_300_800, 0), "years 1 and 9999"),
            (at(i64::MAX, 0), "years 1 and 9999"),
            (at(i64::MIN, 0), "years 1 and 9999"),
            (at(1_793_600_000, -1), "nanoseconds"),
            (at(1_793_600_000, 1_000_000_000), "nanoseconds"),
        ] {
            let ballot = pb::Ballot { close_time, ..world.asked(&topic, 24) };
            let request = pb::CreateBallotRequest { parent: AREA.into(), ballot: Some(ballot), ..Default::default() };
            let refused = world.client(COUNCIL).create_ballot(request).await.expect_err("no sensible time");
            let named = refused.get_details_bad_request().expect("fields").field_violations;
            assert_eq!((named.len(), named[0].field.as_str()), (1, "ballot.close_time"), "{close_time:?}");
            assert!(named[0].description.contains(told), "{close_time:?}: {}", named[0].description);
        }
        let longest = world.asked(&topic, 90 * 24);
        let request = pb::CreateBallotRequest { parent: AREA.into(), ballot: Some(longest), ..Default::default() };
        world.client(COUNCIL).create_ballot(request).await.expect("ninety days");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_a_topic_voids_its_open_ballot() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.deliberated().await;
        let ballot = world.ballot(&topic).await.name;
        world.cast(&resident(1, 0), &ballot, pb::Choice::Yes).await.expect("a vote");
        let close = pb::CloseTopicRequest { name: topic.clone(), answer: "Asked wrongly".into(), ..Default::default() };
        let closed = world.client(COUNCIL).close_topic(close).await.expect("closes").into_inner();
        assert_eq!(closed.state(), pb::TopicState::Closed);
        let got = world.client(&resident(0, 0)).get_ballot(pb::GetBallotRequest { name: ballot.clone() }).await;
        let got = got.expect("the ballot").into_inner();
        assert_eq!((got.state(), got.result), (pb::BallotState::Void, None));
        let late = world.cast(&resident(2, 0), &ballot, pb::Choice::Yes).await.expect_err("void");
        assert_eq!(reason(&late), "BALLOT_CLOSED");
        world.pass_hours(24);
        assert_eq!(reason(&world.close(&ballot).await.expect_err("void")), "BALLOT_CLOSED");
        let list = pb::ListVotesRequest { name: ballot.clone(), ..Default::default() };
        let votes = world.client(COUNCIL).list_votes(list).await.expect("a page").into_inner().votes;
        assert!(votes.is_empty(), "what was voted is gone: {votes:?}");
        assert_eq!(world.roll(&ballot).await.iter().filter(|entry| entry.voted).count(), 1);
        world.sound().await;
    }
}
