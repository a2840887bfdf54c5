//! What a guest may use, and the engine settings that hold it to that.
//! Never: read from the environment; the service passes it in.

use std::time::Duration;

use wasmtime::{Enabled, InstanceAllocationStrategy, OperatorCost, PoolingAllocationConfig};

use super::kept::Kept;

/// Where instances live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allocation {
    /// In a pool of so many slots (see [`Limits::instances`]), reserved at start: fast, for evaluation.
    Pool,
    /// Each for itself: slow, for the validation child under its data limit.
    OnDemand,
}

/// Limits of one engine. Those of the guests are part of the contract with authors: two engines that differ in them
/// may differ in their answers.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Where instances live.
    pub allocation: Allocation,
    /// How many bytes of loaded plugins are kept in memory.
    pub cached_bytes: u64,
    /// Length of a tick.
    pub tick: Duration,
    /// For guests that are compiled to wasm.
    pub native: Limits,
    /// For script engines with a script in them; their pool is reserved with the first of them.
    pub script: Limits,
    /// Where compiled plugins are kept from one start to the next.
    pub kept: Option<Kept>,
}

/// What a guest of one kind may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many of them exist at once, where they live in a pool.
    pub instances: u32,
    /// Fuel of an evaluation without lists.
    pub fuel_base: u64,
    /// Fuel on top per list entry of the request.
    pub fuel_per_item: u64,
    /// Fuel of `describe` and of `check-settings`.
    pub fuel_meta: u64,
    /// Processor time of one evaluation, in ticks.
    pub deadline_ticks: u64,
    /// The largest linear memory.
    pub memory_bytes: usize,
    /// Memory that a pool slot keeps between two instances.
    pub keep_resident_bytes: usize,
    /// The largest table.
    pub table_elements: usize,
    /// The stack.
    pub stack_bytes: usize,
    /// The largest answer of a hook.
    pub result_bytes: usize,
    /// The largest manifest.
    pub manifest_bytes: usize,
    /// Core modules of one guest.
    pub modules: u32,
    /// Memories and tables of one guest, each.
    pub memories: u32,
    /// Whether an instance's memory starts as a view of the module's, copied page by page on writing: pays for those
    /// that start with much and write little.
    pub copy_on_write: bool,
}

impl Limits {
    /// For guests that are compiled to wasm.
    pub const fn native() -> Self {
        Self {
            instances: 256,
            fuel_base: 500_000,
            fuel_per_item: 500,
            fuel_meta: 2_000_000,
            deadline_ticks: 5,
            memory_bytes: 2 << 20,
            keep_resident_bytes: 128 << 10,
            table_elements: 1_024,
            stack_bytes: 256 << 10,
            result_bytes: 16 << 10,
            manifest_bytes: 64 << 10,
            modules: 1,
            memories: 1,
            copy_on_write: false,
        }
    }

    /// For script engines with a script in them.
    pub const fn script() -> Self {
        Self {
            instances: 64,
            fuel_base: 5_000_000,
            fuel_per_item: 25_000,
            fuel_meta: 20_000_000,
            deadline_ticks: 25,
            memory_bytes: 24 << 20,
            keep_resident_bytes: 1 << 20,
            table_elements: 8_192,
            stack_bytes: 512 << 10,
            result_bytes: 64 << 10,
            manifest_bytes: 64 << 10,
            modules: 32,
            memories: 8,
            copy_on_write: true,
        }
    }

    /// The fuel of a request with so many list entries; what a fault is billed.
    pub fn budget(&self, list_items: usize) -> u64 {
        let items = u64::try_from(list_items).unwrap_or(u64::MAX);
        self.fuel_base.saturating_add(self.fuel_per_item.saturating_mul(items))
    }

    /// So many at once, and no fewer than one for each core that evaluates and one for each that loads.
    fn at_once(self, instances: u32) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self { instances: instances.max(u32::try_from(cores * 2).unwrap_or(u32::MAX)), ..self }
    }

    pub(super) fn wasmtime(&self, allocation: Allocation) -> wasmtime::Config {
        let mut config = wasmtime::Config::new();
        config
            .consume_fuel(true)
            .operator_cost(operator_cost())
            .epoch_interruption(true)
            .concurrency_support(false)
            .cranelift_nan_canonicalization(true)
            .max_wasm_stack(self.stack_bytes)
            .memory_init_cow(self.copy_on_write)
            .wasm_backtrace_max_frames(None)
            .wasm_component_model(true)
            .wasm_relaxed_simd(false)
            .wasm_memory64(false)
            .wasm_tail_call(false)
            .wasm_wide_arithmetic(false)
            .wasm_custom_page_sizes(false);
        if allocation == Allocation::Pool {
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(self.pool()));
        }
        config
    }

    fn pool(&self) -> PoolingAllocationConfig {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(self.instances)
            .total_core_instances(self.instances * self.modules)
            .total_memories(self.instances * self.memories)
            .total_tables(self.instances * self.memories)
            .max_core_instances_per_component(self.modules)
            .max_memories_per_component(self.memories)
            .max_tables_per_component(self.memories)
            .max_memories_per_module(1)
            .max_tables_per_module(1)
            .max_memory_size(self.memory_bytes)
            .table_elements(self.table_elements)
            .linear_memory_keep_resident(self.keep_resident_bytes)
            .table_keep_resident(self.table_elements * size_of::<usize>());
        if self.copy_on_write {
            pool.pagemap_scan(Enabled::Auto);
        } else {
            // A slot that is cleared anyway is as good for any plugin: the one used last is in the processor's cache.
            pool.max_unused_warm_slots(0);
        }
        pool
    }
}

impl EngineConfig {
    /// For one process that runs everything: little memory.
    pub fn embedded() -> Self {
        let (native, script) = (Limits::native().at_once(16), Limits::script().at_once(4));
        Self { cached_bytes: 32 << 20, native, script, ..Self::server() }
    }

    /// For a process that runs rules alone.
    pub fn server() -> Self {
        Self {
            allocation: Allocation::Pool,
            cached_bytes: 160 << 20,
            tick: Duration::from_millis(1),
            native: Limits::native().at_once(256),
            script: Limits::script().at_once(64),
            kept: None,
        }
    }

    /// For the validation child: the same limits, no pool.
    pub fn validation() -> Self {
        Self { allocation: Allocation::OnDemand, cached_bytes: 0, ..Self::server() }
    }
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self::embedded()
    }
}

/// The defaults undercharge what takes long: growing, and bulk operations.
fn operator_cost() -> OperatorCost {
    const GROW: u8 = 255;
    const BULK: u8 = 64;
    let mut cost = OperatorCost::new();
    (cost.MemoryGrow, cost.TableGrow) = (GROW, GROW);
    (cost.MemoryCopy, cost.MemoryFill, cost.MemoryInit) = (BULK, BULK, BULK);
    (cost.TableCopy, cost.TableFill, cost.TableInit) = (BULK, BULK, BULK);
    cost.variable.memory_grow_per_page = GROW;
    cost.variable.table_grow_per_element = GROW;
    cost
}
