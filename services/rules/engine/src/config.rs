//! What a guest may use, and the engine settings that hold it to that.
//! Never: read from the environment; the service passes it in.

use std::time::Duration;

use wasmtime::{InstanceAllocationStrategy, OperatorCost, PoolingAllocationConfig};

/// Where instances live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allocation {
    /// In a pool of so many slots, reserved at start: fast, for evaluation.
    Pool {
        /// How many instances exist at once.
        instances: u32,
    },
    /// Each for itself: slow, for the validation child under its data limit.
    OnDemand,
}

/// Limits of one engine. The allocation aside, they are part of the contract with authors: two engines that differ
/// in them may differ in their answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineConfig {
    /// Where instances live.
    pub allocation: Allocation,
    /// How many compiled plugins are kept.
    pub cached_plugins: u64,
    /// Fuel of an evaluation without lists.
    pub fuel_base: u64,
    /// Fuel on top per list entry of the request.
    pub fuel_per_item: u64,
    /// Fuel of `describe` and of `check-settings`.
    pub fuel_meta: u64,
    /// Processor time of one evaluation, in ticks.
    pub deadline_ticks: u64,
    /// Length of a tick.
    pub tick: Duration,
    /// The largest linear memory.
    pub memory_bytes: usize,
    /// Memory that a pool slot keeps between two instances.
    pub keep_resident_bytes: usize,
    /// The largest table.
    pub table_elements: usize,
    /// The largest answer of a hook.
    pub result_bytes: usize,
    /// The largest manifest.
    pub manifest_bytes: usize,
}

impl EngineConfig {
    /// For one process that runs everything: little memory.
    pub fn embedded() -> Self {
        Self { allocation: pool_of(16), cached_plugins: 64, ..Self::server() }
    }

    /// For a process that runs rules alone.
    pub fn server() -> Self {
        Self {
            allocation: pool_of(256),
            cached_plugins: 1_024,
            fuel_base: 500_000,
            fuel_per_item: 500,
            fuel_meta: 2_000_000,
            deadline_ticks: 5,
            tick: Duration::from_millis(1),
            memory_bytes: 2 << 20,
            keep_resident_bytes: 128 << 10,
            table_elements: 1_024,
            result_bytes: 16 << 10,
            manifest_bytes: 64 << 10,
        }
    }

    /// For the validation child: the same limits, no pool.
    pub fn validation() -> Self {
        Self { allocation: Allocation::OnDemand, cached_plugins: 1, ..Self::server() }
    }

    /// The fuel of a request with so many list entries; what a fault is billed.
    pub fn budget(&self, list_items: usize) -> u64 {
        let items = u64::try_from(list_items).unwrap_or(u64::MAX);
        self.fuel_base.saturating_add(self.fuel_per_item.saturating_mul(items))
    }

    pub(super) fn wasmtime(&self) -> wasmtime::Config {
        let mut config = wasmtime::Config::new();
        config
            .consume_fuel(true)
            .operator_cost(operator_cost())
            .epoch_interruption(true)
            .concurrency_support(false)
            .cranelift_nan_canonicalization(true)
            .max_wasm_stack(256 << 10)
            .memory_init_cow(false)
            .wasm_backtrace_max_frames(None)
            .wasm_component_model(true)
            .wasm_relaxed_simd(false)
            .wasm_memory64(false)
            .wasm_tail_call(false)
            .wasm_wide_arithmetic(false)
            .wasm_custom_page_sizes(false);
        if let Allocation::Pool { instances } = self.allocation {
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(self.pool(instances)));
        }
        config
    }

    fn pool(&self, instances: u32) -> PoolingAllocationConfig {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(instances)
            .total_core_instances(instances)
            .total_memories(instances)
            .total_tables(instances)
            .max_core_instances_per_component(1)
            .max_memories_per_component(1)
            .max_tables_per_component(1)
            .max_memories_per_module(1)
            .max_tables_per_module(1)
            .max_memory_size(self.memory_bytes)
            .table_elements(self.table_elements)
            .linear_memory_keep_resident(self.keep_resident_bytes)
            .table_keep_resident(self.table_elements * size_of::<usize>());
        pool
    }
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self::embedded()
    }
}

/// A pool of so many instances, and no fewer than one for each core that evaluates and one for each that loads.
fn pool_of(instances: u32) -> Allocation {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    Allocation::Pool { instances: instances.max(u32::try_from(cores * 2).unwrap_or(u32::MAX)) }
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
