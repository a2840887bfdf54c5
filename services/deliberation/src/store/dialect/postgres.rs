//! PostgreSQL: row locks, and arrays as rows.

use linli_kit::Result;
use linli_kit::store::Tx;
use uuid::Uuid;

/// Casts share the lock with each other and exclude the closing.
pub(super) const BALLOT_FOR_CAST: &str = "SELECT state, close_us FROM ballot WHERE area = $1 AND id = $2 FOR SHARE";

/// The closing waits for all casts that hold the row.
pub(super) const BALLOT_FOR_CLOSE: &str = "SELECT state, close_us FROM ballot WHERE area = $1 AND id = $2 FOR UPDATE";

pub(super) async fn insert_roll(tx: &Tx<'_>, area: &str, ballot: Uuid, electors: &[(String, bool)]) -> Result<()> {
    let sql = "INSERT INTO roll (area, ballot, elector, voted) \
               SELECT $1, $2, u.elector, u.voted FROM unnest($3::text[], $4::boolean[]) WITH ORDINALITY \
               AS u (elector, voted, place) ORDER BY u.place";
    let names: Vec<String> = electors.iter().map(|(elector, _)| elector.clone()).collect();
    let voted: Vec<bool> = electors.iter().map(|(_, voted)| *voted).collect();
    super::super::execute(tx, sql, [area.into(), ballot.into(), names.into(), voted.into()]).await?;
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
