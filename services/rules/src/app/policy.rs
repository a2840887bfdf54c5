//! What the charters of an area and of those above it ask of rules. Never: an area more lenient than one above it.

use std::sync::Arc;

use linli_access::Target;
use linli_kernel::AreaId;
use linli_kit::check::{self, Violations};
use linli_kit::idempotency::Once;
use linli_kit::store::EventDraft;
use linli_kit::{Ctx, Error, FieldViolation, Result};
use linli_proto::rules as pb;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, QueryFilter as _,
};

use super::App;
use crate::store;
use crate::store::entities::policy;

/// Faults that quarantine a version where no charter says otherwise.
const FAULTS: i32 = 10;
/// The window of these faults in minutes.
const WINDOW_MIN: i32 = 10;
const MAX_FAULTS: i64 = 1_000;
const MAX_WINDOW_MIN: i64 = 1_440;
const MAX_SOURCE: usize = 200;
/// What can be changed.
const FIELDS: [&str; 5] =
    ["signature_required", "second_person_required", "quarantine_faults", "quarantine_window_min", "source"];

/// What holds for an area.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) signature_required: bool,
    pub(crate) second_person_required: bool,
    pub(crate) quarantine_faults: i32,
    pub(crate) quarantine_window_min: i32,
    source: String,
}

impl Policy {
    /// Of the charters from the area upwards: the strictest of each, and the nearest window and source.
    fn of(nearest_first: &[policy::Model]) -> Self {
        let set = |value: i32| (value > 0).then_some(value);
        let strictest = nearest_first.iter().filter_map(|row| set(row.quarantine_faults)).min();
        let window = nearest_first.iter().find_map(|row| set(row.quarantine_window_min));
        let source = nearest_first.iter().find(|row| !row.source.is_empty());
        Self {
            signature_required: nearest_first.iter().any(|row| row.signature_required),
            second_person_required: nearest_first.iter().any(|row| row.second_person_required),
            quarantine_faults: strictest.unwrap_or(FAULTS),
            quarantine_window_min: window.unwrap_or(WINDOW_MIN),
            source: source.map(|row| row.source.clone()).unwrap_or_default(),
        }
    }
}

impl App {
    /// What the charters ask of an area's rules.
    pub(crate) async fn policy_of(&self, area: &AreaId) -> Result<Policy> {
        Ok(Policy::of(&self.charters(area).await?))
    }

    /// Policies of the area and those above, nearest first.
    async fn charters(&self, area: &AreaId) -> Result<Vec<policy::Model>> {
        let chain = self.access.snapshot().ancestors(area.as_str());
        let query = policy::Entity::find().filter(policy::Column::Area.is_in(chain.iter().map(String::as_str)));
        let mut rows = query.all(self.parts.store.reader()).await?;
        rows.sort_by_key(|row| chain.iter().position(|above| *above == row.area));
        Ok(rows)
    }

    /// Returns what holds for an area.
    pub(crate) async fn get_rules_policy(&self, ctx: &Ctx, r: &pb::GetRulesPolicyRequest) -> Result<pb::RulesPolicy> {
        let area = area_of("name", &r.name)?;
        self.access.authorise(ctx, &Target::area(&area))?;
        self.policy_message(&area).await
    }

    async fn policy_message(&self, area: &AreaId) -> Result<pb::RulesPolicy> {
        let charters = self.charters(area).await?;
        let holds = Policy::of(&charters);
        let own = charters.iter().find(|row| row.area == area.as_str());
        Ok(pb::RulesPolicy {
            name: format!("{}/rulesPolicy", area.name()),
            signature_required: holds.signature_required,
            second_person_required: holds.second_person_required,
            quarantine_faults: holds.quarantine_faults,
            quarantine_window_min: holds.quarantine_window_min,
            source: holds.source,
            etag: check::etag(own.map_or(0, |row| row.revision)),
            create_time: own.map(|row| check::timestamp_us(row.create_us)),
            update_time: own.map(|row| check::timestamp_us(row.update_us)),
        })
    }

    /// Changes what an area's own charter asks.
    pub(crate) async fn update_rules_policy(
        &self,
        ctx: &Arc<Ctx>,
        r: pb::UpdateRulesPolicyRequest,
    ) -> Result<pb::RulesPolicy> {
        let wanted = r.rules_policy.clone().unwrap_or_default();
        let area = area_of("rules_policy.name", &wanted.name)?;
        self.access.authorise(ctx, &Target::area(&area))?;
        let paths = checked(&r, &wanted)?;
        let hash = self.hash(ctx, &pb::UpdateRulesPolicyRequest { request_id: String::new(), ..r.clone() });
        let slug = area.as_str();
        let done = self
            .parts
            .store
            .write_once(ctx, slug, &r.request_id, hash, "rules.update_rules_policy", |tx| {
                let (wanted, paths) = (&wanted, &paths);
                Box::pin(async move {
                    store::lock_area(tx, slug).await?;
                    let now = ctx.now().micros();
                    let found = policy::Entity::find_by_id(slug.to_owned()).one(tx.conn()).await?;
                    let known = found.is_some();
                    let mut row = found.unwrap_or_else(|| blank(slug, now));
                    check::check_etag(&wanted.etag, row.revision, &wanted.name)?;
                    let before = row.clone();
                    paths.iter().for_each(|path| set(&mut row, path, wanted));
                    if row != before || !known {
                        (row.revision, row.update_us) = (row.revision + 1, now);
                        let revision = row.revision;
                        let payload =
                            pb::RulesPolicyChanged { rules_policy: Some(own(&row)), actor: ctx.caller.recorded_as() };
                        write(tx.conn(), row, known).await?;
                        let kind = "linli.rules.v1.RulesPolicyChanged";
                        tx.emit(EventDraft::new(ctx, kind, slug, &wanted.name, revision, &payload));
                    }
                    Ok((wanted.name.clone(), ()))
                })
            })
            .await?;
        let (Once::Done(()) | Once::Repeat(_)) = done;
        self.policy_message(&area).await
    }
}

/// What an area's own charter asks.
fn own(row: &policy::Model) -> pb::RulesPolicy {
    pb::RulesPolicy {
        name: format!("areas/{}/rulesPolicy", row.area),
        signature_required: row.signature_required,
        second_person_required: row.second_person_required,
        quarantine_faults: row.quarantine_faults,
        quarantine_window_min: row.quarantine_window_min,
        source: row.source.clone(),
        etag: check::etag(row.revision),
        create_time: Some(check::timestamp_us(row.create_us)),
        update_time: Some(check::timestamp_us(row.update_us)),
    }
}

/// The paths to change.
fn checked(r: &pb::UpdateRulesPolicyRequest, wanted: &pb::RulesPolicy) -> Result<Vec<String>> {
    let mut bad = Violations::new();
    bad.range("rules_policy.quarantine_faults", wanted.quarantine_faults.into(), 0, MAX_FAULTS);
    bad.range("rules_policy.quarantine_window_min", wanted.quarantine_window_min.into(), 0, MAX_WINDOW_MIN);
    bad.max_chars("rules_policy.source", &wanted.source, MAX_SOURCE);
    let mut paths = r.update_mask.clone().unwrap_or_default().paths;
    for path in paths.iter().filter(|path| !FIELDS.contains(&path.as_str())) {
        bad.bad(format!("update_mask.{path}"), "FIELD_UNKNOWN");
    }
    bad.finish()?;
    if paths.is_empty() {
        let is_set = [
            wanted.signature_required,
            wanted.second_person_required,
            wanted.quarantine_faults != 0,
            wanted.quarantine_window_min != 0,
            !wanted.source.is_empty(),
        ];
        paths = FIELDS.iter().zip(is_set).filter(|(_, set)| *set).map(|(field, _)| (*field).to_owned()).collect();
    }
    Ok(paths)
}

fn blank(area: &str, now: i64) -> policy::Model {
    policy::Model {
        area: area.to_owned(),
        signature_required: false,
        second_person_required: false,
        quarantine_faults: 0,
        quarantine_window_min: 0,
        source: String::new(),
        revision: 0,
        create_us: now,
        update_us: now,
    }
}

fn set(row: &mut policy::Model, path: &str, wanted: &pb::RulesPolicy) {
    match path {
        "signature_required" => row.signature_required = wanted.signature_required,
        "second_person_required" => row.second_person_required = wanted.second_person_required,
        "quarantine_faults" => row.quarantine_faults = wanted.quarantine_faults,
        "quarantine_window_min" => row.quarantine_window_min = wanted.quarantine_window_min,
        _ => row.source.clone_from(&wanted.source),
    }
}

async fn write(conn: &impl ConnectionTrait, row: policy::Model, known: bool) -> Result<()> {
    let row = row.into_active_model().reset_all();
    if known {
        row.update(conn).await?
    } else {
        row.insert(conn).await?
    };
    Ok(())
}

fn area_of(field: &str, name: &str) -> Result<AreaId> {
    match name.strip_suffix("/rulesPolicy") {
        Some(area) => check::area(field, area),
        None => Err(Error::field(
            FieldViolation::new(field, "NAME_INVALID").arg("detail", "expected areas/{area}/rulesPolicy"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(second: bool, faults: i32, window: i32) -> policy::Model {
        let blank = blank("a", 0);
        policy::Model {
            second_person_required: second,
            quarantine_faults: faults,
            quarantine_window_min: window,
            ..blank
        }
    }

    #[test]
    fn without_a_charter_the_defaults_hold() {
        let holds = Policy::of(&[]);
        assert_eq!((holds.quarantine_faults, holds.quarantine_window_min), (FAULTS, WINDOW_MIN));
        assert!(!holds.signature_required && !holds.second_person_required);
    }

    #[test]
    fn an_area_may_be_stricter_than_those_above_and_never_more_lenient() {
        let holds = Policy::of(&[row(false, 50, 5), row(true, 20, 60)]);
        assert!(holds.second_person_required);
        assert_eq!((holds.quarantine_faults, holds.quarantine_window_min), (20, 5));
        assert_eq!(Policy::of(&[row(false, 3, 0), row(false, 20, 60)]).quarantine_faults, 3);
    }
}
