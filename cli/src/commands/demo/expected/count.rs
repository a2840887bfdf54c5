//! How each check is counted, through public RPCs. What a check is about must exist: nothing counts as none by a misspelling.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use linli_proto::deliberation::condition::Condition;
use linli_proto::deliberation::{GetProcessTemplateRequest, Stage};
use linli_proto::org::{
    Appointment, Gap, GetStructureTemplateRequest, KindCount, ListAppointmentsRequest, ListGapsRequest,
    ListPeopleRequest, Person, StructureTemplate, SummarizeAreaRequest, SummarizeUnitRequest, UnitKind, UnitSummary,
};
use serde_json::Value;

use super::Check;
use crate::client::Connection;
use crate::commands::demo::bookings::YEAR;

/// Rows of a page.
const PAGE: i32 = 1000;

/// What is read once per community.
#[derive(Debug)]
pub struct Counted {
    pub(in crate::commands::demo) summary: UnitSummary,
    pub(in crate::commands::demo) gaps: Vec<Gap>,
    appointments: Vec<Appointment>,
    people: Vec<Person>,
    structure: StructureTemplate,
    units: Vec<Value>,
}

impl Counted {
    /// Reads a community's counts through the gateway.
    ///
    /// # Errors
    /// What a service answered.
    pub async fn read(connection: &Connection, area: &str) -> Result<Self> {
        let name = format!("areas/{area}");
        let mut org = connection.org();
        let summary = org.summarize_area(SummarizeAreaRequest { name: name.clone() }).await.context("counting")?;
        let structure = GetStructureTemplateRequest { name: format!("{name}/structureTemplates/structure") };
        let structure = org.get_structure_template(structure).await.context("the structure template")?;
        Ok(Self {
            summary: summary.into_inner(),
            gaps: gaps(connection, &name).await.context("gaps")?,
            appointments: appointments(connection, &name).await.context("appointments")?,
            people: people(connection, area).await?,
            structure: structure.into_inner(),
            units: connection.list_json("Unit", &name).await.context("units")?,
        })
    }

    fn kind(&self, code: &str) -> Result<&UnitKind> {
        let found = self.structure.unit_kinds.iter().find(|kind| kind.code == code);
        found.with_context(|| format!("the structure has no kind of units {code:?}"))
    }

    fn knows_role(&self, role: &str) -> Result<()> {
        ensure!(self.structure.posts.iter().any(|post| post.role == role), "the structure has no post {role:?}");
        Ok(())
    }

    /// Gaps of a required post by its role, or of households by the kind of unit that has bounds.
    fn gaps_of(&self, code: &str) -> Result<usize> {
        let required = |kind: &UnitKind| kind.required_posts.iter().any(|post| post.role == code);
        if self.structure.unit_kinds.iter().any(required) {
            return Ok(self.gaps.iter().filter(|gap| gap.role == code).count());
        }
        let bounded = self.structure.unit_kinds.iter().find(|kind| kind.code == code);
        let bounded = bounded.is_some_and(|kind| kind.min_households > 0 || kind.max_households > 0);
        ensure!(bounded, "{code:?} is neither a required post nor a kind of units with a number of households");
        let units = self.units_of(code);
        Ok(self.gaps.iter().filter(|gap| gap.role.is_empty() && units.contains(&gap.unit.as_str())).count())
    }

    fn units_of(&self, kind: &str) -> Vec<&str> {
        let of_kind = self.units.iter().filter(|unit| text(unit, "kind") == kind);
        of_kind.map(|unit| text(unit, "name")).collect()
    }

    fn young(&self, role: &str, under: i32, of: Option<i64>) -> Result<usize> {
        self.knows_role(role)?;
        let holders: Vec<&Appointment> = self.appointments.iter().filter(|held| held.role == role).collect();
        if let Some(wanted) = of {
            ensure!(number(holders.len()) == wanted, "there are {} {role}, {wanted} wanted", holders.len());
        }
        let born: BTreeMap<&str, i32> = self.people.iter().map(|p| (p.name.as_str(), p.birth_year)).collect();
        let young = |held: &&&Appointment| {
            born.get(held.appointee.as_str()).is_some_and(|year| *year != 0 && YEAR - year < under)
        };
        Ok(holders.iter().filter(young).count())
    }

    fn required(&self, kind: &str, role: Option<&str>) -> Result<i64> {
        let posts = &self.kind(kind)?.required_posts;
        let Some(role) = role else { return Ok(number(posts.len())) };
        self.knows_role(role)?;
        let post = posts.iter().find(|post| post.role == role);
        post.map(|post| i64::from(post.min)).with_context(|| format!("{kind} requires no {role}"))
    }
}

/// All people of a community.
pub(in crate::commands::demo) async fn people(connection: &Connection, area: &str) -> Result<Vec<Person>> {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let request =
            ListPeopleRequest { parent: format!("areas/{area}"), page_size: PAGE, page_token, ..Default::default() };
        let page = connection.org().list_people(request).await.with_context(|| format!("people of {area}"))?;
        let page = page.into_inner();
        all.extend(page.people);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(all);
        }
    }
}

async fn gaps(connection: &Connection, area: &str) -> Result<Vec<Gap>> {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListGapsRequest { parent: area.to_owned(), page_size: PAGE, page_token, ..Default::default() };
        let page = connection.org().list_gaps(request).await?.into_inner();
        all.extend(page.gaps);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(all);
        }
    }
}

async fn appointments(connection: &Connection, area: &str) -> Result<Vec<Appointment>> {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListAppointmentsRequest {
            parent: area.to_owned(),
            filter: "state = APPOINTMENT_STATE_ACTIVE".to_owned(),
            page_size: PAGE,
            page_token,
            ..Default::default()
        };
        let page = connection.org().list_appointments(request).await?.into_inner();
        all.extend(page.appointments);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(all);
        }
    }
}

/// Counts one check.
pub(super) async fn actual(connection: &Connection, area: &str, check: &Check, counted: &Counted) -> Result<i64> {
    Ok(match check {
        Check::Units(kind) => {
            counted.kind(kind)?;
            of_code(&counted.summary.units, kind)
        }
        Check::Appointments(role) => {
            counted.knows_role(role)?;
            of_code(&counted.summary.appointments, role)
        }
        Check::AppointmentsAge { role, under, of } => number(counted.young(role, *under, *of)?),
        Check::Households => counted.summary.households,
        Check::People => counted.summary.people,
        Check::PeopleTagged(tag) => number(counted.people.iter().filter(|p| p.tags.contains(tag)).count()),
        Check::HouseholdsPer { kind, min, max } => households_per(connection, counted, kind, *min, *max).await?,
        Check::Gaps(code) => number(counted.gaps_of(code)?),
        Check::RequiredPosts { kind, role } => counted.required(kind, role.as_deref())?,
        Check::Stages { template, with, without } => {
            let name = format!("areas/{area}/processTemplates/{template}");
            let found = connection.deliberation().get_process_template(GetProcessTemplateRequest { name }).await?;
            let lacks = |stage: &&Stage, kind: &Option<String>| kind.as_ref().is_none_or(|kind| !has_kind(stage, kind));
            let has = |stage: &&Stage, kind: &Option<String>| kind.as_ref().is_none_or(|kind| has_kind(stage, kind));
            let stages = found.into_inner().stages;
            number(stages.iter().filter(|stage| has(stage, with) && lacks(stage, without)).count())
        }
        Check::NamedUnit { name, filter } => {
            let named = |unit: &&Value| unit.pointer("/displayName/zhCn").and_then(Value::as_str) == Some(name);
            number(counted.units.iter().filter(named).filter(|unit| matches(unit, filter)).count())
        }
        Check::Resources { resource, filter } => {
            let found = connection.list_json(resource, &format!("areas/{area}")).await?;
            number(found.iter().filter(|one| matches(one, filter)).count())
        }
    })
}

fn number(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn of_code(counts: &[KindCount], code: &str) -> i64 {
    counts.iter().find(|c| c.code == code).map_or(0, |c| c.count)
}

fn text<'a>(resource: &'a Value, field: &str) -> &'a str {
    resource.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Every field equals its value, or is a list that contains it.
fn matches(resource: &Value, filter: &BTreeMap<String, Value>) -> bool {
    filter.iter().all(|(key, wanted)| match resource.get(key) {
        Some(Value::Array(list)) => list.contains(wanted),
        Some(found) => found == wanted,
        None => false,
    })
}

/// Whether a stage has a condition of a kind, by the field's name in JSON.
fn has_kind(stage: &Stage, kind: &str) -> bool {
    stage.conditions.iter().filter_map(|condition| condition.condition.as_ref()).any(|condition| {
        let name = match condition {
            Condition::MinSupports(_) => "minSupports",
            Condition::RecordKind(_) => "recordKind",
            Condition::PublishedHours(_) => "publishedHours",
            Condition::BallotPassed(_) => "ballotPassed",
            Condition::StageHours(_) => "stageHours",
            Condition::ApprovedByRole(_) => "approvedByRole",
        };
        name == kind
    })
}

/// Units of a kind whose households lie outside the bounds.
async fn households_per(connection: &Connection, counted: &Counted, kind: &str, min: i64, max: i64) -> Result<i64> {
    let units = counted.units_of(kind);
    ensure!(!units.is_empty(), "there are no units of kind {kind:?}");
    let mut outside = 0;
    for unit in units {
        let request = SummarizeUnitRequest { name: unit.to_owned() };
        let households = connection.org().summarize_unit(request).await?.into_inner().households;
        outside += i64::from(!(min..=max).contains(&households));
    }
    Ok(outside)
}

#[cfg(test)]
mod tests {
    use linli_proto::org::PostRequirement;

    use super::*;

    fn counted() -> Counted {
        let post = PostRequirement { role: "head".into(), min: 1, max: 1 };
        let grid = UnitKind { code: "grid".into(), required_posts: vec![post], ..UnitKind::default() };
        let home = UnitKind { code: "home".into(), min_households: 50, ..UnitKind::default() };
        let structure = StructureTemplate { unit_kinds: vec![grid, home], ..StructureTemplate::default() };
        Counted {
            summary: UnitSummary::default(),
            gaps: Vec::new(),
            appointments: Vec::new(),
            people: Vec::new(),
            structure,
            units: Vec::new(),
        }
    }

    #[test]
    fn no_gaps_are_found_only_where_there_could_be_some() {
        let counted = counted();
        assert_eq!(counted.gaps_of("head").expect("a required post"), 0);
        assert_eq!(counted.gaps_of("home").expect("a kind with bounds"), 0);
        for strange in ["haed", "grid", "volunteer", ""] {
            assert!(counted.gaps_of(strange).is_err(), "{strange:?}");
        }
    }

    #[test]
    fn a_post_that_is_not_required_is_no_figure() {
        let mut counted = counted();
        let post = |role: &str| linli_proto::org::Post { role: role.into(), ..Default::default() };
        counted.structure.posts = vec![post("head"), post("guest")];
        assert_eq!(counted.required("grid", Some("head")).expect("required"), 1);
        assert_eq!(counted.required("grid", None).expect("a kind"), 1);
        assert!(counted.required("grid", Some("guest")).is_err());
        assert!(counted.required("village", None).is_err());
    }
}
