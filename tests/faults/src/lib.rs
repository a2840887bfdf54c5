//! What must survive: processes killed between steps, replies that never arrive, services behind sockets.
//!
//! Uses the built binary (`cargo xtask test` builds it). Each test has its own databases and processes.

#[cfg(test)]
mod priced_booking;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod replies;
#[cfg(test)]
mod sockets;
