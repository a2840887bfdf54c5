//! The one error path: a domain error becomes an [`Error`], an [`Error`] becomes a `tonic::Status` here and nowhere else.
//!
//! The external half (code, reason, fields, metadata) is what a client sees, in the caller's language; the internal half
//! (`source`) is logged and never leaves the process.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use linli_kernel::Lang;
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::texts::Texts;

/// The result of everything that can go wrong in a call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Classes of errors, each with one gRPC code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    /// The request itself is wrong.
    InvalidArgument,
    /// The resource does not exist, or the caller may not know that it does.
    NotFound,
    /// A resource with that id exists.
    AlreadyExists,
    /// The caller may not do this.
    PermissionDenied,
    /// The caller's token is missing or not valid.
    Unauthenticated,
    /// The request is right, but not in the present state.
    FailedPrecondition,
    /// A conflict with another write; read again and retry.
    Aborted,
    /// A position outside what is kept.
    OutOfRange,
    /// A limit is reached.
    ResourceExhausted,
    /// Try again later.
    Unavailable,
    /// The deadline passed.
    DeadlineExceeded,
    /// No such method, or not in this mode.
    Unimplemented,
    /// A fault of ours.
    Internal,
}

impl ErrorCode {
    /// The gRPC code.
    pub fn grpc(self) -> tonic::Code {
        match self {
            Self::InvalidArgument => tonic::Code::InvalidArgument,
            Self::NotFound => tonic::Code::NotFound,
            Self::AlreadyExists => tonic::Code::AlreadyExists,
            Self::PermissionDenied => tonic::Code::PermissionDenied,
            Self::Unauthenticated => tonic::Code::Unauthenticated,
            Self::FailedPrecondition => tonic::Code::FailedPrecondition,
            Self::Aborted => tonic::Code::Aborted,
            Self::OutOfRange => tonic::Code::OutOfRange,
            Self::ResourceExhausted => tonic::Code::ResourceExhausted,
            Self::Unavailable => tonic::Code::Unavailable,
            Self::DeadlineExceeded => tonic::Code::DeadlineExceeded,
            Self::Unimplemented => tonic::Code::Unimplemented,
            Self::Internal => tonic::Code::Internal,
        }
    }
}

/// One bad field of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldViolation {
    /// Path of the field, such as `offering.questions[2].key`.
    pub field: String,
    /// Reason (UPPER_SNAKE): the id of its text.
    pub reason: &'static str,
    /// Arguments of the text.
    pub args: Vec<(&'static str, String)>,
}

impl FieldViolation {
    /// A violation without arguments.
    pub fn new(field: impl Into<String>, reason: &'static str) -> Self {
        Self { field: field.into(), reason, args: Vec::new() }
    }

    /// Adds an argument of the text.
    #[must_use]
    pub fn arg(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.args.push((key, value.to_string()));
        self
    }
}

/// What went wrong, in a form that a client can act on.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: ErrorCode,
    reason: &'static str,
    metadata: Vec<(&'static str, String)>,
    fields: Vec<FieldViolation>,
    retry_after: Option<Duration>,
    rendered: Option<tonic::Status>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error with a reason (UPPER_SNAKE), whose text stands in the catalogue under the same id.
    pub fn new(code: ErrorCode, reason: &'static str) -> Self {
        Self(Box::new(Inner {
            code,
            reason,
            metadata: Vec::new(),
            fields: Vec::new(),
            retry_after: None,
            rendered: None,
            source: None,
        }))
    }

    /// The request has bad fields; `None` when the list is empty.
    pub fn fields(fields: Vec<FieldViolation>) -> Option<Self> {
        if fields.is_empty() {
            return None;
        }
        let mut error = Self::new(ErrorCode::InvalidArgument, "INVALID_FIELDS").with("count", fields.len());
        error.0.fields = fields;
        Some(error)
    }

    /// Checks a list of bad fields.
    ///
    /// # Errors
    /// INVALID_ARGUMENT with all of them when there is at least one.
    pub fn check(fields: Vec<FieldViolation>) -> Result<()> {
        Self::fields(fields).map_or(Ok(()), Err)
    }

    /// One bad field.
    pub fn field(violation: FieldViolation) -> Self {
        let mut error = Self::new(ErrorCode::InvalidArgument, "INVALID_FIELDS").with("count", 1);
        error.0.fields.push(violation);
        error
    }

    /// A resource that does not exist, or that the caller may not see.
    pub fn not_found(resource: impl fmt::Display) -> Self {
        Self::new(ErrorCode::NotFound, "RESOURCE_NOT_FOUND").with("resource", resource)
    }

    /// A fault of ours; the cause is logged, the client learns only that it happened.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let mut error = Self::new(ErrorCode::Internal, "INTERNAL");
        error.0.source = Some(source.into());
        error
    }

    /// A status that another service of ours answered: passed on with its details as it is.
    pub fn from_peer(status: tonic::Status) -> Self {
        let code = match status.code() {
            tonic::Code::InvalidArgument => ErrorCode::InvalidArgument,
            tonic::Code::NotFound => ErrorCode::NotFound,
            tonic::Code::AlreadyExists => ErrorCode::AlreadyExists,
            tonic::Code::PermissionDenied => ErrorCode::PermissionDenied,
            tonic::Code::Unauthenticated => ErrorCode::Unauthenticated,
            tonic::Code::FailedPrecondition => ErrorCode::FailedPrecondition,
            tonic::Code::Aborted => ErrorCode::Aborted,
            tonic::Code::OutOfRange => ErrorCode::OutOfRange,
            tonic::Code::ResourceExhausted => ErrorCode::ResourceExhausted,
            tonic::Code::Unavailable => ErrorCode::Unavailable,
            tonic::Code::DeadlineExceeded => ErrorCode::DeadlineExceeded,
            tonic::Code::Unimplemented => ErrorCode::Unimplemented,
            tonic::Code::Ok
            | tonic::Code::Cancelled
            | tonic::Code::Unknown
            | tonic::Code::Internal
            | tonic::Code::DataLoss => ErrorCode::Internal,
        };
        let mut error = Self::new(code, "PEER");
        error.0.rendered = Some(status);
        error
    }

    /// Adds metadata: an argument of the text and an entry of ErrorInfo. Never personal data.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.0.metadata.push((key, value.to_string()));
        self
    }

    /// Tells the client that a retry after `delay` may help.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.0.retry_after = Some(delay);
        self
    }

    /// Adds a cause for our own log.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds bad fields to the error.
    #[must_use]
    pub fn with_fields(mut self, fields: Vec<FieldViolation>) -> Self {
        self.0.fields.extend(fields);
        self
    }

    /// The same error for another who waited for the same work; of its cause only the text.
    #[must_use]
    pub fn for_another(&self) -> Self {
        let inner = &*self.0;
        Self(Box::new(Inner {
            code: inner.code,
            reason: inner.reason,
            metadata: inner.metadata.clone(),
            fields: inner.fields.clone(),
            retry_after: inner.retry_after,
            rendered: inner.rendered.clone(),
            source: inner.source.as_ref().map(|cause| cause.to_string().into()),
        }))
    }

    /// The class.
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// The reason; for an error of another service, the reason that it gave.
    pub fn reason(&self) -> String {
        match &self.0.rendered {
            Some(status) => status.get_details_error_info().map(|info| info.reason).unwrap_or_default(),
            None => self.0.reason.to_owned(),
        }
    }

    /// The cause for our own log.
    pub fn cause(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        self.0.source.as_deref()
    }

    /// Renders the error for a client.
    pub fn into_status(self, texts: &Texts, lang: Lang, domain: &str) -> tonic::Status {
        self.to_status(texts, lang, domain)
    }

    /// Renders the error without giving it up: for an error that is kept in more than one language.
    pub fn to_status(&self, texts: &Texts, lang: Lang, domain: &str) -> tonic::Status {
        let inner = &self.0;
        if let Some(status) = &inner.rendered {
            return status.clone();
        }
        let metadata: HashMap<String, String> =
            inner.metadata.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        let mut details = ErrorDetails::with_error_info(inner.reason, domain, metadata);
        for violation in &inner.fields {
            let text = texts.render(lang, violation.reason, &violation.args);
            details.add_bad_request_violation(violation.field.clone(), format!("{text} [{}]", violation.reason));
        }
        if let Some(delay) = inner.retry_after {
            details.set_retry_info(Some(delay));
        }
        details.set_localized_message(lang.tag(), texts.render(lang, inner.reason, &inner.metadata));
        let mut english = texts.render(Lang::En, inner.reason, &inner.metadata);
        for violation in &inner.fields {
            let text = texts.render(Lang::En, violation.reason, &violation.args);
            english.push_str(&format!("; {}: {text}", violation.field));
        }
        tonic::Status::with_error_details(inner.code.grpc(), english, details)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.reason)?;
        for (key, value) in &self.0.metadata {
            write!(f, " {key}={value}")?;
        }
        for violation in &self.0.fields {
            write!(f, "; {}: {}", violation.field, violation.reason)?;
        }
        if let Some(status) = &self.0.rendered {
            write!(f, " {:?}: {}", status.code(), status.message())?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|e| e as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_carries_reason_fields_retry_and_the_callers_language() {
        let error = Error::fields(vec![FieldViolation::new("page_size", "FIELD_REQUIRED")])
            .expect("one violation")
            .retry_after(Duration::from_secs(1));
        let status = error.into_status(&Texts::kit(), Lang::ZhCn, "org.linli");
        let details = status.get_error_details();
        assert_eq!(status.code(), tonic::Code::InvalidArgument);
        assert_eq!(details.error_info().map(|i| i.reason.as_str()), Some("INVALID_FIELDS"));
        assert_eq!(details.bad_request().map(|b| b.field_violations.len()), Some(1));
        assert!(details.retry_info().is_some());
        assert_eq!(details.localized_message().map(|m| m.locale.as_str()), Some("zh-CN"));
    }

    #[test]
    fn the_internal_cause_never_reaches_the_client() {
        let status = Error::internal("secret driver text").into_status(&Texts::kit(), Lang::En, "org.linli");
        assert!(!format!("{status:?}").contains("secret"));
    }
}
