//! The deploy: the catalogue as a flow, from nothing to a cluster that does its work.

use std::sync::Arc;

use async_trait::async_trait;
use mesosflow_workflow::{
    CatalogueEntry, ErrorClass, ErrorReport, Flow, Halt, ItemKey, Outcome, Run, Settings, Settle as _, Stop,
};
use serde_json::Value;

use super::anew::Turns;
use super::parts::{place, skipped};
use super::set_up::{Before, Setting, set_up};
use super::{Workflow, read};
use crate::catalogue::catalogue;
use crate::cluster::{ClusterSpec, Instance, Inventory, Node, Role};
use crate::provider::{Boot, Groups, Image};
use crate::provision::{AwaitNode, ImageMetadata, LaunchMachine, SanityCheck, SecurityGroups, loss};
use crate::setup::Report;
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

    fn inherits(&self) -> bool {
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
    let (inventory, made) = match spec.provider.makes_machines() {
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
    let (image, range) = match &made {
        Some((image, groups)) => (Some(image), groups.range),
        None => (None, None),
    };
    let setting = Setting {
        spec: &spec,
        inventory,
        image,
        range,
        before: Before::New,
        seeded: None,
        brings: None,
        gives_up: false,
        turns: Turns::default(),
    };
    set_up(&flow, setting).await
}

/// Steps 1.1 to 1.5: groups, image, machines, and every one of them answering.
async fn provision(
    flow: &Flow<World>,
    spec: &ClusterSpec,
) -> Result<(Inventory, Option<(Image, Groups)>), Halt> {
    let groups = flow
        .step(SecurityGroups {
            cluster: spec.cluster.clone(),
        })
        .await?;
    check(flow, spec).await?;
    let image = flow.step(ImageMetadata::new(spec)).await?;

    let launched = |role| {
        let places = spec.places(role).into_iter();
        let places = places.map(|index| place(spec, &groups, &image, role, index));
        let machines = places.map(|(key, place)| (key, LaunchMachine(place)));
        flow.fan_out(LaunchMachine::id_of(role), machines.collect::<Vec<_>>())
    };
    let (slaves, masters, zookeepers) = tokio::join!(launched(Role::Slave), launched(Role::Master), async {
        match skipped(flow, LaunchMachine::id_of(Role::Zookeeper)).await? {
            true => Ok(Vec::new()),
            false => launched(Role::Zookeeper).await,
        }
    },)
    .settle()?;

    let launched = masters.into_iter().chain(slaves).chain(zookeepers);
    let launched = launched.map(|(_, instance)| instance);
    // Another run may have put another machine in a place since.
    let machines = launched
        .chain(spec.adopted().cloned())
        .map(|instance| flow.world().memory().machine(instance));
    let machines: Vec<_> = machines.collect();
    let nodes = awaited(flow, spec, &image, first_of(&machines), machines.clone()).await?;
    let inventory = sorted(flow, nodes)?;
    Ok((inventory, Some((image, groups))))
}

/// Step 1.2: nobody else's machines are in the cluster's place.
async fn check(flow: &Flow<World>, spec: &ClusterSpec) -> Result<(), Halt> {
    let cluster = spec.cluster.clone();
    flow.step(SanityCheck { cluster }).await
}

/// The first master among these machines.
pub(super) fn first_of(machines: &[Instance]) -> Option<Instance> {
    let is_first = |machine: &&Instance| machine.is_first_master();
    machines.iter().find(is_first).cloned()
}

/// Step 1.5 for machines of the provider's, through the cluster's first master where it has no other way in: all of them answer.
pub(super) async fn awaited(
    flow: &Flow<World>,
    spec: &ClusterSpec,
    image: &Image,
    first: Option<Instance>,
    machines: Vec<Instance>,
) -> Result<Vec<Node>, Halt> {
    let boot = Boot::of(spec);
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
    let nodes = flow.fan_out(AwaitNode::ID, items).await?;
    Ok(nodes.into_iter().map(|(_, node)| node).collect())
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
    let nodes = flow.fan_out(AwaitNode::ID, awaited).await?;
    sorted(flow, nodes.into_iter().map(|(_, node)| node))
}

/// The nodes by role, each with the addresses that it has by now. A spec without a master is refused before its run begins, so that this is never the first to say so.
pub(super) fn sorted(flow: &Flow<World>, nodes: impl IntoIterator<Item = Node>) -> Result<Inventory, Halt> {
    let memory = flow.world().memory();
    let inventory = Inventory::new(nodes.into_iter().map(|node| memory.node(node)));
    inventory.ok_or_else(|| Halt::Failed {
        step: AwaitNode::ID,
        error: ErrorReport::new(ErrorClass::Permanent, "none of the nodes is a master"),
    })
}

#[cfg(test)]
mod recorded;
#[cfg(test)]
mod rehearsal;
#[cfg(test)]
mod tests;
