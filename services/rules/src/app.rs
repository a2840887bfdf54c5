//! Use cases of the rules service.

use std::path::PathBuf;
use std::sync::Arc;

use linli_access::Access;
use linli_kit::Result;
use linli_kit::serve::ServiceParts;

use crate::validate::ValidateLimits;

/// How the service validates uploads.
#[derive(Debug, Clone, Default)]
pub struct RulesSettings {
    /// The binary that becomes the validation child; `None`: the running one.
    pub worker: Option<PathBuf>,
    /// What one validation may use.
    pub limits: ValidateLimits,
}

/// The service's use cases.
pub(crate) struct App {
    pub(crate) parts: ServiceParts,
    pub(crate) access: Access,
}

impl App {
    pub(crate) fn start(parts: ServiceParts, access: Access, _settings: RulesSettings) -> Result<Arc<Self>> {
        Ok(Arc::new(Self { parts, access }))
    }
}
