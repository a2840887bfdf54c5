//! Orders of lists (AIP-132): `start_time desc, name`, over an allow-list.

use sea_orm::Order;
use sea_orm::sea_query::Expr;

use crate::{Error, FieldViolation, Result};

/// A field by which a list may be ordered.
#[derive(Debug, Clone)]
pub struct OrderField {
    /// Its path as the contract names it.
    pub name: &'static str,
    /// Its column.
    pub column: Expr,
}

impl OrderField {
    /// A field with its column.
    pub fn new(name: &'static str, column: impl Into<Expr>) -> Self {
        Self { name, column: column.into() }
    }
}

/// Reads an order; an empty one is the caller's default. For a keyset the caller appends the unique key.
///
/// # Errors
/// A violation of the field `order_by` when a field is not listed or occurs twice, or a direction is neither `asc` nor `desc`.
pub fn order_by(text: &str, fields: &[OrderField]) -> Result<Vec<(OrderField, Order)>> {
    let refuse = || {
        let allowed = fields.iter().map(|f| f.name).collect::<Vec<_>>().join(", ");
        Error::field(FieldViolation::new("order_by", "ORDER_BY_INVALID").arg("allowed", allowed))
    };
    let mut order: Vec<(OrderField, Order)> = Vec::new();
    if text.trim().is_empty() {
        return Ok(order);
    }
    for part in text.split(',') {
        let mut words = part.split_whitespace();
        let (name, direction) = (words.next().ok_or_else(refuse)?, words.next());
        let direction = match direction {
            None | Some("asc") => Order::Asc,
            Some("desc") => Order::Desc,
            Some(_) => return Err(refuse()),
        };
        let field = fields.iter().find(|f| f.name == name).ok_or_else(refuse)?;
        if words.next().is_some() || order.iter().any(|(seen, _)| seen.name == name) {
            return Err(refuse());
        }
        order.push((field.clone(), direction));
    }
    Ok(order)
}
