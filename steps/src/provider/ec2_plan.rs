//! What a deploy would make in a region, and what of it is paid for.

use super::PlannedResource;
use super::ec2_facts::{group_name, ui_ports};
use super::planned::machines;
use crate::cluster::{ClusterSpec, Role};

/// The groups, and the instances in them, each with its volume.
pub(super) fn creates(spec: &ClusterSpec) -> Vec<PlannedResource> {
    let group = |role| {
        let name = group_name(&spec.cluster, role);
        PlannedResource::new("security-group", name, open_to(spec, role))
    };
    let mut all = [Role::Master, Role::Slave, Role::Zookeeper].map(group).to_vec();
    all.extend(machines(spec, |role, name| {
        let mut all = vec![instance(spec, role, name.clone())];
        if spec.ec2.volume_gb(role) > 0 {
            all.push(PlannedResource::new("volume", name, volume(spec)));
        }
        all
    }));
    all
}

fn instance(spec: &ClusterSpec, role: Role, name: String) -> PlannedResource {
    // An instance type with stores of its own needs less of its root disk.
    let [size, beside] = [false, true].map(|has_store| spec.root_gb(role, has_store));
    let beside = Some(beside).filter(|beside| *beside != size);
    let (kind, root) = (spec.ec2.type_of(role), root_disk(spec, size, beside));
    let detail = match spec.ec2.spot_price_of(role) {
        Some(price) => format!("{kind}, spot, at most {price} USD an hour, {root}"),
        None => format!("{kind}, on demand, {root}"),
    };
    PlannedResource {
        root_gb: Some(size),
        root_gb_beside_stores: beside,
        ..PlannedResource::new("instance", name, detail)
    }
}

fn root_disk(spec: &ClusterSpec, size: u32, beside: Option<u32>) -> String {
    let beside = beside.map_or_else(String::new, |size| format!(" ({size} beside instance stores)"));
    let encrypted = encrypted(spec.ec2.root_encrypted);
    format!("root disk of {size} GiB{beside}{encrypted}")
}

fn volume(spec: &ClusterSpec) -> String {
    let encrypted = encrypted(spec.ec2.volume.encrypted);
    format!(
        "{} GiB {}{encrypted}, for the persistent HDFS; outlives its machine, until `destroy`",
        spec.ec2.volume.size_gb, spec.ec2.volume.kind
    )
}

const fn encrypted(is_so: bool) -> &'static str {
    if is_so { ", encrypted" } else { "" }
}

fn open_to(spec: &ClusterSpec, role: Role) -> String {
    let admins: Vec<_> = spec.ec2.admin_cidr.iter().map(ToString::to_string).collect();
    let what = match ui_ports(role).is_empty() {
        true => "SSH",
        false => "SSH and web interfaces",
    };
    format!("{what} from {}", admins.join(", "))
}
