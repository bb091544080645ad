//! `hostnames` (notes 2.1): every node knows its own name, the others' names, and what it has.
//!
//! - Changes: the host name (now and after a reboot), a marked block in `/etc/hosts` and the unit that puts it back at each boot,
//!   `/etc/mesosflow/node.env`.
//! - Twice is safe: the block is replaced as a whole.
//! - Not undone.

use mesosflow_workflow::{Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::aside;
use crate::claim;
use crate::cluster::{Inventory, Node, input};
use crate::on_node::{NAMES_FILE, NAMES_UNIT};
use crate::roles::NAMES;
use crate::world::{Script, World};

const COMMON: &str = shell!("hostname-common.sh");
const READY: &str = shell!("hostname-ready.sh");
/// Before whatever asks for a name. In a container the engine writes `/etc/hosts` anew at each start.
pub(crate) const UNIT_TEXT: &str = "[Unit]
Description=Puts the names of the mesosflow cluster into /etc/hosts
DefaultDependencies=no
RequiresMountsFor=/etc/mesosflow
After=local-fs.target
Before=network-pre.target sysinit.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh /etc/mesosflow/names

[Install]
WantedBy=sysinit.target
";
const MAKE: &str = shell!("hostname-make.sh");

/// The name of one node.
#[derive(Debug, Serialize)]
pub struct Hostname {
    /// The node.
    #[serde(serialize_with = "input::node")]
    pub node: Node,
    /// Address and name of every node, as lines of `/etc/hosts`.
    pub hosts: String,
}

/// Address and name of every node, as lines of `/etc/hosts`.
pub(crate) fn hosts(inventory: &Inventory) -> String {
    let lines: Vec<_> = inventory
        .all()
        .map(|n| format!("{} {}", n.private_ip, n.name))
        .collect();
    lines.join("\n")
}

impl Hostname {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("hostnames");

    /// The step for a node of an inventory.
    pub fn new(node: &Node, inventory: &Inventory) -> Self {
        Self {
            node: node.clone(),
            hosts: hosts(inventory),
        }
    }

    fn script<'a>(&self, title: &'a str, body: &'a str) -> Script<'a> {
        Script::new(title, body)
            .var("name", &self.node.name)
            .var("address", self.node.private_ip)
            .var("public", self.node.public_ip.unwrap_or(self.node.private_ip))
            .var("names_file", NAMES_FILE)
            .var("names_text", NAMES.trim_end())
            .var("names_unit", NAMES_UNIT)
            .var("unit_text", UNIT_TEXT.trim_end())
            .stdin(self.hosts.as_bytes())
    }

    async fn is_so(&self, cx: &StepCx<World>) -> Result<bool, ActError> {
        let body = format!("{COMMON}{READY}");
        Ok(cx
            .world()
            .ask(&self.node, self.script("look at the host name", &body))
            .await?)
    }
}

impl Step for Hostname {
    type World = World;
    type Output = ();
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        Ok(Probe::done_if(self.is_so(cx).await?))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let world = cx.world();
        let is_listed = !world.spec().provider.makes_machines();
        let body = format!("{COMMON}{MAKE}");
        let script = self.script("set the host name", &body).before(aside::FUNCTIONS);
        let script = script.var("is_listed", if is_listed { "yes" } else { "no" });
        world.run(&self.node, script).await?;
        Ok(claim::tell(world, &self.node).await?)
    }

    async fn verify(&self, cx: &StepCx<World>, (): &()) -> Result<(), ActError> {
        if self.is_so(cx).await? {
            return Ok(());
        }
        Err(ActError::not_yet(format!(
            "{} did not keep its name",
            self.node.name
        )))
    }
}
