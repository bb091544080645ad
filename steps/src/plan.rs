//! What a deploy would do and create, without doing it.

use mesosflow_workflow::CatalogueEntry;
use serde::Serialize;

use crate::catalogue::{catalogue, skip_reason};
use crate::cluster::{ClusterSpec, HostSpec, Instance, ProviderKind, Role};
use crate::provider::{ec2, hosts};

/// A deploy that was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The steps, in order.
    pub steps: Vec<PlannedStep>,
    /// What would exist afterwards that has to be deleted one day.
    pub creates: Vec<PlannedResource>,
}

/// One step of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedStep {
    /// The step's id.
    pub id: String,
    /// The item of the deploy notes.
    pub notes: String,
    /// What it does.
    pub title: String,
    /// `run` or `skip`.
    pub action: &'static str,
    /// Why it would be skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a run of a catalogue on a cluster of this spec would do.
pub fn planned(spec: &ClusterSpec, catalogue: Vec<CatalogueEntry>) -> Vec<PlannedStep> {
    let step = |entry: CatalogueEntry| {
        let reason = skip_reason(spec, &entry.id).map(str::to_owned);
        PlannedStep {
            id: entry.id.to_string(),
            notes: entry.notes,
            title: entry.title,
            action: if reason.is_some() { "skip" } else { "run" },
            reason,
        }
    };
    catalogue.into_iter().map(step).collect()
}

/// One thing that it would create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedResource {
    /// `instance`, `network`, …
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What it is made of.
    pub detail: String,
    /// Size of a machine's root disk, GiB, unless its image asks for more; none where it has none of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_gb: Option<u32>,
    /// The same where its type turns out to have instance stores, if that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_gb_beside_stores: Option<u32>,
}

/// The plan of a spec.
pub fn plan(spec: &ClusterSpec) -> Plan {
    Plan {
        steps: planned(spec, catalogue()),
        creates: creates(spec),
    }
}

/// What would exist afterwards, in the order in which it is made.
fn creates(spec: &ClusterSpec) -> Vec<PlannedResource> {
    let made = |kind: &str, name: String, detail: String| PlannedResource {
        kind: kind.into(),
        name,
        detail,
        root_gb: None,
        root_gb_beside_stores: None,
    };
    let mut all = match spec.provider {
        ProviderKind::Local => {
            let detail = "a bridge network of the cluster's own".to_owned();
            vec![made("network", spec.cluster.clone(), detail)]
        }
        ProviderKind::Ec2 => [Role::Master, Role::Slave, Role::Zookeeper]
            .map(|role| {
                made(
                    "security-group",
                    ec2::group_name(&spec.cluster, role),
                    open_to(spec, role),
                )
            })
            .into(),
        ProviderKind::Hosts => {
            let left = |(instance, host): (Instance, &HostSpec)| {
                let key = format!("the cluster's key for {}@{}, and a mark", host.user, host.address);
                let detail = match spec.hosts.has_firewall() {
                    true => format!("{key}, and the firewall `inet mesosflow`"),
                    false => key,
                };
                made("authorized-key", instance.name, detail)
            };
            return hosts::instances(spec).into_iter().map(left).collect();
        }
    };
    let roles = [
        (Role::Slave, spec.slaves),
        (Role::Master, spec.masters),
        (Role::Zookeeper, spec.zookeepers()),
    ];
    for (role, count) in roles {
        for index in 1..=count {
            let name = role.node_name(&spec.cluster, index);
            let (root_gb, root_gb_beside_stores) = root_gb(spec, role);
            all.push(PlannedResource {
                root_gb,
                root_gb_beside_stores,
                ..made("instance", name.clone(), machine(spec, role))
            });
            if spec.provider == ProviderKind::Ec2 && spec.ec2.volume_gb(role) > 0 {
                all.push(made("volume", name, volume(spec)));
            }
        }
    }
    all
}

/// Size of the root disk of a role's machines, and the same beside instance stores, where that is another.
fn root_gb(spec: &ClusterSpec, role: Role) -> (Option<u32>, Option<u32>) {
    if spec.provider != ProviderKind::Ec2 {
        return (None, None);
    }
    let [size, beside] = [false, true].map(|has_store| spec.root_gb(role, has_store));
    (Some(size), Some(beside).filter(|beside| *beside != size))
}

fn root_disk(spec: &ClusterSpec, role: Role) -> String {
    let (size, beside) = root_gb(spec, role);
    let beside = beside.map_or_else(String::new, |size| format!(" ({size} beside instance stores)"));
    let encrypted = if spec.ec2.root_encrypted {
        ", encrypted"
    } else {
        ""
    };
    format!("root disk of {} GiB{beside}{encrypted}", size.unwrap_or_default())
}

/// What a role's machines are.
fn machine(spec: &ClusterSpec, role: Role) -> String {
    match spec.provider {
        ProviderKind::Ec2 => {
            let (kind, root) = (spec.ec2.type_of(role), root_disk(spec, role));
            match spec.ec2.spot_price_of(role) {
                Some(price) => format!("{kind}, spot, at most {price} USD an hour, {root}"),
                None => format!("{kind}, on demand, {root}"),
            }
        }
        ProviderKind::Local => "a container of this machine's engine".to_owned(),
        ProviderKind::Hosts => "a machine of one's own, which is there already".to_owned(),
    }
}

fn volume(spec: &ClusterSpec) -> String {
    let encrypted = if spec.ec2.volume.encrypted {
        ", encrypted"
    } else {
        ""
    };
    format!(
        "{} GiB {}{encrypted}, for the persistent HDFS; outlives its machine, until `destroy`",
        spec.ec2.volume.size_gb, spec.ec2.volume.kind
    )
}

fn open_to(spec: &ClusterSpec, role: Role) -> String {
    let admins: Vec<_> = spec.ec2.admin_cidr.iter().map(ToString::to_string).collect();
    let what = if ec2::rules::ui_ports(role).is_empty() {
        "SSH"
    } else {
        "SSH and web interfaces"
    };
    format!("{what} from {}", admins.join(", "))
}

impl Plan {
    /// What would be created, a line for each kind: `3 × instance (m5.large, on demand)`.
    pub fn summary(&self) -> Vec<String> {
        let mut counts: Vec<(String, usize)> = Vec::new();
        for made in &self.creates {
            let what = format!("{} ({})", made.kind, made.detail);
            match counts.iter_mut().find(|(known, _)| *known == what) {
                Some((_, count)) => *count += 1,
                None => counts.push((what, 1)),
            }
        }
        counts
            .into_iter()
            .map(|(what, count)| format!("{count} × {what}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_master_skips_exactly_what_is_about_zookeeper() {
        let one = plan(&ClusterSpec {
            masters: 1,
            ..ClusterSpec::default()
        });
        let skipped: Vec<_> = one
            .steps
            .iter()
            .filter(|s| s.action == "skip")
            .map(|s| s.id.as_str())
            .collect();
        assert_eq!(
            skipped,
            ["launch-zookeepers", "approve-zookeepers", "zookeeper-start"]
        );
        assert_eq!(one.creates.len(), 1 + 1 + 2);
        assert_eq!(plan(&ClusterSpec::default()).creates.len(), 1 + 3 + 3 + 2);
    }

    #[test]
    fn the_root_disk_is_shown_in_words_and_as_a_number() {
        let mut spec = ClusterSpec {
            provider: ProviderKind::Ec2,
            swap_mb: 0,
            ..ClusterSpec::default()
        };
        let shown = |spec: &ClusterSpec| {
            let machine = plan(spec)
                .creates
                .into_iter()
                .find(|made| made.kind == "instance");
            let machine = machine.unwrap();
            (machine.detail, machine.root_gb, machine.root_gb_beside_stores)
        };
        let (detail, size, beside) = shown(&spec);
        assert!(
            detail.ends_with("root disk of 50 GiB (30 beside instance stores), encrypted"),
            "{detail}"
        );
        assert_eq!((size, beside), (Some(50), Some(30)));
        spec.ec2.root_volume_gb = Some(80);
        spec.ec2.root_encrypted = false;
        let (detail, size, beside) = shown(&spec);
        assert!(detail.ends_with("root disk of 80 GiB"), "{detail}");
        assert_eq!((size, beside), (Some(80), None));
        assert_eq!(shown(&ClusterSpec::default()).1, None);
    }
}
