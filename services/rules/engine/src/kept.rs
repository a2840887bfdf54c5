//! Compiled plugins in a local directory, from one start to the next.
//! Never: trusts what it finds: a compiled plugin is native code. Every file carries a seal that only a holder of the key
//! can make, over its content and its name; what does not fit is passed over, and the plugin is compiled anew.
//!
//! Only this process and the validation child that it starts compile; nothing compiled ever comes from outside.

use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use wasmtime::Engine;

use super::Digest;
use super::kind::Kind;

const SEAL_BYTES: usize = 32;
const SUFFIX: &str = "compiled";
/// The wasmtime that the files belong to, beside what it says about its own configuration and the processor.
const COMPILER: &str = "wasmtime-48.0.8";

/// A directory of compiled plugins and the key to it.
#[derive(Clone)]
pub struct Kept {
    dir: PathBuf,
    key: [u8; 32],
    max_bytes: u64,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("dir", &self.dir).field("max_bytes", &self.max_bytes).finish_non_exhaustive()
    }
}

impl Kept {
    /// Keeps at most so many bytes in a directory, which is created when it is first needed. The key is to be secret: who
    /// has it and may write to the directory runs code in this process.
    pub fn new(dir: impl Into<PathBuf>, key: [u8; 32], max_bytes: u64) -> Self {
        Self { dir: dir.into(), key, max_bytes }
    }

    /// The compiled code of a plugin, if it is kept and was written by a holder of the key for this very engine.
    pub(super) fn read(&self, engine: &Engine, kind: Kind, digest: &Digest) -> Option<Vec<u8>> {
        let name = name(engine, kind, digest);
        let mut content = fs::read(self.dir.join(&name)).ok()?;
        let at = content.len().checked_sub(SEAL_BYTES)?;
        let (code, seal) = content.split_at(at);
        if self.seal(&name, code).verify_slice(seal).is_err() {
            tracing::warn!(%digest, "a compiled plugin is damaged or not ours: compiled anew");
            return None;
        }
        content.truncate(at);
        Some(content)
    }

    /// Keeps compiled code, and makes room for it.
    ///
    /// # Errors
    /// When it cannot be written: the plugin is compiled anew next time.
    pub(super) fn write(&self, engine: &Engine, kind: Kind, digest: &Digest, code: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        self.make_room(code.len() as u64)?;
        let name = name(engine, kind, digest);
        // Under another name first: two processes or threads may write the same, and none is to be read half.
        static DRAFTS: AtomicU64 = AtomicU64::new(0);
        let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
        let draft = self.dir.join(format!("{name}.{}-{number}", std::process::id()));
        let mut file = fs::File::create(&draft)?;
        file.write_all(code)?;
        file.write_all(&self.seal(&name, code).finalize().into_bytes())?;
        fs::rename(&draft, self.dir.join(&name))
    }

    fn seal(&self, name: &str, code: &[u8]) -> Hmac<Sha256> {
        // HMAC fills a short key up with zeros itself.
        let mut block = [0; 64];
        block[..self.key.len()].copy_from_slice(&self.key);
        let mut seal = Hmac::<Sha256>::new(&block.into());
        seal.update(name.as_bytes());
        seal.update(&[0]);
        seal.update(code);
        seal
    }

    /// Removes the files that were written longest ago until so many bytes fit.
    fn make_room(&self, bytes: u64) -> io::Result<()> {
        let mut files = list(&self.dir)?;
        let mut total: u64 = files.iter().map(|file| file.bytes).sum();
        files.sort_by_key(|file| file.written);
        for file in files {
            if total.saturating_add(bytes) <= self.max_bytes {
                break;
            }
            fs::remove_file(&file.path)?;
            total -= file.bytes;
        }
        Ok(())
    }
}

struct File {
    path: PathBuf,
    bytes: u64,
    written: SystemTime,
}

fn list(dir: &Path) -> io::Result<Vec<File>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let about = entry.metadata()?;
        if about.is_file() {
            files.push(File { path: entry.path(), bytes: about.len(), written: about.modified()? });
        }
    }
    Ok(files)
}

/// Everything that compiled code depends on: the plugin, the compiler, its configuration and the processor.
fn name(engine: &Engine, kind: Kind, digest: &Digest) -> String {
    let mut environment = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut environment);
    format!("{digest}-{COMPILER}-{}-{:016x}.{SUFFIX}", kind.code(), environment.finish())
}
