//! The configuration of a process: defaults < file < environment, checked as a whole.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use linli_kit::config::{ConfigError, load};
use linli_kit::retention::Settings as Retention;
use linli_kit::serve::SERVICES;
use linli_kit::store::{EngineConfig, StoreConfig};
use serde::Deserialize;

/// What holds when neither file nor environment says otherwise: everything embedded, on loopback.
pub const DEFAULTS: &str = include_str!("config.yaml");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    data_dir: PathBuf,
    store: RawStore,
    server: RawServer,
    gateway: RawGateway,
    identity: RawIdentity,
    fields: RawFields,
    peers: BTreeMap<String, String>,
    operators: Vec<String>,
    rules: RawRules,
    retention: RawRetention,
    log: RawLog,
    telemetry: RawTelemetry,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStore {
    url: String,
    max_connections: u32,
    statement_timeout_secs: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawServer {
    listen: String,
    http_listen: String,
    drain_secs: u64,
    connection_max_age_secs: u64,
    keepalive_secs: u64,
    concurrent_calls: usize,
    waiting_calls: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGateway {
    listen: String,
    tls: RawTls,
    requests_per_second: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTls {
    certificate: String,
    key: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIdentity {
    key: String,
    public_keys: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFields {
    key: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRules {
    validator: String,
    artefacts: String,
    compiled_mib: u32,
    pool: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRetention {
    events_days: u32,
    request_ids_days: u32,
    durable_calls_days: u32,
    operations_days: u32,
    receipts_days: u32,
}

impl RawRetention {
    fn settings(&self) -> Retention {
        let days = |n: u32| Duration::from_secs(u64::from(n) * 24 * 3600);
        Retention {
            events: days(self.events_days),
            request_ids: days(self.request_ids_days),
            durable_calls: days(self.durable_calls_days),
            operations: days(self.operations_days),
            receipts: days(self.receipts_days),
            ..Retention::default()
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLog {
    format: String,
    filter: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTelemetry {
    otlp_endpoint: String,
}

/// How the gateway's port is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// Not at all; loopback only.
    Off,
    /// By a certificate that is made for this machine; loopback only.
    Development,
    /// By these files.
    Files {
        /// Certificate chain, PEM.
        certificate: PathBuf,
        /// Private key, PEM.
        key: PathBuf,
    },
}

/// How much the evaluation of rules may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RulesPool {
    /// As much as a server where the process runs rules alone, else little.
    ByRole,
    /// Little memory.
    Embedded,
    /// Many plugins and instances.
    Server,
}

/// A checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where an embedded suite keeps its databases and development secrets.
    pub data_dir: PathBuf,
    /// How stores are opened.
    pub store: StoreConfig,
    /// Whether databases are migrated at start (embedded) or by `linli migrate`.
    pub migrate_at_start: bool,
    /// Where services listen; `None`: only in the process.
    pub listen: Option<SocketAddr>,
    /// Where health and metrics are served; `None`: not at all.
    pub http_listen: Option<SocketAddr>,
    /// How long a drain may take.
    pub drain: Duration,
    /// Age at which connections are asked to leave.
    pub connection_max_age: Duration,
    /// Interval of keepalive pings.
    pub keepalive: Duration,
    /// Calls of one class at once, and calls that may wait.
    pub limits: linli_kit::stack::Limits,
    /// Where the gateway listens.
    pub gateway_listen: SocketAddr,
    /// How its port is protected.
    pub tls: Tls,
    /// Requests of one subject a second.
    pub requests_per_second: u32,
    /// The role's private key; `None`: development keys in `data_dir`.
    pub identity_key: Option<PathBuf>,
    /// Directory of public keys; `None`: development keys in `data_dir`.
    pub public_keys: Option<PathBuf>,
    /// Key that seals personal columns; `None`: a development key in `data_dir`.
    pub fields_key: Option<PathBuf>,
    /// Where services that are not in this process are.
    pub peers: BTreeMap<&'static str, String>,
    /// Subjects with every permission.
    pub operators: Vec<String>,
    /// The binary that becomes the validation child of plugins; `None`: the running one.
    pub plugin_validator: Option<PathBuf>,
    /// How much the evaluation of rules may use.
    pub rules_pool: RulesPool,
    /// URL of the place where uploaded plugins are kept; `None`: a directory in `data_dir`.
    pub artefacts: Option<String>,
    /// Bytes of compiled plugins that are kept in `data_dir`; 0: none.
    pub compiled_bytes: u64,
    /// How long rows are kept.
    pub retention: Retention,
    /// Whether logs are JSON.
    pub log_json: bool,
    /// Filter of logs, such as `info,linli_kit=debug`.
    pub log_filter: String,
    /// Collector to which spans are exported; `None`: they are not.
    pub otlp_endpoint: Option<String>,
}

impl Config {
    /// Loads and checks the configuration.
    ///
    /// # Errors
    /// Every problem at once.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        build(load(DEFAULTS, file)?)
    }

    /// The configuration of an embedded suite in a directory, on free loopback ports.
    ///
    /// # Errors
    /// When the defaults or the environment are wrong.
    pub fn embedded(data_dir: &Path) -> Result<Self, ConfigError> {
        let mut config = Self::load(None)?;
        config.data_dir = data_dir.to_owned();
        config.store.engine = EngineConfig::Sqlite { dir: data_dir.join("db") };
        config.gateway_listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.http_listen = None;
        Ok(config)
    }
}

fn build(raw: Raw) -> Result<Config, ConfigError> {
    let mut bad = Vec::new();
    let mut address = |key: &str, text: &str| match text.parse::<SocketAddr>() {
        Ok(address) => Some(address),
        Err(_) if text.is_empty() => None,
        Err(_) => {
            bad.push(format!("{key}: {text:?} is no address such as 127.0.0.1:8443"));
            None
        }
    };
    let listen = address("server.listen", &raw.server.listen);
    let http_listen = address("server.http_listen", &raw.server.http_listen);
    let gateway_listen = address("gateway.listen", &raw.gateway.listen);
    let mut bounded = |key: &str, value: u64, min: u64, max: u64| {
        if !(min..=max).contains(&value) {
            bad.push(format!("{key}: {value} lies outside {min} to {max}"));
        }
    };
    bounded("store.max_connections", raw.store.max_connections.into(), 2, 500);
    bounded("store.statement_timeout_secs", raw.store.statement_timeout_secs, 1, 600);
    bounded("server.drain_secs", raw.server.drain_secs, 0, 600);
    bounded("server.connection_max_age_secs", raw.server.connection_max_age_secs, 1, 86_400);
    bounded("server.keepalive_secs", raw.server.keepalive_secs, 1, 3600);
    bounded("server.concurrent_calls", raw.server.concurrent_calls as u64, 1, 100_000);
    bounded("gateway.requests_per_second", raw.gateway.requests_per_second.into(), 1, 1_000_000);
    bounded("retention.events_days", raw.retention.events_days.into(), 1, 3650);
    // The contract promises a week.
    bounded("retention.request_ids_days", raw.retention.request_ids_days.into(), 7, 3650);
    bounded("retention.durable_calls_days", raw.retention.durable_calls_days.into(), 1, 3650);
    bounded("retention.operations_days", raw.retention.operations_days.into(), 1, 3650);
    bounded("retention.receipts_days", raw.retention.receipts_days.into(), 31, 36_500);
    if gateway_listen.is_none() {
        bad.push("gateway.listen: an address is wanted".to_owned());
    }
    let tls = match (raw.gateway.tls.certificate.as_str(), raw.gateway.tls.key.as_str()) {
        ("", "") => Tls::Off,
        ("development", _) => Tls::Development,
        (certificate, key) if !certificate.is_empty() && !key.is_empty() => {
            Tls::Files { certificate: certificate.into(), key: key.into() }
        }
        _ => {
            bad.push("gateway.tls: certificate and key belong together".to_owned());
            Tls::Off
        }
    };
    let outside = [listen, http_listen, gateway_listen].into_iter().flatten().any(|a| !a.ip().is_loopback());
    if outside && (raw.identity.key.is_empty() && raw.identity.public_keys.is_empty() || raw.fields.key.is_empty()) {
        bad.push("identity and fields: development keys refuse to serve other machines; name key files".to_owned());
    }
    if outside && tls == Tls::Development {
        bad.push("gateway.tls: a development certificate refuses to serve other machines".to_owned());
    }
    let mut peers = BTreeMap::new();
    for (name, url) in raw.peers {
        match SERVICES.into_iter().find(|s| *s == name) {
            Some(service) => drop(peers.insert(service, url)),
            None => bad.push(format!("peers.{name}: no such service; there are {}", SERVICES.join(", "))),
        }
    }
    let rules_pool = match raw.rules.pool.as_str() {
        "embedded" => RulesPool::Embedded,
        "server" => RulesPool::Server,
        other => {
            if !other.is_empty() {
                bad.push(format!("rules.pool: {other:?} is neither embedded nor server"));
            }
            RulesPool::ByRole
        }
    };
    if !["text", "json"].contains(&raw.log.format.as_str()) {
        bad.push(format!("log.format: {:?} is neither text nor json", raw.log.format));
    }
    if !(raw.telemetry.otlp_endpoint.is_empty() || raw.telemetry.otlp_endpoint.starts_with("http://")) {
        bad.push("telemetry.otlp_endpoint: a collector nearby is wanted, such as http://127.0.0.1:4317".to_owned());
    }
    if !bad.is_empty() {
        return Err(ConfigError::Invalid(bad));
    }
    let file = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
    let embedded = raw.store.url.is_empty();
    let engine = if embedded {
        EngineConfig::Sqlite { dir: raw.data_dir.join("db") }
    } else {
        EngineConfig::Postgres { url: raw.store.url.into(), max_connections: raw.store.max_connections }
    };
    Ok(Config {
        data_dir: raw.data_dir,
        store: StoreConfig { engine, statement_timeout: Duration::from_secs(raw.store.statement_timeout_secs) },
        migrate_at_start: embedded,
        listen,
        http_listen,
        drain: Duration::from_secs(raw.server.drain_secs),
        connection_max_age: Duration::from_secs(raw.server.connection_max_age_secs),
        keepalive: Duration::from_secs(raw.server.keepalive_secs),
        limits: linli_kit::stack::Limits { concurrent: raw.server.concurrent_calls, waiting: raw.server.waiting_calls },
        gateway_listen: gateway_listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0))),
        tls,
        requests_per_second: raw.gateway.requests_per_second,
        identity_key: file(&raw.identity.key),
        public_keys: file(&raw.identity.public_keys),
        fields_key: file(&raw.fields.key),
        peers,
        operators: raw.operators,
        plugin_validator: file(&raw.rules.validator),
        rules_pool,
        artefacts: Some(raw.rules.artefacts).filter(|url| !url.is_empty()),
        compiled_bytes: u64::from(raw.rules.compiled_mib) << 20,
        retention: raw.retention.settings(),
        log_json: raw.log.format == "json",
        log_filter: raw.log.filter,
        otlp_endpoint: (!raw.telemetry.otlp_endpoint.is_empty()).then_some(raw.telemetry.otlp_endpoint),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_stay_on_loopback() {
        let config = Config::load(None).expect("the defaults");
        assert!(config.gateway_listen.ip().is_loopback());
        assert!(config.migrate_at_start);
    }

    #[test]
    fn all_problems_are_reported_together() {
        let mut raw: Raw = load(DEFAULTS, None).expect("the defaults");
        raw.gateway.listen = "0.0.0.0:8443".into();
        raw.server.listen = "nowhere".into();
        raw.rules.pool = "huge".into();
        raw.peers.insert("bookings".into(), "http://x".into());
        let Err(ConfigError::Invalid(problems)) = build(raw) else { panic!("it must be refused") };
        assert!(problems.len() >= 4, "{problems:?}");
        assert!(problems.iter().any(|p| p.contains("rules.pool")));
        assert!(problems.iter().any(|p| p.contains("peers.bookings")));
    }
}
