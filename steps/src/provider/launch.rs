//! What machines are launched into, from and as.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;
use mesosflow_workflow::EffectKey;
use serde::{Deserialize, Serialize};

use super::{Outdated, Slot};
use crate::cluster::{ClusterSpec, MachineType, Role};

/// The groups of a cluster by role, as the provider names them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Groups {
    /// The provider's group (or network) for each role.
    pub by_role: BTreeMap<Role, String>,
    /// What they let in, in words.
    pub rules: String,
    /// The subnet that machines are launched into, where the provider has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<String>,
    /// The range of addresses that its machines have, those that join it later too, where the provider knows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<IpNet>,
    /// Rules in them that are not mesosflow's, in words: left as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign: Vec<String>,
}

/// An image and what is recorded of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The id that machines are launched from; it names the content (a digest, an AMI id).
    pub id: String,
    /// The name under which it was asked for.
    pub name: String,
    /// `x86_64`, `arm64`, …
    pub architecture: String,
    /// The root device, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_device: Option<String>,
    /// Who logs in.
    pub login_user: String,
    /// Size of the root disk that the image asks for, GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_gb: Option<u32>,
    /// What the provider knows of each role's type of machine.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub machine_types: BTreeMap<Role, MachineType>,
}

/// What a machine is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The place that it fills.
    pub slot: Slot,
    /// The image.
    pub image: String,
    /// The groups (or networks) that `security-groups` made, by role.
    pub group: String,
    /// What the machine is to be like, where the provider has several kinds.
    pub order: Option<Order>,
    /// The private address that it is to have if nobody has it; a provider whose places have addresses of their own does not ask for it.
    pub address: Option<IpAddr>,
    /// The public key that may log in, as an `authorized_keys` line.
    pub authorized_key: String,
    /// The name of the launch as an effect: what makes a provider refuse to do it twice.
    pub effect_key: EffectKey,
    /// By when a machine is shown that an earlier try brought which nobody saw answered; none where there was no such try.
    pub shows_by: Option<Timestamp>,
}

/// What a machine is to be like, where the provider has several kinds and each costs something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Order {
    /// The instance type.
    pub machine_type: String,
    /// The subnet.
    pub subnet: Option<String>,
    /// Who logs in.
    pub login_user: String,
    /// The root device, as the image calls it.
    pub root_device: Option<String>,
    /// Size of the root disk, GiB.
    pub root_gb: Option<u32>,
    /// How many ephemeral disks have to be mapped, since they do not appear by themselves.
    pub mapped_disks: usize,
    /// Size of the volume for the persistent HDFS, GiB; 0 for none.
    pub volume_gb: u32,
    /// The most that an hour may cost, USD, of a spot instance.
    pub spot_price: Option<String>,
    /// How long to look for capacity, seconds.
    pub capacity_limit_s: u32,
}

impl Order {
    /// The order for a role's machine; none where the provider has but one kind.
    pub fn of(spec: &ClusterSpec, role: Role, groups: &Groups, image: &Image) -> Option<Self> {
        spec.of_ec2().map(|_| Self::new(spec, role, groups, image))
    }

    /// The order for a role's machine on EC2.
    pub(super) fn new(spec: &ClusterSpec, role: Role, groups: &Groups, image: &Image) -> Self {
        let kind = image.machine_types.get(&role);
        Self {
            machine_type: spec.ec2.type_of(role).to_owned(),
            subnet: groups.subnet.clone(),
            login_user: image.login_user.clone(),
            root_device: image.root_device.clone(),
            // An image cannot be started on a smaller disk than it was made from.
            root_gb: Some(spec.root_gb(role, kind.is_some_and(|kind| kind.ephemeral_disks > 0)))
                .max(image.root_gb),
            mapped_disks: kind
                .filter(|kind| !kind.nvme)
                .map_or(0, |kind| kind.ephemeral_disks),
            volume_gb: spec.ec2.volume_gb(role),
            spot_price: spec.ec2.spot_price_of(role).map(str::to_owned),
            capacity_limit_s: spec.ec2.capacity_limit_s,
        }
    }
}

/// What was launched under a name, whatever its tags say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launched {
    /// The name of the launch.
    pub effect_key: EffectKey,
    /// It and what came with it; empty where it is gone.
    pub found: Vec<Outdated>,
    /// Ids of machines of that name which are alive.
    pub alive: Vec<String>,
    /// Ids of machines of that name which are gone.
    pub gone: Vec<String>,
}
