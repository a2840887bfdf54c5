//! Claims about the manifests.
