//! A throw-away PostgreSQL cluster: made, started, and gone at the end, however the end comes.
//!
//! A watcher process holds the other end of a pipe. When this process ends (returns, panics, is interrupted or killed)
//! the pipe closes, and the watcher stops the server and removes its files.

use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::repo::{Repo, output, say};
use crate::tools;

/// Most bytes of a unix socket's path, less the name that PostgreSQL gives the socket.
const SOCKET_DIR_MAX: usize = 107 - "/.s.PGSQL.65535.lock".len();
/// Somebody else may take the free port before the server does.
const ATTEMPTS: u32 = 3;
/// Settings of a cluster whose data nobody misses.
const SETTINGS: &str = "-c fsync=off -c full_page_writes=off -c synchronous_commit=on -c shared_buffers=64MB \
     -c max_connections=300 -c max_wal_size=256MB -c log_min_messages=warning -c listen_addresses=127.0.0.1";

/// Waits for the pipe to close, whatever signals come meanwhile, then clears away.
const WATCHER: &str = r#"trap "" INT TERM HUP QUIT
cat >/dev/null
"$@" >/dev/null 2>&1
rm -rf "$LINLI_CLUSTER_DIR""#;

/// A running cluster.
pub(crate) struct Cluster {
    watcher: Child,
    bin: PathBuf,
    port: u16,
}

impl Cluster {
    /// Makes and starts a cluster.
    pub(crate) fn start(repo: &Repo) -> Result<Self> {
        let bin = tools::postgres_bin_dir(repo).context("no PostgreSQL binaries: apt-get install postgresql")?;
        let owner = Owner::find(repo)?;
        let dir = owner.directory(repo)?;
        let data = dir.join("data");
        // The watcher first: from here on everything is cleared away.
        let mut watcher = watch(&owner, &bin, &dir, &data)?;
        match serve(&owner, &bin, &dir, &data) {
            Ok(port) => Ok(Self { watcher, bin, port }),
            Err(error) => {
                clear_away(&mut watcher);
                Err(error)
            }
        }
    }

    /// URL of the superuser.
    pub(crate) fn url(&self) -> String {
        format!("postgres://linli@127.0.0.1:{}/postgres", self.port)
    }

    /// Directory of the server's binaries, for tests that start servers of their own.
    pub(crate) fn bin(&self) -> &Path {
        &self.bin
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        say("removing the throw-away PostgreSQL");
        clear_away(&mut self.watcher);
    }
}

fn clear_away(watcher: &mut Child) {
    drop(watcher.stdin.take());
    // Nothing can be done about a watcher that fails; target/ is cleared by hand then.
    let _ = watcher.wait();
}

fn watch(owner: &Owner, bin: &Path, dir: &Path, data: &Path) -> Result<Child> {
    let mut stop = owner.command(bin.join("pg_ctl"));
    stop.args(["stop", "-m", "immediate", "-w", "-D"]).arg(data);
    let mut watcher = Command::new("sh");
    watcher.args(["-c", WATCHER, "watcher"]).arg(stop.get_program()).args(stop.get_args());
    // A group of its own: Ctrl-C at the terminal must not reach it.
    watcher.env("LINLI_CLUSTER_DIR", dir).current_dir("/").stdin(Stdio::piped()).process_group(0);
    watcher.spawn().context("start a shell that clears the cluster away")
}

/// Makes the cluster and starts its server; returns the port.
fn serve(owner: &Owner, bin: &Path, dir: &Path, data: &Path) -> Result<u16> {
    say(&format!("making a throw-away PostgreSQL in {}", dir.display()));
    let mut init = owner.command(bin.join("initdb"));
    init.args(["--username=linli", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"]).arg(data);
    quietly(&mut init)?;
    let log = dir.join("log");
    for _ in 0..ATTEMPTS {
        let port = free_port()?;
        let mut start = owner.command(bin.join("pg_ctl"));
        start.args(["start", "-w", "-t", "60", "-D"]).arg(data).arg("-l").arg(&log);
        start.arg("-o").arg(format!("-p {port} -k {} {SETTINGS}", dir.display()));
        // Not `output()`: the server inherits what pg_ctl writes to, and would hold the pipe open.
        let status = start.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).status();
        if status.context("start pg_ctl")?.success() {
            return Ok(port);
        }
    }
    let log = std::fs::read_to_string(&log).unwrap_or_default();
    bail!("PostgreSQL does not start:\n{log}");
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("find a free port on the loopback address")?;
    Ok(listener.local_addr()?.port())
}

fn quietly(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("start {}", command.get_program().display()))?;
    if !output.status.success() {
        let mut stderr = std::io::stderr();
        stderr.write_all(&output.stdout)?;
        stderr.write_all(&output.stderr)?;
        bail!("{} failed ({})", command.get_program().display(), output.status);
    }
    Ok(())
}

/// Who runs the server: PostgreSQL refuses to be root.
enum Owner {
    /// Whoever runs xtask.
    Myself,
    /// A plain user, become by a program such as runuser.
    Other { user: String, su: Su },
}

enum Su {
    Runuser,
    Su,
}

impl Owner {
    fn find(repo: &Repo) -> Result<Self> {
        if output(repo.command("id").arg("-u")).as_deref() != Some("0") {
            return Ok(Self::Myself);
        }
        let exists = |user: &&str| output(repo.command("id").args(["-u", user])).is_some();
        let user = ["postgres", "nobody"].into_iter().find(exists);
        let user = user.context("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")?;
        let runs = |program: &str| output(repo.command(program).arg("--version")).is_some();
        let su = if runs("runuser") {
            Su::Runuser
        } else if runs("su") {
            Su::Su
        } else {
            bail!("PostgreSQL does not run as root, and there is neither runuser nor su: apt-get install util-linux");
        };
        Ok(Self::Other { user: user.to_owned(), su })
    }

    fn command(&self, program: PathBuf) -> Command {
        let mut command = match self {
            Self::Myself => Command::new(program),
            Self::Other { user, su: Su::Runuser } => {
                let mut command = Command::new("runuser");
                command.args(["-u", user, "--"]).arg(program);
                command
            }
            Self::Other { user, su: Su::Su } => {
                let mut command = Command::new("su");
                command.args(["-s", "/bin/sh", user, "-c", r#"exec "$0" "$@""#]).arg(program);
                command
            }
        };
        command.current_dir("/").stdin(Stdio::null()).env("LC_ALL", "C");
        command
    }

    /// A new directory that the owner can write: below target when it can be reached there, else a temporary one.
    fn directory(&self, repo: &Repo) -> Result<PathBuf> {
        let name = format!("linli-pg-{}", std::process::id());
        let candidates = [repo.target().to_owned(), std::env::temp_dir()];
        for parent in candidates {
            let dir = parent.join(&name);
            if dir.as_os_str().len() > SOCKET_DIR_MAX || std::fs::create_dir_all(&dir).is_err() {
                continue;
            }
            if self.owns(&dir) {
                return Ok(dir);
            }
            // Made above and still empty.
            let _ = std::fs::remove_dir(&dir);
        }
        bail!("no directory for PostgreSQL: neither target/ nor the temporary directory can be used by its user");
    }

    fn owns(&self, dir: &Path) -> bool {
        if let Self::Other { user, .. } = self
            && output(Command::new("chown").arg(user).arg(dir)).is_none()
        {
            return false;
        }
        let made = dir.join("made");
        output(self.command(PathBuf::from("mkdir")).arg(&made)).is_some() && std::fs::remove_dir(made).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_cluster_answers_and_is_gone_when_dropped() {
        let repo = Repo::find().unwrap();
        let cluster = Cluster::start(&repo).unwrap();
        let port = cluster.port;
        assert!(cluster.url().ends_with(&format!(":{port}/postgres")));
        assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
        drop(cluster);
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    }
}
