//! What the history of a cluster says of its nodes and their disks.

use std::collections::BTreeSet;
use std::path::Path;

use mesosflow_steps::cluster::{ClusterSpec, HostSpec, HostsSpec, Instance, Inventory, Node, Role};
use mesosflow_steps::provider::{Groups, Image};
use mesosflow_steps::{Dns, KeyExpected, Report, UserDataError};
use mesosflow_workflow::{Epoch, RunState, StepId};

use crate::error::CliError;
use crate::exit::Exit;

/// The roles whose disks a stop wipes, where they hold an HDFS.
pub(crate) fn wiped_by_stop(spec: &ClusterSpec, state: &RunState) -> Vec<String> {
    let (image, _) = launched_from(state);
    let Some(image) = image.filter(|_| spec.of_ec2().is_some()) else {
        return Vec::new();
    };
    let has_disks = |role: &Role| {
        image
            .machine_types
            .get(role)
            .is_some_and(|kind| kind.ephemeral_disks > 0)
    };
    let wiped = [Role::Master, Role::Slave].into_iter().filter(has_disks);
    wiped.map(|role| format!("{role}s")).collect()
}

/// What becomes of the number of copies of new files with another number of slaves; none where that stays.
pub(crate) fn replication_change(now: &ClusterSpec, target: &ClusterSpec) -> Vec<String> {
    let of = |spec: &ClusterSpec| mesosflow_steps::replications(spec.slaves.into());
    let names = ["ephemeral", "persistent"];
    let changes = names.iter().zip(of(now)).zip(of(target));
    let changes = changes.filter(|((_, before), after)| before != after);
    changes
        .map(|((name, before), after)| {
            let word = if after > before { "rises" } else { "falls" };
            format!(
                "the replication of new files in the {name} HDFS {word} from {before} to {after}; files that are there keep theirs"
            )
        })
        .collect()
}

/// What the machines of a cluster were launched from, and into.
pub(crate) fn launched_from(state: &RunState) -> (Option<Image>, Option<Groups>) {
    mesosflow_steps::launched_from(state)
}

/// The ids of machines that joined the cluster by themselves, and were adopted.
pub(crate) fn adopted(cluster: &RunState) -> BTreeSet<String> {
    mesosflow_steps::adopted(cluster)
}

/// Whether the cluster has formatted its persistent HDFS.
pub(crate) fn has_persistent(state: &RunState) -> bool {
    mesosflow_steps::has_persistent(state)
}

/// The volumes with a persistent HDFS that was formatted, by the names of their nodes.
pub(crate) fn formatted_volumes(state: &RunState) -> Vec<(String, String)> {
    mesosflow_steps::formatted_volumes(state)
}

/// The nodes of a run that exist and have answered once.
pub(crate) fn reachable(state: &RunState) -> Vec<Node> {
    mesosflow_steps::reachable(state)
}

/// The hosts that a run has logged in to, with its own key in `folder`, where their list is lost.
pub(crate) fn awaited_hosts(state: &RunState, folder: &Path) -> HostsSpec {
    let nodes = mesosflow_steps::awaited(state);
    let hosts = nodes.into_iter().filter_map(|node| {
        Some(HostSpec {
            name: Some(node.name.clone()),
            role: node.role,
            address: node.id.parse().ok()?,
            private_address: node.public_ip.map(|_| node.private_ip),
            user: node.user,
            port: node.port,
            host_key: node.host_key,
        })
    });
    HostsSpec {
        identity_file: Some(folder.join("cluster_ed25519")),
        nodes: hosts.collect(),
        ..HostsSpec::default()
    }
}

/// The role whose machines a step launches, if it does that.
pub(crate) fn launches(step: &StepId) -> Option<Role> {
    mesosflow_steps::provision::launches(step)
}

/// The nodes that a run has seen answer.
pub(crate) fn awaited(state: &RunState) -> Vec<Node> {
    mesosflow_steps::awaited(state)
}

/// The nodes of a run that exist.
pub(crate) fn nodes(state: &RunState) -> Vec<Instance> {
    mesosflow_steps::nodes(state)
}

/// What the run reported at its end.
pub(crate) fn report(state: &RunState) -> Option<Report> {
    mesosflow_steps::report(state)
}

/// The user data of a further slave of a cluster with these nodes.
pub(crate) fn user_data(
    spec: &ClusterSpec,
    state: &RunState,
    inventory: &Inventory,
    dns: &Dns,
    epoch: Epoch,
) -> Result<String, CliError> {
    let (image, groups) = launched_from(state);
    let made = (image.as_ref(), groups.as_ref());
    let key = match mesosflow_steps::key_of(state) {
        KeyExpected::MustExist { public } => public,
        KeyExpected::MayBeMade | KeyExpected::MayBeLost { .. } => None,
    };
    mesosflow_steps::user_data(spec, inventory, made, dns, epoch, key.as_deref()).map_err(|error| {
        let hint = match &error {
            UserDataError::Template(error) => error.hint(),
            UserDataError::TooLarge(_) => {
                "an overlay (`deploy_dir`) or many nodes make it large: put the configuration into the image, or take Ansible: \
                 `mesosflow roles export`"
                    .to_owned()
            }
            UserDataError::Quote(_) | UserDataError::Pack(_) => "look at the cluster's flags".to_owned(),
        };
        CliError::new(Exit::Failed, "the user data cannot be made")
            .because(error.to_string())
            .hint(hint)
    })
}
