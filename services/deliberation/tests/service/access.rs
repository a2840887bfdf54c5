//! Who sees and does what.

use linli_proto::deliberation as pb;
use tonic::Code;

use crate::world::{AREA, COUNCIL, MANAGER, WORKER, World, reason, resident};

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
async fn support_on_behalf_needs_a_post_and_a_resident() {
    for world in World::all().await {
        world.six_steps().await;
        let topic = world.raise(&resident(0, 0)).await.name;
        let support =
            |supporter: String| pb::SupportTopicRequest { name: topic.clone(), supporter, ..Default::default() };
        let done = world.client(WORKER).support_topic(support(resident(2, 0))).await.expect("lives in the grid");
        assert_eq!(done.into_inner().supports, 1);
        let other = world.client(WORKER).support_topic(support(resident(9, 0))).await.expect_err("another grid");
        assert_eq!(other.code(), Code::PermissionDenied);
        let neighbour =
            world.client(&resident(1, 0)).support_topic(support(resident(2, 1))).await.expect_err("no post");
        assert_eq!(reason(&neighbour), "ON_BEHALF_NEEDS_POST");
        let nobody = world.client(MANAGER).support_topic(support("areas/xinhua/people/per-none".into())).await;
        assert_eq!(nobody.expect_err("no resident").code(), Code::InvalidArgument);
        let unknown = world.client("areas/xinhua/people/per-none").support_topic(support(String::new())).await;
        assert_eq!(reason(&unknown.expect_err("org does not know them")), "NOT_A_RESIDENT");
    }
}
