//! The hot path: jobs that wait together claim their request ids, load the books, are decided one after the other in
//! memory, and are written with a few array-bound statements.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use linli_access::Access;
use linli_kit::combiner::Batch;
use linli_kit::idempotency::{Claim, ClaimOutcome, claim_many, release_many, reused};
use linli_kit::store::{EventDraft, Tx};
use linli_kit::{Ctx, Error, ErrorCode, Result};
use linli_proto::points as pb;

use super::convert;
use super::refuse::refuse;
use crate::domain::{Book, Command, Notice, Outcome, Refusal};
use crate::store::load::{Books, Needs, load};
use crate::store::save::{open_accounts, save};

/// How often a batch is decided anew because other processes opened its accounts at the same moment.
const PASSES: usize = 5;

/// One command of a job.
pub(crate) struct Step {
    pub(crate) command: Command,
    /// The claim of its request id, with the name that its resource will have.
    pub(crate) claim: Option<Claim>,
    /// Field of the request that it came from, such as `requests[3].transfer`.
    pub(crate) path: String,
}

/// Commands of one call in one area: all happen, or none.
pub(crate) struct Job {
    pub(crate) ctx: Arc<Ctx>,
    pub(crate) area: String,
    pub(crate) steps: Vec<Step>,
}

/// What came of a step.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// It happened now.
    Done(Box<Outcome>),
    /// It had happened before; the resource has this name.
    Repeat(String),
}

/// Why a job did not happen.
#[derive(Debug, Clone)]
enum Denial {
    /// The step that came from this field of the request was refused.
    Refused { path: String, refusal: Refusal },
    /// A request id came with another request before.
    Reused,
}

/// The ledger's batches.
pub(crate) struct Ledger {
    access: Access,
}

impl Ledger {
    pub(crate) fn new(access: Access) -> Self {
        Self { access }
    }
}

impl Batch for Ledger {
    type Command = Job;
    type Outcome = Vec<Answer>;

    fn name(&self) -> &'static str {
        "points.ledger"
    }

    fn shard(job: &Job) -> u64 {
        let mut hasher = DefaultHasher::new();
        job.area.hash(&mut hasher);
        hasher.finish()
    }

    async fn apply(&self, tx: &Tx<'_>, batch: &[&Job]) -> Result<Vec<Result<Vec<Answer>>>> {
        let claimed = claim(tx, batch).await?;
        let mut needs = Needs::default();
        let mut fresh = Vec::new();
        for (job, outcomes) in batch.iter().zip(&claimed) {
            for (step, outcome) in job.steps.iter().zip(outcomes) {
                // One that stands earlier in the batch too is decided for itself when that one does not happen.
                if matches!(outcome, ClaimOutcome::New | ClaimOutcome::SameAs(_)) {
                    needs.add(&job.area, &step.command);
                    fresh.push((job.area.as_str(), &step.command));
                }
            }
        }
        let snapshot = self.access.snapshot();
        for _ in 0..PASSES {
            let mut books = load(tx, needs.clone(), fresh.iter().copied(), |area| snapshot.ancestors(area)).await?;
            let decided = decide_batch(batch, &claimed, &mut books);
            if open_accounts(tx, &books).await? {
                save(tx, &books).await?;
                return finish(tx, batch, &claimed, decided).await;
            }
        }
        Err(Error::new(ErrorCode::Aborted, "CONFLICT"))
    }
}

/// A job that happens.
struct Happened {
    /// What came of its steps.
    answers: Vec<Answer>,
    /// What others hear of it.
    events: Vec<EventDraft>,
    /// Steps whose request id an earlier job had claimed that does not happen.
    adopted: Vec<usize>,
}

/// What came of a job.
type Decided = Result<Happened, Denial>;

/// Decides the jobs of a batch one after the other.
fn decide_batch(batch: &[&Job], claimed: &[Vec<ClaimOutcome>], books: &mut Books) -> Vec<Decided> {
    // Job and step that stand for each claim, by its place in the batch.
    let mut standing = flat(batch);
    let mut decided: Vec<Decided> = Vec::with_capacity(batch.len());
    for (at, (job, outcomes)) in batch.iter().zip(claimed).enumerate() {
        let answer = decide(job, outcomes, books, &standing, &decided);
        for step in answer.iter().flat_map(|happened| &happened.adopted) {
            if let ClaimOutcome::SameAs(place) = outcomes[*step] {
                standing[place] = (at, *step);
            }
        }
        decided.push(answer);
    }
    decided
}

/// Emits the events of the jobs that happened, gives back the claims of those that did not.
async fn finish(
    tx: &Tx<'_>,
    batch: &[&Job],
    claimed: &[Vec<ClaimOutcome>],
    decided: Vec<Decided>,
) -> Result<Vec<Result<Vec<Answer>>>> {
    let (mut answers, mut returned, mut adopted) = (Vec::with_capacity(batch.len()), Vec::new(), Vec::new());
    for ((job, outcomes), decided) in batch.iter().zip(claimed).zip(decided) {
        match decided {
            Ok(happened) => {
                happened.events.into_iter().for_each(|event| tx.emit(event));
                adopted.extend(happened.adopted.iter().filter_map(|step| job.steps[*step].claim.clone()));
                answers.push(Ok(happened.answers));
            }
            Err(denial) => {
                let own = job.steps.iter().zip(outcomes).filter(|(_, outcome)| **outcome == ClaimOutcome::New);
                returned.extend(own.filter_map(|(step, _)| step.claim.as_ref()));
                answers.push(Err(deny(job, &denial)));
            }
        }
    }
    release_many(tx, returned).await?;
    // The row named the resource of the job that did not happen.
    claim_many(tx, &adopted).await?;
    Ok(answers)
}

/// What the claims of each job's steps came to; a step without a claim is new. `SameAs` counts claims over the batch.
async fn claim(tx: &Tx<'_>, batch: &[&Job]) -> Result<Vec<Vec<ClaimOutcome>>> {
    let claims: Vec<Claim> = batch.iter().flat_map(|job| &job.steps).filter_map(|step| step.claim.clone()).collect();
    let mut outcomes = claim_many(tx, &claims).await?.into_iter();
    let mut next = |step: &Step| match &step.claim {
        Some(_) => outcomes.next().unwrap_or(ClaimOutcome::New),
        None => ClaimOutcome::New,
    };
    Ok(batch.iter().map(|job| job.steps.iter().map(&mut next).collect()).collect())
}

/// Job and step that made each claim, by its place in the batch.
fn flat(batch: &[&Job]) -> Vec<(usize, usize)> {
    let places = |(job, of): (usize, &&Job)| {
        let steps: Vec<_> = of.steps.iter().enumerate().filter(|(_, step)| step.claim.is_some()).collect();
        steps.into_iter().map(move |(step, _)| (job, step)).collect::<Vec<_>>()
    };
    batch.iter().enumerate().flat_map(places).collect()
}

fn decide(
    job: &Job,
    claimed: &[ClaimOutcome],
    books: &mut Books,
    standing: &[(usize, usize)],
    decided: &[Decided],
) -> Decided {
    let mut answers: BTreeMap<usize, Answer> = BTreeMap::new();
    let (mut fresh, mut adopted) = (Vec::new(), Vec::new());
    for (index, outcome) in claimed.iter().enumerate() {
        match outcome {
            ClaimOutcome::New => fresh.push(index),
            ClaimOutcome::Repeat(resource) => {
                answers.insert(index, Answer::Repeat(resource.clone()));
            }
            ClaimOutcome::Reused => return Err(Denial::Reused),
            ClaimOutcome::SameAs(place) => {
                let earlier = standing.get(*place).and_then(|(job, step)| Some((decided.get(*job)?, *step)));
                match earlier {
                    Some((Ok(happened), step)) => {
                        answers.insert(index, happened.answers[step].clone());
                    }
                    Some((Err(_), _)) => {
                        fresh.push(index);
                        adopted.push(index);
                    }
                    // Two items of one batch under one id were refused before it was submitted.
                    None => return Err(Denial::Reused),
                }
            }
        }
    }
    let book = books.entry(job.area.clone()).or_insert_with(|| Book::new(job.area.clone(), []));
    let heard = book.notices().len();
    let commands = fresh.iter().map(|index| &job.steps[*index].command);
    let refused =
        |(place, refusal): (usize, Refusal)| Denial::Refused { path: job.steps[fresh[place]].path.clone(), refusal };
    let outcomes = book.decide_all(commands, job.ctx.now()).map_err(refused)?;
    let events = events(&job.ctx, &job.area, book, heard);
    answers.extend(fresh.into_iter().zip(outcomes.into_iter().map(|outcome| Answer::Done(Box::new(outcome)))));
    Ok(Happened { answers: answers.into_values().collect(), events, adopted })
}

fn deny(job: &Job, denial: &Denial) -> Error {
    match denial {
        Denial::Refused { path, refusal } => refuse(&job.area, path, refusal),
        Denial::Reused => reused(),
    }
}

/// The events of the books' notices behind the first `heard`.
pub(crate) fn events(ctx: &Ctx, area: &str, book: &Book, heard: usize) -> Vec<EventDraft> {
    book.notices()[heard..].iter().filter_map(|notice| event(ctx, area, book, notice)).collect()
}

fn event(ctx: &Ctx, area: &str, book: &Book, notice: &Notice) -> Option<EventDraft> {
    match notice {
        Notice::Transfer(id) => {
            let transfer = book.transfers.get(id)?;
            let name = convert::transfer_name(area, *id);
            let payload = convert::transfer_posted(area, transfer);
            Some(EventDraft::new(ctx, "linli.points.v1.TransferPosted", area, name, 1, &payload))
        }
        Notice::Hold(id, state) => {
            let hold = book.holds.get(id)?;
            let name = convert::hold_name(area, *id);
            let (state, version) = convert::hold_state(*state);
            let payload = pb::HoldChanged { hold: name.clone(), state: state.into(), cause: hold.cause.clone() };
            Some(EventDraft::new(ctx, "linli.points.v1.HoldChanged", area, name, version, &payload))
        }
        Notice::Card(id, state, version) => {
            let card = book.cards.get(id)?;
            let name = convert::card_name(area, *id);
            let holder = convert::person_name(area, card.holder);
            let payload = pb::CardChanged { card: name.clone(), holder, state: convert::card_state(*state).into() };
            Some(EventDraft::new(ctx, "linli.points.v1.CardChanged", area, name, *version, &payload))
        }
        Notice::Redemption(id) => {
            let redemption = book.redemptions.get(id)?;
            let name = convert::redemption_name(area, *id);
            let payload = pb::RewardRedeemed {
                redemption: name.clone(),
                reward: format!("areas/{area}/rewards/{}", redemption.reward),
                holder: convert::person_name(area, redemption.holder),
                quantity: redemption.quantity,
            };
            Some(EventDraft::new(ctx, "linli.points.v1.RewardRedeemed", area, name, 1, &payload))
        }
    }
}
