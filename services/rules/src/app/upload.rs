//! Uploads: a header, then the bytes of a component; the same bytes are the same version.

use std::sync::Arc;

use linli_access::Target;
use linli_kernel::{AreaId, Id as _, Name};
use linli_kit::idempotency::Once;
use linli_kit::ids::new_v7;
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result, check};
use linli_proto::rules as pb;
use linli_proto::rules::upload_plugin_version_request::Data;
use tonic::Streaming;

use super::{App, versions};
use crate::domain::version::{PluginVersionId, State};
use crate::engine::{Caps, Digest};
use crate::store::{self, VersionRow};

/// Versions that an area keeps at most.
const MAX_VERSIONS: u64 = 200;
/// Versions of an area that await validation at most.
pub(super) const MAX_UNVALIDATED: u64 = 20;
/// Bytes of one chunk at most.
const MAX_CHUNK: usize = 64 << 10;

impl App {
    /// Takes a version in; nothing of it is read before the caller is known to be allowed to.
    pub(crate) async fn upload_plugin_version(
        &self,
        ctx: &Arc<Ctx>,
        mut stream: Streaming<pb::UploadPluginVersionRequest>,
    ) -> Result<pb::PluginVersion> {
        let header = match next(&mut stream).await? {
            Some(Data::Header(header)) => header,
            Some(Data::Chunk(_)) | None => return Err(bad("header", "UPLOAD_HEADER_FIRST")),
        };
        let plugin = check::name("header.parent", &header.parent, "plugins")?;
        self.access.authorise(ctx, &Target::area(plugin.area()))?;
        self.plugins.get(plugin.area().as_str(), plugin.id()).await?;
        let bytes = chunks(&mut stream).await?;
        let digest = Digest::of(&bytes).to_string();
        if !header.digest.is_empty() && !header.digest.eq_ignore_ascii_case(&digest) {
            let violation = FieldViolation::new("header.digest", "DIGEST_MISMATCH").arg("actual", &digest);
            return Err(Error::field(violation));
        }
        let row = self.keep(ctx, &header, &plugin, digest, bytes).await?;
        versions::proto(&row, ctx.lang)
    }

    async fn keep(
        &self,
        ctx: &Arc<Ctx>,
        header: &pb::UploadHeader,
        plugin: &Name,
        digest: String,
        bytes: Vec<u8>,
    ) -> Result<VersionRow> {
        // The digest stands for the bytes.
        let canonical = pb::UploadHeader { parent: plugin.to_string(), digest, request_id: String::new() };
        let hash = self.hash(ctx, &canonical);
        let area = plugin.area().as_str();
        let now = ctx.now();
        let new = VersionRow {
            area: area.to_owned(),
            id: new_v7::<PluginVersionId>(now).uuid(),
            plugin: canonical.parent,
            digest: canonical.digest,
            size_bytes: i64::try_from(bytes.len()).map_err(Error::internal)?,
            state: State::Uploaded.number(),
            problems: String::new(),
            hooks: String::new(),
            manifest: String::new(),
            operation: String::new(),
            revision: 1,
            create_us: now.micros(),
            update_us: now.micros(),
        };
        let done = self
            .parts
            .store
            .write_once(ctx, area, &header.request_id, hash, "rules.upload_plugin_version", |tx| {
                let (new, bytes) = (&new, bytes.as_slice());
                Box::pin(async move {
                    store::lock_area(tx, area).await?;
                    // Its lock keeps the plugin from going away.
                    if self.plugins.find_for_update(tx, area, plugin.id()).await?.is_none() {
                        return Err(Error::not_found(plugin));
                    }
                    if let Some(row) = store::version_by_digest(tx.conn(), area, &new.plugin, &new.digest).await? {
                        return Ok((row.name(), row));
                    }
                    self.room_for_another(tx, plugin.area()).await?;
                    store::insert_version(tx, new, bytes).await?;
                    Ok((new.name(), new.clone()))
                })
            })
            .await?;
        match done {
            Once::Done(row) => Ok(row),
            Once::Repeat(name) => {
                let (area, id) = check::recorded::<PluginVersionId>("name", &name, "pluginVersions")?;
                let row = store::version_of(self.parts.store.reader(), &area, id).await?;
                row.ok_or_else(|| Error::not_found(name))
            }
        }
    }
}

impl App {
    /// Refuses when the area has as many versions as it may keep. The caller holds the area's lock.
    async fn room_for_another(&self, tx: &Tx<'_>, area: &AreaId) -> Result<()> {
        if store::count_versions(tx.conn(), area.as_str(), None).await? >= MAX_VERSIONS {
            let full = Error::new(ErrorCode::ResourceExhausted, "VERSIONS_FULL");
            return Err(full.with("area", area.name()).with("max", MAX_VERSIONS));
        }
        self.room_for_unvalidated(tx, area).await
    }

    /// Refuses when as many versions of the area await validation as may.
    pub(super) async fn room_for_unvalidated(&self, tx: &Tx<'_>, area: &AreaId) -> Result<()> {
        if store::count_versions(tx.conn(), area.as_str(), Some(State::Uploaded)).await? >= MAX_UNVALIDATED {
            let full = Error::new(ErrorCode::ResourceExhausted, "UNVALIDATED_FULL");
            return Err(full.with("area", area.name()).with("max", MAX_UNVALIDATED));
        }
        Ok(())
    }
}

/// The next message; one without content counts as an empty chunk.
async fn next(stream: &mut Streaming<pb::UploadPluginVersionRequest>) -> Result<Option<Data>> {
    let message = stream.message().await.map_err(Error::from_peer)?;
    Ok(message.map(|message| message.data.unwrap_or_else(|| Data::Chunk(Vec::new()))))
}

/// The rest of the stream, within its bounds.
async fn chunks(stream: &mut Streaming<pb::UploadPluginVersionRequest>) -> Result<Vec<u8>> {
    let max = Caps::native().bytes;
    let mut bytes = Vec::new();
    while let Some(data) = next(stream).await? {
        match data {
            Data::Header(_) => return Err(bad("header", "UPLOAD_HEADER_FIRST")),
            Data::Chunk(chunk) if chunk.len() > MAX_CHUNK => {
                return Err(Error::field(FieldViolation::new("chunk", "CHUNK_TOO_LARGE").arg("max", MAX_CHUNK)));
            }
            Data::Chunk(chunk) if bytes.len() + chunk.len() > max => {
                return Err(Error::field(FieldViolation::new("chunk", "UPLOAD_TOO_LARGE").arg("max", max)));
            }
            Data::Chunk(chunk) => bytes.extend_from_slice(&chunk),
        }
    }
    if bytes.is_empty() { Err(bad("chunk", "FIELD_REQUIRED")) } else { Ok(bytes) }
}

fn bad(field: &str, reason: &'static str) -> Error {
    Error::field(FieldViolation::new(field, reason))
}
