//! `copy-ssh-key` (notes 1.6.b): the keys with which nodes reach one another, on the first master, from which they reach the
//! other nodes. They are made there and known nowhere else; [`crate::authorized`] says what each opens.
//!
//! - Changes: the private key, a client configuration (0600) in the folder `/root/.ssh/mesosflow`; what slaves and ZooKeepers
//!   get, in a folder for each role beside it.
//! - Twice is safe: keys of this run stay, each file is written whole or not at all.
//! - Not undone; the keys open nothing but this cluster's nodes, and from its own addresses only.

use mesosflow_workflow::{Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::authorized::{Copied, comments};
use crate::cluster::{Node, input};
use crate::on_node::{ROLES_FOLDER, SSH_CONFIG, SSH_FOLDER};
use crate::world::{Script, World};

const COMMON: &str = shell!("keys-common.sh");
const LOOK: &str = shell!("keys-look.sh");
const MAKE: &str = shell!("keys-make.sh");

/// Where the keys are made.
#[derive(Debug, Serialize)]
pub struct CopySshKey {
    /// The first master.
    #[serde(serialize_with = "input::pinned")]
    pub hub: Node,
    /// The public half of the driver's key, which says whose cluster it is.
    pub public_key: String,
}

impl CopySshKey {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("copy-ssh-key");

    fn script<'a>(&self, cx: &StepCx<World>, title: &'a str, body: &'a str) -> Script<'a> {
        let owner = cx.world().owner();
        let [nodes, volume] = comments(&owner.cluster, owner.run);
        let hub = &self.hub;
        Script::new(title, body)
            .before(COMMON)
            .var("folder", SSH_FOLDER)
            .var("roles", ROLES_FOLDER)
            .var("nodes", nodes)
            .var("volume", volume)
            .var(
                "known",
                hub.host_key
                    .known_hosts_line(&hub.private_ip.to_string(), hub.port),
            )
            .stdin(SSH_CONFIG)
    }

    async fn look(&self, cx: &StepCx<World>) -> Result<Option<Copied>, ActError> {
        let script = self.script(cx, "look at the nodes' keys", LOOK);
        let Some(said) = cx.world().answer(&self.hub, script).await? else {
            return Ok(None);
        };
        let mut lines = said.lines().map(str::to_owned);
        Ok(lines
            .next()
            .zip(lines.next())
            .map(|(nodes_key, volume_key)| Copied {
                public_key: self.public_key.clone(),
                nodes_key,
                volume_key,
            }))
    }

    fn missing(&self) -> ActError {
        ActError::not_yet(format!("the nodes' keys are not on {}", self.hub.name))
    }
}

impl Step for CopySshKey {
    type World = World;
    type Output = Copied;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<Copied>, ActError> {
        Ok(self.look(cx).await?.map_or(Probe::NotDone, Probe::Done))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Copied, ActError> {
        let make = self.script(cx, "make the nodes' keys", MAKE);
        cx.world().run(&self.hub, make).await?;
        self.look(cx).await?.ok_or_else(|| self.missing())
    }

    async fn verify(&self, cx: &StepCx<World>, copied: &Copied) -> Result<(), ActError> {
        match self.look(cx).await? {
            Some(found) if found == *copied => Ok(()),
            _ => Err(self.missing()),
        }
    }
}
