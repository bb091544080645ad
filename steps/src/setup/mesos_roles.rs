//! `mesos-roles` (the notes' first page): each master and slave has its role's files, units and boot script, and a file that says which
//! cluster it is of; what its daemons start with is written by the boot script, now as at every boot.
//!
//! - Changes: `/opt/mesosflow/roles`, the units of Mesos and of the boot script, `/etc/mesosflow/cluster`, and through the boot script
//!   the flags in `/etc/mesos`, `/etc/mesos-master`, `/etc/mesos-slave`. A machine's tags say the same where its provider has tags that
//!   the machine can read.
//! - Twice is safe: what differs is written, in one move each.
//! - Not undone, but by what takes the whole cluster off a node.

use std::time::Duration;

use mesosflow_workflow::{Epoch, ErrorClass, Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::aside;
use crate::claim;
use crate::cluster::{ClusterSpec, Inventory, Node, input};
use crate::on_node::{CLUSTER_FILE, ROLE_COMMAND, ROLE_UNITS};
use crate::remote::transfer::TreeOptions;
use crate::roles::{self, ClusterFile, FOLDER, UNITS_FOLDER};
use crate::service::IS_LOADED;
use crate::templates::DeployVars;
use crate::world::{Script, World};

const READY: &str = shell!("roles-ready.sh");
const LAY: &str = shell!("roles-lay.sh");
/// The boot script itself waits for nobody here: the cluster file has just said where the cluster is.
const LIMIT: Duration = Duration::from_secs(120);
/// What the boot script ends with where no source knows where the cluster is.
const NOT_KNOWN: i32 = 75;

/// Who starts a daemon anew whose flags have become others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The boot script, at once.
    BootScript,
    /// Whoever has it written, when it is the node's turn.
    Caller,
}

impl By {
    /// As the boot script is told it.
    const fn option(self) -> &'static str {
        match self {
            Self::BootScript => "--once",
            Self::Caller => "--write",
        }
    }
}

/// The role of one node. The roles' files are no part of the input: they are compared where they are, and a newer program brings newer
/// ones without its runs drifting by it.
#[derive(Debug, Serialize)]
pub struct MesosRoles {
    /// The node.
    #[serde(serialize_with = "input::node")]
    pub node: Node,
    /// What its cluster file says.
    pub(crate) file: ClusterFile,
}

impl MesosRoles {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("mesos-roles");

    /// The step for a master or slave.
    pub(crate) fn new(node: &Node, spec: &ClusterSpec, inventory: &Inventory, vars: &DeployVars) -> Self {
        Self {
            node: node.clone(),
            file: ClusterFile::of(node, spec, inventory, vars),
        }
    }

    /// Whether the node has all of it, and its machine's tags say the same as the file there, its epoch included.
    pub(crate) async fn is_so(&self, world: &World) -> Result<bool, ActError> {
        let (path, location) = self.file.location();
        let body = format!("{IS_LOADED}{READY}");
        let script = Script::new("look at the role", &body)
            .var("folder", FOLDER)
            .var("command", ROLE_COMMAND)
            .var("units", ROLE_UNITS.join(" "))
            .var("cluster_file", CLUSTER_FILE)
            .var("manifest", roles::tree().manifest())
            .var("path", path)
            .var("location", location)
            .stdin(self.file.text(Epoch(0)));
        let Some(epoch) = world.answer(&self.node, script.within(LIMIT)).await? else {
            return Ok(false);
        };
        let Ok(epoch) = epoch.trim().parse() else {
            return Ok(false);
        };
        let facts = self.file.facts(Epoch(epoch));
        Ok(world.provider().told(&self.node.instance, &facts).await?)
    }

    /// Another try may find it: EC2's metadata answers late, or another boot script was at it. What somebody else put where the daemons
    /// look for the cluster stays, however often it is tried: the hint says so.
    async fn explained(&self, world: &World) -> Result<ActError, ActError> {
        let (path, location) = self.file.location();
        let title = "ask the boot script what it finds";
        let script = Script::new(title, "\"$command\" --dry-run 2>&1 || true").var("command", ROLE_COMMAND);
        let said = world.run(&self.node, script.within(LIMIT)).await?.stdout_str();
        let lines: String = said.lines().map(|line| format!("\n    {line}")).collect();
        Ok(ActError::Unmet {
            what: format!(
                "{} does not find its cluster at {location}; its boot script says:{lines}",
                self.node.name
            ),
            class: ErrorClass::Transient,
            hint: Some(format!(
                "look at {path} and {CLUSTER_FILE} on {}: a file that mesosflow did not write is left as it is",
                self.node.name
            )),
        })
    }

    /// Gives the node all of it; `by` says who starts daemons anew whose flags are others by that.
    pub(crate) async fn lay(&self, world: &World, by: By) -> Result<(), ActError> {
        let epoch = world.owner().driver.map_or(Epoch(0), |token| token.epoch);
        let local = world.folder().join("roles").join(&self.node.name);
        roles::tree().write_to(&local)?;
        let options = TreeOptions {
            delete: true,
            ..TreeOptions::default()
        };
        let sent = world
            .session(&self.node)
            .upload_tree(&local, FOLDER, options)
            .await;
        // It is made anew by whoever comes again.
        let _ = std::fs::remove_dir_all(&local);
        sent?;
        let lay = Script::new("lay the role", LAY)
            .before(aside::FUNCTIONS)
            .var("folder", FOLDER)
            .var("units_folder", UNITS_FOLDER)
            .var("command", ROLE_COMMAND)
            .var("units", ROLE_UNITS.join(" "))
            .var("cluster_file", CLUSTER_FILE)
            .var("how", by.option())
            .stdin(self.file.text(epoch))
            .within(LIMIT);
        let laid = world.run(&self.node, lay).await;
        claim::tell(world, &self.node).await?;
        match laid {
            Err(error) if error.exit_status() == Some(NOT_KNOWN) => {
                return Err(self.explained(world).await?);
            }
            laid => laid.map(drop)?,
        }
        let facts = self.file.facts(epoch);
        Ok(world.provider().tell(&self.node.instance, &facts).await?)
    }
}

impl Step for MesosRoles {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        Ok(Probe::done_if(self.is_so(cx.world()).await?))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        self.lay(cx.world(), By::BootScript).await
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        match self.is_so(cx.world()).await? {
            true => Ok(()),
            false => Err(self.explained(cx.world()).await?),
        }
    }

    fn limits(&self) -> Limits {
        Limits::within(Duration::from_secs(300))
    }
}
