//! Files that hold secrets: written once, readable by their owner only.

use std::io::Write as _;
use std::path::Path;

use crate::{Error, Result};

/// Writes a new secret file with mode 0600; its directory is made when missing.
///
/// # Errors
/// When the file exists already or cannot be written.
pub fn write_secret(path: &Path, content: &[u8]) -> Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).map_err(|e| Error::internal(format!("{}: {e}", dir.display())))?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(|e| Error::internal(format!("{}: {e}", path.display())))?;
    file.write_all(content).map_err(|e| Error::internal(format!("{}: {e}", path.display())))
}
