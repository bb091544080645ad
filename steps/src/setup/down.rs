//! Daemons that start by themselves and do not run, although the step that starts them has succeeded: found by `cluster-health`,
//! started again by the next driver, by that very step.

use mesosflow_workflow::{ErrorClass, ErrorReport, Flow, Halt, ItemKey, StepId};

use super::{ClusterHealth, HdfsStart, MesosStart, NfsExport, NfsMount, ZookeeperStart};
use crate::cluster::{Inventory, Node};
use crate::hdfs::{HISTORY, Hdfs};
use crate::remote::RemoteError;
use crate::service::down_script;
use crate::world::{World, on_each};

/// Which step starts which units, and whether it has an item for each node.
static STARTS: [(&str, StepId, bool); 10] = [
    ("mesosflow-nfs-ganesha.service", NfsExport::ID, false),
    ("mesosflow-shared-volume.service", NfsMount::ID, true),
    (
        "ephemeral-hdfs-namenode.service",
        HdfsStart::id_of(Hdfs::Ephemeral),
        false,
    ),
    (
        "ephemeral-hdfs-datanode.service",
        HdfsStart::id_of(Hdfs::Ephemeral),
        false,
    ),
    (
        "persistent-hdfs-namenode.service",
        HdfsStart::id_of(Hdfs::Persistent),
        false,
    ),
    (
        "persistent-hdfs-secondarynamenode.service",
        HdfsStart::id_of(Hdfs::Persistent),
        false,
    ),
    (
        "persistent-hdfs-datanode.service",
        HdfsStart::id_of(Hdfs::Persistent),
        false,
    ),
    (HISTORY.unit, HdfsStart::id_of(Hdfs::Persistent), false),
    ("mesosflow-zookeeper.service", ZookeeperStart::ID, true),
    ("mesos-", MesosStart::ID, false),
];

/// The step that starts a unit.
fn starts(unit: &str) -> Option<(StepId, bool)> {
    let found = STARTS.iter().find(|(begin, ..)| unit.starts_with(begin));
    found.map(|(_, step, is_item)| (step.clone(), *is_item))
}

/// A line for each daemon of a node that is down: the unit, its state, and the disks that it lacks.
///
/// # Errors
/// The node cannot be reached.
async fn on(world: &World, node: &Node) -> Result<Vec<String>, RemoteError> {
    let said = world.run(node, down_script()).await?;
    Ok(said.stdout_str().lines().map(str::to_owned).collect())
}

/// Once `cluster-health` has failed: the steps that start what is down are stale, and the error says that the next driver does
/// them again.
///
/// # Errors
/// The error, or that the journal failed.
pub(crate) async fn explained<T>(
    flow: &Flow<World>,
    inventory: &Inventory,
    ended: Result<T, Halt>,
) -> Result<T, Halt> {
    let (step, error) = match ended {
        Err(Halt::Failed { step, error })
            if step == ClusterHealth::ID && error.class != ErrorClass::Fenced =>
        {
            (step, error)
        }
        other => return other,
    };
    let world = flow.world();
    // A node that does not answer is none of whose daemons anything is known.
    let down = on_each(inventory.all(), |node| async move {
        Ok::<_, Halt>((node, on(world, node).await.unwrap_or_default()))
    });
    let mut again = Vec::new();
    for (node, lines) in down.await? {
        for line in lines {
            let unit = line.split_whitespace().next().unwrap_or_default();
            let Some((starts, is_item)) = starts(unit) else {
                continue;
            };
            let item = is_item.then(|| ItemKey::from(node.name.as_str()));
            flow.outdate(&starts, item.as_ref(), &format!("{}: {line}", node.name))
                .await?;
            if !again.contains(&starts) {
                again.push(starts);
            }
        }
    }
    let error = hinting(error, &again);
    Err(Halt::Failed { step, error })
}

fn hinting(error: ErrorReport, again: &[StepId]) -> ErrorReport {
    if again.is_empty() {
        return error;
    }
    let steps: Vec<_> = again.iter().map(StepId::as_str).collect();
    error.with_hint(format!(
        "`mesosflow resume` starts what is down: by {}",
        steps.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::on_node::UNITS;

    #[test]
    fn each_daemon_has_its_step() {
        for unit in UNITS {
            assert!(starts(unit).is_some(), "{unit}");
        }
        assert_eq!(starts("mesos-slave.service"), Some((MesosStart::ID, false)));
        assert_eq!(
            starts("mesosflow-shared-volume.service"),
            Some((NfsMount::ID, true))
        );
    }
}
