//! Bytes of plugins in an object store: whole ones by their digest, once for all areas, and uploads that broke off.
//! Never: bytes whose digest was not checked are given out as a plugin; an object that a version names is deleted.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use linli_kernel::Timestamp;
use linli_kit::{Error, ErrorCode, Result};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::{Error as StoreError, ObjectMeta, ObjectStore, ObjectStoreExt as _};

use crate::engine::Digest;

const WHOLE: &str = "artefacts";
const PARTIAL: &str = "uploads";
/// How long an upload that broke off is kept, and bytes that no version names.
const KEPT_SECS: i64 = 24 * 3600;

/// Where the bytes of plugins are; cheap to clone.
#[derive(Debug, Clone)]
pub struct Artefacts(Arc<dyn ObjectStore>);

impl Default for Artefacts {
    /// In memory: for tests.
    fn default() -> Self {
        Self(Arc::new(InMemory::new()))
    }
}

/// An upload that broke off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Partial {
    /// Id of the plugin.
    pub(crate) plugin: String,
    /// Bytes that are there.
    pub(crate) received: u64,
    /// Until when they are kept, by the machine's clock.
    pub(crate) expires: Timestamp,
}

impl Artefacts {
    /// A directory on this machine, or on a volume that all replicas of rules share; it is made when it is missing.
    ///
    /// # Errors
    /// When it cannot be made or read.
    pub fn directory(path: &Path) -> Result<Self> {
        std::fs::create_dir_all(path).map_err(Error::internal)?;
        let local = LocalFileSystem::new_with_prefix(path).map_err(Error::internal)?;
        Ok(Self(Arc::new(local.with_automatic_cleanup(true))))
    }

    /// A place by its URL: `file:///var/lib/linli/artefacts`, or `s3://bucket/prefix` with the settings of the environment (`AWS_*`).
    ///
    /// # Errors
    /// When the URL names no kind of store that is known, or the store's settings are missing.
    pub fn at(url: &str) -> Result<Self> {
        if let Some(path) = url.strip_prefix("file://") {
            return Self::directory(Path::new(path));
        }
        let parsed = url::Url::parse(url).map_err(Error::internal)?;
        let settings = std::env::vars().filter(|(key, _)| key.starts_with("AWS_"));
        let (store, prefix) = object_store::parse_url_opts(&parsed, settings).map_err(Error::internal)?;
        Ok(Self(Arc::new(object_store::prefix::PrefixStore::new(store, prefix))))
    }

    /// Keeps whole bytes under their digest. Bytes that are there already are written again, which keeps them from the sweep.
    pub(crate) async fn put(&self, digest: &Digest, bytes: Vec<u8>) -> Result<()> {
        self.0.put(&whole(&digest.to_string()), bytes.into()).await.map_err(unavailable)?;
        Ok(())
    }

    /// The bytes of a digest, as they stand there: the reader compares them with it.
    pub(crate) async fn get(&self, digest: &str) -> Result<Option<Vec<u8>>> {
        self.read(&whole(digest)).await
    }

    /// What is kept of an upload that broke off.
    pub(crate) async fn partial(&self, area: &str, digest: &str) -> Result<Option<Partial>> {
        let found = self.list(&Key::from_iter([PARTIAL, area, digest])).await?;
        let newest = found.into_iter().max_by_key(|meta| meta.last_modified);
        Ok(newest.map(|meta| Partial {
            plugin: meta.location.filename().unwrap_or_default().to_owned(),
            received: meta.size,
            expires: written(&meta).plus_secs(KEPT_SECS),
        }))
    }

    /// The bytes of an upload that broke off.
    pub(crate) async fn partial_bytes(&self, area: &str, digest: &str, plugin: &str) -> Result<Vec<u8>> {
        Ok(self.read(&partial(area, digest, plugin)).await?.unwrap_or_default())
    }

    /// Keeps what has come of an upload so far.
    pub(crate) async fn put_partial(&self, area: &str, digest: &str, plugin: &str, bytes: &[u8]) -> Result<()> {
        let key = partial(area, digest, plugin);
        self.0.put(&key, bytes.to_vec().into()).await.map_err(unavailable)?;
        Ok(())
    }

    /// Forgets an upload: it is complete, or worth nothing.
    pub(crate) async fn drop_partial(&self, area: &str, digest: &str, plugin: &str) -> Result<()> {
        match self.0.delete(&partial(area, digest, plugin)).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// How many uploads of an area broke off.
    pub(crate) async fn partials(&self, area: &str) -> Result<usize> {
        Ok(self.list(&Key::from_iter([PARTIAL, area])).await?.len())
    }

    /// Digests of bytes that have been there for a while, so that no upload is about to name them.
    pub(crate) async fn settled(&self, now: Timestamp) -> Result<Vec<String>> {
        let found = self.list(&Key::from(WHOLE)).await?;
        let old = found.into_iter().filter(|meta| is_old(meta, now));
        Ok(old.filter_map(|meta| meta.location.filename().map(str::to_owned)).collect())
    }

    /// Deletes the bytes of a digest that no version names, unless they were written again since they were listed: an upload
    /// is about to name them.
    pub(crate) async fn delete(&self, digest: &str, now: Timestamp) -> Result<()> {
        match self.0.head(&whole(digest)).await {
            Ok(meta) if is_old(&meta, now) => {}
            Ok(_) | Err(StoreError::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(unavailable(error)),
        }
        match self.0.delete(&whole(digest)).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Deletes uploads that broke off too long ago.
    pub(crate) async fn expire(&self, now: Timestamp) -> Result<usize> {
        let mut gone = 0;
        for meta in self.list(&Key::from(PARTIAL)).await?.into_iter().filter(|meta| is_old(meta, now)) {
            self.0.delete(&meta.location).await.map_err(unavailable)?;
            gone += 1;
        }
        Ok(gone)
    }

    async fn read(&self, key: &Key) -> Result<Option<Vec<u8>>> {
        match self.0.get(key).await {
            Ok(found) => Ok(Some(found.bytes().await.map_err(unavailable)?.to_vec())),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(unavailable(error)),
        }
    }

    async fn list(&self, prefix: &Key) -> Result<Vec<ObjectMeta>> {
        self.0.list(Some(prefix)).try_collect().await.map_err(unavailable)
    }
}

fn written(meta: &ObjectMeta) -> Timestamp {
    Timestamp::from_micros(meta.last_modified.timestamp_micros())
}

fn is_old(meta: &ObjectMeta, now: Timestamp) -> bool {
    written(meta).plus_secs(KEPT_SECS) < now
}

/// Two levels, so that no directory grows without bound.
fn whole(digest: &str) -> Key {
    let shard: String = digest.chars().take(2).collect();
    Key::from_iter([WHOLE, &shard, digest])
}

fn partial(area: &str, digest: &str, plugin: &str) -> Key {
    Key::from_iter([PARTIAL, area, digest, plugin])
}

fn unavailable(error: StoreError) -> Error {
    Error::new(ErrorCode::Unavailable, "ARTEFACTS_UNAVAILABLE").retry_after(Duration::from_secs(1)).caused_by(error)
}

#[cfg(test)]
mod tests {
    use linli_kernel::{Clock as _, SystemClock};

    use super::*;

    const DAY: i64 = KEPT_SECS + 60;

    #[tokio::test]
    async fn bytes_settle_after_a_day_and_only_then_may_be_swept() {
        let artefacts = Artefacts::default();
        let digest = Digest::of(b"bytes");
        artefacts.put(&digest, b"bytes".to_vec()).await.expect("keeps");
        let now = SystemClock.now();
        assert!(artefacts.settled(now).await.expect("lists").is_empty(), "an upload may be about to name them");
        assert_eq!(artefacts.settled(now.plus_secs(DAY)).await.expect("lists"), [digest.to_string()]);
        artefacts.delete(&digest.to_string(), now).await.expect("spares what was written again since it was listed");
        assert!(artefacts.get(&digest.to_string()).await.expect("reads").is_some());
        artefacts.delete(&digest.to_string(), now.plus_secs(DAY)).await.expect("deletes");
        artefacts.delete(&digest.to_string(), now.plus_secs(DAY)).await.expect("has nothing to delete");
        assert_eq!(artefacts.get(&digest.to_string()).await.expect("reads"), None);
    }

    #[tokio::test]
    async fn an_upload_that_broke_off_is_forgotten_after_a_day() {
        let artefacts = Artefacts::default();
        artefacts.put_partial("a", "d", "haircut", b"half").await.expect("keeps");
        let now = SystemClock.now();
        assert_eq!(artefacts.expire(now).await.expect("looks"), 0);
        let found = artefacts.partial("a", "d").await.expect("reads").expect("is there");
        assert_eq!((found.plugin.as_str(), found.received), ("haircut", 4));
        assert!(artefacts.partial("b", "d").await.expect("reads").is_none(), "another area's");
        assert_eq!(artefacts.expire(now.plus_secs(DAY)).await.expect("looks"), 1);
        assert!(artefacts.partial("a", "d").await.expect("reads").is_none());
    }
}
