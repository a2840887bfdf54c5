//! Structure templates: what they must go on holding, and the gaps against them.

use linli_proto::org::*;

use crate::suite::*;

async fn apply(
    suite: &Suite,
    template: StructureTemplate,
) -> Result<tonic::Response<StructureTemplate>, tonic::Status> {
    let request = UpdateStructureTemplateRequest {
        structure_template: Some(template),
        allow_missing: true,
        ..Default::default()
    };
    suite.op().update_structure_template(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_keeps_the_kinds_and_posts_that_are_in_use() {
    for suite in suites().await {
        let who = suite.home("micro-1", vec![person("甲", 1950)]).await.1[0].name.clone();
        let post = suite.appoint(&who, ("micro-1", "housekeeper"), (5, None)).await.expect("a post").into_inner();
        let mut none = template();
        none.unit_kinds.retain(|kind| kind.code != "micro");
        none.unit_kinds.iter_mut().for_each(|kind| kind.required_posts.clear());
        none.posts = vec![];
        let status = apply(&suite, none.clone()).await.expect_err("in use");
        assert_eq!(status.code(), tonic::Code::FailedPrecondition);
        let wanted = ["structure_template.unit_kinds: KIND_IN_USE"];
        assert_eq!(refusal(&status), ("STILL_REFERENCED".to_owned(), wanted.map(str::to_owned).to_vec()));
        none.posts = template().posts.into_iter().filter(|post| post.role == "grid-worker").collect();
        let wanted = ["structure_template.unit_kinds: KIND_IN_USE", "structure_template.posts: POST_IN_USE"];
        assert_eq!(fields(apply(&suite, none).await), wanted);
        let mut other = template();
        other.unit_kinds[1].parent_kinds.clear();
        assert_eq!(fields(apply(&suite, other).await), ["structure_template.unit_kinds: KIND_DOES_NOT_NEST"]);
        let delete = || DeleteStructureTemplateRequest { name: template().name, ..Default::default() };
        let status = suite.op().delete_structure_template(delete()).await.expect_err("in use");
        assert_eq!(status.code(), tonic::Code::FailedPrecondition);
        assert!(refusal(&status).1.contains(&"name: KIND_IN_USE".to_owned()), "{status:?}");

        // The template above has the same kinds and posts: nothing stands in the way any more.
        let above = StructureTemplate { name: "areas/litong/structureTemplates/structure".into(), ..template() };
        apply(&suite, above).await.expect("applies");
        suite.op().delete_structure_template(delete()).await.expect("what is above applies");
        let end = EndAppointmentRequest { name: post.name, end_time: Some(suite.day(5)), ..Default::default() };
        suite.op().end_appointment(end).await.expect("never begins");
        let name = "areas/litong/structureTemplates/structure".to_owned();
        let gone = DeleteStructureTemplateRequest { name, ..Default::default() };
        let status = suite.op().delete_structure_template(gone).await.expect_err("the community below needs it");
        assert!(refusal(&status).1.contains(&"name: KIND_IN_USE".to_owned()), "{status:?}");
        suite.op().create_unit(create("micro-2", unit("micro", "grid-2"))).await.expect("by the template above");
        assert_eq!(suite.violations().await, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gaps_are_paged_by_what_they_are_not_by_their_place() {
    for suite in suites().await {
        let who = suite.home("micro-1", vec![person("甲", 1950)]).await.1[0].name.clone();
        let page = async |page_size: i32, page_token: &str| {
            let request = ListGapsRequest {
                parent: PARENT.into(),
                page_size,
                page_token: page_token.into(),
                ..Default::default()
            };
            suite.op().list_gaps(request).await.expect("gaps").into_inner()
        };
        let named = |gaps: &[Gap]| -> Vec<(String, String)> {
            gaps.iter()
                .map(|gap| (gap.unit.rsplit('/').next().unwrap_or_default().to_owned(), gap.role.clone()))
                .collect()
        };
        let all = named(&page(0, "").await.gaps);
        let gap = |unit: &str, role: &str| (unit.to_owned(), role.to_owned());
        let wanted = [
            gap("grid-1", "grid-worker"),
            gap("micro-1", "head"),
            gap("micro-1", "housekeeper"),
            gap("grid-2", "grid-worker"),
        ];
        assert_eq!(all, wanted);
        let first = page(2, "").await;
        assert_eq!(named(&first.gaps), wanted[..2]);
        // One that was listed is filled: by its place the next page would leave one out.
        suite.appoint(&who, ("grid-1", "grid-worker"), (0, None)).await.expect("a post");
        let second = page(2, &first.next_page_token).await;
        assert_eq!(named(&second.gaps), wanted[2..]);
        assert_eq!((second.next_page_token.as_str(), second.total_size), ("", 3));
    }
}
