//! What only a living cluster knows: the steps of the workflows after its deploy. One file per step.

mod daemon_stop;
mod delete;
mod drain;
mod drain_undo;
mod find_resources;
mod hdfs_stop;
mod nfs_unmount;
mod power;
mod see_gone;

pub use daemon_stop::{Daemon, DaemonStop};
pub(crate) use delete::delete_steps;
pub use delete::{Delete, Deleted, Ended, Together};
pub use drain::{DrainAgent, Drained, DrainedBy};
pub use drain_undo::{ReactivateAgent, Reactivated};
pub use find_resources::FindResources;
pub use hdfs_stop::HdfsStop;
pub use nfs_unmount::NfsUnmount;
pub use power::{Halted, StartMachine, StopMachine};
pub use see_gone::{Gone, Past, SeeGone};
