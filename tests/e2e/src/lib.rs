//! Stories through the gateway, on both engines and in both wirings.

#[cfg(test)]
mod concurrency;
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
mod setting;
