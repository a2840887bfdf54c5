//! Casting votes, closing ballots, publishing what was voted. What is kept apart: see `store::tables`.

use linli_kernel::{AreaId, Id as _, Name, RawId};
use linli_kit::check;
use linli_kit::crypto::Aad;
use linli_kit::idempotency::Once;
use linli_kit::page::{KeyPart, PageRequest};
use linli_kit::store::Tx;
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result};
use linli_proto::deliberation as pb;
use prost::Message as _;
use sea_orm::{ColumnTrait as _, Order};
use uuid::Uuid;

use super::topics::Acting;
use super::{App, ballot_changed, ballots as shown, convert};
use crate::domain::{Basis, Tally};
use crate::ids::{self, BALLOTS, BallotId, HOUSEHOLDS, PEOPLE};
use crate::store::ballots::{self, Marked};
use crate::store::dialect;
use crate::store::entity::{ballot, roll, vote};

/// The error for a ballot that takes votes until its closing time.
pub(super) fn still_open(row: &ballot::Model) -> Error {
    let until = linli_kernel::Timestamp::from_micros(row.close_us).to_chrono();
    Error::new(ErrorCode::FailedPrecondition, "BALLOT_STILL_OPEN")
        .with("resource", ids::ballot(&row.area, row.id))
        .with("close_time", until.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
}

fn closed(area: &str, ballot: Uuid) -> Error {
    Error::new(ErrorCode::FailedPrecondition, "BALLOT_CLOSED").with("resource", ids::ballot(area, ballot))
}

fn no_elector(area: &str, ballot: Uuid) -> Error {
    Error::new(ErrorCode::FailedPrecondition, "NOT_AN_ELECTOR").with("resource", ids::ballot(area, ballot))
}

/// A vote that is about to be cast; ids and sealed text are made once, however often the transaction runs.
struct NewVote {
    id: Uuid,
    receipt: String,
    vote_enc: Vec<u8>,
}

impl App {
    /// Casts a vote.
    pub(crate) async fn cast_vote(&self, ctx: &Ctx, mut request: pb::CastVoteRequest) -> Result<pb::CastVoteResponse> {
        let (area, id) = check::recorded::<BallotId>("name", &request.name, BALLOTS)?;
        let row = ballots::find(self.reader(), area.as_str(), id.uuid()).await?;
        let unit = row.as_ref().map_or("", |row| row.unit.as_str());
        let voter = self.acting_person(ctx, &area, unit, ("voter", &request.voter)).await?;
        let row = row.ok_or_else(|| Error::not_found(&request.name))?;
        // Neither the row of the request id nor its hash may say what was chosen.
        let (request_id, choice) = (std::mem::take(&mut request.request_id), std::mem::take(&mut request.choice));
        let hash = self.hash(ctx, &request);
        if convert::choice(choice).is_none() {
            let reason = if choice == 0 { "FIELD_REQUIRED" } else { "FIELD_ENUM" };
            return Err(Error::field(FieldViolation::new("choice", reason)));
        }
        let elector = self.elector(ctx, &area, &row, voter).await?;
        let new = self.new_vote(&row, choice);
        let (slug, id, elector, new) = (area.as_str(), row.id, elector.as_deref(), &new);
        let done = self.parts.store.write_once(ctx, slug, &request_id, hash, "ballot.cast", |tx| {
            Box::pin(async move { Ok((ids::ballot(slug, id), cast(ctx, tx, slug, id, elector, new).await?)) })
        });
        Ok(match done.await? {
            Once::Done(Marked::Now) => pb::CastVoteResponse { receipt_code: new.receipt.clone(), already_cast: false },
            Once::Done(Marked::Before | Marked::Unknown) | Once::Repeat(_) => {
                pb::CastVoteResponse { receipt_code: String::new(), already_cast: true }
            }
        })
    }

    /// For whom on the roll the voter votes; `None` when certainly for nobody.
    async fn elector(&self, ctx: &Ctx, area: &AreaId, row: &ballot::Model, voter: Acting) -> Result<Option<String>> {
        let (_, rule) = convert::stored_rule(&row.rule)?;
        let own = |name: &str, collection: &str| Name::parse(name, collection).ok().map(|name| name.id().to_owned());
        if rule.basis == Basis::Person {
            return Ok(own(&voter.name, PEOPLE));
        }
        let facts = match voter.facts {
            Some(facts) => Some(facts),
            None => self.facts(ctx, area, &voter.name).await?,
        };
        let of_age = facts.filter(|facts| self.of_age(ctx, area, &rule, facts));
        Ok(of_age.and_then(|facts| own(&facts.household, HOUSEHOLDS)))
    }

    fn new_vote(&self, row: &ballot::Model, choice: i32) -> NewVote {
        let (id, receipt) = (Uuid::new_v4(), Uuid::new_v4());
        let mut plain = vec![u8::try_from(choice).unwrap_or(0)];
        plain.extend_from_slice(receipt.as_bytes());
        let place = place(row.id, id);
        let vote_enc = self.parts.keyring.seal(aad(&row.area, &place), &plain);
        NewVote { id, receipt: RawId(receipt).to_string(), vote_enc }
    }

    /// Opens a pending vote: receipt code and choice.
    fn open_vote(&self, area: &str, ballot: Uuid, (id, vote_enc): &(Uuid, Vec<u8>)) -> Result<(String, i32)> {
        let plain = self.parts.keyring.open(aad(area, &place(ballot, *id)), vote_enc)?;
        let Some((choice, receipt)) = plain.split_first() else {
            return Err(Error::internal("a sealed vote is empty"));
        };
        let receipt = Uuid::from_slice(receipt).map_err(Error::internal)?;
        Ok((RawId(receipt).to_string(), i32::from(*choice)))
    }

    /// Closes a ballot after its time, or when everybody has voted; counts and publishes.
    pub(crate) async fn close_ballot(&self, ctx: &Ctx, mut request: pb::CloseBallotRequest) -> Result<pb::Ballot> {
        let (area, row) = self.ballot_for(ctx, &request.name).await?;
        let request_id = std::mem::take(&mut request.request_id);
        let hash = self.hash(ctx, &request);
        let (slug, row) = (area.as_str(), &row);
        let done = self.parts.store.write_once(ctx, slug, &request_id, hash, "ballot.close", |tx| {
            Box::pin(async move {
                self.count(ctx, tx, row).await?;
                Ok((ids::ballot(slug, row.id), ()))
            })
        });
        done.await?;
        let row = ballots::find(self.reader(), area.as_str(), row.id).await?;
        shown::message(&row.ok_or_else(|| Error::not_found(&request.name))?)
    }

    async fn count(&self, ctx: &Ctx, tx: &Tx<'_>, row: &ballot::Model) -> Result<()> {
        let (area, id) = (row.area.as_str(), row.id);
        let state: i32 = match dialect::ballot_for_close(tx, area, id).await? {
            Some(held) => held.try_get("", "state")?,
            None => return Err(Error::not_found(ids::ballot(area, id))),
        };
        if state != i32::from(pb::BallotState::Open) {
            return Err(closed(area, id));
        }
        if ctx.now().micros() < row.close_us && ballots::some_missing(tx, area, id).await? {
            return Err(still_open(row));
        }
        let pending = ballots::pending(tx, area, id).await?;
        let votes = pending.iter().map(|vote| self.open_vote(area, id, vote)).collect::<Result<Vec<_>>>()?;
        let tally: Tally = votes.iter().filter_map(|(_, choice)| convert::choice(*choice)).collect();
        let (_, rule) = convert::stored_rule(&row.rule)?;
        let outcome = rule.outcome(u32::try_from(row.electors).unwrap_or(0), tally);
        let result = convert::result_message(outcome);
        let state = i32::from(pb::BallotState::Closed);
        ballots::publish(tx, area, id, votes, (state, result.encode_to_vec())).await?;
        tx.emit(ballot_changed(ctx, &ballot::Model { state, ..row.clone() }, Some(result)));
        Ok(())
    }

    /// Lists the published votes of a closed ballot.
    pub(crate) async fn list_votes(&self, ctx: &Ctx, request: pb::ListVotesRequest) -> Result<pb::ListVotesResponse> {
        let (area, row) = self.ballot_for(ctx, &request.name).await?;
        let page = self.votes_page(ctx, &request.name, request.page_size, &request.page_token)?;
        if row.state != i32::from(pb::BallotState::Closed) {
            return Err(still_open(&row));
        }
        let behind = page.condition(&[(vote::Column::Receipt.into_expr(), Order::Asc)])?;
        let rows = ballots::vote_page(self.reader(), area.as_str(), row.id, behind, page.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |row| vec![KeyPart::Text(row.receipt.clone())]);
        let votes = rows.into_iter().map(|row| pb::Vote { receipt_code: row.receipt, choice: row.choice });
        Ok(pb::ListVotesResponse { votes: votes.collect(), next_page_token })
    }

    /// Lists who may vote and who has.
    pub(crate) async fn list_roll(
        &self,
        ctx: &Ctx,
        request: pb::ListElectorRollRequest,
    ) -> Result<pb::ListElectorRollResponse> {
        let (area, row) = self.ballot_for(ctx, &request.name).await?;
        let page = self.votes_page(ctx, &request.name, request.page_size, &request.page_token)?;
        let behind = page.condition(&[(roll::Column::Elector.into_expr(), Order::Asc)])?;
        let rows = ballots::roll_page(self.reader(), area.as_str(), row.id, behind, page.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |row| vec![KeyPart::Text(row.elector.clone())]);
        let (_, rule) = convert::stored_rule(&row.rule)?;
        let collection = if rule.basis == Basis::Person { PEOPLE } else { HOUSEHOLDS };
        let electors = rows.into_iter().map(|row| {
            let elector = format!("areas/{area}/{collection}/{}", row.elector);
            pb::RollEntry { elector, voted: row.voted }
        });
        Ok(pb::ListElectorRollResponse { electors: electors.collect(), next_page_token })
    }

    fn votes_page(&self, ctx: &Ctx, name: &str, size: i32, token: &str) -> Result<PageRequest> {
        PageRequest::parse(&self.parts.keyring, &ctx.method.path, &[name], size, token)
    }
}

/// Marks the elector and puts the vote in; a second vote of the same elector changes nothing.
async fn cast(
    ctx: &Ctx,
    tx: &Tx<'_>,
    area: &str,
    ballot: Uuid,
    elector: Option<&str>,
    new: &NewVote,
) -> Result<Marked> {
    let held = dialect::ballot_for_cast(tx, area, ballot).await?;
    let held = held.ok_or_else(|| Error::not_found(ids::ballot(area, ballot)))?;
    let (state, close_us): (i32, i64) = (held.try_get("", "state")?, held.try_get("", "close_us")?);
    if state != i32::from(pb::BallotState::Open) || ctx.now().micros() >= close_us {
        return Err(closed(area, ballot));
    }
    let elector = elector.ok_or_else(|| no_elector(area, ballot))?;
    let marked = ballots::mark(tx, area, ballot, elector).await?;
    match marked {
        Marked::Unknown => return Err(no_elector(area, ballot)),
        Marked::Before => {}
        Marked::Now => ballots::put_pending(tx, area, ballot, new.id, &new.vote_enc).await?,
    }
    Ok(marked)
}

/// The place of a sealed vote: the ballot and the random id, so that it opens in no other ballot.
fn place(ballot: Uuid, id: Uuid) -> [u8; 32] {
    let mut place = [0; 32];
    place[..16].copy_from_slice(ballot.as_bytes());
    place[16..].copy_from_slice(id.as_bytes());
    place
}

fn aad<'a>(area: &'a str, place: &'a [u8; 32]) -> Aad<'a> {
    Aad { table: "vote_pending", column: "vote_enc", area, id: place }
}
