//! The built binary as people use it: from `serve` and `token` to `verify`, on both engines. What is checked is exit code and output.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use linli::client::Connection;
use linli::commands::demo::expected::{Counted, compare};
use linli_harness::seed::request_id;
use linli_harness::{Engine, TestSuite, empty_database, engines, until};
use linli_kernel::Timestamp;
use linli_kit::store::EngineConfig;
use linli_proto::{booking, points};
use sea_orm::{ConnectionTrait as _, Database};
use secrecy::ExposeSecret as _;

const AREA: &str = "areas/xinhua";

fn repository(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path).display().to_string()
}

/// The binary, without anything of the caller's environment that would steer it.
fn linli() -> Command {
    let test = std::env::current_exe().expect("the running test has a path");
    let path: PathBuf = test.ancestors().nth(2).expect("tests lie in target/debug/deps").join("linli");
    assert!(path.exists(), "{}: build it with `cargo build --workspace --bin linli`", path.display());
    let mut command = Command::new(path);
    for name in ["LINLI_SERVER", "LINLI_CA", "LINLI_TOKEN", "LINLI_LANG", "LINLI_AREA"] {
        command.env_remove(name);
    }
    command.env("LINLI_LANG", "en").stdin(Stdio::null());
    command
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) ok: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

fn run(command: &mut Command) -> Ran {
    let done = command.output().expect("the binary starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { ok: done.status.success(), out: text(&done.stdout), err: text(&done.stderr) }
}

/// Somebody at a terminal, with a suite and a token.
pub(crate) struct Terminal {
    pub(crate) server: String,
    pub(crate) token: String,
}

impl Terminal {
    /// The operator of a test's suite, with a token that the binary itself has made.
    pub(crate) fn operator(suite: &TestSuite) -> Self {
        let dir = suite.config.data_dir.display().to_string();
        let token = run(linli().args(["token", "systems/operator", "--data-dir", &dir]));
        assert!(token.ok, "{token:?}");
        Self { server: format!("http://{}", suite.gateway()), token: token.out.trim().to_owned() }
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        run(linli().args(args).args(["--server", &self.server, "--token", &self.token]))
    }

    /// Runs with other words for the token.
    pub(crate) fn run_as(&self, variable: &str, args: &[&str]) -> Ran {
        run(linli().args(args).args(["--server", &self.server]).env("LINLI_TOKEN", variable))
    }

    /// Runs what must succeed; answers its output.
    pub(crate) fn says(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert!(ran.ok, "{args:?}: {ran:?}");
        ran.out
    }

    /// Runs what must fail; answers what it tells.
    pub(crate) fn fails(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert!(!ran.ok, "{args:?} should have failed: {ran:?}");
        ran.err
    }

    fn names(&self, resource: &str) -> Vec<String> {
        let listed = self.says(&["list", resource, "--parent", AREA, "--all", "-o", "json"]);
        let listed: Vec<serde_json::Value> = serde_json::from_str(&listed).expect("JSON");
        listed.iter().map(|one| one["name"].as_str().expect("a name").to_owned()).collect()
    }
}

/// A served suite; killed when dropped.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_served_suite_takes_the_token_that_the_binary_makes_and_drains_when_told_to_stop() {
    for engine in engines() {
        let dir = tempfile::tempdir().expect("a directory");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let data = dir.path().display().to_string();
        let missing = run(linli().args(["token", "systems/operator", "--data-dir", &data]));
        assert!(!missing.ok && missing.err.contains("--data-dir"), "no key is made by the way: {missing:?}");
        assert!(!dir.path().join("keys").exists(), "nothing was written");

        let mut serve = linli();
        serve.arg("serve").env("LINLI__DATA_DIR", &data).env("LINLI__SERVER__HTTP_LISTEN", "");
        serve.env("LINLI__GATEWAY__LISTEN", format!("127.0.0.1:{port}")).env("LINLI__LOG__FILTER", "warn");
        if engine == Engine::Postgres {
            let url = empty_database("cli_served").await.expect("the server").expect("a database");
            serve.env("LINLI__STORE__URL", &url);
            let migrated = run(linli().arg("migrate").env("LINLI__STORE__URL", &url).env("LINLI__DATA_DIR", &data));
            assert!(migrated.ok, "{migrated:?}");
        }
        let mut served = Served(serve.stdout(Stdio::null()).spawn().expect("linli serve"));
        let (server, ca) = (format!("https://127.0.0.1:{port}"), format!("{data}/tls/dev-cert.pem"));
        let token = until("the suite's key", || async {
            let made = run(linli().args(["token", "systems/operator", "--data-dir", &data]));
            made.ok.then(|| made.out.trim().to_owned())
        });
        let token = token.await;
        let list = |token: &str| {
            run(linli().args(["list", "areas", "-o", "json", "--server", &server, "--ca", &ca, "--token", token]))
        };
        until("the suite", || async { list(&token).ok.then_some(()) }).await;
        let stranger = list("not.a.token");
        assert!(!stranger.ok && stranger.err.contains("another issuer's"), "{engine:?}: {stranger:?}");

        let plain =
            run(linli().args(["list", "areas", "--server", &server.replace("https", "http"), "--token", &token]));
        assert!(!plain.ok && plain.err.contains("--server https://"), "{engine:?}: it speaks TLS: {plain:?}");

        let id = served.0.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status().expect("kill");
        assert!(told.success());
        let ended = served.0.wait().expect("an end");
        assert!(ended.success(), "{engine:?}: {ended}");
    }
}

/// The file of a resource that somebody got wrong.
pub(crate) fn document(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).expect("a file");
    path.display().to_string()
}

fn refuses_bad_documents(terminal: &Terminal, engine: Engine) {
    let dir = tempfile::tempdir().expect("a directory");
    let good =
        "--- {type: linli/Station, name: areas/xinhua/stations/new, kind: hut, displayName: {zhCn: 新, en: new}}\n";
    let before = terminal.names("stations");
    for (bad, told) in [
        (
            "--- {type: linli/Station, name: areas/xinhua/stations/odd, kind: hut, displayNam: {zhCn: 新, en: new}}\n",
            ["displayNam", "did you mean `displayName`"],
        ),
        (
            "--- {type: linli/Schedule, name: areas/xinhua/schedules/odd, capacity: many}\n",
            ["capacity", "areas/xinhua/schedules/odd"],
        ),
        ("--- {type: linli/Statio, name: areas/xinhua/stations/odd}\n", ["Statio", "did you mean"]),
    ] {
        let file = document(dir.path(), "odd.yaml", &format!("{good}{bad}"));
        for args in [vec!["apply", "-f", &file], vec!["apply", "-f", &file, "--dry-run"]] {
            let err = terminal.fails(&args);
            assert!(told.iter().all(|part| err.contains(part)), "{engine:?}: {err}");
        }
        assert_eq!(terminal.names("stations"), before, "{engine:?}: nothing changed");
    }
    let err = terminal.fails(&["list", "ofering", "--parent", AREA]);
    assert!(err.contains("did you mean"), "{err}");
    let err = terminal.fails(&["get", "offering", "areas/xinhua/offerings/none"]);
    assert!(err.contains("reason: ") && err.contains("areas/xinhua/offerings/none"), "{err}");
}

fn reads_in_every_form(terminal: &Terminal, engine: Engine) {
    let name = "areas/xinhua/offerings/haircut";
    let one: serde_json::Value =
        serde_json::from_str(&terminal.says(&["get", "offering", name, "-o", "json"])).expect("JSON");
    assert_eq!((one["name"].as_str(), one["kind"].as_str()), (Some(name), Some("haircut")), "{engine:?}");
    let yaml = terminal.says(&["get", "offering", name, "-o", "yaml"]);
    assert!(yaml.starts_with("---\ntype: linli/Offering\nname: areas/xinhua/offerings/haircut\n"), "{yaml}");
    let table = terminal.says(&["list", "offerings", "--parent", AREA, "--filter", "mode = MODE_MEAL"]);
    assert!(table.contains("elders-table") && !table.contains("haircut"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_wins_over_a_variable() {
    let suite = TestSuite::start(Engine::Sqlite).await.expect("the suite starts");
    let terminal = Terminal::operator(&suite);
    let file = document(&suite.config.data_dir, "token", &terminal.token);
    let listed = terminal.run_as("not.a.token", &["list", "areas", "--token-file", &file]);
    assert!(listed.ok, "{listed:?}");
    assert!(!terminal.run_as("not.a.token", &["list", "areas"]).ok, "the variable counts where nothing is typed");
    assert!(terminal.run_as(&terminal.token, &["list", "areas"]).ok);
    suite.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_community_is_applied_imported_and_read_and_is_as_it_states_itself() {
    for engine in engines() {
        let suite = TestSuite::start(engine).await.expect("the suite starts");
        let terminal = Terminal::operator(&suite);
        let (areas, xinhua) = (repository("profiles/areas"), repository("profiles/xinhua"));

        terminal.says(&["apply", "-f", &areas, "-f", &xinhua, "--dry-run"]);
        assert_eq!(
            terminal.says(&["list", "areas", "-o", "json"]).trim(),
            "[]",
            "{engine:?}: a dry run writes nothing"
        );
        terminal.says(&["apply", "-f", &areas, "-f", &xinhua]);
        let again = terminal.says(&["apply", "-f", &areas, "-f", &xinhua]);
        assert!(again.contains("0 created, 0 updated"), "{engine:?}: {again}");
        refuses_bad_documents(&terminal, engine);
        reads_in_every_form(&terminal, engine);

        let files =
            ["households", "appointments"].map(|file| repository(&format!("profiles/xinhua/generated/{file}.csv")));
        let import = ["import", &files[0], &files[1], "--area", AREA];
        let first = terminal.says(&import);
        assert!(first.contains("households with") && first.contains("appointments"), "{first}");
        let second = terminal.says(&import);
        assert_eq!(second.matches("nothing new").count(), 2, "{engine:?}: {second}");

        let connection = Connection::open(&terminal.server, None, &terminal.token).expect("a connection");
        let counted = Counted::read(&connection, "xinhua").await.expect("counts");
        let file = PathBuf::from(repository("profiles/xinhua/expected.yaml"));
        let compared = compare(&connection, "xinhua", &file, &counted).await.expect("a comparison");
        assert_eq!(compared.wrong, Vec::<String>::new(), "{engine:?}");
        assert!(compared.counted > 30 && !compared.later.is_empty(), "{engine:?}: {compared:?}");
        suite.stop().await;
    }
}

/// Two elders get a haircut from a volunteer, who is thanked for each; answers the bookings.
async fn two_haircuts(suite: &TestSuite) -> Vec<String> {
    let operator = suite.operator();
    let filter = "offering = \"areas/xinhua/offerings/haircut\"".to_owned();
    let slots = booking::ListSlotsRequest { parent: AREA.into(), filter, page_size: 1, ..Default::default() };
    let slot = operator.booking().list_slots(slots).await.expect("slots").into_inner().slots.remove(0);
    let people = linli_proto::org::ListPeopleRequest { parent: AREA.into(), page_size: 3, ..Default::default() };
    let people = operator.org().list_people(people).await.expect("people").into_inner().people;
    let mut booked = Vec::new();
    for person in people.iter().take(2) {
        let wish = booking::Booking { slot: slot.name.clone(), resident: person.name.clone(), ..Default::default() };
        let request =
            booking::CreateBookingRequest { parent: AREA.into(), booking: Some(wish), request_id: request_id() };
        let made = operator.booking().create_booking(request).await.expect("a booking").into_inner();
        assert_eq!(made.state(), booking::BookingState::Confirmed, "{:?}", made.reasons);
        booked.push(made.name);
    }
    suite.clock.advance_to(Timestamp::from_secs(slot.start_time.expect("a start").seconds + 60));
    for name in &booked {
        let servers = vec![booking::Server { person: people[2].name.clone(), minutes: 20, role: "volunteer".into() }];
        let request = booking::CompleteBookingRequest { name: name.clone(), servers, request_id: request_id() };
        operator.booking().complete_booking(request).await.expect("completed");
    }
    until("two awards", || async {
        let request = points::ListAwardsRequest { parent: AREA.into(), ..Default::default() };
        let awards = operator.points().list_awards(request).await.ok()?.into_inner().awards;
        (awards.len() == 2).then_some(())
    })
    .await;
    booked
}

/// Changes a row behind a service's back.
async fn breaks(suite: &TestSuite, service: &str, sql: &str) {
    let url = match &suite.config.store.engine {
        EngineConfig::Sqlite { dir } => format!("sqlite://{}", dir.join(format!("{service}.db")).display()),
        EngineConfig::Postgres { url, .. } => {
            let url = url.expose_secret();
            format!("{url}{}options=-csearch_path%3D{service}", if url.contains('?') { '&' } else { '?' })
        }
    };
    let database = Database::connect(url).await.expect("the database answers");
    let done = database.execute_unprepared(sql).await.expect("a change");
    assert_eq!(done.rows_affected(), 1, "{sql}");
    database.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_goes_into_force_and_verify_tells_by_its_exit_code_what_is_broken() {
    for engine in engines() {
        let suite = TestSuite::start(engine).await.expect("the suite starts");
        let terminal = Terminal::operator(&suite);
        terminal.says(&["apply", "-f", &repository("profiles/areas"), "-f", &repository("profiles/xinhua")]);
        let file = repository("profiles/xinhua/generated/households.csv");
        terminal.says(&["import", &file, "--area", AREA]);
        for plugin in ["haircut", "thanks"] {
            let component = repository(&format!("plugins/target/components/{plugin}.wasm"));
            let name = format!("{AREA}/plugins/{plugin}");
            let version = terminal.says(&["plugin", "upload", &component, "--plugin", &name]);
            assert!(version.trim().starts_with("areas/xinhua/pluginVersions/"), "{version}");
        }
        terminal.says(&["plugin", "activate", "-f", &repository("profiles/xinhua/rules/bindings.yaml")]);
        assert_eq!(terminal.names("ruleBindings").len(), 3, "{engine:?}");
        let stray = document(suite.config.data_dir.as_path(), "stray.wasm", "no component");
        let err = terminal.fails(&["plugin", "upload", &stray, "--plugin", "areas/xinhua/plugins/haircut"]);
        assert!(!err.is_empty(), "{engine:?}");

        let booked = two_haircuts(&suite).await;
        let award = terminal.names("awards").remove(0);
        let told = terminal.says(&["decision", "explain", &award]);
        assert!(
            told.contains("What thanks does this earn?") && told.contains("20 minutes served"),
            "{engine:?}: {told}"
        );
        assert!(told.contains("rule \"") && told.contains("points"), "{engine:?}: {told}");
        let whole = terminal.says(&["verify", "--area", AREA, "-o", "json"]);
        let whole: Vec<serde_json::Value> = serde_json::from_str(&whole).expect("JSON");
        assert!(whole.iter().any(|check| check["invariant"] == "suite.service-is-thanked" && check["checked"] == 2));

        breaks(&suite, "booking", "UPDATE slot SET taken = taken + 1 WHERE taken = 2").await;
        assert!(terminal.fails(&["verify", "--area", AREA]).contains("booking.no-oversell"), "{engine:?}");
        breaks(&suite, "booking", "UPDATE slot SET taken = taken - 1 WHERE taken = 3").await;
        terminal.says(&["verify", "--area", AREA]);
        breaks(&suite, "points", &format!("DELETE FROM award WHERE source = '{}'", booked[0])).await;
        let err = terminal.fails(&["verify", "--area", AREA]);
        assert!(err.contains("suite.service-is-thanked") && err.contains(&booked[0]), "{engine:?}: {err}");
        suite.stop().await;
    }
}
