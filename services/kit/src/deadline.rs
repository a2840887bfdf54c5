//! Deadlines: read from `grpc-timeout`, bounded, carried by the task, asked by whatever is about to do more work.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, ErrorCode, Result};

/// Time that a call gets when its client sets none.
pub const DEFAULT: Duration = Duration::from_secs(10);
/// The most that a unary call gets.
pub const MAX: Duration = Duration::from_secs(60);

tokio::task_local! {
    static CURRENT: Instant;
}

/// Runs `work` with a deadline that [`check`] and [`remaining`] see.
pub async fn scope<F: Future>(deadline: Instant, work: F) -> F::Output {
    CURRENT.scope(deadline, work).await
}

/// Time left for the present task; [`DEFAULT`] outside a call.
pub fn remaining() -> Duration {
    CURRENT.try_with(|d| d.saturating_duration_since(Instant::now())).unwrap_or(DEFAULT)
}

/// Stops work whose deadline has passed; called before each transaction and before its commit.
///
/// # Errors
/// DEADLINE_EXCEEDED when no time is left.
pub fn check() -> Result<()> {
    if remaining().is_zero() { Err(exceeded()) } else { Ok(()) }
}

/// The error of a passed deadline.
pub fn exceeded() -> Error {
    Error::new(ErrorCode::DeadlineExceeded, "DEADLINE_EXCEEDED")
}

/// Reads a `grpc-timeout` value such as `250m` or `10S`; `None` when it is malformed.
pub fn parse_timeout(value: &str) -> Option<Duration> {
    if value.is_empty() || !value.is_ascii() {
        return None;
    }
    let (digits, unit) = value.split_at(value.len() - 1);
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let n: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(n * 3600)),
        "M" => Some(Duration::from_secs(n * 60)),
        "S" => Some(Duration::from_secs(n)),
        "m" => Some(Duration::from_millis(n)),
        "u" => Some(Duration::from_micros(n)),
        "n" => Some(Duration::from_nanos(n)),
        _ => None,
    }
}

/// The `grpc-timeout` value for a duration.
pub fn format_timeout(left: Duration) -> String {
    let ms = left.as_millis().max(1);
    if ms < 100_000_000 { format!("{ms}m") } else { format!("{}S", left.as_secs()) }
}

/// The time that a call gets, given what its client asked for.
pub fn bounded(asked: Option<Duration>) -> Duration {
    asked.unwrap_or(DEFAULT).min(MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_in_every_unit_and_nonsense_is_refused() {
        assert_eq!(parse_timeout("250m"), Some(Duration::from_millis(250)));
        assert_eq!(parse_timeout("2S"), Some(Duration::from_secs(2)));
        for bad in ["", "S", "5", "-1S", "123456789S", "1x", "一S"] {
            assert_eq!(parse_timeout(bad), None, "{bad}");
        }
    }

    #[test]
    fn no_client_gets_more_than_a_minute() {
        assert_eq!(bounded(Some(Duration::from_secs(3600))), MAX);
        assert_eq!(bounded(None), DEFAULT);
    }

    #[tokio::test(start_paused = true)]
    async fn work_past_its_deadline_is_told_to_stop() {
        let deadline = Instant::now() + Duration::from_millis(10);
        scope(deadline, async {
            assert!(check().is_ok());
            tokio::time::advance(Duration::from_millis(11)).await;
            assert!(check().is_err());
        })
        .await;
    }
}
