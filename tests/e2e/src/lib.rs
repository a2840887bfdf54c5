//! Stories through the gateway, on both engines and in both wirings.

#[cfg(test)]
mod edge;
#[cfg(test)]
mod profiles;
