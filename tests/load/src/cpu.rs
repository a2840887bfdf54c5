//! Processor time from `/proc`: of processes, of a PostgreSQL with its backends, of the machine.

use std::time::Duration;

use anyhow::{Context as _, Result};

/// Ticks a second of the kernel's accounting; 100 on every Linux that matters.
const TICKS: u64 = 100;

/// Busy and whole time of all cores since the machine started.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Machine {
    busy: Duration,
    whole: Duration,
}

impl Machine {
    /// Reads it.
    pub(crate) fn read() -> Result<Self> {
        let text = std::fs::read_to_string("/proc/stat").context("/proc/stat")?;
        let line = text.lines().next().context("a first line")?;
        let ticks: Vec<u64> = line.split_ascii_whitespace().skip(1).take(8).flat_map(str::parse).collect();
        let whole: u64 = ticks.iter().sum();
        // user nice system idle iowait irq softirq steal
        let idle = ticks.get(3).copied().unwrap_or(0) + ticks.get(4).copied().unwrap_or(0);
        Ok(Self { busy: time(whole - idle), whole: time(whole) })
    }

    /// Of all processor time since `before`, the part that went to something else than `ours`.
    pub(crate) fn others_since(self, before: Self, ours: Duration) -> f64 {
        let whole = (self.whole - before.whole).as_secs_f64().max(0.01);
        ((self.busy - before.busy).as_secs_f64() - ours.as_secs_f64()).max(0.0) / whole
    }
}

fn time(ticks: u64) -> Duration {
    Duration::from_millis(ticks * 1000 / TICKS)
}

/// The fields of a process after its name, or `None` when it is gone.
fn fields(pid: u32) -> Option<Vec<u64>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let rest = text.rsplit_once(')')?.1;
    Some(rest.split_ascii_whitespace().skip(1).map(|f| f.parse().unwrap_or(0)).collect())
}

/// Processor time of a process (fields 14 and 15 of `stat`); zero when it is gone.
pub(crate) fn process(pid: u32) -> Duration {
    fields(pid).map_or(Duration::ZERO, |f| time(f[10] + f[11]))
}

/// Processor time of the children that this process has waited for.
pub(crate) fn waited() -> Duration {
    fields(std::process::id()).map_or(Duration::ZERO, |f| time(f[12] + f[13]))
}

/// Processor time of a process, its living children and those that it has waited for.
pub(crate) fn family(pid: u32) -> Duration {
    let Some(own) = fields(pid) else { return Duration::ZERO };
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let children = pids.filter_map(fields).filter(|f| f[0] == u64::from(pid));
    time(own[10] + own[11] + own[12] + own[13] + children.map(|f| f[10] + f[11]).sum::<u64>())
}

/// Resident bytes of a process.
pub(crate) fn resident(pid: u32) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).context("the process is gone")?;
    let line = text.lines().find_map(|l| l.strip_prefix("VmRSS:")).context("VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().context("VmRSS")?;
    Ok(kib * 1024)
}

/// Keeps the calling thread, and what it starts, on one core.
pub(crate) fn stay_on(core: usize) -> Result<()> {
    let mut set = rustix::thread::CpuSet::new();
    set.set(core);
    rustix::thread::sched_setaffinity(None, &set).context("keep to one core")
}

/// Cores of this machine.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory_and_some_time() {
        let me = std::process::id();
        assert!(resident(me).expect("a size") > 100_000);
        assert!(family(me) >= process(me));
        assert!(Machine::read().expect("the machine").whole > Duration::ZERO);
    }
}
