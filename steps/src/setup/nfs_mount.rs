//! `nfs-mount` (notes 2.16): the first master's `/mnt/nfs` on every slave.
//!
//! - Changes: a line in `/etc/fstab` and the mount, by the kernel's NFS client or, where it has none, by what the user chose
//!   instead. It is mounted on demand (`x-systemd.automount`), so that nothing is ever written beneath it, and a unit mounts
//!   it after each boot, as often as that takes: all nodes may boot at once, the first master last.
//! - Twice is safe: what is mounted and shows the token is kept.
//! - Not undone.

use std::time::Duration;

use mesosflow_workflow::{ErrorClass, Probe, Step, StepCx, StepId};
use serde::{Deserialize, Serialize};

use super::NfsServer;
use super::nfs_export::{READ_OVER_NFS, TOKEN};
use crate::act::ActError;
use crate::aside;
use crate::claim;
use crate::cluster::{MountFallback, Node, input};
use crate::mounts::ON_DISK;
use crate::on_node::{KEY_PATH, KNOWN_HOSTS_PATH};
use crate::service::IS_LOADED;
use crate::world::{Script, World};

/// The unit that mounts it after each boot.
pub(crate) const UNIT: &str = "mesosflow-shared-volume.service";

const MOUNT_LIMIT: Duration = Duration::from_secs(60);

const HAS_KERNEL_CLIENT: &str = r#"grep --quiet --word-regexp nfs4 /proc/filesystems || modprobe --quiet nfsv4 2>/dev/null || exit 1
grep --quiet --word-regexp nfs4 /proc/filesystems || exit 1"#;
const COMMON: &str = shell!("nfs-mount-common.sh");
const LOOK: &str = shell!("nfs-mount-look.sh");
const MOUNT: &str = shell!("nfs-mount.sh");
/// What the script ends with where systemd did not mount: the first master may not serve yet, or not answer for a moment.
const NOT_MOUNTED: i32 = 75;
/// Of every kind of mount. A try that gets no answer ends, and whoever asked is told. What lies in the folder was put there on another
/// machine, and makes nobody root on this one.
const OPTIONS: &str = "_netdev,nofail,nosuid,nodev,x-systemd.automount,x-systemd.mount-timeout=30";

/// The mount on one slave.
#[derive(Debug, Serialize)]
pub struct NfsMount {
    /// The first master.
    #[serde(serialize_with = "input::node")]
    pub hub: Node,
    /// The slave.
    #[serde(serialize_with = "input::node")]
    pub node: Node,
    /// What serves.
    pub server: NfsServer,
    /// What mounts where the kernel cannot.
    pub fallback: MountFallback,
}

/// A type of file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MountKind {
    /// The kernel's NFS client.
    #[serde(rename = "nfs4")]
    Nfs4,
    /// A mount over SSH.
    #[serde(rename = "fuse.sshfs")]
    Sshfs,
}

impl MountKind {
    /// As `/etc/fstab`, the kernel and the journal call it.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Nfs4 => "nfs4",
            Self::Sshfs => "fuse.sshfs",
        }
    }
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mounted {
    /// Its type.
    pub kind: MountKind,
}

/// One way of mounting.
struct Way {
    kind: MountKind,
    source: String,
    options: String,
}

/// The options of a mount by the kernel's NFS client.
pub(crate) fn kernel_options() -> String {
    format!("rw,hard,{OPTIONS}")
}

/// The server answers as root of the first master, so that it is this kernel that has to ask who may read what.
fn sshfs_options(port: u16) -> String {
    let port = match port {
        22 => String::new(),
        port => format!("port={port},"),
    };
    format!(
        "ro,allow_other,default_permissions,{port}reconnect,ConnectTimeout=10,ServerAliveInterval=15,BatchMode=yes,\
         StrictHostKeyChecking=yes,IdentityFile={KEY_PATH},UserKnownHostsFile={KNOWN_HOSTS_PATH},{OPTIONS}"
    )
}

impl NfsMount {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("nfs-mount");

    async fn way(&self, cx: &StepCx<World>) -> Result<Way, ActError> {
        let hub = &self.hub;
        if cx
            .world()
            .ask(
                &self.node,
                Script::new("look for the kernel's NFS client", HAS_KERNEL_CLIENT),
            )
            .await?
        {
            return Ok(Way {
                kind: MountKind::Nfs4,
                source: format!("{}:/mnt/nfs", hub.private_ip),
                options: kernel_options(),
            });
        }
        match self.fallback {
            MountFallback::Sshfs => Ok(Way {
                kind: MountKind::Sshfs,
                source: format!("{}@{}:/mnt/nfs", hub.user, hub.private_ip),
                options: sshfs_options(hub.port),
            }),
            MountFallback::None => Err(ActError::Unmet {
                what: format!("the kernel of {} has no NFS client", self.node.name),
                class: ErrorClass::Permanent,
                hint: Some(
                    "set `shared_volume.fallback` to `sshfs`, or use nodes whose kernel has one".into(),
                ),
            }),
        }
    }

    fn looking(&self, way: &Way) -> Script<'static> {
        Script::new("look at /mnt/nfs", LOOK)
            .before(COMMON)
            .before(IS_LOADED)
            .var("unit", UNIT)
            .var("file", TOKEN)
            .var("token", &self.server.token)
            .var("source", &way.source)
            .var("type", way.kind.as_str())
            .var("options", &way.options)
    }
}

impl Step for NfsMount {
    type World = World;
    type Output = Mounted;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<Mounted>, ActError> {
        let way = self.way(cx).await?;
        let mounted = cx.world().ask(&self.node, self.looking(&way)).await?;
        Ok(if mounted {
            Probe::Done(Mounted { kind: way.kind })
        } else {
            Probe::NotDone
        })
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Mounted, ActError> {
        let way = self.way(cx).await?;
        let mount = Script::new("mount /mnt/nfs", MOUNT)
            .before(ON_DISK)
            .before(aside::FUNCTIONS)
            .before(COMMON)
            .var("unit", UNIT)
            .var("source", &way.source)
            .var("type", way.kind.as_str())
            .var("options", &way.options)
            .var("not_mounted", NOT_MOUNTED);
        match cx.world().run(&self.node, mount.within(MOUNT_LIMIT)).await {
            Ok(_) => {}
            Err(error) if error.exit_status() == Some(NOT_MOUNTED) => {
                return Err(ActError::not_yet(error.to_string()));
            }
            Err(error) => return Err(error.into()),
        }
        claim::tell(cx.world(), &self.node).await?;
        Ok(Mounted { kind: way.kind })
    }

    async fn verify(&self, cx: &StepCx<World>, _mounted: &Mounted) -> Result<(), ActError> {
        let way = self.way(cx).await?;
        let what = "waiting to see the token through /mnt/nfs";
        cx.world()
            .wait_until(&self.node, MOUNT_LIMIT, what, self.looking(&way))
            .await?;
        // Whatever is mounted: the export itself answers this slave, in its own protocol.
        let read = Script::new("read the token over NFS", READ_OVER_NFS)
            .var("server", self.hub.private_ip)
            .var("file", TOKEN)
            .var("token", &self.server.token);
        cx.world()
            .wait_until(&self.node, MOUNT_LIMIT, "reading the token over NFS", read)
            .await
    }

    fn limits(&self) -> mesosflow_workflow::Limits {
        mesosflow_workflow::Limits::within(Duration::from_secs(240))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_gives_nobody_more_than_the_folder_itself_does() {
        let has = |options: &str, wanted: &str| options.split(',').any(|option| option == wanted);
        for options in [kernel_options(), sshfs_options(22), sshfs_options(2022)] {
            assert!(has(&options, "nosuid") && has(&options, "nodev"), "{options}");
        }
        assert!(has(&sshfs_options(22), "default_permissions"));
        assert!(!sshfs_options(22).contains("port=") && has(&sshfs_options(2022), "port=2022"));
    }

    /// What journals hold, and what `/etc/fstab` is given.
    #[test]
    fn mounts_keep_their_recorded_names() {
        for (kind, name) in [(MountKind::Nfs4, "nfs4"), (MountKind::Sshfs, "fuse.sshfs")] {
            assert_eq!(kind.as_str(), name);
            assert_eq!(serde_json::to_value(kind).unwrap(), name);
            assert_eq!(serde_json::from_value::<MountKind>(name.into()).unwrap(), kind);
        }
    }
}
