//! What is asked of a provider: [`Provider`] of every one, [`Launcher`] of those that make machines.

use std::time::Duration;

use async_trait::async_trait;
use mesosflow_workflow::{EffectKey, Resource};

use super::{
    Condition, Deletion, Facts, Groups, HostKeys, Image, Launch, Launched, Machine, Outdated, Owner,
    ProviderError, Slot, Stranger, Tagged, UserTags,
};
use crate::cluster::{Instance, Node, ProviderKind, Role};

/// A provider of machines, wherever they come from. Every call may be repeated.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// Which one it is.
    fn kind(&self) -> ProviderKind;

    /// Itself as one that makes machines; none where they are there already, and nothing can be launched.
    fn launcher(&self) -> Option<&dyn Launcher>;

    /// Machines in the cluster's place (its groups, its name, its list) that are not this run's.
    async fn strangers(&self, owner: &Owner) -> Result<Vec<Stranger>, ProviderError>;

    /// How a machine is.
    async fn condition(&self, instance: &Instance) -> Result<Condition, ProviderError>;

    /// Asks a machine to stop; one that is stopped, or on its way there, is left alone. [`Provider::condition`] tells when it has.
    async fn stop(&self, instance: &Instance) -> Result<(), ProviderError>;

    /// Asks a machine that is stopped to start; one that runs is left alone. [`Provider::condition`] tells when it does.
    async fn start(&self, instance: &Instance) -> Result<(), ProviderError>;

    /// The command by which its owner starts a machine that is in that condition, and does not run.
    fn starting(&self, instance: &Instance, condition: &Condition) -> String;

    /// The host keys of a machine, by a way that does not go through the network to it.
    async fn host_keys(&self, instance: &Instance) -> Result<HostKeys, ProviderError>;

    /// Lets the cluster's own key in where the machine was not made with it; what stands for that, if anything does.
    async fn admit(&self, _owner: &Owner, _node: &Node) -> Result<Option<Resource>, ProviderError> {
        Ok(None)
    }

    /// Tells a machine these facts, and none that it was told before: by a way on which it can ask at every boot, whoever drives
    /// the cluster by then. They are shown when it returns. Nothing where a provider has no such way.
    async fn tell(&self, _instance: &Instance, _facts: &Facts) -> Result<(), ProviderError> {
        Ok(())
    }

    /// Whether a machine is told exactly these facts, and can see them; so it is where a provider has no such way.
    async fn told(&self, _instance: &Instance, _facts: &Facts) -> Result<bool, ProviderError> {
        Ok(true)
    }

    /// Has all that carries the cluster's tags carry these of its user's too, and none by those other names. Nothing where a provider has no
    /// such tags.
    async fn retag(&self, _owner: &Owner, _tags: &UserTags) -> Result<(), ProviderError> {
        Ok(())
    }

    /// Whether that is so already, as the provider shows it.
    async fn is_retagged(&self, _owner: &Owner, _tags: &UserTags) -> Result<bool, ProviderError> {
        Ok(true)
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

/// A provider that makes machines, and what they are launched into and from. Every call may be repeated.
#[async_trait]
pub trait Launcher: Provider {
    /// Finds the cluster's groups if they are there with every rule.
    async fn find_groups(&self, owner: &Owner) -> Result<Option<Groups>, ProviderError>;

    /// Makes what is missing of the groups and their rules. What it made is in `made`, also when it fails.
    async fn ensure_groups(&self, owner: &Owner, made: &mut Vec<Resource>) -> Result<Groups, ProviderError>;

    /// The roles whose recorded group (or network) is not there any more.
    async fn lost_groups(&self, groups: &Groups) -> Result<Vec<Role>, ProviderError>;

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

    /// The image that `find_image` finds, made first if this provider makes its own.
    async fn ensure_image(&self) -> Result<Image, ProviderError>;

    /// The image by its name, without making it.
    async fn find_image(&self) -> Result<Option<Image>, ProviderError>;

    /// The machine in a slot of this generation, if it is complete and alive.
    async fn find(&self, slot: &Slot) -> Result<Option<Machine>, ProviderError>;

    /// Makes the machine of a slot, or completes a half-made one.
    async fn launch(&self, launch: &Launch) -> Result<Machine, ProviderError>;

    /// What a slot holds that should not be there: machines of older generations, and any second one of this.
    async fn outdated(&self, slot: &Slot) -> Result<Vec<Outdated>, ProviderError>;

    /// For how long after its launch a machine may not be shown, by whichever name it is asked for.
    fn settle_time(&self) -> Duration {
        Duration::ZERO
    }

    /// The machines that were launched under these names: where the provider knows a launch by its name, and shows its machine
    /// before it knows its tags.
    async fn launched(&self, _effects: &[EffectKey]) -> Result<Vec<Launched>, ProviderError> {
        Ok(Vec::new())
    }
}
