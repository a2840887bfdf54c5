//! A running suite, or the part of it that one process plays: opens stores, builds services, wires them, drains.

mod http;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use linli_access::{Access, Matrix};
use linli_kernel::{SharedClock, SystemClock};
use linli_kit::feed::EventLog;
use linli_kit::identity::TokenVerifier;
use linli_kit::serve::{
    Backend, Kit, LocalServices, Peers, SERVICES, ServerOptions, ServiceParts, serve_stack, start_common,
};
use linli_kit::stack::{self, StackParts};
use linli_kit::store::{Constraint, Migration, Store};
use linli_kit::texts::Texts;
use linli_kit::{Error, Result};
use linli_rules::engine::EngineConfig;
use linli_rules::{Artefacts, Compiled, RulesSettings};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;

use crate::config::{Config, RulesPool, Tls};
use crate::keys::Keys;

/// How often a process that waits for its schema looks again.
const SCHEMA_PAUSE: Duration = Duration::from_secs(2);

/// What a process can play.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// One of the services.
    Service(&'static str),
    /// The edge.
    Gateway,
}

impl Role {
    /// All roles, services before the gateway.
    pub fn all() -> Vec<Self> {
        SERVICES.into_iter().map(Self::Service).chain([Self::Gateway]).collect()
    }

    /// The role of a name.
    pub fn parse(name: &str) -> Option<Self> {
        if name == "gateway" {
            return Some(Self::Gateway);
        }
        SERVICES.into_iter().find(|s| *s == name).map(Self::Service)
    }
}

/// A part of the suite that runs in this process.
pub struct Suite {
    /// Where the gateway listens; `None` when this process plays none.
    pub gateway: Option<SocketAddr>,
    /// Where the services listen; `None` when they are called in the process only.
    pub services: Option<SocketAddr>,
    /// The certificate that clients need; `None` without TLS or with a public one.
    pub certificate: Option<std::path::PathBuf>,
    /// The suite's clock.
    pub clock: SharedClock,
    /// The keys.
    pub keys: Keys,
    local: LocalServices,
    stores: Vec<Store>,
    cancel: CancellationToken,
    tasks: TaskTracker,
    listening: Vec<JoinHandle<()>>,
    drain: Duration,
}

impl std::fmt::Debug for Suite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Suite").field("gateway", &self.gateway).finish_non_exhaustive()
    }
}

/// What is different from service to service.
struct Plan {
    service: &'static str,
    migrations: Vec<Migration>,
    constraints: &'static [Constraint],
    texts: Texts,
}

fn plan(service: &'static str) -> Plan {
    let (migrations, constraints, texts): (_, &'static [Constraint], _) = match service {
        "org" => (linli_org::migrations(), linli_org::CONSTRAINTS, linli_org::texts()),
        "booking" => (linli_booking::migrations(), linli_booking::CONSTRAINTS, linli_booking::texts()),
        "points" => (linli_points::migrations(), linli_points::CONSTRAINTS, linli_points::texts()),
        "deliberation" => {
            (linli_deliberation::migrations(), linli_deliberation::CONSTRAINTS, linli_deliberation::texts())
        }
        _ => (linli_rules::migrations(), linli_rules::CONSTRAINTS, linli_rules::texts()),
    };
    Plan { service, migrations, constraints, texts }
}

/// `alone`: the process runs no other service.
async fn build(config: &Config, service: &str, alone: bool, parts: ServiceParts, access: Access) -> Result<Routes> {
    match service {
        "org" => linli_org::build(parts, access).await,
        "booking" => linli_booking::build(parts, access).await,
        "points" => linli_points::build(parts, access).await,
        "deliberation" => linli_deliberation::build(parts, access).await,
        _ => {
            let engine = match config.rules_pool {
                RulesPool::Server => EngineConfig::server(),
                RulesPool::ByRole if alone => EngineConfig::server(),
                RulesPool::ByRole | RulesPool::Embedded => EngineConfig::embedded(),
            };
            let worker = config.plugin_validator.clone();
            let artefacts = match &config.artefacts {
                Some(url) => Artefacts::at(url)?,
                None => Artefacts::directory(&config.data_dir.join("artefacts"))?,
            };
            let compiled = Compiled { dir: config.data_dir.join("compiled"), most_bytes: config.compiled_bytes };
            let compiled = Some(compiled).filter(|compiled| compiled.most_bytes > 0);
            let settings = RulesSettings { worker, engine, artefacts, compiled, ..RulesSettings::default() };
            linli_rules::build_with(parts, access, settings).await
        }
    }
}

/// The migrations of all services.
pub fn migrations() -> Vec<Migration> {
    SERVICES.into_iter().flat_map(|service| plan(service).migrations).collect()
}

/// Brings the schemas of all services up to this release.
///
/// # Errors
/// When a database does not answer or a schema does not fit.
pub async fn migrate(config: &Config) -> Result<()> {
    for service in SERVICES {
        let plan = plan(service);
        let store = Store::open(&config.store, service).await?;
        store.migrate(&plan.migrations).await?;
        store.close().await;
    }
    Ok(())
}

/// Waits until somebody has migrated the schema; every other misfit ends the start.
async fn await_schema(store: &Store, migrations: &[Migration], readiness: &http::Readiness) -> Result<()> {
    while let Err(error) = store.check_schema(migrations).await {
        if error.reason() != "SCHEMA_OUTDATED" {
            return Err(error);
        }
        let what = format!("{}: the schema is older than this release; run `linli migrate`", store.service());
        tracing::warn!(service = store.service(), cause = ?error.cause(), "{what}");
        readiness.waits_for(what);
        tokio::time::sleep(SCHEMA_PAUSE).await;
    }
    Ok(())
}

impl Suite {
    /// Starts these roles with the machine's clock.
    ///
    /// # Errors
    /// When a store, key, port or service does not come up; nothing stays behind.
    pub async fn start(config: &Config, roles: &[Role]) -> Result<Self> {
        Self::start_with_clock(config, roles, Arc::new(SystemClock)).await
    }

    /// Starts these roles with a given clock; a manual one can be moved through the gateway on loopback.
    ///
    /// # Errors
    /// As [`Suite::start`].
    pub async fn start_with_clock(config: &Config, roles: &[Role], clock: SharedClock) -> Result<Self> {
        let keys = Keys::open(config)?;
        let mut suite = Self {
            gateway: None,
            services: None,
            certificate: None,
            clock,
            keys,
            local: LocalServices::default(),
            stores: Vec::new(),
            cancel: CancellationToken::new(),
            tasks: TaskTracker::new(),
            listening: Vec::new(),
            drain: config.drain,
        };
        match suite.bring_up(config, roles).await {
            Ok(()) => Ok(suite),
            Err(error) => {
                suite.stop().await;
                Err(error)
            }
        }
    }

    async fn bring_up(&mut self, config: &Config, roles: &[Role]) -> Result<()> {
        let verifier = self.keys.verifier()?;
        let here: Vec<&'static str> =
            roles.iter().filter_map(|r| if let Role::Service(s) = r { Some(*s) } else { None }).collect();
        let backends = self.backends(config, &here)?;
        // Before the services: they keep what they count with.
        let metrics = config.http_listen.and_then(|_| linli_kit::telemetry::Metrics::install());
        let readiness = http::Readiness::default();
        if let Some(address) = config.http_listen {
            // Alive, and not ready, while the services wait for their schema.
            self.listening.push(http::serve(address, readiness.clone(), self.cancel.clone(), metrics).await?);
        }
        for service in &here {
            self.start_service(config, service, &backends, &verifier, &readiness).await?;
        }
        if let Some(address) = config.listen.filter(|_| !here.is_empty()) {
            self.listen(config, address, &here).await?;
        }
        if roles.contains(&Role::Gateway) {
            self.start_gateway(config, backends, verifier).await?;
        }
        readiness.up();
        Ok(())
    }

    fn backends(&self, config: &Config, here: &[&'static str]) -> Result<HashMap<&'static str, Backend>> {
        let mut backends = HashMap::new();
        for service in SERVICES {
            let backend = match config.peers.get(service) {
                _ if here.contains(&service) => Backend::Local(self.local.clone(), service),
                Some(url) => {
                    let endpoint = tonic::transport::Endpoint::from_shared(url.clone())
                        .map_err(|e| Error::internal(format!("peers.{service}: {url}: {e}")))?
                        .connect_timeout(Duration::from_secs(2))
                        .http2_keep_alive_interval(config.keepalive)
                        .keep_alive_while_idle(true)
                        .tcp_nodelay(true);
                    Backend::remote(&endpoint, 2)
                }
                None => continue,
            };
            backends.insert(service, backend);
        }
        Ok(backends)
    }

    async fn start_service(
        &mut self,
        config: &Config,
        service: &'static str,
        backends: &HashMap<&'static str, Backend>,
        verifier: &Arc<TokenVerifier>,
        readiness: &http::Readiness,
    ) -> Result<()> {
        let plan = plan(service);
        let store = Store::open(&config.store, plan.service).await?.with_constraints(plan.constraints);
        self.stores.push(store.clone());
        readiness.watch(store.clone());
        if config.migrate_at_start {
            store.migrate(&plan.migrations).await?;
        } else {
            await_schema(&store, &plan.migrations, readiness).await?;
        }
        let parts = ServiceParts {
            kit: Kit { service, texts: plan.texts.clone(), clock: self.clock.clone() },
            log: EventLog::new(store.clone()),
            store,
            peers: Peers::new(self.keys.identity(service)?, backends.clone()),
            keyring: self.keys.keyring()?,
            cancel: self.cancel.clone(),
            tasks: self.tasks.clone(),
            retention: config.retention,
        };
        let matrix = Matrix::shipped().map_err(Error::internal)?;
        let access = Access::new(matrix, config.operators.iter().cloned());
        start_common(&parts);
        if service != "org" {
            linli_access::start_projection(&parts, &access).await?;
        }
        let alone = backends.values().filter(|backend| matches!(backend, Backend::Local(..))).count() == 1;
        let routes = build(config, service, alone, parts, access).await?;
        let stack = stack::build(
            &StackParts {
                service,
                texts: plan.texts,
                verifier: verifier.clone(),
                clock: self.clock.clone(),
                limits: config.limits,
                tasks: self.tasks.clone(),
            },
            routes,
        );
        self.local.insert(service, stack);
        tracing::info!(service, "service is up");
        Ok(())
    }

    /// Serves the process's services on one port, by path.
    async fn listen(&mut self, config: &Config, address: SocketAddr, here: &[&'static str]) -> Result<()> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|e| Error::internal(format!("the services cannot listen on {address}: {e}")))?;
        self.services = Some(listener.local_addr().map_err(Error::internal)?);
        let front = http::Front::new(self.local.clone(), here);
        let options = ServerOptions { max_connection_age: config.connection_max_age, ..ServerOptions::default() };
        let (cancel, tasks) = (self.cancel.clone(), self.tasks.clone());
        self.listening.push(tokio::spawn(async move {
            let stop = cancel.cancelled_owned();
            if let Err(error) = serve_stack(listener, front, options, tasks, stop).await {
                tracing::error!(%error, cause = ?error.cause(), "the services' port broke");
            }
        }));
        Ok(())
    }

    async fn start_gateway(
        &mut self,
        config: &Config,
        backends: HashMap<&'static str, Backend>,
        verifier: Arc<TokenVerifier>,
    ) -> Result<()> {
        let tls = match &config.tls {
            Tls::Off => None,
            Tls::Development => Some(linli_gateway::dev_certificate(&config.data_dir.join("tls"))?),
            Tls::Files { certificate, key } => {
                Some(linli_gateway::TlsFiles { certificate: certificate.clone(), key: key.clone() })
            }
        };
        self.certificate = tls.as_ref().map(|t| t.certificate.clone());
        let listening = linli_gateway::Listening::bind(config.gateway_listen, tls).await?;
        self.gateway = Some(listening.address);
        let parts = linli_gateway::Parts {
            backends,
            verifier,
            manual_clock: self.clock.manual().is_some().then(|| self.clock.clone()),
            operators: config.operators.clone(),
            requests_per_second: config.requests_per_second,
        };
        let stop = self.cancel.clone().cancelled_owned();
        self.listening.push(tokio::spawn(async move {
            if let Err(error) = linli_gateway::serve(listening, parts, stop).await {
                tracing::error!(%error, cause = ?error.cause(), "the gateway's port broke");
            }
        }));
        Ok(())
    }

    /// A token of the development issuer.
    ///
    /// # Errors
    /// When the process has no issuer's key.
    pub fn token(&self, subject: &str) -> Result<String> {
        self.keys.issuer()?.issue(subject, Duration::from_secs(12 * 3600))
    }

    /// The stacks of the services in this process, for calls without a socket.
    pub fn local(&self) -> &LocalServices {
        &self.local
    }

    /// The stores of the services in this process.
    pub fn stores(&self) -> &[Store] {
        &self.stores
    }

    /// Resolves when the process is told to stop.
    pub async fn stopped(&self) {
        self.cancel.cancelled().await;
    }

    /// Drains: takes no more calls, lets open ones and background work end, closes the stores.
    pub async fn stop(self) {
        self.cancel.cancel();
        self.tasks.close();
        let drained = async {
            for port in self.listening {
                let _ = port.await;
            }
            self.tasks.wait().await;
        };
        if tokio::time::timeout(self.drain, drained).await.is_err() {
            tracing::warn!("the drain took too long; what is left is cut");
        }
        for store in self.stores {
            store.close().await;
        }
    }
}
