//! Resident memory of the all-in-one process after its demo.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::cpu;
use crate::report::say;

/// What the all-in-one process may keep.
const TARGET_MB: u64 = 128;

/// Words by which the demo says that it stays.
const STAYS: &str = "LINLI_TOKEN";

struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Plays the demo and measures; says the target when it was missed.
pub(crate) fn measure() -> Result<Option<String>> {
    let linli = std::env::current_exe()?.with_file_name("linli");
    let mut command = Command::new(&linli);
    command.args(["demo", "--keep"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut demo = Demo(command.spawn().with_context(|| linli.display().to_string())?);
    let (sender, lines) = channel();
    read(demo.0.stdout.take(), sender.clone());
    read(demo.0.stderr.take(), sender);
    let mut last = String::new();
    loop {
        match lines.recv_timeout(Duration::from_secs(600)) {
            Ok(line) if line.contains(STAYS) => break,
            Ok(line) => last = line,
            Err(_) => bail!("the demo did not say {STAYS:?}; its last words: {last}"),
        }
    }
    std::thread::sleep(Duration::from_secs(10));
    let mb = cpu::resident(demo.0.id())? / 1_000_000;
    let keeps = format!("resident 10 s after the demo: {mb} MB (target: under {TARGET_MB} MB)");
    say(&keeps);
    Ok((mb >= TARGET_MB).then_some(keeps))
}

fn read(pipe: Option<impl Read + Send + 'static>, sender: Sender<String>) {
    let Some(pipe) = pipe else { return };
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // Nobody listens any more once it was said.
            let _ = sender.send(line);
        }
    });
}
