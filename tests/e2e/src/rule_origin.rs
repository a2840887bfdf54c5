//! How a rule comes into a community: uploads that break off, signatures, a table from nothing to force; both engines.

use std::fs;

use futures::StreamExt as _;
use linli_harness::{TestSuite, engines, rules, seed, until};
use linli_proto::rules::upload_plugin_version_request::Data;
use linli_proto::rules::{CreatePluginRequest, GetUploadRequest, Plugin, UploadHeader, UploadPluginVersionRequest};

use crate::cli::{Terminal, document};

const AREA: &str = "areas/xinhua";
const TABLE: &str = "linli: table/1\ntitle: {zh-CN: 门, en: Door}\nsummary: {zh-CN: 试, en: A trial}\n\
                     rules:\n  booking-eligibility:\n    - then: allow\n";

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_broke_off_is_gone_on_with_by_the_same_command() {
    for engine in engines() {
        let suite = TestSuite::start(engine).await.expect("the suite starts");
        seed::area(&suite.operator(), "xinhua").await;
        let terminal = Terminal::operator(&suite);
        let bytes = padded(rules::component("haircut"));
        let file = suite.config.data_dir.join("haircut.wasm");
        fs::write(&file, &bytes).expect("a file");
        let digest = digest_of(&bytes);
        let request = CreatePluginRequest {
            parent: AREA.into(),
            plugin: Some(Plugin { display_name: seed::text("义剪", "Haircut"), ..Default::default() }),
            plugin_id: "haircut".into(),
            request_id: seed::request_id(),
        };
        let plugin = suite.operator().rules().create_plugin(request).await.expect("a plugin").into_inner().name;

        // Most of it is sent, and then the sender goes away.
        let sent = bytes.len() - 1_000;
        let header = UploadHeader { parent: plugin.clone(), digest: digest.clone(), ..Default::default() };
        let chunks = bytes[..sent].chunks(60 << 10).map(|chunk| Data::Chunk(chunk.to_vec()));
        let messages = std::iter::once(Data::Header(header)).chain(chunks);
        let messages: Vec<_> = messages.map(|data| UploadPluginVersionRequest { data: Some(data) }).collect();
        let operator = suite.operator();
        let endless = futures::stream::iter(messages).chain(futures::stream::pending());
        let sender = tokio::spawn(async move { operator.rules().upload_plugin_version(endless).await });
        let looking = GetUploadRequest { name: format!("{AREA}/uploads/{digest}") };
        let received = until("what came of it", || async {
            let found = suite.operator().rules().get_upload(looking.clone()).await;
            found.ok().map(|found| found.into_inner().received_bytes)
        });
        let received = received.await;
        sender.abort();
        assert!((1..bytes.len() as i64).contains(&received), "{engine:?}: {received}");

        let ran = terminal.run(&["plugin", "upload", &file.display().to_string(), "--plugin", &plugin]);
        assert!(ran.ok && ran.err.contains("bytes are there already; going on"), "{engine:?}: {ran:?}");
        let version = terminal.says(&["get", "pluginVersion", ran.out.trim(), "-o", "json"]);
        assert!(version.contains(&digest) && version.contains("VALID"), "{engine:?}: the whole of it: {version}");
        suite.stop().await;
    }
}

/// The component with a custom section that makes it long enough to break off in the middle.
fn padded(mut component: Vec<u8>) -> Vec<u8> {
    let payload = vec![7_u8; 200 << 10];
    let mut size = payload.len() + 2;
    component.push(0);
    while size >= 0x80 {
        component.push(u8::try_from(size & 0x7f).expect("seven bits") | 0x80);
        size >>= 7;
    }
    component.extend_from_slice(&[u8::try_from(size).expect("seven bits"), 1, b'x']);
    component.extend(payload);
    component
}

fn digest_of(bytes: &[u8]) -> String {
    linli_rules_engine::Digest::of(bytes).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_is_good_for_its_plugin_only_and_the_charter_may_ask_for_one() {
    for engine in engines() {
        let suite = TestSuite::start(engine).await.expect("the suite starts");
        seed::area(&suite.operator(), "xinhua").await;
        let terminal = Terminal::operator(&suite);
        let dir = suite.config.data_dir.clone();
        let (key, table) = (dir.join("key.pem").display().to_string(), document(&dir, "door.yaml", TABLE));
        let author = "areas/xinhua/authorKeys/wang";
        let public = terminal.says(&["plugin", "keygen", &key, "--name", author]);
        terminal.says(&["apply", "-f", &document(&dir, "key.yaml", &public)]);
        terminal.says(&["plugin", "policy", AREA, "--signature", "on"]);

        let (door, window) = ("areas/xinhua/plugins/door", "areas/xinhua/plugins/window");
        let upload = |plugin: &str, more: &[&str]| {
            let args = ["plugin", "upload", &table, "--plugin", plugin, "--title", "x"];
            terminal.run(&[&args[..], more].concat())
        };
        let unsigned = upload(door, &[]);
        assert!(!unsigned.ok && unsigned.err.contains("reason: "), "{engine:?}: {unsigned:?}");
        let signature = terminal.says(&["plugin", "sign", &table, "--plugin", door, "--key", &key]);
        let signature = document(&dir, "door.sig", &signature);
        let signed = ["--author-key", author, "--signature", &signature];
        let replayed = upload(window, &signed);
        assert!(!replayed.ok && replayed.err.contains("reason: "), "{engine:?}: another plugin's: {replayed:?}");
        let good = upload(door, &signed);
        assert!(good.ok, "{engine:?}: {good:?}");
        let version = terminal.says(&["get", "pluginVersion", good.out.trim(), "-o", "json"]);
        assert!(version.contains(author), "{engine:?}: it says who signed: {version}");
        suite.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_from_the_template_passes_its_cases_and_comes_into_force() {
    for engine in engines() {
        let suite = TestSuite::start(engine).await.expect("the suite starts");
        seed::area(&suite.operator(), "xinhua").await;
        let terminal = Terminal::operator(&suite);
        let plugins = suite.config.data_dir.join("rules").display().to_string();
        let dir = terminal.says(&["plugin", "new", "monthly-quota", "--lang", "table", "--plugins", &plugins]);
        let dir = dir.trim();
        let tested = terminal.says(&["plugin", "test", dir, "--out", &plugins, "--strict"]);
        assert!(tested.contains("cases pass") && tested.contains("would be noticed"), "{engine:?}: {tested}");

        let quotas = format!("{dir}/quotas.csv");
        let rows = fs::read_to_string(&quotas).expect("rows").replace(">= 4", ">= 5");
        fs::write(&quotas, rows).expect("changed rows");
        let failed = terminal.run(&["plugin", "test", dir, "--out", &plugins]);
        assert!(!failed.ok && failed.out.contains("expected") && failed.out.contains("got"), "{engine:?}: {failed:?}");

        terminal.says(&["plugin", "build", dir, "--out", &plugins]);
        let built = format!("{plugins}/monthly-quota.yaml");
        terminal.says(&["plugin", "validate", &built]);
        let version =
            terminal.says(&["plugin", "upload", &built, "--plugin", "areas/xinhua/plugins/quota", "--title", "限次"]);
        let binding = "areas/xinhua/ruleBindings/quota";
        let stage = ["plugin", "stage", "active", "--binding", binding, "--hook", "booking-eligibility"];
        terminal.says(&[&stage[..], &["--version", version.trim(), "--setting", "min-age=65"]].concat());
        let effective = terminal.says(&["plugin", "effective", AREA]);
        assert!(effective.contains("min-age=65") && effective.contains("here"), "{engine:?}: {effective}");
        suite.stop().await;
    }
}
