//! Casting votes, closing ballots, publishing what was voted. What is kept apart: see `store::tables`.

use linli_kernel::{AreaId, Name, RawId};
use linli_kit::crypto::{Aad, Purpose};
use linli_kit::idempotency::parse_request_id;
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
use crate::ids::{self, HOUSEHOLDS, PEOPLE};
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

/// A vote that is about to be cast; made once, however often the transaction runs.
struct NewVote {
    id: Uuid,
    receipt: Uuid,
    choice: i32,
    /// Whether id and receipt code come from a request id, so that a retry finds the vote.
    found_again: bool,
    /// Subject that casts it for the elector; empty when the elector does.
    assisted_by: String,
}

/// What came of a cast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cast {
    /// The vote is in.
    Now,
    /// The same call was carried out before; that vote stands.
    Repeated,
    /// Another call for the same elector was first.
    Another,
}

impl App {
    /// Casts the caller's vote.
    pub(crate) async fn cast_vote(&self, ctx: &Ctx, request: pb::CastVoteRequest) -> Result<pb::CastVoteResponse> {
        let (area, row) = self.known_ballot(ctx, &request.name).await?;
        let voter = self.own_voice(ctx, &area, row.as_ref().map_or("", |row| row.unit.as_str()))?;
        let row = row.ok_or_else(|| Error::not_found(&request.name))?;
        self.vote(ctx, &area, &row, voter, (request.choice, &request.request_id)).await
    }

    /// Casts the vote of somebody who asked the caller to.
    pub(crate) async fn assist_vote(&self, ctx: &Ctx, request: pb::AssistVoteRequest) -> Result<pb::CastVoteResponse> {
        let (area, row) = self.known_ballot(ctx, &request.name).await?;
        let unit = row.as_ref().map_or("", |row| row.unit.as_str());
        let voter = self.assisted(ctx, &area, unit, ("voter", &request.voter)).await?;
        let row = row.ok_or_else(|| Error::not_found(&request.name))?;
        self.vote(ctx, &area, &row, voter, (request.choice, &request.request_id)).await
    }

    async fn vote(
        &self,
        ctx: &Ctx,
        area: &AreaId,
        row: &ballot::Model,
        voter: Acting,
        (choice, request_id): (i32, &str),
    ) -> Result<pb::CastVoteResponse> {
        let request_id = parse_request_id(request_id)?;
        if convert::choice(choice).is_none() {
            let reason = if choice == 0 { "FIELD_REQUIRED" } else { "FIELD_ENUM" };
            return Err(Error::field(FieldViolation::new("choice", reason)));
        }
        let new = self.new_vote(row, &voter, choice, request_id);
        let elector = self.elector(ctx, area, row, voter).await?;
        let (elector, new) = (elector.as_deref(), &new);
        // Not `write_once`: its row would hold the voter and the time beside the number of the vote's own transaction.
        let done = self.parts.store.write_until("ballot.cast", ctx.deadline, |tx| {
            Box::pin(async move { self.cast(ctx, tx, row, elector, new).await })
        });
        let done = done.await?;
        let receipt_code = if done == Cast::Another { String::new() } else { RawId(new.receipt).to_string() };
        Ok(pb::CastVoteResponse { receipt_code, already_cast: done == Cast::Another, repeated: done == Cast::Repeated })
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
        let opened = linli_kernel::Timestamp::from_micros(row.open_us);
        let entitled = facts.filter(|facts| self.could_vote(opened, area, &rule, facts));
        Ok(entitled.and_then(|facts| own(&facts.household, HOUSEHOLDS)))
    }

    /// A vote whose id and receipt code only the request id and the suite's key can tell; random without a request id.
    fn new_vote(&self, row: &ballot::Model, voter: &Acting, choice: i32, request_id: Option<Uuid>) -> NewVote {
        let (id, receipt) = match request_id {
            None => (Uuid::new_v4(), Uuid::new_v4()),
            Some(asked) => {
                let parts = [b"vote", row.area.as_bytes(), row.id.as_bytes(), voter.name.as_bytes(), asked.as_bytes()];
                let made = u128_pair(&self.parts.keyring.hmac(Purpose::BlindIndex, &parts));
                (Uuid::from_u128(made.0), Uuid::from_u128(made.1))
            }
        };
        let assisted_by = voter.assisted_by.clone();
        NewVote { id, receipt, choice, found_again: request_id.is_some(), assisted_by }
    }

    /// Marks the elector and puts the vote in; a second vote of the same elector changes nothing.
    async fn cast(
        &self,
        ctx: &Ctx,
        tx: &Tx<'_>,
        row: &ballot::Model,
        elector: Option<&str>,
        new: &NewVote,
    ) -> Result<Cast> {
        let (area, ballot) = (row.area.as_str(), row.id);
        let held = dialect::ballot_for_cast(tx, area, ballot).await?;
        let held = held.ok_or_else(|| Error::not_found(ids::ballot(area, ballot)))?;
        let (state, close_us): (i32, i64) = (held.try_get("", "state")?, held.try_get("", "close_us")?);
        if self.cast_before(tx, row, new).await? {
            return Ok(Cast::Repeated);
        }
        if state != i32::from(pb::BallotState::Open) || ctx.now().micros() >= close_us {
            return Err(closed(area, ballot));
        }
        let elector = elector.ok_or_else(|| no_elector(area, ballot))?;
        match ballots::mark(tx, area, ballot, elector, &new.assisted_by).await? {
            Marked::Unknown => Err(no_elector(area, ballot)),
            // The same call may have been on its way while this one waited for the elector's row.
            Marked::Before if self.cast_before(tx, row, new).await? => Ok(Cast::Repeated),
            Marked::Before => Ok(Cast::Another),
            Marked::Now => {
                self.put_among_others(tx, row, new).await?;
                let mut voted = dialect::take_electors(tx, area, ballot, elector).await?;
                voted.sort_unstable();
                dialect::insert_roll(tx, area, ballot, &voted).await?;
                Ok(Cast::Now)
            }
        }
    }

    async fn cast_before(&self, tx: &Tx<'_>, row: &ballot::Model, new: &NewVote) -> Result<bool> {
        Ok(new.found_again && ballots::holds(tx, &row.area, row.id, new.id, &RawId(new.receipt).to_string()).await?)
    }

    /// Puts a vote in among a random handful of others that are sealed anew and written again: see `store::tables`.
    async fn put_among_others(&self, tx: &Tx<'_>, row: &ballot::Model, new: &NewVote) -> Result<()> {
        let (area, ballot) = (row.area.as_str(), row.id);
        let mut votes = vec![(new.id, self.seal_vote(row, new.id, new.choice, new.receipt))];
        for pending in dialect::take_votes(tx, area, ballot).await? {
            let (receipt, choice) = self.open_vote(area, ballot, &pending)?;
            votes.push((pending.0, self.seal_vote(row, pending.0, choice, receipt)));
        }
        votes.sort_unstable();
        dialect::put_votes(tx, area, ballot, &votes).await
    }

    fn seal_vote(&self, row: &ballot::Model, id: Uuid, choice: i32, receipt: Uuid) -> Vec<u8> {
        let mut plain = vec![u8::try_from(choice).unwrap_or(0)];
        plain.extend_from_slice(receipt.as_bytes());
        self.parts.keyring.seal(aad(&row.area, &place(row.id, id)), &plain)
    }

    /// Opens a pending vote: what its receipt code says, and the choice.
    fn open_vote(&self, area: &str, ballot: Uuid, (id, vote_enc): &(Uuid, Vec<u8>)) -> Result<(Uuid, i32)> {
        let plain = self.parts.keyring.open(aad(area, &place(ballot, *id)), vote_enc)?;
        let Some((choice, receipt)) = plain.split_first() else {
            return Err(Error::internal("a sealed vote is empty"));
        };
        Ok((Uuid::from_slice(receipt).map_err(Error::internal)?, i32::from(*choice)))
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
        shown::message(ctx, &row.ok_or_else(|| Error::not_found(&request.name))?)
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
        let votes = votes.into_iter().map(|(receipt, choice)| (RawId(receipt).to_string(), choice)).collect();
        ballots::end(tx, area, id, votes, (state, Some(result.encode_to_vec()))).await?;
        tx.emit(ballot_changed(ctx, &ballot::Model { state, ..row.clone() }, Some(result)));
        Ok(())
    }

    /// Lists the published votes of a closed ballot.
    pub(crate) async fn list_votes(&self, ctx: &Ctx, request: pb::ListVotesRequest) -> Result<pb::ListVotesResponse> {
        let (area, row) = self.ballot_for(ctx, &request.name).await?;
        let page = self.votes_page(ctx, &request.name, request.page_size, &request.page_token)?;
        if row.state == i32::from(pb::BallotState::Open) {
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
            pb::RollEntry { elector, voted: row.voted, assisted_by: row.assisted_by }
        });
        Ok(pb::ListElectorRollResponse { electors: electors.collect(), next_page_token })
    }

    fn votes_page(&self, ctx: &Ctx, name: &str, size: i32, token: &str) -> Result<PageRequest> {
        PageRequest::parse(&self.parts.keyring, &ctx.method.path, &[name], size, token)
    }
}

/// The two halves of a hash.
fn u128_pair(hash: &[u8; 32]) -> (u128, u128) {
    let half = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| (number << 8) | u128::from(*byte));
    (half(&hash[..16]), half(&hash[16..]))
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
