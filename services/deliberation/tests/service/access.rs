//! Who sees and does what.

use linli_proto::deliberation as pb;
use tonic::Code;

use crate::world::{AREA, COUNCIL, MANAGER, VIEWER, World, reason, resident};

#[tokio::test(flavor = "multi_thread")]
async fn who_raised_a_topic_is_shown_to_the_raiser_and_to_those_who_run_the_process() {
    for world in World::all().await {
        world.six_steps().await;
        let raiser = resident(0, 0);
        let topic = world.raise(&raiser).await;
        assert_eq!(topic.raised_by, raiser);
        for (reader, shown) in [(MANAGER, true), (COUNCIL, true), (&resident(1, 0), false)] {
            let got = world.client(reader).get_topic(pb::GetTopicRequest { name: topic.name.clone() }).await;
            let got = got.expect("the topic").into_inner();
            assert_eq!((got.raised_by == raiser, got.title.as_str()), (shown, "The roof leaks"), "{reader}");
            let list = pb::ListTopicsRequest { parent: AREA.into(), ..Default::default() };
            let listed = world.client(reader).list_topics(list).await.expect("topics").into_inner();
            assert_eq!(listed.topics, [got], "a list shows the same");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_areas_people_learn_nothing_not_even_absence() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.raise(&resident(0, 0)).await.name;
        let absent = "areas/xinhua/topics/top-00000000000000000000000001".to_owned();
        let mut codes = Vec::new();
        for name in [topic, absent.clone()] {
            let refused = world.client("areas/guanba/people/per-1").get_topic(pb::GetTopicRequest { name }).await;
            codes.push(refused.expect_err("another area").code());
        }
        assert_eq!(codes, [Code::PermissionDenied, Code::PermissionDenied]);
        let missing = world.client(&resident(0, 0)).get_topic(pb::GetTopicRequest { name: absent }).await;
        assert_eq!(missing.expect_err("absent").code(), Code::NotFound);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_reads_no_topic_record_or_archive() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.deliberated().await;
        let ballot = world.ballot(&topic).await;
        let mut viewer = world.client(VIEWER);
        let got = viewer.get_ballot(pb::GetBallotRequest { name: ballot.name.clone() }).await.expect("a ballot");
        assert_eq!(got.into_inner(), ballot, "a ballot and its question are public");
        let parent = || AREA.to_owned();
        let list_topics = pb::ListTopicsRequest { parent: parent(), ..Default::default() };
        let list_records = pb::ListStageRecordsRequest { parent: parent(), ..Default::default() };
        let list_archives = pb::ListArchivesRequest { parent: parent(), ..Default::default() };
        for refused in [
            viewer.get_topic(pb::GetTopicRequest { name: topic }).await.expect_err("titles are sensitive"),
            viewer.list_topics(list_topics).await.expect_err("titles are sensitive"),
            viewer.list_stage_records(list_records).await.expect_err("texts are sensitive"),
            viewer.list_archives(list_archives).await.expect_err("an archive has the texts"),
        ] {
            assert_eq!(reason(&refused), "PERMISSION_DENIED");
        }
    }
}
