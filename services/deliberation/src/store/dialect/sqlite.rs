//! SQLite: one writer at a time needs no row locks; rows in bulk come as JSON.

use linli_kit::Result;
use linli_kit::store::Tx;
use uuid::Uuid;

/// The transaction is the only writer.
pub(super) const BALLOT_FOR_CAST: &str = "SELECT state, close_us FROM ballot WHERE area = $1 AND id = $2";

/// The transaction is the only writer.
pub(super) const BALLOT_FOR_CLOSE: &str = BALLOT_FOR_CAST;

pub(super) async fn insert_roll(tx: &Tx<'_>, area: &str, ballot: Uuid, electors: &[(String, bool)]) -> Result<()> {
    let sql = "INSERT INTO roll (area, ballot, elector, voted) \
               SELECT $1, $2, json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each($3)";
    let rows: Vec<(&str, i32)> =
        electors.iter().map(|(elector, voted)| (elector.as_str(), i32::from(*voted))).collect();
    super::super::execute(tx, sql, [area.into(), ballot.into(), json(&rows).into()]).await?;
    Ok(())
}

pub(super) async fn insert_votes(tx: &Tx<'_>, area: &str, ballot: Uuid, votes: &[(String, i32)]) -> Result<()> {
    let sql = "INSERT INTO vote (area, ballot, receipt, choice) \
               SELECT $1, $2, json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each($3)";
    super::super::execute(tx, sql, [area.into(), ballot.into(), json(votes).into()]).await?;
    Ok(())
}

/// Pairs as a JSON array of arrays.
fn json<A: serde::Serialize, B: serde::Serialize>(pairs: &[(A, B)]) -> String {
    serde_json::json!(pairs).to_string()
}
