//! One fresh guest: its store, what it may still use, and the call.
//! Never: used twice; an instance lives for one call, so nothing leaks from one resident to the next.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wasmtime::component::{ComponentExportIndex, ComponentNamedList, Func, InstancePre, Lift, Lower, TypedFunc};
use wasmtime::{ResourceLimiter, Result, Store, StoreContextMut, Trap, UpdateDeadline};

use super::fault::Fault;
use super::host::Host;

/// A deadline counts the thread's own processor time; past this many ticks on the wall it comes regardless.
const MAX_WALL_TICKS: u64 = 1_000;

/// The state of one guest.
pub(super) struct Guest {
    max_memory: usize,
    max_table: usize,
    max_modules: usize,
    max_memories: usize,
    /// Whether growth was denied: a trap that follows is put down to it.
    denied: bool,
    deadline: Duration,
    /// Processor time of the thread when the deadline first came up.
    spent_at_first_tick: Option<Duration>,
    polls_left: u64,
}

impl ResourceLimiter for Guest {
    fn memory_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        self.denied |= desired > self.max_memory;
        Ok(desired <= self.max_memory)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        self.denied |= desired > self.max_table;
        Ok(desired <= self.max_table)
    }

    fn instances(&self) -> usize {
        self.max_modules
    }

    fn tables(&self) -> usize {
        self.max_memories
    }

    fn memories(&self) -> usize {
        self.max_memories
    }
}

/// What a call may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    pub(super) fuel: u64,
    pub(super) result_bytes: usize,
}

/// A fresh store with every limit set.
pub(super) fn store(host: &Host, allowance: Allowance) -> Result<Store<Guest>> {
    let Host { engine, limits, tick } = host;
    let guest = Guest {
        max_memory: limits.memory_bytes,
        max_table: limits.table_elements,
        max_modules: limits.modules as usize,
        max_memories: limits.memories as usize,
        denied: false,
        deadline: *tick * u32::try_from(limits.deadline_ticks).unwrap_or(u32::MAX),
        spent_at_first_tick: None,
        polls_left: MAX_WALL_TICKS,
    };
    let mut store = Store::new(engine, guest);
    store.limiter(|guest| guest);
    store.set_fuel(allowance.fuel)?;
    store.set_hostcall_fuel(allowance.result_bytes);
    store.set_epoch_deadline(limits.deadline_ticks);
    store.epoch_deadline_callback(at_deadline);
    Ok(store)
}

/// The function with its signature compared: that reads every type of the component anew, which of a plugin that was not
/// asked lately are in no cache.
pub(super) fn compared<P, R>(store: &Store<Guest>, function: Func) -> Result<TypedFunc<P, R>>
where
    P: ComponentNamedList + Lower,
    R: ComponentNamedList + Lift,
{
    function.typed(store)
}

/// Calls one exported function of a fresh instance, as `typed` takes it; returns its answer and the fuel that it took.
pub(super) fn call<P, R>(
    mut store: Store<Guest>,
    pre: &InstancePre<Guest>,
    function: &ComponentExportIndex,
    params: P,
    allowance: Allowance,
    typed: impl FnOnce(&Store<Guest>, Func) -> Result<TypedFunc<P, R>>,
) -> std::result::Result<(R, u64), Fault>
where
    P: ComponentNamedList + Lower,
    R: ComponentNamedList + Lift,
{
    let instance = match pre.instantiate(&mut store) {
        Ok(instance) => instance,
        Err(error) => return Err(not_instantiated(&error, &store, allowance)),
    };
    let outcome = match instance.get_func(&mut store, function) {
        Some(function) => typed(&store, function).and_then(|function| function.call(&mut store, params)),
        None => return Err(Fault::Host),
    };
    let fuel_left = store.get_fuel().unwrap_or(0);
    match outcome {
        Ok(answer) => Ok((answer, allowance.fuel.saturating_sub(fuel_left))),
        Err(error) => Err(Fault::from_call(&error, allowance.fuel, store.data().denied)),
    }
}

/// Why there is no instance: out of slots or of the system's memory, and then the guest has done nothing yet, or the
/// guest's own doing.
pub(super) fn not_instantiated(error: &wasmtime::Error, store: &Store<Guest>, allowance: Allowance) -> Fault {
    if !error.is::<Trap>() && !store.data().denied {
        return Fault::Busy;
    }
    Fault::from_call(error, allowance.fuel, store.data().denied)
}

/// The ticks are up. On a busy machine that may only mean that the thread did not run: what counts is the processor
/// time it had since.
fn at_deadline(mut store: StoreContextMut<'_, Guest>) -> Result<UpdateDeadline> {
    let spent = processor_time();
    let guest = store.data_mut();
    let first = *guest.spent_at_first_tick.get_or_insert(spent);
    guest.polls_left = guest.polls_left.saturating_sub(1);
    if guest.polls_left == 0 || spent.saturating_sub(first) >= guest.deadline {
        return Ok(UpdateDeadline::Interrupt);
    }
    Ok(UpdateDeadline::Continue(1))
}

fn processor_time() -> Duration {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(spent.tv_sec).unwrap_or(0), u32::try_from(spent.tv_nsec).unwrap_or(0))
}
