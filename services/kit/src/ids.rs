//! Fresh ids: UUIDv7 by the suite's clock for recorded objects, random ones where time must not show.

use std::sync::{LazyLock, Mutex};

use linli_kernel::{Id, Timestamp};
use uuid::{ContextV7, Uuid};

static CONTEXT: LazyLock<Mutex<ContextV7>> = LazyLock::new(Mutex::default);

/// A new id whose order is the order of `now`, and within one instant the order of the calls in this process.
pub fn new_v7<I: Id>(now: Timestamp) -> I {
    let secs = u64::try_from(now.secs()).unwrap_or(0);
    I::from_uuid(Uuid::new_v7(uuid::Timestamp::from_unix(&*CONTEXT, secs, now.subsec_nanos().unsigned_abs())))
}

/// A new id that says nothing about time: for ballots and confidential letters.
pub fn new_random<I: Id>() -> I {
    I::from_uuid(Uuid::new_v4())
}

#[cfg(test)]
mod tests {
    use super::*;
    linli_kernel::define_id!(
        /// An id for these tests.
        #[allow(unreachable_pub, reason = "the macro makes public types; this one stays in its test")]
        TestId,
        "tst"
    );

    #[test]
    fn ids_made_in_a_row_sort_in_that_order() {
        let now = Timestamp::from_secs(1_790_000_000);
        let ids: Vec<TestId> = (0..100).map(|_| new_v7(now)).collect();
        assert!(ids.is_sorted());
        assert!(new_v7::<TestId>(now.plus_secs(1)) > ids[99]);
    }
}
