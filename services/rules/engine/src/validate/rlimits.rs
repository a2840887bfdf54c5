//! The limits that the validation child puts on itself, in two steps: to compile, then to run.
//! Never: raised by anything that a guest does.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use rustix::thread::set_no_new_privs;

use super::ValidateLimits;

/// Before anything of the plugin is looked at: little time, little address space, no new files, threads or programs.
pub(super) fn before_compiling(limits: &ValidateLimits) -> io::Result<()> {
    set_no_new_privs(true)?;
    cap(Resource::Core, 0)?;
    cap(Resource::Fsize, 0)?;
    // Standard input, output and error are open; no other file or socket can be.
    cap(Resource::Nofile, 3)?;
    // No further thread or process; what the engine needs runs already.
    cap(Resource::Nproc, 0)?;
    let compiling = limits.compile_seconds.min(limits.cpu_seconds);
    setrlimit(Resource::Cpu, Rlimit { current: Some(compiling), maximum: Some(limits.cpu_seconds + 1) })?;
    // Soft only: the next step swaps it for another kind of limit.
    let maximum = getrlimit(Resource::As).maximum;
    setrlimit(Resource::As, Rlimit { current: Some(limits.compile_bytes), maximum })?;
    Ok(())
}

/// Before anything of the plugin runs: an instance reserves more addresses than any address-space limit has, and uses
/// few of them, so that data is limited instead.
pub(super) fn before_running(limits: &ValidateLimits) -> io::Result<()> {
    cap(Resource::Data, limits.run_bytes)?;
    let maximum = getrlimit(Resource::Cpu).maximum;
    setrlimit(Resource::Cpu, Rlimit { current: Some(limits.cpu_seconds), maximum })?;
    let maximum = getrlimit(Resource::As).maximum;
    setrlimit(Resource::As, Rlimit { current: maximum, maximum })?;
    Ok(())
}

/// Whether a child was ended by its limit of processor time.
pub(super) fn is_out_of_time(status: ExitStatus) -> bool {
    status.signal() == Some(Signal::XCPU.as_raw())
}

/// Lowers a limit for good; never above what the child was started with.
fn cap(resource: Resource, value: u64) -> io::Result<()> {
    let value = getrlimit(resource).maximum.map_or(value, |maximum| maximum.min(value));
    setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) })?;
    Ok(())
}
