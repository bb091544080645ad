//! `await-nodes` (notes 1.5): every machine runs, its host key is pinned, it answers over SSH, has finished its boot and has
//! the packages of its system that a node needs.
//!
//! - Changes: opens the run's one session to each node. Installs packages where a stock image lacks them. Lets the cluster's
//!   own key in, where the machine is the user's.
//! - Twice is safe: it looks, and adds only what is missing.
//! - Nothing to undo but that key, which `destroy` takes away.

use std::time::Duration;

use mesosflow_workflow::{ErrorClass, Limits, Probe, Retry, Step, StepCx, StepError as _, StepId};
use serde::Serialize;
use tokio::time::Instant;

use super::dead::{dead, replaced};
use super::launch::record;
use crate::act::ActError;
use crate::cluster::{HostKeySource, Instance, Node};
use crate::provider::{Condition, HostKeys, Machine, ProviderError};
use crate::remote::{HostKey, RemoteError};
use crate::software::complete;
use crate::world::{Script, World};

/// How long a container may take to answer, and how often it is looked at: it boots in a second.
const QUICK: (Duration, Duration) = (Duration::from_secs(150), Duration::from_millis(250));
/// How often a machine that takes minutes is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// How long nothing is said of a machine that is on its way.
const QUIET: Duration = Duration::from_secs(15);
/// What the last look needs beyond the limit, so that the step itself says what it waited for.
const LAST_LOOK: Duration = Duration::from_secs(60);

/// One machine to be waited for.
#[derive(Debug, Serialize)]
pub struct AwaitNode {
    /// The machine.
    pub instance: Instance,
    /// Who logs in.
    pub user: String,
    /// The SSH port, where it is not 22.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The first master, through which a machine without a public address is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub through: Option<Instance>,
    /// Whether it may lack packages of its system, which are then installed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub completes: bool,
    /// How long it may take, seconds; none for containers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot_limit_s: Option<u32>,
}

/// Why a look at the machine did not find it ready.
enum Look {
    /// Another look may; what is waited for.
    NotYet(String),
    /// None will.
    Never(ActError),
}

impl From<ProviderError> for Look {
    fn from(error: ProviderError) -> Self {
        match error.class {
            class if class.is_retryable() => Self::NotYet(format!("{error}: {}", error.source)),
            _ => Self::Never(error.into()),
        }
    }
}

impl From<RemoteError> for Look {
    fn from(error: RemoteError) -> Self {
        match &error {
            // A booting machine may answer before its user, their keys and their rights are in place (cloud-init).
            RemoteError::AuthRefused { .. } | RemoteError::SudoRefused { .. } => {
                Self::NotYet(format!("{error}; {}", error.hint().unwrap_or_default()))
            }
            _ if error.class().is_retryable() => Self::NotYet(error.to_string()),
            _ => Self::Never(error.into()),
        }
    }
}

impl AwaitNode {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("await-nodes");

    /// The limit, and the pause between two looks.
    fn patience(&self) -> (Duration, Duration) {
        match self.boot_limit_s {
            None => QUICK,
            Some(seconds) => (Duration::from_secs(seconds.into()), LOOK_EVERY),
        }
    }

    async fn look(&self, cx: &StepCx<World>) -> Result<Node, Look> {
        let now = running(cx, &self.instance).await?;
        // What came with it is recorded here: a provider may show a machine before its disks, and the launch is over by then. What somebody
        // else has launched stays theirs to delete.
        if !cx.world().spec().is_adopted(&self.instance.id) {
            record(cx, &now).await.map_err(Look::Never)?;
        }
        let instance = now.instance;
        let via = match &self.through {
            Some(hub) if instance.public_ip.is_none() => {
                // The way in is no machine of this run's, and none of its things.
                let hub = running(cx, hub).await?.instance;
                Some(self.node(cx, hub, None).await?)
            }
            _ => None,
        };
        let node = self.node(cx, instance, via).await?;
        let admitted = cx.world().provider().admit(cx.world().owner(), &node);
        if let Some(resource) = admitted.await? {
            let recorded = cx.created(resource).await;
            recorded.map_err(|lost| Look::Never(lost.into()))?;
        }
        let booted = cx.world().run(&node, BOOTED).await?.stdout_str();
        match booted.split_once('\n').unwrap_or((&booted, "")) {
            ("ready", _) if self.completes => {
                // What goes wrong here has gone wrong by itself, and is tried again as such.
                complete(cx.world(), &node).await.map_err(Look::Never)?;
                Ok(node)
            }
            ("ready", _) => Ok(node),
            ("failed", why) => Err(Look::Never(
                ActError::wrong(format!(
                    "{} did not finish its first boot: {why}",
                    self.instance.name
                ))
                .hinted(format!(
                    "look at /var/log/cloud-init-output.log on {}",
                    self.instance.name
                )),
            )),
            (state, _) => Err(Look::NotYet(format!("its first boot is not over: {state}"))),
        }
    }

    /// The machine as a node, with the host key that it has to show.
    async fn node(&self, cx: &StepCx<World>, instance: Instance, via: Option<Node>) -> Result<Node, Look> {
        let (host_key, host_key_source) = self.host_key(cx, &instance, via.as_ref()).await?;
        Ok(Node {
            instance,
            user: self.user.clone(),
            port: self.port.unwrap_or(22),
            host_key,
            host_key_source,
            via: via.map(Box::new),
        })
    }

    async fn host_key(
        &self,
        cx: &StepCx<World>,
        instance: &Instance,
        via: Option<&Node>,
    ) -> Result<(HostKey, Option<HostKeySource>), Look> {
        let world = cx.world();
        // The key that a machine was made with is its own for as long as there is that machine: a console has it but once. That of
        // any other is what the configuration says now.
        if world.provider().launcher().is_some()
            && let Some(node) = world.memory().pinned(instance)
        {
            return Ok((node.host_key, node.host_key_source));
        }
        match world.provider().host_keys(instance).await? {
            HostKeys::Known(keys, source) => match keys.into_iter().next() {
                Some(key) => Ok((key, source)),
                None => Err(Look::NotYet("no host key is known of it".into())),
            },
            HostKeys::NotYet(what) => Err(Look::NotYet(what)),
            HostKeys::AcceptNew => {
                let shown = world.presented_host_key(instance, &self.user, via).await?;
                tracing::warn!(
                    target: "mesosflow::progress",
                    "{}: host key {} was taken unseen, as you chose", instance.name, shown.fingerprint()
                );
                Ok((shown, Some(HostKeySource::AcceptNew)))
            }
        }
    }
}

/// The machine as it is now, once it runs.
async fn running(cx: &StepCx<World>, instance: &Instance) -> Result<Machine, Look> {
    let condition = cx.world().provider().condition(instance).await?;
    match &condition {
        Condition::Running(now) => Ok((**now).clone()),
        Condition::Booting(what) | Condition::Unknown(what) => Err(Look::NotYet(what.clone())),
        Condition::Stopping(why) | Condition::Stopped(why) => Err(Look::Never(ActError::Unmet {
            what: format!("{} ({}) does not run: {why}", instance.name, instance.id),
            class: ErrorClass::Operator,
            hint: Some(format!(
                "start it: `{}`, or terminate it to have it replaced; then `mesosflow resume`",
                cx.world().provider().starting(instance, &condition)
            )),
        })),
        Condition::Dead(why) => Err(Look::Never(
            ActError::wrong(dead(instance, why)).hinted(replaced(instance)),
        )),
    }
}

const BOOTED: Script<'static> = Script::new("see that its first boot is over", shell!("booted.sh"));

impl Step for AwaitNode {
    type World = World;
    type Output = Node;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, _cx: &StepCx<World>) -> Result<Probe<Node>, ActError> {
        // Whether it answers is all there is to do; and a key is never taken from the network.
        Ok(Probe::NotDone)
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Node, ActError> {
        let (limit, pause) = self.patience();
        let begun = Instant::now();
        let give_up = begun + limit;
        let mut said = (false, String::new());
        loop {
            let what = match self.look(cx).await {
                Ok(node) => {
                    cx.world().memory().answered(&node);
                    return Ok(node);
                }
                Err(Look::Never(error)) => return Err(error),
                Err(Look::NotYet(what)) => what,
            };
            let is_long = begun.elapsed() >= QUIET;
            if (is_long, &what) != (said.0, &said.1) {
                let name = &self.instance.name;
                match is_long {
                    false => tracing::info!(node = %name, "{what}"),
                    true => tracing::info!(target: "mesosflow::progress", "{name}: {what}"),
                }
                said = (is_long, what.clone());
            }
            if Instant::now() >= give_up {
                let (name, id) = (&self.instance.name, &self.instance.id);
                return Err(ActError::wrong(format!(
                    "{name} ({id}) was not ready after {} s: {what}",
                    limit.as_secs()
                )));
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn verify(&self, cx: &StepCx<World>, node: &Node) -> Result<(), ActError> {
        cx.world()
            .run(node, Script::new("see that it answers", "true"))
            .await?;
        Ok(())
    }

    /// Another machine in a place is another node, whatever else stays.
    fn forecast(&self, before: Node) -> Node {
        let mut node = before;
        let hub = self.through.as_ref();
        if let (Some(via), Some(hub)) = (node.via.as_mut(), hub)
            && via.id != hub.id
        {
            via.instance = hub.clone();
        }
        if node.id != self.instance.id {
            node.instance = self.instance.clone();
        }
        node
    }

    fn limits(&self) -> Limits {
        Limits {
            deadline: self.patience().0 + LAST_LOOK,
            retry: Retry::STANDARD,
        }
    }
}
