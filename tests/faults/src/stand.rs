//! A suite of processes that stands still at a named place when it is told to, so that it can be killed exactly there.

use std::path::PathBuf;

use linli_harness::{Engine, Processes, START, Spread, until};

/// The places on the way of a durable call: before the other service is asked, once it has answered, and before the answer
/// is committed.
pub(crate) const PLACES: [&str; 3] = ["durable::before_call", "durable::after_call", "durable::after_apply"];

/// The suite, all roles in one process.
pub(crate) struct Standing {
    suite: Processes,
    marks: tempfile::TempDir,
    fail_points: String,
    clock_secs: i64,
}

impl Standing {
    /// Starts a suite; `more` are further fail points, which stay on after a restart.
    pub(crate) async fn start(engine: Engine, more: &str) -> Self {
        let marks = tempfile::tempdir().expect("a directory");
        let mut fail_points: Vec<String> =
            PLACES.iter().map(|place| format!("{place}=return({})", marks.path().display())).collect();
        fail_points.extend((!more.is_empty()).then(|| more.to_owned()));
        let fail_points = fail_points.join(";");
        let suite = Processes::start(engine, Spread::One, &fail_points).await.expect("the suite starts");
        Self { suite, marks, fail_points, clock_secs: START.secs() }
    }

    /// The running suite.
    pub(crate) fn suite(&self) -> &Processes {
        &self.suite
    }

    fn mark(&self, place: &str, state: &str) -> PathBuf {
        self.marks.path().join(format!("{}.{state}", place.replace("::", ".")))
    }

    /// From now on the process stands still when it comes to `place`.
    pub(crate) fn arm(&self, place: &str) {
        std::fs::write(self.mark(place, "armed"), []).expect("a mark is written");
    }

    /// Waits until the process stands at `place`.
    pub(crate) async fn reached(&self, place: &str) {
        until(place, || async { self.mark(place, "reached").exists().then_some(()) }).await;
    }

    /// Moves the suite's clock.
    pub(crate) async fn advance_to(&mut self, secs: i64) {
        self.clock_secs = secs;
        let to = Some(prost_types::Timestamp { seconds: secs, nanos: 0 });
        let request = linli_proto::dev::AdvanceClockRequest { to };
        self.suite.operator().clock().advance_clock(request).await.expect("the clock is manual");
    }

    /// Kills the process where it stands and starts it again, with the clock where it was; it stands nowhere.
    pub(crate) async fn killed(mut self) -> Self {
        self.suite.kill();
        for place in PLACES {
            for state in ["armed", "reached"] {
                let _ = std::fs::remove_file(self.mark(place, state));
            }
        }
        let suite = self.suite.kill_and_restart(&self.fail_points, self.clock_secs).await.expect("it starts again");
        Self { suite, ..self }
    }
}
