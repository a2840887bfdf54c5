//! The use cases: authorise, validate, one transaction, answer.
//!
//! Owns the handles to everything that a use case needs. Never: statements, or a decision that needs no input or output.

mod actions;
mod background;
mod create;
mod decide;
mod decisions;
mod events;
mod facts;
mod holds;
mod managed;
mod place;
mod promote;
mod read;
mod request;
mod resources;
mod rules;
mod schedule;
mod transition;
mod verify;
mod view;

use std::sync::Arc;

use chrono_tz::Tz;
use linli_access::Access;
use linli_kernel::{AreaId, Lang};
use linli_kit::catalogue::Catalogue;
use linli_kit::combiner::{Combiner, CombinerConfig};
use linli_kit::crypto::Keyring;
use linli_kit::durable::DurableCalls;
use linli_kit::serve::ServiceParts;
use linli_kit::store::Store;
use linli_kit::{Error, ErrorCode};
use linli_proto::booking::{Menu, Offering, Schedule, Station};
use linli_proto::common::{Reason, Text};

pub(crate) use actions::Action;
pub(crate) use background::start;
pub(crate) use managed::{Listing, Managed, Update};

/// Everything that the use cases share.
pub(crate) struct App {
    pub(crate) parts: ServiceParts,
    pub(crate) access: Access,
    offerings: Catalogue<Offering>,
    stations: Catalogue<Station>,
    schedules: Catalogue<Schedule>,
    menus: Catalogue<Menu>,
    durable: DurableCalls,
    places: Combiner<place::Places>,
    rules: rules::Effective,
    turns: decide::Turns,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("App")
    }
}

impl App {
    /// The use cases of a service.
    pub(crate) fn new(parts: ServiceParts, access: Access) -> Arc<Self> {
        let store = &parts.store;
        let durable = DurableCalls::new(store.clone());
        let places = place::Places { durable: durable.clone() };
        Arc::new(Self {
            offerings: Catalogue::new(store.clone(), "offerings", "linli/Offering").filterable(&[
                "service_list",
                "mode",
                "state",
            ]),
            stations: Catalogue::new(store.clone(), "stations", "linli/Station").filterable(&["kind", "unit"]),
            schedules: Catalogue::new(store.clone(), "schedules", "linli/Schedule")
                .filterable(&["offering", "station"]),
            menus: Catalogue::new(store.clone(), "menus", "linli/Menu").filterable(&["offering"]),
            places: Combiner::new(store.clone(), places, CombinerConfig::default()),
            rules: rules::Effective::default(),
            turns: decide::Turns::default(),
            durable,
            parts,
            access,
        })
    }

    pub(crate) fn store(&self) -> &Store {
        &self.parts.store
    }

    pub(crate) fn keyring(&self) -> &Keyring {
        &self.parts.keyring
    }

    /// The time zone of an area, as org's feed told it.
    ///
    /// # Errors
    /// UNAVAILABLE before it did, or when it is none: nothing is reckoned in a zone that is guessed.
    pub(crate) fn tz(&self, area: &str) -> linli_kit::Result<Tz> {
        let snapshot = self.access.snapshot();
        let known = snapshot.area(area).and_then(|row| row.time_zone.parse().ok());
        known.ok_or_else(|| {
            let unknown = Error::new(ErrorCode::Unavailable, "ZONE_UNKNOWN");
            unknown.with("area", format!("areas/{area}")).retry_after(std::time::Duration::from_secs(1))
        })
    }

    /// A reason of booking's own, in both languages.
    pub(crate) fn reason(&self, code: &str, text_id: &str, args: &[(&'static str, String)]) -> Reason {
        let text = |lang| self.parts.kit.texts.render(lang, text_id, args);
        Reason {
            code: code.to_owned(),
            args: args.iter().map(|(_, value)| value.clone()).collect(),
            message: String::new(),
            text: Some(Text { zh_cn: text(Lang::ZhCn), en: text(Lang::En) }),
        }
    }
}

/// The area and id of a catalogue resource's full name.
fn split(name: &str) -> (&str, &str) {
    let mut parts = name.split('/');
    (parts.nth(1).unwrap_or_default(), parts.next_back().unwrap_or_default())
}

/// The slug of a name's area.
fn area_of(name: &str) -> &str {
    split(name).0
}

/// The id at a name's end.
fn id_of(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}

/// An area's slug as its id; the slug was checked when its row was written.
fn area_id(slug: &str) -> linli_kit::Result<AreaId> {
    AreaId::new(slug).map_err(linli_kit::Error::internal)
}
