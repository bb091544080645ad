//! `hostnames` (notes 2.1): every node knows its own name, the others' names, and what it has.
//!
//! - Changes: the host name (now and after a reboot), a marked block in `/etc/hosts`, `/etc/mesosflow/node.env`.
//! - Twice is safe: the block is replaced as a whole.
//! - Not undone.

use mesosflow_workflow::{Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::aside;
use crate::cluster::{Inventory, Node, ProviderKind};
use crate::world::{Script, World};

/// Lines that every script below begins with. Slaves offer all processors, and all memory but 1 GiB (the predecessor's
/// rule), at least half of it. `/etc/hosts` is written in place: in a container it is a mount of its own.
const COMMON: &str = r#"block=$(cat)
begin='# mesosflow begin' end='# mesosflow end'
total=$(awk '$1 == "MemTotal:" { print int($2 / 1024) }' /proc/meminfo)
memory=$((total - 1024))
[ "$memory" -ge $((total / 2)) ] || memory=$((total / 2))
env=$(printf 'NODE_NAME=%s\nNODE_IP=%s\nNODE_PUBLIC=%s\nNODE_CPUS=%s\nNODE_MEM_MB=%s' \
  "$name" "$address" "$public" "$(nproc)" "$memory")
"#;
const READY: &str = r#"[ "$(uname -n)" = "$name" ] && [ "$(cat /etc/hostname)" = "$name" ] || exit 1
[ "$(sed -n "/^$begin/,/^$end/p" /etc/hosts)" = "$(printf '%s\n%s\n%s' "$begin" "$block" "$end")" ] || exit 1
[ "$(cat /etc/mesosflow/node.env 2>/dev/null)" = "$env" ] || exit 1"#;
const MAKE: &str = r#"before=$(cat /etc/hostname 2>/dev/null) || before=
if [ "$is_listed" = yes ] && [ -n "$before" ] && [ "$before" != "$name" ]; then
  told "the host name was $before"
fi
printf '%s\n' "$name" > /etc/hostname
hostname -- "$name"
rest=$(sed "/^$begin/,/^$end/d; s/^127\.0\.1\.1[[:space:]]/# before mesosflow: &/" /etc/hosts)
printf '%s\n%s\n%s\n%s\n' "$rest" "$begin" "$block" "$end" > /etc/hosts.mesosflow
cat /etc/hosts.mesosflow > /etc/hosts
rm /etc/hosts.mesosflow
mkdir -p /etc/mesosflow
printf '%s\n' "$env" > /etc/mesosflow/node.env.new
mv /etc/mesosflow/node.env.new /etc/mesosflow/node.env"#;

/// The name of one node.
#[derive(Debug, Serialize)]
pub struct Hostname {
    /// The node.
    pub node: Node,
    /// Address and name of every node, as lines of `/etc/hosts`.
    pub hosts: String,
}

impl Hostname {
    /// The step for a node of an inventory.
    pub fn new(node: &Node, inventory: &Inventory) -> Self {
        let lines: Vec<_> = inventory
            .all()
            .map(|n| format!("{} {}", n.private_ip, n.name))
            .collect();
        Self {
            node: node.clone(),
            hosts: lines.join("\n"),
        }
    }

    fn script<'a>(&self, title: &'a str, body: &'a str) -> Script<'a> {
        Script::new(title, body)
            .var("name", &self.node.name)
            .var("address", self.node.private_ip)
            .var("public", self.node.public_ip.unwrap_or(self.node.private_ip))
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

    const ID: StepId = StepId::from_static("hostnames");

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, ActError> {
        Ok(if self.is_so(cx).await? {
            Probe::Done(())
        } else {
            Probe::NotDone
        })
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let world = cx.world();
        let is_listed = world.spec().provider == ProviderKind::Hosts;
        let body = format!("{COMMON}{MAKE}");
        let script = self.script("set the host name", &body).before(aside::FUNCTIONS);
        let script = script.var("is_listed", if is_listed { "yes" } else { "no" });
        world.run(&self.node, script).await?;
        Ok(aside::tell(world, &self.node).await?)
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
