//! What a call answered instead of a result, told so that a person can act on it.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// A call that failed.
#[derive(Debug)]
pub struct CallError {
    method: String,
    status: Box<Status>,
}

impl CallError {
    /// The failure of a call of `method`.
    pub fn new(method: impl Into<String>, status: Status) -> Self {
        Self { method: method.into(), status: Box::new(status) }
    }

    /// The gRPC code.
    pub fn code(&self) -> Code {
        self.status.code()
    }

    /// The whole answer.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// The reason (UPPER_SNAKE); empty when it was not linli that answered.
    pub fn reason(&self) -> String {
        self.status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
    }

    /// Whether the same call may well succeed in a moment.
    ///
    /// A server that asks for a retry has refused before it did anything.
    pub fn is_transient(&self) -> bool {
        match self.code() {
            Code::Unavailable => !self.is_distrust(),
            Code::ResourceExhausted | Code::Aborted => self.retry_after().is_some(),
            _ => false,
        }
    }

    /// How long the server wants to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        self.status.get_details_retry_info().and_then(|info| info.retry_delay)
    }

    /// The bad fields of the request, each with what is wrong and its remedy.
    pub fn fields(&self) -> Vec<(String, String)> {
        let violations = self.status.get_details_bad_request().map(|details| details.field_violations);
        violations.unwrap_or_default().into_iter().map(|bad| (bad.field, bad.description)).collect()
    }

    /// A detail of the reason, such as the state that stood in the way.
    pub fn metadata(&self, key: &str) -> Option<String> {
        self.status.get_details_error_info().and_then(|info| info.metadata.get(key).cloned())
    }

    /// The same for whoever typed arguments: fields that begin so are also told by the argument that they were said with.
    pub fn said_with(self, arguments: &[(&str, &str)]) -> anyhow::Error {
        let fields = self.fields();
        let ends_with = |field: &str, name: &str| {
            field.split(['[', ']']).any(|part| format!(".{part}").ends_with(&format!(".{name}")))
        };
        let said = arguments.iter().filter(|(name, _)| fields.iter().any(|(field, _)| ends_with(field, name)));
        let said: String = said.map(|(name, argument)| format!("\n  hint: {name} is {argument}")).collect();
        anyhow::anyhow!("{self}{said}")
    }

    /// What lies behind the message, each thing said once.
    fn causes(&self) -> String {
        let mut texts = vec![self.status.message().to_owned()];
        let mut cause = self.status.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !texts.contains(&text) {
                texts.push(text);
            }
            cause = error.source();
        }
        texts.iter().skip(1).map(|text| format!(": {text}")).collect()
    }

    fn is_distrust(&self) -> bool {
        self.reason().is_empty() && format!("{}{}", self.status.message(), self.causes()).contains("certificate")
    }

    /// Whether plain HTTP/2 met a port of TLS, which answers with an alert, or not at all.
    fn is_of_tls(&self) -> bool {
        let text = format!("{}{}", self.status.message(), self.causes());
        self.reason().is_empty()
            && ["frame with invalid size", "connection closed"].iter().any(|told| text.contains(told))
    }

    /// What the caller can do about it, where that is not in the server's words.
    fn hint(&self) -> Option<&'static str> {
        if self.is_distrust() {
            return Some("the gateway's certificate is not trusted: name its issuer with --ca FILE");
        }
        if self.is_of_tls() {
            return Some("the other side does not speak plain HTTP/2; where it speaks TLS it is --server https://...");
        }
        match self.code() {
            Code::Unauthenticated => Some(
                "say who you are with --token, --token-file or LINLI_TOKEN (see `linli token --help`); a token that was sent has expired or is another issuer's",
            ),
            Code::Unavailable if self.reason().is_empty() => {
                Some("is the suite running there? start one with `linli serve`, or say where it is with --server URL")
            }
            _ => None,
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details = self.status.get_error_details();
        let text = details.localized_message().map_or(self.status.message(), |m| m.message.as_str());
        let causes = if details.error_info().is_none() { self.causes() } else { String::new() };
        write!(f, "{}: {text}{causes}", self.method)?;
        for (field, what) in self.fields() {
            write!(f, "\n  {field}: {what}")?;
        }
        if let Some(info) = details.error_info() {
            let mut metadata: Vec<_> = info.metadata.iter().map(|(k, v)| format!("{k}={v}")).collect();
            metadata.sort();
            let metadata = if metadata.is_empty() { String::new() } else { format!(" ({})", metadata.join(", ")) };
            write!(f, "\n  reason: {}{metadata}", info.reason)?;
        } else {
            write!(f, "\n  code: {:?}", self.code())?;
        }
        if let Some(delay) = self.retry_after() {
            write!(f, "\n  retry: after {:.1} s", delay.as_secs_f64())?;
        }
        if let Some(id) = self.status.metadata().get("x-request-id").and_then(|id| id.to_str().ok()) {
            write!(f, "\n  request id: {id}")?;
        }
        match self.hint() {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CallError {}

#[cfg(test)]
mod tests {
    use linli_kernel::Lang;
    use linli_kit::texts::Texts;
    use linli_kit::{Error, ErrorCode, FieldViolation};

    use super::*;

    fn told(error: Error) -> CallError {
        CallError::new("GetUnit", error.into_status(&Texts::kit(), Lang::En, "org.linli"))
    }

    #[test]
    fn a_failure_names_reason_field_and_what_to_do() {
        let error = told(Error::field(FieldViolation::new("unit.kind", "FIELD_REQUIRED")));
        let text = error.to_string();
        assert!(text.starts_with("GetUnit: "), "{text}");
        assert!(text.contains("\n  unit.kind: "), "{text}");
        assert!(text.contains("reason: INVALID_FIELDS (count=1)"), "{text}");
        assert_eq!(error.reason(), "INVALID_FIELDS");
    }

    #[test]
    fn only_what_a_moment_can_change_is_transient() {
        let overloaded = || Error::new(ErrorCode::ResourceExhausted, "OVERLOADED");
        assert!(told(overloaded().retry_after(Duration::from_secs(1))).is_transient());
        assert!(!told(overloaded()).is_transient());
        assert!(!told(Error::not_found("areas/x")).is_transient());
    }

    #[test]
    fn who_has_no_token_learns_how_to_give_one() {
        let text = told(Error::new(ErrorCode::Unauthenticated, "UNAUTHENTICATED")).to_string();
        assert!(text.contains("LINLI_TOKEN"), "{text}");
    }
}
