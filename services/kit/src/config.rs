//! Loading configuration: defaults < file < environment, refused as a whole with every problem named.
//!
//! The one place that reads the process environment. Owns no setting of its own.

use std::path::Path;

use serde::de::DeserializeOwned;

/// Prefix of environment variables: `LINLI__STORE__URL` sets `store.url`.
pub const ENV_PREFIX: &str = "LINLI";

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file or variable could not be read, or a value has the wrong type, or a key is unknown.
    #[error("configuration: {0}")]
    Load(String),
    /// Values contradict each other or are out of range; each line names one problem.
    #[error("configuration:\n  - {}", .0.join("\n  - "))]
    Invalid(Vec<String>),
}

/// Reads a raw configuration: `defaults` (YAML), then `file` when given, then `LINLI__*` variables.
///
/// # Errors
/// [`ConfigError::Load`] with the key and what was wrong.
pub fn load<T: DeserializeOwned>(defaults: &str, file: Option<&Path>) -> Result<T, ConfigError> {
    let mut builder = config::Config::builder().add_source(config::File::from_str(defaults, config::FileFormat::Yaml));
    if let Some(path) = file {
        builder = builder.add_source(config::File::from(path).format(config::FileFormat::Yaml).required(true));
    }
    builder = builder.add_source(config::Environment::with_prefix(ENV_PREFIX).prefix_separator("__").separator("__"));
    let built = builder.build().map_err(|e| ConfigError::Load(e.to_string()))?;
    built.try_deserialize().map_err(|e| ConfigError::Load(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Raw {
        listen: String,
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let error = load::<Raw>("listen: a\nlisten_adress: b\n", None).expect_err("unknown key");
        assert!(error.to_string().contains("listen_adress"), "{error}");
    }

    #[test]
    fn defaults_stand_when_nothing_overrides_them() {
        assert_eq!(load::<Raw>("listen: a\n", None).expect("valid").listen, "a");
    }
}
