//! The check of an uploaded plugin, in a child process that can be killed.
//! Never: offers bytes to a community that were not compiled and tried here first.
//!
//! The child is the same binary, started with [`ARGUMENT`] as its only argument and an empty environment; `main`
//! hands over to [`child_main`] before it does anything else. The request comes on its standard input, the stages it
//! passes and its report go to its standard output.

mod child;
pub(crate) mod corpus;
mod problem;
mod rlimits;
mod syscalls;
mod wire;

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::Once;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time;

use crate::manifest::Manifest;
use crate::types::Setting;
use crate::{Caps, CompiledCode, Digest, Hook, Kind, Vector, kind_of};
use wire::Header;

pub use child::{child_main, probe};
pub use problem::{Problem, ProblemCode};

/// The hidden argument that makes the binary a validation child.
pub const ARGUMENT: &str = "__validate-plugin";

/// What one validation may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidateLimits {
    /// Time on the wall, after which the child is killed.
    pub wall: Duration,
    /// Processor time in all, in full seconds.
    pub cpu_seconds: u64,
    /// Processor time of it until the plugin is compiled: what compiles for longer would hold up those who load it.
    pub compile_seconds: u64,
    /// Address space while compiling.
    pub compile_bytes: u64,
    /// Data while running.
    pub run_bytes: u64,
}

impl Default for ValidateLimits {
    fn default() -> Self {
        Self {
            wall: Duration::from_secs(10),
            cpu_seconds: 5,
            compile_seconds: 2,
            compile_bytes: 1 << 30,
            run_bytes: 256 << 20,
        }
    }
}

impl ValidateLimits {
    /// A script engine is forty times as large as a native plugin, and compiles for as many seconds.
    fn of(self, kind: Kind) -> Self {
        const SCRIPT: u32 = 4;
        if kind != Kind::Script {
            return self;
        }
        let times = u64::from(SCRIPT);
        Self {
            wall: self.wall * SCRIPT,
            cpu_seconds: self.cpu_seconds * times,
            compile_seconds: self.compile_seconds * times,
            ..self
        }
    }
}

/// What the validation found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Everything that speaks against the plugin; empty means that it may be offered to a community.
    pub problems: Vec<Problem>,
    /// What the plugin says about itself, where it got that far.
    pub manifest: Option<Manifest>,
    /// How it is made, and so what it may use.
    pub kind: Option<Kind>,
    /// The hooks that it exports.
    pub hooks: Vec<Hook>,
    /// How many calls of hooks were tried, each twice.
    pub cases: u32,
    /// How many of the author's cases came out as they should.
    pub vectors: u32,
    /// The fuel of the most expensive call, in relation to its budget.
    pub peak_fuel: u64,
    /// The budget of that call.
    pub peak_fuel_budget: u64,
    /// What it was compiled to, where all of it was tried: for [`Engine::keep`](crate::Engine::keep).
    #[serde(skip)]
    pub compiled: Option<CompiledCode>,
}

impl Report {
    /// Whether nothing speaks against the plugin.
    pub fn is_acceptable(&self) -> bool {
        self.problems.is_empty()
    }

    /// The share of its budget that the most expensive call took; authors are warned at 50 and at 80.
    pub fn peak_fuel_percent(&self) -> u64 {
        self.peak_fuel.saturating_mul(100).checked_div(self.peak_fuel_budget).unwrap_or(0)
    }

    fn of(problem: Problem) -> Self {
        Self { problems: vec![problem], ..Self::default() }
    }
}

/// More than any report: what a child says beyond that is cut off.
const MAX_OUTPUT_BYTES: u64 = 1 << 20;
/// More than a script engine compiles to.
const MAX_CODE_BYTES: u64 = 64 << 20;

/// Validates a plugin, every hook of it with these settings, in a child of the binary at `exe_path`.
///
/// An error means that the child could not be started, and says nothing about the plugin. Dropping the future kills
/// the child.
pub async fn run(exe_path: &Path, bytes: &[u8], limits: &ValidateLimits, settings: &[Setting]) -> io::Result<Report> {
    run_vectors(exe_path, bytes, limits, settings, &[]).await
}

/// The same, and the author's own cases have to come out as they should.
pub async fn run_vectors(
    exe_path: &Path,
    bytes: &[u8],
    limits: &ValidateLimits,
    settings: &[Setting],
    vectors: &[Vector],
) -> io::Result<Report> {
    let (settings, vectors) = (settings.to_vec(), vectors.to_vec());
    examine(exe_path, bytes, Header { limits: *limits, settings, hook: None, keep: true, vectors }).await
}

/// The same for one hook alone: whether a plugin may be bound to it with these settings.
pub async fn run_hook(
    exe_path: &Path,
    bytes: &[u8],
    limits: &ValidateLimits,
    settings: &[Setting],
    hook: Hook,
) -> io::Result<Report> {
    let hook = Some(hook);
    let header = Header { limits: *limits, settings: settings.to_vec(), hook, ..Header::default() };
    examine(exe_path, bytes, header).await
}

async fn examine(exe_path: &Path, bytes: &[u8], header: Header) -> io::Result<Report> {
    let kind = kind_of(bytes);
    let max = Caps::of(kind).bytes;
    if bytes.len() > max {
        return Ok(Report::of(Problem::too_large(bytes.len(), max)));
    }
    let limits = header.limits.of(kind);
    let header = Header { limits, ..header };
    let request = wire::encode_request(&header, bytes)?;
    let mut child = Command::new(exe_path)
        .arg(ARGUMENT)
        .env_clear()
        // jemalloc, where the binary has it, would start threads of its own after the child has given threads up.
        .env("MALLOC_CONF", "background_thread:false")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;

    let (mut output, mut code) = (Vec::new(), Vec::new());
    let finished = time::timeout(limits.wall, converse(&mut child, &request, &mut output, &mut code)).await;
    if let Some(why) = wire::unfiltered(&output) {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| tracing::warn!(why, "plugins are validated without a filter of system calls"));
    }
    let Ok(status) = finished else {
        child.kill().await?;
        return Ok(Report::of(Problem::timed_out(wire::last_stage(&output))));
    };
    let status = status?;
    if let Some(mut report) = wire::decode_report(&output) {
        if report.is_acceptable()
            && let Some(code) = wire::compiled(&output).and_then(|len| code.get(..len))
        {
            report.compiled = Some(CompiledCode { kind, digest: Digest::of(bytes), bytes: code.to_vec() });
        }
        tracing::debug!(digest = %Digest::of(bytes), problems = report.problems.len(), "plugin validated");
        return Ok(report);
    }
    let stage = wire::last_stage(&output);
    Ok(Report::of(if rlimits::is_out_of_time(status) {
        Problem::timed_out(stage)
    } else {
        Problem::crashed(stage, &status.to_string())
    }))
}

/// Feeds the child and listens to it at once, so that neither waits for the other for ever.
async fn converse(
    child: &mut Child,
    request: &[u8],
    output: &mut Vec<u8>,
    code: &mut Vec<u8>,
) -> io::Result<std::process::ExitStatus> {
    let stdin = child.stdin.take();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A child that dies early closes its end: its status tells, not this error.
            let _closed_early = stdin.write_all(request).await;
        }
    };
    let listen = async {
        match stdout {
            Some(stdout) => stdout.take(MAX_OUTPUT_BYTES).read_to_end(output).await,
            None => Ok(0),
        }
    };
    let take_over = async {
        match stderr {
            Some(stderr) => stderr.take(MAX_CODE_BYTES).read_to_end(code).await,
            None => Ok(0),
        }
    };
    let ((), heard, taken) = tokio::join!(feed, listen, take_over);
    heard?;
    taken?;
    child.wait().await
}
