//! What only a living cluster knows: the steps of the workflows after its deploy. One file per step.

mod daemon_stop;
mod decommission;
mod delete;
mod drain;
mod drain_undo;
mod find_resources;
mod forget_datanodes;
mod hdfs_stop;
mod nfs_unmount;
mod patience;
mod power;
mod recommission;
mod see_gone;
mod settle_launches;
mod standing;

pub use daemon_stop::{Daemon, DaemonStop};
pub use decommission::{Decommission, Decommissioned};
pub(crate) use delete::delete_steps;
pub use delete::{Delete, Deleted, Ended, Together};
pub use drain::{DrainAgent, Drained, DrainedBy};
pub use drain_undo::{ReactivateAgent, Reactivated};
pub use find_resources::FindResources;
pub use forget_datanodes::ForgetDatanodes;
pub use hdfs_stop::HdfsStop;
pub use nfs_unmount::NfsUnmount;
pub use power::{Halted, StartMachine, StopMachine};
pub use recommission::Recommission;
pub use see_gone::{Gone, Past, SeeGone};
pub use settle_launches::SettleLaunches;
