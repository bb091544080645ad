//! Another Mesos for a cluster that works, and goes on working meanwhile: made beside the one that runs, brought to every node, then
//! rolled out node by node; what is left is set up as the deploy does it.

use std::sync::Arc;

use async_trait::async_trait;
use mesosflow_workflow::{CatalogueEntry, Flow, Halt, ItemKey, Outcome, Run, Settings, StepId, Stop};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::deploy::sorted;
use super::parts::each;
use super::set_up::{self, Setting, set_up};
use super::{Workflow, entry, read, without};
use crate::cluster::{ClusterSpec, Inventory, Node, Role};
use crate::hdfs::FileSystems;
use crate::life::{
    ClearMesos, CopyMesos, DrainAgent, Leading, ReactivateAgent, RollMesos, SeeLeader, StageMesos,
};
use crate::provider::{Groups, Image};
use crate::setup::{BuiltMesos, Report};
use crate::world::World;

/// What a redeployment needs of the cluster's record, as it was when it began.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RedeploySpec {
    /// The cluster as it is to be.
    pub cluster: ClusterSpec,
    /// The Mesos of before: what an undoing puts back.
    pub before: BuiltMesos,
    /// The very Mesos that is rolled out, where one is rolled back to that was made before and may still be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<BuiltMesos>,
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The names of nodes that are passed over, since their machines have gone meanwhile.
    #[serde(default)]
    pub without: Vec<String>,
    /// What machines are launched from; none of listed hosts.
    pub image: Option<Image>,
    /// What they are launched into; none of listed hosts.
    pub groups: Option<Groups>,
    /// The file systems that there are.
    pub file_systems: FileSystems,
    /// How many agents are rolled at once.
    pub batch: u16,
    /// The names of the slaves whose agents begin anew, by which their tasks end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anew: Vec<String>,
    /// On the way back, the names of slaves whose agents may have got the Mesos that is taken back, and need not come to terms with masters
    /// of before: those wait for them in their own turn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silenced: Vec<String>,
    /// How long tasks of those may take to end by themselves, seconds.
    pub drain_timeout_s: u64,
}

impl RedeploySpec {
    /// The nodes that it acts on, and could go on without: those that stay, and those that leave.
    fn nodes(&self) -> (&[Node], &[Node]) {
        (&self.nodes, &[])
    }

    /// Whether agents are drained. On the way back none begins anew that has not already, and those are taken back to work.
    fn drains(&self) -> bool {
        !self.anew.is_empty() && self.known.is_none()
    }
}

/// The workflow.
#[derive(Debug)]
pub struct Redeploy;

#[async_trait(?Send)]
impl Workflow for Redeploy {
    fn name(&self) -> &'static str {
        "redeploy"
    }

    fn aim(&self) -> &'static str {
        "runs the Mesos that was rolled out"
    }

    fn cluster(&self, spec: &Value) -> Result<ClusterSpec, serde_json::Error> {
        Ok(read::<RedeploySpec>(spec)?.cluster)
    }

    fn catalogue(&self, spec: &Value) -> Result<Vec<CatalogueEntry>, serde_json::Error> {
        Ok(roll_steps(&read(spec)?))
    }

    async fn drive(&self, run: &Run, world: Arc<World>, settings: Settings, stop: Stop) -> Outcome {
        without::drive(run, world, settings, stop, RedeploySpec::nodes, roll).await
    }
}

/// The steps of a roll. Agents are drained only where some begin anew.
pub(super) fn roll_steps(spec: &RedeploySpec) -> Vec<CatalogueEntry> {
    let mut all = vec![
        entry(StageMesos::ID, "another Mesos beside the one that runs"),
        entry(CopyMesos::ID, "the same on the other masters and the slaves").over("other masters and slaves"),
        entry(SeeLeader::ID, "which master is rolled last"),
        entry(
            RollMesos::id_of(Role::Master),
            "masters with the other Mesos, one by one, the leader last",
        )
        .over("masters"),
    ];
    if spec.drains() {
        let drained = entry(DrainAgent::ID, "agents that begin anew have no task and get none");
        all.push(drained.over("slaves whose agents begin anew"));
    }
    let rolled = entry(
        RollMesos::id_of(Role::Slave),
        "agents with the other Mesos, batch by batch",
    );
    all.push(rolled.over("slaves"));
    if !spec.anew.is_empty() {
        let back = entry(ReactivateAgent::ID, "agents that began anew get tasks");
        all.push(back.over("slaves whose agents begin anew"));
    }
    all.extend(set_up::steps());
    all.push(entry(ClearMesos::ID, "nothing is left of the Mesos of before").over("masters and slaves"));
    all
}

/// Rolls it out.
///
/// # Errors
/// Why the flow has to end; see [`Halt`].
pub(super) async fn roll(flow: Flow<World>, spec: Arc<RedeploySpec>) -> Result<Report, Halt> {
    let cluster = flow.world().spec().clone();
    let inventory = sorted(&flow, spec.nodes.iter().cloned())?;
    let built = beside(&flow, &cluster, &spec, &inventory).await?;
    let leading = flow
        .step(SeeLeader {
            masters: inventory.masters.clone(),
            slaves: inventory.slaves.clone(),
        })
        .await?;
    let rolled = |node: &Node, slaves: &[Node]| RollMesos {
        hub: inventory.first_master().clone(),
        node: node.clone(),
        built: built.clone(),
        masters: inventory.masters.clone(),
        slaves: slaves.to_vec(),
    };
    let (last, first): (Vec<_>, Vec<_>) =
        (inventory.masters.iter()).partition(|node| Some(&node.name) == leading.leader.as_ref());
    let in_order = first.into_iter().chain(last);
    let awaited = awaited(&inventory.slaves, &leading, &spec.silenced);
    let masters = each(in_order, |node| rolled(node, &awaited));
    let mut passed = rolled_out(&flow, Role::Master, 1, masters).await?;

    let anew: Vec<_> = (inventory.slaves.iter())
        .filter(|node| spec.anew.contains(&node.name))
        .collect();
    if spec.drains() {
        let drains = each(anew.iter().copied(), |node| DrainAgent {
            node: node.clone(),
            masters: inventory.masters.clone(),
            timeout_s: spec.drain_timeout_s,
        });
        flow.fan_out(DrainAgent::ID, drains).await?;
    }
    let agents = each(&inventory.slaves, |node| rolled(node, std::slice::from_ref(node)));
    passed.extend(rolled_out(&flow, Role::Slave, spec.batch.into(), agents).await?);
    if !anew.is_empty() {
        // Who had no turn is drained still, and gets tasks again behind it.
        let has_turn = |node: &&Node| !passed.contains(&node.name) && !spec.without.contains(&node.name);
        let back = each(anew.into_iter().filter(has_turn), |node| ReactivateAgent {
            node: node.clone(),
            masters: inventory.masters.clone(),
            starts: false,
        });
        let back = flow.fan_out(ReactivateAgent::ID, back).await?.into_iter();
        let back = back.map(|(node, back)| (node, back.passed_over));
        passed.extend(left(&flow, &ReactivateAgent::ID, back).await?);
    }

    // Who was there when the roll began stays a part of its steps, which pass over those that do not run; the rest does without these.
    passed.retain(|name| *name != inventory.first_master().name && !spec.without.contains(name));
    let gone = [&spec.without[..], &passed].concat();
    let inventory = sorted(&flow, without::there(&spec.nodes, &gone))?;
    let made = (spec.image.as_ref(), spec.groups.as_ref());
    let setting = Setting::up(&cluster, inventory.clone(), made, &spec.file_systems);
    let report = Box::pin(set_up(&flow, setting)).await?;
    let of_mesos = inventory.masters.iter().chain(&inventory.slaves);
    let clears = each(of_mesos, |node| ClearMesos { node: node.clone() });
    flow.fan_out(ClearMesos::ID, clears).await?;
    without::told(&flow, &spec.without).await?;
    without::told_passed(&flow, &passed).await?;
    Ok(report)
}

/// The Mesos that waits on the nodes of a role gets its place, in turn. One whose machine does not run is left, and its turn comes with the
/// next driver: their names.
async fn rolled_out(
    flow: &Flow<World>,
    role: Role,
    at_once: usize,
    nodes: impl IntoIterator<Item = (ItemKey, RollMesos)>,
) -> Result<Vec<String>, Halt> {
    let id = RollMesos::id_of(role);
    let rolled = flow
        .fan_out_in_turn(id.clone(), at_once, nodes)
        .await?
        .into_iter();
    left(flow, &id, rolled.map(|(node, rolled)| (node, rolled.passed_over))).await
}

/// Leaves the nodes of a step that were passed over, each with its reason, to the next driver: their names.
async fn left(
    flow: &Flow<World>,
    step: &StepId,
    nodes: impl IntoIterator<Item = (ItemKey, Option<String>)>,
) -> Result<Vec<String>, Halt> {
    let mut passed = Vec::new();
    for (node, why) in nodes {
        if let Some(why) = why {
            let reason = format!("it was passed over: {why}");
            flow.leave(step, Some(&node), &reason).await?;
            passed.push(node.as_str().to_owned());
        }
    }
    Ok(passed)
}

/// The slaves whose agents have to come back to each master that is rolled. What nobody hears of, or may be silent before masters of another
/// version, is seen to in its own turn: no master can mend it, and a roll back has to get that far.
fn awaited(slaves: &[Node], leading: &Leading, silenced: &[String]) -> Vec<Node> {
    let is_awaited = |node: &&Node| !leading.unheard.contains(&node.name) && !silenced.contains(&node.name);
    slaves.iter().filter(is_awaited).cloned().collect()
}

/// The Mesos that is rolled out, beside the one that runs, on every node that gets it: nothing that runs has to do with it yet.
async fn beside(
    flow: &Flow<World>,
    cluster: &ClusterSpec,
    spec: &RedeploySpec,
    inventory: &Inventory,
) -> Result<BuiltMesos, Halt> {
    let hub = inventory.first_master();
    let built = flow
        .step(StageMesos {
            hub: hub.clone(),
            mesos: cluster.mesos.clone(),
            known: spec.known.clone(),
        })
        .await?;
    let copies = each(inventory.mesos_others(), |node| CopyMesos {
        hub: hub.clone(),
        node: node.clone(),
        built: built.clone(),
        packages: cluster.mesos.packages.clone(),
    });
    flow.fan_out(CopyMesos::ID, copies).await?;
    Ok(built)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slave(index: u16) -> Node {
        serde_json::from_value(serde_json::json!({
            "id": format!("i-{index}"), "name": format!("demo-slave-{index}"), "role": "slave", "index": index,
            "private_ip": format!("10.0.0.{index}"), "user": "root", "port": 22,
            "host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGjOH5fDqWHuvjT0ZDvVUKo4Q0cdT0wOv0Fjfz0OXbGK",
        }))
        .unwrap()
    }

    #[test]
    fn masters_wait_for_no_agent_that_was_silent_before_or_has_what_is_taken_back() {
        let slaves = [1, 2, 3].map(slave);
        let names = |leading: serde_json::Value, silenced: &[&str]| {
            let leading: Leading = serde_json::from_value(leading).unwrap();
            let silenced: Vec<_> = silenced.iter().map(|name| (*name).to_owned()).collect();
            let awaited = awaited(&slaves, &leading, &silenced).into_iter();
            awaited.map(|node| node.instance.name.clone()).collect::<Vec<_>>()
        };
        let (first, second, third) = ("demo-slave-1", "demo-slave-2", "demo-slave-3");
        let seen = serde_json::json!({"leader": "demo-master-1"});
        assert_eq!(names(seen.clone(), &[]), [first, second, third]);
        assert_eq!(names(seen, &[second]), [first, third]);
        let unled = serde_json::json!({"leader": null, "unheard": [first]});
        assert_eq!(names(unled, &[second]), [third]);
    }
}
