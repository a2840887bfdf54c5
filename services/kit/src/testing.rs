//! Stores for tests: SQLite in a directory of its own, and PostgreSQL when `LINLI_TEST_PG_URL` is set.
//!
//! For `#[cfg(test)]` and the feature `testing`. Never in a build that serves.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use linli_kernel::{ManualClock, Timestamp};
use linli_proto::MethodInfo;
use sea_orm::{ConnectionTrait as _, Database};

use crate::crypto::{KeyConfig, Keyring};
use crate::store::{EngineConfig, Migration, Store, StoreConfig, kit_migrations};
use crate::{Caller, Ctx};

/// A migrated store of one test; its files go away with it.
#[derive(Debug)]
pub struct TestStore {
    store: Store,
    /// How it was opened, so that a test can open it again.
    pub config: StoreConfig,
    _dir: Option<tempfile::TempDir>,
}

impl Deref for TestStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

/// A migrated store per engine, with kit's tables only.
pub async fn stores() -> Vec<TestStore> {
    stores_with("test", &[]).await
}

/// A migrated store per engine: kit's tables and those of `migrations`.
///
/// # Panics
/// When a store cannot be opened or migrated.
pub async fn stores_with(service: &'static str, migrations: &[Migration]) -> Vec<TestStore> {
    let mut all = kit_migrations();
    all.extend_from_slice(migrations);
    let mut opened = vec![open_sqlite(service).await];
    if let Some(url) = postgres_url() {
        opened.push(open_postgres(service, &url).await);
    }
    for store in &opened {
        store.migrate(&all).await.expect("migrations run from empty");
    }
    opened
}

/// The PostgreSQL server for tests.
#[expect(clippy::disallowed_methods, reason = "tests choose their server by the environment, not by configuration")]
pub fn postgres_url() -> Option<String> {
    std::env::var("LINLI_TEST_PG_URL").ok().filter(|url| !url.is_empty())
}

async fn open_sqlite(service: &'static str) -> TestStore {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let engine = EngineConfig::Sqlite { dir: dir.path().to_owned() };
    open(service, engine, Some(dir)).await
}

async fn open_postgres(service: &'static str, url: &str) -> TestStore {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("linli_test_{}_{number}", std::process::id());
    let admin = Database::connect(url.to_owned()).await.expect("the test server answers");
    admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await.expect("drops");
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("creates a database");
    // Deadlocks are part of some tests; the default second each makes them slow. Only a superuser may, hence no expect.
    let _ = admin.execute_unprepared(&format!("ALTER DATABASE {name} SET deadlock_timeout = '20ms'")).await;
    admin.close().await.expect("closes");
    let (server, _) = url.rsplit_once('/').expect("a URL with a database");
    let engine = EngineConfig::Postgres { url: format!("{server}/{name}").into(), max_connections: 8 };
    open(service, engine, None).await
}

async fn open(service: &'static str, engine: EngineConfig, dir: Option<tempfile::TempDir>) -> TestStore {
    let config = StoreConfig { engine, statement_timeout: Duration::from_secs(5) };
    let store = Store::open(&config, service).await.expect("the store opens");
    TestStore { store, config, _dir: dir }
}

/// A call by `subject` with ten seconds left, on a manual clock.
pub fn ctx(subject: &str) -> Ctx {
    static METHOD: std::sync::LazyLock<MethodInfo> = std::sync::LazyLock::new(|| MethodInfo {
        path: "/linli.test.v1.TestService/Test".to_owned(),
        permission: "test.run".to_owned(),
        resource_field: String::new(),
        internal_callers: Vec::new(),
        internal_only: false,
        mutating: true,
    });
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_790_000_000)));
    let mut ctx = Ctx::background("test", &METHOD, clock, Duration::from_secs(10));
    ctx.caller = Caller::Subject(subject.to_owned());
    ctx
}

/// A keyring with a fresh random key.
///
/// # Panics
/// Never: the key is 32 bytes of base64.
pub fn keyring() -> Keyring {
    use base64::Engine as _;
    let secret = base64::engine::general_purpose::STANDARD.encode(rand::random::<[u8; 32]>());
    Keyring::new(KeyConfig { id: 1, secret: secret.into() }, &[]).expect("a key of 32 bytes")
}
