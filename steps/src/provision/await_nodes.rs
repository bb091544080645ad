//! `await-nodes` (notes 1.5): every machine runs, its host key is pinned, and it answers over SSH.
//!
//! - Changes: opens the run's one session to each node.
//! - Twice is safe: it only looks.
//! - Nothing to undo.

use std::time::Duration;

use mesosflow_workflow::{Limits, Probe, Retry, Step, StepCx, StepError as _, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::{Instance, Node};
use crate::remote::{HostKey, RemoteError};
use crate::world::{Script, World};

/// One machine to be waited for.
#[derive(Debug, Serialize)]
pub struct AwaitNode {
    /// The machine.
    pub instance: Instance,
    /// Who logs in.
    pub user: String,
}

impl AwaitNode {
    fn node(&self, host_key: HostKey) -> Node {
        Node {
            instance: self.instance.clone(),
            user: self.user.clone(),
            port: 22,
            host_key,
            via: None,
        }
    }
}

/// What a node that has booted says.
const ANSWERS: Script<'static> = Script::new("see that it answers", "true");

impl Step for AwaitNode {
    type World = World;
    type Output = Node;
    type Error = ActError;

    const ID: StepId = StepId::from_static("await-nodes");

    async fn probe(&self, _cx: &StepCx<World>) -> Result<Probe<Node>, ActError> {
        // Whether it answers is all there is to do; and a key is never taken from the network.
        Ok(Probe::NotDone)
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Node, ActError> {
        let keys = cx.world().provider().host_keys(&self.instance).await?;
        let Some(key) = keys.into_iter().next() else {
            return Err(ActError::not_yet(format!(
                "{} has not made its host key yet",
                self.instance.name
            )));
        };
        Ok(self.node(key))
    }

    async fn verify(&self, cx: &StepCx<World>, node: &Node) -> Result<(), ActError> {
        match cx.world().run(node, ANSWERS).await {
            Ok(_) => Ok(()),
            // A booting machine may answer before its user's keys are in place (cloud-init).
            Err(refused @ RemoteError::AuthRefused { .. }) => {
                let hint = refused.hint().unwrap_or_default();
                Err(ActError::not_yet(refused.to_string()).hinted(hint))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn limits(&self) -> Limits {
        // A boot takes a second here and minutes elsewhere; the tries come quickly at first.
        let retry = Retry {
            attempts: 60,
            initial: Duration::from_millis(500),
            ceiling: Duration::from_secs(5),
        };
        Limits {
            deadline: Duration::from_secs(60),
            retry,
        }
    }
}
