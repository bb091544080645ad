//! The start: the machines, wherever they are to be found by now, and on them whatever a new address has changed. Nothing is formatted
//! but what lost its disks.

use std::sync::Arc;

use async_trait::async_trait;
use mesosflow_workflow::{
    CatalogueEntry, ErrorClass, ErrorReport, Flow, Halt, ItemKey, Outcome, Resource, Run, Settings,
    Settle as _, StepId, Stop,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::anew::Turns;
use super::deploy::{awaited, first_of, listed, sorted};
use super::destroy::delete_each;
use super::parts::place;
use super::set_up::{Before, Setting, set_up};
use super::{Workflow, drive, entry, read};
use crate::catalogue::catalogue as of_deploy;
use crate::cluster::{ClusterSpec, Instance, Role};
use crate::life::{Delete, Deleted, StartMachine};
use crate::provider::{Groups, Image};
use crate::provision::{ImageMetadata, LaunchMachine, Place, SanityCheck, SecurityGroups, launches};
use crate::setup::{HdfsFormat, PersistentHdfsFormat, Report};
use crate::world::World;

/// What a start needs of the cluster's record, as it was when it began.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StartSpec {
    /// The spec in force.
    pub cluster: ClusterSpec,
    /// The machines that there are; none of listed hosts.
    pub machines: Vec<Instance>,
    /// Places whose machines are gone: others are launched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacking: Vec<Lacking>,
    /// Machines that the record has and nobody can start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<Resource>,
    /// What machines are launched from; none of listed hosts.
    pub image: Option<Image>,
    /// What they are launched into; none of listed hosts.
    pub groups: Option<Groups>,
    /// Whether the cluster has had a persistent HDFS.
    pub has_persistent: bool,
}

/// What is otherwise made: here it is looked for.
static KEPT: [(StepId, &str); 2] = [
    (
        HdfsFormat::ID,
        "ephemeral HDFS found; formatted where its disks were wiped",
    ),
    (PersistentHdfsFormat::ID, "persistent HDFS found, never formatted"),
];

/// A place without a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lacking {
    /// What the machine is for.
    pub role: Role,
    /// Its number within the role, from 1.
    pub index: u16,
}

impl StartSpec {
    fn lacks(&self, role: Role) -> bool {
        self.lacking.iter().any(|place| place.role == role)
    }
}

/// The workflow.
#[derive(Debug)]
pub struct Start;

#[async_trait(?Send)]
impl Workflow for Start {
    fn name(&self) -> &'static str {
        "start"
    }

    fn aim(&self) -> &'static str {
        "is up"
    }

    fn cluster(&self, spec: &Value) -> Result<ClusterSpec, serde_json::Error> {
        Ok(read::<StartSpec>(spec)?.cluster)
    }

    fn catalogue(&self, spec: &Value) -> Result<Vec<CatalogueEntry>, serde_json::Error> {
        Ok(start_steps(&read(spec)?))
    }

    async fn drive(&self, run: &Run, world: Arc<World>, settings: Settings, stop: Stop) -> Outcome {
        drive(run, world, settings, stop, start).await
    }
}

/// What only the deploy makes.
const MADE: [StepId; 3] = [SecurityGroups::ID, SanityCheck::ID, ImageMetadata::ID];

/// The steps of a start.
pub(super) fn start_steps(spec: &StartSpec) -> Vec<CatalogueEntry> {
    let mut all = Vec::new();
    if spec.cluster.provider.has_power() {
        all.push(entry(StartMachine::ID, "machines run").over("machines"));
    }
    if !spec.lost.is_empty() {
        all.push(
            entry(
                Delete::id_of(Deleted::Machines),
                "what is left of machines that are gone",
            )
            .over("machines")
            .destructive(),
        );
    }
    let has = |step: &StepId| match launches(step) {
        Some(role) => spec.lacks(role),
        None => !MADE.contains(step),
    };
    all.extend(of_deploy().into_iter().filter(|entry| has(&entry.id)));
    for entry in &mut all {
        if let Some((_, title)) = KEPT.iter().find(|(step, _)| *step == entry.id) {
            (*title).clone_into(&mut entry.title);
            entry.destructive &= entry.id == HdfsFormat::ID;
        }
    }
    all
}

/// Starts the cluster.
///
/// # Errors
/// Why the flow has to end; see [`Halt`].
pub(super) async fn start(flow: Flow<World>, spec: Arc<StartSpec>) -> Result<Report, Halt> {
    let cluster = flow.world().spec().clone();
    let inventory = match cluster.provider.makes_machines() {
        false => listed(&flow, &cluster).await?,
        true => {
            let image = spec.image.as_ref().ok_or_else(|| unknown("image"))?;
            let machines = machines(&flow, &cluster, &spec, image).await?;
            let nodes = awaited(&flow, &cluster, image, first_of(&machines), machines.clone()).await?;
            sorted(&flow, nodes)?
        }
    };
    let setting = Setting {
        spec: &cluster,
        inventory,
        image: spec.image.as_ref(),
        range: spec.groups.as_ref().and_then(|groups| groups.range),
        before: Before::Stopped {
            has_persistent: spec.has_persistent,
        },
        seeded: None,
        brings: None,
        gives_up: spec.lacks(Role::Slave),
        turns: Turns::default(),
    };
    Box::pin(set_up(&flow, setting)).await
}

/// All machines, those that are gone launched anew.
async fn machines(
    flow: &Flow<World>,
    cluster: &ClusterSpec,
    spec: &StartSpec,
    image: &Image,
) -> Result<Vec<Instance>, Halt> {
    let key = |instance: &Instance| ItemKey::from(instance.name.as_str());
    let starting = spec.machines.iter().map(|instance| {
        let step = StartMachine {
            instance: instance.clone(),
        };
        (key(instance), step)
    });
    flow.fan_out(StartMachine::ID, starting.collect::<Vec<_>>())
        .await?;
    let mut machines = spec.machines.clone();
    if !spec.lost.is_empty() {
        delete_each(flow, &spec.lost, &[], Deleted::Machines).await?;
    }
    if !spec.lacking.is_empty() {
        let groups = spec.groups.as_ref().ok_or_else(|| unknown("groups"))?;
        let launched = |role| {
            let of_role = spec.lacking.iter().filter(move |place| place.role == role);
            let place = |at: &Lacking| place(cluster, groups, image, role, at.index);
            launched(flow, role, of_role.map(place).collect())
        };
        let (slaves, masters, zookeepers) = tokio::join!(
            launched(Role::Slave),
            launched(Role::Master),
            launched(Role::Zookeeper),
        )
        .settle()?;
        machines.extend([masters, slaves, zookeepers].concat());
    }
    Ok(machines)
}

/// The machines of a role in these places; a role that lacks none has no such step in its run.
async fn launched(
    flow: &Flow<World>,
    role: Role,
    places: Vec<(ItemKey, Place)>,
) -> Result<Vec<Instance>, Halt> {
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let items = places.into_iter().map(|(key, place)| (key, LaunchMachine(place)));
    let launched = flow.fan_out(LaunchMachine::id_of(role), items).await?;
    Ok(launched.into_iter().map(|(_, instance)| instance).collect())
}

/// A start is refused before it begins where that is so.
fn unknown(what: &str) -> Halt {
    Halt::Failed {
        step: StartMachine::ID,
        error: ErrorReport::new(
            ErrorClass::Permanent,
            format!("the cluster's record has no {what} that machines could be launched from"),
        ),
    }
}
