//! The RPCs about rule changes. Never: what a change does; that is its life.

use std::sync::Arc;

use linli_access::Target;
use linli_kernel::{AreaId, Name};
use linli_kit::check::{self, Violations};
use linli_kit::idempotency::Once;
use linli_kit::page::{KeyPart, PageRequest};
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result, filter};
use linli_proto::rules as pb;
use linli_proto::rules::{RuleChangeState as State, RuleStage};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, EntityTrait as _, Order, QueryFilter as _, QueryOrder as _, QuerySelect as _};

use super::{Life, bare, end, not_now};
use crate::app::App;
use crate::app::bindings::crowded;
use crate::domain::change::{RuleChangeId, is_forward, may_approve};
use crate::store;
use crate::store::changes::tables::change;
use crate::store::changes::{self, ChangeRow};

const MAX_NOTE: usize = 500;
/// A year ahead, the latest date.
const MAX_AHEAD_SECS: i64 = 366 * 24 * 3600;

/// What is asked for: a stage, a share, a date.
#[derive(Clone, Copy)]
struct Asked {
    stage: RuleStage,
    permille: i32,
    /// `None`: at once.
    effective_us: Option<i64>,
}

impl App {
    /// Proposes what a binding is to be.
    pub(crate) async fn create_rule_change(
        &self,
        ctx: &Arc<Ctx>,
        r: pb::CreateRuleChangeRequest,
    ) -> Result<pb::RuleChange> {
        let area = check::area("parent", &r.parent)?;
        self.access.authorise(ctx, &Target::area(&area))?;
        let change = r.rule_change.clone().unwrap_or_default();
        let wanted = bare(&change.rule_binding.clone().unwrap_or_default());
        let mut bad = Violations::new();
        let sent = (change.stage, change.canary_permille, change.effective_time.as_ref());
        let asked = read(sent, "rule_change.", &mut bad);
        bad.max_chars("note", &r.note, MAX_NOTE);
        let name = binding_name(&area, &wanted, &mut bad);
        // What may be wrong now and was not when the same request came first: a repeat is answered all the same.
        let mut against = self.check_wanted(ctx, &area, &wanted, "rule_change.rule_binding.").await?;
        against.extend(asked.and_then(|asked| out_of_range(ctx, asked, "rule_change.")));
        let bad = bad.into_vec();
        let (Some(asked), Some(name), true) = (asked, name, bad.is_empty()) else {
            Error::check(bad.into_iter().chain(against).collect())?;
            return Err(Error::internal("a bad change was let pass"));
        };
        let second = self.policy_of(&area).await?.second_person_required;
        let hash = self.hash(ctx, &pb::CreateRuleChangeRequest { request_id: String::new(), ..r.clone() });
        let done = self
            .parts
            .store
            .write_once(ctx, area.as_str(), &r.request_id, hash, "rules.create_rule_change", |tx| {
                let (area, name, wanted, note, against) = (&area, &name, &wanted, r.note.as_str(), &against);
                Box::pin(async move {
                    Error::check(against.clone())?;
                    self.room_for_change(tx, (area, name), wanted, asked.stage).await?;
                    let life = Life::of(ctx, tx);
                    let mut row = life.new_row((area.as_str(), name.id()), wanted, asked.stage, asked.permille);
                    row.effective_us = asked.effective_us.unwrap_or_default();
                    life.step(&mut row, "propose", note)?;
                    changes::insert(tx, &row).await?;
                    self.go_on(&life, &mut row, second).await?;
                    Ok((row.name(), row))
                })
            })
            .await?;
        self.changed(done).await
    }

    /// Whether a binding may have this change. Takes the area's lock.
    async fn room_for_change(
        &self,
        tx: &Tx<'_>,
        (area, name): (&AreaId, &Name),
        wanted: &pb::RuleBinding,
        stage: RuleStage,
    ) -> Result<()> {
        let others = self.hold_area(tx, area, name.id()).await?;
        if let Some(open) = changes::open_of(tx.conn(), area.as_str(), name.id()).await? {
            let refused = Error::new(ErrorCode::FailedPrecondition, "CHANGE_OPEN");
            return Err(refused.with("rule_binding", name).with("change", open.name()));
        }
        let mut bad: Vec<FieldViolation> = crowded(area, &others, wanted).into_iter().collect();
        if let Some(known) = self.bindings.find_for_update(tx, area.as_str(), name.id()).await?
            && stage != RuleStage::Active
        {
            let fixed = [("hook", known.resource.hook != wanted.hook), ("kinds", known.resource.kinds != wanted.kinds)];
            let fixed = fixed.into_iter().filter(|(_, differs)| *differs);
            bad.extend(fixed.map(|(field, _)| FieldViolation::new(field, "TRIAL_FIXED")));
        }
        bad.iter_mut().for_each(|violation| violation.field = format!("rule_change.rule_binding.{}", violation.field));
        Error::check(bad)?;
        self.hold_version(tx, wanted).await
    }

    /// Returns one change with what it has counted.
    pub(crate) async fn get_rule_change(&self, ctx: &Ctx, r: &pb::GetRuleChangeRequest) -> Result<pb::RuleChange> {
        let (area, id) = check::recorded::<RuleChangeId>("name", &r.name, "ruleChanges")?;
        self.access.authorise(ctx, &Target::area(&area))?;
        self.shown(&self.change(&area, id).await?).await
    }

    async fn change(&self, area: &AreaId, id: RuleChangeId) -> Result<ChangeRow> {
        let row = changes::change_of(self.parts.store.reader(), area, id).await?;
        row.ok_or_else(|| Error::not_found(format!("{}/ruleChanges/{id}", area.name())))
    }

    async fn shown(&self, row: &ChangeRow) -> Result<pb::RuleChange> {
        let outcomes = self.tallies.of(&self.parts.store, row.id).await?;
        Ok(pb::RuleChange { outcomes, ..row.message()? })
    }

    /// Lists changes, oldest first, without what they have counted.
    pub(crate) async fn list_rule_changes(
        &self,
        ctx: &Ctx,
        r: &pb::ListRuleChangesRequest,
    ) -> Result<pb::ListRuleChangesResponse> {
        use change::Column;
        let areas = self.listed_areas(ctx, &r.parent)?;
        let query = [r.parent.as_str(), &r.filter, &r.order_by];
        let page = PageRequest::parse(&self.parts.keyring, &ctx.method.path, &query, r.page_size, &r.page_token)?;
        filter::order_by(&r.order_by, &[])?;
        let state = filter::Kind::proto_enum("linli.rules.v1.RuleChangeState");
        let binding = Expr::cust("'areas/' || area || '/ruleBindings/' || binding");
        let fields = [
            filter::FilterField::new("rule_binding", filter::Kind::Text, binding),
            filter::FilterField::new("state", state, Expr::col(Column::State)),
        ];
        let keys = [(Expr::col(Column::Area), Order::Asc), (Expr::col(Column::Id), Order::Asc)];
        let rows = change::Entity::find()
            .filter(Column::Area.is_in(areas))
            .filter(filter::condition(&r.filter, &fields)?)
            .filter(page.condition(&keys)?)
            .order_by_asc(Column::Area)
            .order_by_asc(Column::Id)
            .limit(page.limit())
            .all(self.parts.store.reader())
            .await?;
        let (rows, next_page_token) = page.cut(rows, |row| vec![KeyPart::Text(row.area.clone()), KeyPart::Id(row.id)]);
        let rule_changes = rows.iter().map(ChangeRow::message).collect::<Result<_>>()?;
        Ok(pb::ListRuleChangesResponse { rule_changes, next_page_token })
    }

    /// Agrees to what a change waits for.
    pub(crate) async fn approve_rule_change(
        &self,
        ctx: &Arc<Ctx>,
        r: pb::ApproveRuleChangeRequest,
    ) -> Result<pb::RuleChange> {
        let (area, id) = check::recorded::<RuleChangeId>("name", &r.name, "ruleChanges")?;
        self.access.authorise(ctx, &Target::area(&area))?;
        let mut bad = Violations::new();
        bad.max_chars("note", &r.note, MAX_NOTE);
        bad.finish()?;
        let known = self.change(&area, id).await?;
        let against = self.against(ctx, &area, &known).await?;
        let second = self.policy_of(&area).await?.second_person_required;
        let hash = self.hash(ctx, &pb::ApproveRuleChangeRequest { request_id: String::new(), ..r.clone() });
        let done = self
            .parts
            .store
            .write_once(ctx, area.as_str(), &r.request_id, hash, "rules.approve_rule_change", |tx| {
                let (area, r, against) = (&area, &r, &against);
                Box::pin(async move {
                    let mut row = held(tx, area, id, &r.etag).await?;
                    let life = Life::of(ctx, tx);
                    if row.state() != State::PendingApproval {
                        return Err(not_now(&row));
                    }
                    if !may_approve(&row.steps()?, life.actor) {
                        let refused = Error::new(ErrorCode::PermissionDenied, "SECOND_PERSON_NEEDED");
                        return Err(refused.with("change", row.name()));
                    }
                    Error::check(against.clone())?;
                    life.step(&mut row, "approve", &r.note)?;
                    self.go_on(&life, &mut row, second).await?;
                    Ok((row.name(), row))
                })
            })
            .await?;
        self.changed(done).await
    }

    /// Moves a change on.
    pub(crate) async fn promote_rule_change(
        &self,
        ctx: &Arc<Ctx>,
        r: pb::PromoteRuleChangeRequest,
    ) -> Result<pb::RuleChange> {
        let (area, id) = check::recorded::<RuleChangeId>("name", &r.name, "ruleChanges")?;
        self.access.authorise(ctx, &Target::area(&area))?;
        let mut bad = Violations::new();
        let asked = read((r.stage, r.canary_permille, r.effective_time.as_ref()), "", &mut bad);
        bad.max_chars("note", &r.note, MAX_NOTE);
        bad.finish()?;
        let asked = asked.ok_or_else(|| Error::internal("a bad stage was let pass"))?;
        let known = self.change(&area, id).await?;
        let mut against = self.against(ctx, &area, &known).await?;
        against.extend(out_of_range(ctx, asked, ""));
        let second = self.policy_of(&area).await?.second_person_required;
        let hash = self.hash(ctx, &pb::PromoteRuleChangeRequest { request_id: String::new(), ..r.clone() });
        let done = self
            .parts
            .store
            .write_once(ctx, area.as_str(), &r.request_id, hash, "rules.promote_rule_change", |tx| {
                let (area, r, against) = (&area, &r, &against);
                Box::pin(async move {
                    let mut row = held(tx, area, id, &r.etag).await?;
                    if !row.is_open() || row.run_stage == 0 {
                        return Err(not_now(&row));
                    }
                    if !is_forward((row.running_stage() as i32, row.run_permille), (asked.stage as i32, asked.permille))
                    {
                        return Err(Error::field(FieldViolation::new("stage", "STAGE_BACKWARDS")));
                    }
                    Error::check(against.clone())?;
                    let life = Life::of(ctx, tx);
                    (row.stage, row.permille) = (asked.stage as i32, asked.permille);
                    row.effective_us = asked.effective_us.unwrap_or_default();
                    life.step(&mut row, "promote", &r.note)?;
                    self.go_on(&life, &mut row, second).await?;
                    Ok((row.name(), row))
                })
            })
            .await?;
        self.changed(done).await
    }

    /// Ends a change that is not in force.
    pub(crate) async fn withdraw_rule_change(
        &self,
        ctx: &Arc<Ctx>,
        r: pb::WithdrawRuleChangeRequest,
    ) -> Result<pb::RuleChange> {
        let (area, id) = check::recorded::<RuleChangeId>("name", &r.name, "ruleChanges")?;
        self.access.authorise(ctx, &Target::area(&area))?;
        let mut bad = Violations::new();
        bad.max_chars("note", &r.note, MAX_NOTE);
        bad.finish()?;
        let hash = self.hash(ctx, &pb::WithdrawRuleChangeRequest { request_id: String::new(), ..r.clone() });
        let done = self
            .parts
            .store
            .write_once(ctx, area.as_str(), &r.request_id, hash, "rules.withdraw_rule_change", |tx| {
                let (area, r) = (&area, &r);
                Box::pin(async move {
                    let mut row = held(tx, area, id, "").await?;
                    if !row.is_open() {
                        return Err(not_now(&row));
                    }
                    end(&Life::of(ctx, tx), &mut row, State::Withdrawn, "withdraw", &r.note).await?;
                    Ok((row.name(), row))
                })
            })
            .await?;
        self.changed(done).await
    }

    /// Brings a binding back to what it was before its last change.
    pub(crate) async fn roll_back_rule_binding(
        &self,
        ctx: &Arc<Ctx>,
        r: pb::RollBackRuleBindingRequest,
    ) -> Result<pb::RuleChange> {
        let name = check::name("name", &r.name, "ruleBindings")?;
        self.access.authorise(ctx, &Target::area(name.area()))?;
        let mut bad = Violations::new();
        bad.text("note", &r.note, MAX_NOTE);
        bad.finish()?;
        let hash = self.hash(ctx, &pb::RollBackRuleBindingRequest { request_id: String::new(), ..r.clone() });
        let area = name.area().as_str();
        let done = self
            .parts
            .store
            .write_once(ctx, area, &r.request_id, hash, "rules.roll_back_rule_binding", |tx| {
                let (name, r) = (&name, &r);
                Box::pin(async move {
                    store::lock_area(tx, area).await?;
                    let found = changes::active_of(tx.conn(), area, name.id()).await?;
                    let mut row = found.ok_or_else(|| Error::not_found(name))?;
                    if !row.is_undoable {
                        let refused = Error::new(ErrorCode::FailedPrecondition, "NOTHING_TO_ROLL_BACK");
                        return Err(refused.with("rule_binding", name));
                    }
                    self.undo(&Life::of(ctx, tx), &mut row, &r.note).await?;
                    Ok((row.name(), row))
                })
            })
            .await?;
        self.changed(done).await
    }

    /// What stands against what a change wants, as things are now.
    async fn against(&self, ctx: &Ctx, area: &AreaId, row: &ChangeRow) -> Result<Vec<FieldViolation>> {
        if !row.is_open() {
            return Ok(Vec::new());
        }
        self.check_wanted(ctx, area, &row.wanted()?, "rule_binding.").await
    }

    /// The answer of a step.
    async fn changed(&self, done: Once<ChangeRow>) -> Result<pb::RuleChange> {
        self.in_force.changed();
        match done {
            Once::Done(row) => self.shown(&row).await,
            Once::Repeat(name) => {
                let (area, id) = check::recorded::<RuleChangeId>("name", &name, "ruleChanges")?;
                self.shown(&self.change(&area, id).await?).await
            }
        }
    }
}

/// The change as it is now, with its area held.
async fn held(tx: &Tx<'_>, area: &AreaId, id: RuleChangeId, etag: &str) -> Result<ChangeRow> {
    store::lock_area(tx, area.as_str()).await?;
    let name = || format!("{}/ruleChanges/{id}", area.name());
    let row = changes::change_of(tx.conn(), area, id).await?.ok_or_else(|| Error::not_found(name()))?;
    check::check_etag(etag, row.revision, name())?;
    Ok(row)
}

/// Stage, share and date of a request whose fields are named below `at`.
fn read(
    (stage, permille, at_time): (i32, i32, Option<&prost_types::Timestamp>),
    at: &str,
    bad: &mut Violations,
) -> Option<Asked> {
    let stage = match RuleStage::try_from(stage) {
        Ok(RuleStage::Unspecified) => {
            bad.bad(format!("{at}stage"), "FIELD_REQUIRED");
            return None;
        }
        Err(_) => {
            bad.bad(format!("{at}stage"), "FIELD_ENUM");
            return None;
        }
        Ok(stage) => stage,
    };
    let (least, most) = if stage == RuleStage::Canary { (1, 999) } else { (0, 0) };
    bad.range(format_args!("{at}canary_permille"), permille.into(), least, most);
    Some(Asked { stage, permille, effective_us: at_time.map(|time| check::instant(time).micros()) })
}

/// A date that is over, or too far away.
fn out_of_range(ctx: &Ctx, asked: Asked, at: &str) -> Option<FieldViolation> {
    let now = ctx.now().micros();
    let in_range = |us: &i64| (now..=now + MAX_AHEAD_SECS * 1_000_000).contains(us);
    let is_out = asked.effective_us.is_some_and(|us| !in_range(&us));
    is_out.then(|| FieldViolation::new(format!("{at}effective_time"), "EFFECTIVE_TIME_RANGE"))
}

/// The name of the binding that a change is about, which belongs to the area; and what every binding says.
fn binding_name(area: &AreaId, wanted: &pb::RuleBinding, bad: &mut Violations) -> Option<Name> {
    const AT: &str = "rule_change.rule_binding";
    for (field, text) in [("hook", &wanted.hook), ("plugin_version", &wanted.plugin_version)] {
        if text.is_empty() {
            bad.bad(format!("{AT}.{field}"), "FIELD_REQUIRED");
        }
    }
    if pb::OnFault::try_from(wanted.on_fault).is_err() {
        bad.bad(format!("{AT}.on_fault"), "FIELD_ENUM");
    }
    let field = format!("{AT}.name");
    match Name::parse(&wanted.name, "ruleBindings") {
        Ok(name) if name.area() == area => Some(name),
        Ok(_) => {
            bad.push(FieldViolation::new(field, "AREA_MISMATCH").arg("area", area.name()));
            None
        }
        Err(problem) => {
            bad.push(FieldViolation::new(field, "NAME_INVALID").arg("detail", problem));
            None
        }
    }
}
