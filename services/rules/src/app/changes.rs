//! The life of a rule: changes of bindings, what each comes to, and who did what when.
//!
//! What is in force is the binding in the catalogue; what is tried beside it is a change that runs. Never: two open changes
//! of one binding, or a step without its line in the history.

mod requests;
mod schedule;

use linli_kernel::{AreaId, Id as _};
use linli_kit::ids::new_v7;
use linli_kit::store::{EventDraft, Tx};
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result};
use linli_proto::rules as pb;
use linli_proto::rules::{RuleChangeState as State, RuleStage};
use prost::Message as _;

use super::App;
use super::bindings::{crowded, event};
use crate::domain::change::{RuleChangeId, Step, is_approved};
use crate::store::changes::{self, ChangeRow};

pub(super) use schedule::start;

/// Somebody's step in the life of rules, inside a transaction that holds the area.
pub(super) struct Life<'a, 't> {
    pub(super) ctx: &'a Ctx,
    pub(super) tx: &'a Tx<'t>,
    pub(super) actor: &'a str,
}

impl<'a, 't> Life<'a, 't> {
    /// A caller's step.
    pub(super) fn of(ctx: &'a Ctx, tx: &'a Tx<'t>) -> Self {
        Self { ctx, tx, actor: ctx.caller.subject().unwrap_or(crate::domain::change::BY_ITSELF) }
    }

    /// Records what was written to a binding directly: it is a change that is in force at once.
    pub(super) async fn record(
        &self,
        (area, id): (&str, &str),
        before: Option<&pb::RuleBinding>,
        after: Option<&pb::RuleBinding>,
    ) -> Result<()> {
        let gone = pb::RuleBinding { name: format!("areas/{area}/ruleBindings/{id}"), ..pb::RuleBinding::default() };
        let mut row = self.new_row((area, id), &after.map_or(gone, bare), RuleStage::Active, 0);
        if let Some(mut open) = changes::open_of(self.tx.conn(), area, id).await? {
            end(self, &mut open, State::Withdrawn, "withdraw", "").await?;
        }
        self.step(&mut row, "activate", "")?;
        changes::insert(self.tx, &row).await?;
        self.put_in_force(&mut row, before).await
    }

    /// Makes a change the one in force of its binding, which has been written.
    async fn put_in_force(&self, row: &mut ChangeRow, before: Option<&pb::RuleBinding>) -> Result<()> {
        if let Some(mut old) = changes::active_of(self.tx.conn(), &row.area, &row.binding).await? {
            row.before = Some(old.id);
            end(self, &mut old, State::Superseded, "supersede", "").await?;
        }
        row.previous = before.map(|binding| bare(binding).encode_to_vec()).unwrap_or_default();
        row.state = State::Active as i32;
        (row.run_stage, row.run_permille) = (0, 0);
        row.is_undoable = true;
        self.save(row).await
    }

    /// A change that has not begun.
    fn new_row(
        &self,
        (area, id): (&str, &str),
        wanted: &pb::RuleBinding,
        stage: RuleStage,
        permille: i32,
    ) -> ChangeRow {
        let now = self.ctx.now();
        ChangeRow {
            area: area.to_owned(),
            id: new_v7::<RuleChangeId>(now).uuid(),
            binding: id.to_owned(),
            wanted: wanted.encode_to_vec(),
            previous: Vec::new(),
            stage: stage as i32,
            permille,
            effective_us: 0,
            // Neither open nor in force until it is saved as one of these.
            state: State::Unspecified as i32,
            run_stage: 0,
            run_permille: 0,
            before: None,
            is_undoable: false,
            steps: "[]".to_owned(),
            revision: 0,
            create_us: now.micros(),
            update_us: now.micros(),
        }
    }

    /// Adds a line to the history.
    fn step(&self, row: &mut ChangeRow, action: &str, note: &str) -> Result<()> {
        let mut steps = row.steps()?;
        steps.push(Step {
            action: action.to_owned(),
            actor: self.actor.to_owned(),
            at_us: self.ctx.now().micros(),
            stage: row.stage,
            permille: row.permille,
            note: note.to_owned(),
        });
        row.steps = serde_json::to_string(&steps).map_err(Error::internal)?;
        Ok(())
    }

    /// Writes the change anew and tells the others.
    async fn save(&self, row: &mut ChangeRow) -> Result<()> {
        row.revision += 1;
        row.update_us = self.ctx.now().micros().max(row.update_us);
        changes::update(self.tx, row).await?;
        let payload = pb::RuleChangeChanged {
            rule_change: row.name(),
            rule_binding: row.binding_name(),
            state: row.state,
            stage: row.stage,
        };
        let kind = "linli.rules.v1.RuleChangeChanged";
        self.tx.emit(EventDraft::new(self.ctx, kind, row.area.as_str(), row.name(), row.revision, &payload));
        Ok(())
    }
}

/// A change comes to an end, and what runs of it stops.
pub(super) async fn end(
    life: &Life<'_, '_>,
    row: &mut ChangeRow,
    state: State,
    action: &str,
    note: &str,
) -> Result<()> {
    row.state = state as i32;
    (row.run_stage, row.run_permille) = (0, 0);
    life.step(row, action, note)?;
    life.save(row).await
}

/// A binding without what the service adds to it.
pub(super) fn bare(binding: &pb::RuleBinding) -> pb::RuleBinding {
    pb::RuleBinding { candidate: None, etag: String::new(), create_time: None, update_time: None, ..binding.clone() }
}

impl App {
    /// Takes a change as far as it may go now: to a second person, to its date, or into effect.
    async fn go_on(&self, life: &Life<'_, '_>, row: &mut ChangeRow, second: bool) -> Result<()> {
        let obeyed = row.stage() != RuleStage::Shadow;
        if second && obeyed && !is_approved(&row.steps()?) {
            row.state = State::PendingApproval as i32;
            return life.save(row).await;
        }
        if row.effective_us > life.ctx.now().micros() {
            row.state = State::Scheduled as i32;
            return life.save(row).await;
        }
        self.take_effect(life, row).await
    }

    /// Does what the change is about; what must hold of the binding was checked.
    async fn take_effect(&self, life: &Life<'_, '_>, row: &mut ChangeRow) -> Result<()> {
        let wanted = row.wanted()?;
        if row.stage() != RuleStage::Active {
            // Others may have begun meanwhile.
            let home = AreaId::new(&row.area).map_err(Error::internal)?;
            let others = self.hold_area(life.tx, &home, &row.binding).await?;
            Error::check(crowded(&home, &others, &wanted).into_iter().collect())?;
            self.hold_version(life.tx, &wanted).await?;
            row.state = State::Trial as i32;
            (row.run_stage, row.run_permille) = (row.stage, row.permille);
            life.step(row, "start", "")?;
            return life.save(row).await;
        }
        let before = self.write_binding(life, (&row.area, &row.binding), &wanted).await?;
        life.step(row, "activate", "")?;
        life.put_in_force(row, before.as_ref()).await
    }

    /// Makes a binding what it is to be; returns what it was.
    async fn write_binding(
        &self,
        life: &Life<'_, '_>,
        (area, id): (&str, &str),
        wanted: &pb::RuleBinding,
    ) -> Result<Option<pb::RuleBinding>> {
        let home = AreaId::new(area).map_err(Error::internal)?;
        let others = self.hold_area(life.tx, &home, id).await?;
        let before = self.bindings.find_for_update(life.tx, area, id).await?;
        let judge = |message: &pb::RuleBinding| crowded(&home, &others, message).into_iter().collect();
        let all = prost_types::FieldMask { paths: vec!["*".to_owned()] };
        let written = self.bindings.update(life.tx, life.ctx.now(), &bare(wanted), Some(&all), true, judge).await?;
        if written.changed {
            self.hold_version(life.tx, wanted).await?;
            let entry = written.entry;
            life.tx.emit(event(life.ctx, area, &entry.resource, entry.revision, false));
        }
        Ok(before.map(|entry| entry.resource))
    }

    /// Brings a binding back to what it was before the change that is in force.
    async fn undo(&self, life: &Life<'_, '_>, row: &mut ChangeRow, note: &str) -> Result<()> {
        let (area, id) = (row.area.clone(), row.binding.clone());
        if let Some(mut open) = changes::open_of(life.tx.conn(), &area, &id).await? {
            end(life, &mut open, State::Withdrawn, "withdraw", "").await?;
        }
        match row.previous()? {
            Some(previous) => {
                self.write_binding(life, (&area, &id), &previous).await?;
            }
            None => {
                let gone = self.bindings.delete(life.tx, &area, &id, "").await?;
                life.tx.emit(event(life.ctx, &area, &gone.resource, gone.revision + 1, true));
            }
        }
        row.is_undoable = false;
        end(life, row, State::RolledBack, "roll-back", note).await?;
        let Some(before) = row.before.map(RuleChangeId::from_uuid) else { return Ok(()) };
        let home = AreaId::new(&area).map_err(Error::internal)?;
        if let Some(mut before) = changes::change_of(life.tx.conn(), &home, before).await? {
            // One step back, and no further.
            (before.state, before.is_undoable) = (State::Active as i32, false);
            life.step(&mut before, "activate", "")?;
            life.save(&mut before).await?;
        }
        Ok(())
    }

    /// What stands against a change, with paths in a request that names it.
    async fn check_wanted(
        &self,
        ctx: &Ctx,
        area: &AreaId,
        wanted: &pb::RuleBinding,
        at: &str,
    ) -> Result<Vec<FieldViolation>> {
        let mut found = self.check_binding(ctx, area, wanted).await?;
        found.iter_mut().for_each(|violation| violation.field = format!("{at}{}", violation.field));
        Ok(found)
    }
}

/// The error of a step that the change's state does not allow.
fn not_now(row: &ChangeRow) -> Error {
    let state = row.state().as_str_name().trim_start_matches("RULE_CHANGE_STATE_");
    Error::new(ErrorCode::FailedPrecondition, "CHANGE_STATE").with("change", row.name()).with("state", state)
}
