//! What a deploy would do and create, without doing it.

use serde::Serialize;

use crate::catalogue::{ZOOKEEPER_STEPS, catalogue};
use crate::cluster::{ClusterSpec, ProviderKind, Role};
use crate::deploy::ONE_MASTER;

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

/// One thing that it would create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedResource {
    /// `instance`, `network`, …
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What it is made of.
    pub detail: String,
}

/// The plan of a spec.
pub fn plan(spec: &ClusterSpec) -> Plan {
    let steps = catalogue().into_iter().map(|entry| {
        let skipped = spec.zookeepers() == 0 && ZOOKEEPER_STEPS.contains(&entry.id);
        PlannedStep {
            id: entry.id.to_string(),
            notes: entry.notes,
            title: entry.title,
            action: if skipped { "skip" } else { "run" },
            reason: skipped.then(|| ONE_MASTER.to_owned()),
        }
    });
    let (group, detail) = match spec.provider {
        ProviderKind::Local => ("network", "a container of this machine's engine"),
    };
    let mut creates = vec![PlannedResource {
        kind: group.into(),
        name: spec.cluster.clone(),
        detail: "a bridge network of the cluster's own".into(),
    }];
    let roles = [
        (Role::Slave, spec.slaves),
        (Role::Master, spec.masters),
        (Role::Zookeeper, spec.zookeepers()),
    ];
    for (role, count) in roles {
        creates.extend((1..=count).map(|index| PlannedResource {
            kind: "instance".into(),
            name: format!("{}-{role}-{index}", spec.cluster),
            detail: detail.into(),
        }));
    }
    Plan {
        steps: steps.collect(),
        creates,
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
}
