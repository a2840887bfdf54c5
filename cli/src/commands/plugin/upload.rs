//! Uploading a component and having it validated.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use linli_proto::common::Text;
use linli_proto::google::longrunning::{Operation, WaitOperationRequest, operation};
use linli_proto::rules::upload_plugin_version_request::Data;
use linli_proto::rules::{
    CreatePluginRequest, GetPluginRequest, GetPluginVersionRequest, Plugin, PluginVersion, PluginVersionState,
    UploadHeader, UploadPluginVersionRequest, ValidatePluginVersionRequest,
};
use linli_rules::engine::Caps;
use sha2::{Digest as _, Sha256};
use tonic::Code;
use uuid::Uuid;

use crate::client::{CallError, Connection};

/// Bytes of one message of an upload.
const CHUNK: usize = 48 << 10;
/// One wait for the validation, well within the deadline of a call.
const WAIT: Duration = Duration::from_secs(10);
/// Waits until the validation counts as lost: its own limit is ten seconds.
const WAITS: u32 = 12;

/// Uploads a component as a version of a plugin that exists, and waits until it is valid.
///
/// The same bytes are the same version, so that a repeat does no harm.
///
/// # Errors
/// What the server answered; every problem of a version that was rejected.
pub async fn upload(connection: &Connection, plugin: &str, bytes: &[u8]) -> Result<PluginVersion> {
    let most = Caps::native().bytes;
    ensure!(bytes.len() <= most, "the component has {} bytes, {most} are allowed", bytes.len());
    let header = UploadHeader {
        parent: plugin.to_owned(),
        digest: hex::encode(Sha256::digest(bytes)),
        request_id: Uuid::new_v4().to_string(),
    };
    let mut messages = vec![UploadPluginVersionRequest { data: Some(Data::Header(header)) }];
    messages.extend(bytes.chunks(CHUNK).map(|c| UploadPluginVersionRequest { data: Some(Data::Chunk(c.to_vec())) }));
    let uploaded = connection.repeat("UploadPluginVersion", || {
        let (mut client, messages) = (connection.rules(), messages.clone());
        Box::pin(async move { client.upload_plugin_version(futures::stream::iter(messages)).await })
    });
    let uploaded = uploaded.await?;
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

/// Has a version validated and returns it as it is then, valid or rejected.
///
/// # Errors
/// What the server answered; when the validation does not end.
pub async fn validate_remote(connection: &Connection, version: &str) -> Result<PluginVersion> {
    let request = ValidatePluginVersionRequest { name: version.to_owned(), request_id: Uuid::new_v4().to_string() };
    let begun = connection.repeat("ValidatePluginVersion", || {
        let (mut client, request) = (connection.rules(), request.clone());
        Box::pin(async move { client.validate_plugin_version(request).await })
    });
    let operation = wait(connection, begun.await?).await?;
    if let Some(operation::Result::Error(error)) = operation.result {
        bail!("the validation of {version} failed: {}", error.message);
    }
    let found = connection.repeat("GetPluginVersion", || {
        let (mut client, request) = (connection.rules(), GetPluginVersionRequest { name: version.to_owned() });
        Box::pin(async move { client.get_plugin_version(request).await })
    });
    Ok(found.await?)
}

async fn wait(connection: &Connection, mut operation: Operation) -> Result<Operation> {
    let timeout = prost_types::Duration { seconds: i64::try_from(WAIT.as_secs())?, nanos: 0 };
    for _ in 0..WAITS {
        if operation.done {
            return Ok(operation);
        }
        let request = WaitOperationRequest { name: operation.name.clone(), timeout: Some(timeout) };
        let waited = connection.repeat("WaitOperation", || {
            let (mut client, request) = (connection.operations(), request.clone());
            Box::pin(async move { client.wait_operation(request).await })
        });
        operation = waited.await?;
    }
    ensure!(operation.done, "{} has not ended yet; look again with the same upload", operation.name);
    Ok(operation)
}

/// Creates a plugin that is not there; says whether it did.
pub(super) async fn ensure_plugin(connection: &Connection, name: &str, title: Option<&str>) -> Result<bool> {
    let found = connection.repeat("GetPlugin", || {
        let (mut client, request) = (connection.rules(), GetPluginRequest { name: name.to_owned() });
        Box::pin(async move { client.get_plugin(request).await })
    });
    let missing: CallError = match found.await {
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
    let made = connection.repeat("CreatePlugin", || {
        let (mut client, request) = (connection.rules(), request.clone());
        Box::pin(async move { client.create_plugin(request).await })
    });
    made.await?;
    Ok(true)
}
