//! The set-up of a cluster whose machines are there: section 2 of the deploy, and the configuration before it. It is the deploy's own,
//! and that of every workflow after which the cluster is another one: what is as it should be is left so.

use ipnet::IpNet;
use mesosflow_workflow::{CatalogueEntry, Flow, Halt, Settle as _, StepId};

use super::anew::{self, Turns};
use super::parts::{each, node_setup, skipped, vars_of};
use super::put_before;
use crate::authorized::{Authorized, Copied, NodeKey};
use crate::catalogue::catalogue;
use crate::cluster::{ClusterSpec, Inventory, Node, Role, SoftwareSource};
use crate::hdfs::{FileSystems, Formatted, Hdfs};
use crate::life::{HubMove, ImportCheckpoint, MoveHub, SeedRegistry};
use crate::provider::{Groups, Image};
use crate::provision::{
    AwaitNode, CopySshKey, ImageMetadata, LaunchMachine, PushConfig, RenderConfig, RenderedConfig,
    SanityCheck, SecurityGroups, SetupOptions,
};
use crate::setup::{
    Approve, Approved, BuildFrameworks, BuildMesos, BuiltMesos, ClusterHealth, ClusterInputs, Distribute,
    Distributed, FrameworkConfig, Frameworks, HdfsFormat, HdfsStart, Hostname, MesosRoles, MesosStart,
    MesosStop, Mounted, NfsExport, NfsMount, NfsServer, PersistentHdfsFormat, RedeployMesos, Report,
    ReportStep, ScriptPermissions, SetupNode, ZookeeperStart, down,
};
use crate::software::Choice;
use crate::templates::DeployVars;
use crate::world::World;

/// What is set up.
#[derive(Debug)]
pub(super) struct Setting<'s> {
    /// The cluster as it is to be.
    pub(super) spec: &'s ClusterSpec,
    /// Its nodes.
    pub(super) inventory: Inventory,
    /// What machines are launched from.
    pub(super) image: Option<&'s Image>,
    /// The range of the cluster's addresses.
    pub(super) range: Option<IpNet>,
    /// What it was before.
    pub(super) before: Before,
    /// A master that has the registry, and one that cannot get it by itself.
    pub(super) seeded: Option<(Node, Node)>,
    /// What a new machine of the first master's gets of the one before, and from whom.
    pub(super) brings: Option<(HubMove, Node)>,
    /// Whether machines with datanodes were given up on purpose, and with them what only they had.
    pub(super) gives_up: bool,
    /// How what runs with another configuration is started anew, where it works.
    pub(super) turns: Turns,
}

impl<'s> Setting<'s> {
    /// A cluster that works, with these nodes from now on; what its machines were launched from and into, where mesosflow has launched them.
    pub(super) fn up(
        spec: &'s ClusterSpec,
        inventory: Inventory,
        (image, groups): (Option<&'s Image>, Option<&Groups>),
        file_systems: &FileSystems,
    ) -> Self {
        Self {
            spec,
            inventory,
            image,
            range: groups.and_then(|groups| groups.range),
            before: Before::Up(file_systems.clone()),
            seeded: None,
            brings: None,
            gives_up: false,
            turns: Turns::default(),
        }
    }

    /// The same with what its owner says of how daemons are started anew.
    pub(super) fn in_turns(self, turns: Turns) -> Self {
        Self { turns, ..self }
    }
}

/// What the set-up of a cluster that works has no part in: its machines, and what it has behind it.
const NO_PART: [StepId; 10] = [
    SecurityGroups::ID,
    SanityCheck::ID,
    ImageMetadata::ID,
    LaunchMachine::id_of(Role::Slave),
    LaunchMachine::id_of(Role::Master),
    LaunchMachine::id_of(Role::Zookeeper),
    AwaitNode::ID,
    HdfsFormat::ID,
    PersistentHdfsFormat::ID,
    MesosStop::ID,
];

/// The steps of the set-up of a cluster that works: those of the deploy, and those that start anew, one after the other, what runs with
/// another configuration.
pub(super) fn steps() -> Vec<CatalogueEntry> {
    let mut all = steps_at_once();
    for (place, before) in anew::steps() {
        put_before(&mut all, &place, before);
    }
    all
}

/// Those of the deploy alone: of a cluster that works but for what waits for one of its masters.
pub(super) fn steps_at_once() -> Vec<CatalogueEntry> {
    let mut all = catalogue();
    all.retain(|entry| !NO_PART.contains(&entry.id));
    all
}

/// What a cluster was before it is set up.
#[derive(Debug, Clone)]
pub(super) enum Before {
    /// Nothing yet, or what this very run has made of it.
    New,
    /// Its machines were stopped since it worked: some disks lose what is on them then.
    Stopped {
        /// Whether it has had a persistent HDFS.
        has_persistent: bool,
    },
    /// It works, and goes on working.
    Up(FileSystems),
    /// It works but for what waits for one of its masters, which has another machine: nothing of it is started anew in turns.
    Waits(FileSystems),
    /// It works but for what its first master had, whose machine is lost: the persistent HDFS is that one, and its names are in the checkpoint
    /// that a node has, or where they were.
    Lost {
        persistent: Formatted,
        checkpoint: Option<Box<Node>>,
    },
}

/// Section 2, and the configuration before it: from nodes that answer to a cluster that does its work. What is as it should be is
/// left so.
pub(super) async fn set_up(flow: &Flow<World>, setting: Setting<'_>) -> Result<Report, Halt> {
    let Setting {
        spec,
        inventory,
        image,
        range,
        before,
        seeded,
        brings,
        gives_up,
        turns,
    } = setting;
    let hub = inventory.first_master();
    let vars = vars_of(spec, &inventory, image, range);
    let (tree, keys) = configure(flow, spec, hub, &vars).await?;

    flow.fan_out(
        Hostname::ID,
        each(inventory.all(), |node| Hostname::new(node, &inventory)),
    )
    .await?;
    flow.step(ClusterInputs {
        inventory: inventory.clone(),
    })
    .await?;
    flow.step(ScriptPermissions { hub: hub.clone() }).await?;
    let others = inventory.others().cloned().collect();
    flow.step(SetupNode::first(
        spec,
        node_setup(spec, image, &inventory, hub),
        others,
    ))
    .await?;
    approve(flow, spec, &inventory, &keys, range).await?;
    let scripts = each(inventory.others(), |node| Distribute {
        hub: hub.clone(),
        node: node.clone(),
        what: Distributed::Scripts {
            key: NodeKey::of(node.role, spec.ssh.key_on_every_node),
        },
        tree: tree.digest.clone(),
    });
    flow.fan_out(Distribute::SCRIPTS, scripts).await?;
    let others = each(inventory.others(), |node| {
        SetupNode::of(spec, hub, node_setup(spec, image, &inventory, node))
    });
    flow.fan_out(SetupNode::NODES, others).await?;
    if let Some((way, keeper)) = brings {
        let hub = hub.clone();
        flow.step(MoveHub { way, hub, keeper }).await?;
    }

    // What works is started anew in turns, which have to be after one another; what does not is all started at once.
    let is_up = matches!(before, Before::Up(_));
    let data = async {
        let (zookeeper, hdfs) = (
            zookeeper(flow, &inventory, &tree, is_up),
            both_hdfs(flow, &inventory, &vars, &tree, (&before, &turns)),
        );
        match is_up {
            true => {
                zookeeper.await?;
                hdfs.await
            }
            false => tokio::join!(zookeeper, hdfs).settle().map(drop),
        }
    };
    let role = |node: &Node| MesosRoles::new(node, spec, &inventory, &vars);
    let of_mesos = || inventory.masters.iter().chain(&inventory.slaves);
    let roles = || flow.fan_out(MesosRoles::ID, each(of_mesos(), role));
    let ((mesos, frameworks), (shared, mounted), ()) = tokio::join!(
        async {
            let built = mesos(flow, spec, &inventory, &tree).await?;
            // A replay may end with them.
            if !is_up {
                roles().await?;
            }
            Ok::<_, Halt>(built)
        },
        shared_volume(flow, spec, &inventory, &tree),
        data,
    )
    .settle()?;

    if is_up {
        anew::mesos(flow, &inventory, role, &turns).await?;
        roles().await?;
    } else if matches!(before, Before::New | Before::Stopped { .. }) {
        flow.fan_out(
            MesosStop::ID,
            each(of_mesos(), |node| MesosStop {
                node: node.clone(),
                for_good: false,
            }),
        )
        .await?;
    }
    if let Some((from, node)) = seeded {
        flow.step(SeedRegistry { from, node }).await?;
    }
    flow.step(MesosStart {
        masters: inventory.masters.clone(),
        slaves: inventory.slaves.clone(),
        mesos: mesos.clone(),
        tree: tree.digest.clone(),
    })
    .await?;
    let health = flow
        .step(ClusterHealth {
            inventory: inventory.clone(),
            shared: shared.clone(),
            gives_up,
            no_spark_job: !(spec.frameworks.spark && spec.spark.check),
        })
        .await;
    let health = down::explained(flow, &inventory, health).await?;
    flow.step(ReportStep {
        inventory,
        health,
        shared,
        mounted,
        mesos_version: mesos.version,
        frameworks,
        has_history: vars.spark_history,
    })
    .await
}

/// Steps 1.6.a to 1.6.c: the rendered tree, the nodes' keys and the options on the first master.
async fn configure(
    flow: &Flow<World>,
    spec: &ClusterSpec,
    hub: &Node,
    vars: &DeployVars,
) -> Result<(RenderedConfig, Copied), Halt> {
    let overlay = spec.deploy_dir.clone();
    let rendered = flow
        .step(RenderConfig {
            vars: vars.clone(),
            overlay: overlay.clone(),
        })
        .await?;
    let pushed = PushConfig {
        hub: hub.clone(),
        rendered: rendered.clone(),
        vars: vars.clone(),
        overlay,
        homes: Choice::of(spec).homes(),
    };
    flow.step(pushed).await?;
    let public_key = flow.world().key().public().to_owned();
    let keys = flow
        .step(CopySshKey {
            hub: hub.clone(),
            public_key,
        })
        .await?;
    flow.step(SetupOptions::of(hub, vars)).await?;
    Ok((rendered, keys))
}

/// Steps 2.6 to 2.8: the first master may talk to all the others, and only to them.
async fn approve(
    flow: &Flow<World>,
    spec: &ClusterSpec,
    inventory: &Inventory,
    keys: &Copied,
    range: Option<IpNet>,
) -> Result<(), Halt> {
    let approval = |of, node: &Node| {
        let authorized = Authorized::on(node, inventory, keys, spec.ssh.key_on_every_node, range);
        Approve::new(of, node, authorized, inventory.first_master())
    };
    let approved = async |of, nodes: Vec<&Node>| {
        let all = each(nodes, |node| approval(of, node));
        flow.fan_out(Approve::id_of(of), all).await.map(drop)
    };
    approved(Approved::Masters, inventory.masters.iter().collect()).await?;
    if !skipped(flow, Approve::id_of(Approved::Zookeepers)).await? {
        approved(Approved::Zookeepers, inventory.zookeepers.iter().collect()).await?;
    }
    let others = inventory
        .slaves
        .iter()
        .chain(inventory.other_masters())
        .chain(&inventory.zookeepers);
    approved(Approved::Nodes, others.collect()).await
}

/// Steps 2.12 to 2.14: Mesos and the frameworks, built or unpacked once, then copied.
async fn mesos(
    flow: &Flow<World>,
    spec: &ClusterSpec,
    inventory: &Inventory,
    tree: &RenderedConfig,
) -> Result<(BuiltMesos, Frameworks), Halt> {
    let hub = inventory.first_master();
    let built = flow
        .step(BuildMesos {
            hub: hub.clone(),
            mesos: spec.mesos.clone(),
        })
        .await?;
    let frameworks = flow
        .step(BuildFrameworks {
            hub: hub.clone(),
            frameworks: spec.frameworks.clone(),
            hadoop_is_chosen: spec.hadoop.source == SoftwareSource::Url,
        })
        .await?;
    let config = FrameworkConfig {
        hub: hub.clone(),
        frameworks: frameworks.clone(),
        cluster_url: inventory.cluster_url(),
        tree: tree.digest.clone(),
    };
    let copies = each(inventory.mesos_others(), |node| RedeployMesos {
        hub: hub.clone(),
        node: node.clone(),
        built: built.clone(),
        packages: spec.mesos.packages.clone(),
    });
    tokio::join!(flow.step(config), flow.fan_out(RedeployMesos::ID, copies)).settle()?;
    Ok((built, frameworks))
}

/// Steps 2.15 and 2.16: `/mnt/nfs`.
async fn shared_volume(
    flow: &Flow<World>,
    spec: &ClusterSpec,
    inventory: &Inventory,
    tree: &RenderedConfig,
) -> Result<(NfsServer, Vec<Mounted>), Halt> {
    let hub = inventory.first_master();
    let export = NfsExport {
        hub: hub.clone(),
        server: spec.shared_volume.server,
        tree: tree.digest.clone(),
    };
    let server = flow.step(export).await?;
    let mounts = each(&inventory.slaves, |node| NfsMount {
        hub: hub.clone(),
        node: node.clone(),
        server: server.clone(),
        fallback: spec.mount_fallback(),
    });
    let mounted = flow
        .fan_out(NfsMount::ID, mounts)
        .await?
        .into_iter()
        .map(|(_, mounted)| mounted)
        .collect();
    Ok((server, mounted))
}

/// Steps 2.11, 2.17 and 2.18: both file systems, from their configuration to live datanodes.
async fn both_hdfs(
    flow: &Flow<World>,
    inventory: &Inventory,
    vars: &DeployVars,
    tree: &RenderedConfig,
    (before, turns): (&Before, &Turns),
) -> Result<(), Halt> {
    let hub = inventory.first_master();
    let config = each(inventory.others(), |node| Distribute {
        hub: hub.clone(),
        node: node.clone(),
        what: Distributed::HdfsConfig {},
        tree: tree.digest.clone(),
    });
    flow.fan_out(Distribute::HDFS_CONFIG, config).await?;
    let (namenode, slaves) = (hub.clone(), inventory.slaves.clone());
    let second = |hdfs| match hdfs {
        Hdfs::Persistent => inventory.second_master().cloned(),
        Hdfs::Ephemeral => None,
    };
    // On the heap: there are four of them in one future, which is large enough without.
    let start = |hdfs, formatted| {
        Box::pin(flow.step(HdfsStart {
            hdfs,
            namenode: namenode.clone(),
            slaves: slaves.clone(),
            second: second(hdfs),
            has_history: hdfs == Hdfs::Persistent && vars.spark_history,
            formatted,
        }))
    };
    let (keeps, must_exist) = match before {
        Before::New => (false, false),
        Before::Lost { .. } => (false, true),
        Before::Stopped { has_persistent } => (true, *has_persistent),
        Before::Up(known) | Before::Waits(known) => {
            if matches!(before, Before::Up(_)) {
                anew::both_hdfs(flow, inventory, tree, turns).await?;
            }
            let ephemeral = start(Hdfs::Ephemeral, known.ephemeral.clone());
            let persistent = start(Hdfs::Persistent, known.persistent.clone());
            tokio::join!(ephemeral, persistent).settle()?;
            return Ok(());
        }
    };
    let ephemeral = async {
        let data_folders = vars.hdfs_data_dirs.clone();
        let format = HdfsFormat {
            namenode: namenode.clone(),
            slaves: slaves.clone(),
            data_folders,
            keeps,
        };
        start(Hdfs::Ephemeral, flow.step(format).await?).await
    };
    let persistent = async {
        if let Before::Lost {
            persistent,
            checkpoint,
        } = before
        {
            let formatted = match checkpoint.clone() {
                None => persistent.clone(),
                Some(second) => {
                    let second = *second;
                    let (hub, cluster_id) = (namenode.clone(), persistent.cluster_id.clone());
                    let import = ImportCheckpoint {
                        hub,
                        second,
                        cluster_id,
                    };
                    flow.step(import).await?
                }
            };
            return start(Hdfs::Persistent, formatted).await;
        }
        let format = PersistentHdfsFormat {
            namenode: namenode.clone(),
            slaves: slaves.clone(),
            must_exist,
        };
        start(Hdfs::Persistent, flow.step(format).await?).await
    };
    tokio::join!(ephemeral, persistent).settle()?;
    Ok(())
}

/// Step 2.19: the quorum.
async fn zookeeper(
    flow: &Flow<World>,
    inventory: &Inventory,
    tree: &RenderedConfig,
    is_up: bool,
) -> Result<(), Halt> {
    if is_up {
        anew::zookeeper(flow, inventory, tree).await?;
    }
    if skipped(flow, ZookeeperStart::ID).await? {
        return Ok(());
    }
    let servers = each(&inventory.zookeepers, |node| ZookeeperStart {
        node: node.clone(),
        tree: tree.digest.clone(),
    });
    flow.fan_out(ZookeeperStart::ID, servers).await?;
    Ok(())
}
