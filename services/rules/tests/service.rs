//! The rules service over its real stack, on each engine, with real plugins and a real validation child.

#[path = "service/bindings.rs"]
mod bindings;
#[path = "service/changes.rs"]
mod changes;
#[path = "service/evaluation.rs"]
mod evaluation;
#[path = "service/faults.rs"]
mod faults;
#[path = "service/policies.rs"]
mod policies;
#[path = "service/quotas.rs"]
mod quotas;
#[path = "service/resuming.rs"]
mod resuming;
#[path = "service/signatures.rs"]
mod signatures;
#[path = "service/suite.rs"]
mod suite;
#[path = "../engine/tests/sandbox/support.rs"]
#[allow(dead_code, reason = "shared with the tests of the engine")]
mod support;
#[path = "service/uploads.rs"]
mod uploads;
#[path = "service/verify.rs"]
mod verify;
