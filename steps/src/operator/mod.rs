//! What an operator asks of Mesos' leading master over HTTP: how agents stand, and that they are taken out of work and put back.

mod ask;
mod ground;
mod schedule;
mod sight;
#[cfg(test)]
mod tests;

pub(crate) use ask::Operator;
pub(crate) use ground::Ground;
pub(crate) use schedule::{MachineId, Mode, Schedule};
pub(crate) use sight::{Agent, DrainState, Sight, Standing, Version, standings};
