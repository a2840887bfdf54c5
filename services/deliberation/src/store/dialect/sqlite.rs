//! SQLite: one writer at a time needs no row locks; rows in bulk come as JSON.

use linli_kit::Result;
use linli_kit::store::Tx;
use uuid::Uuid;

use super::Elector;

/// The transaction is the only writer.
pub(super) const BALLOT_FOR_CAST: &str = "SELECT state, close_us FROM ballot WHERE area = $1 AND id = $2";

/// The transaction is the only writer.
pub(super) const BALLOT_FOR_CLOSE: &str = BALLOT_FOR_CAST;

/// A file has no transaction numbers, but the order of the cells within a page.
pub(super) const TAKE_VOTES: &str = "DELETE FROM vote_pending WHERE area = $1 AND ballot = $2 AND id IN ( \
     SELECT id FROM vote_pending WHERE area = $1 AND ballot = $2 ORDER BY random() LIMIT $3) RETURNING id, vote_enc";

/// As for the votes.
pub(super) const TAKE_ELECTORS: &str = "DELETE FROM roll WHERE area = $1 AND ballot = $2 AND (elector = $3 OR elector IN ( \
     SELECT elector FROM roll WHERE area = $1 AND ballot = $2 AND voted AND elector <> $3 \
     ORDER BY random() LIMIT $4)) RETURNING elector, voted, assisted_by";

pub(super) async fn put_votes(tx: &Tx<'_>, area: &str, ballot: Uuid, votes: &[(Uuid, Vec<u8>)]) -> Result<()> {
    let sql = "INSERT INTO vote_pending (area, ballot, id, vote_enc) VALUES ($1, $2, $3, $4)";
    for (id, vote_enc) in votes {
        super::super::execute(tx, sql, [area.into(), ballot.into(), (*id).into(), vote_enc.clone().into()]).await?;
    }
    Ok(())
}

pub(super) async fn insert_roll(tx: &Tx<'_>, area: &str, ballot: Uuid, electors: &[Elector]) -> Result<()> {
    let sql = "INSERT INTO roll (area, ballot, elector, voted, assisted_by) \
               SELECT $1, $2, json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]') \
               FROM json_each($3)";
    let rows: Vec<(&str, i32, &str)> =
        electors.iter().map(|(elector, voted, by)| (elector.as_str(), i32::from(*voted), by.as_str())).collect();
    super::super::execute(tx, sql, [area.into(), ballot.into(), serde_json::json!(rows).to_string().into()]).await?;
    Ok(())
}

pub(super) async fn insert_votes(tx: &Tx<'_>, area: &str, ballot: Uuid, votes: &[(String, i32)]) -> Result<()> {
    let sql = "INSERT INTO vote (area, ballot, receipt, choice) \
               SELECT $1, $2, json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each($3)";
    super::super::execute(tx, sql, [area.into(), ballot.into(), serde_json::json!(votes).to_string().into()]).await?;
    Ok(())
}
