//! Uploading a rule, going on where an upload broke off, and having it validated.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use linli_proto::common::Text;
use linli_proto::google::longrunning::operation;
use linli_proto::rules::upload_plugin_version_request::Data;
use linli_proto::rules::{
    CreatePluginRequest, GetPluginRequest, GetPluginVersionRequest, GetUploadRequest, Plugin, PluginVersion,
    PluginVersionState, UploadHeader, UploadPluginVersionRequest, ValidatePluginVersionRequest,
};
use sha2::{Digest as _, Sha256};
use tonic::{Code, Response, Status};
use uuid::Uuid;

use super::operation as running;
use crate::client::{CallError, Connection};
use crate::commands::output;

/// Bytes of one message of an upload.
const CHUNK: usize = 48 << 10;
/// One wait for the validation, well within the deadline of a call.
const WAIT: Duration = Duration::from_secs(10);
/// After that the validation counts as lost: its own limit is ten seconds.
const LOST: Duration = Duration::from_secs(120);
/// The largest rule of any form.
const MOST_BYTES: usize = 2 << 20;
/// How often a stream that breaks off is gone on with.
const ATTEMPTS: u32 = 5;

/// An author's signature and the key that it is to be checked with.
#[derive(Debug, Clone, Default)]
pub struct Signed {
    /// `areas/{area}/authorKeys/{id}`; empty: unsigned.
    pub author_key: String,
    /// 64 bytes.
    pub signature: Vec<u8>,
}

/// Uploads a rule as a version of a plugin that exists, and waits until it is valid.
///
/// The same bytes are the same version, so that a repeat does no harm.
///
/// # Errors
/// What the server answered; every problem of a version that was rejected.
pub async fn upload(connection: &Connection, plugin: &str, bytes: &[u8]) -> Result<PluginVersion> {
    upload_signed(connection, plugin, bytes, &Signed::default()).await
}

/// As [`upload`], with the author's signature.
///
/// # Errors
/// What the server answered; every problem of a version that was rejected.
pub async fn upload_signed(
    connection: &Connection,
    plugin: &str,
    bytes: &[u8],
    signed: &Signed,
) -> Result<PluginVersion> {
    let uploaded = send(connection, plugin, bytes, signed).await?;
    let version = match uploaded.state() {
        PluginVersionState::Valid => uploaded,
        _ => validate_remote(connection, &uploaded.name).await?,
    };
    if version.state() == PluginVersionState::Valid {
        return Ok(version);
    }
    let problems: Vec<String> = version
        .problems
        .iter()
        .map(|p| {
            let place = if p.location.is_empty() { String::new() } else { format!(" ({})", p.location) };
            format!("  {}{place}: {}", p.code, p.message)
        })
        .collect();
    bail!("{} was rejected\n{}", version.name, problems.join("\n"))
}

/// Sends what the server does not have yet; a stream that breaks off is gone on with where it broke.
async fn send(connection: &Connection, plugin: &str, bytes: &[u8], signed: &Signed) -> Result<PluginVersion> {
    ensure!(bytes.len() <= MOST_BYTES, "the rule has {} bytes, {MOST_BYTES} are allowed", bytes.len());
    let digest = hex::encode(Sha256::digest(bytes));
    let bar = output::progress(bytes.len(), "bytes sent");
    let request_id = Uuid::new_v4().to_string();
    let (mut attempt, mut from_the_start) = (1, false);
    loop {
        let offset = if from_the_start { 0 } else { received(connection, plugin, &digest, bytes.len()).await? };
        bar.set_position(offset as u64);
        let header = UploadHeader {
            parent: plugin.to_owned(),
            digest: digest.clone(),
            offset: i64::try_from(offset)?,
            author_key: signed.author_key.clone(),
            signature: signed.signature.clone(),
            request_id: request_id.clone(),
        };
        match stream(connection, header, &bytes[offset..], bar.clone()).await {
            Ok(version) => {
                bar.finish_and_clear();
                return Ok(version.into_inner());
            }
            // Another stream of the same bytes came further meanwhile, or the connection broke.
            Err(status) => {
                let error = CallError::new("UploadPluginVersion", status);
                // What somebody had sent under this digest was something else.
                let mixed = offset > 0 && error.fields().iter().any(|(field, _)| field == "header.digest");
                if attempt == ATTEMPTS || !(mixed || error.is_transient() || error.code() == Code::Aborted) {
                    return Err(error.into());
                }
                from_the_start |= mixed;
                tokio::time::sleep(error.retry_after().unwrap_or(Duration::from_millis(200) * attempt)).await;
                attempt += 1;
            }
        }
    }
}

async fn stream(
    connection: &Connection,
    header: UploadHeader,
    rest: &[u8],
    bar: indicatif::ProgressBar,
) -> Result<Response<PluginVersion>, Status> {
    let message = |data| UploadPluginVersionRequest { data: Some(data) };
    let mut messages = vec![message(Data::Header(header))];
    messages.extend(rest.chunks(CHUNK).map(|chunk| message(Data::Chunk(chunk.to_vec()))));
    let counted = futures::StreamExt::inspect(futures::stream::iter(messages), move |message| {
        if let Some(Data::Chunk(chunk)) = &message.data {
            bar.inc(chunk.len() as u64);
        }
    });
    connection.rules().upload_plugin_version(counted).await
}

/// How many bytes of an upload the server has already; what it cannot have is taken as none.
async fn received(connection: &Connection, plugin: &str, digest: &str, len: usize) -> Result<usize> {
    let area = plugin.split("/plugins/").next().unwrap_or_default();
    let request = GetUploadRequest { name: format!("{area}/uploads/{digest}") };
    match ask!(connection, "GetUpload", get_upload, request) {
        Ok(found) if found.plugin == plugin => {
            let received = usize::try_from(found.received_bytes).unwrap_or(0);
            if (1..=len).contains(&received) {
                output::say(format!("{received} of {len} bytes are there already; going on from there"));
                return Ok(received);
            }
            Ok(0)
        }
        Ok(_) => Ok(0),
        Err(error) if error.code() == Code::NotFound => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Has a version validated and returns it as it is then, valid or rejected.
///
/// # Errors
/// What the server answered; when the validation does not end.
pub async fn validate_remote(connection: &Connection, version: &str) -> Result<PluginVersion> {
    let request = ValidatePluginVersionRequest { name: version.to_owned(), request_id: Uuid::new_v4().to_string() };
    let begun = ask!(connection, "ValidatePluginVersion", validate_plugin_version, request)?;
    let ended = running::wait(connection, begun, LOST, WAIT, |_| {}).await?;
    if let Some(operation::Result::Error(error)) = ended.result {
        bail!("the validation of {version} failed: {}", error.message);
    }
    let request = GetPluginVersionRequest { name: version.to_owned() };
    Ok(ask!(connection, "GetPluginVersion", get_plugin_version, request)?)
}

/// Creates a plugin that is not there; says whether it did.
pub(super) async fn ensure_plugin(connection: &Connection, name: &str, title: Option<&str>) -> Result<bool> {
    let request = GetPluginRequest { name: name.to_owned() };
    let missing: CallError = match ask!(connection, "GetPlugin", get_plugin, request) {
        Ok(_) => return Ok(false),
        Err(error) if error.code() == Code::NotFound => error,
        Err(error) => return Err(error.into()),
    };
    let Some(title) = title else {
        return Err(missing).context("to create the plugin with its first version, give it a --title");
    };
    let (area, id) =
        name.split_once("/plugins/").with_context(|| format!("{name:?} is no plugin such as areas/x/plugins/y"))?;
    let request = CreatePluginRequest {
        parent: area.to_owned(),
        plugin: Some(Plugin {
            display_name: Some(Text { zh_cn: title.to_owned(), en: title.to_owned() }),
            ..Plugin::default()
        }),
        plugin_id: id.to_owned(),
        request_id: Uuid::new_v4().to_string(),
    };
    ask!(connection, "CreatePlugin", create_plugin, request)?;
    Ok(true)
}
