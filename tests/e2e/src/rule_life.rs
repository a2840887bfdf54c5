//! The life of a rule, from the past it would have changed to the step back, driven by the built binary on both engines.

use linli_harness::seed::{self, Community, request_id};
use linli_harness::{Engine, TestSuite, engines, until};
use linli_proto::booking as pb;
use serde_json::Value;
use tonic::{Code, Status};

use crate::cli::{Terminal, document};

pub(crate) const AREA: &str = "areas/xinhua";
pub(crate) const BINDING: &str = "areas/xinhua/ruleBindings/door";
const HOOK: [&str; 2] = ["--hook", "booking-eligibility"];

/// A table with these rows; `refused` is its reason.
fn table(title: &str, rows: &str) -> String {
    format!(
        "linli: table/1\ntitle: {{zh-CN: {title}, en: {title}}}\nsummary: {{zh-CN: 试, en: A trial}}\n\
         reasons:\n  refused: {{zh-CN: 不可以, en: Refused}}\nrules:\n  booking-eligibility:\n{rows}"
    )
}

pub(crate) fn open_door() -> String {
    table("Open", "    - then: allow\n")
}

pub(crate) fn closed_door() -> String {
    table("Closed", "    - {then: deny, reason: refused}\n")
}

/// Lets everybody in, and asks how old they are: only what was asked then can be replayed.
fn watchful() -> String {
    table("Watchful", "    - {when: who.age_years > 130, then: deny, reason: refused}\n    - then: allow\n")
}

/// Refuses those above sixty.
fn young_only() -> String {
    table("Young", "    - {when: who.age_years > 60, then: deny, reason: refused}\n    - then: allow\n")
}

/// Breaks down over a slot of 23 seats, which no sample question of the validation is about.
pub(crate) fn brittle() -> String {
    table("Brittle", "    - {when: 1 / (slot.capacity - 23) > 1, then: deny, reason: refused}\n    - then: allow\n")
}

/// A community with two offerings and the commands of its operator.
pub(crate) struct World {
    pub(crate) suite: TestSuite,
    pub(crate) terminal: Terminal,
    pub(crate) community: Community,
    slots: Vec<pb::Slot>,
}

impl World {
    pub(crate) async fn new(engine: Engine) -> Self {
        let suite = TestSuite::start(engine).await.expect("the suite starts");
        let operator = suite.operator();
        let community = seed::community(&operator, "xinhua").await;
        let mut slots = Vec::new();
        for id in ["haircut", "mending"] {
            slots.push(seed::offering(&operator, "xinhua", id, 23, 0).await);
        }
        let terminal = Terminal::operator(&suite);
        Self { suite, terminal, community, slots }
    }

    /// Uploads a table as a version of a plugin.
    pub(crate) fn version(&self, plugin: &str, text: &str) -> String {
        let file = document(&self.suite.config.data_dir, &format!("{plugin}.yaml"), text);
        let name = format!("{AREA}/plugins/{plugin}");
        self.terminal.says(&["plugin", "upload", &file, "--plugin", &name, "--title", plugin]).trim().to_owned()
    }

    /// Proposes something for the binding; answers the change.
    fn stage(&self, stage: &[&str], version: &str) -> String {
        let said = [&["plugin", "stage"][..], stage, &["--binding", BINDING, "--version", version], &HOOK].concat();
        self.terminal.says(&said).trim().to_owned()
    }

    pub(crate) fn change(&self, name: &str) -> Value {
        let told = self.terminal.says(&["plugin", "history", name, "-o", "json"]);
        serde_json::from_str::<Value>(&told).expect("JSON")[0].clone()
    }

    /// Somebody of the community books for themselves.
    async fn try_booking(&self, slot: usize, person: &str) -> Result<pb::Booking, Status> {
        let wish = pb::Booking { slot: self.slots[slot].name.clone(), ..Default::default() };
        let request = pb::CreateBookingRequest { parent: AREA.into(), booking: Some(wish), request_id: request_id() };
        self.suite.actor(person).booking().create_booking(request).await.map(tonic::Response::into_inner)
    }

    async fn book(&self, slot: usize, person: &str) -> pb::Booking {
        // The first call may come before booking knows who lives here.
        until("a booking", || async {
            match self.try_booking(slot, person).await {
                Ok(booking) => Some(booking),
                Err(status) if [Code::Unavailable, Code::PermissionDenied, Code::NotFound].contains(&status.code()) => {
                    None
                }
                Err(status) => panic!("{status:?}"),
            }
        })
        .await
    }

    pub(crate) async fn may_book(&self, slot: usize, person: &str) -> bool {
        match self.book(slot, person).await.state() {
            pb::BookingState::Confirmed => true,
            pb::BookingState::Refused => false,
            other => panic!("{other:?}"),
        }
    }

    /// Waits until a new change is obeyed by whoever books.
    async fn in_force(&self, version: &str) {
        until("the rule in force", || async {
            let told = self.terminal.says(&["list", "ruleBindings", "--parent", AREA, "-o", "json"]);
            told.contains(version).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_candidate_would_have_changed_is_told_without_names_and_nothing_is_changed() {
    for engine in engines() {
        let world = World::new(engine).await;
        world.stage(&["active"], &world.version("watchful", &watchful()));
        for household in 0..5 {
            assert!(world.may_book(0, world.community.elder(household)).await, "{engine:?}");
        }
        assert!(world.may_book(0, world.community.adult(0)).await, "{engine:?}");

        // Until now is before now: the decisions of this very minute are not in the window yet.
        world.suite.advance_secs(60);
        let young = world.version("young", &young_only());
        let args = ["plugin", "simulate", "--binding", BINDING, "--version", &young, "--from", "2026-11-01"];
        let told = world.terminal.says(&[&args[..], &["-o", "json"]].concat());
        let report: Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!(report["cases"], 5, "{engine:?}: the sixth cannot be worked out: {report}");
        assert_eq!(report["unchanged"], "<5", "{engine:?}: one resident is nobody's business: {report}");
        let changed = &report["changed"][0];
        assert_eq!((&changed["was"], &changed["would"]), (&"allow".into(), &"deny".into()), "{engine:?}: {report}");
        assert_eq!((&changed["reason"], &changed["count"]), (&"refused".into(), &"5".into()), "{engine:?}: {report}");
        assert!(!told.contains("per-") && !told.contains("bkg-"), "{engine:?}: no name of anybody or anything: {told}");
        let often =
            world.version("often", &table("Often", "    - {when: used.this_month > 0, then: deny, reason: refused}\n"));
        let args_often = ["plugin", "simulate", "--binding", BINDING, "--version", &often, "--from", "2026-11-01"];
        let told = world.terminal.says(&[&args_often[..], &["-o", "json"]].concat());
        let report: Value = serde_json::from_str(&told).expect("JSON");
        let counts = (&report["cases"], &report["notReplayable"], &report["unchanged"]);
        assert_eq!(counts, (&0.into(), &6.into(), &"<5".into()), "{engine:?}: usage was not asked for then: {report}");
        let table = world.terminal.says(&args);
        assert!(table.contains("5 decisions replayed"), "{engine:?}: {table}");
        assert!(world.may_book(0, world.community.elder(6)).await, "{engine:?}: nothing was put in force");
        let none = world.terminal.says(&[&args[..7], &["2026-11-01", "--to", "2026-11-01T01:00"]].concat());
        assert!(none.contains("no decisions at this hook"), "{engine:?}: {none}");
        world.suite.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_in_shadow_is_counted_and_read_out_and_not_obeyed() {
    for engine in engines() {
        let world = World::new(engine).await;
        world.stage(&["active"], &world.version("open", &open_door()));
        let change = world.stage(&["shadow"], &world.version("closed", &closed_door()));
        let booking = world.book(0, world.community.elder(0)).await;
        assert_eq!(booking.state(), pb::BookingState::Confirmed, "{engine:?}");
        for household in 1..5 {
            assert!(world.may_book(0, world.community.elder(household)).await, "{engine:?}");
        }
        until("the counts of the shadow", || async {
            let change = world.change(&change);
            let outcomes = change["outcomes"].as_array()?.clone();
            outcomes.iter().any(|o| o["was"] == "allow" && o["would"] == "deny" && o["count"] == "5").then_some(())
        })
        .await;
        let told = world.terminal.says(&["decision", "explain", &booking.name]);
        assert!(told.contains("Answer: yes") && told.contains("(on trial only, not obeyed)"), "{engine:?}: {told}");
        assert!(told.contains("May this be booked?") && !told.contains('{'), "{engine:?}: in words: {told}");
        let none = world.terminal.fails(&["decision", "explain", "areas/xinhua/bookings/bkg-none"]);
        assert!(none.contains("reason: "), "{engine:?}: as the service words it: {none}");
        world.suite.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_is_the_same_for_a_resident_each_time_and_one_step_leads_back() {
    for engine in engines() {
        let world = World::new(engine).await;
        let open = world.version("open", &open_door());
        world.stage(&["active"], &open);
        let closed = world.version("closed", &closed_door());
        let change = world.stage(&["canary", "--share", "50%"], &closed);
        let (mut refused, mut allowed) = (Vec::new(), Vec::new());
        for person in world.community.people.iter().flatten() {
            let first = world.may_book(0, person).await;
            assert_eq!(first, world.may_book(1, person).await, "{engine:?}: {person} is on one side");
            if first { allowed.push(person) } else { refused.push(person) }
        }
        assert!(!refused.is_empty() && !allowed.is_empty(), "{engine:?}: half of twenty are neither all nor none");

        world.terminal.says(&["plugin", "promote", &change, "canary", "--share", "90%"]);
        for person in &refused {
            assert!(!world.may_book(0, person).await, "{engine:?}: a larger share holds the smaller one: {person}");
        }
        let err = world.terminal.fails(&["plugin", "promote", &change, "shadow"]);
        assert!(err.contains("reason: "), "{engine:?}: no way back along the stages: {err}");
        world.terminal.says(&["plugin", "promote", &change, "active"]);
        world.in_force(&closed).await;
        assert!(!world.may_book(0, refused[0]).await, "{engine:?}");
        world.terminal.says(&["plugin", "rollback", BINDING, "--note", "too strict"]);
        world.in_force(&open).await;
        assert!(world.may_book(0, refused[0]).await, "{engine:?}: as before");
        assert_eq!(world.change(&change)["state"], "RULE_CHANGE_STATE_ROLLED_BACK", "{engine:?}");
        let history = world.terminal.says(&["plugin", "history", BINDING]);
        assert!(history.contains("roll-back") && history.contains("too strict"), "{engine:?}: {history}");
        world.suite.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_person_approves_and_the_change_comes_into_force_at_its_date() {
    for engine in engines() {
        let world = World::new(engine).await;
        world.stage(&["active"], &world.version("open", &open_door()));
        world.terminal.says(&["plugin", "policy", AREA, "--second-person", "on", "--source", "charter, article 12"]);
        let closed = world.version("closed", &closed_door());
        let change = world.stage(&["active", "--at", "2026-11-02T09:00+08:00", "--note", "by the meeting"], &closed);
        assert_eq!(world.change(&change)["state"], "RULE_CHANGE_STATE_PENDING_APPROVAL", "{engine:?}");
        let own = world.terminal.fails(&["plugin", "approve", &change, "--yes"]);
        assert!(own.contains("reason: "), "{engine:?}: nobody approves their own: {own}");

        let token = world.suite.suite().token(&world.community.secretary).expect("a token");
        let secretary = Terminal { server: world.terminal.server.clone(), token };
        let shown = secretary.says(&["plugin", "approve", &change]);
        assert!(shown.contains("by the meeting"), "{engine:?}: read before it is approved: {shown}");
        secretary.says(&["plugin", "approve", &change, "--yes", "--note", "seen"]);
        assert_eq!(world.change(&change)["state"], "RULE_CHANGE_STATE_SCHEDULED", "{engine:?}");
        assert!(world.may_book(0, world.community.elder(0)).await, "{engine:?}: not yet");
        world.suite.advance_secs(3_660);
        until("its date", || async { (world.change(&change)["state"] == "RULE_CHANGE_STATE_ACTIVE").then_some(()) })
            .await;
        assert!(!world.may_book(0, world.community.elder(1)).await, "{engine:?}: from its date on");
        let history = world.terminal.says(&["plugin", "history", &change]);
        assert!(
            history.contains("approve") && history.contains("seen") && history.contains("service/rules"),
            "{history}"
        );
        world.suite.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_needs_what_none_needed_before_is_answered_from_the_first_booking_on() {
    for engine in engines() {
        let world = World::new(engine).await;
        assert!(world.may_book(0, world.community.elder(0)).await, "{engine:?}: booking knows that nothing is needed");
        world.stage(&["active"], &world.version("young", &young_only()));
        let refused = world.try_booking(0, world.community.elder(1)).await.expect("an answer, and no fault");
        assert_eq!(refused.state(), pb::BookingState::Refused, "{engine:?}");
        world.suite.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_breaks_down_again_and_again_is_quarantined_told_of_and_released() {
    for engine in engines() {
        let world = World::new(engine).await;
        world.terminal.says(&["plugin", "policy", AREA, "--quarantine-faults", "3"]);
        let version = world.version("brittle", &brittle());
        world.stage(&["active"], &version);
        let state = || {
            let told = world.terminal.says(&["get", "pluginVersion", &version, "-o", "json"]);
            serde_json::from_str::<Value>(&told).expect("JSON")["state"].clone()
        };
        until("its quarantine", || async {
            let refused = world.try_booking(0, world.community.elder(0)).await;
            assert!(refused.is_err(), "{engine:?}: no answer is no yes: {refused:?}");
            (state() == "PLUGIN_VERSION_STATE_QUARANTINED").then_some(())
        })
        .await;
        let notices = until("the notice", || async {
            let told = world.terminal.says(&["plugin", "notices", AREA]);
            told.contains(&version).then_some(told)
        });
        assert!(notices.await.contains("systems/operator"), "{engine:?}: the author is told");
        let refused = world.try_booking(0, world.community.elder(1)).await.expect_err("still no answer");
        assert_eq!(refused.code(), Code::Unavailable, "{engine:?}: {refused:?}");

        world.terminal.says(&["plugin", "release", &version, "--note", "the slot has fewer seats now"]);
        assert_eq!(state(), "PLUGIN_VERSION_STATE_VALID", "{engine:?}");
        world.stage(&["active"], &world.version("open", &open_door()));
        assert!(world.may_book(0, world.community.elder(0)).await, "{engine:?}: another rule takes its place");
        world.suite.stop().await;
    }
}
