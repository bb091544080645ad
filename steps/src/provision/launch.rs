//! What the three launch steps share: one machine for one place.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Resource, Retry, StepCx};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::{Instance, Role};
use crate::provider::{Launch, Slot};
use crate::world::World;

/// A place in the cluster that a machine has to fill.
#[derive(Debug, Clone, Serialize)]
pub struct Place {
    /// What the machine is for.
    pub role: Role,
    /// Its number within the role, from 1.
    pub index: u16,
    /// The image, by the id of its content.
    pub image: String,
    /// The group (or network) of its role.
    pub group: String,
}

impl Place {
    /// The host name of the machine.
    pub fn node_name(&self, cluster: &str) -> String {
        format!("{cluster}-{}-{}", self.role, self.index)
    }

    fn slot(&self, cx: &StepCx<World>) -> Slot {
        Slot {
            owner: cx.world().owner().clone(),
            generation: cx.generation(),
            role: self.role,
            index: self.index,
        }
    }
}

/// The machine that a place has in this generation; recorded here if a crash kept it from the journal.
pub(super) async fn probe(place: &Place, cx: &StepCx<World>) -> Result<Probe<Instance>, ActError> {
    let Some(instance) = cx.world().provider().find(&place.slot(cx)).await? else {
        return Ok(Probe::NotDone);
    };
    cx.created(resource(&instance)).await?;
    Ok(Probe::Done(instance))
}

/// Deletes the place's machines of older generations, which a replay has replaced, and makes the one of this.
pub(super) async fn apply(place: &Place, cx: &StepCx<World>) -> Result<Instance, ActError> {
    let (provider, slot) = (cx.world().provider(), place.slot(cx));
    for old in provider.outdated(&slot).await? {
        provider.delete(&old).await?;
        cx.deleted(old).await?;
    }
    let launch = Launch {
        slot,
        image: place.image.clone(),
        group: place.group.clone(),
        authorized_key: cx.world().key().public().to_owned(),
    };
    let instance = provider.launch(&launch).await?;
    cx.created(resource(&instance)).await?;
    Ok(instance)
}

pub(super) async fn verify(place: &Place, cx: &StepCx<World>, instance: &Instance) -> Result<(), ActError> {
    match cx.world().provider().find(&place.slot(cx)).await? {
        Some(found) if found.id == instance.id => Ok(()),
        _ => Err(ActError::not_yet(format!("{} is not running", instance.name))),
    }
}

pub(super) const fn limits() -> Limits {
    Limits {
        deadline: Duration::from_secs(180),
        retry: Retry::STANDARD,
    }
}

fn resource(instance: &Instance) -> Resource {
    Resource {
        kind: "instance".into(),
        id: instance.id.clone(),
        name: instance.id.clone(),
    }
}
