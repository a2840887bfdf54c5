//! `linli plugin keygen` and `linli plugin sign`: an author's key and signature. Never: sends or shows the private key.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest as _, Sha256};

use super::form;
use crate::commands::output;

/// What is signed begins with this, so that the key's other signatures are none of a plugin.
const PURPOSE: &[u8] = b"linli-plugin-v1\0";

/// Makes an author's key.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  linli plugin keygen author-key.pem --name areas/xinhua/authorKeys/wang > author-key.yaml\n  \
    linli apply -f author-key.yaml        # by whoever may say whom the community trusts\n\n\
    The private key stays in the file, readable by you alone: keep a copy offline. What is printed is public."
)]
pub(super) struct KeygenArgs {
    /// Where the private key goes; never overwritten.
    file: PathBuf,
    /// The name under which the community will know the public key.
    #[arg(long, default_value = "areas/AREA/authorKeys/ID", value_name = "areas/AREA/authorKeys/ID")]
    name: String,
    /// Whose it is, in words.
    #[arg(long, default_value = "规则作者")]
    title: String,
}

pub(super) fn keygen(args: &KeygenArgs) -> Result<ExitCode> {
    let key = SigningKey::from_bytes(&rand::random());
    let pem = key.to_pkcs8_pem(LineEnding::LF).context("encode the key")?;
    let told = || format!("{}: the key is not written (an existing one is never overwritten)", args.file.display());
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&args.file).with_context(told)?;
    file.write_all(pem.as_bytes()).with_context(told)?;
    output::say(format!(
        "The private key is in {}. Have the public one trusted with `linli apply`:",
        args.file.display()
    ));
    let public = STANDARD.encode(key.verifying_key().as_bytes());
    let title = serde_json::to_string(&args.title)?;
    output::data(&format!(
        "---\ntype: linli/AuthorKey\nname: {}\ndisplayName: {{zhCn: {title}, en: {title}}}\npublicKey: {public}\n",
        args.name
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Signs a built rule for one plugin.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  linli plugin sign haircut.wasm --plugin areas/xinhua/plugins/haircut --key author-key.pem > haircut.sig\n  \
    linli plugin upload haircut.wasm --plugin areas/xinhua/plugins/haircut --author-key areas/xinhua/authorKeys/wang --signature haircut.sig\n\n\
    The signature is good for this plugin and these bytes only. `linli plugin upload --key` signs on the way."
)]
pub(super) struct SignArgs {
    /// The component or table.
    file: PathBuf,
    /// The plugin of which it is to be a version.
    #[arg(long, value_name = "areas/AREA/plugins/ID")]
    plugin: String,
    /// The author's private key.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

pub(super) fn sign(args: &SignArgs) -> Result<ExitCode> {
    let bytes = form::packed(&args.file)?;
    output::data(&hex::encode(signature(&args.key, &args.plugin, &bytes)?))?;
    Ok(ExitCode::SUCCESS)
}

/// The signature of a plugin's bytes with the key in a file.
pub(super) fn signature(key: &Path, plugin: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    let told = || format!("{}: no author's key can be read; make one with `linli plugin keygen`", key.display());
    let mode = std::fs::metadata(key).with_context(told)?.permissions().mode();
    ensure!(mode & 0o077 == 0, "{}: others may read this key: chmod 600 it, and mind who has read it", key.display());
    let pem = std::fs::read_to_string(key).with_context(told)?;
    let key = SigningKey::from_pkcs8_pem(&pem).with_context(told)?;
    Ok(key.sign(&signed(plugin, bytes)).to_vec())
}

/// What is signed: the purpose, the plugin, the digest.
fn signed(plugin: &str, bytes: &[u8]) -> Vec<u8> {
    [PURPOSE, plugin.as_bytes(), b"\0", Sha256::digest(bytes).as_slice()].concat()
}

/// A signature as `sign` printed it.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let bytes = hex::decode(text.trim()).ok().filter(|bytes| bytes.len() == 64);
    bytes.with_context(|| {
        format!("{}: 128 hexadecimal digits are wanted, as `linli plugin sign` prints", path.display())
    })
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signature, Verifier as _};

    use super::*;

    #[test]
    fn a_signature_is_good_for_one_plugin_and_its_bytes_only() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("key.pem");
        let args = KeygenArgs { file: file.clone(), name: "areas/x/authorKeys/a".to_owned(), title: "A".to_owned() };
        keygen(&args).expect("a key");
        assert_eq!(std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
        assert!(keygen(&args).is_err(), "a key is never overwritten");
        let signature = signature(&file, "areas/x/plugins/p", b"bytes").expect("a signature");
        let signature = Signature::from_slice(&signature).expect("64 bytes");
        let key = SigningKey::read_pkcs8_pem_file(&file).expect("the key").verifying_key();
        let verifies = |plugin: &str, bytes: &[u8]| key.verify(&signed(plugin, bytes), &signature).is_ok();
        assert!(verifies("areas/x/plugins/p", b"bytes"));
        assert!(!verifies("areas/x/plugins/q", b"bytes") && !verifies("areas/x/plugins/p", b"bytez"));
    }

    #[test]
    fn a_key_that_others_may_read_is_not_used() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("key.pem");
        std::fs::write(&file, "x").expect("a file");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("a mode");
        assert!(signature(&file, "p", b"").expect_err("open to all").to_string().contains("chmod 600"));
    }
}
