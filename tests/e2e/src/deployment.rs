//! What the manifests carry works: the database roles of `roles.sql`, and the keys of the dev overlay's `keys.sh`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use linli::config::Config;
use linli::keys::Keys;
use linli::suite::{Role, Suite};
use linli_harness::{empty_database, until};
use linli_kit::serve::SERVICES;
use linli_kit::store::EngineConfig;
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(path)
}

/// The URL with another user; the test server asks for no passwords.
fn as_role(url: &str, role: &str) -> String {
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let host = rest.split_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}://{role}@{host}")
}

fn config(dir: &Path, url: String) -> Config {
    let mut config = Config::embedded(dir).expect("a configuration");
    config.store.engine = EngineConfig::Postgres { url: url.into(), max_connections: 4 };
    config.migrate_at_start = false;
    config
}

async fn count(database: &DatabaseConnection, sql: String) -> i64 {
    let row = database.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await.expect("an answer");
    row.expect("a row").try_get_by_index(0).expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_serving_role_has_the_rows_of_its_own_schema_and_nothing_else() {
    // Roles are PostgreSQL's; the embedded store has none.
    let Some(url) = empty_database("roles").await.expect("a database") else { return };
    let superuser = Database::connect(url.clone()).await.expect("the superuser");
    let roles = std::fs::read_to_string(deploy("components/postgresql/roles.sql")).expect("roles.sql");
    for _ in 0..2 {
        superuser.execute_unprepared(&roles).await.expect("roles.sql runs, and runs again");
    }
    let dir = tempfile::tempdir().expect("a directory");
    linli::suite::migrate(&config(dir.path(), as_role(&url, "linli_migrate")))
        .await
        .expect("the migrating role migrates");
    for service in SERVICES {
        let url = as_role(&url, &format!("linli_{service}"));
        let suite = Suite::start(&config(dir.path(), url.clone()), &[Role::Service(service)]).await;
        suite.unwrap_or_else(|e| panic!("{service} serves: {e}: {:?}", e.cause())).stop().await;
        let role = Database::connect(url).await.expect("the serving role");
        let held = |privilege: &str, schema: &str| {
            format!(
                "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE c.relkind = 'r' AND n.nspname {schema} AND has_table_privilege(c.oid, '{privilege}')"
            )
        };
        let own = format!("= '{service}'");
        let tables = count(&superuser, held("SELECT", &own)).await;
        assert!(tables > 5, "{service} has tables");
        for privilege in ["SELECT", "INSERT", "UPDATE", "DELETE"] {
            assert_eq!(count(&role, held(privilege, &own)).await, tables, "{service}: {privilege} on its own tables");
            let others = format!("<> '{service}' AND n.nspname IN ('{}')", SERVICES.join("', '"));
            assert_eq!(count(&role, held(privilege, &others)).await, 0, "{service}: {privilege} on others' tables");
        }
        assert_eq!(count(&role, held("TRUNCATE", &own)).await, 0, "{service}: TRUNCATE");
        let change = role.execute_unprepared(&format!("CREATE TABLE {service}.mine (id bigint)")).await;
        assert!(change.is_err(), "{service} makes a table");
        let drop = role.execute_unprepared(&format!("DROP TABLE {service}.schema_version")).await;
        assert!(drop.is_err(), "{service} drops a table");
        let other = SERVICES.into_iter().find(|other| *other != service).expect("another");
        let look = role.execute_unprepared(&format!("SELECT * FROM {other}.schema_version")).await;
        assert!(look.is_err(), "{service} reads the rows of {other}");
        role.close().await.expect("closes");
    }
}

/// What `/readyz` answers; `None` while nobody listens.
async fn readiness(at: SocketAddr) -> Option<String> {
    let mut stream = tokio::net::TcpStream::connect(at).await.ok()?;
    stream.write_all(b"GET /readyz HTTP/1.0\r\n\r\n").await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    Some(answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_serving_role_waits_not_ready_until_its_schema_is_migrated() {
    let Some(url) = empty_database("waits").await.expect("a database") else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let mut config = config(dir.path(), url);
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    config.http_listen = Some(free);
    let starting = config.clone();
    let suite = tokio::spawn(async move { Suite::start(&starting, &[Role::Service("org")]).await });
    let said =
        until("the role says what it waits for", async || readiness(free).await.filter(|a| a.contains("migrate")))
            .await;
    assert!(said.starts_with("HTTP/1.0 503"), "{said}");
    linli::suite::migrate(&config).await.expect("migrates");
    let suite = suite.await.expect("no panic").unwrap_or_else(|e| panic!("{e}: {:?}", e.cause()));
    let said = readiness(free).await.expect("an answer");
    assert!(said.starts_with("HTTP/1.0 200"), "{said}");
    suite.stop().await;
}

#[test]
fn the_keys_of_the_dev_overlay_are_what_a_role_reads() {
    let dir = tempfile::tempdir().expect("a directory");
    let script = deploy("overlays/dev/keys.sh");
    let made = Command::new("bash").arg(script).arg("--only-make").arg(dir.path()).status();
    assert!(made.expect("bash and openssl").success());
    for service in SERVICES {
        let mut config = Config::embedded(dir.path()).expect("a configuration");
        config.identity_key = Some(dir.path().join(format!("{service}.pem")));
        config.public_keys = Some(dir.path().join("public"));
        config.fields_key = Some(dir.path().join(format!("{service}.fields")));
        let keys = Keys::open(&config).expect("keys");
        keys.keyring().expect("what seals personal columns");
        let token = keys.identity(service).expect("an identity").token().expect("a token");
        keys.verifier().expect("public keys").caller(&token, None).expect("its own token is known");
    }
}
