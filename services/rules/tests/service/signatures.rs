//! Signatures of authors: good for one plugin and its bytes, by keys that the area or one above it trusts.

use ed25519_dalek::{Signer as _, SigningKey};
use linli_proto::common::Text;
use linli_proto::rules::*;

use crate::suite::*;
use crate::support::built;

fn author() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn header(plugin: &str, key: &str, signer: &SigningKey, over: (&str, &[u8])) -> UploadHeader {
    let (signed_plugin, bytes) = over;
    let digest = linli_rules::engine::Digest::of(bytes);
    let message = [b"linli-plugin-v1\0".as_slice(), signed_plugin.as_bytes(), b"\0", digest.as_bytes()].concat();
    UploadHeader {
        parent: plugin.into(),
        author_key: key.into(),
        signature: signer.sign(&message).to_bytes().to_vec(),
        ..UploadHeader::default()
    }
}

async fn trust(suite: &Suite, area: &str, id: &str, key: &SigningKey) -> AuthorKey {
    let author_key = AuthorKey {
        display_name: Some(Text { zh_cn: "小王".into(), en: "Wang".into() }),
        public_key: key.verifying_key().to_bytes().to_vec(),
        ..AuthorKey::default()
    };
    let request = CreateAuthorKeyRequest {
        parent: format!("areas/{area}"),
        author_key: Some(author_key),
        author_key_id: id.into(),
        request_id: String::new(),
    };
    suite.as_(OPERATOR).create_author_key(request).await.expect("a key").into_inner()
}

async fn ask_for_signatures(suite: &Suite, area: &str) {
    let rules_policy =
        RulesPolicy { name: format!("areas/{area}/rulesPolicy"), signature_required: true, ..RulesPolicy::default() };
    let request = UpdateRulesPolicyRequest { rules_policy: Some(rules_policy), ..UpdateRulesPolicyRequest::default() };
    suite.as_(OPERATOR).update_rules_policy(request).await.expect("a policy");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_is_good_for_the_plugin_and_the_bytes_that_were_signed() {
    for suite in suites().await {
        let plugin = suite.plugin("xinhua", "haircut").await.name;
        let other = suite.plugin("xinhua", "other").await.name;
        let (key, bytes) = (author(), built("haircut"));
        let trusted = trust(&suite, "heping", "wang", &key).await.name;
        let good = suite.upload(header(&plugin, &trusted, &key, (&plugin, &bytes)), &bytes).await.expect("uploads");
        assert_eq!(good.author_key, trusted);
        let replayed = suite.upload(header(&other, &trusted, &key, (&plugin, &bytes)), &bytes).await;
        assert_eq!(refusal(&replayed.expect_err("another plugin")).1, ["header.signature: SIGNATURE_WRONG"]);
        let meals = built("meals");
        let moved = suite.upload(header(&plugin, &trusted, &key, (&plugin, &bytes)), &meals).await;
        assert_eq!(refusal(&moved.expect_err("other bytes")).1, ["header.signature: SIGNATURE_WRONG"]);
        let forged = SigningKey::from_bytes(&[8; 32]);
        let forged = suite.upload(header(&plugin, &trusted, &forged, (&plugin, &meals)), &meals).await;
        assert_eq!(refusal(&forged.expect_err("another key")).1, ["header.signature: SIGNATURE_WRONG"]);
        let short = UploadHeader { signature: vec![1; 63], ..header(&plugin, &trusted, &key, (&plugin, &meals)) };
        let short = suite.upload(short, &meals).await;
        assert_eq!(refusal(&short.expect_err("cut off")).1, ["header.signature: SIGNATURE_WRONG"]);
        let nobodys = UploadHeader { author_key: String::new(), ..header(&plugin, "", &key, (&plugin, &meals)) };
        let nobodys = suite.upload(nobodys, &meals).await;
        assert_eq!(refusal(&nobodys.expect_err("no key")).1, ["header.author_key: FIELD_REQUIRED"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_keys_of_the_area_and_of_those_above_it_are_trusted() {
    for suite in suites().await {
        let plugin = suite.plugin("xinhua", "haircut").await.name;
        let (key, bytes) = (author(), built("haircut"));
        let neighbours = trust(&suite, "guanba", "wang", &key).await.name;
        let refused = suite.upload(header(&plugin, &neighbours, &key, (&plugin, &bytes)), &bytes).await;
        assert_eq!(refusal(&refused.expect_err("a neighbour's")).1, ["header.author_key: KEY_NOT_TRUSTED"]);
        let own = trust(&suite, "xinhua", "wang", &key).await;
        let off = UpdateAuthorKeyRequest {
            author_key: Some(AuthorKey { disabled: true, ..own.clone() }),
            update_mask: Some(prost_types::FieldMask { paths: vec!["disabled".into()] }),
            ..UpdateAuthorKeyRequest::default()
        };
        suite.as_(OPERATOR).update_author_key(off).await.expect("switched off");
        let refused = suite.upload(header(&plugin, &own.name, &key, (&plugin, &bytes)), &bytes).await;
        assert_eq!(refusal(&refused.expect_err("switched off")).1, ["header.author_key: KEY_NOT_TRUSTED"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_charter_asks_for_a_signature_nothing_unsigned_is_taken_or_bound() {
    for suite in suites().await {
        let unsigned = suite.ready("xinhua", "haircut").await;
        ask_for_signatures(&suite, "heping").await;
        let plugin = suite.plugin("xinhua", "meals").await.name;
        let bytes = built("meals");
        let refused = suite.upload(UploadHeader { parent: plugin.clone(), ..UploadHeader::default() }, &bytes).await;
        assert_eq!(refusal(&refused.expect_err("unsigned")).1, ["header.signature: SIGNATURE_REQUIRED"]);
        let refused = suite.bind("xinhua", "first", binding("booking-eligibility", &unsigned, vec![])).await;
        assert_eq!(refusal(&refused.expect_err("unsigned")).1, ["rule_binding.plugin_version: VERSION_UNSIGNED"]);

        let key = author();
        let trusted = trust(&suite, "xinhua", "wang", &key).await.name;
        let haircut = built("haircut");
        let signed = header(&unsigned.plugin, &trusted, &key, (&unsigned.plugin, &haircut));
        let same = suite.upload(signed, &haircut).await.expect("the same bytes, signed now");
        assert_eq!((same.name.as_str(), same.author_key), (unsigned.name.as_str(), trusted));
        suite.bind("xinhua", "first", binding("booking-eligibility", &unsigned, vec![])).await.expect("signed by now");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_bound_only_while_the_key_that_signed_it_is_trusted_under_its_name() {
    for suite in suites().await {
        ask_for_signatures(&suite, "xinhua").await;
        let plugin = suite.plugin("xinhua", "haircut").await.name;
        let (key, bytes) = (author(), built("haircut"));
        let trusted = trust(&suite, "xinhua", "wang", &key).await;
        let version =
            suite.upload(header(&plugin, &trusted.name, &key, (&plugin, &bytes)), &bytes).await.expect("taken");
        let version = suite.validate(&version.name).await;
        let wanted = || binding("booking-eligibility", &version, vec![]);
        let set = async |author_key: AuthorKey, path: &str| {
            let update_mask = Some(prost_types::FieldMask { paths: vec![path.into()] });
            let author_key = Some(author_key);
            let update = UpdateAuthorKeyRequest { author_key, update_mask, ..UpdateAuthorKeyRequest::default() };
            suite.as_(OPERATOR).update_author_key(update).await.expect("changed");
        };
        let unsigned = async || {
            let refused = suite.bind("xinhua", "first", wanted()).await.expect_err("nobody trusts it");
            assert_eq!(refusal(&refused).1, ["rule_binding.plugin_version: VERSION_UNSIGNED"]);
        };
        set(AuthorKey { disabled: true, etag: String::new(), ..trusted.clone() }, "disabled").await;
        unsigned().await;
        set(AuthorKey { disabled: false, etag: String::new(), ..trusted.clone() }, "disabled").await;
        let another = SigningKey::from_bytes(&[9; 32]).verifying_key().to_bytes().to_vec();
        set(AuthorKey { public_key: another, etag: String::new(), ..trusted.clone() }, "public_key").await;
        unsigned().await;
        set(AuthorKey { etag: String::new(), ..trusted.clone() }, "public_key").await;
        suite.bind("xinhua", "first", wanted()).await.expect("trusted again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_author_brings_versions_hears_of_their_own_and_binds_none() {
    for suite in suites().await {
        let plugin = suite.plugin("xinhua", "haircut").await.name;
        let upload = UploadHeader { parent: plugin, ..UploadHeader::default() };
        let version = suite.upload_as(AUTHOR, upload, &built("haircut"), 64 << 10).await.expect("uploads");
        let request = ValidatePluginVersionRequest { name: version.name.clone(), request_id: String::new() };
        let started = suite.as_(AUTHOR).validate_plugin_version(request).await.expect("starts").into_inner();
        let version: PluginVersion = response(&suite.wait(started).await);
        let request = CreateRuleBindingRequest {
            parent: "areas/xinhua".into(),
            rule_binding: Some(binding("booking-eligibility", &version, vec![])),
            rule_binding_id: "first".into(),
            request_id: String::new(),
        };
        let denied = suite.as_(AUTHOR).create_rule_binding(request).await.expect_err("not theirs to decide");
        assert_eq!(denied.code(), tonic::Code::PermissionDenied);
        let other = suite.ready("xinhua", "meals").await;
        for quarantined in [&version, &other] {
            suite.tamper(&format!("UPDATE plugin_version SET state = 4 WHERE digest = '{}'", quarantined.digest)).await;
            let (name, note) = (quarantined.name.clone(), "looked at".to_owned());
            let release = ReleasePluginVersionRequest { name, note, ..ReleasePluginVersionRequest::default() };
            suite.as_(OPERATOR).release_plugin_version(release).await.expect("released");
        }
        let list = || ListPluginNoticesRequest { parent: "areas/xinhua".into(), ..ListPluginNoticesRequest::default() };
        let own = suite.as_(AUTHOR).list_plugin_notices(list()).await.expect("reads").into_inner().plugin_notices;
        assert_eq!(own.iter().map(|notice| &notice.plugin_version).collect::<Vec<_>>(), [&version.name]);
        let all = suite.as_(OPERATOR).list_plugin_notices(list()).await.expect("reads").into_inner().plugin_notices;
        assert_eq!(all.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_signatures_anybody_can_make_is_refused() {
    for suite in suites().await {
        let mut identity = vec![0; 32];
        identity[0] = 1;
        for public_key in [identity, vec![0; 31], vec![0xff; 32]] {
            let author_key = AuthorKey {
                display_name: Some(Text { zh_cn: "小王".into(), en: "Wang".into() }),
                public_key,
                ..AuthorKey::default()
            };
            let request = CreateAuthorKeyRequest {
                parent: "areas/xinhua".into(),
                author_key: Some(author_key),
                author_key_id: "weak".into(),
                request_id: String::new(),
            };
            let refused = suite.as_(OPERATOR).create_author_key(request).await.expect_err("no key");
            assert_eq!(refusal(&refused).1, ["author_key.public_key: PUBLIC_KEY_INVALID"]);
        }
    }
}
