//! `settle-launches`: what launches have brought that are to be undone, also those that nobody saw answered.
//!
//! - Changes nothing: it waits until nothing more can come.
//! - Twice is safe.
//! - Nothing to undo.

use std::time::Duration;

use mesosflow_workflow::{Effect, Limits, Probe, Resource, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::in_doubt::{InDoubt, LAUNCH_LIMIT, Pauses};
use crate::makers::refuse_stranger;
use crate::world::World;

/// What is left of a launch once its limit is over, and a provider's time to show it.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// The step.
#[derive(Debug, Serialize)]
pub struct SettleLaunches {
    /// The names of the nodes whose machines were to be launched.
    pub nodes: Vec<String>,
    /// Launches that may be in doubt.
    pub effects: Vec<Effect>,
}

impl SettleLaunches {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("settle-launches");
}

/// Whether a thing is of one of these nodes: it has its name, or one that begins with it.
pub fn is_of(resource: &Resource, nodes: &[String]) -> bool {
    let mut rests = nodes
        .iter()
        .filter_map(|node| resource.name.strip_prefix(node.as_str()));
    rests.any(|rest| rest.is_empty() || rest.starts_with('-'))
}

impl Step for SettleLaunches {
    type World = World;
    type Output = Vec<Resource>;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, _cx: &StepCx<World>) -> Result<Probe<Self::Output>, ActError> {
        Ok(Probe::NotDone)
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Vec<Resource>, ActError> {
        let (world, provider) = (cx.world(), cx.world().provider());
        let mut doubts = InDoubt::at(provider, self.effects.iter().cloned());
        let (mut pauses, mut brought) = (Pauses::default(), Vec::new());
        loop {
            for found in doubts.look(provider, &[]).await? {
                let what = format!("machine `{}`", found.resource.id);
                refuse_stranger(&what, found.driver, |driver| world.knows(driver))?;
                if !brought.contains(&found.resource) {
                    brought.push(found.resource);
                }
            }
            doubts.settled();
            let (Some(due), Some(what)) = (doubts.due_in(), doubts.waits_for()) else {
                break;
            };
            world.wait_for(Some(what));
            tokio::time::sleep(pauses.next().min(due)).await;
        }
        world.wait_for(None);
        for owned in provider.owned(world.owner()).await? {
            if is_of(&owned, &self.nodes) && !brought.iter().any(|known| known.is_same(&owned)) {
                brought.push(owned);
            }
        }
        Ok(brought)
    }

    async fn verify(&self, _cx: &StepCx<World>, _brought: &Vec<Resource>) -> Result<(), ActError> {
        Ok(())
    }

    fn limits(&self) -> Limits {
        Limits::within(LAUNCH_LIMIT + LIMIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run also hears of machines that it only goes through, such as the first master on the way to a node without a public address.
    #[test]
    fn what_is_called_like_a_node_or_after_it_is_its() {
        let resource = |name: &str| Resource {
            kind: "instance".into(),
            id: "i-1".into(),
            name: name.into(),
        };
        let nodes = ["demo-slave-1".to_owned()];
        let is_theirs = |name: &str| is_of(&resource(name), &nodes);
        assert!(!is_theirs("demo-master-1") && !is_theirs("demo-slave"));
        assert!(!is_of(&resource("demo-slave-1"), &[]));
        assert!(is_theirs("demo-slave-1") && is_theirs("demo-slave-1-abcd-g1"));
        assert!(!is_theirs("demo-slave-10") && !is_theirs("demo-slave-10-abcd-g1") && !is_theirs("demo"));
    }
}
