//! Uploads, validation, operations.

use linli_kit::columns::{self, Class};
use linli_proto::google::longrunning::ListOperationsRequest;
use linli_proto::rules::upload_plugin_version_request::Data;
use linli_proto::rules::*;

use crate::suite::*;
use crate::support::{built, guest, hostile};

fn header(parent: &str) -> UploadHeader {
    UploadHeader { parent: parent.into(), ..UploadHeader::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_are_the_same_version() {
    for suite in suites().await {
        let plugin = suite.plugin("xinhua", "haircut").await.name;
        let bytes = built("haircut");
        let first = suite.upload(header(&plugin), &bytes).await.expect("uploads");
        assert_eq!((first.state(), first.size_bytes as usize), (PluginVersionState::Uploaded, bytes.len()));
        assert!(first.name.starts_with("areas/xinhua/pluginVersions/pv-"), "{}", first.name);
        let again = suite.upload(header(&plugin), &bytes).await.expect("uploads again");
        assert_eq!(again, first);
        let id = UploadHeader { request_id: "6f2c1f5e-6c62-4d0e-9a43-3c9f0f3a4c11".into(), ..header(&plugin) };
        for _ in 0..2 {
            assert_eq!(suite.upload(id.clone(), &bytes).await.expect("once").name, first.name);
        }
        let reused = suite.upload(id, &built("meals")).await.expect_err("other bytes, same id");
        assert_eq!(refusal(&reused).0, "REQUEST_ID_REUSED");
        let other = suite.plugin("xinhua", "second").await.name;
        let elsewhere = suite.upload(header(&other), &bytes).await.expect("of another plugin");
        assert_ne!(elsewhere.name, first.name);
        let list = ListPluginVersionsRequest {
            parent: "areas/-".into(),
            filter: format!("plugin = \"{plugin}\" AND state = PLUGIN_VERSION_STATE_UPLOADED"),
            ..ListPluginVersionsRequest::default()
        };
        let listed = suite.as_(OPERATOR).list_plugin_versions(list).await.expect("lists").into_inner();
        assert_eq!(listed.plugin_versions, [first]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_refused_before_its_bytes_are_looked_at() {
    for suite in suites().await {
        let plugin = suite.plugin("xinhua", "haircut").await.name;
        let bytes = built("haircut");
        let resident = "areas/xinhua/people/per-a";
        let denied = suite.upload_as(resident, header(&plugin), &bytes, 1 << 10).await.expect_err("no right");
        assert_eq!(denied.code(), tonic::Code::PermissionDenied);
        let gone = suite.upload(header("areas/xinhua/plugins/none"), &bytes).await.expect_err("no plugin");
        assert_eq!(gone.code(), tonic::Code::NotFound);
        let chunk = Data::Chunk(bytes.clone());
        let first = suite.send(OPERATOR, vec![chunk]).await.expect_err("no header");
        assert_eq!(refusal(&first).1, ["header: UPLOAD_HEADER_FIRST"]);
        let long = suite.upload_as(OPERATOR, header(&plugin), &[0; 70 << 10], 70 << 10).await.expect_err("long");
        assert_eq!(refusal(&long).1, ["chunk: CHUNK_TOO_LARGE"]);
        let large = suite.upload(header(&plugin), &vec![0; 300 << 10]).await.expect_err("large");
        assert_eq!(refusal(&large).1, ["chunk: UPLOAD_TOO_LARGE"]);
        let empty = suite.upload(header(&plugin), &[]).await.expect_err("empty");
        assert_eq!(refusal(&empty).1, ["chunk: FIELD_REQUIRED"]);
        let wrong = UploadHeader { digest: "00".repeat(32), ..header(&plugin) };
        let wrong = suite.upload(wrong, &bytes).await.expect_err("another digest");
        assert_eq!(refusal(&wrong).1, ["header.digest: DIGEST_MISMATCH"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_valid_version_says_what_it_is_and_is_validated_once() {
    for suite in suites().await {
        let version = suite.ready("xinhua", "haircut").await;
        assert_eq!(version.hooks, ["booking-eligibility", "booking-priority"]);
        assert_eq!((version.form(), suite.compiled()), (PluginForm::Native, 1), "nobody compiles it again");
        let manifest = version.manifest.clone().expect("a manifest");
        assert_eq!((manifest.title.as_str(), manifest.facts.len()), ("义剪规则", 3));
        assert!(manifest.settings.iter().any(|s| s.key == "per-month" && s.r#type == "number(1..31)"));
        let get = GetPluginVersionRequest { name: version.name.clone() };
        assert_eq!(suite.as_(OPERATOR).get_plugin_version(get).await.expect("reads").into_inner(), version);
        let request = ValidatePluginVersionRequest { name: version.name.clone(), request_id: String::new() };
        let again = suite.as_(OPERATOR).validate_plugin_version(request).await.expect("answers").into_inner();
        assert!(again.done && !again.name.is_empty());
        assert_eq!(response(&again), version);
        let list = ListOperationsRequest { name: "areas/xinhua/operations".into(), ..ListOperationsRequest::default() };
        let listed = suite.operations(OPERATOR).list_operations(list.clone()).await.expect("lists").into_inner();
        assert_eq!(listed.operations.len(), 1);
        let denied = suite.operations("areas/xinhua/people/per-a").list_operations(list).await.expect_err("no right");
        assert_eq!(denied.code(), tonic::Code::PermissionDenied);
        let delete = DeletePluginRequest { name: version.plugin.clone(), ..DeletePluginRequest::default() };
        let used = suite.as_(OPERATOR).delete_plugin(delete).await.expect_err("it has a version");
        assert_eq!(refusal(&used).0, "STILL_REFERENCED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_upload_lists_all_its_problems() {
    for suite in suites().await {
        let plugin = suite.plugin("xinhua", "bad").await.name;
        let uploaded = suite.upload(header(&plugin), &hostile("many-things-wrong")).await.expect("uploads");
        let version = suite.validate(&uploaded.name).await;
        assert_eq!(version.state(), PluginVersionState::Rejected);
        assert!(version.problems.len() >= 3, "{:?}", version.problems);
        let codes: Vec<&str> = version.problems.iter().map(|p| p.code.as_str()).collect();
        assert!(codes.contains(&"FORBIDDEN_IMPORT") && codes.contains(&"NO_META"), "{codes:?}");
        assert!(version.problems.iter().all(|p| !p.message.is_ascii()), "in Chinese");
        let mut request = tonic::Request::new(GetPluginVersionRequest { name: version.name.clone() });
        request.metadata_mut().insert("accept-language", "en".parse().expect("a header"));
        let english = suite.as_(OPERATOR).get_plugin_version(request).await.expect("reads").into_inner();
        assert!(english.problems.iter().all(|p| p.message.is_ascii()), "{:?}", english.problems);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_looping_plugin_cannot_be_bound() {
    for suite in suites().await {
        let plugin = suite.plugin("xinhua", "loop").await.name;
        let uploaded = suite.upload(header(&plugin), &guest("loop")).await.expect("uploads");
        let early = suite.bind("xinhua", "early", binding("points-award", &uploaded, vec![])).await;
        assert_eq!(refusal(&early.expect_err("unchecked")).1, ["rule_binding.plugin_version: VERSION_NOT_VALIDATED"]);
        let version = suite.validate(&uploaded.name).await;
        assert_eq!(version.problems.first().map(|p| p.code.as_str()), Some("LOOPS"), "{version:?}");
        let refused = suite.bind("xinhua", "late", binding("points-award", &version, vec![])).await;
        assert_eq!(refusal(&refused.expect_err("rejected")).1, ["rule_binding.plugin_version: VERSION_REJECTED"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_column_has_a_class() {
    for suite in suites().await {
        let access = linli_access::COLUMNS.iter().map(|(table, column)| (*table, *column, Class::Public));
        let mut all: Vec<columns::Column> = columns::KIT.to_vec();
        all.extend(access);
        all.extend_from_slice(linli_rules::COLUMNS);
        let found = columns::assert_all_classified(&suite.store, &all).await.expect("reads");
        assert!(found.is_empty(), "{found:#?}");
    }
}

#[test]
fn every_text_exists_in_both_languages() {
    let ids = |source: &str| -> Vec<String> {
        source.lines().filter_map(|l| l.split_once(" = ").map(|(id, _)| id.to_owned())).collect()
    };
    let zh = ids(include_str!("../../locales/zh-CN.ftl"));
    assert_eq!(zh, ids(include_str!("../../locales/en.ftl")));
    assert!(zh.iter().all(|id| linli_rules::texts().has(id)));
}
