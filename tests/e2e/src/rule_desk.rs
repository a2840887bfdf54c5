//! What a community's office does with rules at the terminal: kinds, trials that are given up, rules that give no answer; both engines.

use linli_harness::seed::{request_id, text};
use linli_harness::{Actor, engines};
use linli_proto::deliberation as pb;

use crate::cli::document;
use crate::rule_life::{AREA, BINDING, World, brittle, closed_door, open_door};

const TRACKS: &str = "linli: table/1\ntitle: {zh-CN: 走法, en: Ways}\nsummary: {zh-CN: 试, en: A trial}\n\
    reasons:\n  small: {zh-CN: 小事, en: A small matter}\nrules:\n  deliberation-track:\n    - {then: one, reason: small}\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_for_some_kinds_is_listed_with_all_others_and_one_that_is_only_tried_says_so() {
    for engine in engines() {
        let world = World::new(engine).await;
        let version = world.version("open", &open_door());
        let binding = ["--binding", BINDING, "--version", &version];
        let simulate = [&["plugin", "simulate"][..], &binding, &["--from", "2026-11-01"]].concat();
        assert!(world.terminal.says(&simulate).contains("no decisions"), "{engine:?}: the only hook need not be said");
        let stage = [&["plugin", "stage", "shadow"][..], &binding, &["--kind", "haircut"]].concat();
        let change = world.terminal.says(&stage).trim().to_owned();
        let all = world.terminal.says(&["plugin", "effective", AREA]);
        assert!(all.contains("only tried") && all.contains("haircut") && all.contains(BINDING), "{engine:?}: {all}");
        let others = world.terminal.says(&["plugin", "effective", AREA, "--kind", "mending"]);
        assert!(!others.contains(BINDING), "{engine:?}: {others}");

        world.terminal.says(&["plugin", "withdraw", &change, "--note", "not wanted"]);
        assert_eq!(world.change(&change)["state"], "RULE_CHANGE_STATE_WITHDRAWN", "{engine:?}");
        let history = world.terminal.says(&["plugin", "history", &change]);
        assert!(history.contains("withdraw") && history.contains("not wanted"), "{engine:?}: {history}");
        let again = world.terminal.says(&["plugin", "effective", AREA]);
        assert!(!again.contains(BINDING), "{engine:?}: {again}");

        let activate = [&["plugin", "activate"][..], &binding, &["--kind", "mending"]].concat();
        let told = world.terminal.says(&activate);
        assert!(told.contains("at booking-eligibility for mending"), "{engine:?}: {told}");
        world.terminal.says(&[
            "plugin",
            "stage",
            "active",
            "--all-kinds",
            binding[0],
            binding[1],
            binding[2],
            binding[3],
        ]);
        let all = world.terminal.says(&["plugin", "effective", AREA, "--kind", "haircut"]);
        assert!(all.contains(BINDING) && all.contains("in force"), "{engine:?}: {all}");
        world.suite.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_without_an_answer_is_passed_over_or_refuses_as_it_was_staged() {
    for engine in engines() {
        let world = World::new(engine).await;
        let version = world.version("brittle", &brittle());
        let staged = ["plugin", "stage", "active", "--binding", BINDING, "--version", &version];
        world.terminal.says(&[&staged[..], &["--skip-on-fault"]].concat());
        assert!(world.may_book(0, world.community.elder(0)).await, "{engine:?}: passed over");
        let effective = world.terminal.says(&["plugin", "effective", AREA]);
        assert!(effective.contains("skipped"), "{engine:?}: {effective}");
        world.terminal.says(&[&staged[..], &["--refuse-on-fault"]].concat());
        let effective = world.terminal.says(&["plugin", "effective", AREA]);
        assert!(effective.contains("refused") && !effective.contains("skipped"), "{engine:?}: {effective}");
        world.suite.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_off_is_not_said_to_be_in_force_and_what_waits_is_not_promoted() {
    for engine in engines() {
        let world = World::new(engine).await;
        let version = world.version("closed", &closed_door());
        let off = format!(
            "---\ntype: linli/RuleBinding\nname: {BINDING}\nhook: booking-eligibility\npluginVersion: {version}\ndisabled: true\n"
        );
        world.terminal.says(&["apply", "-f", &document(&world.suite.config.data_dir, "off.yaml", &off)]);
        let staged = ["plugin", "stage", "active", "--binding", BINDING, "--version", &version];
        let ran = world.terminal.run(&staged);
        assert!(ran.ok && ran.err.contains("is off") && ran.err.contains("--enable"), "{engine:?}: {ran:?}");
        let ran = world.terminal.run(&[&staged[..], &["--enable"]].concat());
        assert!(ran.ok && ran.err.contains(&format!("linli plugin rollback {BINDING}")), "{engine:?}: {ran:?}");

        world.terminal.says(&["plugin", "policy", AREA, "--second-person", "on", "--source", "charter, article 12"]);
        let open = world.version("open", &open_door());
        let staged = ["plugin", "stage", "active", "--binding", BINDING, "--version", &open];
        let change = world.terminal.says(&[&staged[..], &["--at", "2026-11-03T09:00+08:00"]].concat());
        let told = world.terminal.fails(&["plugin", "promote", change.trim(), "active"]);
        assert!(told.contains(&format!("linli plugin approve {}", change.trim())), "{engine:?}: {told}");
        let shown = world.terminal.says(&["plugin", "approve", change.trim()]);
        assert!(shown.contains("Open") && shown.contains("takes effect 2026-11-0"), "{engine:?}: {shown}");
        let waits = world.terminal.run(&["plugin", "effective", AREA]);
        assert!(waits.err.contains("second person") && waits.err.contains(change.trim()), "{engine:?}: {waits:?}");
        world.suite.stop().await;
    }
}

/// A process of one step, which the rule chooses.
async fn process(op: &Actor) {
    let condition = pb::Condition { condition: Some(pb::condition::Condition::RecordKind("minutes".into())) };
    let stage = pb::Stage {
        id: "collect".into(),
        display_name: text("征集", "Collect"),
        conditions: vec![condition],
        ..Default::default()
    };
    let template =
        pb::ProcessTemplate { display_name: text("一步", "One step"), stages: vec![stage], ..Default::default() };
    let request = pb::CreateProcessTemplateRequest {
        parent: AREA.into(),
        process_template: Some(template),
        process_template_id: "one".into(),
        request_id: request_id(),
    };
    op.deliberation().create_process_template(request).await.expect("a template");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_that_a_topic_goes_is_read_out_with_the_rule_that_chose_it() {
    for engine in engines() {
        let world = World::new(engine).await;
        process(&world.suite.operator()).await;
        let version = world.version("ways", TRACKS);
        let ways = "areas/xinhua/ruleBindings/ways";
        world.terminal.says(&["plugin", "stage", "active", "--binding", ways, "--version", &version]);
        let topic = pb::Topic {
            unit: format!("{AREA}/units/micro-1"),
            kind: "lamps".into(),
            title: "路灯".into(),
            body: "…".into(),
            ..Default::default()
        };
        let request = pb::CreateTopicRequest { parent: AREA.into(), topic: Some(topic), request_id: request_id() };
        let raiser = world.suite.actor(world.community.adult(1));
        let made = raiser.deliberation().create_topic(request).await.expect("a topic").into_inner();
        let told = world.terminal.says(&["decision", "explain", &made.name]);
        assert!(told.contains("Which way does this topic go?") && told.contains("Answer: one"), "{engine:?}: {told}");
        assert!(told.contains("because: A small matter") && told.contains("\"Ways\""), "{engine:?}: {told}");
        world.suite.stop().await;
    }
}
