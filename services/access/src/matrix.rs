//! The role x permission matrix: a table that a non-engineer can read (`matrix.yaml`).

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

/// The matrix that ships with the suite.
const SHIPPED: &str = include_str!("../matrix.yaml");

/// Why a matrix was refused.
#[derive(Debug, thiserror::Error)]
pub enum MatrixError {
    /// It is not the YAML that is wanted.
    #[error("permission matrix: {0}")]
    Format(#[from] serde_norway::Error),
    /// A pattern matches no permission of the contract: a typing mistake would silently grant nothing.
    #[error("permission matrix: role {role}: {pattern} matches no permission of the contract")]
    Unknown {
        /// The role.
        role: String,
        /// The pattern.
        pattern: String,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    roles: BTreeMap<String, RawRole>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRole {
    title: RawTitle,
    permissions: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTitle {
    zh: String,
    en: String,
}

/// One role of the matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Code, such as `worker`.
    pub code: String,
    /// Title in zh-CN.
    pub title_zh: String,
    /// Title in English.
    pub title_en: String,
}

/// Which role may do what, with every pattern resolved against the contract.
#[derive(Debug, Clone)]
pub struct Matrix {
    roles: Vec<Role>,
    granted: HashMap<String, u64>,
}

impl Matrix {
    /// The shipped matrix.
    ///
    /// # Errors
    /// [`MatrixError`] when the compiled-in file is wrong; a test loads it.
    pub fn shipped() -> Result<Self, MatrixError> {
        Self::parse(SHIPPED)
    }

    /// Reads a matrix.
    ///
    /// # Errors
    /// [`MatrixError`] when it is malformed or names what the contract does not have.
    pub fn parse(yaml: &str) -> Result<Self, MatrixError> {
        let raw: Raw = serde_norway::from_str(yaml)?;
        let mut granted: HashMap<String, u64> =
            linli_proto::methods().values().map(|m| (m.permission.clone(), 0)).collect();
        let mut roles = Vec::new();
        for (index, (code, role)) in raw.roles.into_iter().enumerate() {
            for pattern in &role.permissions {
                let mut found = false;
                for (permission, bits) in &mut granted {
                    if matches(pattern, permission) {
                        *bits |= 1 << index;
                        found = true;
                    }
                }
                if !found {
                    return Err(MatrixError::Unknown { role: code, pattern: pattern.clone() });
                }
            }
            roles.push(Role { code, title_zh: role.title.zh, title_en: role.title.en });
        }
        Ok(Self { roles, granted })
    }

    /// The roles, by code.
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// The bit of a role; `None` for a code that is no access role.
    pub fn bit(&self, role: &str) -> Option<u64> {
        self.roles.iter().position(|r| r.code == role).map(|i| 1 << i)
    }

    /// The roles that have a permission, as bits.
    pub fn holders(&self, permission: &str) -> u64 {
        self.granted.get(permission).copied().unwrap_or(0)
    }

    /// All permissions of the contract, sorted.
    pub fn permissions(&self) -> Vec<&str> {
        let mut all: Vec<&str> = self.granted.keys().map(String::as_str).collect();
        all.sort_unstable();
        all
    }
}

fn matches(pattern: &str, permission: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let (mut p, mut q) = (pattern.split('.'), permission.split('.'));
    loop {
        match (p.next(), q.next()) {
            (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(a), Some(b)) if a == b => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_matrix_names_only_permissions_of_the_contract() {
        Matrix::shipped().expect("the shipped matrix");
    }

    #[test]
    fn a_mistyped_permission_is_refused() {
        let yaml = "roles: {x: {title: {zh: 甲, en: a}, permissions: [org.unit.get]}}";
        assert!(matches!(Matrix::parse(yaml), Err(MatrixError::Unknown { .. })));
    }

    #[test]
    fn a_worker_serves_bookings_but_makes_no_rules() {
        let matrix = Matrix::shipped().expect("the shipped matrix");
        let worker = matrix.bit("worker").expect("a role");
        assert_ne!(matrix.holders("booking.bookings.serve") & worker, 0);
        assert_eq!(matrix.holders("rules.ruleBindings.create") & worker, 0);
    }
}
