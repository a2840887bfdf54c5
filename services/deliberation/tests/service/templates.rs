//! Process templates as a catalogue.

use linli_proto::deliberation as pb;
use linli_proto::deliberation::condition::Condition as Kind;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::world::{AREA, MANAGER, OPERATOR, World, reason, resident, stage, stages, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_template_is_found_in_the_nearest_area_above() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.raise(&resident(0, 0)).await;
        assert_eq!(topic.process_template, "areas/litong/processTemplates/six-steps");
        assert_eq!(topic.stage, "collect");
        world
            .template("areas/xinhua/processTemplates/six-steps", vec![stage("other", vec![Kind::StageHours(1)], &[])])
            .await;
        let nearer = world.raise(&resident(0, 0)).await;
        assert_eq!(nearer.process_template, "areas/xinhua/processTemplates/six-steps");
        assert_eq!(nearer.stage, "other");
        let first = world.client(MANAGER).get_topic(pb::GetTopicRequest { name: topic.name }).await.expect("a topic");
        assert_eq!(first.into_inner().conditions[0].message, "At least 3 supports.", "its process is frozen");
        let sideways = pb::Topic { process_template: "areas/guanba/processTemplates/six-steps".into(), ..nearer };
        let request = pb::CreateTopicRequest { parent: AREA.into(), topic: Some(sideways), ..Default::default() };
        let refused = world.client(MANAGER).create_topic(request).await.expect_err("guanba is not above xinhua");
        assert_eq!(
            refused.get_details_bad_request().expect("fields").field_violations[0].field,
            "topic.process_template"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_fields_are_all_named_and_a_trial_writes_nothing() {
    for world in World::all().await {
        let name = format!("{AREA}/processTemplates/x");
        let mut template =
            pb::ProcessTemplate { name: name.clone(), display_name: text("X"), stages: stages(), ..Default::default() };
        let request = |template: &pb::ProcessTemplate, validate_only| pb::UpdateProcessTemplateRequest {
            process_template: Some(template.clone()),
            allow_missing: true,
            validate_only,
            ..Default::default()
        };
        let mut client = world.client(MANAGER);
        let shown = client.update_process_template(request(&template, true)).await.expect("a trial").into_inner();
        assert_eq!(shown.stages.len(), 6);
        let get = pb::GetProcessTemplateRequest { name: name.clone() };
        assert_eq!(client.get_process_template(get.clone()).await.expect_err("not written").code(), Code::NotFound);
        template.stages[1].id = "collect".into();
        template.stages[0].conditions = vec![pb::Condition::default()];
        let refused = client.update_process_template(request(&template, false)).await.expect_err("two bad fields");
        let fields: Vec<String> =
            refused.get_details_bad_request().expect("fields").field_violations.into_iter().map(|v| v.field).collect();
        let wanted = ["process_template.stages[0].conditions[0]", "process_template.stages[1].id"];
        assert!(wanted.iter().all(|field| fields.iter().any(|f| f == field)) && fields.len() == 2, "{fields:?}");
        template.stages = stages();
        let written = client.update_process_template(request(&template, false)).await.expect("written").into_inner();
        let again = client.update_process_template(request(&template, false)).await.expect("the same").into_inner();
        assert_eq!(written, again, "unchanged, so nothing is written");
        assert_eq!(client.get_process_template(get).await.expect("there").into_inner(), written);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_a_topic_follows_stays() {
    for world in World::all().await {
        world.six_steps().await;
        let delete = pb::DeleteProcessTemplateRequest {
            name: "areas/litong/processTemplates/six-steps".into(),
            ..Default::default()
        };
        world.raise(&resident(0, 0)).await;
        let refused = world.client(OPERATOR).delete_process_template(delete.clone()).await.expect_err("in use");
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::FailedPrecondition, "STILL_REFERENCED"));
        let create = pb::CreateProcessTemplateRequest {
            parent: AREA.into(),
            process_template: Some(pb::ProcessTemplate {
                display_name: text("Y"),
                stages: stages(),
                ..Default::default()
            }),
            process_template_id: "y".into(),
            request_id: String::new(),
        };
        let made = world.client(MANAGER).create_process_template(create.clone()).await.expect("made").into_inner();
        assert_eq!(made.name, format!("{AREA}/processTemplates/y"));
        let twice = world.client(MANAGER).create_process_template(create).await.expect_err("exists");
        assert_eq!(twice.code(), Code::AlreadyExists);
        let list = pb::ListProcessTemplatesRequest { parent: "areas/-".into(), ..Default::default() };
        let listed = world.client(OPERATOR).list_process_templates(list).await.expect("templates").into_inner();
        assert_eq!(listed.process_templates.len(), 2);
        let delete = pb::DeleteProcessTemplateRequest { name: made.name, ..delete };
        world.client(MANAGER).delete_process_template(delete).await.expect("nobody follows it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_tells_when_its_next_meetings_are() {
    for world in World::all().await {
        let table = |rrule: &str| pb::ProcessTemplate {
            name: format!("{AREA}/processTemplates/round-table"),
            display_name: text("Round table"),
            stages: vec![stage("meet", vec![], &[])],
            meeting_rrule: rrule.to_owned(),
            ..Default::default()
        };
        for nonsense in ["every month", "FREQ=MINUTELY", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"] {
            let refused = world.process(table(nonsense)).await.expect_err(nonsense);
            let named = refused.get_details_bad_request().expect("fields").field_violations;
            assert_eq!((named.len(), named[0].field.as_str()), (1, "process_template.meeting_rrule"), "{nonsense}");
        }
        let written = world.process(table("FREQ=MONTHLY;BYMONTHDAY=15")).await.expect("written");
        // The clock stands at 2026-11-01 in Shanghai; days begin there, not in Greenwich.
        let midnight = |day: &str| {
            let at = chrono::DateTime::parse_from_rfc3339(&format!("{day}T00:00:00+08:00")).expect("a day");
            prost_types::Timestamp { seconds: at.timestamp(), nanos: 0 }
        };
        let wanted = ["2026-11-15", "2026-12-15", "2027-01-15"].map(midnight);
        assert_eq!(written.next_meeting_times, wanted);
        let get = || pb::GetProcessTemplateRequest { name: written.name.clone() };
        let list = pb::ListProcessTemplatesRequest { parent: AREA.into(), ..Default::default() };
        let listed = world.client(&resident(0, 0)).list_process_templates(list).await.expect("templates").into_inner();
        assert_eq!(listed.process_templates, std::slice::from_ref(&written));
        world.pass_hours(15 * 24);
        let later = world.client(&resident(0, 0)).get_process_template(get()).await.expect("the template").into_inner();
        assert_eq!(later.next_meeting_times[..2], wanted[1..]);
        assert_eq!(later.etag, written.etag);
        let again = world.process(later.clone()).await.expect("what is told is no change");
        assert_eq!(again, later);
    }
}
