//! Keys of a process: who it is, whom it knows, what seals its personal columns. Development keys are made when missing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use linli_kit::crypto::{KeyConfig, Keyring};
use linli_kit::identity::{ServiceIdentity, Signer, TokenVerifier, generate_key_pair, issuer_key_id};
use linli_kit::serve::SERVICES;
use linli_kit::{Error, Result};

use crate::config::Config;

/// The keys of one process.
#[derive(Debug, Clone)]
pub struct Keys {
    dir: PathBuf,
    identity_key: Option<PathBuf>,
    public_keys: PathBuf,
    fields_key: PathBuf,
    development_fields: bool,
}

impl Keys {
    /// The keys that a configuration names; missing development keys are made.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn open(config: &Config) -> Result<Self> {
        let dir = config.data_dir.join("keys");
        let keys = Self {
            identity_key: config.identity_key.clone(),
            public_keys: config.public_keys.clone().unwrap_or_else(|| dir.clone()),
            fields_key: config.fields_key.clone().unwrap_or_else(|| dir.join("fields.key")),
            development_fields: config.fields_key.is_none(),
            dir,
        };
        if config.public_keys.is_none() {
            for name in SERVICES.into_iter().chain(["issuer"]) {
                keys.make(name)?;
            }
        }
        Ok(keys)
    }

    fn make(&self, name: &str) -> Result<()> {
        let private = self.dir.join(format!("{name}-private.pem"));
        let public = self.dir.join(format!("{name}.pem"));
        if public.exists() {
            return Ok(());
        }
        let (private_pem, public_pem) = generate_key_pair()?;
        if !private.exists() {
            linli_kit::files::write_secret(&private, private_pem.as_bytes())?;
        }
        std::fs::write(&public, public_pem).map_err(|e| Error::internal(format!("{}: {e}", public.display())))
    }

    /// The identity of a service of this process.
    ///
    /// # Errors
    /// When its key cannot be read.
    pub fn identity(&self, service: &'static str) -> Result<Arc<ServiceIdentity>> {
        let path = self.identity_key.clone().unwrap_or_else(|| self.dir.join(format!("{service}-private.pem")));
        ServiceIdentity::from_pem(service, &read(&path)?).map(Arc::new)
    }

    /// Checks everybody's tokens.
    ///
    /// # Errors
    /// When a public key cannot be read.
    pub fn verifier(&self) -> Result<Arc<TokenVerifier>> {
        let public = |name: &str| read(&self.public_keys.join(format!("{name}.pem")));
        let services = SERVICES.map(|s| public(s).map(|pem| (s.to_owned(), pem)));
        let services: Vec<_> = services.into_iter().collect::<Result<_>>()?;
        TokenVerifier::new(&public("issuer")?, &services).map(Arc::new)
    }

    /// Where the development issuer's key lies, if there is one.
    pub fn issuer_key(config: &Config) -> PathBuf {
        config.data_dir.join("keys").join("issuer-private.pem")
    }

    /// The development issuer of people's tokens.
    ///
    /// # Errors
    /// When there is none: an installation has an issuer of its own.
    pub fn issuer(&self) -> Result<Signer> {
        Signer::from_pem(issuer_key_id(), &read(&self.dir.join("issuer-private.pem"))?)
    }

    /// What seals personal columns and signs page tokens: lines of `<id> <base64 of 32 bytes>`, the present key first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn keyring(&self) -> Result<Arc<Keyring>> {
        if self.development_fields {
            return Keyring::generated(&self.fields_key).map(Arc::new);
        }
        let text = read(&self.fields_key)?;
        let mut keys = text.lines().filter(|l| !l.trim().is_empty()).map(|line| {
            let parsed = line.split_once(' ').and_then(|(id, secret)| Some((id.trim().parse().ok()?, secret.trim())));
            let (id, secret) = parsed.ok_or_else(|| {
                Error::internal(format!(
                    "{}: lines of \"<id> <base64 of 32 bytes>\" are wanted",
                    self.fields_key.display()
                ))
            })?;
            Ok(KeyConfig { id, secret: secret.to_owned().into() })
        });
        let current =
            keys.next().ok_or_else(|| Error::internal(format!("{}: no key", self.fields_key.display())))??;
        let older: Vec<KeyConfig> = keys.collect::<Result<_>>()?;
        Keyring::new(current, &older).map(Arc::new)
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| Error::internal(format!("{}: {e}", path.display())))
}
