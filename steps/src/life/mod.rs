//! What only a living cluster knows: the steps of the workflows after its deploy. One file per step.

mod delete;
mod find_resources;
mod hdfs_stop;
mod nfs_stop;
mod power;
mod see_gone;
mod zookeeper_stop;

pub(crate) use delete::delete_steps;
pub use delete::{
    CancelSpotRequests, Delete, DeleteGroups, DeleteMachines, DeleteNetworks, DeleteRules, DeleteVolumes,
    Ended, ReleaseHosts, Together,
};
pub use find_resources::FindResources;
pub use hdfs_stop::{HdfsStop, PersistentHdfsStop, StopHdfs};
pub use nfs_stop::{NfsStop, NfsUnmount};
pub use power::{Halted, StartMachine, StopMachine};
pub use see_gone::{Gone, Past, SeeGone};
pub use zookeeper_stop::ZookeeperStop;
