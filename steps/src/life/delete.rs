//! `delete-machines` and its like: one thing of a cluster is deleted, and seen gone.
//!
//! - Changes: deletes it, if nobody else drives the cluster by now.
//! - Twice is safe: to delete what is gone succeeds.
//! - Nothing undoes it.

use std::sync::Arc;
use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Resource, Retry, Step, StepCx, StepId};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::act::ActError;
use crate::cluster::ProviderKind;
use crate::destroy::DestroyError;
use crate::provider::{Deletion, ORDER, made_kinds};
use crate::world::World;

/// How long the deletion of one thing may take: a hung shutdown is forced by EC2 after ten minutes.
const LIMIT: Duration = Duration::from_secs(15 * 60);
/// A thing may be held for five minutes by a machine that is seen no more; waits of up to 15 s are 7.5 s on average.
const PATIENT: Retry = Retry {
    attempts: 45,
    initial: Duration::from_secs(1),
    ceiling: Duration::from_secs(15),
};

/// Kinds of things, each deleted by a step of its own, in the order in which they have to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// Requests that would bring machines are taken back.
    SpotRequests,
    /// Machines end.
    Machines,
    /// Volumes that no machine has any more.
    Volumes,
    /// Rules in groups that are somebody else's.
    Rules,
    /// Groups that nothing is in any more.
    Groups,
    /// Networks that nothing is in any more.
    Networks,
    /// The user's own machines are given back.
    Hosts,
}

impl Deleted {
    const ALL: [Self; ORDER.len()] = [
        Self::SpotRequests,
        Self::Machines,
        Self::Volumes,
        Self::Rules,
        Self::Groups,
        Self::Networks,
        Self::Hosts,
    ];

    /// Those that there are at a provider.
    pub fn of(provider: ProviderKind) -> impl Iterator<Item = Self> {
        let made = made_kinds(provider);
        Self::ALL.into_iter().filter(|kind| made.contains(&kind.kind()))
    }

    /// The kind, in the journal's words.
    pub const fn kind(self) -> &'static str {
        ORDER[self as usize]
    }
}

/// The deletion of one thing.
#[derive(Debug, Serialize)]
pub struct Delete {
    #[serde(skip)]
    of: Deleted,
    /// The thing.
    pub resource: Resource,
    /// All that are deleted with it.
    #[serde(skip)]
    together: Arc<Together>,
    /// Machines that may hold it, where one of them is known not to go.
    #[serde(skip)]
    held_by: Vec<Resource>,
}

/// Things of one kind that are deleted side by side: a provider may end all of them in one call.
#[derive(Debug, Default)]
pub struct Together {
    all: Vec<Resource>,
    asked: OnceCell<()>,
}

impl Together {
    /// These.
    pub fn of(all: Vec<Resource>) -> Arc<Self> {
        let asked = OnceCell::new();
        Arc::new(Self { all, asked })
    }
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The thing.
    pub resource: Resource,
    /// Whether it was seen gone; otherwise it is not mesosflow's, and was left alone.
    pub is_gone: bool,
}

/// Every step that deletes, in the order in which things have to go.
pub fn delete_steps() -> [StepId; ORDER.len()] {
    Deleted::ALL.map(Delete::id_of)
}

impl Delete {
    /// Its id in the catalogue.
    pub const fn id_of(kind: Deleted) -> StepId {
        StepId::from_static(match kind {
            Deleted::SpotRequests => "cancel-spot-requests",
            Deleted::Machines => "delete-machines",
            Deleted::Volumes => "delete-volumes",
            Deleted::Rules => "delete-rules",
            Deleted::Groups => "delete-groups",
            Deleted::Networks => "delete-networks",
            Deleted::Hosts => "release-hosts",
        })
    }

    /// The deletion of that thing, together with others of its kind.
    pub const fn new(of: Deleted, resource: Resource, together: Arc<Together>) -> Self {
        Self {
            of,
            resource,
            together,
            held_by: Vec::new(),
        }
    }

    /// The same where one of these machines, which may hold it, is known not to go: it is not waited for then.
    #[must_use]
    pub fn held_by(self, machines: &[Resource]) -> Self {
        let held_by = machines.to_vec();
        Self { held_by, ..self }
    }

    /// Refuses what is held by what does not go.
    async fn refuse_held(&self, world: &World) -> Result<(), ActError> {
        for machine in &self.held_by {
            let held = world.provider().holds(machine).await?;
            if held.contains(&self.resource.id) {
                let what = DestroyError::Stays {
                    what: self.resource.clone(),
                    by: format!("{} ({})", machine.name, machine.id),
                };
                return Err(ActError::wrong(what.to_string()));
            }
        }
        Ok(())
    }
}

impl Step for Delete {
    type World = World;
    type Output = Ended;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::id_of(self.of)
    }

    async fn probe(&self, _cx: &StepCx<World>) -> Result<Probe<Ended>, ActError> {
        Ok(Probe::NotDone)
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Ended, ActError> {
        let world = cx.world();
        world.guard().await?;
        self.refuse_held(world).await?;
        let Together { all, asked } = &*self.together;
        asked.get_or_try_init(|| world.provider().release(all)).await?;
        let is_gone = match world.provider().delete(&self.resource).await? {
            Deletion::Gone => {
                world.gone(&self.resource.id);
                true
            }
            Deletion::Left => false,
            Deletion::Held(what) => return Err(ActError::not_yet(what)),
        };
        let resource = self.resource.clone();
        cx.deleted(resource.clone()).await?;
        Ok(Ended { resource, is_gone })
    }

    async fn verify(&self, _cx: &StepCx<World>, _ended: &Ended) -> Result<(), ActError> {
        // To delete is to see gone: the provider has looked.
        Ok(())
    }

    fn limits(&self) -> Limits {
        let retry = match self.of {
            // Nothing of anybody's holds a host: one that is away is named soon, and given back when it is there again.
            Deleted::Hosts => Retry::STANDARD,
            _ => PATIENT,
        };
        Limits {
            deadline: LIMIT,
            retry,
        }
    }
}
