//! Databases for tests: SQLite in the test's directory, PostgreSQL from a migrated template cloned per test.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use linli::config::Config;
use linli_kit::store::EngineConfig;
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection};

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Files in the test's directory.
    Sqlite,
    /// A database of its own on the test server.
    Postgres,
}

/// SQLite always, PostgreSQL when `LINLI_TEST_PG_URL` names a server; `cargo xtask test` starts one.
pub fn engines() -> Vec<Engine> {
    let mut engines = vec![Engine::Sqlite];
    if server().is_some() {
        engines.push(Engine::Postgres);
    }
    engines
}

#[expect(clippy::disallowed_methods, reason = "tests choose their server by the environment")]
fn server() -> Option<String> {
    std::env::var("LINLI_TEST_PG_URL").ok().filter(|url| !url.is_empty())
}

/// URL of a new database with nothing in it, as the test server's superuser; `None` without a server.
///
/// # Errors
/// When the server does not answer.
pub async fn empty_database(name: &str) -> Result<Option<String>> {
    let Some(url) = server() else { return Ok(None) };
    let (base, _) = url.rsplit_once('/').context("a URL with a database")?;
    let admin = Database::connect(url.clone()).await.context("the test server answers")?;
    let name = format!("linli_{name}_{}", std::process::id());
    admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
    admin.close().await?;
    Ok(Some(format!("{base}/{name}")))
}

/// A database of its own for the suite in `dir`.
///
/// # Errors
/// When the test server does not answer.
pub async fn config(engine: Engine, dir: &Path) -> Result<EngineConfig> {
    match engine {
        Engine::Sqlite => Ok(EngineConfig::Sqlite { dir: dir.join("db") }),
        Engine::Postgres => {
            let url = server().context("LINLI_TEST_PG_URL")?;
            Ok(EngineConfig::Postgres { url: clone_template(&url).await?.into(), max_connections: 8 })
        }
    }
}

/// A database of the test's own, cloned from the migrated template.
async fn clone_template(url: &str) -> Result<String> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let admin = Database::connect(url.to_owned()).await.context("the test server answers")?;
    let (base, _) = url.rsplit_once('/').context("a URL with a database")?;
    let template = template(&admin, base).await?;
    let name = format!("linli_e2e_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
    // Cloning waits for others that clone at the same moment.
    for attempt in 0.. {
        match admin.execute_unprepared(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await {
            Ok(_) => break,
            Err(_) if attempt < 200 => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(problem) => return Err(problem).context("cloning the template"),
        }
    }
    admin.close().await?;
    Ok(format!("{base}/{name}"))
}

/// The template, made by whoever comes first; its name changes with the migrations.
async fn template(admin: &DatabaseConnection, base: &str) -> Result<String> {
    let mut hash = DefaultHasher::new();
    for migration in linli::suite::migrations() {
        (migration.version, migration.name, migration.postgres).hash(&mut hash);
    }
    let name = format!("linli_template_{:016x}", hash.finish());
    let lock = "SELECT pg_advisory_lock(727001)::text";
    // A connection of its own: an advisory lock belongs to its session.
    let mut options = sea_orm::ConnectOptions::new(format!("{base}/postgres"));
    options.max_connections(1).min_connections(1);
    let session = Database::connect(options).await?;
    session.execute_unprepared(lock).await?;
    let ready = format!("SELECT 1 AS one FROM pg_database WHERE datname = '{name}' AND datistemplate");
    let statement = sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, ready);
    if session.query_one_raw(statement).await?.is_none() {
        admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
        admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
        let dir = tempfile::tempdir()?;
        let mut config = Config::embedded(dir.path())?;
        config.store.engine = EngineConfig::Postgres { url: format!("{base}/{name}").into(), max_connections: 2 };
        linli::suite::migrate(&config).await.map_err(|e| anyhow::anyhow!("{e}: {:?}", e.cause()))?;
        admin.execute_unprepared(&format!("ALTER DATABASE {name} IS_TEMPLATE true")).await?;
    }
    session.close().await?;
    Ok(name)
}
