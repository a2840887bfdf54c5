//! What must survive: processes killed between steps, replies that never arrive, services behind sockets.
//!
//! Uses the built binary (`cargo xtask test` builds it). Each test has its own databases and processes. The guards that these
//! tests rest on are broken on purpose in tests of their own, which see the double effect.

#[cfg(test)]
mod ballots;
#[cfg(test)]
mod books;
#[cfg(test)]
mod priced_booking;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod replies;
#[cfg(test)]
mod sockets;
#[cfg(test)]
mod stand;
