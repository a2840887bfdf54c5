//! One suite with a community in it, and what can be counted there.

use std::collections::BTreeMap;
use std::sync::Arc;

use linli_harness::seed::{self, Community};
use linli_harness::{Engine, TestSuite, until};
use serde_json::{Value, json};

use crate::caller::{Caller, Notes};
use crate::wire::{Terms, rpcs};

/// The feeds of the suite.
pub(crate) const SERVICES: [&str; 5] = ["org", "booking", "points", "deliberation", "rules"];

/// A suite and a community.
pub(crate) struct World {
    pub(crate) suite: TestSuite,
    pub(crate) community: Community,
    pub(crate) notes: Arc<Notes>,
    channel: tonic::transport::Channel,
}

impl World {
    /// Starts a suite with the community `xinhua`.
    pub(crate) async fn start(engine: Engine, retries: bool) -> Self {
        let suite = TestSuite::start(engine).await.expect("the suite starts");
        let channel = linli_harness::channel(suite.gateway()).expect("a channel");
        let community = seed::community(&suite.operator(), "xinhua").await;
        Self { suite, community, channel, notes: Arc::new(Notes::new(retries)) }
    }

    /// A caller with the token of a subject.
    pub(crate) fn caller(&self, subject: &str) -> Caller {
        let token = self.suite.suite().token(subject).expect("the development issuer issues");
        let terms = Terms { token: Some(token) };
        Caller { channel: self.channel.clone(), terms, notes: self.notes.clone(), who: subject.to_owned() }
    }

    /// A caller without a token.
    pub(crate) fn nobody(&self) -> Caller {
        let (channel, notes) = (self.channel.clone(), self.notes.clone());
        Caller { channel, terms: Terms::default(), notes, who: "nobody".to_owned() }
    }

    pub(crate) fn operator(&self) -> Caller {
        self.caller("systems/operator")
    }

    pub(crate) fn secretary(&self) -> Caller {
        self.caller(&self.community.secretary)
    }

    /// The name of something of the community.
    pub(crate) fn name(&self, rest: &str) -> String {
        self.community.name(rest)
    }

    /// Waits until every service knows the roles that the community's appointments carry.
    pub(crate) async fn roles_known(&self) {
        let secretary = self.secretary();
        for list in ["booking.ListBookings", "points.ListTransfers", "deliberation.ListTopics", "rules.ListPlugins"] {
            let body = json!({"parent": "areas/xinhua"});
            until(list, || async { secretary.call(list, &body).await.ok() }).await;
        }
    }

    /// Moves the clock forward by so many hours, through the RPC.
    pub(crate) async fn advance_hours(&self, hours: i64) {
        let operator = self.operator();
        let now = operator.ok("dev.GetClock", json!({})).await["now"].as_str().unwrap_or_default().to_owned();
        self.suite.advance_secs(hours * 3600);
        let later = operator.ok("dev.GetClock", json!({})).await["now"].as_str().unwrap_or_default().to_owned();
        assert!(later > now, "{now} -> {later}");
        let moved = operator.ok("dev.AdvanceClock", json!({"to": later})).await;
        assert_eq!(moved["now"], later, "the clock stands where it was moved");
    }

    /// How much there is of everything that can be listed in the area, and of events.
    pub(crate) async fn census(&self) -> BTreeMap<String, usize> {
        let operator = self.operator();
        let mut counts = BTreeMap::new();
        for rpc in rpcs() {
            let lists_area = rpc.descriptor.name().starts_with("List") && rpc.info.resource_field == "parent";
            if !lists_area || rpc.info.internal_only {
                continue;
            }
            let body = json!({"parent": "areas/xinhua", "page_size": 1000});
            let page = operator.call(&rpc.short(), &body).await.unwrap_or_else(|s| panic!("{}: {s}", rpc.short()));
            counts.insert(rpc.short(), items(&page));
        }
        for service in SERVICES {
            counts.insert(format!("events of {service}"), self.events(service).await.len());
        }
        counts
    }

    /// Every event of a feed, once no more come.
    pub(crate) async fn events(&self, service: &str) -> Vec<Value> {
        let operator = self.operator();
        let (mut events, mut after) = (Vec::new(), 0);
        loop {
            let body = json!({
                "stream": format!("streams/{service}"), "after_position": after, "max_events": 1000, "wait_ms": 200,
            });
            let page = operator.ok("events.ListEvents", body).await;
            match page["events"].as_array().filter(|events| !events.is_empty()) {
                Some(found) => events.extend(found.iter().cloned()),
                None => return events,
            }
            after = page["next_position"].as_i64().unwrap_or_default();
        }
    }
}

/// How many entries a page has.
pub(crate) fn items(page: &Value) -> usize {
    let fields = page.as_object().into_iter().flatten();
    fields.filter_map(|(_, value)| value.as_array()).map(Vec::len).sum()
}
