//! Where nodes come from: the trait that the steps of section 1 act through, and its implementations.

pub mod ec2;
pub mod hosts;
pub mod local;
mod maker;
mod need;
mod open;
mod order;

pub use maker::{driver_in, driver_tag};
pub use need::Need;
pub use open::{Verified, examine, open_provider, precheck, settle, survey, verify};
pub(crate) use order::{ORDER, kinds};

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use mesosflow_workflow::{
    Driver, EffectKey, ErrorClass, FencingToken, Generation, Resource, RunId, StepError,
};
use serde::{Deserialize, Serialize};

use crate::cluster::{ClusterSpec, HostKeySource, Instance, MachineType, MadeBy, Node, ProviderKind, Role};
use crate::remote::HostKey;

/// Whose a resource is: what every one of them is tagged with, in the call that makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The cluster's name.
    pub cluster: String,
    /// The run.
    pub run: RunId,
    /// The cluster's id and the driver that makes it; none outside the fence, where nothing is made.
    pub driver: Option<FencingToken>,
    /// Whose journal the run is in; none of a run that an older program began.
    pub made_by: Option<MadeBy>,
}

/// A place for one machine: what identifies it before it exists, and finds it again after a crash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Whose it is.
    pub owner: Owner,
    /// The generation that asks for it.
    pub generation: Generation,
    /// How often the machine that filled it was lost within that generation: each further one is another machine.
    pub round: u32,
    /// What it is for.
    pub role: Role,
    /// Its number within the role, from 1.
    pub index: u16,
}

impl Slot {
    /// The host name of its machine.
    pub fn node_name(&self) -> String {
        self.role.node_name(&self.owner.cluster, self.index)
    }
}

/// What a machine is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The place that it fills.
    pub slot: Slot,
    /// The image.
    pub image: String,
    /// The groups (or networks) that `security-groups` made, by role.
    pub group: String,
    /// What the machine is to be like, where the provider has several kinds.
    pub order: Option<Order>,
    /// The public key that may log in, as an `authorized_keys` line.
    pub authorized_key: String,
    /// The name of the launch as an effect: what makes a provider refuse to do it twice.
    pub effect_key: EffectKey,
    /// By when a machine is shown that an earlier try brought which nobody saw answered; none where there was no such try.
    pub shows_by: Option<Timestamp>,
}

/// What a machine is to be like, where the provider has several kinds and each costs something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Order {
    /// The instance type.
    pub machine_type: String,
    /// The subnet.
    pub subnet: Option<String>,
    /// Who logs in.
    pub login_user: String,
    /// The root device, as the image calls it.
    pub root_device: Option<String>,
    /// Size of the root disk, GiB.
    pub root_gb: Option<u32>,
    /// How many ephemeral disks have to be mapped, since they do not appear by themselves.
    pub mapped_disks: usize,
    /// Size of the volume for the persistent HDFS, GiB; 0 for none.
    pub volume_gb: u32,
    /// The most that an hour may cost, USD, of a spot instance.
    pub spot_price: Option<String>,
    /// How long to look for capacity, seconds.
    pub capacity_limit_s: u32,
}

impl Order {
    /// The order for a role's machine.
    pub fn new(spec: &ClusterSpec, role: Role, groups: &Groups, image: &Image) -> Self {
        let kind = image.machine_types.get(&role);
        Self {
            machine_type: spec.ec2.type_of(role).to_owned(),
            subnet: groups.subnet.clone(),
            login_user: image.login_user.clone(),
            root_device: image.root_device.clone(),
            // An image cannot be started on a smaller disk than it was made from.
            root_gb: Some(spec.root_gb(role, kind.is_some_and(|kind| kind.ephemeral_disks > 0)))
                .max(image.root_gb),
            mapped_disks: kind
                .filter(|kind| !kind.nvme)
                .map_or(0, |kind| kind.ephemeral_disks),
            volume_gb: spec.ec2.volume_gb(role),
            spot_price: spec.ec2.spot_price_of(role).map(str::to_owned),
            capacity_limit_s: spec.ec2.capacity_limit_s,
        }
    }
}

/// A machine, and everything that came to exist with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// The machine.
    pub instance: Instance,
    /// The machine itself and its volumes, spot request, …
    pub resources: Vec<Resource>,
    /// The driver that made it, as its tags say; none where they say nothing.
    pub driver: Option<Driver>,
}

impl Condition {
    /// That a machine runs which nothing came with.
    pub(crate) fn running_alone(instance: &Instance) -> Self {
        Self::Running(Box::new(Machine {
            instance: instance.clone(),
            resources: Vec::new(),
            driver: None,
        }))
    }
}

/// Something that stands in a machine's place and should not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outdated {
    /// What it is.
    pub resource: Resource,
    /// The driver that made it, as its tags say; none where they say nothing.
    pub driver: Option<Driver>,
}

/// How a machine is, as its provider says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// On its way; in words.
    Booting(String),
    /// It runs; its addresses are the ones it has now, and what came with it is all there.
    Running(Box<Machine>),
    /// The provider does not show it: not yet, or not any more. In words.
    Unknown(String),
    /// It is being stopped, and cannot be started yet; in words.
    Stopping(String),
    /// It does not run, and somebody can start it again; why, in the provider's words.
    Stopped(String),
    /// It will never run by itself; why, in the provider's words.
    Dead(String),
}

/// What is known of a machine's host keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostKeys {
    /// These, and by which way, where there are several.
    Known(Vec<HostKey>, Option<HostKeySource>),
    /// None yet; what is waited for, in words.
    NotYet(String),
    /// The user chose to take whatever key the machine shows.
    AcceptNew,
}

/// A resource that carries mesosflow's tags, whoever made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tagged {
    /// The provider that has it.
    pub provider: ProviderKind,
    /// Where, in the provider's words (a region).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What it is, in the provider's words.
    pub kind: String,
    /// The provider's id.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// The cluster, as its tag says.
    pub cluster: String,
    /// The run, as its tag says.
    pub run: String,
    /// The driver that made it, as its tag says; none where it says nothing.
    #[serde(skip)]
    pub driver: Option<Driver>,
    /// Whose journal made it, as its tags say; none where they say nothing.
    pub made_by: Option<MadeBy>,
    /// When it came to exist, where the provider tells, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made_at: Option<Timestamp>,
}

impl Tagged {
    /// What there is to delete.
    pub fn resource(&self) -> Resource {
        Resource {
            kind: self.kind.clone(),
            id: self.id.clone(),
            name: self.name.clone(),
        }
    }
}

/// What became of a thing that was to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deletion {
    /// It was seen gone.
    Gone,
    /// It is not mesosflow's: it was left alone, and counts no more as the run's.
    Left,
    /// Something holds it that has to go before, and that may not have been seen yet: look again. In words.
    Held(String),
}

/// What was launched under a name, whatever its tags say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launched {
    /// The name of the launch.
    pub effect_key: EffectKey,
    /// It and what came with it; empty where it is gone.
    pub found: Vec<Outdated>,
    /// Ids of machines of that name which are alive.
    pub alive: Vec<String>,
    /// Ids of machines of that name which are gone.
    pub gone: Vec<String>,
}

/// The groups of a cluster by role, as the provider names them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Groups {
    /// The provider's group (or network) for each role.
    pub by_role: BTreeMap<Role, String>,
    /// What they let in, in words.
    pub rules: String,
    /// The subnet that machines are launched into, where the provider has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<String>,
    /// Rules in them that are not mesosflow's, in words: left as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign: Vec<String>,
}

/// An image and what is recorded of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The id that machines are launched from; it names the content (a digest, an AMI id).
    pub id: String,
    /// The name under which it was asked for.
    pub name: String,
    /// `x86_64`, `arm64`, …
    pub architecture: String,
    /// The root device, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_device: Option<String>,
    /// Who logs in.
    pub login_user: String,
    /// Size of the root disk that the image asks for, GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_gb: Option<u32>,
    /// What the provider knows of each role's type of machine.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub machine_types: BTreeMap<Role, MachineType>,
}

/// A provider of machines. Every call may be repeated.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// Which one it is.
    fn kind(&self) -> ProviderKind;

    /// Finds the cluster's groups if they are there with every rule.
    async fn find_groups(&self, owner: &Owner) -> Result<Option<Groups>, ProviderError>;

    /// Makes what is missing of the groups and their rules. What it made is in `made`, also when it fails.
    async fn ensure_groups(&self, owner: &Owner, made: &mut Vec<Resource>) -> Result<Groups, ProviderError>;

    /// The roles whose recorded group (or network) is not there any more.
    async fn lost_groups(&self, _groups: &Groups) -> Result<Vec<Role>, ProviderError> {
        Ok(Vec::new())
    }

    /// Lets administrators into the cluster's groups from where the spec says now, too: takes nothing away, and makes no group.
    /// For who does not know yet whether the cluster is theirs.
    async fn let_in(&self, _owner: &Owner) -> Result<(), ProviderError> {
        Ok(())
    }

    /// Lets administrators into the cluster's groups from where the spec says now, and from nowhere else that was mesosflow's
    /// doing; makes no group. What it made is in `made`, also when it fails.
    async fn readmit(&self, _owner: &Owner, _made: &mut Vec<Resource>) -> Result<(), ProviderError> {
        Ok(())
    }

    /// Machines alive in the cluster's groups, or under its name, that are not this run's.
    async fn strangers(&self, owner: &Owner) -> Result<Vec<String>, ProviderError>;

    /// The image that `find_image` finds, made first if this provider makes its own.
    async fn ensure_image(&self, run: RunId) -> Result<Image, ProviderError>;

    /// The image by its name, without making it.
    async fn find_image(&self) -> Result<Option<Image>, ProviderError>;

    /// The machine in a slot of this generation, if it is complete and alive.
    async fn find(&self, slot: &Slot) -> Result<Option<Machine>, ProviderError>;

    /// Makes the machine of a slot, or completes a half-made one.
    async fn launch(&self, launch: &Launch) -> Result<Machine, ProviderError>;

    /// What a slot holds that should not be there: machines of older generations, and any second one of this.
    async fn outdated(&self, slot: &Slot) -> Result<Vec<Outdated>, ProviderError>;

    /// How a machine is.
    async fn condition(&self, instance: &Instance) -> Result<Condition, ProviderError>;

    /// Asks a machine to stop; one that is stopped, or on its way there, is left alone. [`Provider::condition`] tells when it has.
    async fn stop(&self, instance: &Instance) -> Result<(), ProviderError>;

    /// Asks a machine that is stopped to start; one that runs is left alone. [`Provider::condition`] tells when it does.
    async fn start(&self, instance: &Instance) -> Result<(), ProviderError>;

    /// The command by which its owner starts a machine that is stopped.
    fn starting(&self, instance: &Instance) -> String;

    /// The host keys of a machine, by a way that does not go through the network to it.
    async fn host_keys(&self, instance: &Instance) -> Result<HostKeys, ProviderError>;

    /// Lets the cluster's own key in where the machine was not made with it; what stands for that, if anything does.
    async fn admit(&self, _owner: &Owner, _node: &Node) -> Result<Option<Resource>, ProviderError> {
        Ok(None)
    }

    /// For how long after its launch a machine may not be shown, by whichever name it is asked for.
    fn settle_time(&self) -> Duration {
        Duration::ZERO
    }

    /// The machines that were launched under these names: where the provider knows a launch by its name, and shows its machine
    /// before it knows its tags.
    async fn launched(&self, _effects: &[EffectKey]) -> Result<Vec<Launched>, ProviderError> {
        Ok(Vec::new())
    }

    /// What is asked of whom for everything that carries a run's tags, in words.
    fn asked(&self) -> String;

    /// Everything that carries this run's tags.
    async fn owned(&self, owner: &Owner) -> Result<Vec<Resource>, ProviderError>;

    /// Volumes of this run that outlive their machines, by their tags: what may hold somebody's data.
    async fn data_volumes(&self, _owner: &Owner) -> Result<Vec<Resource>, ProviderError> {
        Ok(Vec::new())
    }

    /// Everything that carries mesosflow's tags, whichever run's.
    async fn tagged(&self) -> Result<Vec<Tagged>, ProviderError>;

    /// Asks for the deletion of all of these at once, where the provider can; [`Provider::delete`] sees them gone.
    async fn release(&self, _resources: &[Resource]) -> Result<(), ProviderError> {
        Ok(())
    }

    /// Ids of what cannot go while this stays: what a machine has attached, and what it is in.
    async fn holds(&self, _resource: &Resource) -> Result<Vec<String>, ProviderError> {
        Ok(Vec::new())
    }

    /// Deletes a resource and sees it gone, or finds out that something holds it; deleting what is gone succeeds.
    async fn delete(&self, resource: &Resource) -> Result<Deletion, ProviderError>;
}

/// A provider refused or failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{doing}")]
pub struct ProviderError {
    /// What was being done to what.
    pub doing: String,
    /// What the executor may do about it.
    pub class: ErrorClass,
    /// What to do, where it is known.
    pub hint: Option<String>,
    /// What came back.
    #[source]
    pub source: Answer,
}

impl ProviderError {
    /// The same where something was done before it failed.
    #[must_use]
    pub fn after_effect(mut self) -> Self {
        if self.class == ErrorClass::Transient {
            self.class = ErrorClass::Ambiguous;
        }
        self
    }
}

/// What a provider answered, in its own words.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Answer(pub String);

impl StepError for ProviderError {
    fn class(&self) -> ErrorClass {
        self.class
    }

    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}
