//! Uploads: a header, then the bytes of a component or a table; the same bytes are the same version. What came of an upload that
//! broke off is kept for a day. Never: bytes under a digest that is not theirs.

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

use super::keys::Signed;
use super::{App, versions};
use crate::domain::version::{PluginVersionId, State};
use crate::engine::Digest;
use crate::store::{self, VersionRow};

/// Versions that an area keeps at most.
const MAX_VERSIONS: u64 = 200;
/// Versions of an area that await validation at most.
pub(super) const MAX_UNVALIDATED: u64 = 20;
/// Bytes of all versions of an area at most.
const MAX_AREA_BYTES: i64 = 64 << 20;
/// Uploads of an area that broke off and are kept.
const MAX_PARTIALS: usize = 20;
/// Bytes of one chunk at most.
const MAX_CHUNK: usize = 64 << 10;
/// Bytes of a component; that a native one has fewer is for the validation to say, which knows the one from the other.
const MAX_COMPONENT: usize = 2 << 20;
/// Bytes of a table.
const MAX_TABLE: usize = 64 << 10;
/// What has come is kept whenever it has grown by so much.
const KEEP_EVERY: usize = 128 << 10;
/// How a component begins.
const WASM: &[u8] = b"\0asm";

/// An upload that can be gone on with.
struct Resumable<'a> {
    area: &'a str,
    digest: &'a str,
    plugin: &'a str,
}

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
        let named = named_digest(&header)?;
        let resumable =
            named.as_deref().map(|digest| Resumable { area: plugin.area().as_str(), digest, plugin: plugin.id() });
        let begun = self.begun(&header, resumable.as_ref()).await?;
        let bytes = self.chunks(&mut stream, begun, resumable.as_ref()).await?;
        let digest = Digest::of(&bytes);
        if let Some(kept) = &resumable {
            // A caller who goes away ends the stream as one who is done does (tonic reads a cancelled request as its end): what was
            // kept so far stays good for the next attempt.
            if kept.digest != digest.to_string() {
                let violation = FieldViolation::new("header.digest", "DIGEST_MISMATCH").arg("actual", digest);
                return Err(Error::field(violation));
            }
        }
        let signed = self.check_signature(&header, &plugin, &digest).await;
        let done = match signed {
            Ok(signed) => self.keep(ctx, &header, &plugin, (digest, signed.unwrap_or_default()), &bytes).await,
            Err(refused) => Err(refused),
        };
        let row = match (done, resumable) {
            (Ok(row), Some(kept)) => {
                self.artefacts.drop_partial(kept.area, kept.digest, kept.plugin).await?;
                row
            }
            (Ok(row), None) => row,
            // Signed again, or with room made, the bytes need not come a second time.
            (Err(refused), kept) => {
                self.keep_partial(&bytes, 0, kept.as_ref()).await?;
                return Err(refused);
            }
        };
        versions::proto(&row, ctx.lang)
    }

    /// Returns how far an upload has come.
    pub(crate) async fn get_upload(&self, ctx: &Ctx, r: &pb::GetUploadRequest) -> Result<pb::Upload> {
        // The id is a digest, and longer than the ids that authors choose: only the rest is a name like others.
        let (parent, digest) = r.name.rsplit_once('/').unwrap_or((&r.name, ""));
        let whole = digest.len() == 64 && digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let like_others = if whole { format!("{parent}/digest") } else { r.name.clone() };
        let area = check::name("name", &like_others, "uploads")?.area().clone();
        self.access.authorise(ctx, &Target::area(&area))?;
        let found = self.artefacts.partial(area.as_str(), digest).await?;
        let found = found.ok_or_else(|| Error::not_found(&r.name))?;
        Ok(pb::Upload {
            name: r.name.clone(),
            plugin: format!("{}/plugins/{}", area.name(), found.plugin),
            received_bytes: i64::try_from(found.received).map_err(Error::internal)?,
            expire_time: Some(check::timestamp(found.expires)),
        })
    }

    /// What the server has of an upload already.
    async fn begun(&self, header: &pb::UploadHeader, resumable: Option<&Resumable<'_>>) -> Result<Vec<u8>> {
        if header.offset == 0 {
            return Ok(Vec::new());
        }
        let Some(kept) = resumable else { return Err(bad("header.digest", "UPLOAD_NEEDS_DIGEST")) };
        let bytes = self.artefacts.partial_bytes(kept.area, kept.digest, kept.plugin).await?;
        if i64::try_from(bytes.len()).ok() != Some(header.offset) {
            return Err(Error::new(ErrorCode::Aborted, "UPLOAD_OFFSET").with("received", bytes.len()));
        }
        Ok(bytes)
    }

    /// The rest of the stream, within its bounds. What has come before it breaks off is kept.
    async fn chunks(
        &self,
        stream: &mut Streaming<pb::UploadPluginVersionRequest>,
        mut bytes: Vec<u8>,
        resumable: Option<&Resumable<'_>>,
    ) -> Result<Vec<u8>> {
        let mut kept = bytes.len();
        loop {
            let data = match next(stream).await {
                Ok(Some(data)) => data,
                Ok(None) if bytes.is_empty() => return Err(bad("chunk", "FIELD_REQUIRED")),
                Ok(None) => return Ok(bytes),
                Err(broken) => {
                    self.keep_partial(&bytes, kept, resumable).await?;
                    return Err(broken);
                }
            };
            let Data::Chunk(chunk) = data else { return Err(bad("header", "UPLOAD_HEADER_FIRST")) };
            if chunk.len() > MAX_CHUNK {
                return Err(Error::field(FieldViolation::new("chunk", "CHUNK_TOO_LARGE").arg("max", MAX_CHUNK)));
            }
            bytes.extend_from_slice(&chunk);
            let max = if bytes.starts_with(WASM) { MAX_COMPONENT } else { MAX_TABLE };
            if bytes.len() > max {
                return Err(Error::field(FieldViolation::new("chunk", "UPLOAD_TOO_LARGE").arg("max", max)));
            }
            if bytes.len() >= kept + KEEP_EVERY {
                self.keep_partial(&bytes, kept, resumable).await?;
                kept = bytes.len();
            }
        }
    }

    async fn keep_partial(&self, bytes: &[u8], kept: usize, resumable: Option<&Resumable<'_>>) -> Result<()> {
        let Some(upload) = resumable.filter(|_| bytes.len() > kept) else { return Ok(()) };
        let known = self.artefacts.partial(upload.area, upload.digest).await?.is_some();
        if !known && self.artefacts.partials(upload.area).await? >= MAX_PARTIALS {
            let full = Error::new(ErrorCode::ResourceExhausted, "PARTIALS_FULL");
            return Err(full.with("area", format!("areas/{}", upload.area)).with("max", MAX_PARTIALS));
        }
        self.artefacts.put_partial(upload.area, upload.digest, upload.plugin, bytes).await
    }

    /// Keeps the bytes, then the version that names them: bytes that nobody names do no harm and are swept.
    async fn keep(
        &self,
        ctx: &Arc<Ctx>,
        header: &pb::UploadHeader,
        plugin: &Name,
        (digest, Signed { key, signature }): (Digest, Signed),
        bytes: &[u8],
    ) -> Result<VersionRow> {
        // The digest stands for the bytes, and for the signature over them.
        let canonical = pb::UploadHeader {
            parent: plugin.to_string(),
            digest: digest.to_string(),
            author_key: key.clone(),
            ..pb::UploadHeader::default()
        };
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
            form: form(bytes).into(),
            author: ctx.caller.recorded_as(),
            author_key: key,
            signature,
            peak_fuel: 0,
            quarantine: String::new(),
            revision: 1,
            create_us: now.micros(),
            update_us: now.micros(),
        };
        self.artefacts.put(&digest, bytes.to_vec()).await?;
        let done = self
            .parts
            .store
            .write_once(ctx, area, &header.request_id, hash, "rules.upload_plugin_version", |tx| {
                let new = &new;
                Box::pin(async move {
                    store::lock_area(tx, area).await?;
                    // Its lock keeps the plugin from going away.
                    if self.plugins.find_for_update(tx, area, plugin.id()).await?.is_none() {
                        return Err(Error::not_found(plugin));
                    }
                    if let Some(mut row) = store::version_by_digest(tx.conn(), area, &new.plugin, &new.digest).await? {
                        let is_signed_anew = (&row.author_key, &row.signature) != (&new.author_key, &new.signature);
                        if !new.author_key.is_empty() && is_signed_anew {
                            row.author_key.clone_from(&new.author_key);
                            row.signature.clone_from(&new.signature);
                            (row.revision, row.update_us) = (row.revision + 1, new.update_us);
                            store::update_version(tx, &row).await?;
                        }
                        return Ok((row.name(), row));
                    }
                    self.room_for_another(tx, plugin.area(), new.size_bytes).await?;
                    store::insert_version(tx, new).await?;
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
    async fn room_for_another(&self, tx: &Tx<'_>, area: &AreaId, bytes: i64) -> Result<()> {
        if store::count_versions(tx.conn(), area.as_str(), None).await? >= MAX_VERSIONS {
            let full = Error::new(ErrorCode::ResourceExhausted, "VERSIONS_FULL");
            return Err(full.with("area", area.name()).with("max", MAX_VERSIONS));
        }
        if store::bytes_of_versions(tx.conn(), area.as_str()).await? + bytes > MAX_AREA_BYTES {
            let full = Error::new(ErrorCode::ResourceExhausted, "ARTEFACTS_FULL");
            return Err(full.with("area", area.name()).with("max", MAX_AREA_BYTES));
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

/// The digest that the header names, in lower case.
fn named_digest(header: &pb::UploadHeader) -> Result<Option<String>> {
    if header.digest.is_empty() {
        return Ok(None);
    }
    match Digest::from_hex(&header.digest) {
        Some(digest) => Ok(Some(digest.to_string())),
        None => Err(bad("header.digest", "DIGEST_INVALID")),
    }
}

/// What the bytes seem to be; validation knows better.
fn form(bytes: &[u8]) -> pb::PluginForm {
    if bytes.starts_with(WASM) { pb::PluginForm::Unspecified } else { pb::PluginForm::Table }
}

fn bad(field: &str, reason: &'static str) -> Error {
    Error::field(FieldViolation::new(field, reason))
}
