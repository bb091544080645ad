//! `nfs-export` (notes 2.15): `/mnt/nfs` of the first master, served to the cluster's nodes.
//!
//! - Changes: the folder with a token file in it; the kernel's NFS server, or nfs-ganesha where the kernel has none.
//! - Twice is safe: the export is replaced as a whole, a running server is kept.
//! - Not undone.

use std::time::Duration;

use mesosflow_workflow::{Probe, Step, StepCx, StepId};
use serde::{Deserialize, Serialize};

use crate::act::ActError;
use crate::cluster::{NfsServerChoice, Node, input};
use crate::mounts::ON_DISK;
use crate::service::{DEPLOYED_UNITS, IS_LOADED, Service};
use crate::world::{Script, World};

/// What clients read to prove that they see this very folder.
pub(super) const TOKEN: &str = ".mesosflow-token";

/// nfs-ganesha's daemon.
pub(crate) const GANESHA: Service = Service {
    unit: "mesosflow-nfs-ganesha.service",
    units: DEPLOYED_UNITS,
    config: "/root/mesos-ec2/nfs",
};
const START_LIMIT: Duration = Duration::from_secs(60);

const HAS_KERNEL_SERVER: &str = r#"grep --quiet --word-regexp nfsd /proc/filesystems || modprobe --quiet nfsd 2>/dev/null || exit 1
command -v exportfs >/dev/null || exit 1"#;
/// The system's own unit, as far as it is ours: what is exported lies on a disk that may be missing.
const KERNEL_DROP_IN: &str = "/etc/systemd/system/nfs-server.service.d/mesosflow.conf";
/// What was exported, by the digest of its file: written last, and gone with the machine's uptime like the table of exports.
const EXPORTED: &str = "/run/mesosflow/nfs.exported";
const KERNEL_READY: &str = shell!("nfs-kernel-ready.sh");
const KERNEL_START: &str = shell!("nfs-kernel-start.sh");
const PUT_TOKEN: &str = shell!("nfs-put-token.sh");
pub(super) const READ_OVER_NFS: &str = shell!("nfs-read.sh");

/// What is exported.
#[derive(Debug, Serialize)]
pub struct NfsExport {
    /// The first master.
    #[serde(serialize_with = "input::node")]
    pub hub: Node,
    /// What shall serve.
    pub server: NfsServerChoice,
    /// Digest of the rendered tree, which holds the export: another tree is another input.
    pub tree: String,
}

/// A program that serves NFS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NfsServerKind {
    /// The kernel's own server.
    Kernel,
    /// nfs-ganesha, where the kernel has none.
    Ganesha,
}

/// What serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NfsServer {
    /// Which program does.
    pub kind: NfsServerKind,
    /// What the token file holds.
    pub token: String,
}

impl NfsExport {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("nfs-export");

    async fn choose(&self, cx: &StepCx<World>) -> Result<NfsServerKind, ActError> {
        Ok(match self.server {
            NfsServerChoice::Kernel => NfsServerKind::Kernel,
            NfsServerChoice::Ganesha => NfsServerKind::Ganesha,
            NfsServerChoice::Auto => {
                let look = Script::new("look for the kernel's NFS server", HAS_KERNEL_SERVER);
                if cx.world().ask(&self.hub, look).await? {
                    NfsServerKind::Kernel
                } else {
                    NfsServerKind::Ganesha
                }
            }
        })
    }

    /// The only address that the kernel's server shall listen on; nothing where all of them are the cluster's own affair.
    fn inner_address(&self, world: &World) -> String {
        let is_listed = !world.spec().provider.makes_machines();
        let inner = self.hub.public_ip.filter(|_| is_listed);
        inner.map_or_else(String::new, |_| self.hub.private_ip.to_string())
    }

    /// Named by the run, not by the generation: the folder's content outlives a replay.
    fn token(cx: &StepCx<World>) -> String {
        format!("mesosflow {}", cx.world().owner().run)
    }

    fn reading(&self, cx: &StepCx<World>) -> Script<'static> {
        Script::new("read the token over NFS", READ_OVER_NFS)
            .var("server", self.hub.private_ip)
            .var("file", TOKEN)
            .var("token", Self::token(cx))
    }
}

impl Step for NfsExport {
    type World = World;
    type Output = NfsServer;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<NfsServer>, ActError> {
        let (world, kind) = (cx.world(), self.choose(cx).await?);
        let serves = match kind {
            NfsServerKind::Kernel => {
                world
                    .ask(
                        &self.hub,
                        Script::new("look at the export", KERNEL_READY)
                            .before(IS_LOADED)
                            .var("drop_in", KERNEL_DROP_IN)
                            .var("exported", EXPORTED),
                    )
                    .await?
            }
            NfsServerKind::Ganesha => GANESHA.is_current(world, &self.hub).await?,
        };
        let done = serves && world.ask(&self.hub, self.reading(cx)).await?;
        Ok(if done {
            Probe::Done(NfsServer {
                kind,
                token: Self::token(cx),
            })
        } else {
            Probe::NotDone
        })
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<NfsServer, ActError> {
        let (world, kind) = (cx.world(), self.choose(cx).await?);
        let put = Script::new("put the token", PUT_TOKEN)
            .before(ON_DISK)
            .var("file", TOKEN)
            .var("token", Self::token(cx));
        world.run(&self.hub, put).await?;
        match kind {
            NfsServerKind::Kernel => {
                world
                    .run(
                        &self.hub,
                        Script::new("export /mnt/nfs", KERNEL_START)
                            .var("drop_in", KERNEL_DROP_IN)
                            .var("exported", EXPORTED)
                            .var("address", self.inner_address(world))
                            .within(START_LIMIT),
                    )
                    .await?;
            }
            NfsServerKind::Ganesha => GANESHA.ensure(world, &self.hub).await?,
        }
        Ok(NfsServer {
            kind,
            token: Self::token(cx),
        })
    }

    async fn verify(&self, cx: &StepCx<World>, server: &NfsServer) -> Result<(), ActError> {
        let waited = cx
            .world()
            .wait_until(
                &self.hub,
                START_LIMIT,
                "waiting for the NFS server",
                self.reading(cx),
            )
            .await;
        match waited {
            Err(error) if server.kind == NfsServerKind::Ganesha => {
                Err(GANESHA.explain(cx.world(), &self.hub, error).await)
            }
            waited => waited,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What journals hold.
    #[test]
    fn servers_keep_their_recorded_names() {
        for (kind, name) in [
            (NfsServerKind::Kernel, "kernel"),
            (NfsServerKind::Ganesha, "ganesha"),
        ] {
            assert_eq!(serde_json::to_value(kind).unwrap(), name);
            assert_eq!(
                serde_json::from_value::<NfsServerKind>(name.into()).unwrap(),
                kind
            );
        }
    }
}
