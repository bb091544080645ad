//! What there is in the cloud, in the few words that tests ask for.

use std::collections::BTreeMap;

use aws_sdk_ec2::types as ec2;

/// How the images call their root disks.
const ROOTS: [&str; 2] = ["/dev/xvda", "/dev/sda1"];

/// Tags by name.
pub type Tags = BTreeMap<String, String>;

pub(super) fn tags(tags: &[ec2::Tag]) -> Tags {
    let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
    tags.iter()
        .map(|tag| (text(tag.key()), text(tag.value())))
        .collect()
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// As `i-…`.
    pub id: String,
    /// As `running`.
    pub state: String,
    /// Its type.
    pub kind: String,
    /// Its image.
    pub image: String,
    /// Its address inside; empty once it is terminated.
    pub private_ip: String,
    /// Its name inside.
    pub private_name: String,
    /// Its address outside.
    pub public_ip: Option<String>,
    /// Its name outside.
    pub public_name: Option<String>,
    /// Its availability zone.
    pub zone: String,
    /// Whether it sees its tags in its metadata.
    pub sees_tags: bool,
    /// Whether it is a spot instance.
    pub is_spot: bool,
    /// The key pair that it was started with.
    pub key_pair: Option<String>,
    /// Its disks: the device as EC2 names it, and the volume.
    pub volumes: Vec<(String, String)>,
    /// Ids of its groups.
    pub groups: Vec<String>,
    /// Its tags.
    pub tags: Tags,
}

impl Instance {
    pub(super) fn new(instance: &ec2::Instance) -> Self {
        let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
        let state = instance.state().and_then(|state| state.name());
        let volumes = instance.block_device_mappings().iter().filter_map(|mapping| {
            let volume = mapping.ebs()?.volume_id()?;
            Some((text(mapping.device_name()), volume.to_owned()))
        });
        Self {
            id: text(instance.instance_id()),
            state: text(state.map(|name| name.as_str())),
            kind: text(instance.instance_type().map(|kind| kind.as_str())),
            image: text(instance.image_id()),
            private_ip: text(instance.private_ip_address()),
            private_name: text(instance.private_dns_name()),
            public_ip: instance.public_ip_address().map(str::to_owned),
            public_name: instance
                .public_dns_name()
                .filter(|name| !name.is_empty())
                .map(str::to_owned),
            zone: text(
                instance
                    .placement()
                    .and_then(|placement| placement.availability_zone()),
            ),
            sees_tags: instance
                .metadata_options()
                .and_then(|options| options.instance_metadata_tags())
                .is_some_and(|word| word.as_str() == "enabled"),
            is_spot: instance
                .instance_lifecycle()
                .is_some_and(|cycle| cycle.as_str() == "spot"),
            key_pair: instance.key_name().map(str::to_owned),
            volumes: volumes.collect(),
            groups: instance
                .security_groups()
                .iter()
                .map(|group| text(group.group_id()))
                .collect(),
            tags: tags(instance.tags()),
        }
    }

    /// Whether it runs, or is about to.
    pub fn is_alive(&self) -> bool {
        matches!(self.state.as_str(), "pending" | "running")
    }

    /// Whether it was stopped, and can be started again.
    pub fn is_stopped(&self) -> bool {
        matches!(self.state.as_str(), "stopping" | "stopped")
    }

    /// Its volumes but that of its root disk, which is the container's own.
    pub(super) fn further_volumes(&self) -> impl Iterator<Item = &String> {
        let further = self
            .volumes
            .iter()
            .filter(|(device, _)| !ROOTS.contains(&device.as_str()));
        further.map(|(_, volume)| volume)
    }

    /// Whether it is terminated, or about to be.
    pub fn is_over(&self) -> bool {
        matches!(self.state.as_str(), "shutting-down" | "terminated")
    }

    /// A tag's value; empty if there is none.
    pub fn tag(&self, name: &str) -> &str {
        self.tags.get(name).map_or("", String::as_str)
    }
}

/// A rule that lets something in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// As `sgr-…`.
    pub id: String,
    /// What: `tcp 22-22`, or `all` for everything.
    pub what: String,
    /// From where: a range of addresses or the id of a group.
    pub from: String,
    /// Its tags.
    pub tags: Tags,
}

impl Rule {
    pub(super) fn new(rule: &ec2::SecurityGroupRule) -> Self {
        let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
        let group = rule.referenced_group_info().and_then(|info| info.group_id());
        let what = match rule.ip_protocol() {
            None | Some("-1") => "all".to_owned(),
            Some(protocol) => format!(
                "{protocol} {}-{}",
                rule.from_port().unwrap_or_default(),
                rule.to_port().unwrap_or_default()
            ),
        };
        Self {
            id: text(rule.security_group_rule_id()),
            what,
            from: text(rule.cidr_ipv4().or(rule.cidr_ipv6()).or(group)),
            tags: tags(rule.tags()),
        }
    }
}

/// A security group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// As `sg-…`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its network.
    pub vpc: String,
    /// What it lets in, in order.
    pub rules: Vec<Rule>,
    /// Its tags.
    pub tags: Tags,
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// As `vol-…`.
    pub id: String,
    /// As `in-use`.
    pub state: String,
    /// Gibibytes.
    pub size: i32,
    /// The instance that it is attached to.
    pub instance: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

impl Volume {
    pub(super) fn new(volume: &ec2::Volume) -> Self {
        let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
        let attached = volume
            .attachments()
            .iter()
            .find_map(|attachment| attachment.instance_id());
        Self {
            id: text(volume.volume_id()),
            state: text(volume.state().map(|state| state.as_str())),
            size: volume.size().unwrap_or_default(),
            instance: attached.map(str::to_owned),
            tags: tags(volume.tags()),
        }
    }
}
