//! The system calls that are left to a validation child: those that compute, keep memory and time, and answer.
//! Never: one that opens, connects, starts or signals anything; such a call fails with EPERM.

/// Takes all other calls away, from every thread and for good; says why where the kernel or the platform cannot.
#[cfg(target_os = "linux")]
pub(super) fn restrict() -> Result<(), String> {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

    without_memory_files()?;
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let arch = std::env::consts::ARCH.try_into().map_err(|error: seccompiler::BackendError| error.to_string())?;
    let rules = linux::rules().map_err(|error| error.to_string())?;
    let filter = SeccompFilter::new(rules, refuse, SeccompAction::Allow, arch).map_err(|error| error.to_string())?;
    let program: BpfProgram = filter.try_into().map_err(|error: seccompiler::BackendError| error.to_string())?;
    seccompiler::apply_filter_all_threads(&program).map_err(|error| error.to_string())
}

/// Memory files do not exist for the child: told so, wasmtime fills memories without them.
#[cfg(target_os = "linux")]
fn without_memory_files() -> Result<(), String> {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

    let absent = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let arch = std::env::consts::ARCH.try_into().map_err(|error: seccompiler::BackendError| error.to_string())?;
    let rules = [(libc::SYS_memfd_create, Vec::new())].into();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, absent, arch).map_err(|error| error.to_string())?;
    let program: BpfProgram = filter.try_into().map_err(|error: seccompiler::BackendError| error.to_string())?;
    seccompiler::apply_filter_all_threads(&program).map_err(|error| error.to_string())
}

/// There is no such filter elsewhere.
#[cfg(not(target_os = "linux"))]
pub(super) fn restrict() -> Result<(), String> {
    Err("this system filters no system calls".to_owned())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;

    use seccompiler::{
        BackendError, SeccompCmpArgLen as Width, SeccompCmpOp as Is, SeccompCondition as Argument, SeccompRule,
    };

    /// Without conditions: no argument of theirs reaches beyond the process.
    const FREE: [i64; 28] = [
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_close,
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_mprotect,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_brk,
        libc::SYS_membarrier,
        // Let through here, for the filter that says that it does not exist.
        libc::SYS_memfd_create,
        libc::SYS_futex,
        libc::SYS_clock_gettime,
        libc::SYS_clock_nanosleep,
        libc::SYS_nanosleep,
        libc::SYS_restart_syscall,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sigaltstack,
        libc::SYS_sched_yield,
        libc::SYS_sched_getaffinity,
        libc::SYS_getrandom,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ];

    pub(super) fn rules() -> Result<BTreeMap<i64, Vec<SeccompRule>>, BackendError> {
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> = FREE.into_iter().map(|call| (call, Vec::new())).collect();
        // Limits of the process itself, which are swapped between compiling and running.
        let own = Argument::new(0, Width::Dword, Is::Eq, 0)?;
        rules.insert(libc::SYS_prlimit64, vec![SeccompRule::new(vec![own])?]);
        Ok(rules)
    }
}
