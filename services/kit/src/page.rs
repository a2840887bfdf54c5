//! Keyset pages (AIP-158): a page ends at a key, the next one begins behind it, and inserts in between move nothing.
//!
//! A token carries the key of the last row only and is authenticated together with its query. Clients can decode it, so a
//! key consists of public columns (ids, instants, codes), never of personal ones.

mod token;

use sea_orm::sea_query::{Expr, ExprTrait as _, Value};
use sea_orm::{Condition, Order};

use crate::crypto::Keyring;
use crate::{Error, ErrorCode, FieldViolation, Result};

/// Rows of a page when the caller asks for none.
pub const DEFAULT_SIZE: u32 = 50;
/// Rows of a page at most; more is taken as this.
pub const MAX_SIZE: u32 = 1000;

/// One part of the key behind which a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPart {
    /// A text column.
    Text(String),
    /// A number or an instant in microseconds.
    Int(i64),
    /// An id of 16 bytes.
    Id(uuid::Uuid),
}

impl KeyPart {
    fn value(&self) -> Value {
        match self {
            Self::Text(text) => text.clone().into(),
            Self::Int(number) => (*number).into(),
            Self::Id(id) => (*id).into(),
        }
    }
}

/// A request for one page.
#[derive(Debug, Clone)]
pub struct PageRequest {
    keys: Keyring,
    /// Method and query, told apart part by part; what the token is bound to.
    query: Vec<String>,
    size: u32,
    after: Option<Vec<KeyPart>>,
}

impl PageRequest {
    /// Reads size and token; `query` holds everything that chooses the rows and their order (parent, filter, order).
    ///
    /// # Errors
    /// A violation of `page_size` when it is negative; PAGE_TOKEN_INVALID when the token is damaged or of another query.
    pub fn parse(keys: &Keyring, method: &str, query: &[&str], page_size: i32, page_token: &str) -> Result<Self> {
        let asked = u32::try_from(page_size).map_err(|_| {
            let violation = FieldViolation::new("page_size", "FIELD_OUT_OF_RANGE");
            Error::field(violation.arg("min", 0).arg("max", MAX_SIZE))
        })?;
        let size = if asked == 0 { DEFAULT_SIZE } else { Ord::min(asked, MAX_SIZE) };
        let query = std::iter::once(method).chain(query.iter().copied()).map(str::to_owned).collect();
        let mut page = Self { keys: keys.clone(), query, size, after: None };
        if !page_token.is_empty() {
            page.after = Some(token::read(keys, &page.query, page_token).ok_or_else(invalid)?);
        }
        Ok(page)
    }

    /// Rows that the page holds at most.
    pub fn size(&self) -> usize {
        self.size as usize
    }

    /// Rows to read: one more than the page holds tells whether another page follows.
    pub fn limit(&self) -> u64 {
        u64::from(self.size) + 1
    }

    /// The key behind which the page begins; `None` for the first one.
    pub fn after(&self) -> Option<&[KeyPart]> {
        self.after.as_deref()
    }

    /// The same request for what lies behind `key`.
    pub(crate) fn behind(&self, key: Vec<KeyPart>) -> Self {
        Self { after: Some(key), ..self.clone() }
    }

    /// The token of the page behind `key`.
    pub fn next_token(&self, key: &[KeyPart]) -> String {
        token::write(&self.keys, &self.query, key)
    }

    /// The condition that leaves out all rows up to the key: `(a > x) OR (a = x AND b > y)`, for columns in their order.
    ///
    /// # Errors
    /// PAGE_TOKEN_INVALID when the token's key has another shape than `columns`.
    pub fn condition(&self, columns: &[(Expr, Order)]) -> Result<Condition> {
        let Some(after) = &self.after else { return Ok(Condition::all()) };
        if after.len() != columns.len() {
            return Err(invalid());
        }
        let mut any = Condition::any();
        for (i, (column, order)) in columns.iter().enumerate() {
            let mut all = Condition::all();
            for ((equal, _), part) in columns.iter().zip(after).take(i) {
                all = all.add(equal.clone().eq(part.value()));
            }
            let bound = after[i].value();
            let behind = if *order == Order::Desc { column.clone().lt(bound) } else { column.clone().gt(bound) };
            any = any.add(all.add(behind));
        }
        Ok(any)
    }

    /// Cuts rows read with [`PageRequest::limit`] to the page, and makes the token of the next one, empty at the end.
    pub fn cut<R>(&self, mut rows: Vec<R>, key: impl FnOnce(&R) -> Vec<KeyPart>) -> (Vec<R>, String) {
        if rows.len() <= self.size() {
            return (rows, String::new());
        }
        rows.truncate(self.size());
        let token = rows.last().map(|row| self.next_token(&key(row))).unwrap_or_default();
        (rows, token)
    }
}

fn invalid() -> Error {
    Error::new(ErrorCode::InvalidArgument, "PAGE_TOKEN_INVALID")
        .with_fields(vec![FieldViolation::new("page_token", "PAGE_TOKEN_INVALID")])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::keyring;

    const KEY: &[KeyPart] = &[KeyPart::Int(-7), KeyPart::Id(uuid::Uuid::from_u128(9))];

    fn page(keys: &Keyring, query: &[&str], size: i32, token: &str) -> Result<PageRequest> {
        PageRequest::parse(keys, "/linli.org.v1.OrgService/ListUnits", query, size, token)
    }

    #[test]
    fn sizes_have_a_default_and_a_cap_and_negative_ones_are_named() {
        let keys = keyring();
        assert_eq!(page(&keys, &[], 0, "").expect("default").size(), 50);
        assert_eq!(page(&keys, &[], 5000, "").expect("capped").size(), 1000);
        assert_eq!(page(&keys, &[], -1, "").expect_err("negative").reason(), "INVALID_FIELDS");
    }

    #[test]
    fn a_token_carries_its_key_and_belongs_to_its_query() {
        let keys = keyring();
        let first = page(&keys, &["areas/a", "x"], 10, "").expect("a page");
        let token = first.next_token(KEY);
        let next = page(&keys, &["areas/a", "x"], 99, &token).expect("the size may change");
        assert_eq!(next.after(), Some(KEY));
        for other in [&["areas/b", "x"][..], &["areas/a", ""], &["areas/ax"], &["areas/a", "x", ""]] {
            assert_eq!(page(&keys, other, 10, &token).expect_err("another query").reason(), "PAGE_TOKEN_INVALID");
        }
        assert!(page(&keyring(), &["areas/a", "x"], 10, &token).is_err(), "another suite's token");
        for cut in 0..token.len() {
            assert!(page(&keys, &["areas/a", "x"], 10, &token[..cut]).is_err() || cut == 0);
        }
    }

    #[test]
    fn the_condition_goes_on_behind_the_key_in_the_order_of_the_columns() {
        use sea_orm::sea_query::{Query, SqliteQueryBuilder};
        let keys = keyring();
        let token = page(&keys, &[], 10, "").expect("a page").next_token(KEY);
        let next = page(&keys, &[], 10, &token).expect("a page");
        let columns = [(Expr::col("start_us"), Order::Desc), (Expr::col("id"), Order::Asc)];
        let condition = next.condition(&columns).expect("the shape fits");
        let sql = Query::select().column("id").from("slot").cond_where(condition).to_string(SqliteQueryBuilder);
        assert!(sql.contains(r#""start_us" < -7 OR ("start_us" = -7 AND "id" > "#), "{sql}");
        assert!(next.condition(&columns[..1]).is_err());
    }

    #[test]
    fn the_last_page_has_no_token() {
        let keys = keyring();
        let two = page(&keys, &[], 2, "").expect("a page");
        let key = |n: &i64| vec![KeyPart::Int(*n)];
        assert_eq!(two.cut(vec![1, 2], key), (vec![1, 2], String::new()));
        let (rows, token) = two.cut(vec![1, 2, 3], key);
        assert_eq!(rows, [1, 2]);
        assert_eq!(page(&keys, &[], 2, &token).expect("a page").after(), Some(&[KeyPart::Int(2)][..]));
    }
}
