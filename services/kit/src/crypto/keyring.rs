//! The keys of a suite and the keys derived from them.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

use crate::{Error, Result};

/// Bytes of a key.
pub(super) const KEY_LEN: usize = 32;

/// One configured key.
#[derive(Debug, Clone)]
pub struct KeyConfig {
    /// Number that sealed values carry; never used for another key again.
    pub id: u32,
    /// 32 random bytes in base64.
    pub secret: SecretString,
}

/// What a keyed hash is for; each purpose has its own key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Hash of a request beside its request id.
    RequestHash,
    /// Authentication of page tokens.
    PageToken,
    /// Index over a sealed column: equal texts are found, unequal ones tell nothing.
    BlindIndex,
    /// Names of people in decisions, and numbers under which plugins see them.
    Pseudonym,
    /// Seal over compiled plugins: only the process that compiled one, or a later one of its service, takes it up again.
    CompiledPlugin,
}

impl Purpose {
    const ALL: [Self; 5] =
        [Self::RequestHash, Self::PageToken, Self::BlindIndex, Self::Pseudonym, Self::CompiledPlugin];

    fn label(self) -> &'static str {
        match self {
            Self::RequestHash => "request-hash",
            Self::PageToken => "page-token",
            Self::BlindIndex => "blind-index",
            Self::Pseudonym => "pseudonym",
            Self::CompiledPlugin => "compiled-plugin",
        }
    }
}

/// Keys derived from one configured key; wiped when dropped.
struct Derived {
    id: u32,
    seal: Zeroizing<[u8; KEY_LEN]>,
    purposes: [Zeroizing<[u8; KEY_LEN]>; 5],
}

/// The keys of a suite; cheap to clone, and its `Debug` prints key ids only.
#[derive(Clone)]
pub struct Keyring {
    /// The current key first; never empty.
    keys: Arc<Vec<Derived>>,
    /// Index of the key with the lowest id: hashes that are stored must not change when a new key comes.
    stable: usize,
}

impl Keyring {
    /// Builds a keyring from the current key and the older ones that still open old rows.
    ///
    /// What is stored and compared (request hashes, blind indexes, pseudonyms) is made with the key of the lowest id, for it
    /// must stay what it was when a key is added; it changes only when that key is removed, which needs a re-index.
    ///
    /// # Errors
    /// When a secret is not 32 bytes of base64 or an id occurs twice.
    pub fn new(current: KeyConfig, older: &[KeyConfig]) -> Result<Self> {
        let mut keys: Vec<Derived> = Vec::with_capacity(1 + older.len());
        for config in std::iter::once(&current).chain(older) {
            if keys.iter().any(|k| k.id == config.id) {
                return Err(Error::internal(format!("the key id {} occurs twice", config.id)));
            }
            keys.push(derive(config)?);
        }
        let stable = (0..keys.len()).min_by_key(|i| keys[*i].id).unwrap_or(0);
        Ok(Self { keys: Arc::new(keys), stable })
    }

    /// Reads the development key of `file`, and makes one when there is none; nobody but the owner may read the file.
    ///
    /// # Errors
    /// When the file can be neither read nor made, or holds no key, or others may read it.
    pub fn generated(file: &Path) -> Result<Self> {
        let problem = |e: std::io::Error| Error::internal(format!("development key {}: {e}", file.display()));
        let mut secret = match std::fs::read_to_string(file) {
            Ok(text) => {
                owner_only(file).map_err(problem)?;
                text.trim().to_owned()
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => make(file).map_err(problem)?,
            Err(e) => return Err(problem(e)),
        };
        let keyring = Self::new(KeyConfig { id: 1, secret: secret.clone().into() }, &[]);
        secret.zeroize();
        keyring
    }

    /// A keyed hash of parts; parts are told apart, so `["ab", "c"]` differs from `["a", "bc"]`.
    ///
    /// Page tokens use the current key; see [`Keyring::hmac_each`] for reading older ones.
    pub fn hmac(&self, purpose: Purpose, parts: &[&[u8]]) -> [u8; 32] {
        let key = match purpose {
            Purpose::PageToken | Purpose::CompiledPlugin => &self.keys[0],
            Purpose::RequestHash | Purpose::BlindIndex | Purpose::Pseudonym => &self.keys[self.stable],
        };
        key.hmac(purpose, parts)
    }

    /// The same hash under every key, the current one first: for comparing with one that an older key made.
    pub fn hmac_each(&self, purpose: Purpose, parts: &[&[u8]]) -> impl Iterator<Item = [u8; 32]> {
        self.keys.iter().map(move |key| key.hmac(purpose, parts))
    }

    /// The index value of a text in one column and area: equal texts there have equal values, elsewhere others.
    pub fn blind_index(&self, column: &str, area: &str, text: &str) -> Vec<u8> {
        self.hmac(Purpose::BlindIndex, &[column.as_bytes(), area.as_bytes(), text.as_bytes()])[..16].to_vec()
    }

    /// The name under which what was decided about a subject in one area belongs together, for whoever counts decisions. No plugin
    /// sees it.
    pub fn pseudonym(&self, area: &str, subject: &str) -> String {
        hex::encode(&self.hmac(Purpose::Pseudonym, &[area.as_bytes(), subject.as_bytes()])[..16])
    }

    /// The number under which plugins see a subject within one decision; it says nothing of the same subject in another one.
    pub fn handle(&self, area: &str, subject: &str, decision: &str) -> u32 {
        let hash = self.hmac(Purpose::Pseudonym, &[area.as_bytes(), subject.as_bytes(), decision.as_bytes()]);
        u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
    }

    /// Which thousandth (0 to 999) of an area's subjects one belongs to, for ever the same: a canary of so many permille is those
    /// below it. Made with another key than the pseudonyms, so that neither says anything of the other.
    pub fn bucket(&self, area: &str, subject: &str) -> i32 {
        let hash = self.blind_index("rules.bucket", area, subject);
        hash.iter().fold(0, |bucket, byte| (bucket * 256 + i32::from(*byte)) % 1000)
    }

    pub(super) fn current(&self) -> (u32, &[u8; KEY_LEN]) {
        (self.keys[0].id, &self.keys[0].seal)
    }

    pub(super) fn find(&self, id: u32) -> Option<&[u8; KEY_LEN]> {
        self.keys.iter().find(|k| k.id == id).map(|k| &*k.seal)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("ids", &self.keys.iter().map(|k| k.id).collect::<Vec<_>>()).finish()
    }
}

impl Derived {
    fn hmac(&self, purpose: Purpose, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = keyed(&self.purposes[purpose as usize]);
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

/// HKDF-Expand (RFC 5869) with one block: the configured key is uniformly random, so no extraction is needed.
fn subkey(master: &[u8; KEY_LEN], label: &str) -> Zeroizing<[u8; KEY_LEN]> {
    let mut mac = keyed(master);
    mac.update(b"linli/v1/");
    mac.update(label.as_bytes());
    mac.update(&[1]);
    Zeroizing::new(mac.finalize().into_bytes().into())
}

fn keyed(key: &[u8; KEY_LEN]) -> Hmac<Sha256> {
    // HMAC takes keys of any length (RFC 2104).
    Hmac::<Sha256>::new_from_slice(key).expect("an HMAC key of 32 bytes")
}

fn derive(config: &KeyConfig) -> Result<Derived> {
    let refuse = || Error::internal(format!("key {} must be {KEY_LEN} random bytes in base64", config.id));
    let bytes = Zeroizing::new(STANDARD.decode(config.secret.expose_secret().trim()).map_err(|_| refuse())?);
    let master = Zeroizing::new(<[u8; KEY_LEN]>::try_from(bytes.as_slice()).map_err(|_| refuse())?);
    if master.iter().all(|b| *b == master[0]) {
        return Err(refuse());
    }
    Ok(Derived {
        id: config.id,
        seal: subkey(&master, "seal"),
        purposes: Purpose::ALL.map(|purpose| subkey(&master, purpose.label())),
    })
}

fn make(file: &Path) -> std::io::Result<String> {
    use std::io::Write as _;
    if let Some(dir) = file.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let key = Zeroizing::new(rand::random::<[u8; KEY_LEN]>());
    let text = STANDARD.encode(key.as_slice());
    // Written beside and linked into place: two processes that start at once end up with one key, and no half file is read.
    let beside = file.with_extension(format!("{:016x}.tmp", rand::random::<u64>()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out = options.open(&beside)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    let linked = std::fs::hard_link(&beside, file);
    std::fs::remove_file(&beside)?;
    match linked {
        Ok(()) => Ok(text),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(std::fs::read_to_string(file)?.trim().to_owned()),
        Err(e) => Err(e),
    }
}

#[cfg(unix)]
fn owner_only(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if std::fs::metadata(file)?.permissions().mode() & 0o077 == 0 {
        Ok(())
    } else {
        Err(std::io::Error::new(std::io::ErrorKind::PermissionDenied, "others may read it; chmod 600 it"))
    }
}

#[cfg(not(unix))]
fn owner_only(_: &Path) -> std::io::Result<()> {
    Ok(())
}
