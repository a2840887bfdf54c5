//! Stories through the gateway, on both engines, with every service in one process; `tests/faults` plays one over sockets.

#[cfg(test)]
mod cli;
#[cfg(test)]
mod concurrency;
#[cfg(test)]
mod deployment;
#[cfg(test)]
mod edge;
#[cfg(test)]
mod leaving;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod markers;
#[cfg(test)]
mod profiles;
#[cfg(test)]
mod revocation;
#[cfg(test)]
mod rule_desk;
#[cfg(test)]
mod rule_life;
#[cfg(test)]
mod rule_origin;
#[cfg(test)]
mod setting;
