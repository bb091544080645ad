//! What the EC2 provider is asked for: the `[ec2]` table.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{HostKeySource, Role};

/// The word for the newest image of a named system.
pub const LATEST: &str = "latest";
/// The word for AWS' own endpoint, whatever the environment names.
pub const AWS_ENDPOINT: &str = "aws";

/// The `[ec2]` table. Region, endpoint and account are settled when a run starts: `resume` goes back to where its
/// machines are, whatever the environment says by then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ec2Spec {
    /// The region; by default that of the environment or the profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Another endpoint for EC2's API than AWS' own, or [`AWS_ENDPOINT`]; by default what the environment or the profile names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_url: Option<String>,
    /// The same for STS, which tells whose the credentials are. EC2's is never used for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sts_endpoint_url: Option<String>,
    /// The profile of the AWS configuration; by default that of the environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The AWS account in which the cluster lives; found when a run starts, and refused to differ afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The VPC; by default that of the subnet, or the account's default VPC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc: Option<String>,
    /// The subnet of all machines; by default the first of the VPC whose zone offers every instance type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet: Option<String>,
    /// The availability zone, where no subnet is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// From where SSH and the web interfaces may be reached. There is no default: nothing is open that was not named.
    pub admin_cidr: Vec<IpNet>,
    /// `ami-…`, or `latest` for the newest image of the system that `os` names.
    pub ami: String,
    /// Who logs in, where the image does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_user: Option<String>,
    /// Instance type of the slaves.
    pub instance_type: String,
    /// Instance type of the masters.
    pub master_instance_type: String,
    /// Instance type of the ZooKeepers.
    pub zookeeper_instance_type: String,
    /// A key pair of the account whose owner may log in too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_pair: Option<String>,
    /// Name of the IAM instance profile of every machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iam_profile: Option<String>,
    /// A file of user data of one's own (`#cloud-config` or `#!…`), which cloud-init gets beside mesosflow's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_data: Option<PathBuf>,
    /// The SHA-256 of that file, hex; found when a run starts, which keeps the file as it is then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_data_sha256: Option<String>,
    /// Whether machines get a public address; by default as the subnet does it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_address: Option<bool>,
    /// Size of the root disk, GiB; by default what a machine has to hold ([`ClusterSpec::root_gb`](super::ClusterSpec::root_gb)).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_volume_gb: Option<u32>,
    /// Whether the root disk is encrypted.
    pub root_encrypted: bool,
    /// The KMS key of encrypted disks: its id, alias or ARN; by default the account's own for EBS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// The EBS volume of masters and slaves, for the persistent HDFS.
    pub volume: VolumeSpec,
    /// The most that an hour of a slave may cost as a spot instance, USD; without it slaves are on demand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spot_price: Option<String>,
    /// How the machines' SSH host keys get known.
    pub host_keys: HostKeySource,
    /// Further tags of everything that is made.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// How long a machine may take to run, show its host key and answer, seconds.
    pub boot_limit_s: u32,
    /// How long to look for capacity, spot or not, before the launch is given up, seconds.
    pub capacity_limit_s: u32,
    /// How long one call of the API may take, seconds.
    pub api_timeout_s: u32,
    /// For how long after a launch that nobody saw answered its machine is looked for, seconds.
    pub settle_limit_s: u32,
}

/// Until when EC2 may not show what it has launched: its "Eventual consistency in the EC2 API" has whoever needs to be sure look
/// again and again, with waits that grow from a couple of seconds up to five minutes.
const SETTLE_LIMIT_S: u32 = 300;

impl Default for Ec2Spec {
    fn default() -> Self {
        Self {
            region: None,
            endpoint_url: None,
            sts_endpoint_url: None,
            profile: None,
            account: None,
            vpc: None,
            subnet: None,
            zone: None,
            admin_cidr: Vec::new(),
            ami: LATEST.into(),
            login_user: None,
            instance_type: "m5.large".into(),
            master_instance_type: "m5.large".into(),
            zookeeper_instance_type: "t3.medium".into(),
            key_pair: None,
            iam_profile: None,
            user_data: None,
            user_data_sha256: None,
            public_address: None,
            root_volume_gb: None,
            root_encrypted: true,
            kms_key: None,
            volume: VolumeSpec::default(),
            spot_price: None,
            host_keys: HostKeySource::default(),
            tags: BTreeMap::new(),
            boot_limit_s: 900,
            capacity_limit_s: 300,
            api_timeout_s: 60,
            settle_limit_s: SETTLE_LIMIT_S,
        }
    }
}

impl Ec2Spec {
    /// The same as it was frozen into a run: what an older program left out of it was AWS' own endpoint, and it asked both
    /// services at the one it had.
    #[must_use]
    pub fn frozen(mut self) -> Self {
        let ec2 = self.endpoint_url.get_or_insert_with(|| AWS_ENDPOINT.to_owned());
        self.sts_endpoint_url.get_or_insert_with(|| ec2.clone());
        self
    }

    /// The instance type of a role.
    pub fn type_of(&self, role: Role) -> &str {
        match role {
            Role::Master => &self.master_instance_type,
            Role::Slave => &self.instance_type,
            Role::Zookeeper => &self.zookeeper_instance_type,
        }
    }

    /// Size of the EBS volume of a role's machines, GiB; 0 for none. The file systems live on masters and slaves.
    pub const fn volume_gb(&self, role: Role) -> u32 {
        match role {
            Role::Master | Role::Slave => self.volume.size_gb,
            Role::Zookeeper => 0,
        }
    }

    /// The ceiling price of a role's machines, where they are spot instances.
    pub fn spot_price_of(&self, role: Role) -> Option<&str> {
        match role {
            Role::Slave => self.spot_price.as_deref(),
            Role::Master | Role::Zookeeper => None,
        }
    }
}

/// The `[ec2.volume]` table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VolumeSpec {
    /// Size, GiB; 0 for no volume.
    pub size_gb: u32,
    /// `gp3`, `gp2`, `io1`, `io2`, `st1`, `sc1` or `standard`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it is encrypted.
    pub encrypted: bool,
}

impl Default for VolumeSpec {
    fn default() -> Self {
        Self {
            size_gb: 0,
            kind: "gp3".into(),
            encrypted: true,
        }
    }
}

/// What the API knows of an instance type, as far as a deploy depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineType {
    /// Its name.
    pub name: String,
    /// How many disks it has that a stop wipes.
    pub ephemeral_disks: usize,
    /// Whether these are NVMe disks that are there by themselves; others have to be mapped at launch.
    pub nvme: bool,
}
