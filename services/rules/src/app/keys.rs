//! Keys of authors: whose signatures an area and those below it trust, and whether a signature is good.

use std::sync::Arc;

use ed25519_dalek::{Signature, VerifyingKey};
use linli_access::Target;
use linli_kernel::{AreaId, Name};
use linli_kit::check::{self, Violations};
use linli_kit::store::EventDraft;
use linli_kit::{Ctx, Error, FieldViolation, Result};
use linli_proto::rules as pb;

use super::App;
use super::catalogues::{Change, Creation};
use crate::engine::Digest;
use crate::store::VersionRow;

/// What every signature begins with, so that one made for something else is never taken for one of a plugin.
const CONTEXT: &[u8] = b"linli-plugin-v1\0";

fn check_key(message: &pb::AuthorKey) -> Vec<FieldViolation> {
    let mut bad = Violations::new();
    if message.display_name.is_some() {
        bad.both("display_name", message.display_name.as_ref(), 100);
    }
    if !message.public_key.is_empty() && public_key(&message.public_key).is_none() {
        bad.bad("public_key", "PUBLIC_KEY_INVALID");
    }
    bad.into_vec()
}

/// A key that can verify: 32 bytes, a point, and none of the few whose signatures anybody can make.
fn public_key(bytes: &[u8]) -> Option<VerifyingKey> {
    let key = VerifyingKey::from_bytes(bytes.try_into().ok()?).ok()?;
    // One point has one spelling here.
    let canonical = key.to_edwards().compress().to_bytes() == bytes;
    (canonical && !key.is_weak()).then_some(key)
}

/// What an author signs: this plugin, these bytes.
fn signed(plugin: &str, digest: &Digest) -> Vec<u8> {
    [CONTEXT, plugin.as_bytes(), b"\0", digest.as_bytes()].concat()
}

impl App {
    /// Returns one author key.
    pub(crate) async fn get_author_key(&self, ctx: &Ctx, request: &pb::GetAuthorKeyRequest) -> Result<pb::AuthorKey> {
        let name = check::name("name", &request.name, "authorKeys")?;
        self.access.authorise(ctx, &Target::area(name.area()))?;
        self.keys.get(name.area().as_str(), name.id()).await
    }

    /// Lists author keys.
    pub(crate) async fn list_author_keys(
        &self,
        ctx: &Ctx,
        r: &pb::ListAuthorKeysRequest,
    ) -> Result<pb::ListAuthorKeysResponse> {
        let (query, paging) = ((&*r.parent, &*r.filter, &*r.order_by), (r.page_size, &*r.page_token));
        let (author_keys, next_page_token) = self.list_catalogue(ctx, &self.keys, query, paging).await?;
        Ok(pb::ListAuthorKeysResponse { author_keys, next_page_token })
    }

    /// Creates an author key.
    pub(crate) async fn create_author_key(
        &self,
        ctx: &Arc<Ctx>,
        r: pb::CreateAuthorKeyRequest,
    ) -> Result<pb::AuthorKey> {
        let hash = self.hash(ctx, &pb::CreateAuthorKeyRequest { request_id: String::new(), ..r.clone() });
        let creation = Creation {
            parent: &r.parent,
            id: &r.author_key_id,
            wanted: r.author_key.clone().unwrap_or_default(),
            request_id: &r.request_id,
            hash,
        };
        self.create_resource(ctx, &self.keys, "rules.create_author_key", creation, check_key).await
    }

    /// Changes an author key; with `allow_missing` creates it.
    pub(crate) async fn update_author_key(
        &self,
        ctx: &Arc<Ctx>,
        r: pb::UpdateAuthorKeyRequest,
    ) -> Result<pb::AuthorKey> {
        let hash = self.hash(ctx, &pb::UpdateAuthorKeyRequest { request_id: String::new(), ..r.clone() });
        let wanted = r.author_key.clone().unwrap_or_default();
        let change = Change {
            name: check::name("author_key.name", &wanted.name, "authorKeys")?,
            wanted,
            mask: r.update_mask.as_ref(),
            allow_missing: r.allow_missing,
            validate_only: r.validate_only,
            request_id: &r.request_id,
            hash,
        };
        self.update_resource(ctx, &self.keys, "rules.update_author_key", change, check_key).await
    }

    /// Deletes an author key.
    pub(crate) async fn delete_author_key(&self, ctx: &Arc<Ctx>, r: pb::DeleteAuthorKeyRequest) -> Result<()> {
        let name = check::name("name", &r.name, "authorKeys")?;
        self.access.authorise(ctx, &Target::area(name.area()))?;
        let hash = self.hash(ctx, &pb::DeleteAuthorKeyRequest { request_id: String::new(), ..r.clone() });
        self.parts
            .store
            .write_once(ctx, name.area().as_str(), &r.request_id, hash, "rules.delete_author_key", |tx| {
                let (name, etag) = (&name, r.etag.as_str());
                Box::pin(async move {
                    let gone = self.keys.delete(tx, name.area().as_str(), name.id(), etag).await?;
                    tx.emit(event(ctx, name.area().as_str(), &gone.resource, gone.revision + 1, true));
                    Ok((name.to_string(), ()))
                })
            })
            .await?;
        Ok(())
    }

    /// Checks the signature of an upload; nothing when it is unsigned and may be.
    pub(super) async fn check_signature(
        &self,
        header: &pb::UploadHeader,
        plugin: &Name,
        digest: &Digest,
    ) -> Result<Option<Signed>> {
        let bad = |field: &str, reason: &'static str| Error::field(FieldViolation::new(field, reason));
        if header.author_key.is_empty() {
            if !header.signature.is_empty() {
                return Err(bad("header.author_key", "FIELD_REQUIRED"));
            }
            if self.policy_of(plugin.area()).await?.signature_required {
                return Err(bad("header.signature", "SIGNATURE_REQUIRED"));
            }
            return Ok(None);
        }
        let name = check::name("header.author_key", &header.author_key, "authorKeys")?;
        let key = match self.trusted(plugin.area(), &name).await? {
            Some(key) => key,
            None => {
                let violation = FieldViolation::new("header.author_key", "KEY_NOT_TRUSTED");
                return Err(Error::field(violation.arg("key", &name).arg("area", plugin.area().name())));
            }
        };
        let signature = hex::encode(&header.signature);
        if !is_signed(&key, &plugin.to_string(), digest, &signature) {
            return Err(bad("header.signature", "SIGNATURE_WRONG"));
        }
        Ok(Some(Signed { key: name.to_string(), signature }))
    }

    /// Whether a version may be bound in an area as far as signatures go: where the charter asks for one, by the key that is
    /// trusted there now under the name of the one that signed.
    pub(super) async fn signature_counts(&self, area: &AreaId, row: &VersionRow) -> Result<bool> {
        if !self.policy_of(area).await?.signature_required {
            return Ok(true);
        }
        let named = check::name("author_key", &row.author_key, "authorKeys").ok();
        let (Some(name), Some(digest)) = (named, Digest::from_hex(&row.digest)) else { return Ok(false) };
        let key = self.trusted(area, &name).await?;
        Ok(key.is_some_and(|key| is_signed(&key, &row.plugin, &digest, &row.signature)))
    }

    /// The key of a name, when the area or one above it has it and it is on.
    async fn trusted(&self, area: &AreaId, name: &Name) -> Result<Option<VerifyingKey>> {
        let chain = self.access.snapshot().ancestors(area.as_str());
        if !chain.iter().any(|above| above == name.area().as_str()) {
            return Ok(None);
        }
        let found = self.keys.find(name.area().as_str(), name.id()).await?;
        Ok(found.filter(|entry| !entry.resource.disabled).and_then(|entry| public_key(&entry.resource.public_key)))
    }
}

/// That a key was written, or removed.
pub(super) fn event(ctx: &Ctx, area: &str, key: &pb::AuthorKey, revision: i64, gone: bool) -> EventDraft {
    let (author_key, actor) = (key.name.clone(), ctx.caller.recorded_as());
    let payload = pb::AuthorKeyChanged { author_key, removed: gone || key.disabled, actor };
    EventDraft::new(ctx, "linli.rules.v1.AuthorKeyChanged", area, &key.name, revision, &payload)
}

/// Who signed an upload, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Signed {
    /// Name of the key.
    pub(super) key: String,
    /// In hexadecimal digits.
    pub(super) signature: String,
}

fn is_signed(key: &VerifyingKey, plugin: &str, digest: &Digest, signature: &str) -> bool {
    let signature = hex::decode(signature).ok().and_then(|bytes| Signature::from_slice(&bytes).ok());
    signature.is_some_and(|signature| key.verify_strict(&signed(plugin, digest), &signature).is_ok())
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;

    #[test]
    fn a_signature_is_good_for_one_plugin_and_its_bytes() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let (digest, plugin) = (Digest::of(b"bytes"), "areas/a/plugins/haircut");
        let signature = key.sign(&signed(plugin, &digest));
        let good = |message: &[u8]| key.verifying_key().verify_strict(message, &signature).is_ok();
        assert!(good(&signed(plugin, &digest)));
        assert!(!good(&signed("areas/b/plugins/haircut", &digest)));
        assert!(!good(&signed(plugin, &Digest::of(b"other"))));
    }

    #[test]
    fn a_key_whose_signatures_anybody_can_make_is_none() {
        // The identity, and a point of order 8.
        assert!(
            public_key(&[
                1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
            ])
            .is_none()
        );
        assert!(public_key(&[0; 32]).is_none() && public_key(&[0; 31]).is_none());
        assert!(public_key(SigningKey::from_bytes(&[7; 32]).verifying_key().as_bytes()).is_some());
    }
}
