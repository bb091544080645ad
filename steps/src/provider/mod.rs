//! Where nodes come from: the trait that the steps of section 1 act through, and its implementations.

pub mod local;

use std::collections::BTreeMap;

use async_trait::async_trait;
use mesosflow_workflow::{ErrorClass, Generation, Resource, RunId, StepError};
use serde::{Deserialize, Serialize};

use crate::cluster::{Instance, ProviderKind, Role};
use crate::remote::HostKey;

/// Whose a resource is: what every one of them is tagged with, in the call that makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The cluster's name.
    pub cluster: String,
    /// The run.
    pub run: RunId,
}

/// A place for one machine: what identifies it before it exists, and finds it again after a crash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Whose it is.
    pub owner: Owner,
    /// The generation that asks for it.
    pub generation: Generation,
    /// What it is for.
    pub role: Role,
    /// Its number within the role, from 1.
    pub index: u16,
}

impl Slot {
    /// Its host name: `demo-master-1`.
    pub fn node_name(&self) -> String {
        format!("{}-{}-{}", self.owner.cluster, self.role, self.index)
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
    /// The public key that may log in, as an `authorized_keys` line.
    pub authorized_key: String,
}

/// The groups of a cluster by role, as the provider names them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Groups {
    /// The provider's group (or network) for each role.
    pub by_role: BTreeMap<Role, String>,
    /// What they let in, in words.
    pub rules: String,
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
}

/// A provider of machines. Every call may be repeated.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// Which one it is.
    fn kind(&self) -> ProviderKind;

    /// Finds the cluster's groups if they are there with every rule.
    async fn find_groups(&self, owner: &Owner) -> Result<Option<Groups>, ProviderError>;

    /// Makes what is missing of the groups and their rules, and says what it made.
    async fn ensure_groups(&self, owner: &Owner) -> Result<(Groups, Vec<Resource>), ProviderError>;

    /// Machines alive in the cluster's groups, or under its name, that are not this run's.
    async fn strangers(&self, owner: &Owner) -> Result<Vec<String>, ProviderError>;

    /// The image that `find_image` finds, made first if this provider makes its own.
    async fn ensure_image(&self, run: RunId) -> Result<Image, ProviderError>;

    /// The image by its name, without making it.
    async fn find_image(&self) -> Result<Option<Image>, ProviderError>;

    /// The machine in a slot of this generation, if it is complete and alive.
    async fn find(&self, slot: &Slot) -> Result<Option<Instance>, ProviderError>;

    /// Makes the machine of a slot, or completes a half-made one.
    async fn launch(&self, launch: &Launch) -> Result<Instance, ProviderError>;

    /// Machines of this run and role that belong to an older generation.
    async fn outdated(&self, slot: &Slot) -> Result<Vec<Resource>, ProviderError>;

    /// The host keys of a machine, by a way that does not go through the network to it; none while it has not made them.
    async fn host_keys(&self, instance: &Instance) -> Result<Vec<HostKey>, ProviderError>;

    /// Everything that carries this run's tags, in the order in which it has to be deleted.
    async fn owned(&self, owner: &Owner) -> Result<Vec<Resource>, ProviderError>;

    /// Deletes a resource and sees it gone; deleting what is gone succeeds.
    async fn delete(&self, resource: &Resource) -> Result<(), ProviderError>;
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
