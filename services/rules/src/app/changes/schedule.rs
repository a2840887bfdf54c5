//! Changes that take effect at a date: one process at a time does what is due, after it has checked everything anew.
//! Never: a change that takes effect although it would be refused now.

use std::sync::Arc;
use std::time::Duration;

use linli_kernel::{AreaId, Id as _, Lang};
use linli_kit::lease::{self, Term};
use linli_kit::{Error, ErrorCode, Result};
use linli_proto::rules::{RuleChangeState as State, RuleStage};

use super::{Life, end};
use crate::app::App;
use crate::domain::change::{BY_ITSELF, RuleChangeId, is_approved};
use crate::store;
use crate::store::changes::{self, ChangeRow};

/// How often the suite's clock is looked at.
const TICK: Duration = Duration::from_millis(250);
/// Changes of one tick.
const DUE: u64 = 100;
/// What one change may take.
const BUDGET: Duration = Duration::from_secs(30);
/// Characters of a note.
const MAX_NOTE: usize = 500;

/// Does what is due until the process goes down.
pub(in crate::app) fn start(app: &Arc<App>) {
    let timer = app.clone();
    let work: lease::Work = Arc::new(move |_guard, token| {
        let app = timer.clone();
        Box::pin(async move {
            while !token.is_cancelled() {
                if let Err(error) = app.start_due().await {
                    tracing::warn!(%error, "it could not be read which rule changes are due");
                }
                let _stopped = tokio::time::timeout(TICK, token.cancelled()).await;
            }
        })
    });
    let parts = &app.parts;
    let term = Term::for_engine(parts.store.engine());
    let held = lease::while_held(parts.store.clone(), "rules.schedule".to_owned(), term, parts.cancel.clone(), work);
    parts.tasks.spawn(held);
}

impl App {
    /// One that cannot be started is tried again; the others do not wait for it.
    async fn start_due(&self) -> Result<()> {
        let now = self.parts.kit.clock.now().micros();
        for row in changes::due(self.parts.store.reader(), now, DUE).await? {
            if let Err(error) = self.start_one(&row).await {
                tracing::warn!(change = row.name(), %error, cause = ?error.cause(), "a rule change could not take effect");
            }
        }
        Ok(())
    }

    async fn start_one(&self, row: &ChangeRow) -> Result<()> {
        let mut ctx = self.parts.background(BUDGET);
        ctx.lang = Lang::ZhCn;
        let area = AreaId::new(&row.area).map_err(Error::internal)?;
        let second = self.policy_of(&area).await?.second_person_required;
        let unapproved = second && row.stage() != RuleStage::Shadow && !is_approved(&row.steps()?);
        let mut against: Vec<String> = Vec::new();
        if unapproved {
            against.push("APPROVAL_REQUIRED".to_owned());
        }
        for violation in self.check_wanted(&ctx, &area, &row.wanted()?, "").await? {
            against.push(format!("{}: {}", violation.field, violation.reason));
        }
        let tried = self.conclude(&ctx, &area, row, &against.join("; ")).await;
        match tried {
            Err(error) if is_final(&error) => self.conclude(&ctx, &area, row, &error.reason()).await,
            other => other,
        }
    }

    /// Takes the change into effect, or notes what stands against that.
    async fn conclude(&self, ctx: &linli_kit::Ctx, area: &AreaId, row: &ChangeRow, against: &str) -> Result<()> {
        let id = RuleChangeId::from_uuid(row.id);
        self.parts
            .store
            .write("rules.start_rule_change", |tx| {
                Box::pin(async move {
                    store::lock_area(tx, area.as_str()).await?;
                    let Some(mut now) = changes::change_of(tx.conn(), area, id).await? else { return Ok(()) };
                    // Somebody was faster, or has asked for something else.
                    if now.revision != row.revision {
                        return Ok(());
                    }
                    let life = Life { ctx, tx, actor: BY_ITSELF };
                    if against.is_empty() {
                        return self.take_effect(&life, &mut now).await;
                    }
                    let note: String = against.chars().take(MAX_NOTE).collect();
                    end(&life, &mut now, State::Failed, "fail", &note).await
                })
            })
            .await?;
        self.in_force.changed();
        Ok(())
    }
}

/// Whether trying again would bring the same.
fn is_final(error: &Error) -> bool {
    matches!(
        error.code(),
        ErrorCode::InvalidArgument | ErrorCode::FailedPrecondition | ErrorCode::NotFound | ErrorCode::AlreadyExists
    )
}
