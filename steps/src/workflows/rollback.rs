//! The undoing of a run that was not ended: what it added is removed, what it was about to take away stays, what it stopped runs again.

use std::sync::Arc;

use async_trait::async_trait;
use mesosflow_workflow::{
    CatalogueEntry, Effect, Flow, Halt, Outcome, Resource, Run, RunId, Settings, Settle as _,
    Stop as StopSign,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::configure::{ConfigureSpec, configure, configure_steps};
use super::deploy::sorted;
use super::parts::each;
use super::redeploy::{RedeploySpec, roll, roll_steps};
use super::remove_slaves::{RemoveSlavesSpec, removal, remove};
use super::set_up::{self, Setting, set_up};
use super::start::{StartSpec, start, start_steps};
use super::stop::{StopSpec, stop_all, stop_steps};
use super::{Workflow, entry, on_both, read, without};
use crate::cluster::{ClusterSpec, Instance, Node, Role};
use crate::hdfs::{FileSystems, Hdfs};
use crate::life::{ReactivateAgent, Recommission, SettleLaunches};
use crate::provider::{Groups, Image};
use crate::record::ROLLS_BACK;
use crate::world::World;

/// What an undoing needs of the cluster's record, as it was when it began.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RollbackSpec {
    /// The cluster as it is to be: what was in force before.
    pub cluster: ClusterSpec,
    /// The run that is undone.
    pub run: RunId,
    /// Its workflow.
    pub undoes: String,
    /// The names of nodes that are passed over, since their machines have gone meanwhile.
    #[serde(default)]
    pub without: Vec<String>,
    /// How.
    pub by: Undo,
}

/// How a run is undone.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// What it added is removed.
    Removing {
        /// The names of the nodes that it was to add.
        added: Vec<String>,
        /// Its launches that nobody saw answered.
        effects: Vec<Effect>,
        /// The removal.
        removal: Box<RemoveSlavesSpec>,
    },
    /// What it was about to remove stays.
    Keeping(Box<KeepSlavesSpec>),
    /// What it stopped is started.
    Starting(Box<StartSpec>),
    /// What it started is stopped.
    Stopping(Box<StopSpec>),
    /// The Mesos of before is rolled out.
    Rolling(Box<RedeploySpec>),
    /// The configuration of before is put back.
    Configuring(Box<ConfigureSpec>),
}

impl RollbackSpec {
    /// The nodes that it acts on, and could go on without: those that stay, and those that leave.
    fn nodes(&self) -> (&[Node], &[Node]) {
        match &self.by {
            Undo::Removing { removal, .. } => (&removal.nodes, &removal.leaving),
            Undo::Keeping(of) => (&of.nodes, &[]),
            Undo::Rolling(of) => (&of.nodes, &[]),
            Undo::Configuring(of) => (&of.nodes, &[]),
            Undo::Starting(_) | Undo::Stopping(_) => (&[], &[]),
        }
    }

    /// The machines that it acts on: each one's name, id, and what would be done to it, in a word.
    pub fn machines(&self) -> Vec<(String, String, &'static str)> {
        let told = |instance: &Instance, action| (instance.name.clone(), instance.id.clone(), action);
        match &self.by {
            Undo::Removing { removal, .. } => {
                let made = removal.resources.iter().filter(|made| made.kind == "instance");
                let ends: Vec<_> = made
                    .map(|made| (made.name.clone(), made.id.clone(), "terminate"))
                    .collect();
                let stays = removal
                    .leaving
                    .iter()
                    .filter(|node| ends.iter().all(|(_, id, _)| *id != node.id));
                let stays: Vec<_> = stays.map(|node| told(&node.instance, "leave")).collect();
                [ends, stays].concat()
            }
            Undo::Keeping(of) => of
                .returning
                .iter()
                .map(|node| told(&node.instance, "keep"))
                .collect(),
            Undo::Starting(of) => of.machines.iter().map(|machine| told(machine, "start")).collect(),
            Undo::Stopping(of) => of.machines.iter().map(|machine| told(machine, "stop")).collect(),
            Undo::Configuring(of) => {
                let nodes = of.nodes.iter();
                nodes.map(|node| told(&node.instance, "configure")).collect()
            }
            Undo::Rolling(of) => {
                let of_mesos = of.nodes.iter().filter(|node| node.role != Role::Zookeeper);
                of_mesos.map(|node| told(&node.instance, "roll")).collect()
            }
        }
    }
}

/// Slaves that stay although they were to leave.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeepSlavesSpec {
    /// All nodes, those that stay all the same among them.
    pub nodes: Vec<Node>,
    /// Those that stay all the same.
    pub returning: Vec<Node>,
    /// What machines are launched from; none of listed hosts.
    pub image: Option<Image>,
    /// What they are launched into; none of listed hosts.
    pub groups: Option<Groups>,
    /// The file systems that there are.
    pub file_systems: FileSystems,
}

/// The workflow.
#[derive(Debug)]
pub struct Rollback;

#[async_trait(?Send)]
impl Workflow for Rollback {
    fn name(&self) -> &'static str {
        ROLLS_BACK
    }

    fn aim(&self) -> &'static str {
        "is as it was before"
    }

    fn cluster(&self, spec: &Value) -> Result<ClusterSpec, serde_json::Error> {
        Ok(read::<RollbackSpec>(spec)?.cluster)
    }

    fn catalogue(&self, spec: &Value) -> Result<Vec<CatalogueEntry>, serde_json::Error> {
        Ok(catalogue(&read(spec)?))
    }

    async fn drive(&self, run: &Run, world: Arc<World>, settings: Settings, stop: StopSign) -> Outcome {
        without::drive(run, world, settings, stop, RollbackSpec::nodes, undo).await
    }
}

fn catalogue(spec: &RollbackSpec) -> Vec<CatalogueEntry> {
    match &spec.by {
        Undo::Removing { removal: of, .. } => {
            let settle = entry(
                SettleLaunches::ID,
                "what was launched, also what nobody saw answered",
            );
            [settle].into_iter().chain(removal(of, true)).collect()
        }
        Undo::Keeping(_) => {
            let mut all = Vec::from(on_both(Recommission::id_of, "HDFS: datanodes in service again"));
            all.push(entry(ReactivateAgent::ID, "agents get tasks again").over("slaves that stay"));
            all.extend(set_up::steps());
            all
        }
        Undo::Starting(of) => start_steps(of),
        Undo::Stopping(of) => stop_steps(of),
        Undo::Rolling(of) => roll_steps(of),
        Undo::Configuring(of) => configure_steps(of),
    }
}

/// Undoes the run.
///
/// # Errors
/// Why the flow has to end; see [`Halt`].
async fn undo(flow: Flow<World>, spec: Arc<RollbackSpec>) -> Result<(), Halt> {
    match &spec.by {
        Undo::Removing {
            added,
            effects,
            removal,
        } => {
            let brought = flow
                .step(SettleLaunches {
                    nodes: added.clone(),
                    effects: effects.clone(),
                })
                .await?;
            let removal = RemoveSlavesSpec {
                resources: with(&removal.resources, brought),
                without: spec.without.clone(),
                ..(**removal).clone()
            };
            remove(flow, Arc::new(removal), true).await.map(drop)
        }
        Undo::Keeping(of) => keep(flow, of, &spec.without).await,
        Undo::Starting(of) => start(flow, Arc::new((**of).clone())).await.map(drop),
        Undo::Stopping(of) => stop_all(flow, Arc::new((**of).clone())).await,
        Undo::Rolling(of) => {
            let rolling = RedeploySpec {
                without: spec.without.clone(),
                ..(**of).clone()
            };
            roll(flow, Arc::new(rolling)).await.map(drop)
        }
        Undo::Configuring(of) => {
            let configuring = ConfigureSpec {
                without: spec.without.clone(),
                ..(**of).clone()
            };
            configure(flow, Arc::new(configuring)).await.map(drop)
        }
    }
}

/// These things, and those of the others that are not among them.
fn with(known: &[Resource], others: Vec<Resource>) -> Vec<Resource> {
    let mut all = known.to_vec();
    for other in others {
        if !all.iter().any(|known| known.is_same(&other)) {
            all.push(other);
        }
    }
    all
}

async fn keep(flow: Flow<World>, spec: &KeepSlavesSpec, missed: &[String]) -> Result<(), Halt> {
    let cluster = flow.world().spec().clone();
    let memory = flow.world().memory();
    let inventory = sorted(&flow, without::there(&spec.nodes, missed))?;
    let returning: Vec<_> = without::there(&spec.returning, missed)
        .iter()
        .map(|node| memory.node(node.clone()))
        .collect();
    let returns = |hdfs| {
        flow.step(Recommission {
            hdfs,
            namenode: inventory.first_master().clone(),
            nodes: returning.clone(),
        })
    };
    tokio::join!(returns(Hdfs::Ephemeral), returns(Hdfs::Persistent)).settle()?;
    flow.fan_out(
        ReactivateAgent::ID,
        each(&returning, |node| ReactivateAgent {
            node: node.clone(),
            masters: inventory.masters.clone(),
            starts: true,
        }),
    )
    .await?;
    let made = (spec.image.as_ref(), spec.groups.as_ref());
    let setting = Setting::up(&cluster, inventory, made, &spec.file_systems);
    Box::pin(set_up(&flow, setting)).await?;
    without::told(&flow, missed).await
}
