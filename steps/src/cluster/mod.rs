//! The cluster's own types: what the user asks for, and what it is made of.

mod amend;
mod changes;
mod ec2;
mod exposure;
mod flags;
mod hosts;
mod identity;
pub(crate) mod input;
mod listed;
mod members;
mod nodes;
pub(crate) mod ports;
mod provider_kind;
mod root_disk;
mod secrets;
mod software;
mod spec;
pub(crate) mod urls;
mod validate;
mod validate_ec2;
mod validate_hosts;
mod validate_mesos;
mod validate_software;

pub use changes::{Change, FixedFlag, change_of, fixed_flags, is_nobodys, keys};
pub use ec2::{AWS_ENDPOINT, Ec2Spec, LATEST, MachineType, VolumeSpec};
pub(crate) use flags::{Flag, flag_value, flags};
pub use hosts::{FirewallChoice, HostSpec, HostsSpec};
pub use nodes::{
    HostKeySource, Instance, Inventory, MEETING_PLACE, MESOS_MASTER_PORT, Member, Node, Role, ZOOKEEPER_PORT,
};
pub use provider_kind::ProviderKind;
pub use root_disk::LEAST_ROOT_GB;
pub(crate) use software::Tarball;
pub use software::{SoftwareSource, SoftwareSpec};
pub use spec::{
    ClusterSpec, DisksSpec, FrameworksSpec, HdfsSpec, LocalSpec, MadeBy, MesosSource, MesosSpec,
    MountFallback, NfsServerChoice, SharedVolumeSpec, SparkSpec, SshSpec, ZookeeperSpec,
};
pub use validate::{MAX_CLUSTER_NAME, MAX_NODES, SpecError};
#[cfg(feature = "ec2")]
pub(crate) use validate_ec2::{TAG_VALUE_LENGTH, is_shown_to_machines};
