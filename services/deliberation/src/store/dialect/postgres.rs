//! PostgreSQL: row locks, and arrays as rows.

use linli_kit::Result;
use linli_kit::store::Tx;
use uuid::Uuid;

use super::Elector;

/// Casts share the lock with each other and exclude the closing.
pub(super) const BALLOT_FOR_CAST: &str = "SELECT state, close_us FROM ballot WHERE area = $1 AND id = $2 FOR SHARE";

/// The closing waits for all casts that hold the row.
pub(super) const BALLOT_FOR_CLOSE: &str = "SELECT state, close_us, current_setting('transaction_isolation') AS isolation \
     FROM ballot WHERE area = $1 AND id = $2 FOR UPDATE";

/// Rows that another cast holds are skipped: casts neither wait for each other here nor deadlock.
pub(super) const TAKE_VOTES: &str = "DELETE FROM vote_pending WHERE area = $1 AND ballot = $2 AND id = ANY (ARRAY( \
     SELECT id FROM vote_pending WHERE area = $1 AND ballot = $2 ORDER BY random() LIMIT $3 FOR UPDATE SKIP LOCKED)) \
     RETURNING id, vote_enc";

/// As for the votes; an UPDATE in place would leave the elector's own row behind the others, where its mark has put it.
pub(super) const TAKE_ELECTORS: &str = "DELETE FROM roll WHERE area = $1 AND ballot = $2 AND elector = ANY (ARRAY( \
     SELECT elector FROM roll WHERE area = $1 AND ballot = $2 AND voted AND elector <> $3 \
     ORDER BY random() LIMIT $4 FOR UPDATE SKIP LOCKED) || ARRAY[$3::text]) RETURNING elector, voted, assisted_by";

pub(super) async fn put_votes(tx: &Tx<'_>, area: &str, ballot: Uuid, votes: &[(Uuid, Vec<u8>)]) -> Result<()> {
    let sql = "INSERT INTO vote_pending (area, ballot, id, vote_enc) \
               SELECT $1, $2, u.id, u.vote_enc FROM unnest($3::uuid[], $4::bytea[]) WITH ORDINALITY \
               AS u (id, vote_enc, place) ORDER BY u.place";
    let ids: Vec<Uuid> = votes.iter().map(|(id, _)| *id).collect();
    let sealed: Vec<Vec<u8>> = votes.iter().map(|(_, vote_enc)| vote_enc.clone()).collect();
    super::super::execute(tx, sql, [area.into(), ballot.into(), ids.into(), sealed.into()]).await?;
    Ok(())
}

pub(super) async fn insert_roll(tx: &Tx<'_>, area: &str, ballot: Uuid, electors: &[Elector]) -> Result<()> {
    let sql = "INSERT INTO roll (area, ballot, elector, voted, assisted_by) \
               SELECT $1, $2, u.elector, u.voted, u.assisted_by \
               FROM unnest($3::text[], $4::boolean[], $5::text[]) WITH ORDINALITY \
               AS u (elector, voted, assisted_by, place) ORDER BY u.place";
    let names: Vec<String> = electors.iter().map(|(elector, ..)| elector.clone()).collect();
    let voted: Vec<bool> = electors.iter().map(|(_, voted, _)| *voted).collect();
    let helpers: Vec<String> = electors.iter().map(|(.., assisted_by)| assisted_by.clone()).collect();
    let values = [area.into(), ballot.into(), names.into(), voted.into(), helpers.into()];
    super::super::execute(tx, sql, values).await?;
    Ok(())
}

pub(super) async fn insert_votes(tx: &Tx<'_>, area: &str, ballot: Uuid, votes: &[(String, i32)]) -> Result<()> {
    let sql = "INSERT INTO vote (area, ballot, receipt, choice) \
               SELECT $1, $2, u.receipt, u.choice FROM unnest($3::text[], $4::integer[]) WITH ORDINALITY \
               AS u (receipt, choice, place) ORDER BY u.place";
    let receipts: Vec<String> = votes.iter().map(|(receipt, _)| receipt.clone()).collect();
    let choices: Vec<i32> = votes.iter().map(|(_, choice)| *choice).collect();
    super::super::execute(tx, sql, [area.into(), ballot.into(), receipts.into(), choices.into()]).await?;
    Ok(())
}
