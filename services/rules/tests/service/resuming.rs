//! Uploads that fall silent: what came is kept and gone on with; nothing is a version before its digest is right.

use std::time::Duration;

use futures::StreamExt as _;
use linli_proto::rules::upload_plugin_version_request::Data;
use linli_proto::rules::*;
use tonic::Status;

use crate::suite::*;
use crate::support::built;

/// What is sent before the stream falls silent.
const SENT: usize = 320 << 10;
/// What of it is kept: the server writes it down every 256 KiB.
const KEPT: usize = 256 << 10;

fn padded() -> Vec<u8> {
    let mut bytes = built("haircut");
    // A custom section makes it long enough to break off in the middle.
    let payload = vec![7_u8; 600 << 10];
    let size = u32::try_from(payload.len() + 2).expect("small");
    bytes.push(0);
    leb(&mut bytes, size);
    bytes.extend_from_slice(&[1, b'x']);
    bytes.extend_from_slice(&payload);
    bytes
}

fn leb(out: &mut Vec<u8>, mut value: u32) {
    loop {
        let low = u8::try_from(value & 0x7f).expect("seven bits");
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

fn digest(bytes: &[u8]) -> String {
    linli_rules::engine::Digest::of(bytes).to_string()
}

fn header(plugin: &str, bytes: &[u8], offset: usize) -> UploadHeader {
    let offset = i64::try_from(offset).expect("small");
    UploadHeader { parent: plugin.into(), digest: digest(bytes), offset, ..UploadHeader::default() }
}

/// Sends a header and the first chunks, then never ends.
async fn break_off(suite: &Suite, header: UploadHeader, bytes: &[u8]) {
    let chunks = bytes.chunks(64 << 10).map(|chunk| Data::Chunk(chunk.to_vec()));
    let messages: Vec<_> = std::iter::once(Data::Header(header))
        .chain(chunks)
        .map(|data| UploadPluginVersionRequest { data: Some(data) })
        .collect();
    let stream = futures::stream::iter(messages).chain(futures::stream::pending());
    let mut client = suite.as_(OPERATOR);
    let cut = tokio::time::timeout(Duration::from_millis(300), client.upload_plugin_version(stream)).await;
    assert!(cut.is_err(), "it was not to end");
}

async fn upload(suite: &Suite, bytes: &[u8]) -> Result<Upload, Status> {
    let request = GetUploadRequest { name: format!("areas/xinhua/uploads/{}", digest(bytes)) };
    suite.as_(OPERATOR).get_upload(request).await.map(tonic::Response::into_inner)
}

async fn kept(suite: &Suite, bytes: &[u8]) -> Upload {
    for _ in 0..200 {
        if let Ok(found) = upload(suite, bytes).await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nothing was kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_breaks_off_goes_on_where_it_stopped() {
    for suite in suites().await {
        let plugin = suite.plugin("xinhua", "haircut").await.name;
        let bytes = padded();
        let none = upload(&suite, &bytes).await.expect_err("nothing yet");
        assert_eq!(none.code(), tonic::Code::NotFound);
        break_off(&suite, header(&plugin, &bytes, 0), &bytes[..SENT]).await;
        let found = kept(&suite, &bytes).await;
        assert_eq!(
            (found.plugin.as_str(), found.received_bytes),
            (plugin.as_str(), i64::try_from(KEPT).expect("small"))
        );
        let wrong = suite.upload(header(&plugin, &bytes, KEPT + 1), &bytes[KEPT + 1..]).await.expect_err("a gap");
        assert_eq!((wrong.code(), refusal(&wrong).0.as_str()), (tonic::Code::Aborted, "UPLOAD_OFFSET"));
        let done = suite.upload(header(&plugin, &bytes, KEPT), &bytes[KEPT..]).await.expect("goes on");
        assert_eq!((done.digest, done.size_bytes), (digest(&bytes), i64::try_from(bytes.len()).expect("small")));
        assert_eq!(upload(&suite, &bytes).await.expect_err("complete").code(), tonic::Code::NotFound);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_do_not_belong_together_are_no_version() {
    for suite in suites().await {
        let plugin = suite.plugin("xinhua", "haircut").await.name;
        let bytes = padded();
        break_off(&suite, header(&plugin, &bytes, 0), &bytes[..SENT]).await;
        kept(&suite, &bytes).await;
        let mixed = suite.upload(header(&plugin, &bytes, KEPT), b"something else").await.expect_err("mixed");
        assert_eq!(refusal(&mixed).1, ["header.digest: DIGEST_MISMATCH"]);
        let nameless = UploadHeader { digest: String::new(), ..header(&plugin, &bytes, KEPT) };
        let nameless = suite.upload(nameless, &bytes[KEPT..]).await.expect_err("which one?");
        assert_eq!(refusal(&nameless).1, ["header.digest: UPLOAD_NEEDS_DIGEST"]);
        suite.upload(header(&plugin, &bytes, KEPT), &bytes[KEPT..]).await.expect("what was kept before is still good");
        suite.upload(header(&plugin, &bytes, 0), &bytes).await.expect("from the start");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_without_the_right_learns_of_no_upload() {
    for suite in suites().await {
        let request = GetUploadRequest { name: format!("areas/xinhua/uploads/{}", "0".repeat(63) + "1") };
        let denied = suite.as_("areas/xinhua/people/per-a").get_upload(request).await.expect_err("no right");
        assert_eq!(denied.code(), tonic::Code::PermissionDenied);
    }
}
