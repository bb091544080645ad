//! What runs with another configuration than the one that lies on its node, in a cluster that works and goes on working: it is started anew in
//! turns. Each is a part of every set-up of such a cluster, and finds nothing to do in most.

use mesosflow_workflow::{CatalogueEntry, Flow, Halt, StepId};

use super::parts::{each, skipped};
use super::{entry, on_both};
use crate::cluster::{Inventory, Node, Role};
use crate::hdfs::Hdfs;
use crate::life::{Anew, RestartHdfs, RestartMesos, RestartZookeeper, SeeRanks};
use crate::provision::RenderedConfig;
use crate::setup::{HdfsStart, MesosRoles, ZookeeperStart};
use crate::world::World;

/// How daemons are started anew.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns {
    /// How many agents, or datanodes, at once; a tenth of them, one at least, where nobody says.
    pub(super) batch: Option<u16>,
    /// The names of the slaves whose agents may begin anew.
    pub(super) anew: Vec<String>,
    /// What makes another agent of one, and how long its tasks may take then.
    pub(super) by: Option<Anew>,
}

impl Turns {
    fn at_once(&self, slaves: &[Node]) -> usize {
        self.batch.map_or_else(|| slaves.len().div_ceil(10), Into::into)
    }

    fn of(&self, node: &Node) -> Option<Anew> {
        self.by.clone().filter(|_| self.anew.contains(&node.name))
    }
}

/// The steps, each before the one of the deploy's set-up that it is for.
pub(super) fn steps() -> Vec<(StepId, Vec<CatalogueEntry>)> {
    let ranks = |role, title| entry(SeeRanks::id_of(role), title);
    let zookeepers = vec![
        ranks(Role::Zookeeper, "which ZooKeeper is started anew last"),
        entry(
            RestartZookeeper::ID,
            "ZooKeepers whose configuration is another, one by one, the leader last",
        )
        .over("zookeepers"),
    ];
    let namenodes = on_both(
        RestartHdfs::namenode_of,
        "namenode, if its configuration is another",
    );
    let datanodes = on_both(
        RestartHdfs::datanodes_of,
        "datanodes whose configuration is another, batch by batch",
    );
    let hdfs = namenodes.into_iter().zip(datanodes);
    let hdfs = hdfs.flat_map(|(namenode, datanodes)| [namenode, datanodes.over("slaves")]);
    let mesos = vec![
        ranks(Role::Master, "which master is started anew last"),
        entry(
            RestartMesos::id_of(Role::Master),
            "masters whose configuration is another, one by one, the leader last",
        )
        .over("masters"),
        entry(
            RestartMesos::id_of(Role::Slave),
            "agents whose configuration is another, batch by batch",
        )
        .over("slaves"),
    ];
    vec![
        (ZookeeperStart::ID, zookeepers),
        (HdfsStart::id_of(Hdfs::Ephemeral), hdfs.collect()),
        (MesosRoles::ID, mesos),
    ]
}

/// The ZooKeepers, one after the other, the leader last.
pub(super) async fn zookeeper(
    flow: &Flow<World>,
    inventory: &Inventory,
    tree: &RenderedConfig,
) -> Result<(), Halt> {
    let (see, servers) = (SeeRanks::id_of(Role::Zookeeper), &inventory.zookeepers);
    if skipped(flow, see).await? {
        return skipped(flow, RestartZookeeper::ID).await.map(drop);
    }
    let seen = flow
        .step(SeeRanks {
            role: Role::Zookeeper,
            nodes: servers.clone(),
        })
        .await?;
    let items = each(seen.in_order(servers), |node| RestartZookeeper {
        node: node.clone(),
        servers: servers.clone(),
        tree: tree.digest.clone(),
    });
    flow.fan_out_in_turn(RestartZookeeper::ID, 1, items).await?;
    Ok(())
}

/// Both file systems, one after the other: the namenode alone, then the datanodes.
pub(super) async fn both_hdfs(
    flow: &Flow<World>,
    inventory: &Inventory,
    tree: &RenderedConfig,
    turns: &Turns,
) -> Result<(), Halt> {
    let (namenode, slaves) = (inventory.first_master(), &inventory.slaves);
    let daemon = |hdfs, datanode: Option<&Node>| RestartHdfs {
        hdfs,
        namenode: namenode.clone(),
        datanode: datanode.cloned(),
        tree: tree.digest.clone(),
    };
    for hdfs in [Hdfs::Ephemeral, Hdfs::Persistent] {
        flow.step(daemon(hdfs, None)).await?;
        let datanodes = each(slaves, |node| daemon(hdfs, Some(node)));
        let (step, at_once) = (RestartHdfs::datanodes_of(hdfs), turns.at_once(slaves));
        flow.fan_out_in_turn(step, at_once, datanodes).await?;
    }
    Ok(())
}

/// The masters one after the other, the leader last; then the agents.
pub(super) async fn mesos(
    flow: &Flow<World>,
    inventory: &Inventory,
    role: impl Fn(&Node) -> MesosRoles,
    turns: &Turns,
) -> Result<(), Halt> {
    let (masters, slaves) = (&inventory.masters, &inventory.slaves);
    let seen = flow
        .step(SeeRanks {
            role: Role::Master,
            nodes: masters.clone(),
        })
        .await?;
    let daemon = |node: &Node, slaves: &[Node], anew| RestartMesos {
        role: role(node),
        masters: masters.clone(),
        slaves: slaves.to_vec(),
        anew,
    };
    let items = each(seen.in_order(masters), |node| daemon(node, slaves, None));
    flow.fan_out_in_turn(RestartMesos::id_of(Role::Master), 1, items)
        .await?;
    let agents = each(slaves, |node| {
        daemon(node, std::slice::from_ref(node), turns.of(node))
    });
    let (step, at_once) = (RestartMesos::id_of(Role::Slave), turns.at_once(slaves));
    flow.fan_out_in_turn(step, at_once, agents).await?;
    Ok(())
}
