//! Rows of rule changes and of what trials would have said, and the queries on them. Never: a decision.

pub(crate) mod tables;

use linli_kernel::{AreaId, Id as _};
use linli_kit::store::Tx;
use linli_kit::{Error, Result, check};
use linli_proto::rules as pb;
use linli_proto::rules::{RuleChangeState as State, RuleStage};
use prost::Message as _;
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};
use uuid::Uuid;

use crate::domain::change::{RuleChangeId, Step};
use tables::{change, outcome};

pub(crate) use change::Model as ChangeRow;

/// States in which a change is still to come to something.
const OPEN: [State; 3] = [State::PendingApproval, State::Scheduled, State::Trial];

impl ChangeRow {
    /// Its resource name.
    pub(crate) fn name(&self) -> String {
        format!("areas/{}/ruleChanges/{}", self.area, RuleChangeId::from_uuid(self.id))
    }

    /// Name of the binding.
    pub(crate) fn binding_name(&self) -> String {
        format!("areas/{}/ruleBindings/{}", self.area, self.binding)
    }

    /// What the binding is to be; only its name when it is to go.
    pub(crate) fn wanted(&self) -> Result<pb::RuleBinding> {
        pb::RuleBinding::decode(self.wanted.as_slice()).map_err(Error::internal)
    }

    /// What the binding was before; `None` when there was none.
    pub(crate) fn previous(&self) -> Result<Option<pb::RuleBinding>> {
        if self.previous.is_empty() {
            return Ok(None);
        }
        pb::RuleBinding::decode(self.previous.as_slice()).map(Some).map_err(Error::internal)
    }

    pub(crate) fn steps(&self) -> Result<Vec<Step>> {
        serde_json::from_str(&self.steps).map_err(Error::internal)
    }

    pub(crate) fn state(&self) -> State {
        State::try_from(self.state).unwrap_or_default()
    }

    pub(crate) fn stage(&self) -> RuleStage {
        RuleStage::try_from(self.stage).unwrap_or_default()
    }

    /// The stage in which it runs beside the active rule; unspecified when it does not.
    pub(crate) fn running_stage(&self) -> RuleStage {
        RuleStage::try_from(self.run_stage).unwrap_or_default()
    }

    pub(crate) fn is_open(&self) -> bool {
        OPEN.contains(&self.state())
    }

    /// Changes whenever what runs of it changes.
    pub(crate) fn trial_mark(&self) -> String {
        format!("{} {} {}", self.id, self.run_stage, self.run_permille)
    }

    /// What the binding shows of it.
    pub(crate) fn candidate(&self) -> Result<pb::RuleCandidate> {
        let wanted = self.wanted()?;
        Ok(pb::RuleCandidate {
            rule_change: self.name(),
            plugin_version: wanted.plugin_version,
            settings: wanted.settings,
            stage: self.run_stage,
            canary_permille: self.run_permille,
        })
    }

    /// The change as it is shown, without what it counted.
    pub(crate) fn message(&self) -> Result<pb::RuleChange> {
        let steps = self.steps()?.into_iter().map(|step| pb::RuleChangeStep {
            action: step.action,
            actor: step.actor,
            time: Some(check::timestamp_us(step.at_us)),
            stage: step.stage,
            canary_permille: step.permille,
            note: step.note,
        });
        Ok(pb::RuleChange {
            name: self.name(),
            rule_binding: Some(self.wanted()?),
            stage: self.stage,
            canary_permille: self.permille,
            effective_time: (self.effective_us > 0).then(|| check::timestamp_us(self.effective_us)),
            state: self.state,
            previous: self.previous()?,
            steps: steps.collect(),
            outcomes: Vec::new(),
            etag: check::etag(self.revision),
            create_time: Some(check::timestamp_us(self.create_us)),
            update_time: Some(check::timestamp_us(self.update_us)),
        })
    }
}

/// Reads one change.
pub(crate) async fn change_of(
    conn: &impl ConnectionTrait,
    area: &AreaId,
    id: RuleChangeId,
) -> Result<Option<ChangeRow>> {
    Ok(change::Entity::find_by_id((area.as_str().to_owned(), id.uuid())).one(conn).await?)
}

/// Changes of an area in some states; of one binding or of all.
async fn in_states(
    conn: &impl ConnectionTrait,
    areas: &[String],
    binding: Option<&str>,
    states: &[State],
) -> Result<Vec<ChangeRow>> {
    let mut query = change::Entity::find()
        .filter(change::Column::Area.is_in(areas.iter().map(String::as_str)))
        .filter(change::Column::State.is_in(states.iter().map(|state| *state as i32)));
    if let Some(binding) = binding {
        query = query.filter(change::Column::Binding.eq(binding));
    }
    Ok(query.order_by_asc(change::Column::Area).order_by_asc(change::Column::Id).all(conn).await?)
}

/// The change of a binding that is still to come to something.
pub(crate) async fn open_of(conn: &impl ConnectionTrait, area: &str, binding: &str) -> Result<Option<ChangeRow>> {
    Ok(in_states(conn, &[area.to_owned()], Some(binding), &OPEN).await?.pop())
}

/// The change of a binding that is in force.
pub(crate) async fn active_of(conn: &impl ConnectionTrait, area: &str, binding: &str) -> Result<Option<ChangeRow>> {
    Ok(in_states(conn, &[area.to_owned()], Some(binding), &[State::Active]).await?.pop())
}

/// Changes of some areas that may still run or be rolled back: those that are open and those in force.
pub(crate) async fn living(conn: &impl ConnectionTrait, areas: &[String]) -> Result<Vec<ChangeRow>> {
    let states = [State::PendingApproval, State::Scheduled, State::Trial, State::Active];
    in_states(conn, areas, None, &states).await
}

/// Changes of some areas that run beside active rules.
pub(crate) async fn on_trial(conn: &impl ConnectionTrait, areas: &[String]) -> Result<Vec<ChangeRow>> {
    let query = change::Entity::find()
        .filter(change::Column::Area.is_in(areas.iter().map(String::as_str)))
        .filter(change::Column::RunStage.gt(0));
    Ok(query.all(conn).await?)
}

/// Changes whose date has come, the earliest first.
pub(crate) async fn due(conn: &impl ConnectionTrait, now_us: i64, most: u64) -> Result<Vec<ChangeRow>> {
    let query = change::Entity::find()
        .filter(change::Column::State.eq(State::Scheduled as i32))
        .filter(change::Column::EffectiveUs.lte(now_us))
        .order_by_asc(change::Column::EffectiveUs)
        .limit(most);
    Ok(query.all(conn).await?)
}

/// Writes a new change.
pub(crate) async fn insert(tx: &Tx<'_>, row: &ChangeRow) -> Result<()> {
    row.clone().into_active_model().reset_all().insert(tx.conn()).await?;
    Ok(())
}

/// Writes a change anew.
pub(crate) async fn update(tx: &Tx<'_>, row: &ChangeRow) -> Result<()> {
    row.clone().into_active_model().reset_all().update(tx.conn()).await?;
    Ok(())
}

/// What a change has counted, most frequent first.
pub(crate) async fn outcomes(conn: &impl ConnectionTrait, change: Uuid) -> Result<Vec<outcome::Model>> {
    let query = outcome::Entity::find().filter(outcome::Column::Change.eq(change));
    Ok(query.order_by_desc(outcome::Column::Count).all(conn).await?)
}

/// Adds to what a change has counted.
pub(crate) async fn add_outcome(tx: &Tx<'_>, row: outcome::Model) -> Result<()> {
    let more = row.count;
    let add = OnConflict::columns([
        outcome::Column::Change,
        outcome::Column::Was,
        outcome::Column::Would,
        outcome::Column::Reason,
    ])
    .value(outcome::Column::Count, Expr::col((outcome::Entity, outcome::Column::Count)).add(more))
    .to_owned();
    let row = row.into_active_model().reset_all();
    outcome::Entity::insert(row).on_conflict(add).exec_without_returning(tx.conn()).await?;
    Ok(())
}
