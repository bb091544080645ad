//! What is known of EC2 without asking it, and without a client for it: devices, ports, limits, names.

use crate::cluster::Role;

/// The most user data that EC2 takes, bytes before they are encoded (EC2 user guide, "Instance user data").
pub(crate) const USER_DATA_LIMIT: usize = 16 * 1024;

/// The device that the volume of the persistent HDFS is attached as.
pub const VOLUME_DEVICE: &str = "/dev/sdv";

/// The names to map instance stores to that are not NVMe: `/dev/sdb`, `/dev/sdc`, … without `/dev/sdv`, the volume's.
/// Instance types have 24 at most, which is as many as there are names.
pub fn ephemeral_names() -> impl Iterator<Item = String> {
    ('b'..='z')
        .filter(|letter| *letter != 'v')
        .map(|letter| format!("/dev/sd{letter}"))
}

/// Web interfaces of a role's machines, beside SSH all that `admin_cidr` may reach. Mesos 5050 and 5051, both HDFS
/// 50070/60070 and 50075/60075, secondary namenode 60090, job tracker 50030 and task tracker 50060, a Spark driver 4040,
/// Spark's history server 18080: the ports of the predecessor, but for those of its Spark master, which does not run here.
pub const fn ui_ports(role: Role) -> &'static [u16] {
    match role {
        Role::Master => &[4040, 5050, 18080, 50030, 50070, 60070, 60090],
        Role::Slave => &[5051, 50060, 50075, 60075],
        Role::Zookeeper => &[],
    }
}

/// The name of a role's group: `demo-master`, `demo-slaves`, `demo-zoo`, as the predecessor called them.
pub(super) fn group_name(cluster: &str, role: Role) -> String {
    match role {
        Role::Master => format!("{cluster}-master"),
        Role::Slave => format!("{cluster}-slaves"),
        Role::Zookeeper => format!("{cluster}-zoo"),
    }
}
