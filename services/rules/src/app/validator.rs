//! Validation children, areas in turn: one for uploads and one for bindings at a time, which leaves the machine to those
//! who ask.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::turns::Turns;
use crate::engine::types::Setting;
use crate::engine::{Digest, Hook};
use crate::validate::{self, Report, ValidateLimits};

/// Checks of bindings that are remembered.
const REMEMBERED: u64 = 10_000;

/// What was checked of a binding: everything that the outcome depends on.
pub(super) type Checked = (Digest, Hook, Vec<u8>);

/// Starts children; cheap to clone.
#[derive(Clone)]
pub(super) struct Validator {
    worker: Arc<PathBuf>,
    limits: ValidateLimits,
    uploads: Turns,
    bindings: Turns,
    /// A check is a pure function, so that what passed once passes again.
    passed: moka::sync::Cache<Checked, ()>,
}

impl Validator {
    pub(super) fn new(worker: PathBuf, limits: ValidateLimits) -> Self {
        let (uploads, bindings) = (Turns::new(1, 1), Turns::new(1, 1));
        Self { worker: Arc::new(worker), limits, uploads, bindings, passed: moka::sync::Cache::new(REMEMBERED) }
    }

    /// Validates an upload of an area. Dropping the future kills the child.
    ///
    /// # Errors
    /// When the child does not start, which says nothing about the plugin.
    pub(super) async fn upload(&self, area: &str, bytes: &[u8]) -> io::Result<Report> {
        let _turn = self.uploads.take(area).await;
        validate::run(&self.worker, bytes, &self.limits, &[]).await
    }

    /// Tries one hook of a plugin with the settings that it is to have in an area.
    ///
    /// # Errors
    /// As [`Self::upload`].
    pub(super) async fn binding(
        &self,
        area: &str,
        bytes: &[u8],
        settings: &[Setting],
        hook: Hook,
    ) -> io::Result<Report> {
        let _turn = self.bindings.take(area).await;
        validate::run_hook(&self.worker, bytes, &self.limits, settings, hook).await
    }

    pub(super) fn has_passed(&self, checked: &Checked) -> bool {
        self.passed.contains_key(checked)
    }

    pub(super) fn remember(&self, checked: Checked) {
        self.passed.insert(checked, ());
    }
}
