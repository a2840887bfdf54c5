//! A throw-away PostgreSQL that keeps its promises: fsync, synchronous_commit and full_page_writes stay on.
//!
//! A watcher holds the other end of a pipe: when this process ends, however it ends, the server is stopped and removed.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

/// What performance.md names; the rest is PostgreSQL's default, with durability on.
const SETTINGS: &str =
    "-c shared_buffers=2GB -c max_connections=100 -c listen_addresses='' -c log_min_messages=warning";

const WATCHER: &str = r#"trap "" INT TERM HUP QUIT
cat >/dev/null
"$@" >/dev/null 2>&1
rm -rf "$LINLI_CLUSTER_DIR""#;

/// A running cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    watcher: Child,
    bin: PathBuf,
    dir: PathBuf,
    postmaster: u32,
}

impl Cluster {
    /// Makes and starts one below `parent`, reachable by its unix socket only.
    pub(crate) fn start(bin: &Path, parent: &Path) -> Result<Self> {
        ensure!(bin.join("initdb").exists(), "there is no PostgreSQL in {}: say --postgres DIR", bin.display());
        let dir = parent.join(format!("linli-load-pg-{}", std::process::id()));
        let data = dir.join("data");
        std::fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&dir))?;
        }
        let mut stop = as_owner(&bin.join("pg_ctl"));
        stop.args(["stop", "-m", "immediate", "-w", "-D"]).arg(&data);
        let mut watcher = Command::new("sh");
        watcher.args(["-c", WATCHER, "watcher"]).arg(stop.get_program()).args(stop.get_args());
        watcher.env("LINLI_CLUSTER_DIR", &dir).current_dir("/").stdin(Stdio::piped()).process_group(0);
        let watcher = watcher.spawn().context("start a shell that clears the cluster away")?;
        let mut cluster = Self { watcher, bin: bin.to_owned(), dir, postmaster: 0 };
        let mut init = as_owner(&bin.join("initdb"));
        init.args(["--username=linli", "--auth=trust", "--encoding=UTF8", "--locale=C", "-D"]).arg(&data);
        run(&mut init)?;
        let mut start = as_owner(&bin.join("pg_ctl"));
        start.args(["start", "-w", "-t", "60", "-D"]).arg(&data).arg("-l").arg(cluster.dir.join("log"));
        start.arg("-o").arg(format!("-k {} {SETTINGS}", cluster.dir.display()));
        let started = start.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).status()?;
        ensure!(started.success(), "{}", std::fs::read_to_string(cluster.dir.join("log")).unwrap_or_default());
        let pid = std::fs::read_to_string(data.join("postmaster.pid"))?;
        cluster.postmaster = pid.lines().next().unwrap_or_default().trim().parse().context("postmaster.pid")?;
        Ok(cluster)
    }

    /// Its first process.
    pub(crate) fn postmaster(&self) -> u32 {
        self.postmaster
    }

    /// URL of a database, by the unix socket.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://linli@localhost/{database}?host={}", self.dir.display())
    }

    /// A client program of PostgreSQL, told where the cluster is.
    pub(crate) fn client(&self, program: &str, database: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.arg("-h").arg(&self.dir).args(["-U", "linli", "-d", database]);
        command
    }

    /// Runs SQL; returns unaligned rows.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> Result<String> {
        let mut psql = self.client("psql", database);
        run(psql.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-c", sql]))
    }

    /// Runs a file of SQL.
    pub(crate) fn sql_file(&self, database: &str, file: &Path) -> Result<String> {
        let mut psql = self.client("psql", database);
        run(psql.args(["-Xq", "-v", "ON_ERROR_STOP=1", "-f"]).arg(file))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        let _ = self.watcher.wait();
    }
}

/// Runs a program to its end; returns what it wrote.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// PostgreSQL refuses to be root.
fn as_owner(program: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/").env("LC_ALL", "C");
    command
}
