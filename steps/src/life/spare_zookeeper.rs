//! `spare-zookeeper`: the other ZooKeepers serve without the one that is replaced.
//!
//! - Changes: its server is stopped, where it answers, and does not come back with a boot. Not before the others have been seen in sync:
//!   with two of three away, nothing that goes by ZooKeeper would work.
//! - Twice is safe.
//! - Undone by `zookeeper-start`.

use std::time::Duration;

use mesosflow_workflow::{ErrorClass, Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;
use tokio::time::Instant;

use crate::act::ActError;
use crate::cluster::{Node, input};
use crate::remote::RemoteError;
use crate::world::{World, on_each};
use crate::zookeeper::{self, SERVER, Serves};

/// How long the others may take to be in sync: what a follower lacks is kilobytes.
const SYNC_LIMIT: Duration = Duration::from_secs(60);
/// How long they may take to elect another leader.
const ELECTION_LIMIT: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A ZooKeeper that is replaced.
#[derive(Debug, Serialize)]
pub struct SpareZookeeper {
    /// Its node.
    #[serde(serialize_with = "input::node")]
    pub node: Node,
    /// Whether that answers: one may fall silent meanwhile, and then there is nothing to stop.
    #[serde(skip)]
    pub answers: bool,
    /// The other ZooKeepers.
    #[serde(serialize_with = "input::nodes")]
    pub others: Vec<Node>,
}

impl SpareZookeeper {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("spare-zookeeper");

    /// Why the others would not serve without it; none where they would.
    ///
    /// # Errors
    /// One of them cannot be reached.
    pub async fn lacks(&self, world: &World) -> Result<Option<String>, RemoteError> {
        let own = match self.answers {
            true => zookeeper::serves(world, &self.node).await?,
            false => None,
        };
        Ok(lacks(&self.said(world).await?, own))
    }

    /// What each of the others says of itself.
    async fn said(&self, world: &World) -> Result<Vec<(&str, Option<Serves>)>, RemoteError> {
        let said = on_each(&self.others, |node| zookeeper::serves(world, node)).await?;
        let names = self.others.iter().map(|node| node.name.as_str());
        Ok(names.zip(said).collect())
    }

    /// Whether it is out, and the others serve.
    async fn is_spared(&self, world: &World) -> Result<bool, RemoteError> {
        let is_out = !self.answers || SERVER.is_retired(world, &self.node).await?;
        Ok(is_out && lacks(&self.said(world).await?, None).is_none())
    }

    async fn until(&self, world: &World, limit: Duration) -> Result<Option<String>, ActError> {
        let begun = Instant::now();
        loop {
            let lacks = self.lacks(world).await?;
            if lacks.is_none() || begun.elapsed() >= limit {
                return Ok(lacks);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// What the other servers lack, by what each says, so that they serve without one that says `own` of itself.
fn lacks(others: &[(&str, Option<Serves>)], own: Option<Serves>) -> Option<String> {
    if let Some((name, _)) = others.iter().find(|(_, said)| said.is_none()) {
        return Some(format!("{name} serves nobody"));
    }
    let all = others.iter().map(|(_, said)| *said).chain([own]);
    let serving: Vec<_> = all.flatten().collect();
    let leaders: Vec<_> = serving.iter().filter_map(|said| said.synced()).collect();
    let [synced] = leaders[..] else {
        return Some(format!("{} of them say that they lead", leaders.len()));
    };
    // All but the leader follow it.
    let followers = serving.len() - 1;
    (synced < followers).then(|| format!("only {synced} of {followers} followers are in sync"))
}

impl Step for SpareZookeeper {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        Ok(Probe::done_if(self.is_spared(cx.world()).await?))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let world = cx.world();
        if let Some(lacks) = self.until(world, SYNC_LIMIT).await? {
            return Err(ActError::Unmet {
                what: format!(
                    "the other ZooKeepers cannot do without {}: {lacks}",
                    self.node.name
                ),
                class: ErrorClass::Operator,
                hint: Some(
                    "bring them back first (`mesosflow check` says what is down), then `mesosflow resume`"
                        .to_owned(),
                ),
            });
        }
        if !self.answers {
            return Ok(());
        }
        SERVER.retire(world, &self.node).await?;
        let Some(lacks) = self.until(world, ELECTION_LIMIT).await? else {
            return Ok(());
        };
        SERVER.ensure(world, &self.node).await?;
        Err(ActError::not_yet(format!(
            "the other ZooKeepers did not serve without {}, which runs again: {lacks}",
            self.node.name
        )))
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        match self.is_spared(cx.world()).await? {
            true => Ok(()),
            false => Err(ActError::not_yet(format!(
                "the other ZooKeepers do not serve without {}",
                self.node.name
            ))),
        }
    }

    fn limits(&self) -> Limits {
        Limits::within(SYNC_LIMIT + ELECTION_LIMIT + Duration::from_secs(300))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_others_have_to_serve_and_be_in_sync() {
        let (leads, follows) = (|synced| Some(Serves::Leads { synced }), Some(Serves::Follows));
        let lacks = |[second, third]: [Option<Serves>; 2], own| {
            lacks(&[("demo-zookeeper-2", second), ("demo-zookeeper-3", third)], own)
        };
        assert_eq!(lacks([leads(2), follows], follows), None);
        assert_eq!(lacks([follows, follows], leads(2)), None);
        // It is out already.
        assert_eq!(lacks([follows, leads(1)], None), None);
        let says = |said, own, part: &str| {
            let lacks = lacks(said, own).unwrap();
            assert!(lacks.contains(part), "{lacks}");
        };
        says([leads(1), None], None, "demo-zookeeper-3 serves nobody");
        says([follows, follows], None, "0 of them");
        // Which of both is in sync is not known.
        says([leads(1), follows], follows, "only 1 of 2");
        says([leads(0), follows], None, "only 0 of 1");
        says([leads(1), leads(1)], None, "2 of them");
    }
}
