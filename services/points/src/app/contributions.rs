//! What was done without a booking: recorded by somebody else, thanked for in the same transaction.

use std::sync::Arc;

use linli_kernel::{AreaId, Timestamp};
use linli_kit::check::{self, Violations, instant, timestamp};
use linli_kit::idempotency::{Claim, Once, parse_request_id};
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result, ids};
use linli_proto::booking::Server;
use linli_proto::points as pb;

use super::awards::Decision;
use super::fence::{is_moved, overtaken};
use super::pages::page_of;
use super::thanks::{Deed, seed};
use super::transfers::holder;
use super::{App, out_of_range};
use crate::domain::{AwardId, ContributionId, Holder};
use crate::store::contributions::{self, ContributionRow};
use crate::store::list;

/// Tags of a contribution at most.
const TAGS: usize = 16;
/// How long ago a contribution may have been made.
const OLDEST_SECS: i64 = 366 * 24 * 3600;
/// Decisions of one request at most; then the caller is asked to come back.
const ATTEMPTS: u32 = 12;

impl App {
    pub(crate) async fn create_contribution(
        &self,
        ctx: Arc<Ctx>,
        mut request: pb::CreateContributionRequest,
    ) -> Result<pb::Contribution> {
        let area = check::area("parent", &request.parent)?;
        let wish = request.contribution.clone().unwrap_or_default();
        let permit = self.authorise_about(&ctx, &area, &super::transfers::people([&wish.person])).await?;
        if ctx.caller.subject() == Some(wish.person.as_str()) {
            return Err(Error::new(ErrorCode::FailedPrecondition, "SELF_RECORDED"));
        }
        let request_id = std::mem::take(&mut request.request_id);
        let hash = self.hash(&ctx, &request);
        if let Some(id) = parse_request_id(&request_id)?
            && let Some(name) =
                contributions::earlier(&self.parts.store, &Claim::new(&ctx, area.as_str(), id, hash)).await?
        {
            return self.contribution_named(&name).await;
        }
        let row = checked(&ctx, &area, &wish, permit.subject())?;
        let deed = deed(&row, &wish.person);
        for _ in 0..ATTEMPTS {
            let decision = self.decide_awards(&ctx, area.clone(), &deed).await.map_err(unknown_person)?;
            match self.write_contribution(&ctx, &row, &decision, (&request_id, hash)).await {
                Ok(Once::Done(())) => return self.contribution_named(&name(&row)).await,
                Ok(Once::Repeat(name)) => return self.contribution_named(&name).await,
                Err(error) if is_moved(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Err(overtaken())
    }

    /// Records a contribution and posts what it is worth, in one transaction.
    async fn write_contribution(
        &self,
        ctx: &Ctx,
        row: &ContributionRow,
        decision: &Decision,
        (request_id, hash): (&str, [u8; 32]),
    ) -> Result<Once<()>> {
        let written = self.parts.store.write_once(ctx, &row.area, request_id, hash, "points.contribute", |tx| {
            Box::pin(async move {
                contributions::insert(tx, row).await?;
                self.post_awards(tx, ctx, decision).await?;
                Ok((name(row), ()))
            })
        });
        written.await
    }

    /// A contribution that the caller has just recorded.
    async fn contribution_named(&self, name: &str) -> Result<pb::Contribution> {
        let (area, id) = check::recorded::<ContributionId>("name", name, "contributions")?;
        let row = contributions::find(&self.parts.store, area.as_str(), id).await?;
        let row = row.ok_or_else(|| Error::not_found(name))?;
        let awards = contributions::awards(&self.parts.store, std::slice::from_ref(&row)).await?;
        Ok(view(&row, awards.get(&row.id.to_string())))
    }

    pub(crate) async fn get_contribution(
        &self,
        ctx: Arc<Ctx>,
        request: pb::GetContributionRequest,
    ) -> Result<pb::Contribution> {
        let (area, id) = check::recorded::<ContributionId>("name", &request.name, "contributions")?;
        let found = contributions::find(&self.parts.store, area.as_str(), id).await?;
        let about = |row: &ContributionRow| vec![format!("areas/{area}/people/{}", row.person)];
        self.may_see(&ctx, &area, &request.name, found.as_ref().map(about)).await?;
        self.contribution_named(&request.name).await
    }

    pub(crate) async fn list_contributions(
        &self,
        ctx: Arc<Ctx>,
        request: pb::ListContributionsRequest,
    ) -> Result<pb::ListContributionsResponse> {
        let (found, next_page_token) =
            self.recorded(&ctx, &list::CONTRIBUTIONS, page_of!(request), contributions::read).await?;
        let rows: Vec<ContributionRow> = found.into_iter().map(|one| one.row).collect();
        let awards = contributions::awards(&self.parts.store, &rows).await?;
        let contributions = rows.iter().map(|row| view(row, awards.get(&row.id.to_string()))).collect();
        Ok(pb::ListContributionsResponse { contributions, next_page_token })
    }
}

fn name(row: &ContributionRow) -> String {
    format!("areas/{}/contributions/{}", row.area, row.id)
}

fn view(row: &ContributionRow, awards: Option<&Vec<AwardId>>) -> pb::Contribution {
    let area = &row.area;
    pb::Contribution {
        name: name(row),
        person: format!("areas/{area}/people/{}", row.person),
        kind: row.kind.clone(),
        role: row.role.clone(),
        minutes: row.minutes,
        quantity: row.quantity,
        score: row.score,
        tags: row.tags.clone(),
        occur_time: Some(timestamp(row.occurred)),
        recorded_by: row.recorded_by.clone(),
        awards: awards.into_iter().flatten().map(|id| format!("areas/{area}/awards/{id}")).collect(),
        create_time: Some(timestamp(row.created)),
    }
}

/// The contribution as it will be recorded.
fn checked(ctx: &Ctx, area: &AreaId, wish: &pb::Contribution, recorded_by: &str) -> Result<ContributionRow> {
    let mut bad = Violations::new();
    let person = match holder(&mut bad, "contribution.person", &wish.person, area) {
        Some(Holder::Person(id)) => Some(id),
        Some(_) => {
            bad.push(
                FieldViolation::new("contribution.person", "FIELD_FORMAT")
                    .arg("expected", "areas/{area}/people/{person}"),
            );
            None
        }
        None => None,
    };
    bad.code("contribution.kind", &wish.kind);
    bad.code("contribution.role", &wish.role);
    bad.range("contribution.minutes", i64::from(wish.minutes), 0, 1440);
    bad.range("contribution.quantity", i64::from(wish.quantity), 0, 1000);
    bad.range("contribution.score", i64::from(wish.score.unwrap_or_default()), 0, 100);
    bad.max_items("contribution.tags", wish.tags.len(), TAGS);
    for (i, tag) in wish.tags.iter().enumerate() {
        bad.code(format_args!("contribution.tags[{i}]"), tag);
    }
    let occurred = occurred(&mut bad, ctx.now(), wish);
    bad.finish()?;
    let (Some(person), Some(occurred)) = (person, occurred) else {
        return Err(Error::internal("a checked contribution"));
    };
    Ok(ContributionRow {
        area: area.as_str().to_owned(),
        id: ids::new_v7(ctx.now()),
        person: person.to_string(),
        kind: wish.kind.clone(),
        role: wish.role.clone(),
        minutes: wish.minutes,
        quantity: wish.quantity.max(1),
        score: wish.score,
        tags: wish.tags.clone(),
        occurred,
        recorded_by: recorded_by.to_owned(),
        created: ctx.now(),
    })
}

fn occurred(bad: &mut Violations, now: Timestamp, wish: &pb::Contribution) -> Option<Timestamp> {
    let field = "contribution.occur_time";
    let Some(at) = wish.occur_time.as_ref().map(instant) else {
        bad.bad(field, "FIELD_REQUIRED");
        return None;
    };
    let oldest = now.plus_secs(-OLDEST_SECS);
    if at > now || at < oldest {
        bad.push(out_of_range(field, oldest.to_chrono().to_rfc3339(), now.to_chrono().to_rfc3339()));
    }
    Some(at)
}

/// The contribution as something that rules may thank for. Its id is that of the event.
fn deed(row: &ContributionRow, person: &str) -> Deed {
    let doer = Server { person: person.to_owned(), minutes: row.minutes, role: row.role.clone() };
    Deed {
        event: row.id.to_string(),
        source: name(row),
        kind: row.kind.clone(),
        any_binding: false,
        tags: row.tags.clone(),
        quantity: row.quantity,
        score: row.score,
        time: row.occurred,
        seed: seed(&linli_kernel::Id::uuid(row.id).to_string()),
        doers: vec![doer],
    }
}

/// Whom org does not know cannot be thanked: here that is a field of the request.
fn unknown_person(error: Error) -> Error {
    if error.reason() != "RECIPIENT_UNKNOWN" {
        return error;
    }
    Error::field(FieldViolation::new("contribution.person", "REFERENCE_NOT_FOUND").arg("value", "contribution.person"))
}
