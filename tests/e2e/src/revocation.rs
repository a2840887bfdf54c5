//! A role that ends: org refuses at once, the others as soon as they hear; who has not heard for too long changes nothing.

use std::net::SocketAddr;
use std::sync::Arc;

use linli::config::{Config, Tls};
use linli::suite::{Role, Suite};
use linli_harness::seed::{self, request_id};
use linli_harness::{Actor, Engine, START, TestSuite, channel, database, engines, refusal, until};
use linli_kernel::ManualClock;
use linli_proto::{booking, deliberation, org, points, rules};
use tonic::{Code, Status};

const PARENT: &str = "areas/xinhua";
const DESK: &str = "systems/desk";

/// The services that hear of roles from org.
const HEARERS: [&str; 4] = ["booking", "points", "deliberation", "rules"];

/// Reads something of a service.
async fn reads(service: &str, who: &Actor) -> Result<(), Status> {
    let parent = PARENT.to_owned();
    match service {
        "org" => {
            let request = org::ListUnitsRequest { parent, ..Default::default() };
            who.org().list_units(request).await.map(drop)
        }
        "booking" => {
            let request = booking::ListOfferingsRequest { parent, ..Default::default() };
            who.booking().list_offerings(request).await.map(drop)
        }
        "points" => {
            let request = points::ListAssetsRequest { parent, ..Default::default() };
            who.points().list_assets(request).await.map(drop)
        }
        "deliberation" => {
            let request = deliberation::ListProcessTemplatesRequest { parent, ..Default::default() };
            who.deliberation().list_process_templates(request).await.map(drop)
        }
        _ => {
            let request = rules::ListPluginsRequest { parent, ..Default::default() };
            who.rules().list_plugins(request).await.map(drop)
        }
    }
}

/// Asks a service for a change that lacks everything: whoever is allowed to hears of the fields.
async fn changes(service: &str, who: &Actor) -> Status {
    let (parent, request_id) = (PARENT.to_owned(), request_id());
    let asked = match service {
        "org" => {
            let request = org::CreateUnitRequest { parent, request_id, ..Default::default() };
            who.org().create_unit(request).await.map(drop)
        }
        "booking" => {
            let request = booking::CreateOfferingRequest { parent, request_id, ..Default::default() };
            who.booking().create_offering(request).await.map(drop)
        }
        "points" => {
            let request = points::CreateAssetRequest { parent, request_id, ..Default::default() };
            who.points().create_asset(request).await.map(drop)
        }
        "deliberation" => {
            let request = deliberation::CreateProcessTemplateRequest { parent, request_id, ..Default::default() };
            who.deliberation().create_process_template(request).await.map(drop)
        }
        _ => {
            let request = rules::CreatePluginRequest { parent, request_id, ..Default::default() };
            who.rules().create_plugin(request).await.map(drop)
        }
    };
    asked.expect_err("nothing is created of nothing")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_role_ends_in_org_at_once_and_elsewhere_as_soon_as_they_hear() {
    for engine in engines() {
        let suite = TestSuite::start(engine).await.expect("the suite starts");
        let operator = suite.operator();
        seed::community(&operator, "xinhua").await;
        let desk = suite.actor(DESK);
        let appointment = seed::appoint(&operator, "xinhua", DESK, "", "secretary").await;
        for service in HEARERS {
            until("the desk may read", || async { reads(service, &desk).await.ok() }).await;
            assert_eq!(changes(service, &desk).await.code(), Code::InvalidArgument, "{service}: the desk may change");
        }
        assert_eq!(changes("org", &desk).await.code(), Code::InvalidArgument, "the desk may change");

        let request = org::EndAppointmentRequest { name: appointment.name, end_time: None, request_id: request_id() };
        operator.org().end_appointment(request).await.expect("the appointment ends");
        assert_eq!(changes("org", &desk).await.code(), Code::PermissionDenied, "{engine:?}: at once");
        let refused = reads("org", &desk).await.expect_err("at once");
        assert_eq!(refused.code(), Code::PermissionDenied, "{engine:?}");
        for service in HEARERS {
            until("the desk may no longer read", || async { reads(service, &desk).await.err() }).await;
            assert_eq!(changes(service, &desk).await.code(), Code::PermissionDenied, "{engine:?}: {service}");
        }
        suite.stop().await;
    }
}

/// Org in a process's part of its own, and the rest, which hears of it over a socket.
struct Apart {
    config: Config,
    clock: Arc<ManualClock>,
    rest: Suite,
    _dir: tempfile::TempDir,
}

impl Apart {
    async fn start(engine: Engine) -> (Suite, Self) {
        let dir = tempfile::tempdir().expect("a directory");
        let mut config = Config::embedded(dir.path()).expect("the defaults");
        config.tls = Tls::Off;
        config.store.engine = database(engine, dir.path()).await.expect("a database");
        config.migrate_at_start = true;
        let clock = Arc::new(ManualClock::new(START));
        let org = Self::org(&config, &clock, SocketAddr::from(([127, 0, 0, 1], 0))).await;
        let address = org.services.expect("org listens");
        config.peers.insert("org", format!("http://{address}"));
        let roles: Vec<Role> = Role::all().into_iter().filter(|role| *role != Role::Service("org")).collect();
        let rest = Suite::start_with_clock(&config, &roles, clock.clone()).await.expect("the rest starts");
        (org, Self { config, clock, rest, _dir: dir })
    }

    async fn org(config: &Config, clock: &Arc<ManualClock>, address: SocketAddr) -> Suite {
        let mut config = config.clone();
        config.listen = Some(address);
        Suite::start_with_clock(&config, &[Role::Service("org")], clock.clone()).await.expect("org starts")
    }

    fn operator(&self) -> Actor {
        let channel = channel(self.rest.gateway.expect("a gateway")).expect("an address");
        Actor::new(channel, &self.rest.token("systems/operator").expect("a token"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_hear_of_roles_changes_nothing_and_reads_on() {
    for engine in engines() {
        let (org, apart) = Apart::start(engine).await;
        let operator = apart.operator();
        seed::community(&operator, "xinhua").await;
        let address = org.services.expect("org listens");
        for service in HEARERS {
            let heard = || async { (changes(service, &operator).await.code() == Code::InvalidArgument).then_some(()) };
            until("the service hears of roles", heard).await;
        }
        org.stop().await;
        for service in HEARERS {
            let stale = until("the roles grow stale", || async {
                let refused = changes(service, &operator).await;
                (refusal(&refused).reason == "PROJECTION_STALE").then_some(refused)
            })
            .await;
            use tonic_types::StatusExt as _;
            assert_eq!(stale.code(), Code::Unavailable, "{engine:?}: {service}");
            assert!(stale.get_error_details().retry_info().is_some(), "{engine:?}: {service} says when to come again");
            reads(service, &operator).await.unwrap_or_else(|status| panic!("{engine:?}: {service} reads on: {status}"));
        }
        let org = Apart::org(&apart.config, &apart.clock, address).await;
        for service in HEARERS {
            let heard = || async { (changes(service, &operator).await.code() == Code::InvalidArgument).then_some(()) };
            until("the service hears of roles again", heard).await;
        }
        apart.rest.stop().await;
        org.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_has_missed_what_org_no_longer_tells_takes_the_roles_as_they_stand() {
    for engine in engines() {
        let suite = TestSuite::start(engine).await.expect("the suite starts");
        let operator = suite.operator();
        seed::community(&operator, "xinhua").await;
        seed::appoint(&operator, "xinhua", DESK, "", "secretary").await;
        let ended = seed::appoint(&operator, "xinhua", "systems/former", "", "secretary").await;
        for who in [DESK, "systems/former"] {
            let desk = suite.actor(who);
            until("the desk may read", || async { reads("points", &desk).await.ok() }).await;
        }
        let request = org::EndAppointmentRequest { name: ended.name, end_time: None, request_id: request_id() };
        operator.org().end_appointment(request).await.expect("the appointment ends");
        let former = suite.actor("systems/former");
        until("the former may not", || async { reads("points", &former).await.err() }).await;
        // Points is restored from before it heard of anything; org's first events are gone meanwhile.
        let store = |name: &str| suite.suite().stores().iter().find(|s| s.service() == name).expect("is here").clone();
        run(&store("points"), &["UPDATE consumer SET position = 0 WHERE name = 'access'", "DELETE FROM access_grant"])
            .await;
        run(&store("org"), &["DELETE FROM event", "UPDATE feed_head SET oldest = newest + 1"]).await;
        let suite = suite.restart().await.expect("starts again");
        let desk = suite.actor(DESK);
        until("points knows the desk again", || async { reads("points", &desk).await.ok() }).await;
        let heard = || async { (changes("points", &desk).await.code() == Code::InvalidArgument).then_some(()) };
        until("points is sure of it", heard).await;
        let former = suite.actor("systems/former");
        let refused = reads("points", &former).await.expect_err("the term is over");
        assert_eq!(refused.code(), Code::PermissionDenied, "{engine:?}");
        suite.stop().await;
    }
}

async fn run(store: &linli_kit::store::Store, statements: &[&'static str]) {
    use sea_orm::ConnectionTrait as _;
    let writing = store.write("test", |tx| {
        Box::pin(async move {
            for sql in statements {
                tx.conn().execute_unprepared(sql).await?;
            }
            Ok(())
        })
    });
    writing.await.expect("commits");
}
