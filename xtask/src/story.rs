//! Clients that are not ours, against `linli demo --keep`: `tests/python/story.py`, which knows nothing but reflection, and the
//! calls that README shows, with buf; and whoever walks the tutorials of docs/plugins.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::demo::linli;
use crate::handoff::{Handoff, Listener};
use crate::repo::{Repo, output, run, say};
use crate::tools;

/// The demo plays seven days first.
const PATIENCE: Duration = Duration::from_secs(600);

/// Starts the suite, lets the clients tell their stories, stops the suite.
pub(crate) fn play(repo: &Repo) -> Result<()> {
    let help = output(linli(repo).args(["demo", "--help"])).unwrap_or_default();
    if !help.contains("--keep") {
        bail!("`linli demo` has no --keep: there is no suite for the client to talk to");
    }
    let python = tools::python(repo).context("no Python with grpcio: pip install grpcio grpcio-reflection")?;
    say("starting the suite: linli demo --keep");
    let mut demo = linli(repo);
    demo.args(["demo", "--keep"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut suite = Suite(demo.spawn().context("start linli demo")?);
    let handoff = suite.handoff()?;
    let mut story = repo.command(python);
    story.arg("tests/python/story.py").args(["--address", &handoff.address]).arg("--ca").arg(&handoff.ca);
    // Not an argument: those can be read by anybody on the machine, and are said aloud here.
    run(story.env("LINLI_TOKEN", &handoff.token))?;
    let mut calls = repo.command("tests/readme_calls.sh");
    calls.env("LINLI_ADDRESS", format!("https://{}", handoff.address)).env("LINLI_CA", &handoff.ca);
    run(calls.env("LINLI_TOKEN", &handoff.token))?;
    let mut tutorials = repo.command("tests/tutorials.sh");
    tutorials.env("LINLI_SERVER", format!("https://{}", handoff.address)).env("LINLI_CA", &handoff.ca);
    run(tutorials.env("LINLI_TOKEN", &handoff.operator).env("RESIDENT_TOKEN", &handoff.token))
}

/// The suite; stopped when dropped.
struct Suite(Child);

impl Drop for Suite {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Suite {
    /// Waits until the suite has said how to call it. Keeps reading afterwards, so that it never blocks on a full pipe.
    fn handoff(&mut self) -> Result<Handoff> {
        let (sender, lines) = channel();
        if let Some(stdout) = self.0.stdout.take() {
            read_lines(stdout, sender.clone());
        }
        if let Some(stderr) = self.0.stderr.take() {
            read_lines(stderr, sender);
        }
        listen(&lines)
    }
}

fn read_lines(pipe: impl Read + Send + 'static, sender: Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // Nobody listens any more once the handoff is known.
            let _ = sender.send(line);
        }
    });
}

fn listen(lines: &Receiver<String>) -> Result<Handoff> {
    let deadline = Instant::now() + PATIENCE;
    let mut listener = Listener::default();
    let mut last = Vec::new();
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                if let Some(handoff) = listener.hear(&line) {
                    return Ok(handoff);
                }
                last.push(line);
                let surplus = last.len().saturating_sub(20);
                last.drain(..surplus);
            }
            Err(RecvTimeoutError::Timeout) => bail!("the suite did not say how to call it; last:\n{}", last.join("\n")),
            Err(RecvTimeoutError::Disconnected) => bail!("the suite ended; last:\n{}", last.join("\n")),
        }
    }
}
