//! The deploy: the catalogue as a flow, from nothing to a cluster that does its work.

use std::sync::Arc;

use async_trait::async_trait;
use mesosflow_workflow::{
    CatalogueEntry, ErrorClass, ErrorReport, Flow, Halt, ItemKey, Outcome, Run, Settings, Settle as _,
    StepId, Stop,
};
use serde_json::Value;

use super::parts::{each, node_setup, place, variables};
use super::{Workflow, read};
use crate::authorized::{Authorized, Copied, NodeKey};
use crate::catalogue::{catalogue, skip_reason};
use crate::cluster::{ClusterSpec, Instance, Inventory, Node, Role};
use crate::hdfs::Hdfs;
use crate::provider::{Boot, Image};
use crate::provision::{
    AwaitNode, CopySshKey, ImageMetadata, LaunchMachine, PushConfig, RenderConfig, RenderedConfig,
    SanityCheck, SecurityGroups, SetupOptions, loss,
};
use crate::setup::{
    Approve, Approved, BuildFrameworks, BuildMesos, BuiltMesos, ClusterHealth, ClusterInputs, Distribute,
    Distributed, FrameworkConfig, HdfsFormat, HdfsStart, Hostname, MesosRoles, MesosStart, MesosStop,
    Mounted, NfsExport, NfsMount, NfsServer, PersistentHdfsFormat, RedeployMesos, Report, ReportStep,
    ScriptPermissions, SetupNode, ZookeeperStart, down,
};
use crate::templates::DeployVars;
use crate::world::World;

/// The workflow.
#[derive(Debug)]
pub struct Deploy;

#[async_trait(?Send)]
impl Workflow for Deploy {
    fn name(&self) -> &'static str {
        "deploy"
    }

    fn aim(&self) -> &'static str {
        "is up"
    }

    fn admits(&self) -> bool {
        true
    }

    fn replays(&self) -> bool {
        true
    }

    fn cluster(&self, spec: &Value) -> Result<ClusterSpec, serde_json::Error> {
        read(spec)
    }

    fn catalogue(&self, _spec: &Value) -> Result<Vec<CatalogueEntry>, serde_json::Error> {
        Ok(catalogue())
    }

    async fn drive(&self, run: &Run, world: Arc<World>, settings: Settings, stop: Stop) -> Outcome {
        Box::pin(run.drive(world, settings, stop, |flow| Box::pin(deploy(flow)))).await
    }
}

/// Brings the cluster up. A machine that is lost on the way is named, and launched anew by the next driver; nothing begins while one
/// is stopped. In a replay that was just asked for, of steps that somebody has named, machines are asked about only once one of them has failed.
///
/// # Errors
/// Why the flow has to end; see [`Halt`].
pub(crate) async fn deploy(flow: Flow<World>) -> Result<Report, Halt> {
    if !flow.is_new_replay() {
        loss::look_after(&flow).await?.none_stopped()?;
    }
    // On the heap: the future of all steps in one is too deep a type for those that await it.
    let ended = Box::pin(bring_up(flow.clone())).await;
    loss::explained(&flow, ended).await
}

/// The whole of it, step by step as the catalogue says; independent branches run side by side.
async fn bring_up(flow: Flow<World>) -> Result<Report, Halt> {
    let spec = flow.world().spec().clone();

    // Section 1: the machines, and the configuration on the first master.
    let (inventory, image) = match spec.provider.makes_machines() {
        true => provision(&flow, &spec).await?,
        false => {
            skipped(&flow, SecurityGroups::ID).await?;
            check(&flow, &spec).await?;
            for step in [
                ImageMetadata::ID,
                LaunchMachine::id_of(Role::Slave),
                LaunchMachine::id_of(Role::Master),
                LaunchMachine::id_of(Role::Zookeeper),
            ] {
                skipped(&flow, step).await?;
            }
            (listed(&flow, &spec).await?, None)
        }
    };
    set_up(&flow, &spec, inventory, image.as_ref(), Former::default()).await
}

/// What a cluster has had before it is set up.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Former {
    /// Whether its machines were stopped since: some disks lose what is on them then.
    pub(super) was_stopped: bool,
    /// Whether it has had a persistent HDFS.
    pub(super) has_persistent: bool,
    /// Whether machines with datanodes were given up on purpose.
    pub(super) lacks_slaves: bool,
}

/// Section 2, and the configuration before it: from nodes that answer to a cluster that does its work. What is as it should be is
/// left so.
pub(super) async fn set_up(
    flow: &Flow<World>,
    spec: &ClusterSpec,
    inventory: Inventory,
    image: Option<&Image>,
    former: Former,
) -> Result<Report, Halt> {
    let hub = inventory.first_master();
    let vars = variables(spec, image, &inventory);
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
    flow.step(
        SetupNode::first(node_setup(spec, image, &inventory, hub)).archive_url(spec.archive_url.clone()),
    )
    .await?;
    approve(flow, spec, &inventory, &keys).await?;
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
        SetupNode::of(hub, node_setup(spec, image, &inventory, node))
    });
    flow.fan_out(SetupNode::NODES, others).await?;

    let (mesos, (shared, mounted), (), ()) = tokio::join!(
        mesos(flow, spec, &inventory, &vars, &tree),
        shared_volume(flow, spec, &inventory, &tree),
        both_hdfs(flow, &inventory, &vars, &tree, former),
        zookeeper(flow, &inventory, &tree),
    )
    .settle()?;

    let stopped = inventory.masters.iter().chain(&inventory.slaves);
    flow.fan_out(
        MesosStop::ID,
        each(stopped, |node| MesosStop {
            node: node.clone(),
            for_good: false,
        }),
    )
    .await?;
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
            gives_up: former.lacks_slaves,
        })
        .await;
    let health = down::explained(flow, &inventory, health).await?;
    flow.step(ReportStep {
        inventory,
        health,
        shared,
        mounted,
        mesos_version: mesos.version,
    })
    .await
}

/// Steps 1.1 to 1.5: groups, image, machines, and every one of them answering.
async fn provision(flow: &Flow<World>, spec: &ClusterSpec) -> Result<(Inventory, Option<Image>), Halt> {
    let groups = flow
        .step(SecurityGroups {
            cluster: spec.cluster.clone(),
        })
        .await?;
    check(flow, spec).await?;
    let image = flow.step(ImageMetadata::new(spec)).await?;

    let launched = |role, count| {
        let places = (1..=count).map(|index| place(spec, &groups, &image, role, index));
        let machines = places.map(|(key, place)| (key, LaunchMachine(place)));
        flow.fan_out(LaunchMachine::id_of(role), machines.collect::<Vec<_>>())
    };
    let (slaves, masters, zookeepers) = tokio::join!(
        launched(Role::Slave, spec.slaves),
        launched(Role::Master, spec.masters),
        async {
            match skipped(flow, LaunchMachine::id_of(Role::Zookeeper)).await? {
                true => Ok(Vec::new()),
                false => launched(Role::Zookeeper, spec.zookeepers()).await,
            }
        },
    )
    .settle()?;

    let launched = masters.into_iter().chain(slaves).chain(zookeepers);
    // Another run may have put another machine in a place since.
    let machines = launched.map(|(_, instance)| flow.world().memory().machine(instance));
    let inventory = awaited(flow, spec, &image, machines.collect()).await?;
    Ok((inventory, Some(image)))
}

/// Step 1.2: nobody else's machines are in the cluster's place.
async fn check(flow: &Flow<World>, spec: &ClusterSpec) -> Result<(), Halt> {
    let cluster = spec.cluster.clone();
    flow.step(SanityCheck { cluster }).await
}

/// Step 1.5 for machines of the provider's: all of them answer.
pub(super) async fn awaited(
    flow: &Flow<World>,
    spec: &ClusterSpec,
    image: &Image,
    machines: Vec<Instance>,
) -> Result<Inventory, Halt> {
    let boot = Boot::of(spec);
    let is_first = |machine: &&Instance| machine.role == Role::Master && machine.index == 1;
    let first = machines.iter().find(is_first).cloned();
    let first = first.filter(|_| boot.is_reached_through_first);
    let items = machines.into_iter().map(|instance| {
        let step = AwaitNode {
            user: image.login_user.clone(),
            port: None,
            through: first.clone().filter(|first| first.id != instance.id),
            completes: boot.completes,
            boot_limit_s: boot.limit_s,
            instance,
        };
        (ItemKey::from(step.instance.name.as_str()), step)
    });
    sorted(flow, flow.fan_out(AwaitNode::ID, items).await?)
}

/// Step 1.5 for machines that are in the configuration.
pub(super) async fn listed(flow: &Flow<World>, spec: &ClusterSpec) -> Result<Inventory, Halt> {
    let boot = Boot::of(spec);
    let awaited = spec.listed().into_iter().map(|(instance, host)| {
        let step = AwaitNode {
            user: host.user.clone(),
            port: (host.port != 22).then_some(host.port),
            through: None,
            completes: boot.completes,
            boot_limit_s: boot.limit_s,
            instance,
        };
        (ItemKey::from(step.instance.name.as_str()), step)
    });
    sorted(flow, flow.fan_out(AwaitNode::ID, awaited).await?)
}

/// The nodes by role, each with the addresses that it has by now. A spec without a master is refused before its run begins, so that this is never the first to say so.
fn sorted(flow: &Flow<World>, nodes: Vec<(ItemKey, Node)>) -> Result<Inventory, Halt> {
    let memory = flow.world().memory();
    let inventory = Inventory::new(nodes.into_iter().map(|(_, node)| memory.node(node)));
    inventory.ok_or_else(|| Halt::Failed {
        step: AwaitNode::ID,
        error: ErrorReport::new(ErrorClass::Permanent, "none of the nodes is a master"),
    })
}

/// Skips a step that has no place in this cluster, and says whether it did.
pub(super) async fn skipped(flow: &Flow<World>, step: StepId) -> Result<bool, Halt> {
    match skip_reason(flow.world().spec(), &step) {
        Some(reason) => flow.skip(step, reason).await.map(|()| true),
        None => Ok(false),
    }
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
    };
    flow.step(pushed).await?;
    let public_key = flow.world().key().public().to_owned();
    let keys = flow
        .step(CopySshKey {
            hub: hub.clone(),
            public_key,
        })
        .await?;
    flow.step(SetupOptions {
        hub: hub.clone(),
        os: vars.os.clone(),
        download: vars.download.clone(),
        branch: vars.branch.clone(),
        swap_mb: vars.swap_mb,
    })
    .await?;
    Ok((rendered, keys))
}

/// Steps 2.6 to 2.8: the first master may talk to all the others, and only to them.
async fn approve(
    flow: &Flow<World>,
    spec: &ClusterSpec,
    inventory: &Inventory,
    keys: &Copied,
) -> Result<(), Halt> {
    let approval = |of, node: &Node| {
        let authorized = Authorized::on(node, inventory, keys, spec.ssh.key_on_every_node);
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

/// Steps 2.12 to 2.14, and the roles: Mesos and the frameworks, built or unpacked once, then copied; and what they start with.
async fn mesos(
    flow: &Flow<World>,
    spec: &ClusterSpec,
    inventory: &Inventory,
    vars: &DeployVars,
    tree: &RenderedConfig,
) -> Result<BuiltMesos, Halt> {
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
        })
        .await?;
    let config = FrameworkConfig {
        hub: hub.clone(),
        frameworks,
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
    let of_mesos = inventory.masters.iter().chain(&inventory.slaves);
    let roles = each(of_mesos, |node| MesosRoles::new(node, spec, inventory, vars));
    flow.fan_out(MesosRoles::ID, roles).await?;
    Ok(built)
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
    former: Former,
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
    let start = |hdfs, formatted| {
        flow.step(HdfsStart {
            hdfs,
            namenode: namenode.clone(),
            slaves: slaves.clone(),
            formatted,
        })
    };
    let ephemeral = async {
        let data_folders = vars.hdfs_data_dirs.clone();
        let format = HdfsFormat {
            namenode: namenode.clone(),
            slaves: slaves.clone(),
            data_folders,
            keeps: former.was_stopped,
        };
        start(Hdfs::Ephemeral, flow.step(format).await?).await
    };
    let persistent = async {
        let format = PersistentHdfsFormat {
            namenode: namenode.clone(),
            slaves: slaves.clone(),
            must_exist: former.has_persistent,
        };
        start(Hdfs::Persistent, flow.step(format).await?).await
    };
    tokio::join!(ephemeral, persistent).settle()?;
    Ok(())
}

/// Step 2.19: the quorum.
async fn zookeeper(flow: &Flow<World>, inventory: &Inventory, tree: &RenderedConfig) -> Result<(), Halt> {
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

#[cfg(test)]
mod recorded;
#[cfg(test)]
mod rehearsal;
#[cfg(test)]
mod tests;
