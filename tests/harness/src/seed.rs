//! A small community, made through public RPCs: two grids, three micro-grids, households, a secretary, a grid worker.

use linli_proto::common::Text;
use linli_proto::org as pb;

use crate::Actor;

/// What was made.
#[derive(Debug, Clone)]
pub struct Community {
    /// Slug of the area.
    pub area: String,
    /// The households, ten of them, in micro-1 (six) and micro-2 (four).
    pub households: Vec<String>,
    /// The people, by household: an elder born 1945 and an adult born 1985 in each.
    pub people: Vec<Vec<String>>,
    /// Manages the community.
    pub secretary: String,
    /// Worker of grid-1, above micro-1.
    pub worker: String,
}

impl Community {
    /// The name of something of the community.
    pub fn name(&self, rest: &str) -> String {
        format!("areas/{}/{rest}", self.area)
    }

    /// The n-th elder.
    pub fn elder(&self, n: usize) -> &str {
        &self.people[n][0]
    }

    /// The n-th adult.
    pub fn adult(&self, n: usize) -> &str {
        &self.people[n][1]
    }
}

/// A text in both languages.
pub fn text(zh_cn: &str, en: &str) -> Option<Text> {
    Some(Text { zh_cn: zh_cn.to_owned(), en: en.to_owned() })
}

/// A fresh request id.
pub fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Creates an area below the district `litong`, which is created when missing.
///
/// # Panics
/// When the suite refuses.
pub async fn area(operator: &Actor, slug: &str) {
    for (slug, parent, kind) in
        [("litong", "", pb::AreaKind::District), (slug, "areas/litong", pb::AreaKind::Community)]
    {
        let area = pb::Area {
            name: format!("areas/{slug}"),
            display_name: text(slug, slug),
            kind: kind.into(),
            parent: parent.to_owned(),
            time_zone: "Asia/Shanghai".to_owned(),
            ..Default::default()
        };
        let request = pb::UpdateAreaRequest { area: Some(area), allow_missing: true, ..Default::default() };
        operator.org().update_area(request).await.expect("an area is applied");
    }
}

fn template(area: &str) -> pb::StructureTemplate {
    let kind = |code: &str, parent: &[&str], posts: &[&str]| pb::UnitKind {
        code: code.to_owned(),
        display_name: text(code, code),
        tree: pb::Tree::Residents.into(),
        parent_kinds: parent.iter().map(|p| (*p).to_owned()).collect(),
        min_households: if code == "micro-grid" { 5 } else { 0 },
        max_households: if code == "micro-grid" { 8 } else { 0 },
        required_posts: posts
            .iter()
            .map(|role| pb::PostRequirement { role: (*role).to_owned(), min: 1, max: 1 })
            .collect(),
    };
    let post = |role: &str, access_role: &str, conflicts: &[&str]| pb::Post {
        role: role.to_owned(),
        display_name: text(role, role),
        access_role: access_role.to_owned(),
        conflicts_with: conflicts.iter().map(|c| (*c).to_owned()).collect(),
    };
    pb::StructureTemplate {
        name: format!("areas/{area}/structureTemplates/structure"),
        display_name: text("网格", "Grids"),
        unit_kinds: vec![kind("grid", &[], &["grid-worker"]), kind("micro-grid", &["grid"], &["head", "housekeeper"])],
        posts: vec![
            post("secretary", "manager", &[]),
            post("grid-worker", "worker", &[]),
            post("head", "worker", &["housekeeper"]),
            post("housekeeper", "server", &[]),
            post("convener", "council", &[]),
            post("keeper", "keeper", &[]),
        ],
        ..Default::default()
    }
}

/// Makes the community.
///
/// # Panics
/// When the suite refuses.
pub async fn community(operator: &Actor, slug: &str) -> Community {
    area(operator, slug).await;
    let parent = format!("areas/{slug}");
    let request = pb::UpdateStructureTemplateRequest {
        structure_template: Some(template(slug)),
        allow_missing: true,
        ..Default::default()
    };
    operator.org().update_structure_template(request).await.expect("the template is applied");
    let unit = |id: &str, kind: &str, parent_unit: &str| pb::CreateUnitRequest {
        unit_id: id.to_owned(),
        unit: Some(pb::Unit {
            kind: kind.to_owned(),
            display_name: text(id, id),
            parent: if parent_unit.is_empty() { String::new() } else { format!("{parent}/units/{parent_unit}") },
            ..Default::default()
        }),
        ..Default::default()
    };
    let requests = vec![
        unit("grid-1", "grid", ""),
        unit("grid-2", "grid", ""),
        unit("micro-1", "micro-grid", "grid-1"),
        unit("micro-2", "micro-grid", "grid-2"),
        unit("micro-3", "micro-grid", "grid-2"),
    ];
    let request = pb::BatchCreateUnitsRequest { parent: parent.clone(), requests };
    operator.org().batch_create_units(request).await.expect("units are created");
    let (households, people) = residents(operator, &parent).await;
    let secretary = people[9][1].clone();
    let worker = people[8][1].clone();
    for (who, unit, role) in [(&secretary, "", "secretary"), (&worker, "grid-1", "grid-worker")] {
        appoint(operator, slug, who, unit, role).await;
    }
    Community { area: slug.to_owned(), households, people, secretary, worker }
}

async fn residents(operator: &Actor, parent: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let person = |full_name: &str, birth_year: i32, tags: &[&str]| pb::Person {
        full_name: full_name.to_owned(),
        birth_year,
        tags: tags.iter().map(|t| (*t).to_owned()).collect(),
        ..Default::default()
    };
    let drafts = (0..10).map(|n| pb::HouseholdDraft {
        household: Some(pb::Household {
            unit: format!("{parent}/units/{}", if n < 6 { "micro-1" } else { "micro-2" }),
            import_key: format!("h{n}"),
            ..Default::default()
        }),
        people: vec![person("王建国", 1945, &["living-alone"]), person("李晓红", 1985, &["volunteer"])],
        request_id: request_id(),
    });
    let request = pb::BatchCreateHouseholdsRequest { parent: parent.to_owned(), requests: drafts.collect() };
    let made = operator.org().batch_create_households(request).await.expect("households are created").into_inner();
    let mut households = Vec::new();
    let mut people = Vec::new();
    for result in made.households {
        households.push(result.household.expect("a household").name);
        people.push(result.people.into_iter().map(|p| p.name).collect());
    }
    (households, people)
}

/// Appoints somebody; an empty unit means the whole area.
///
/// # Panics
/// When the suite refuses.
pub async fn appoint(operator: &Actor, slug: &str, who: &str, unit: &str, role: &str) -> pb::Appointment {
    let request = pb::CreateAppointmentRequest {
        parent: format!("areas/{slug}"),
        appointment: Some(pb::Appointment {
            appointee: who.to_owned(),
            unit: if unit.is_empty() { String::new() } else { format!("areas/{slug}/units/{unit}") },
            role: role.to_owned(),
            basis: pb::Basis::Designated.into(),
            ..Default::default()
        }),
        request_id: request_id(),
    };
    operator.org().create_appointment(request).await.expect("an appointment is made").into_inner()
}

/// An offering with one slot, two hours after the suite's start, and what it costs.
///
/// # Panics
/// When the suite refuses, or the slot is not made.
pub async fn offering(operator: &Actor, slug: &str, id: &str, capacity: i32, price: i64) -> linli_proto::booking::Slot {
    use linli_proto::booking as bk;
    let parent = format!("areas/{slug}");
    let station = bk::Station {
        name: format!("{parent}/stations/house"),
        display_name: text("睦邻小屋", "Neighbour house"),
        kind: "micro-station".to_owned(),
        ..Default::default()
    };
    let request = bk::UpdateStationRequest { station: Some(station), allow_missing: true, ..Default::default() };
    operator.booking().update_station(request).await.expect("a station");
    let offering = bk::Offering {
        name: format!("{parent}/offerings/{id}"),
        display_name: text(id, id),
        service_list: bk::ServiceList::SocialWelfare.into(),
        mode: bk::Mode::Seat.into(),
        kind: id.to_owned(),
        base_price: (price > 0).then(|| linli_proto::common::Amount { asset: "points".to_owned(), value: price }),
        waitlist: true,
        ..Default::default()
    };
    let request = bk::UpdateOfferingRequest { offering: Some(offering), allow_missing: true, ..Default::default() };
    operator.booking().update_offering(request).await.expect("an offering");
    let schedule = bk::Schedule {
        name: format!("{parent}/schedules/{id}"),
        offering: format!("{parent}/offerings/{id}"),
        station: format!("{parent}/stations/house"),
        start_local: "2026-11-02T10:00".to_owned(),
        duration_min: 60,
        capacity,
        ..Default::default()
    };
    let request = bk::UpdateScheduleRequest { schedule: Some(schedule), allow_missing: true, ..Default::default() };
    operator.booking().update_schedule(request).await.expect("a schedule");
    let filter = format!("offering = \"{parent}/offerings/{id}\"");
    let request = bk::ListSlotsRequest { parent, filter, ..Default::default() };
    let mut slots = operator.booking().list_slots(request).await.expect("slots").into_inner().slots;
    assert_eq!(slots.len(), 1, "a schedule without a rule yields one slot");
    slots.remove(0)
}

/// Gives somebody points, from the issuance account.
///
/// # Panics
/// When the suite refuses.
pub async fn points(operator: &Actor, slug: &str, who: &str, value: i64) {
    use linli_proto::points as pt;
    let parent = format!("areas/{slug}");
    let asset = pt::Asset {
        name: format!("{parent}/assets/points"),
        display_name: text("积分", "Points"),
        transferable: true,
        ..Default::default()
    };
    let request = pt::UpdateAssetRequest { asset: Some(asset), allow_missing: true, ..Default::default() };
    operator.points().update_asset(request).await.expect("an asset");
    let transfer = pt::Transfer {
        amount: Some(linli_proto::common::Amount { asset: "points".to_owned(), value }),
        from: "issuance".to_owned(),
        to: who.to_owned(),
        ..Default::default()
    };
    let request = pt::CreateTransferRequest { parent, transfer: Some(transfer), request_id: request_id() };
    operator.points().create_transfer(request).await.expect("points are issued");
}
