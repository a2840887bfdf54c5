//! The one place where driver errors are read: what went wrong, and which reason a violated constraint has.

use std::ops::Deref as _;
use std::time::Duration;

use sea_orm::sqlx::error::ErrorKind;
use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr, SqlxError};

use crate::{Error, ErrorCode, FieldViolation};

/// What a database error means, whatever the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Another transaction came between: serialisation failure, deadlock, locked file. Run again.
    Serialisation,
    /// The database does not answer, or is full.
    Unavailable,
    /// A statement ran longer than it may.
    Timeout,
    /// A unique or exclusion constraint; its name on PostgreSQL, its columns on SQLite (`slot.area, slot.id`).
    Unique(String),
    /// A foreign key; its name on PostgreSQL, empty on SQLite.
    ForeignKey(String),
    /// A check constraint, by name.
    Check(String),
    /// Anything else is a fault of ours.
    Other,
}

impl Fault {
    /// The fault behind an error that came from the database.
    pub fn of(error: &Error) -> Option<&Self> {
        error.cause().and_then(|cause| cause.downcast_ref::<Cause>()).map(|cause| &cause.fault)
    }

    fn read(problem: &DbErr) -> Self {
        match problem {
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout | ConnAcquireErr::ConnectionClosed) => Self::Unavailable,
            DbErr::Conn(RuntimeErr::SqlxError(e)) => match Self::of_driver(e) {
                Self::Other => Self::Unavailable,
                known => known,
            },
            DbErr::Conn(RuntimeErr::Internal(_)) => Self::Unavailable,
            DbErr::Exec(RuntimeErr::SqlxError(e)) | DbErr::Query(RuntimeErr::SqlxError(e)) => Self::of_driver(e),
            DbErr::Exec(RuntimeErr::Internal(_)) | DbErr::Query(RuntimeErr::Internal(_)) => Self::Other,
            DbErr::TryIntoErr { .. }
            | DbErr::ConvertFromU64(_)
            | DbErr::UnpackInsertId
            | DbErr::UpdateGetPrimaryKey
            | DbErr::RecordNotFound(_)
            | DbErr::AttrNotSet(_)
            | DbErr::Custom(_)
            | DbErr::Type(_)
            | DbErr::Json(_)
            | DbErr::Migration(_)
            | DbErr::RecordNotInserted
            | DbErr::RecordNotUpdated
            | DbErr::BackendNotSupported { .. }
            | DbErr::KeyArityMismatch { .. }
            | DbErr::PrimaryKeyNotSet { .. }
            | DbErr::RbacError(_)
            | DbErr::AccessDenied { .. }
            | DbErr::MutexPoisonError => Self::Other,
            // The enum is open; what a later sea-orm adds is a fault of ours until somebody reads it here.
            _ => Self::Other,
        }
    }

    fn of_driver(problem: &SqlxError) -> Self {
        match problem {
            SqlxError::Database(e) => {
                let code = e.code().unwrap_or_default();
                if e.try_downcast_ref::<sea_orm::SqlxPostgresError>().is_some() {
                    Self::of_postgres(&code, e.deref())
                } else {
                    Self::of_sqlite(code.parse().unwrap_or(0), e.deref())
                }
            }
            SqlxError::Io(_)
            | SqlxError::Tls(_)
            | SqlxError::PoolTimedOut
            | SqlxError::PoolClosed
            | SqlxError::WorkerCrashed
            | SqlxError::BeginFailed
            | SqlxError::Protocol(_) => Self::Unavailable,
            _ => Self::Other,
        }
    }

    /// SQLSTATE classes: <https://www.postgresql.org/docs/15/errcodes-appendix.html>.
    fn of_postgres(state: &str, problem: &dyn sea_orm::sqlx::error::DatabaseError) -> Self {
        let constraint = || problem.constraint().unwrap_or_default().to_owned();
        match state {
            "40001" | "40P01" | "55P03" => Self::Serialisation,
            "57014" | "25P03" | "25P04" => Self::Timeout,
            "23505" | "23P01" => Self::Unique(constraint()),
            "23503" => Self::ForeignKey(constraint()),
            "23514" => Self::Check(constraint()),
            "57P01" | "57P02" | "57P03" | "25006" => Self::Unavailable,
            _ if state.starts_with("08") || state.starts_with("53") || state.starts_with("58") => Self::Unavailable,
            _ => Self::Other,
        }
    }

    /// Result codes: <https://www.sqlite.org/rescode.html>; the low byte is the primary code.
    fn of_sqlite(code: i32, problem: &dyn sea_orm::sqlx::error::DatabaseError) -> Self {
        let detail = problem.message().split_once(": ").map_or("", |(_, detail)| detail).to_owned();
        match problem.kind() {
            ErrorKind::UniqueViolation => return Self::Unique(detail),
            ErrorKind::ForeignKeyViolation => return Self::ForeignKey(String::new()),
            ErrorKind::CheckViolation => return Self::Check(detail),
            _ => {}
        }
        match code & 0xff {
            5 | 6 => Self::Serialisation,
            9 => Self::Timeout,
            10 | 13 | 14 => Self::Unavailable,
            _ => Self::Other,
        }
    }
}

/// The internal half of an error that came from the database.
#[derive(Debug)]
struct Cause {
    fault: Fault,
    driver: DbErr,
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.driver)
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.driver)
    }
}

impl From<DbErr> for Error {
    fn from(driver: DbErr) -> Self {
        let fault = Fault::read(&driver);
        let error = match &fault {
            Fault::Serialisation => Self::new(ErrorCode::Aborted, "CONFLICT").retry_after(Duration::from_millis(100)),
            Fault::Unavailable => unavailable(),
            Fault::Timeout => crate::deadline::exceeded(),
            Fault::Unique(_) => Self::new(ErrorCode::Aborted, "CONFLICT"),
            Fault::ForeignKey(_) | Fault::Check(_) | Fault::Other => Self::new(ErrorCode::Internal, "INTERNAL"),
        };
        error.caused_by(Cause { fault, driver })
    }
}

/// The error for a database that does not answer.
pub(crate) fn unavailable() -> Error {
    Error::new(ErrorCode::Unavailable, "STORAGE_UNAVAILABLE").retry_after(Duration::from_secs(1))
}

/// What a violated constraint means to a caller.
#[derive(Debug, Clone, Copy)]
pub struct Constraint {
    /// Its name on PostgreSQL, and on SQLite for a named check.
    pub name: &'static str,
    /// How SQLite reports it: the columns of a unique key (`slot.area, slot.id`), or the name again.
    pub sqlite: &'static str,
    /// Class of the error.
    pub code: ErrorCode,
    /// Reason of the error or, with a field, of the field's violation.
    pub reason: &'static str,
    /// Field of the request that is to blame.
    pub field: Option<&'static str>,
}

/// The table of constraints: kit's own and a service's.
#[derive(Debug, Clone, Default)]
pub struct ConstraintMap(Vec<&'static [Constraint]>);

/// Constraints of kit's own tables.
const KIT: &[Constraint] = &[Constraint {
    name: "catalogue_pkey",
    sqlite: "catalogue.area, catalogue.collection, catalogue.id",
    code: ErrorCode::Aborted,
    reason: "CONFLICT",
    field: None,
}];

impl ConstraintMap {
    /// Kit's own constraints.
    pub fn kit() -> Self {
        Self(vec![KIT])
    }

    /// These and more constraints; the first entry of a name holds.
    #[must_use]
    pub fn and(mut self, more: &'static [Constraint]) -> Self {
        self.0.push(more);
        self
    }

    /// The entry for a constraint as the driver names it.
    pub fn find(&self, reported: &str) -> Option<&'static Constraint> {
        let listed = |c: &&Constraint| !reported.is_empty() && (c.name == reported || c.sqlite == reported);
        self.0.iter().copied().flatten().find(listed)
    }

    /// Gives an error about a constraint the reason that the table says; any other error stays as it is.
    pub fn explain(&self, error: Error) -> Error {
        let found = match Fault::of(&error) {
            Some(Fault::Unique(name) | Fault::ForeignKey(name) | Fault::Check(name)) => self.find(name),
            _ => None,
        };
        let Some(constraint) = found else { return error };
        let explained = match constraint.field {
            Some(field) => Error::new(constraint.code, "INVALID_FIELDS")
                .with("count", 1)
                .with_fields(vec![FieldViolation::new(field, constraint.reason)]),
            None => Error::new(constraint.code, constraint.reason),
        };
        explained.caused_by(error)
    }
}
