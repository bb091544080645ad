//! `launch-slaves`, `launch-masters`, `launch-zookeepers` (notes 1.4): the machines of a role.
//!
//! - Changes: one machine for each place, and none of an older generation stays in it.
//! - Twice is safe: a machine is found by run, generation, role and number; only a missing one is made.
//! - Undone by `destroy`.

use std::net::IpAddr;
use std::time::Duration;

use mesosflow_workflow::{Effect, ErrorClass, Limits, Probe, Resource, Retry, Settled, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::{Instance, Role};
use crate::in_doubt::{InDoubt, LAUNCH_LIMIT, Pauses, shows_by};
use crate::life::Deleted;
use crate::makers::refuse_stranger;
use crate::provider::{Deletion, Launch, Machine, Order, ProviderError, Slot, kinds};
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
    /// What it is to be like, where the provider has several kinds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// The private address that another machine had in its place: it has that again, if nobody else has it by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
}

impl Place {
    fn slot(&self, cx: &StepCx<World>) -> Slot {
        Slot {
            owner: cx.world().owner().clone(),
            run: cx.run(),
            generation: cx.generation(),
            round: cx.round(),
            role: self.role,
            index: self.index,
        }
    }
}

/// The machine of one place; the place's role says which of the three steps it belongs to.
#[derive(Debug, Serialize)]
pub struct LaunchMachine(pub Place);

impl LaunchMachine {
    /// The step that launches the machines of a role.
    pub const fn id_of(role: Role) -> StepId {
        StepId::from_static(match role {
            Role::Slave => "launch-slaves",
            Role::Master => "launch-masters",
            Role::Zookeeper => "launch-zookeepers",
        })
    }
}

/// The role whose machines a step launches, if it does that.
pub fn launches(step: &StepId) -> Option<Role> {
    [Role::Slave, Role::Master, Role::Zookeeper]
        .into_iter()
        .find(|role| LaunchMachine::id_of(*role) == *step)
}

impl Step for LaunchMachine {
    type World = World;
    type Output = Instance;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::id_of(self.0.role)
    }

    /// The machine that a place has in this generation, if nothing else is in it; recorded here if a crash kept it from the
    /// journal.
    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<Instance>, ActError> {
        let place = &self.0;
        let (launcher, slot) = (cx.world().launcher()?, place.slot(cx));
        let Some(machine) = launcher.find(&slot).await? else {
            return Ok(Probe::NotDone);
        };
        refuse_strangers(cx, &machine)?;
        record(cx, &machine).await?;
        if !outdated(cx, &slot).await?.is_empty() {
            return Ok(Probe::NotDone);
        }
        cx.world().memory().found(&machine.instance);
        Ok(Probe::Done(machine.instance))
    }

    /// Deletes what a replay has replaced in the place, and makes the machine of this generation.
    async fn apply(&self, cx: &StepCx<World>) -> Result<Instance, ActError> {
        let place = &self.0;
        let (launcher, slot) = (cx.world().launcher()?, place.slot(cx));
        let mut outdated = outdated(cx, &slot).await?;
        outdated.extend(unrecorded_end(place, cx, &outdated).await?);
        if !outdated.is_empty() {
            cx.world().guard().await?;
        }
        launcher.release(&outdated).await?;
        for old in outdated {
            cx.world().guard().await?;
            end(cx, old).await?;
        }
        for gone in gone_with_it(place, cx).await? {
            cx.deleted(gone).await?;
        }
        let launch = Launch {
            slot,
            image: place.image.clone(),
            group: place.group.clone(),
            order: place.order.clone(),
            address: place.address,
            authorized_key: cx.world().key().public().to_owned(),
            effect_key: cx.effect_key().clone(),
            shows_by: cx
                .unanswered_before()
                .map(|unanswered| shows_by(unanswered, launcher.settle_time())),
        };
        let machine = launcher.launch(&launch).await?;
        refuse_strangers(cx, &machine)?;
        record(cx, &machine).await?;
        cx.world().memory().made(&machine.instance);
        Ok(machine.instance)
    }

    /// Sees the machine, and records what came to exist with it in the meantime (a volume that was attached late).
    async fn verify(&self, cx: &StepCx<World>, instance: &Instance) -> Result<(), ActError> {
        let place = &self.0;
        // Whatever fails here, the machine was launched: until it was seen, the launch stays in doubt.
        let found = cx.world().launcher()?.find(&place.slot(cx)).await;
        match found.map_err(ProviderError::after_effect)? {
            Some(machine) if machine.instance.id == instance.id => record(cx, &machine).await,
            _ => Err(ActError::Unmet {
                what: format!(
                    "{} ({}) is not there after its launch",
                    instance.name, instance.id
                ),
                class: ErrorClass::Ambiguous,
                hint: None,
            }),
        }
    }

    /// Sees to an older launch for this place that nobody saw answered: the machine that it brought is ended, and until none can
    /// appear any more, no other one is launched.
    async fn settle(&self, cx: &StepCx<World>, effect: &Effect) -> Result<Settled, ActError> {
        let world = cx.world();
        let mut doubts = InDoubt::at(world.provider(), [effect.clone()]);
        let mut pauses = Pauses::default();
        loop {
            let found = doubts.look(world.provider(), &[]).await?;
            for old in &found {
                refuse_stranger(&machine(&old.resource.id), old.driver, |driver| {
                    world.knows(driver)
                })?;
            }
            let found = found.into_iter().map(|old| old.resource).collect();
            for old in kinds(found).into_iter().flatten() {
                world.guard().await?;
                end(cx, old).await?;
            }
            if let Some((_, settled)) = doubts.settled().pop() {
                return Ok(settled);
            }
            let (Some(due), Some(what)) = (doubts.due_in(), doubts.waits_for()) else {
                return Ok(Settled::Gone);
            };
            let pause = pauses.next();
            if pause.is_zero() {
                tracing::info!(target: "mesosflow::progress", "{what}");
            }
            tokio::time::sleep(pause.min(due)).await;
        }
    }

    /// A launch that fails for want of capacity is tried until the limit; one machine more or less is waited for longest.
    fn limits(&self) -> Limits {
        let place = &self.0;
        let retry = match &place.order {
            None => Retry::STANDARD,
            // Waits of up to 20 s are 10 s on average.
            Some(order) => Retry {
                attempts: (order.capacity_limit_s / 10).max(5),
                initial: Duration::from_secs(1),
                ceiling: Duration::from_secs(20),
            },
        };
        // A machine that is replaced has to end first, which takes minutes where machines are real.
        let deadline = match place.order {
            Some(_) => LAUNCH_LIMIT,
            None => Duration::from_secs(180),
        };
        Limits { deadline, retry }
    }
}

async fn end(cx: &StepCx<World>, old: Resource) -> Result<(), ActError> {
    match cx.world().provider().delete(&old).await? {
        Deletion::Gone => {
            cx.world().gone(&old.id);
            Ok(cx.deleted(old).await?)
        }
        Deletion::Left => Ok(cx.deleted(old).await?),
        Deletion::Held(what) => Err(ActError::not_yet(what)),
    }
}

/// The machine that was in this place by the journal, be it of another run, where the provider may have lost it: ended before a crash kept
/// that from the journal, or by somebody else. To delete what is gone succeeds, and is recorded then.
async fn unrecorded_end(
    place: &Place,
    cx: &StepCx<World>,
    known: &[Resource],
) -> Result<Option<Resource>, ActError> {
    let Some(former) = cx.former::<Instance>() else {
        return Ok(None);
    };
    let current = cx.world().launcher()?.find(&place.slot(cx)).await?;
    let is_current = current.is_some_and(|machine| machine.instance.id == former.id);
    let is_known = known.iter().any(|known| known.id == former.id);
    if is_current || is_known {
        return Ok(None);
    }
    let mut recorded = cx.resources().into_iter();
    let recorded = recorded.find(|resource| resource.id == former.id);
    let inherited = Resource {
        kind: Deleted::Machines.kind().to_owned(),
        id: former.id,
        name: former.name,
    };
    Ok(recorded.or_else(|| (!cx.has_known(&inherited)).then_some(inherited)))
}

/// What the journal has of a machine that was lost, and the provider has no more: its root disk, its spot request. What outlives it
/// stays known.
async fn gone_with_it(place: &Place, cx: &StepCx<World>) -> Result<Vec<Resource>, ActError> {
    if cx.round() == 0 {
        return Ok(Vec::new());
    }
    let left = cx.world().provider().owned(cx.world().owner()).await?;
    let name = place.slot(cx).node_name();
    let is_left = |known: &Resource| left.iter().any(|left| left.is_same(known));
    let known = cx.resources().into_iter();
    Ok(known
        .filter(|known| known.name == name && !is_left(known))
        .collect())
}

/// What should not be in the place, if it is all of drivers that this journal knows.
async fn outdated(cx: &StepCx<World>, slot: &Slot) -> Result<Vec<Resource>, ActError> {
    let outdated = cx.world().launcher()?.outdated(slot).await?.into_iter();
    let ours = outdated.map(|old| {
        refuse_stranger(&machine(&old.resource.id), old.driver, |driver| {
            cx.world().knows(driver)
        })?;
        Ok(old.resource)
    });
    ours.collect()
}

fn machine(id: &str) -> String {
    format!("machine `{id}`")
}

fn refuse_strangers(cx: &StepCx<World>, machine: &Machine) -> Result<(), ActError> {
    refuse_stranger(&self::machine(&machine.instance.id), machine.driver, |driver| {
        cx.world().knows(driver)
    })
}

/// What came to exist with a machine, in the journal.
pub(super) async fn record(cx: &StepCx<World>, machine: &Machine) -> Result<(), ActError> {
    for resource in &machine.resources {
        cx.created(resource.clone()).await?;
    }
    Ok(())
}
