//! A machine of a cluster that works takes the place of another, dead or living, under the same name and address: what the one of before
//! had, the others have first; then it ends, and the new one is set up as the deploy does it. What runs elsewhere is not started anew.

use std::sync::Arc;

use async_trait::async_trait;
use mesosflow_workflow::{CatalogueEntry, Flow, Halt, Outcome, Resource, Run, Settings, Settle as _, Stop};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::deploy::{awaited, first_of, sorted};
use super::destroy::{delete_each, deletion};
use super::parts::{each, place};
use super::remove_slaves::{forgotten, silenced};
use super::set_up::{self, Before, Setting, set_up};
use super::{Workflow, entry, on_both, put_before, read, without};
use crate::catalogue::catalogue as of_deploy;
use crate::cluster::{ClusterSpec, Instance, Inventory, Node, Role};
use crate::hdfs::{Enough, FileSystems, Hdfs};
use crate::life::{
    Daemon, DaemonStop, Decommission, Deleted, DrainAgent, ForgetDatanodes, HdfsStop, HubMove,
    ImportCheckpoint, MoveHub, NfsUnmount, ReactivateAgent, SaveNamespace, SeeRegistry, SeedRegistry,
    SpareMaster, SpareZookeeper,
};
use crate::provider::{Groups, Image};
use crate::provision::{AwaitNode, LaunchMachine, loss};
use crate::record::REPLACES;
use crate::setup::{Distribute, HdfsFormat, HdfsStart, MesosStart, MesosStop, Report};
use crate::world::World;

/// What a replacement needs of the cluster's record, as it was when it began.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReplaceNodeSpec {
    /// The cluster as it is to be.
    pub cluster: ClusterSpec,
    /// The node whose machine is replaced.
    pub node: Node,
    /// Whether that answers.
    pub answers: bool,
    /// The file systems whose namenodes hear of its datanode: blocks that none but that has are copied first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gives: Vec<Hdfs>,
    /// Whether blocks that were lost with it are known to its owner, and fail nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gives_up: bool,
    /// The other nodes.
    pub nodes: Vec<Node>,
    /// The names of nodes that are passed over, since their machines have gone meanwhile.
    #[serde(default)]
    pub without: Vec<String>,
    /// Where the node is the first master: who keeps what moves to its next machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keeper: Option<Node>,
    /// Where it is the first master, and does not answer: what its next machine begins with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<LostHub>,
    /// What there is of its machine at the provider; without the volume of the persistent HDFS, which the new one gets, and nothing of a
    /// machine that is somebody else's.
    pub resources: Vec<Resource>,
    /// What machines are launched from.
    pub image: Image,
    /// What they are launched into.
    pub groups: Groups,
    /// The file systems that there are.
    pub file_systems: FileSystems,
    /// How long tasks may take to end by themselves, seconds.
    pub drain_timeout_s: u64,
}

/// What the next machine of a first master begins with that is lost, with what only that had.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LostHub {
    /// Who has a checkpoint of the persistent namenode; none where its folder is on a volume that goes to the new machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Node>,
    /// Who has Mesos, as it was made on the first master.
    pub mesos: Node,
}

impl ReplaceNodeSpec {
    /// The nodes that it acts on, and could go on without: those that stay, and that which leaves.
    fn all_nodes(&self) -> (&[Node], &[Node]) {
        (&self.nodes, std::slice::from_ref(&self.node))
    }

    const fn role(&self) -> Role {
        self.node.instance.role
    }

    /// The node, if it answers.
    fn answering(&self) -> &[Node] {
        match self.answers && !self.without.contains(&self.node.name) {
            true => std::slice::from_ref(&self.node),
            false => &[],
        }
    }

    /// The kinds of things that there are of its machine, in the order in which they have to go.
    fn kinds(&self) -> Vec<Deleted> {
        let has = |kind: &Deleted| self.resources.iter().any(|resource| resource.kind == kind.kind());
        Deleted::of(self.cluster.provider).filter(has).collect()
    }

    /// Whether the masters that stay make the quorum: it is that of all of them.
    fn has_quorum(&self) -> bool {
        let masters = usize::from(self.cluster.masters);
        masters > 1 && masters - 1 > masters / 2
    }

    /// Whether the new machine's master cannot get the registry by itself.
    fn seeds(&self) -> bool {
        let others = usize::from(self.cluster.masters).saturating_sub(1);
        self.role() == Role::Master && !self.has_quorum() && self.keeper.is_none() && others > 0
    }

    /// Whether others cannot be whole before its next machine works: HDFS without the first master, Mesos without a quorum of masters.
    fn waits(&self) -> bool {
        self.role() == Role::Master && (self.node.index == 1 || !self.has_quorum())
    }

    /// What the set-up of a first master's next machine brings there before anything else needs it.
    fn brings(&self) -> Option<(HubMove, Node)> {
        let kept = self.keeper.clone().map(|keeper| (HubMove::Bring, keeper));
        let lost = self.lost.as_ref();
        kept.or_else(|| lost.map(|lost| (HubMove::FetchMesos, lost.mesos.clone())))
    }
}

/// The workflow.
#[derive(Debug)]
pub struct ReplaceNode;

#[async_trait(?Send)]
impl Workflow for ReplaceNode {
    fn name(&self) -> &'static str {
        REPLACES
    }

    fn aim(&self) -> &'static str {
        "has another machine in the place of the one that was replaced"
    }

    fn cluster(&self, spec: &Value) -> Result<ClusterSpec, serde_json::Error> {
        Ok(read::<ReplaceNodeSpec>(spec)?.cluster)
    }

    fn catalogue(&self, spec: &Value) -> Result<Vec<CatalogueEntry>, serde_json::Error> {
        Ok(catalogue(&read(spec)?))
    }

    async fn drive(&self, run: &Run, world: Arc<World>, settings: Settings, stop: Stop) -> Outcome {
        without::drive(run, world, settings, stop, ReplaceNodeSpec::all_nodes, replace).await
    }
}

/// The steps of a replacement: what the role needs before its machine ends, the deploy's for machines, its set-up, and what the role
/// needs then.
fn catalogue(spec: &ReplaceNodeSpec) -> Vec<CatalogueEntry> {
    let mut all = Vec::new();
    let moves = |way, title: &str| spec.keeper.as_ref().map(|_| entry(MoveHub::id_of(way), title));
    match spec.role() {
        Role::Slave => {
            all.push(entry(DrainAgent::ID, "its agent has no task and gets none").over("the slave"));
            all.extend(on_both(
                Decommission::id_of,
                "HDFS: no block is on that slave alone",
            ));
            all.push(entry(MesosStop::ID, "Mesos stopped and gone where it leaves").over("the slave"));
            all.push(entry(NfsUnmount::ID, "/mnt/nfs unmounted where it leaves").over("the slave"));
            all.extend(on_both(HdfsStop::id_of, "HDFS: its datanode stopped"));
        }
        Role::Master if spec.has_quorum() => {
            all.push(entry(SpareMaster::ID, "the other masters lead without it"));
        }
        Role::Master => {
            all.push(entry(MesosStop::ID, "Mesos stopped and gone where it leaves").over("the master"));
        }
        Role::Zookeeper => {
            all.push(entry(
                SpareZookeeper::ID,
                "the other ZooKeepers serve without it, in sync",
            ));
        }
    }
    if let Some(keeps) = moves(HubMove::Keep, "what moves to the new machine, on another node") {
        all.extend(on_both(SaveNamespace::id_of, "HDFS: no writes, all in one image"));
        all.extend(on_both(HdfsStop::id_of, "HDFS: its namenode stopped"));
        all.push(entry(
            DaemonStop::id_of(Daemon::Nfs),
            "/mnt/nfs served no more meanwhile",
        ));
        all.push(keeps);
    }
    let kinds = spec.kinds().into_iter();
    all.extend(kinds.map(|kind| deletion(spec.cluster.provider, kind)));
    if spec.role() == Role::Slave {
        all.extend(on_both(
            ForgetDatanodes::id_of,
            "HDFS: its datanode is expected no more",
        ));
    }
    let launch = LaunchMachine::id_of(spec.role());
    all.extend(
        of_deploy()
            .into_iter()
            .filter(|entry| entry.id == launch || entry.id == AwaitNode::ID),
    );
    all.extend(match spec.waits() {
        true => set_up::steps_at_once(),
        false => set_up::steps(),
    });
    if spec.seeds() {
        let seed = entry(SeedRegistry::ID, "the other master's registry on the new machine");
        put_before(&mut all, &MesosStart::ID, [seed]);
    }
    if let Some((way, _)) = spec.brings() {
        let title = match way {
            HubMove::FetchMesos => "Mesos from another node, as it was made",
            _ => "what was kept, on the new machine",
        };
        let brings = entry(MoveHub::id_of(way), title);
        put_before(&mut all, &Distribute::HDFS_CONFIG, [brings]);
    }
    if let Some(lost) = &spec.lost {
        let formats = of_deploy().into_iter().filter(|entry| entry.id == HdfsFormat::ID);
        let formats = formats.map(|mut format| {
            "ephemeral HDFS formatted, whose names are lost".clone_into(&mut format.title);
            format
        });
        put_before(&mut all, &HdfsStart::id_of(Hdfs::Ephemeral), formats);
        if lost.checkpoint.is_some() {
            let imports = entry(ImportCheckpoint::ID, "persistent HDFS from its checkpoint");
            put_before(&mut all, &HdfsStart::id_of(Hdfs::Persistent), [imports]);
        }
    }
    match spec.role() {
        Role::Slave => all.push(entry(ReactivateAgent::ID, "its agent gets tasks").over("the slave")),
        Role::Master => all.push(entry(SeeRegistry::ID, "its master has the registry")),
        Role::Zookeeper => {}
    }
    all.extend(moves(HubMove::Forget, "nothing is kept any more"));
    all
}

/// Replaces it. A machine that is lost on the way is launched anew by the next driver.
///
/// # Errors
/// Why the flow has to end; see [`Halt`].
async fn replace(flow: Flow<World>, spec: Arc<ReplaceNodeSpec>) -> Result<Report, Halt> {
    loss::look_after(&flow).await?.none_stopped()?;
    // On the heap: the future of all steps in one is too deep a type for those that await it.
    let ended = Box::pin(exchange(flow.clone(), spec)).await;
    loss::explained(&flow, ended).await
}

async fn exchange(flow: Flow<World>, spec: Arc<ReplaceNodeSpec>) -> Result<Report, Halt> {
    let cluster = flow.world().spec().clone();
    let others = without::there(&spec.nodes, &spec.without);
    let before = sorted(&flow, others.iter().chain([&spec.node]).cloned())?;
    spare(&flow, &spec, &before).await?;
    for kind in spec.kinds() {
        delete_each(&flow, &spec.resources, &[], kind).await?;
    }
    let forgets = async {
        match spec.role() {
            Role::Slave => {
                let gone = std::slice::from_ref(&spec.node);
                forgotten(&flow, before.first_master(), gone).await
            }
            Role::Master | Role::Zookeeper => Ok(()),
        }
    };
    let (awaited, ()) = tokio::join!(launched(&flow, &cluster, &spec, &others), forgets).settle()?;
    let is_new = |node: &&Node| node.name == spec.node.name;
    let new: Vec<_> = awaited.iter().filter(is_new).cloned().collect();
    let mut nodes = others;
    nodes.retain(|other| !awaited.iter().any(|node| node.name == other.name));
    nodes.extend(awaited);

    let inventory = sorted(&flow, nodes)?;
    let made = (Some(&spec.image), Some(&spec.groups));
    let before_it = match &spec.lost {
        None if spec.waits() => Before::Waits(spec.file_systems.clone()),
        None => Before::Up(spec.file_systems.clone()),
        Some(lost) => Before::Lost {
            persistent: spec.file_systems.persistent.clone(),
            checkpoint: lost.checkpoint.clone().map(Box::new),
        },
    };
    let other = but(&before.masters, &spec.node).into_iter().next();
    // By the way that leads to them now.
    let now = |node: &Node| {
        let found = inventory.all().find(|other| other.name == node.name);
        found.unwrap_or(node).clone()
    };
    let seeded = other.map(|other| now(&other)).zip(new.first().cloned());
    let brings = spec.brings().map(|(way, node)| (way, now(&node)));
    let keeper = spec.keeper.as_ref().map(now);
    let setting = Setting {
        before: before_it,
        seeded: seeded.filter(|_| spec.seeds()),
        brings,
        gives_up: spec.gives_up,
        ..Setting::up(&cluster, inventory, made, &spec.file_systems)
    };
    let report = set_up(&flow, setting).await?;
    match spec.role() {
        Role::Slave => {
            let back = each(&new, |node| ReactivateAgent {
                node: node.clone(),
                masters: before.masters.clone(),
                starts: false,
            });
            flow.fan_out(ReactivateAgent::ID, back).await?;
        }
        Role::Master => {
            for node in &new {
                flow.step(SeeRegistry { node: node.clone() }).await?;
            }
        }
        Role::Zookeeper => {}
    }
    if let (Some(keeper), Some(hub)) = (keeper, new.first()) {
        flow.step(MoveHub {
            way: HubMove::Forget,
            hub: hub.clone(),
            keeper,
        })
        .await?;
    }
    without::told(&flow, &missed(&spec)).await?;
    Ok(report)
}

/// Those that were passed over and are not replaced.
fn missed(spec: &ReplaceNodeSpec) -> Vec<String> {
    let is_other = |name: &&String| **name != spec.node.name;
    spec.without.iter().filter(is_other).cloned().collect()
}

/// The others do without it: what only that had is elsewhere, and nobody waits for it.
async fn spare(flow: &Flow<World>, spec: &ReplaceNodeSpec, before: &Inventory) -> Result<(), Halt> {
    // As it was when this began, whatever has its name by now: what was done with it is no other thing for that.
    let node = spec.node.clone();
    let answers = !spec.answering().is_empty();
    match spec.role() {
        Role::Slave => return spare_slave(flow, spec, before, &node).await,
        Role::Master if spec.has_quorum() => {
            flow.step(SpareMaster {
                others: but(&before.masters, &node),
                node: node.clone(),
                answers,
            })
            .await?;
        }
        Role::Master => {
            let stops = each(spec.answering(), |node| MesosStop {
                node: node.clone(),
                for_good: true,
            });
            flow.fan_out(MesosStop::ID, stops).await?;
        }
        Role::Zookeeper => {
            flow.step(SpareZookeeper {
                others: but(&before.zookeepers, &node),
                node: node.clone(),
                answers,
            })
            .await?;
        }
    }
    match &spec.keeper {
        Some(keeper) => keep(flow, node, keeper.clone()).await,
        None => Ok(()),
    }
}

/// Those nodes without that one.
fn but(nodes: &[Node], node: &Node) -> Vec<Node> {
    let others = nodes.iter().filter(|other| other.name != node.name);
    others.cloned().collect()
}

/// What only the first master has is on another node, once nobody writes to it any more.
async fn keep(flow: &Flow<World>, hub: Node, keeper: Node) -> Result<(), Halt> {
    let saves = |hdfs| {
        flow.step(SaveNamespace {
            hdfs,
            namenode: hub.clone(),
        })
    };
    tokio::join!(saves(Hdfs::Ephemeral), saves(Hdfs::Persistent)).settle()?;
    let stops = |hdfs| {
        flow.step(HdfsStop {
            hdfs,
            namenode: Some(hub.clone()),
            slaves: Vec::new(),
        })
    };
    tokio::join!(stops(Hdfs::Ephemeral), stops(Hdfs::Persistent)).settle()?;
    flow.step(DaemonStop {
        daemon: Daemon::Nfs,
        node: hub.clone(),
    })
    .await?;
    flow.step(MoveHub {
        way: HubMove::Keep,
        hub,
        keeper,
    })
    .await
}

/// Its tasks and blocks go elsewhere, then its daemons end. A namenode that does not hear of it has nothing to ask of it.
async fn spare_slave(
    flow: &Flow<World>,
    spec: &ReplaceNodeSpec,
    before: &Inventory,
    node: &Node,
) -> Result<(), Halt> {
    let drains = each([node], |node| DrainAgent {
        node: node.clone(),
        masters: before.masters.clone(),
        timeout_s: spec.drain_timeout_s,
    });
    flow.fan_out(DrainAgent::ID, drains).await?;
    let leaves = async |hdfs| match spec.gives.contains(&hdfs) {
        true => {
            let leaves = Decommission {
                hdfs,
                namenode: before.first_master().clone(),
                leaving: vec![node.clone()],
                staying: but(&before.slaves, node),
                lower_replication: false,
                enough: Enough::OneCopy,
            };
            flow.step(leaves).await.map(drop)
        }
        false => flow.skip(Decommission::id_of(hdfs), "it gives nothing").await,
    };
    tokio::join!(leaves(Hdfs::Ephemeral), leaves(Hdfs::Persistent)).settle()?;
    silenced(flow, spec.answering()).await
}

/// The new machine, at the address of the one before, once it answers; and those that answer only through it, by their new way.
async fn launched(
    flow: &Flow<World>,
    cluster: &ClusterSpec,
    spec: &ReplaceNodeSpec,
    others: &[Node],
) -> Result<Vec<Node>, Halt> {
    let (role, index) = (spec.role(), spec.node.index);
    let (key, mut place) = place(cluster, &spec.groups, &spec.image, role, index);
    place.address = Some(spec.node.private_ip);
    let launch = [(key, LaunchMachine(place))];
    let machines = flow.fan_out(LaunchMachine::id_of(role), launch).await?;
    let memory = flow.world().memory();
    let machines = machines.into_iter().map(|(_, instance)| memory.machine(instance));
    let machines: Vec<_> = machines.collect();
    let there: Vec<Instance> = others.iter().map(|node| node.instance.clone()).collect();
    let first = first_of(&machines).or_else(|| first_of(&there));
    let is_behind = |other: &&Node| {
        let via = other.via.as_ref();
        via.is_some_and(|via| via.name == spec.node.name)
    };
    let behind = others.iter().filter(is_behind);
    let behind = behind.map(|node| memory.machine(node.instance.clone()));
    let machines = machines.into_iter().chain(behind).collect();
    awaited(flow, cluster, &spec.image, first, machines).await
}
