//! What a machine of a stock image lacks: its system's packages, and Hadoop, Spark and ZooKeeper.
//!
//! The packages are installed by `await-nodes` ([`complete`]), since the steps after it need rsync. The rest is [`Software`],
//! a part of `setup-master` and `setup-nodes`: the first master downloads two archives, or the tarballs that were chosen
//! instead ([`Choice`]), and lays them out under `/opt/mesosflow`; the others get that folder from it. mesosflow's own image has been laid out by the same script, and a
//! mark that holds the script's digest says so; then there is nothing to do.

mod choice;
mod donor;
mod layout;
mod packages;
mod recipe;
#[cfg(test)]
mod tests;

pub(crate) use choice::Choice;
pub(crate) use layout::LAY_OUT_LIMIT;
pub(crate) use layout::Software;
pub(crate) use layout::claim_homes;
pub(crate) use packages::complete;
